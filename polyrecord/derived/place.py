"""Where a derived file lies, and which shard it was made from.

`data/<stream>/date=YYYY-MM-DD/_derived/<shard>.<fingerprint>.<kind>.parquet`: the fingerprint of the shard's
directory is part of the name, so a file made from other contents is never found, and one that is being made
has a hidden name until it is whole. Spark skips names with `_`; `date=*/*.jsonl.gz` does not match them.
`<shard>.<fingerprint>.json` says which typed tables there are (derived/tables.py).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from polyrecord.format.layout import DERIVED_DIR, SUFFIX
from polyrecord.read.archive import ShardInfo
from polyrecord.read.pieces import read_footer

_KIND: Final = re.compile(r"[a-z0-9_]{1,64}\Z")
_DIR_MODE: Final = 0o750


@dataclass(frozen=True, slots=True)
class Derivable:
    """A sealed shard, the fingerprint of its contents (32 hex digits), and the time of its events in ns."""

    info: ShardInfo
    fingerprint: str
    min_ts: int
    max_ts: int

    def path(self, kind: str) -> Path:
        """Where what is derived of this kind lies, whether it is there or not."""
        if _KIND.match(kind) is None:
            raise ValueError(f"not a kind of derived file: {kind[:80]!r}")
        return self.folder / f"{self.stem}.{self.fingerprint}.{kind}.parquet"

    @property
    def index(self) -> Path:
        """Where it is written which typed tables there are, and what they are."""
        return self.folder / f"{self.stem}.{self.fingerprint}.json"

    @property
    def folder(self) -> Path:
        """The folder of all that is derived from the shards of this stream and date."""
        return self.info.sealed_path.parent / DERIVED_DIR

    @property
    def stem(self) -> str:
        """The shard's name without its suffix: what all names of what is derived from it begin with."""
        return self.info.name.filename.removesuffix(SUFFIX)


def is_kind(name: str) -> bool:
    """Whether this can be the kind of a derived file: such is every event type of the catalogue."""
    return _KIND.match(name) is not None


def derivable(info: ShardInfo) -> Derivable | None:
    """The shard with its fingerprint; None where it is open, foreign or without a whole directory."""
    if info.is_log or not info.name.sealed:
        return None
    try:
        footer = read_footer(info)
    except OSError:
        return None
    if footer is None:
        return None
    return Derivable(info, footer.fingerprint.hex(), footer.min_ts, footer.max_ts)


def hidden_of(path: Path) -> Path:
    """Where this process makes a derived file before it has its name."""
    return path.with_name(f".{path.name}.{os.getpid()}")


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """A hidden path to write to; what lies there when the context ends takes its name, whole and synced.

    Where the context is left with an error, nothing is published. Raises OSError.
    """
    path.parent.mkdir(mode=_DIR_MODE, exist_ok=True)
    hidden = hidden_of(path)
    try:
        yield hidden
        _sync(hidden, os.O_RDONLY)
        hidden.replace(path)
        _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    finally:
        with suppress(OSError):
            hidden.unlink()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
