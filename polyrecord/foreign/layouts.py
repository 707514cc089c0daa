"""Where other systems put their logs: what of a directory is a log, and of which format."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, TypedDict

from polyrecord.foreign.content import read_head
from polyrecord.foreign.detect import detect, gives_events, is_own_line
from polyrecord.foreign.formats import Format, choose_format
from polyrecord.foreign.metastacker import is_place
from polyrecord.foreign.polyarb import LATENCY

_LOG: Final = re.compile(r".+\.(?:jsonl|ndjson|json|csv|log|gz)(?:\.gz|\.\d[\d_-]*(?:\.gz)?)?\Z")
_ROTATED: Final = r"(?:\.gz|[._]\d[\d_-]*(?:\.gz)?|\.jsonl\.gz)?"
_POLYARB_LOG: Final = re.compile(rf"(?:metrics|telemetry)(?:[._]\d[\d_-]*)?\.jsonl{_ROTATED}\Z")
_POLYARB_EVENTS: Final = re.compile(rf"events(?:[._]\d[\d_-]*)?\.jsonl{_ROTATED}\Z")
_DAY: Final = re.compile(r"\d{8}\Z")
_NUMBERED: Final = re.compile(r"[._](\d[\d_-]*)(?=\.|\Z)")  # what a rotation puts into a name
_DEEPEST: Final = 5  # folders below the one that was named
_LOOKED_INTO: Final = 5  # files of a layout, until one says that it is of the system


@dataclass(frozen=True, slots=True)
class Log:
    """A log: where it is, what to call it, its format, and the types it holds where its name says so."""

    path: Path
    place: PurePath
    format: Format
    types: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The logs of a directory and the system whose layout that is; a rotated log stands before the current.

    `left_out` are files and folders that might be logs, each with the reason why they are not among them.
    """

    system: str
    logs: tuple[Log, ...]
    left_out: tuple[tuple[PurePath, str], ...] = ()


class _Fields(TypedDict):
    ts: str | None
    event_type: str | None
    trace: str | None


def find_logs(
    root: Path,
    forced: str | None = None,
    *,
    ts: str | None = None,
    event_type: str | None = None,
    trace: str | None = None,
) -> Layout | None:
    """The logs below a directory; None when there are none.

    `forced` is the name of a format: then all that looks like a log is taken for one of it. Fields that are
    named make it JSON lines or CSV. No symbolic link is followed. Raises UsageError where there is no such
    format, and when it takes no fields.
    """
    fields = _Fields(ts=ts, event_type=event_type, trace=trace)
    unread: list[tuple[PurePath, str]] = []
    places = sorted(_files(root, unread), key=_order)
    if forced is not None:
        base = root.absolute()
        logs = [Log(root / at, at, choose_format(forced, path=base / at, **fields)) for at in places]
        return Layout(logs[0].format.summary, tuple(logs), tuple(unread)) if logs else None
    for system, (format_name, pick) in () if any(fields.values()) else _SYSTEMS.items():
        logs = [log for place in places if (log := pick(root, place)) is not None]
        if logs and _is_of(format_name, logs):
            return Layout(system, tuple(logs), tuple(unread))
    return _single_logs(root, places, unread, fields)


def _files(root: Path, unread: list[tuple[PurePath, str]]) -> Iterator[PurePath]:
    """Files that may be logs, by their names."""

    def note(error: OSError) -> None:
        unread.append((PurePath(error.filename).relative_to(root), _why(error)))

    for folder, folders, names in os.walk(root, onerror=note):
        place = PurePath(folder).relative_to(root)
        if len(place.parts) >= _DEEPEST:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (
            place / name for name in names if _LOG.match(name) and not (Path(folder) / name).is_symlink()
        )


def _why(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"


def _order(place: PurePath) -> tuple[PurePath, str, bool, int, str]:
    """By folder and log; of a log what was rotated away first: `.10` before `.2`, and by date."""
    match = _NUMBERED.search(place.name)
    log = _NUMBERED.sub("", place.name).removesuffix(".gz")
    number = match[1] if match is not None else ""
    steps = -int(number) if number.isdecimal() and len(number) < 4 else 0
    return place.parent, log, match is None, steps, place.name


def _is_of(format_name: str, logs: list[Log]) -> bool:
    """Whether files that lie as a system's do are of it: other systems have folders of such names, too."""
    seen = 0
    for log in logs:
        try:
            head = read_head(log.path)
        except OSError:
            continue
        if not head:
            continue
        found = detect(log.path, head)
        if found is not None and found.name == format_name:
            return True
        seen += 1
        if seen == _LOOKED_INTO:
            return False
    return not seen  # nothing but empty files: the place has to do


def _polyarb(root: Path, place: PurePath) -> Log | None:
    parts = (root.absolute() / place).parts
    if parts[-2] == "logs" and _POLYARB_LOG.match(place.name):
        types = frozenset({LATENCY}) if place.name.startswith("metrics") else None
        return Log(root / place, place, choose_format("polyarb"), types)
    if parts[-3:-2] == ("events",) and _DAY.match(parts[-2]) and _POLYARB_EVENTS.match(place.name):
        return Log(root / place, place, choose_format("polyarb"))
    return None


def _metastacker(root: Path, place: PurePath) -> Log | None:
    path = root.absolute() / place
    if not is_place(path):
        return None
    return Log(root / place, place, choose_format("metastacker", path=path))


_SYSTEMS: Final[dict[str, tuple[str, Callable[[Path, PurePath], Log | None]]]] = {
    "PolyArb-X": ("polyarb", _polyarb),
    "MetaStackerBandit": ("metastacker", _metastacker),
}


def _single_logs(
    root: Path, places: list[PurePath], unread: list[tuple[PurePath, str]], fields: _Fields
) -> Layout | None:
    """Logs that lie in the directory itself, each of whatever format it is."""
    logs, left_out = [], list(unread)
    for place in places:
        if len(place.parts) > 1:
            continue
        found = _detected(root / place, fields)
        if isinstance(found, str):
            left_out.append((place, found))
        else:
            logs.append(Log(root / place, place, found))
    if not logs:
        return None
    system = " and ".join(sorted({log.format.summary for log in logs}))
    return Layout(system, tuple(logs), tuple(left_out))


def _detected(path: Path, fields: _Fields) -> Format | str:
    """The format of a file, or why it has none."""
    try:
        head = read_head(path)
    except OSError as error:
        return _why(error)
    if not head:
        return "empty"
    if is_own_line(head):
        return "event lines of ours"
    found = detect(path, head, **fields)
    return found if found is not None and gives_events(found, head) else "not a log of a known format"
