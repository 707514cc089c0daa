"""What a signal is worth after its costs, and whether it may become orders. All money is Decimal dollars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from polyrecord import Decision, EdgeBreakdown
from polyrecord.demo.book import ZERO, OrderBook, Walk
from polyrecord.demo.execution import Odds
from polyrecord.demo.money import dollars
from polyrecord.demo.strategy import AtomicArbitrage, Leg, QuoteDislocation, Signal


class Reason(StrEnum):
    """Why a decision went as it did."""

    OK = "OK"
    NET_EDGE_TOO_SMALL = "NET_EDGE_TOO_SMALL"
    INSUFFICIENT_DEPTH = "INSUFFICIENT_DEPTH"
    NOTIONAL_LIMIT = "NOTIONAL_LIMIT"
    RATE_LIMIT = "RATE_LIMIT"


# Fee in dollars for an amount at a price.
Fee = Callable[[Decimal, Decimal], Decimal]


def binary_fee(rate: Decimal) -> Fee:
    """The fee of a binary market: a share of what the cheaper outcome costs, the same for both outcomes."""
    return lambda price, size: rate * min(price, 1 - price) * size


def proportional_fee(rate: Decimal) -> Fee:
    """The fee of a spot market: a share of the money that changes hands."""
    return lambda price, size: rate * price * size


@dataclass(frozen=True, slots=True)
class Policy:
    """What trading one strategy costs and how far it may go.

    `sides` is how often a leg is paid for: 2 where the position has to be closed by another order.
    `latency_buffer` is dollars per unit, for what prices do until the orders arrive. `book_levels` is how
    deep an order may reach; `pause_ns` the shortest time between two accepted signals of one market.
    """

    fee: Fee
    sides: int
    gas_per_order: Decimal
    latency_buffer: Decimal
    min_net_edge: Decimal
    max_notional: Decimal
    book_levels: int
    pause_ns: int
    odds: Odds


# The fee of the second is a market maker's tier; with the 0.1 % that everybody else pays, nothing would pass.
POLICIES: Mapping[str, Policy] = {
    AtomicArbitrage.name: Policy(
        fee=binary_fee(Decimal("0.005")),
        sides=1,
        gas_per_order=Decimal("0.004"),
        latency_buffer=Decimal("0.002"),
        min_net_edge=Decimal("0.50"),
        max_notional=Decimal(100),
        book_levels=2,
        pause_ns=60_000_000,
        odds=Odds(filled=0.82, partially_filled=0.10, rejected=0.03),
    ),
    QuoteDislocation.name: Policy(
        fee=proportional_fee(Decimal("0.00001")),
        sides=2,
        gas_per_order=ZERO,
        latency_buffer=Decimal("0.02"),
        min_net_edge=Decimal("0.02"),
        max_notional=Decimal(5_000),
        book_levels=20,
        pause_ns=10_000_000,
        odds=Odds(filled=0.10, partially_filled=0.10, rejected=0.04),
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one signal; `walks` is each leg's way through its book, None where that is too thin."""

    signal: Signal
    edge: EdgeBreakdown
    reason: Reason
    walks: tuple[Walk | None, ...]

    @property
    def accepted(self) -> bool:
        """Whether the orders may go out."""
        return self.edge.decision is Decision.ACCEPT


class RiskManager:
    """Prices every signal and remembers when it last let one pass."""

    def __init__(self, policies: Mapping[str, Policy] = POLICIES) -> None:
        self.policies = policies
        self._passed_ns: dict[str, int] = {}

    def assess(self, signal: Signal, books: Mapping[str, OrderBook], at_ns: int) -> Verdict:
        """The verdict on a signal raised at `at_ns`, from the books it was raised on."""
        policy = self.policies[signal.strategy]
        walks = tuple(books[leg.token_id].walk(leg.side, leg.size, policy.book_levels) for leg in signal.legs)
        costs = _costs(signal, walks, policy)
        reason = self._reason(signal, walks, policy, signal.gross_edge - sum(costs.values(), ZERO), at_ns)
        decision = Decision.ACCEPT if reason is Reason.OK else Decision.REJECT
        if reason is Reason.OK:
            self._passed_ns[signal.market] = at_ns
        edge = EdgeBreakdown(
            gross_edge=signal.gross_edge,
            **costs,
            min_threshold=policy.min_net_edge,
            decision=decision,
            reason=reason,
        )
        return Verdict(signal, edge, reason, walks)

    def _reason(
        self, signal: Signal, walks: tuple[Walk | None, ...], policy: Policy, net: Decimal, at_ns: int
    ) -> Reason:
        if None in walks:
            return Reason.INSUFFICIENT_DEPTH
        if net < policy.min_net_edge:
            return Reason.NET_EDGE_TOO_SMALL
        if sum((leg.price * leg.size for leg in signal.legs), ZERO) > policy.max_notional:
            return Reason.NOTIONAL_LIMIT
        passed_ns = self._passed_ns.get(signal.market)
        if passed_ns is not None and abs(at_ns - passed_ns) < policy.pause_ns:
            return Reason.RATE_LIMIT
        return Reason.OK


def _costs(signal: Signal, walks: tuple[Walk | None, ...], policy: Policy) -> dict[str, Decimal]:
    legs = signal.legs
    fees = sum((policy.fee(leg.price, leg.size) for leg in legs), ZERO)
    # The legs of one signal are of one size, and one fill of all of them is one unit.
    units = max(leg.size for leg in legs)
    costs = {
        "fees_est": fees * policy.sides,
        "slippage_est": sum((_slippage(leg, walk) for leg, walk in zip(legs, walks, strict=True)), ZERO),
        "gas_est": policy.gas_per_order * len(legs) * policy.sides,
        "latency_buffer": policy.latency_buffer * units,
    }
    return {name: dollars(amount) for name, amount in costs.items()}


def _slippage(leg: Leg, walk: Walk | None) -> Decimal:
    """How much worse than its best price a leg fares; 0 where the book is too thin to say."""
    return ZERO if walk is None else abs(walk.money - leg.price * leg.size)
