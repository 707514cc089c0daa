"""What the bot of the benchmarks sees and does, seeded: a tick is ten events, from the wire to the order.

Every tick has one trace. Four of five decisions are rejected and leave five lines of the market in the
tick; an accepted one is an order with its result, and mostly a fill, in their place. So every archive has
exactly ten events a tick, and one of them is a latency event.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

STAGES = ("ws_to_book_update_ms", "book_to_signal_ms", "signal_to_risk_ms", "risk_to_send_ms")
STRATEGIES = ("atomic", "complement", "maker", "momentum")
TOKENS = tuple(str(7 * 10**76 + 123_456_789_123_456_789 * n) for n in range(12))
EVENTS_PER_TICK = 10
_MARKET_LINES = 4096  # far more than fit the 32 KiB a deflate stream looks back, so repeats gain nothing
_TIMES = 4096
_MEDIANS_MS = (0.35, 0.18, 0.06, 1.9)

Event: TypeAlias = tuple[str, bytes, str | None]
"""Type, encoded data, trace id."""


@dataclass(slots=True)
class Book:
    """A walking book of one token, ten levels a side in cents of a dollar."""

    token: str
    mid: int = 50
    changes: list[dict[str, str]] = field(default_factory=list)

    def walk(self, rng: random.Random) -> None:
        """Move by at most one cent."""
        self.mid = min(85, max(15, self.mid + rng.choice((-1, 0, 0, 0, 1))))

    def snapshot(self, rng: random.Random) -> bytes:
        """The data of an `orderbook_snapshot`."""
        bids = [{"price": _price(self.mid - n), "size": _size(rng)} for n in range(1, 11)]
        asks = [{"price": _price(self.mid + n), "size": _size(rng)} for n in range(1, 11)]
        return orjson.dumps({"token_id": self.token, "bids": bids, "asks": asks})

    def delta(self, rng: random.Random) -> bytes:
        """The data of an `orderbook_delta`: one to three levels."""
        changes = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            side, sign = rng.choice((("BUY", -1), ("SELL", 1)))
            changes.append(
                {"side": side, "price": _price(self.mid + sign * rng.randrange(1, 11)), "size": _size(rng)}
            )
        return orjson.dumps(
            {"token_id": self.token, "changes": changes, "hash": f"{rng.getrandbits(160):040x}"}
        )

    def trade(self, rng: random.Random) -> bytes:
        """The data of a `trade`."""
        side = rng.choice(("BUY", "SELL"))
        return orjson.dumps(
            {"token_id": self.token, "price": _price(self.mid), "size": _size(rng), "side": side}
        )


def _price(cents: int) -> str:
    return f"0.{cents:02d}"


def _size(rng: random.Random) -> str:
    return (
        f"{rng.randrange(1, 4000)}.{rng.randrange(100):02d}"
        if rng.random() < 0.5
        else str(rng.randrange(1, 900))
    )


class Market:
    """Draws ticks; the texts of the market and the times of the stages are made once and drawn from."""

    def __init__(self, seed: int) -> None:
        """The same seed gives the same ticks."""
        self._rng = random.Random(seed)
        self._lines = list(self._draw_lines(random.Random(seed ^ 0xB00C)))
        self._times = [
            self._draw_times(random.Random(seed ^ n), median) for n, median in enumerate(_MEDIANS_MS, 1)
        ]
        self._orders = seed * 10**7

    @staticmethod
    def _draw_lines(rng: random.Random) -> Iterator[tuple[str, bytes]]:
        books = [Book(token) for token in TOKENS]
        for _ in range(_MARKET_LINES):
            book, kind = rng.choice(books), rng.random()
            book.walk(rng)
            if kind < 0.12:
                yield "orderbook_snapshot", book.snapshot(rng)
            elif kind < 0.9:
                yield "orderbook_delta", book.delta(rng)
            else:
                yield "trade", book.trade(rng)

    @staticmethod
    def _draw_times(rng: random.Random, median: float) -> list[float]:
        return [round(median * rng.lognormvariate(0.0, 0.7), 3) for _ in range(_TIMES)]

    def tick(self, ts: int) -> list[Event]:
        """The ten events of one tick, in their order."""
        bits = self._rng.getrandbits(256)
        trace, bits = trace_id(bits), bits >> 128
        strategy = STRATEGIES[bits & 3]
        token, bits = TOKENS[(bits >> 2) % 12], bits >> 8
        accepted, filled, bits = bits % 5 == 0, bits >> 8 & 3, bits >> 12
        orders = self._order(ts, token, trace, bits & 0xFFFF, filled=filled) if accepted else []
        lines = self._lines
        events: list[Event] = []
        for n in range(5 - len(orders)):
            kind, text = lines[bits >> 12 * n & 0xFFF]
            events.append((kind, text, None))
        return events + self._chain(ts, token, strategy, trace, bits, orders, accepted=accepted)

    def _chain(
        self,
        ts: int,
        token: str,
        strategy: str,
        trace: str,
        bits: int,
        orders: list[Event],
        *,
        accepted: bool,
    ) -> list[Event]:
        gross = 570 + bits % 500 if accepted else 200 + bits % 370  # 0.0400 is what it takes, after 0.0170
        reason = "edge_above_threshold" if accepted else "edge_below_threshold"
        verdict = "ACCEPT" if accepted else "REJECT"
        head: list[Event] = [
            ("event_received", b'{"source":"polymarket.market","token_id":"%b","received_ns":%d}'
             % (token.encode(), ts), trace),
            ("opportunity_detected", b'{"strategy":"%b","expected_profit":"0.%04d"}'
             % (strategy.encode(), gross), trace),
            ("signal",
             b'{"strategy":"%b","expected_profit":"0.%04d","yes_price":"0.%02d","no_price":"0.%02d"}'
             % (strategy.encode(), gross, 30 + gross % 20, 40 + gross % 9), trace),
            ("decision", (
                b'{"strategy":"%b","decision":"%b","reason":"%b","gross_edge":"0.%04d","fees_est":"0.0100",'
                b'"slippage_est":"0.0040","gas_est":"0.0010","latency_buffer":"0.0020","net_edge":"%b",'
                b'"min_threshold":"0.0400"}'
             ) % (strategy.encode(), verdict.encode(), reason.encode(), gross, _signed(gross - 170)), trace),
        ]  # fmt: skip
        return [*head, *orders, ("latency", self.latency(bits, strategy), trace)]

    def latency(self, bits: int, strategy: str) -> bytes:
        """The data of a latency event: four stages, their sum and the strategy."""
        values = [times[bits >> 12 * n & 0xFFF] for n, times in enumerate(self._times)]
        return b'{"%b":%r,"%b":%r,"%b":%r,"%b":%r,"end_to_end_ms":%r,"strategy":"%b"}' % (
            b"ws_to_book_update_ms", values[0], b"book_to_signal_ms", values[1],
            b"signal_to_risk_ms", values[2], b"risk_to_send_ms", values[3],
            round(sum(values), 3), strategy.encode(),
        )  # fmt: skip

    def latency_event(self) -> Event:
        """A latency event alone, with a trace of its own."""
        bits = self._rng.getrandbits(192)
        return "latency", self.latency(bits >> 128, STRATEGIES[bits >> 190]), trace_id(bits)

    def _order(self, ts: int, token: str, trace: str, bits: int, *, filled: int) -> list[Event]:
        self._orders += 1
        number, price, size = self._orders, 30 + bits % 40, 5 + (bits >> 6) % 90
        placed = b'"order_id":"order-%d","token_id":"%b","side":"BUY","price":"0.%02d","size":"%d"' % (
            number, token.encode(), price, size,
        )  # fmt: skip
        status, got = (b"FILLED", size) if filled else (b"CANCELLED", 0)
        result = b'{"order_id":"order-%d","status":"%b","filled_size":"%d","fee":"0.0%02d"}' % (
            number, status, got, size,
        )  # fmt: skip
        events: list[Event] = [
            ("risk_passed", b'{"net_edge":"0.0%03d"}' % (400 + bits % 500), trace),
            ("order_request", b'{%b,"order_type":"FOK"}' % placed, trace),
            ("order_submitted", b"{%b}" % placed, trace),
            ("order_result", result, trace),
        ]
        if filled:
            events.append(("fill", b'{%b,"venue_ts_ns":%d}' % (placed, ts + 3_000_000), trace))
        return events


def _signed(edge: int) -> bytes:
    return b"%b0.%04d" % (b"-" if edge < 0 else b"", abs(edge))


def trace_id(bits: int) -> str:
    """A UUIDv4 from the lower 128 bits."""
    h = f"{bits & (1 << 128) - 1:032x}"
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"
