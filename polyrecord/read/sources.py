"""Opening whatever is to be read: an archive, single files, or the logs of another system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from polyrecord.errors import ArchiveMissing, DataError, UsageError
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.single import SingleFile
from polyrecord.read.source import Source

if TYPE_CHECKING:
    from polyrecord.foreign.formats import Format
    from polyrecord.foreign.layouts import Log

_MOST_NOTES = 10
OURS = "polyrecord"  # the name that makes files be read as ours whatever they look like


@dataclass(frozen=True, slots=True)
class How:
    """How other systems' lines are to be read: format and fields by name; what is None is found out."""

    format_name: str | None = None
    ts: str | None = None
    type_field: str | None = None
    trace_field: str | None = None

    @property
    def is_told(self) -> bool:
        """Whether anything says that these are another system's."""
        names = (self.format_name, self.ts, self.type_field, self.trace_field)
        return self.format_name != OURS and any(name is not None for name in names)


@dataclass(frozen=True, slots=True)
class Listed:
    """A source of files that were named or found; `notes` say what they were taken for."""

    root: Path
    infos: tuple[ShardInfo, ...]
    notes: tuple[str, ...] = ()

    @property
    def has_manifests(self) -> bool:
        """False: of single files nobody can tell how their writers went on in others."""
        return False

    def shards(self, selection: Selection | None = None, explain: Explain | None = None) -> list[ShardInfo]:
        """The files that can hold what is selected."""
        found = [info for info in self.infos if info.may_hold(selection or Selection())]
        if explain is not None:
            explain.shards_found += len(found)
        return found

    def streams_of(self, types: frozenset[str]) -> frozenset[str]:
        """Empty: a file's name need not tell the truth."""
        return frozenset()


def open_source(
    root: Path | str | None = None,
    files: Sequence[Path] = (),
    how: How | None = None,
    *,
    usual: How | None = None,
) -> Source:
    """What a directory or files are: found out, or forced by `how`; `usual` is for logs that are not ours.

    A directory that holds shards of ours is our archive; else it may hold logs of another system. Raises
    ArchiveMissing, UsageError and DataError.
    """
    wanted = how or How()
    if files:
        if root is not None:
            raise UsageError("--root and --file exclude each other", hint="give one of them")
        return _files([Path(file) for file in files], wanted, usual or How())
    archive = Archive(root)
    if wanted.format_name == OURS or (not wanted.is_told and archive.has_shards()):
        return archive
    told = wanted if wanted.is_told else usual or wanted
    logs = _logs_in(archive.root, told) if archive.root.is_dir() else None
    if logs is None:
        archive.shards()  # raises, and says what to do
        raise ArchiveMissing("no logs of this kind in this directory", path=archive.root, hint=_hint())
    return logs


def _hint() -> str:
    from polyrecord.foreign import FORMATS

    return f"--from takes {', '.join(FORMATS)}"


def _logs_in(root: Path, how: How) -> Listed | None:
    from polyrecord.foreign.layouts import find_logs

    layout = find_logs(
        root, forced=how.format_name, ts=how.ts, event_type=how.type_field, trace=how.trace_field
    )
    if layout is None or not layout.logs:
        return None
    notes = [] if how.format_name else [f"reading {layout.system} in {root}: {_count(layout.logs)}"]
    notes += [f"left out: {place}: {why}" for place, why in layout.left_out[:_MOST_NOTES]]
    return Listed(root, tuple(_infos(root, layout.logs)), tuple(notes))


def _count(logs: Sequence[Log]) -> str:
    return f"{len(logs):,} {'log' if len(logs) == 1 else 'logs'}"


def _infos(root: Path, logs: Iterable[Log]) -> list[ShardInfo]:
    from polyrecord.read.logs import log_info

    taken: set[str] = set()
    return [log_info(root, log, taken) for log in logs]


def _files(paths: list[Path], how: How, usual: How) -> Source:
    """The files as one source: shards and lines of ours as they are, others as logs."""
    if len(paths) == 1 and (how.format_name == OURS or not _is_log(paths[0], how)):
        return SingleFile(paths[0])
    ours = [path for path in paths if how.format_name == OURS or not _is_log(path, how)]
    logs = [_log(path, how if how.is_told else usual) for path in paths if path not in ours]
    own = [info for at, path in enumerate(ours, 1) for info in SingleFile(path, at).shards()]
    infos = own + _infos(Path(), logs)
    notes = () if how.format_name else tuple(f"reading {log.place} as {log.format.summary}" for log in logs)
    return Listed(paths[0] if len(paths) == 1 else Path(), tuple(infos), notes)


def _is_log(path: Path, how: How) -> bool:
    """Whether a file is another system's; raises where it cannot be read."""
    from polyrecord.foreign.detect import is_own_line

    if how.is_told:
        return True
    if not path.exists():
        return False  # whoever reads it will say so
    return not is_own_line(_head(path))


def _log(path: Path, how: How) -> Log:
    """A file as a log of the format that is forced or found; raises UsageError when it is none known."""
    from polyrecord.foreign.detect import detect
    from polyrecord.foreign.formats import choose_format
    from polyrecord.foreign.layouts import Log

    mapping = {"ts": how.ts, "event_type": how.type_field, "trace": how.trace_field}
    chosen: Format | None
    if how.format_name is not None:
        chosen = choose_format(how.format_name, path=PurePath(path), **mapping)
    else:
        chosen = detect(PurePath(path), _head(path), **mapping)
    if chosen is None:
        what = "not a log of a known format" if path.stat().st_size else "file is empty"
        raise UsageError(what, path=path, hint=_hint())
    return Log(path.resolve(), PurePath(path), chosen, None)


def _head(path: Path) -> bytes:
    from polyrecord.foreign.content import read_head

    if path.is_dir():
        raise UsageError("a directory, not a file", path=path, hint=f"--root {path}")
    if not path.is_file():
        raise UsageError("not a regular file", path=path, hint="`polyrecord import -` reads a pipe")
    try:
        return read_head(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from error
