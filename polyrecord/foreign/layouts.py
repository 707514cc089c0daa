"""Where other systems put their logs: what of a directory is a log, and of which format."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from polyrecord.foreign.content import read_head
from polyrecord.foreign.detect import detect, is_own_line
from polyrecord.foreign.formats import Format, choose_format
from polyrecord.foreign.metastacker import topic_of
from polyrecord.foreign.polyarb import LATENCY

_LOG: Final = re.compile(r".+\.(?:jsonl|ndjson|json|csv|log|gz)(?:\.gz|\.\d[\d_-]*(?:\.gz)?)?\Z")
_ROTATED: Final = r"(?:\.gz|[._]\d[\d_-]*(?:\.gz)?|\.jsonl\.gz)?"
_POLYARB_LOG: Final = re.compile(rf"(?:metrics|telemetry)(?:[._]\d[\d_-]*)?\.jsonl{_ROTATED}\Z")
_POLYARB_EVENTS: Final = re.compile(rf"events(?:[._]\d[\d_-]*)?\.jsonl{_ROTATED}\Z")
_DAY: Final = re.compile(r"\d{8}\Z")
_DEEPEST: Final = 5  # folders below the one that was named


@dataclass(frozen=True, slots=True)
class Log:
    """A log: where it is, what to call it, its format, and the types it holds where its name says so."""

    path: Path
    place: PurePath
    format: Format
    types: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The logs of a directory, in the order of their names, and the system whose layout that is."""

    system: str
    logs: tuple[Log, ...]


def find_logs(root: Path, forced: str | None = None) -> Layout | None:
    """The logs below a directory; None when there are none.

    `forced` is the name of a format: then all that looks like a log is taken for one of it. No symbolic link
    is followed. Raises UsageError where there is no such format.
    """
    places = sorted(_files(root))
    if forced is not None:
        logs = [Log(root / place, place, choose_format(forced, path=root / place)) for place in places]
        return Layout(logs[0].format.summary, tuple(logs)) if logs else None
    for system, pick in _SYSTEMS.items():
        logs = [log for place in places if (log := pick(root, place)) is not None]
        if logs:
            return Layout(system, tuple(logs))
    return _single_logs(root, places)


def _files(root: Path) -> Iterator[PurePath]:
    """Files that may be logs, by their names."""
    for folder, folders, names in os.walk(root):
        place = PurePath(folder).relative_to(root)
        if len(place.parts) >= _DEEPEST:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (
            place / name for name in names if _LOG.match(name) and not (Path(folder) / name).is_symlink()
        )


def _polyarb(root: Path, place: PurePath) -> Log | None:
    parts = place.parts
    if len(parts) > 1 and parts[-2] == "logs" and _POLYARB_LOG.match(place.name):
        types = frozenset({LATENCY}) if place.name.startswith("metrics") else None
        return Log(root / place, place, choose_format("polyarb"), types)
    if (
        len(parts) > 2
        and parts[-3] == "events"
        and _DAY.match(parts[-2])
        and _POLYARB_EVENTS.match(place.name)
    ):
        return Log(root / place, place, choose_format("polyarb"))
    return None


def _metastacker(root: Path, place: PurePath) -> Log | None:
    parts = place.parts
    topic = topic_of(place)
    dated = len(parts) > 2 and parts[-2].startswith("date=") and parts[-3] == topic
    snapshot = len(parts) > 2 and parts[-2] == "health_snapshot" and parts[-3] in ("1h", "24h")
    if not dated and not (snapshot and topic is not None):
        return None
    return Log(root / place, place, choose_format("metastacker", path=place))


_SYSTEMS: Final[dict[str, Callable[[Path, PurePath], Log | None]]] = {
    "PolyArb-X": _polyarb,
    "MetaStackerBandit": _metastacker,
}


def _single_logs(root: Path, places: list[PurePath]) -> Layout | None:
    """Logs that lie in the directory itself, each of whatever format it is."""
    logs = []
    for place in places:
        found = _detected(root, place) if len(place.parts) == 1 else None
        if found is not None:
            logs.append(Log(root / place, place, found))
    if not logs:
        return None
    return Layout(" and ".join(sorted({log.format.summary for log in logs})), tuple(logs))


def _detected(root: Path, place: PurePath) -> Format | None:
    try:
        head = read_head(root / place)
    except OSError:
        return None
    return None if is_own_line(head) else detect(root / place, head)
