"""Frames that a real venue sent fit the catalogue without touching a digit of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from polyrecord.events.catalogue import validate

Message: TypeAlias = dict[str, Any]


def book(message: Message) -> Message:
    return {**message, "token_id": message["asset_id"], "venue_ts_ns": int(message["timestamp"]) * 1_000_000}


def price_change(message: Message) -> Message:
    changes = message.get("price_changes") or message.get("changes") or [message]
    return {"token_id": message.get("asset_id") or changes[0]["asset_id"], "changes": changes}


def last_trade_price(message: Message) -> Message:
    return {**message, "token_id": message["asset_id"]}


def user_trade(message: Message) -> Message:
    return {
        "order_id": message["taker_order_id"],
        "token_id": message["asset_id"],
        "side": message["side"],
        "price": message["price"],
        "size": message["size"],
        "trade_id": message["id"],
        "status": message["status"],
    }


@pytest.mark.parametrize(
    ("pattern", "event_type", "mapped"),
    [
        ("*/*book*.json", "orderbook_snapshot", book),
        ("*/*price_change*.json", "orderbook_delta", price_change),
        ("*/*last_trade*.json", "trade", last_trade_price),
        ("*/*user_trade*.json", "fill", user_trade),
    ],
)
def test_a_frame_of_the_venue_fits(
    recordings: Path, pattern: str, event_type: str, mapped: Callable[[Message], Message]
) -> None:
    found = list(messages(recordings / "nautilus_polymarket", pattern))

    assert found
    for message in found:
        validate(event_type, mapped(message))


def messages(folder: Path, pattern: str) -> Iterator[Message]:
    for path in sorted(folder.glob(pattern)):
        content = json.loads(path.read_text(encoding="utf-8"))
        yield from content if isinstance(content, list) else [content]
