"""Every event against the catalogue, and every line's envelope against the format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from polyrecord.events.catalogue import problems
from polyrecord.events.reasons import Problem
from polyrecord.events.stages import DEFAULT_STAGES
from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import chunks_of_shard
from polyrecord.read.event import NotAnEvent, read_json
from polyrecord.read.match import Matcher
from polyrecord.report.question import Coverage, Question, Window
from polyrecord.report.stages import stages_of_writer

_TS: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z\Z", re.ASCII)
_INDEX: Final = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Finding:
    """An event that breaks a rule: the file, its number within the writer, the field, and why."""

    file: str
    seq: int | None
    event_type: str | None
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """How often events of a type break a rule at a field (`[*]`: any place in a list), and the first."""

    event_type: str | None
    field: str
    rule: str
    count: int
    first: Finding


@dataclass(frozen=True, slots=True)
class Validation:
    """`validated` events have a type in the catalogue, `unknown` have not; `invalid` break at least one rule.

    `findings` are the first of `found`.
    """

    window: Window
    coverage: Coverage
    events: int
    validated: int
    unknown: int
    invalid: int
    found: int
    rules: tuple[RuleRow, ...]
    findings: tuple[Finding, ...]
    unknown_types: dict[str, int]


def validate(
    question: Question, limit: int, on_progress: Callable[[int], None] = lambda _: None
) -> Validation:
    """Check the selected events, keep the first `limit` findings; `on_progress` is told the events so far."""
    check = _Check(limit)
    matcher = Matcher(question.selection)
    numbers: dict[tuple[str, str], _Ascending] = {}
    for info in question.source.shards(question.selection, question.explain):
        stages = _stages(question, info)
        seq = numbers.setdefault((info.name.writer, info.name.stream), _Ascending())
        for chunk in chunks_of_shard(info, matcher, question.explain):
            for line in chunk.split(b"\n")[:-1]:
                check.line(info, line, stages, seq)
            on_progress(check.events)
    return check.answer(question)


def _stages(question: Question, info: ShardInfo) -> tuple[str, ...]:
    """The stages a writer declared, which its latency events must have; else the usual ones."""
    if not question.source.has_manifests:
        return DEFAULT_STAGES
    return stages_of_writer(question.source.root, info.name.writer) or DEFAULT_STAGES


class _Ascending:
    """Tells whether numbers only rise."""

    def __init__(self) -> None:
        self._last = 0

    def takes(self, seq: int) -> bool:
        rises = seq > self._last
        self._last = max(seq, self._last)
        return rises


class _Check:
    def __init__(self, limit: int) -> None:
        self.events = 0
        self._limit = limit
        self._validated = self._invalid = self._found = 0
        self._unknown: Counter[str] = Counter()
        self._rules: dict[tuple[str | None, str, str], int] = {}
        self._firsts: dict[tuple[str | None, str, str], Finding] = {}
        self._findings: list[Finding] = []

    def line(self, info: ShardInfo, line: bytes, stages: tuple[str, ...], seq: _Ascending) -> None:
        """Check one line."""
        self.events += 1
        document = _document(line)
        event_type = document.get("event_type")
        name = event_type if isinstance(event_type, str) else None
        found = list(_envelope_problems(document, seq))
        of_data = problems(name, document.get("data"), stages=stages) if name is not None else None
        if of_data is None:
            self._unknown[str(name)] += 1
        else:
            self._validated += 1
            found += of_data
        self._invalid += bool(found)
        for problem in found:
            self._note(info, document, name, problem)

    def _note(self, info: ShardInfo, document: dict[str, Any], name: str | None, problem: Problem) -> None:
        number = document.get("seq")
        seq = number if isinstance(number, int) else None
        finding = Finding(info.shown, seq, name, problem.field, problem.reason)
        key = (name, _INDEX.sub("[*]", problem.field), problem.rule)
        self._found += 1
        self._rules[key] = self._rules.get(key, 0) + 1
        self._firsts.setdefault(key, finding)
        if len(self._findings) < self._limit:
            self._findings.append(finding)

    def answer(self, question: Question) -> Validation:
        """What was found."""
        order = sorted(self._rules, key=lambda key: (-self._rules[key], str(key)))
        rules = tuple(RuleRow(*key, self._rules[key], self._firsts[key]) for key in order)
        return Validation(
            question.window, question.coverage(), self.events, self._validated, self._unknown.total(),
            self._invalid, self._found, rules, tuple(self._findings), dict(self._unknown.most_common()),
        )  # fmt: skip


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = read_json(line)
    except NotAnEvent:
        return {}
    return document if isinstance(document, dict) else {}


def _envelope_problems(document: dict[str, Any], seq: _Ascending) -> Iterator[Problem]:
    """What docs/format.md, section 2, asks of a line beside its data."""
    ts, number, trace = document.get("ts"), document.get("seq"), document.get("trace_id", "x")
    if not isinstance(ts, str) or _TS.match(ts) is None:
        yield Problem("ts", f"{ts!r:.60} is not UTC with nine digits", "ts")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        yield Problem("seq", f"{number!r:.60} is not a number from 1", "seq")
    elif not seq.takes(number):
        yield Problem("seq", f"{number} does not follow the number before it", "seq_order")
    if not isinstance(document.get("event_type"), str) or not document["event_type"]:
        yield Problem("event_type", "is missing", "event_type")
    if not isinstance(trace, str) or not trace:
        yield Problem("trace_id", f"{trace!r:.60} is no text", "trace_id")
    if "data" not in document:
        yield Problem("data", "is missing", "data")
