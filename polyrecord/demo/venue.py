"""A simulated binary market that speaks Polymarket's market channel.

Two tokens, YES and NO, pay one dollar between them. Makers quote ten levels a side around a drifting fair
value. Now and then the fair value jumps and the makers of one token follow a few frames late: until they do,
both tokens together cost less than one dollar. On the real venue its matching engine takes most of that
itself; here it happens often, so that a short run has something to show.

Frames are bytes in the venue's own form (an opening array of `book`, then `price_change`, `last_trade_price`
and a `book` now and then), and the same seed gives the same bytes. Time is simulated too: it starts at
START_NS.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from polyrecord.demo.feed import Frame

SOURCE = "polymarket.simulated"
START_NS = 1_767_623_400_000_000_000  # 2026-01-05T14:30:00Z
LEVELS = 10
BUY, SELL = "BUY", "SELL"
_LOWEST, _HIGHEST = 20, 80  # cents the fair value stays within, so that every level is a valid price
_JUMP_CHANCE = 0.22
_TRADE_CHANCE = 0.08
_BOOK_CHANCE = 0.02
_FEE_RATE_BPS = "0"

Changes = list[tuple[str, str, int, Decimal]]


def _price(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2).normalize())


@dataclass(slots=True)
class Quotes:
    """The quotes on one token: per side the size at each price in cents."""

    token: str
    mid: int
    random: Random
    sides: dict[str, dict[int, Decimal]] = field(default_factory=lambda: {BUY: {}, SELL: {}})

    def prices(self, side: str) -> range:
        """Prices of a side from the best outwards: one cent from the middle and on."""
        if side == BUY:
            return range(self.mid - 1, self.mid - 1 - LEVELS, -1)
        return range(self.mid + 1, self.mid + 1 + LEVELS)

    def requote(self, mid: int) -> list[tuple[str, int, Decimal]]:
        """Move to another middle; what changed, as (side, cents, new size), with size 0 for a level gone."""
        self.mid = mid
        changes = []
        for side, levels in self.sides.items():
            wanted = self.prices(side)
            gone = [cents for cents in levels if cents not in wanted]
            for cents in gone:
                del levels[cents]
            changes += [(side, cents, Decimal(0)) for cents in gone]
            changes += [self._resize(side, cents) for cents in wanted if cents not in levels]
        return changes

    def shuffle(self) -> tuple[str, int, Decimal]:
        """Change the size of one level, more often near the top."""
        side = self.random.choice((BUY, SELL))
        depth = min(int(self.random.expovariate(0.6)), LEVELS - 1)
        return self._resize(side, self.prices(side)[depth])

    def best(self, side: str) -> int:
        """Best price in cents."""
        return self.prices(side)[0]

    def _resize(self, side: str, cents: int) -> tuple[str, int, Decimal]:
        distance = abs(cents - self.mid)
        shares = self.random.lognormvariate(math.log(60 + 35 * distance), 0.7)
        size = Decimal(max(500, round(shares * 100))).scaleb(-2)
        self.sides[side][cents] = size
        return side, cents, size


class SimulatedVenue:
    """An endless, seeded stream of frames of one binary market."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - a simulation, not a secret
        self.market = f"0x{self._random.getrandbits(256):064x}"
        self.yes_token, self.no_token = (str(self._random.randrange(10**76, 10**77)) for _ in range(2))
        self._fair = 50.0
        self._lag = 0
        self._now_ms = START_NS // 1_000_000
        self._quotes = {
            self.yes_token: Quotes(self.yes_token, 50, self._random),
            self.no_token: Quotes(self.no_token, 50, self._random),
        }
        for quotes in self._quotes.values():
            quotes.requote(50)

    def __iter__(self) -> Iterator[Frame]:
        yield self._frame([self._book(quotes, opening=True) for quotes in self._quotes.values()], (",", ":"))
        while True:
            self._now_ms += 1 + int(self._random.expovariate(1 / 20))
            yield self._frame(self._next_message(), (", ", ":"))

    def _next_message(self) -> dict[str, Any]:
        if self._lag:
            return self._wait_or_follow()
        luck = self._random.random()
        if luck < _JUMP_CHANCE:
            return self._jump()
        if luck < _JUMP_CHANCE + _TRADE_CHANCE:
            return self._trade()
        if luck < _JUMP_CHANCE + _TRADE_CHANCE + _BOOK_CHANCE:
            return self._book(self._random.choice(list(self._quotes.values())))
        return self._drift()

    def _drift(self) -> dict[str, Any]:
        """Both tokens follow a small move at once, mirrored, and one level of each changes its size."""
        self._set_fair(self._fair + self._random.gauss(0, 0.35))
        return self._price_change(self._follow() + self._shuffle())

    def _jump(self) -> dict[str, Any]:
        """One token falls at once by a few cents, the other should rise and does not yet."""
        yes, no = self._quotes.values()
        cents = self._random.choice((3, 3, 4, 4, 5, 6))
        yes_falls = self._fair - cents > _LOWEST and (
            self._random.random() < 0.5 or self._fair + cents > _HIGHEST
        )
        self._set_fair(self._fair + (-cents if yes_falls else cents))
        self._lag = self._random.randint(1, 3)
        quick = yes if yes_falls else no
        return self._price_change(self._moved(quick, self._wanted_mid(quick)))

    def _wait_or_follow(self) -> dict[str, Any]:
        self._lag -= 1
        return self._price_change(self._shuffle() if self._lag else self._follow())

    def _follow(self) -> Changes:
        return [
            change
            for quotes in self._quotes.values()
            if quotes.mid != self._wanted_mid(quotes)
            for change in self._moved(quotes, self._wanted_mid(quotes))
        ]

    def _shuffle(self) -> Changes:
        return [(quotes.token, *quotes.shuffle()) for quotes in self._quotes.values()]

    def _moved(self, quotes: Quotes, mid: int) -> Changes:
        return [(quotes.token, *change) for change in quotes.requote(mid)]

    def _set_fair(self, cents: float) -> None:
        self._fair = min(max(cents, _LOWEST), _HIGHEST)

    def _wanted_mid(self, quotes: Quotes) -> int:
        return round(self._fair) if quotes.token == self.yes_token else 100 - round(self._fair)

    def _trade(self) -> dict[str, Any]:
        quotes = self._random.choice(list(self._quotes.values()))
        side = self._random.choice((BUY, SELL))
        cents = quotes.best(SELL if side == BUY else BUY)
        shares = Decimal(self._random.randrange(100, 20_000)).scaleb(-2)
        return {
            "market": self.market,
            "asset_id": quotes.token,
            "price": _price(cents),
            "size": str(shares),
            "fee_rate_bps": _FEE_RATE_BPS,
            "side": side,
            "timestamp": str(self._now_ms),
            "event_type": "last_trade_price",
        }

    def _book(self, quotes: Quotes, *, opening: bool = False) -> dict[str, Any]:
        """A whole book, the best level last on both sides, as the venue sends it."""
        message = {
            "market": self.market,
            "asset_id": quotes.token,
            "timestamp": str(self._now_ms),
            "hash": self._hash(),
            "bids": [{"price": _price(c), "size": str(s)} for c, s in sorted(quotes.sides[BUY].items())],
            "asks": [
                {"price": _price(c), "size": str(s)}
                for c, s in sorted(quotes.sides[SELL].items(), reverse=True)
            ],
        }
        if opening:
            message |= {"tick_size": "0.01", "last_trade_price": ""}
        return message | {"event_type": "book"}

    def _price_change(self, changes: Changes) -> dict[str, Any]:
        digest = self._hash()
        return {
            "market": self.market,
            "price_changes": [
                {
                    "asset_id": token,
                    "price": _price(cents),
                    "size": str(size),
                    "side": side,
                    "hash": digest,
                    "best_bid": _price(self._quotes[token].best(BUY)),
                    "best_ask": _price(self._quotes[token].best(SELL)),
                }
                for token, side, cents, size in changes
            ],
            "timestamp": str(self._now_ms),
            "event_type": "price_change",
        }

    def _hash(self) -> str:
        return f"{self._random.getrandbits(160):040x}"

    def _frame(self, message: Any, separators: tuple[str, str]) -> Frame:
        """The message as it arrives: some 30 ms after the venue stamped it, now and then much later."""
        delay_ms = self._random.lognormvariate(math.log(30), 0.5)
        if self._random.random() < 0.01:
            delay_ms *= 10
        received_ns = self._now_ms * 1_000_000 + round(delay_ms * 1e6)
        return Frame(json.dumps(message, separators=separators).encode(), SOURCE, received_ns)
