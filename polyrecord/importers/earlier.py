"""What earlier imports left in the archive: their manifests, and the shards of interrupted ones."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from glob import glob
from pathlib import Path, PurePosixPath
from typing import Any

from polyrecord.format.block import BadHeader
from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.directory import parse_footer
from polyrecord.format.layout import (
    MANIFESTS,
    OPEN_DIR,
    REJECTS,
    SUFFIX,
    TREES,
    manifest_path,
    parse_shard_path,
)
from polyrecord.importers.content import Extent, Fingerprint
from polyrecord.importers.tally import Tally
from polyrecord.record.files import make_directory
from polyrecord.record.identity import read_manifest

WRITER_PREFIX = "import."
_PLACES = ("", f"{OPEN_DIR}/")  # of a shard below its date


@dataclass(frozen=True, slots=True)
class Earlier:
    """An import with the same mapping: the content it had before it, and how far it got.

    `consumed` is None when it was interrupted. `tally` counts the file up to there, earlier parts included;
    `tail` is the reason why a last line without line feed was left to a later import. `events` of these
    `dates` were written by this import itself, None where that is not known.
    """

    writer: str
    whole: Extent
    consumed: Extent | None
    tally: Tally
    tail: str | None = None
    events: int | None = None
    dates: tuple[str, ...] | None = None

    def as_json(self, identity: str, file: str) -> dict[str, Any]:
        """What the manifest holds of it."""
        consumed = self.consumed
        return {
            "mapping": identity,
            "file": file,
            "content": [self.whole.size, self.whole.sha256],
            "consumed": None if consumed is None else [consumed.size, consumed.sha256],
            "tail": self.tail,
            "events": self.events,
            "dates": self.dates,
            "lines": self.tally.as_json(),
        }

    @classmethod
    def from_json(cls, writer: str, value: Mapping[str, Any]) -> Earlier:
        """What `as_json` gave; raises KeyError, TypeError or ValueError on anything else."""
        consumed, dates = value["consumed"], value.get("dates")
        return cls(
            writer, Extent(*value["content"]), None if consumed is None else Extent(*consumed),
            Tally.from_json(value["lines"]), value["tail"], value.get("events"),
            None if dates is None else tuple(map(str, dates)),
        )  # fmt: skip


def find_earlier(root: Path, identity: str) -> list[Earlier]:
    """The imports of this mapping that the archive knows of."""
    found = []
    for path in sorted((root / MANIFESTS).glob(f"{WRITER_PREFIX}*.json")):
        with suppress(FileNotFoundError):
            about = path.stat()
            record = _read_record(root, path.stem, (about.st_ino, about.st_mtime_ns, about.st_size))
            if record is not None and record[0] == identity:
                found.append(record[1])
    return found


@lru_cache(maxsize=1 << 16)
def _read_record(root: Path, writer: str, version: tuple[int, int, int]) -> tuple[str, Earlier] | None:
    """The mapping and the rest of a manifest in the state `version`: thousands of files ask for the same.

    One that is damaged or of another version of polyrecord is as good as none.
    """
    try:
        record = (read_manifest(root, writer) or {})["metadata"]["import"]
        return record["mapping"], Earlier.from_json(writer, record)
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do for a content: from `start` on; `after` is the import that did what is before.

    `leftovers` are writers of interrupted imports of it.
    """

    start: int
    after: Earlier | None
    leftovers: tuple[str, ...]


def plan(known: list[Earlier], found: Fingerprint, obsolete: Iterable[Earlier] = ()) -> Plan:
    """Compares a content with the imports before: nothing, all, or only its rest is to be imported.

    Imports of it that are `obsolete` are leftovers too.
    """
    same = found.beginnings | {found.whole}
    leftovers = tuple(one.writer for one in known if one.consumed is None and one.whole in same)
    gone = [one for one in obsolete if one.whole in same or one.consumed in same]
    # The last first: what an interruption leaves is then a beginning, and nothing rests on what is gone.
    leftovers += tuple(one.writer for one in sorted(gone, key=lambda one: -one.whole.size))
    done = [one for one in known if one.consumed is not None and one.whole == found.whole]
    if done:
        return Plan(found.whole.size, done[0], leftovers)
    begun = [(one.consumed.size, one) for one in known if one.consumed is not None and one.consumed in same]
    start, after = max(begun, key=lambda pair: pair[0], default=(0, None))
    return Plan(start, after, leftovers)


def _shards_of(root: Path, writer: str, dates: Iterable[str] = ("*",)) -> Iterator[Path]:
    folders = [f"{tree}/*/date={date}/{place}" for tree in TREES for date in dates for place in _PLACES]
    for folder in folders:
        # Not Path.glob, which raises where another writer removes its folder meanwhile.
        for path in glob(f"{folder}*-{writer}-*{SUFFIX}", root_dir=root):  # noqa: PTH207
            name = parse_shard_path(PurePosixPath(path))
            if name is not None and name.writer == writer:
                yield root / path


def remove_leftovers(root: Path, writer: str) -> None:
    """Removes every shard of an import that was interrupted, and then its manifest."""
    for path in list(_shards_of(root, writer)):
        path.unlink(missing_ok=True)
    (root / REJECTS / f"{writer}.jsonl").unlink(missing_ok=True)
    (root / manifest_path(writer)).unlink(missing_ok=True)


def rejects_of(root: Path, writer: str) -> Path | None:
    """Where the rejected lines of an import are kept; None when there were none."""
    path = root / REJECTS / f"{writer}.jsonl"
    return path if path.exists() else None


def missing_of(root: Path, known: Iterable[Earlier], found: Fingerprint) -> int:
    """How many events of imports of a content are not in the archive any more, by what its shards say."""
    same = found.beginnings | {found.whole}
    done = [one for one in known if one.consumed is not None and (one.whole in same or one.consumed in same)]
    return sum(_missing_of(root, one) for one in done)


def _missing_of(root: Path, earlier: Earlier) -> int:
    if earlier.events is None or earlier.dates is None:
        return 0
    return max(earlier.events - sum(map(_events_in, _shards_of(root, earlier.writer, earlier.dates))), 0)


def _events_in(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - FOOTER_SIZE, 0))
        try:
            return parse_footer(file.read()).events
        except BadHeader:
            return 0


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Two imports into one archive wait for each other: both may be of the same file."""
    folder = root / MANIFESTS
    make_directory(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
