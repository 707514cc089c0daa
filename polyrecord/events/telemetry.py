"""The steps of a trace: a message came in, an opportunity was seen, risk agreed, the order left."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from polyrecord.events.fields import DecimalText, Integer, Name, Side, SizeText
from polyrecord.events.market import YES
from polyrecord.events.names import EventType
from polyrecord.events.spec import EventData, EventSpec
from polyrecord.events.trading import ORDER


class EventReceived(EventData):
    """A message of a venue reached the bot: where a trace begins."""

    source: Name | None = Field(None, description="feed or connection it came from")
    token_id: Name | None = Field(None, description="asset id or symbol it is about")
    market: Name | None = Field(None, description="market it is about")
    received_ns: Integer | None = Field(None, description="when it was received, ns since 1970 UTC")
    venue_ts_ns: Integer | None = Field(
        None, description="the venue's own time, ns since 1970 UTC; may go back or repeat, so it is no order"
    )


class OpportunityDetected(EventData):
    """A strategy found an opportunity; the `signal` with its prices usually follows."""

    strategy: Name | None = Field(None, description="strategy that found it")
    expected_profit: DecimalText | None = Field(
        None, description="profit before costs, in the quote currency"
    )
    market: Name | None = Field(None, description="market it is in")


class RiskPassed(EventData):
    """The risk check let a signal through; the `decision` says at which expected cost."""

    strategy: Name | None = Field(None, description="strategy whose signal passed")
    net_edge: DecimalText | None = Field(None, description="profit after costs, in the quote currency")


class OrderSubmitted(EventData):
    """An order left for the venue."""

    order_id: Name | None = Field(None, description="the bot's id of the order; `trace` finds it")
    token_id: Name | None = Field(None, description="asset id or symbol, as the venue writes it")
    side: Side | None = Field(None, description="what the bot does")
    price: DecimalText | None = Field(None, description="limit price per unit, in the quote currency")
    size: SizeText | None = Field(None, description="units ordered")


SPECS: Final = (
    EventSpec(
        EventType.EVENT_RECEIVED,
        EventReceived,
        {"source": "polymarket.market", "token_id": YES, "received_ns": 1_795_177_696_789_000_000},
    ),
    EventSpec(
        EventType.OPPORTUNITY_DETECTED,
        OpportunityDetected,
        {"strategy": "atomic", "expected_profit": "1.50"},
    ),
    EventSpec(EventType.RISK_PASSED, RiskPassed, {"strategy": "atomic", "net_edge": "1.12"}),
    EventSpec(
        EventType.ORDER_SUBMITTED,
        OrderSubmitted,
        {"order_id": ORDER, "token_id": YES, "side": "BUY", "price": "0.48", "size": "50"},
    ),
)
