"""The bot itself: feed -> book -> strategy -> risk -> paper execution.

Every frame is kept as it came. One that may change a book opens a trace, whose steps are timed and recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import orjson

from polyrecord import EventRecorder, EventType, TraceContext, stage
from polyrecord.demo.binance import BOOK_MARKS as BINANCE_MARKS
from polyrecord.demo.binance import BinanceBooks
from polyrecord.demo.book import OrderBook
from polyrecord.demo.change import Change
from polyrecord.demo.execution import Order, OrderResult, PaperExecution
from polyrecord.demo.feed import Frame
from polyrecord.demo.polymarket import BOOK_MARKS as POLYMARKET_MARKS
from polyrecord.demo.polymarket import PolymarketBooks
from polyrecord.demo.risk import RiskManager, Verdict
from polyrecord.demo.strategy import AtomicArbitrage, QuoteDislocation, Signal
from polyrecord.demo.tally import Tally

SNAPSHOT_EVERY = 50  # changes of a book between two recorded snapshots of it
SNAPSHOT_LEVELS = 10
_BOOK_MARKS = (*POLYMARKET_MARKS, *BINANCE_MARKS)
# What decoding raises on a frame that is not what it looks like.
_BROKEN = (ValueError, KeyError, TypeError, AttributeError)


class Bot:
    """Trades on paper what its strategies find, and records into `recorder`.

    The same seed and frames give the same decisions, orders and results; only measured times differ.
    """

    def __init__(self, recorder: EventRecorder, seed: int) -> None:
        self.recorder = recorder
        self.tally = Tally()
        self.polymarket = PolymarketBooks()
        self.binance = BinanceBooks()
        self.atomic = AtomicArbitrage()
        self.dislocation = QuoteDislocation()
        self.risk = RiskManager()
        self.execution = PaperExecution(seed)
        self._changes: Counter[str] = Counter()

    async def run(self, feed: AsyncIterator[Frame]) -> None:
        """Take every frame of the feed; what the feed raises ends the run."""
        async for frame in feed:
            await self.on_frame(frame)

    async def on_frame(self, frame: Frame) -> None:
        """Keep one frame, and follow it where it may change a book; only then it is worth a trace."""
        self.tally.frames += 1
        if not any(mark in frame.payload for mark in _BOOK_MARKS):
            self._keep(frame)
            self._update_books(frame)
            return
        async with TraceContext(recorder=self.recorder) as trace:
            self._keep(frame, trace.trace_id)
            await self._follow(frame)

    def _keep(self, frame: Frame, trace_id: str | None = None) -> None:
        self.recorder.record_raw(
            frame.payload, source=frame.source, received_ns=frame.received_ns, trace_id=trace_id
        )

    async def _follow(self, frame: Frame) -> None:
        """From the wire to the answers of the orders that the frame leads to."""
        with stage("ws_to_book_update_ms"):
            changes = self._update_books(frame)
        with stage("book_to_signal_ms"):
            signals = list(self._look(changes))
        self._snapshot_now_and_then(changes)
        for signal in signals:
            await self._trade(signal, frame)

    def _update_books(self, frame: Frame) -> list[Change]:
        """What the frame changed; nothing, and one more unknown, where nobody knows what it is."""
        try:
            message = orjson.loads(frame.payload)
            changes = self.polymarket.apply(message) or self.binance.apply(message, frame.about)
        except _BROKEN:
            changes = []
        self.tally.unknown += not changes
        self.tally.gaps = self.binance.gaps
        return changes

    def _look(self, changes: list[Change]) -> Iterator[Signal]:
        """Every new opportunity in the markets that changed."""
        for market in dict.fromkeys(change.market for change in changes if change.instruments):
            pair = self.polymarket.pair(market)
            if pair is not None:
                signal = self.atomic.look(market, *pair)
            elif market in self.binance.symbols:
                signal = self.dislocation.look(self.binance.symbols[market])
            else:
                signal = None
            if signal is not None:
                yield signal

    async def _trade(self, signal: Signal, frame: Frame) -> None:
        """From the signal to the answers of its orders."""
        self.tally.signals += 1
        await self._record_signal(signal, frame)
        with stage("signal_to_risk_ms"):
            verdict = self.risk.assess(signal, self._books(signal), frame.received_ns or time.time_ns())
        await self._record_verdict(verdict)
        if not verdict.accepted:
            self.tally.reasons[verdict.reason] += 1
            return
        self.tally.accepted += 1
        for result in await self._execute(self._orders(verdict), verdict):
            self.tally.orders[result.status] += 1

    async def _execute(self, orders: list[Order], verdict: Verdict) -> list[OrderResult]:
        """Send all orders at once, then wait for all answers."""
        odds = self.risk.policies[verdict.signal.strategy].odds
        for order in orders:
            await self.recorder.record_order_request(
                None,
                order.order_id,
                token_id=order.token_id,
                side=order.side,
                price=order.price,
                size=order.size,
                order_type="FAK",
            )
        with stage("risk_to_send_ms"):
            sent = await asyncio.gather(*(self.execution.send(order, odds) for order in orders))
        for order in orders:
            await self.recorder.log_event(EventType.ORDER_SUBMITTED, {"order_id": order.order_id})
        results = await asyncio.gather(*(self.execution.answer(each) for each in sent))
        for order, result in zip(orders, results, strict=True):
            await self._record_result(order, result)
        return results

    def _orders(self, verdict: Verdict) -> list[Order]:
        fee = self.risk.policies[verdict.signal.strategy].fee
        orders = []
        for number, (leg, walk) in enumerate(zip(verdict.signal.legs, verdict.walks, strict=True), start=1):
            assert walk is not None  # an accepted signal has a way through every book
            orders.append(
                Order(
                    order_id=f"paper-{self.tally.accepted:06d}-{number}",
                    token_id=leg.token_id,
                    side=leg.side,
                    price=walk.worst_price,
                    size=leg.size,
                    expected_price=walk.average_price,
                    expected_fee=fee(walk.average_price, leg.size),
                )
            )
        return orders

    def _books(self, signal: Signal) -> Mapping[str, OrderBook]:
        known = {**self.polymarket.books, **self.binance.books}
        return {leg.token_id: known[leg.token_id] for leg in signal.legs}

    def _snapshot_now_and_then(self, changes: list[Change]) -> None:
        self.tally.changed += any(change.instruments for change in changes)
        for change in changes:
            for instrument in change.instruments:
                self._changes[instrument] += 1
                if self._changes[instrument] % SNAPSHOT_EVERY == 1:
                    self._record_book(self.polymarket.books.get(instrument) or self.binance.books[instrument])

    def _record_book(self, book: OrderBook) -> None:
        bids, asks = book.depth(SNAPSHOT_LEVELS)
        self.recorder.record_orderbook_snapshot(
            book.instrument, [level.as_text() for level in bids], [level.as_text() for level in asks]
        )

    async def _record_signal(self, signal: Signal, frame: Frame) -> None:
        """The frame that led to a signal, the books it was seen in, and the signal itself."""
        await self.recorder.log_event(
            EventType.EVENT_RECEIVED,
            {"source": frame.source, "market": signal.market, "received_ns": frame.received_ns},
        )
        for book in self._books(signal).values():
            self._record_book(book)
        await self.recorder.log_event(
            EventType.OPPORTUNITY_DETECTED,
            {
                "strategy": signal.strategy,
                "market": signal.market,
                "expected_profit": signal.gross_edge,
            },
        )
        await self.recorder.record_signal(
            strategy=signal.strategy, expected_profit=signal.gross_edge, **_prices(signal)
        )

    async def _record_verdict(self, verdict: Verdict) -> None:
        strategy = verdict.signal.strategy
        await self.recorder.record_decision(verdict.edge, strategy=strategy, market=verdict.signal.market)
        if verdict.accepted:
            await self.recorder.log_event(
                EventType.RISK_PASSED, {"strategy": strategy, "net_edge": verdict.edge.net_edge}
            )

    async def _record_result(self, order: Order, result: OrderResult) -> None:
        await self.recorder.record_order_result(
            None,
            order.order_id,
            status=result.status,
            filled_size=result.filled_size,
            average_price=result.average_price,
            fee=result.fee,
            error=result.error,
        )
        if result.average_price is not None:
            await self.recorder.record_fill(
                None,
                order.order_id,
                token_id=order.token_id,
                side=order.side,
                price=result.average_price,
                size=result.filled_size,
                fee=result.fee,
            )


def _prices(signal: Signal) -> dict[str, Any]:
    """The legs as a signal's fields: YES and NO of a pair, or the one instrument with its side."""
    if len(signal.legs) == 2:
        yes, no = signal.legs
        return {
            "yes_token": yes.token_id,
            "no_token": no.token_id,
            "yes_price": yes.price,
            "no_price": no.price,
            "size": yes.size,
        }
    (leg,) = signal.legs
    return {"token_id": leg.token_id, "side": leg.side, "price": leg.price, "size": leg.size}
