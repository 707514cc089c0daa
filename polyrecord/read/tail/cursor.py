"""How far a named reader has come, kept in a small file; and the batch that it was delivering."""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
import orjson

from polyrecord.errors import UsageError
from polyrecord.format.layout import CURSORS
from polyrecord.read.tail.feed import Positions

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z", re.ASCII)
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file a batch goes: the file's device and inode, and the offset in bytes."""

    device: int
    inode: int
    offset: _Count


@dataclass(frozen=True, slots=True)
class Pending:
    """A batch that may have been delivered, in part or whole: `moved` is where it leads to.

    `place` is None where it does not go to a regular file.
    """

    lines: _Count
    length: _Count
    sha256: str
    moved: dict[str, dict[str, _Count]]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class _State:
    format: int
    positions: dict[str, dict[str, _Count]]
    pending: Pending | None = None


def cursor_path(root: Path, name: str) -> Path:
    """Where the cursor of that name lies in an archive; raises UsageError when it is no name for one."""
    if _NAME.match(name) is None:
        raise UsageError(
            f"not a name for a cursor: {name[:80]!r}", hint="letters, digits, _ and -, at most 64 of them"
        )
    return root / CURSORS / f"{name}.json"


class Cursor:
    """A cursor file that this process holds; another that wants it is refused.

    Beside it lies `<name>.json.batch`, which holds the batch under way and the lock. The file is replaced
    whole, so a process that is killed, or a power cut, leaves the old one or the new one.
    """

    def __init__(self, path: Path) -> None:
        """Take the cursor; raises UsageError where another has it, or it cannot be read or kept."""
        self.path = path
        self._batch = _lock(path)
        try:
            state = _load(path)
        except BaseException:
            os.close(self._batch)
            raise
        self.is_new = state is None
        self._state = state or _State(1, {})
        self._is_saved = state is not None

    @property
    def positions(self) -> Positions:
        """Up to where everything was delivered, not counting what is pending."""
        return {(w, s): seq for w, seqs in self._state.positions.items() for s, seq in seqs.items()}

    @property
    def pending(self) -> Pending | None:
        """The batch under way, or the one that an earlier process left."""
        return self._state.pending

    def pending_bytes(self) -> bytes | None:
        """The batch that is pending; None when it is not as it was noted, as after a power cut."""
        if self.pending is None:
            return None
        data = os.pread(self._batch, min(self.pending.length, os.fstat(self._batch).st_size), 0)
        return data if sha256(data).hexdigest() == self.pending.sha256 else None

    def begin(self, data: bytes, lines: int, moved: Positions, place: Place | None) -> None:
        """Note a batch before its first byte is written. One that was pending has to be ended first."""
        os.ftruncate(self._batch, 0)
        _write_all(self._batch, data)
        self.note(Pending(lines, len(data), sha256(data).hexdigest(), _by_writer(moved), place))

    def note(self, pending: Pending | None) -> None:
        """Note the batch that is pending, whose bytes are kept already, or that none is."""
        self._state = replace(self._state, pending=pending)
        self.save()

    def end(self) -> None:
        """The batch that is pending was delivered."""
        if self.pending is not None:
            self._move(self.pending.moved)
        self.note(None)

    def move(self, moved: Positions) -> None:
        """Pass over events that are not to be delivered; kept with the next `save`, or by `close`."""
        self._move(_by_writer(moved))
        self._is_saved = False

    def _move(self, moved: dict[str, dict[str, int]]) -> None:
        positions = dict(self._state.positions)
        for writer, seqs in moved.items():
            positions[writer] = {**positions.get(writer, {}), **seqs}
        self._state = replace(self._state, positions=positions)

    def save(self) -> None:
        """Replace the file; raises UsageError where that is not allowed."""
        temporary = _beside(self.path, ".tmp")  # whoever has the lock has this name too
        try:
            descriptor = os.open(temporary, _FLAGS | os.O_TRUNC, 0o640)
            try:
                _write_all(descriptor, orjson.dumps(asdict(self._state)))
                os.fdatasync(descriptor)  # else a power cut may leave an empty file in its place
            finally:
                os.close(descriptor)
            temporary.replace(self.path)
        except OSError as error:
            raise _cannot_be_kept(self.path, error) from error
        self._is_saved = True

    def close(self) -> None:
        """Keep the position and let go of the cursor."""
        if not self._is_saved:
            self.save()
        os.close(self._batch)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _by_writer(positions: Positions) -> dict[str, dict[str, int]]:
    grouped: dict[str, dict[str, int]] = {}
    for (writer, stream), seq in positions.items():
        grouped.setdefault(writer, {})[stream] = seq
    return grouped


def _write_all(descriptor: int, data: bytes) -> None:
    at, view = 0, memoryview(data)
    while at < len(view):
        at += os.pwrite(descriptor, view[at:], at)


def _lock(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(_beside(path, ".batch"), _FLAGS, 0o640)
    except OSError as error:
        raise _cannot_be_kept(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UsageError(
            "another reader has this cursor", path=path, hint="one reader each: give it another name"
        ) from None
    return descriptor


def _cannot_be_kept(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cursor cannot be kept: {error.strerror}", path=path, hint="--cursor-file PATH keeps it elsewhere"
    )


def _load(path: Path) -> _State | None:
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot_be_kept(path, error) from error
    except ValueError as error:
        raise UsageError(
            f"cursor file is damaged: {error}",
            path=path,
            hint="remove it to start anew, at the present or with --from-start",
        ) from None


def _decode(text: bytes) -> _State:
    state = msgspec.json.decode(text, type=_State)
    if state.format != 1:
        raise ValueError(f"format {state.format} is not known")
    return state
