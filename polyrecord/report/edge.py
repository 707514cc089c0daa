"""Where the edge went: what strategies decided, the exact sums of gross, costs and net, why they refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias

from polyrecord.report.engine import Row, engine_over
from polyrecord.report.exact import exact_sum, quotient, read_amount, with_digits
from polyrecord.report.grouping import group_lines
from polyrecord.report.question import Coverage, Question, Window

PARTS: Final = ("gross", "fees", "slippage", "gas", "latency_buffer", "net")
COSTS: Final = PARTS[1:-1]
ACCEPT: Final = "ACCEPT"
BY: Final = "strategy"


@dataclass(frozen=True, slots=True)
class Amounts:
    """One amount for each part of the edge; None where there is nothing to tell it from."""

    gross: Decimal | None
    fees: Decimal | None
    slippage: Decimal | None
    gas: Decimal | None
    latency_buffer: Decimal | None
    net: Decimal | None


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of the gross edge that each cost took, and what was left: 0.02 is 2 %."""

    fees: Decimal | None
    slippage: Decimal | None
    gas: Decimal | None
    latency_buffer: Decimal | None
    net: Decimal | None


@dataclass(frozen=True, slots=True)
class EdgeGroup:
    """The decisions of one strategy that went one way: exact sums in the quote currency.

    `mean` is over the amounts that could be read, to 28 digits; `share_of_gross` is None unless the gross is
    above 0; `unreadable` counts amounts that are missing or no decimal number. A decision without strategy,
    or one that does not say which way it went, is of the group None.
    """

    strategy: str | None
    decision: str | None
    count: int
    gross: Decimal
    fees: Decimal
    slippage: Decimal
    gas: Decimal
    latency_buffer: Decimal
    net: Decimal
    mean: Amounts
    share_of_gross: Shares
    unreadable: int


@dataclass(frozen=True, slots=True)
class StrategyRate:
    """How many of a strategy's decisions were to trade; the rate is 0 to 1."""

    strategy: str | None
    decisions: int
    accepted: int
    acceptance_rate: float


@dataclass(frozen=True, slots=True)
class RejectReason:
    """How often a strategy was refused for one reason: its code, else its text."""

    strategy: str | None
    reason: str | None
    count: int


@dataclass(frozen=True, slots=True)
class EdgeReport:
    """The edge of every decision in the window; `unreadable` lines are in no count."""

    window: Window
    coverage: Coverage
    groups: tuple[EdgeGroup, ...]
    strategies: tuple[StrategyRate, ...]
    reject_reasons: tuple[RejectReason, ...]
    events: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class EdgeByGroup:
    """The same by another field than the strategy: what is called strategy in a row is that field's value.

    `left_out` events are in groups beyond the thousand largest, `others` are no decisions.
    """

    by: str
    report: EdgeReport
    left_out: int
    others: int


def break_down(question: Question) -> EdgeReport:
    """The edge breakdown of the selected events."""
    return break_down_by(question, BY).report


def break_down_by(question: Question, field: str) -> EdgeByGroup:
    """The edge breakdown of the selected events by any field."""
    answer = question.answered(
        lambda parts, explain: edge_of(parts.chunks(question.selection, explain), field, parts.paths)
    )
    report = EdgeReport(
        question.window, question.coverage(), answer.groups, answer.strategies, answer.reasons,
        answer.events, answer.unreadable,
    )  # fmt: skip
    return EdgeByGroup(field, report, answer.left_out, answer.others)


@dataclass(frozen=True, slots=True)
class EdgeAnswer:
    """What lines of decisions say, without the archive around them."""

    groups: tuple[EdgeGroup, ...]
    strategies: tuple[StrategyRate, ...]
    reasons: tuple[RejectReason, ...]
    events: int
    unreadable: int
    left_out: int = 0
    others: int = 0


def edge_of(chunks: Iterable[bytes], field: str = BY, paths: Iterable[Path] = ()) -> EdgeAnswer:
    """The edge breakdown of the decisions among event lines, each ended by a line feed, and in tables."""
    with engine_over(chunks, paths) as engine:
        lines, unreadable = engine.counts
        found = group_lines(engine, field)
        values = {group.number: group.value for group in found.groups}
        parts: dict[_Key, dict[str, Row]] = defaultdict(dict)
        for number, decision, part, *row in engine.ask("edge"):
            parts[values[number], decision][part] = tuple(row)
        groups = tuple(_group(key, parts[key]) for key in sorted(parts, key=_in_order))
        rejected = [(values[number], reason, count) for number, reason, count in engine.ask("reasons")]
    reasons = tuple(RejectReason(*row) for row in sorted(rejected, key=_commonest))
    events = sum(group.count for group in groups)
    others = lines - events - found.left_out
    return EdgeAnswer(groups, _rates(groups), reasons, events, unreadable, found.left_out, others)


def _in_order(key: _Key) -> tuple[object, ...]:
    return tuple((part is None, part or "") for part in key)


def _commonest(row: tuple[str | None, str | None, int]) -> tuple[object, ...]:
    return (-row[2], *_in_order(row[:2]))


_Key: TypeAlias = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a group: its exact sum, how many amounts it is of, and how many could not be read."""

    total: Decimal
    amounts: int
    unreadable: int

    @property
    def mean(self) -> Decimal | None:
        return quotient(self.total, Decimal(self.amounts)) if self.amounts else None


def _part(row: Row) -> _Part:
    decided, plain_amounts, plain_sum, plain_digits, others = row
    plain = [with_digits(plain_sum, plain_digits)] if plain_amounts else []
    further = [amount for text in others or () if (amount := read_amount(text)) is not None]
    readable = plain_amounts + len(further)
    return _Part(exact_sum(plain + further), readable, decided - readable)


def _group(key: _Key, rows: Mapping[str, Row]) -> EdgeGroup:
    parts = {name: _part(rows[name]) for name in PARTS}
    sums = {name: part.total for name, part in parts.items()}
    means = Amounts(**{name: part.mean for name, part in parts.items()})
    unreadable = sum(part.unreadable for part in parts.values())
    return EdgeGroup(
        strategy=key[0],
        decision=key[1],
        count=rows["gross"][0],
        mean=means,
        share_of_gross=_shares(sums),
        unreadable=unreadable,
        **sums,
    )


def _shares(sums: Mapping[str, Decimal]) -> Shares:
    gross = sums["gross"]
    shares: dict[str, Any] = dict.fromkeys((*COSTS, "net"))
    if gross > 0:
        shares = {name: quotient(sums[name], gross) for name in shares}
    return Shares(**shares)


def _rates(groups: Iterable[EdgeGroup]) -> tuple[StrategyRate, ...]:
    counts: dict[str | None, list[int]] = defaultdict(lambda: [0, 0])
    for group in groups:
        count = counts[group.strategy]
        count[0] += group.count
        count[1] += group.count if group.decision == ACCEPT else 0
    return tuple(
        StrategyRate(strategy, decisions, accepted, round(accepted / decisions, 6))
        for strategy, (decisions, accepted) in counts.items()
    )
