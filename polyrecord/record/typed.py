"""The recorder's helpers for the events every bot has: they name the fields and keep money exact."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

from polyrecord.events.latency_data import build_latency
from polyrecord.events.names import EventType
from polyrecord.record.encode import money_text
from polyrecord.record.recorded import Recorded
from polyrecord.record.waiting import Waiting

Money: TypeAlias = Decimal | str | int | float
"""A price, size or amount; kept as decimal text. A float is taken by its shortest text."""


Kept: TypeAlias = Recorded | Waiting
"""Whether an event was kept; with the policy `wait` one for which there is no room yet waits when awaited."""


class SaysEdge(Protocol):
    """What `record_decision` needs of an EdgeBreakdown."""

    def to_data(self, *, strategy: str) -> dict[str, str]:
        """The decision's data: amounts as decimal texts."""


class TypedHelpers:
    """Mixin of EventRecorder: each helper records at the call; awaiting the answer is optional."""

    @property
    def stages(self) -> tuple[str, ...]:
        """The declared stages of the latency pipeline."""
        raise NotImplementedError

    def _keep(self, event_type: str, data: Any, trace_id: str | None) -> Kept:
        raise NotImplementedError

    def record_orderbook_snapshot(
        self,
        token_id: str,
        bids: Sequence[Any],
        asks: Sequence[Any],
        *,
        trace_id: str | None = None,
        **extra: Any,
    ) -> Kept:
        """Record a whole book; levels are `{"price": "0.50", "size": "10"}`, best first, kept as given."""
        data = {"token_id": token_id, "bids": bids, "asks": asks, **extra}
        return self._keep(EventType.ORDERBOOK_SNAPSHOT, data, trace_id)

    def record_orderbook_delta(
        self, token_id: str, changes: Sequence[Any], *, trace_id: str | None = None, **extra: Any
    ) -> Kept:
        """Record changed levels, `{"side": "BUY", "price": "0.50", "size": "0"}`; size 0 removes a level."""
        data = {"token_id": token_id, "changes": changes, **extra}
        return self._keep(EventType.ORDERBOOK_DELTA, data, trace_id)

    def record_trade(
        self,
        token_id: str,
        price: Money,
        size: Money,
        side: str,
        *,
        trace_id: str | None = None,
        **extra: Any,
    ) -> Kept:
        """Record a trade of the market; `side` is the taker's, BUY or SELL."""
        data = {"token_id": token_id, "price": money_text(price), "size": money_text(size), "side": side}
        return self._keep(EventType.TRADE, {**data, **extra}, trace_id)

    def record_signal(
        self,
        trace_id: str | None = None,
        strategy: str = "",
        yes_token: str | None = None,
        no_token: str | None = None,
        yes_price: Money | None = None,
        no_price: Money | None = None,
        expected_profit: Money | None = None,
        **extra: Any,
    ) -> Kept:
        """Record what a strategy saw and expects to gain, in the account's currency."""
        data = {
            "strategy": strategy,
            "yes_token": yes_token,
            "no_token": no_token,
            "yes_price": money_text(yes_price),
            "no_price": money_text(no_price),
            "expected_profit": money_text(expected_profit),
        }
        return self._keep(EventType.SIGNAL, {**_given(data), **extra}, trace_id)

    def record_order_request(
        self,
        trace_id: str | None,
        order_id: str,
        *,
        token_id: str,
        side: str,
        price: Money,
        size: Money,
        **extra: Any,
    ) -> Kept:
        """Record an order as it is sent; `order_id` finds its trace."""
        data = {
            "order_id": order_id,
            "token_id": token_id,
            "side": side,
            "price": money_text(price),
            "size": money_text(size),
        }
        return self._keep(EventType.ORDER_REQUEST, {**data, **extra}, trace_id)

    def record_order_result(
        self,
        trace_id: str | None,
        order_id: str,
        *,
        status: str,
        filled_size: Money | None = None,
        average_price: Money | None = None,
        fee: Money | None = None,
        error: str | None = None,
        **extra: Any,
    ) -> Kept:
        """Record what became of an order: FILLED, PARTIAL, REJECTED, CANCELLED, ACCEPTED…"""
        data = {
            "order_id": order_id,
            "status": status,
            "filled_size": money_text(filled_size),
            "average_price": money_text(average_price),
            "fee": money_text(fee),
            "error": error,
        }
        return self._keep(EventType.ORDER_RESULT, {**_given(data), **extra}, trace_id)

    def record_fill(
        self,
        trace_id: str | None,
        order_id: str,
        *,
        token_id: str,
        side: str,
        price: Money,
        size: Money,
        fee: Money | None = None,
        **extra: Any,
    ) -> Kept:
        """Record one execution of an order."""
        data = {
            "order_id": order_id,
            "token_id": token_id,
            "side": side,
            "price": money_text(price),
            "size": money_text(size),
            "fee": money_text(fee),
        }
        return self._keep(EventType.FILL, {**_given(data), **extra}, trace_id)

    def record_decision(
        self, edge: SaysEdge, *, strategy: str, trace_id: str | None = None, **extra: Any
    ) -> Kept:
        """Record a risk decision with the whole breakdown of its edge."""
        return self._keep(EventType.DECISION, {**edge.to_data(strategy=strategy), **extra}, trace_id)

    def record_latency(self, trace_id: str | None = None, **stages_ms: float | None) -> Kept:
        """Record stage latencies in milliseconds; a declared stage that is not given is null, never 0."""
        return self._keep(EventType.LATENCY, build_latency(stages_ms, self.stages), trace_id)


def _given(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
