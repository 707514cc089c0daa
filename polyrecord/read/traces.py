"""Find a trace by its id, by the beginning of it, or by an order id, intent id or declared value in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from polyrecord.errors import AmbiguousId, NotFound
from polyrecord.format.constants import COVERED_PATHS
from polyrecord.ids import normal_id
from polyrecord.read.event import Event, read_json
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection, TraceQuery, ValueQuery
from polyrecord.read.source import Source
from polyrecord.read.where import Condition

_LISTED = 20
_MOST_CANDIDATES = 10_000  # beyond this many, a beginning is too short to be told apart


@dataclass(frozen=True, slots=True)
class TraceMatch:
    """One trace and its events in replay order.

    `trace_id` is the normal form, `written` as the first event has it; both None when events with the order
    id asked for carry no trace. `via` says how it was found: `trace`, `order_id`, `intent_id`,
    `client_order_id`, or the declared key path.
    """

    trace_id: str | None
    written: str | None
    via: str
    events: tuple[Event, ...]

    @property
    def lines(self) -> tuple[bytes, ...]:
        """The recorded lines, byte for byte."""
        return tuple(event.line for event in self.events)


def find_trace(
    source: Source, text: str, explain: Explain | None = None, within: Selection | None = None
) -> TraceMatch:
    """The trace that `text` names: its id in any spelling, its beginning, or a value found in its events.

    A whole id wins over longer ones that begin with it, an id over a value. `within` narrows window, types
    and streams. Raises AmbiguousId when several traces fit, NotFound when none does, UsageError when `text`
    is empty.
    """
    search = _Search(source, text, explain if explain is not None else Explain(), within or Selection())
    match = search.by_id() or search.by_value()
    if match is None:
        raise NotFound(
            f"no trace, order or intent is named {_shown(text)}",
            path=source.root,
            hint="give the beginning of a trace id, a whole order or intent id, or a wider window",
        )
    return match


def find_by_condition(
    source: Source, condition: Condition, explain: Explain | None = None, within: Selection | None = None
) -> TraceMatch:
    """The only trace with an event that a condition holds of, such as `market=0x1f`; raises as find_trace."""
    counts = explain if explain is not None else Explain()
    match = _Search(source, condition.value, counts, within or Selection()).by_condition(condition)
    if match is None:
        raise NotFound(
            f"no event has {condition.name} = {_shown(condition.value)}",
            path=source.root,
            hint="a value is compared whole; declare the key to the recorder so that it is found quickly",
        )
    return match


class _Search:
    def __init__(self, source: Source, text: str, explain: Explain, within: Selection) -> None:
        self._source, self._text, self._explain = source, text, explain
        self._within = replace(within, trace=None, value=None, exact=False)

    def by_id(self) -> TraceMatch | None:
        """The trace with this id, else the only one that begins with it."""
        beginning = replace(self._within, trace=self._text)
        exact = replace(beginning, exact=True)
        if not TraceQuery(self._text).hex:  # of an opaque id the key tells at once whether it is there
            return self._only(self._gather(exact), "trace") or self._only(self._gather(beginning), "trace")
        found = self._gather(beginning)
        if len(found.traces) < _MOST_CANDIDATES:
            return self._only(found, "trace")
        return self._only(self._gather(exact), "trace") or self._only(found, "trace")

    def by_value(self) -> TraceMatch | None:
        """The only trace in whose events the value stands, with events that hold it and carry no trace."""
        named = self._gather(replace(self._within, value=self._text))
        return None if named.first is None else self._whole(named, _path_of(self._text, named.first))

    def by_condition(self, condition: Condition) -> TraceMatch | None:
        """The only trace with an event that the condition holds of, and such events without a trace."""
        named = self._gather(replace(self._within, where=(*self._within.where, condition)))
        return None if named.first is None else self._whole(named, condition.name.removeprefix("data."))

    def _whole(self, named: _Gathered, via: str) -> TraceMatch:
        """All of the trace that some events were found of."""
        found = self._only(named, via)
        if found is None:
            return TraceMatch(None, None, via, tuple(named.loose))
        whole = self._gather(replace(self._within, trace=found.written, exact=True))
        events = next(iter(whole.traces.values())).events
        return replace(found, events=tuple(_in_order(events, named.loose)))

    def _gather(self, selection: Selection) -> _Gathered:
        explain = Explain(strict=self._explain.strict)
        gathered = _Gathered(normal_id(self._text))
        for event in Replay(self._source, selection, explain=explain, whole_id_wins=False):
            gathered.add(event)
            if len(gathered.traces) >= _MOST_CANDIDATES:
                break
        self._explain.absorb(explain)
        return gathered

    def _only(self, gathered: _Gathered, via: str) -> TraceMatch | None:
        """The trace asked for itself, else the only one; None when there is none."""
        traces = gathered.traces
        if not traces:
            return None
        normal = gathered.asked if gathered.asked in traces else next(iter(traces))
        if normal != gathered.asked and len(traces) > 1:
            raise _ambiguous(self._text, traces)
        found = traces[normal]
        return TraceMatch(normal, found.written, via, tuple(found.events))


@dataclass(slots=True)
class _Candidate:
    """A trace that fits; its events are kept only while it may be the one."""

    written: str
    first_ts: str
    count: int = 0
    events: list[Event] = field(default_factory=list)


class _Gathered:
    """The traces that events belong to, by normal form, and the events that belong to none."""

    def __init__(self, asked: str) -> None:
        self.asked = asked
        self.traces: dict[str, _Candidate] = {}
        self.loose: list[Event] = []
        self.first: Event | None = None

    def add(self, event: Event) -> None:
        self.first = self.first or event
        if event.trace_id is None:
            self.loose.append(event)
            return
        normal = normal_id(event.trace_id)
        candidate = self.traces.get(normal)
        if candidate is None:
            candidate = self.traces[normal] = _Candidate(event.trace_id, event.ts)
            self._forget()
        candidate.count += 1
        if normal == self.asked or len(self.traces) == 1:
            candidate.events.append(event)

    def _forget(self) -> None:
        """Once several fit, the events of those not asked for by their whole id are of no use."""
        if len(self.traces) == 2:
            for normal, candidate in self.traces.items():
                if normal != self.asked:
                    candidate.events.clear()


def _ambiguous(text: str, traces: dict[str, _Candidate]) -> AmbiguousId:
    many = len(traces) >= _MOST_CANDIDATES
    shown = sorted(traces.values(), key=lambda candidate: candidate.first_ts)[:_LISTED]
    rows = [f"{each.written}  {each.first_ts}  {each.count:,} events" for each in shown]
    if len(traces) > _LISTED:
        rows.append(f"and {len(traces) - _LISTED:,} more")
    what = f"{_shown(text)} fits {f'more than {len(traces):,}' if many else f'{len(traces):,}'} traces"
    return AmbiguousId(
        "\n    ".join([what, *rows]), [each.written for each in shown], hint="give more characters of the id"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")


def _path_of(text: str, event: Event) -> str:
    """Where the value stands in an event: at a covered path, else at the first that holds it."""
    query, document = ValueQuery(text), read_json(event.line)
    path = query.path_in(document, COVERED_PATHS) or query.path_in(document, tuple(_paths(document)))
    return (path or "value").removeprefix("data.")


def _paths(document: object, above: str = "") -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield from _paths(value, f"{above}.{name}" if above else name)
    else:
        yield above


def _in_order(traced: list[Event], loose: list[Event]) -> Iterator[Event]:
    """Both lists, each in replay order, as one."""
    left, right = deque(traced), deque(loose)
    while left and right:
        a, b = left[0], right[0]
        first = a.seq < b.seq if a.writer == b.writer else (a.ts, a.writer) < (b.ts, b.writer)
        yield left.popleft() if first else right.popleft()
    yield from left
    yield from right
