"""An order book as two plain dicts: the independent computation the bot's book is checked against."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any


class PlainBook:
    """Bids and asks as price -> size, from Binance messages in their order."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.snapshot_id: int | None = None

    def take(self, message: dict[str, Any]) -> None:
        """Apply a decoded frame; updates before the snapshot and those it covers are skipped."""
        if "lastUpdateId" in message:
            self.bids, self.asks = {}, {}
            self.snapshot_id = message["lastUpdateId"]
            self.change(message["bids"], message["asks"])
        data = message.get("data", {})
        if data.get("e") == "depthUpdate" and self.snapshot_id is not None and data["u"] > self.snapshot_id:
            self.change(data["b"], data["a"])

    def change(self, bids: Iterable[Any], asks: Iterable[Any]) -> None:
        """Set new totals; size 0 removes."""
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, size in levels:
                side[Decimal(price)] = Decimal(size)
                if not side[Decimal(price)]:
                    del side[Decimal(price)]
