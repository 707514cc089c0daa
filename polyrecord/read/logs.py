"""Logs of other systems, read where they lie: their lines become event lines of ours as they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from polyrecord.foreign.line import event_line
from polyrecord.foreign.outcome import Reject, events_of
from polyrecord.format.layout import ShardName
from polyrecord.format.scan import Plain
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.plain import PlainReader
from polyrecord.read.selection import Selection

if TYPE_CHECKING:
    from polyrecord.foreign.layouts import Log

_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9_.]+")
_LONGEST_NAME: Final = 90
_DATE: Final = re.compile(r"(?:date=)?(\d{4})-?(\d\d)-?(\d\d)\Z")


@dataclass(frozen=True, slots=True)
class LogInfo(ShardInfo):
    """A log file in the place of a shard; every log is a writer of its own."""

    log: Log

    @property
    def path(self) -> Path:
        return self.log.path

    @property
    def sealed_path(self) -> Path:
        return self.log.path

    @property
    def shown(self) -> str:
        return str(self.log.place)

    @property
    def is_log(self) -> bool:
        return True

    def may_hold(self, selection: Selection) -> bool:
        """Whether the log can hold what is selected, judged by its name and place."""
        types = self.log.types
        if types is not None and selection.types and types.isdisjoint(selection.types):
            return False
        days = _days_of(self.log.place)
        return not days or any(map(selection.takes_date, days))


def log_info(root: Path, log: Log, taken: set[str]) -> LogInfo:
    """The info of a log, its writer named after its place, unlike any that is `taken` already."""
    slug = _NOT_IN_A_NAME.sub("_", log.place.as_posix().lower())[-_LONGEST_NAME:].lstrip("_.")
    writer, count = f"log.{slug}", 1
    while writer in taken:
        count += 1
        writer = f"log.{slug[: _LONGEST_NAME - 5]}.{count}"
    taken.add(writer)
    stream = log.place.name if log.place.is_absolute() else str(log.place)
    return LogInfo(root, ShardName(stream, writer, 1, "1970-01-01", sealed=True), log)


def _days_of(place: PurePath) -> list[str]:
    """The UTC dates that a file in a folder of a date can have events of: a zone may shift them by a day."""
    for part in place.parts[:-1]:
        match = _DATE.match(part)
        if match is not None:
            try:
                day = date(*map(int, match.groups()))
                return [(day + timedelta(days=shift)).isoformat() for shift in (-1, 0, 1)]
            except (ValueError, OverflowError):
                continue
    return []


class LogReader(PlainReader):
    """The events of a log as event lines, numbered from 1; a line that is none is a reject.

    Whoever writes the log may be at it: what its end lacks is noted as torn. In a folder of a date it holds
    nothing from before the day before.
    """

    makes_lines = True

    def __init__(self, info: LogInfo, region: Plain, explain: Explain) -> None:
        super().__init__(info, region, explain, is_tail=True, keeps_tail=True)
        self._may_be_torn = True
        # A thousand logs of a thousand days are then opened one after the other, not all at once.
        self.floor = min(_days_of(info.log.place), default="").encode()
        self._parser = info.log.format.parser()
        self._seq = 0

    def read(self) -> list[bytes]:
        """The event lines of the next lines that hold any; empty at the end."""
        while raw := super().read():
            events = self._events_of(raw)
            if events:
                return events
        return []

    def _events_of(self, raw: list[bytes]) -> list[bytes]:
        first, last = self.first_line or 1, len(raw) - 1
        parse, made = self._parser.parse, []
        for at, line in enumerate(raw):
            if b"\0" in line[:1] or b"\0" in line[-1:]:
                line = self._without_padding(line)  # noqa: PLW2901
            if not line or line.isspace():
                continue
            outcome = parse(line)
            if isinstance(outcome, Reject):
                self._reject(first + at, line, outcome, is_tail=self.has_tail and at == last)
                continue
            if self.has_tail and at == last and not self._parser.is_whole(line):
                self._explain.torn_bytes += len(line)
                continue
            for event in events_of(outcome):
                self._seq += 1
                made.append(event_line(self._seq, event))
        return made

    def _without_padding(self, line: bytes) -> bytes:
        """A line without the zeros around it that a crash of the machine left in the file."""
        bare = line.strip(b"\0")
        self._explain.padding_bytes += len(line) - len(bare)
        return bare

    def _reject(self, number: int, line: bytes, reject: Reject, *, is_tail: bool) -> None:
        if is_tail:
            self._explain.torn_bytes += len(line)
        else:
            self._explain.reject(Finding(self.info.path, self.start, len(line), 1, str(reject), number))
