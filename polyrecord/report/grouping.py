"""Events in groups: by a period of time, a member of the line, or any field of the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from polyrecord.events.routes import EVENTS, TELEMETRY
from polyrecord.ids import normal_id
from polyrecord.read.blocks import lines
from polyrecord.read.event import NotAnEvent, read_json
from polyrecord.read.where import ENVELOPE, field_path, text_of, value_at
from polyrecord.report.counts import PERIODS
from polyrecord.report.engine import Engine
from polyrecord.report.question import Question

MOST_GROUPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Group:
    """One group: its number in the engine, the field's value (None: there is none), and its events."""

    number: int
    value: str | None
    events: int


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups by the field's value; `left_out` events are in groups beyond the thousand largest.

    `by_trace` says that the value is not in the events themselves: other events of their traces have it.
    """

    by: str
    groups: tuple[Group, ...]
    left_out: int
    by_trace: bool = False


@dataclass(frozen=True, slots=True)
class GroupField:
    """What to group by, as the engine is asked: each part is bound, none becomes a part of SQL."""

    name: str

    @property
    def length(self) -> int:
        """How many characters of the time, 0 where it is no period."""
        return PERIODS.get(self.name, 0)

    @property
    def member(self) -> str:
        """The member of the line, empty where it is none."""
        return self.name if self.name in ENVELOPE and not self.length else ""

    @property
    def pointer(self) -> str:
        """RFC 6901: where it stands in the data. A name with a slash in it is one member all the same."""
        path = field_path(self.name)[-1].removeprefix("data").removeprefix(".")
        parts = path.split(".") if path else []
        return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)

    @property
    def may_be_elsewhere(self) -> bool:
        """Whether other events of a trace may have it: no time, and no member that every event has itself."""
        return not self.length and not self.member


def group_lines(engine: Engine, field: str, question: Question | None = None) -> Groups:
    """Put the engine's lines into groups.

    With a `question`, a field that no line has is taken from other events of their traces.
    """
    wanted = GroupField(field)
    engine.ask("group_values", length=wanted.length, member=wanted.member, pointer=wanted.pointer)
    by_trace = False
    if question is not None and wanted.may_be_elsewhere and not engine.ask("group_known")[0][0]:
        told = values_by_trace(question, field)
        by_trace = bool(told)
        if told:
            engine.ask("group_traces", traces=list(told), values=list(told.values()))
    engine.ask("group_lines")
    engine.ask("group_assign", most=MOST_GROUPS)
    found = [Group(*row) for row in engine.ask("groups")]
    listed = sorted(found[:MOST_GROUPS], key=lambda group: (group.value is None, group.value or ""))
    left_out = sum(group.events for group in found[MOST_GROUPS:])
    return Groups(field, tuple(listed), left_out, by_trace)


def values_by_trace(question: Question, field: str) -> Mapping[str, str]:
    """What the events of each trace have at a field, by the trace id's normal form: the first value there is.

    Books and metrics are not read for it.
    """
    streams = question.source.streams_of(frozenset())
    if question.source.has_manifests:
        streams |= {EVENTS, TELEMETRY}
    selection = replace(question.selection, types=frozenset(), where=(), streams=streams)
    paths = field_path(field)
    told: dict[str, str] = {}
    for document in _documents(lines(question.source, selection, question.explain)):
        trace, value = document.get("trace_id"), text_of(value_at(document, paths))
        if isinstance(trace, str) and value is not None:
            told.setdefault(normal_id(trace), value)
    return told


def _documents(found: Iterable[bytes]) -> Iterable[dict[str, object]]:
    for line in found:
        try:
            document = read_json(line)
        except NotAnEvent:
            continue
        if isinstance(document, dict):
            yield document
