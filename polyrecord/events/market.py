"""What the market did: books, their changes, trades, and the frames they came in."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from polyrecord.events.fields import DecimalText, Integer, Name, Side, SizeText, Text
from polyrecord.events.names import EventType
from polyrecord.events.spec import EventData, EventSpec

YES: Final = "71321045679252212594626385532706912750332728571942532289631379312455583992563"


class Level(EventData):
    """One price level of a book."""

    price: DecimalText = Field(description="price per unit, in the quote currency")
    size: SizeText = Field(description="units offered or asked for at this price")


class LevelChange(EventData):
    """The new state of one price level."""

    side: Side = Field(description="BUY changes a bid, SELL an ask")
    price: DecimalText = Field(description="price per unit of the level, in the quote currency")
    size: SizeText = Field(description='units now at this price, not the difference; "0" removes the level')


class MarketData(EventData):
    """What every market event may say."""

    token_id: Name = Field(description="asset id or symbol, as the venue writes it")
    market: Name | None = Field(
        None, description="market the token belongs to (a condition id on Polymarket)"
    )
    source: Name | None = Field(None, description="feed it came from")
    venue_ts_ns: Integer | None = Field(
        None, description="the venue's own time, ns since 1970 UTC; may go back or repeat, so it is no order"
    )


class OrderbookSnapshot(MarketData):
    """The whole order book of one token, or its best levels.

    Levels stand in the order the caller gave them; best first is the custom here, though venues differ.
    """

    bids: list[Level] = Field(description="levels of the buyers; empty when there are none")
    asks: list[Level] = Field(description="levels of the sellers; empty when there are none")
    hash: Text | None = Field(None, description="the venue's checksum of the book, kept as it came")
    tick_size: SizeText | None = Field(None, description="smallest price step, in the quote currency")


class OrderbookDelta(MarketData):
    """Changes of single levels since the event before it of the same token.

    They apply in the order given. Several deltas may share one venue time and hash.
    """

    changes: list[LevelChange] = Field(description="levels that changed, each with its new size")
    hash: Text | None = Field(None, description="the venue's checksum of the book, kept as it came")


class Trade(MarketData):
    """A trade of others that the venue reported; the bot's own are `fill`."""

    price: DecimalText = Field(description="price per unit, in the quote currency")
    size: SizeText = Field(description="units traded")
    side: Side | None = Field(description="side of the taker; null where the venue does not say")
    trade_id: Name | None = Field(None, description="the venue's id of the trade")
    fee_rate_bps: SizeText | None = Field(None, description="fee rate, in basis points of the traded value")
    transaction_hash: Text | None = Field(None, description="where it was settled on chain")


def _only(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


class RawFrame(EventData):
    """One message of a venue, byte for byte.

    Exactly one of `frame` and `frame_b64` is there. `frame` encoded as UTF-8 gives the received bytes.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [_only("frame"), _only("frame_b64")]})

    source: Name = Field(description="feed or connection it came from")
    received_ns: Integer | None = Field(
        None, description="when it was received, ns since 1970 UTC; without it, the `ts` of the line"
    )
    frame: Text | None = Field(None, description="the message, when it is valid UTF-8")
    frame_b64: Text | None = Field(None, description="the message in standard base64, when it is not")

    @model_validator(mode="after")
    def _one_of_two_forms(self) -> Self:
        if (self.frame is None) == (self.frame_b64 is None):
            raise PydanticCustomError("frame_form", "needs exactly one of frame and frame_b64")
        return self


SPECS: Final = (
    EventSpec(
        EventType.ORDERBOOK_SNAPSHOT,
        OrderbookSnapshot,
        {
            "token_id": YES,
            "bids": [{"price": "0.48", "size": "30"}, {"price": "0.47", "size": "120.5"}],
            "asks": [{"price": "0.52", "size": "25"}],
            "venue_ts_ns": 1_795_177_696_750_000_000,
        },
    ),
    EventSpec(
        EventType.ORDERBOOK_DELTA,
        OrderbookDelta,
        {
            "token_id": YES,
            "changes": [
                {"side": "BUY", "price": "0.48", "size": "0"},
                {"side": "SELL", "price": "0.51", "size": "40"},
            ],
        },
    ),
    EventSpec(
        EventType.TRADE,
        Trade,
        {"token_id": YES, "price": "0.52", "size": "12.5", "side": "BUY", "fee_rate_bps": "0"},
    ),
    EventSpec(
        EventType.RAW_FRAME,
        RawFrame,
        {
            "source": "polymarket.market",
            "received_ns": 1_795_177_696_789_000_000,
            "frame": '{"event_type":"tick_size_change","new_tick_size":"0.001"}',
        },
    ),
)
