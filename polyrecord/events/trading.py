"""What the bot did: signals, orders, their results and fills."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from polyrecord.events.fields import DecimalText, Integer, Name, Side, SizeText, Text
from polyrecord.events.market import YES
from polyrecord.events.names import EventType
from polyrecord.events.spec import EventData, EventSpec

NO: Final = "52114319501245915516055106046884209969926127482827954674443846427813813222426"
ORDER: Final = "order-0007"


class Signal(EventData):
    """A strategy saw something worth trading.

    A YES+NO arbitrage names both tokens and their prices; other strategies leave them out and add their own.
    """

    strategy: Name = Field(description="strategy that raised it")
    expected_profit: DecimalText = Field(description="profit before costs, in the quote currency")
    yes_token: Name | None = Field(None, description="asset id of the YES token")
    no_token: Name | None = Field(None, description="asset id of the NO token")
    yes_price: DecimalText | None = Field(None, description="price of one YES, in the quote currency")
    no_price: DecimalText | None = Field(None, description="price of one NO, in the quote currency")


class OrderRequest(EventData):
    """An order as the bot sent it, or would have sent it in a dry run."""

    order_id: Name = Field(description="the bot's id of the order; `trace` finds it")
    token_id: Name = Field(description="asset id or symbol, as the venue writes it")
    side: Side = Field(description="what the bot does")
    price: DecimalText | None = Field(
        description="limit price per unit, in the quote currency; null for a market order"
    )
    size: SizeText = Field(description="units ordered")
    order_type: Name | None = Field(None, description="how it executes: GTC, GTD, FOK, FAK, MARKET, ...")
    client_order_id: Name | None = Field(None, description="a second id, the one given to the venue")


class OrderResult(EventData):
    """What became of an order; an order may have several results, the last one counts."""

    order_id: Name = Field(description="order it answers")
    status: Name = Field(
        description="ACCEPTED, PARTIAL, FILLED, CANCELLED, REJECTED, or the venue's own word"
    )
    filled_size: SizeText | None = Field(None, description="units filled so far, over all fills")
    average_price: DecimalText | None = Field(
        None, description="average price per unit of what is filled, in the quote currency"
    )
    fee: DecimalText | None = Field(
        None, description="fees paid so far, in the quote currency; negative for a rebate"
    )
    error: Text | None = Field(None, description="what the venue answered when it refused")
    client_order_id: Name | None = Field(None, description="a second id, the one given to the venue")


class Fill(EventData):
    """One execution of an order, in part or whole."""

    order_id: Name = Field(description="order it belongs to")
    token_id: Name = Field(description="asset id or symbol, as the venue writes it")
    side: Side = Field(description="what the bot did")
    price: DecimalText = Field(description="price per unit, in the quote currency")
    size: SizeText = Field(description="units of this fill alone")
    fee: DecimalText | None = Field(
        None, description="fee of this fill, in the quote currency; negative for a rebate"
    )
    trade_id: Name | None = Field(
        None, description="the venue's id of the execution; the same id again is an update"
    )
    status: Name | None = Field(None, description="how far it is settled, in the venue's own word")
    venue_ts_ns: Integer | None = Field(
        None, description="the venue's own time, ns since 1970 UTC; may go back or repeat, so it is no order"
    )


SPECS: Final = (
    EventSpec(
        EventType.SIGNAL,
        Signal,
        {
            "strategy": "atomic",
            "yes_token": YES,
            "no_token": NO,
            "yes_price": "0.48",
            "no_price": "0.49",
            "expected_profit": "1.50",
        },
    ),
    EventSpec(
        EventType.ORDER_REQUEST,
        OrderRequest,
        {
            "order_id": ORDER,
            "token_id": YES,
            "side": "BUY",
            "price": "0.48",
            "size": "50",
            "order_type": "FOK",
        },
    ),
    EventSpec(
        EventType.ORDER_RESULT,
        OrderResult,
        {
            "order_id": ORDER,
            "status": "PARTIAL",
            "filled_size": "30",
            "average_price": "0.48",
            "fee": "0.029",
        },
    ),
    EventSpec(
        EventType.FILL,
        Fill,
        {"order_id": ORDER, "token_id": YES, "side": "BUY", "price": "0.48", "size": "30", "fee": "0.029"},
    ),
)
