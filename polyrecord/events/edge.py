"""Where the edge went: the decision to trade or not, with every cost it counted on."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from polyrecord.events.fields import DecimalText, Name, Text
from polyrecord.events.names import EventType
from polyrecord.events.spec import EventData, EventSpec


class DecisionData(EventData):
    """The risk check's verdict on one signal, and what the trade was expected to bring after costs.

    Amounts are in the quote currency. `net_edge` is `gross_edge` minus the four costs.
    """

    strategy: Name = Field(description="strategy whose signal was judged")
    decision: Literal["ACCEPT", "REJECT"] = Field(
        description="ACCEPT goes on to the order, REJECT ends the trace"
    )
    reason: Text = Field(description="why, for people")
    reason_code: Name | None = Field(None, description="why, for counting: the same text for the same cause")
    gross_edge: DecimalText = Field(description="profit before costs")
    fees_est: DecimalText = Field(description="trading fees expected")
    slippage_est: DecimalText = Field(description="loss expected from prices that move while filling")
    gas_est: DecimalText = Field(description="cost of settling on chain expected")
    latency_buffer: DecimalText = Field(description="kept back for prices that move before the order arrives")
    net_edge: DecimalText = Field(description="profit after all of these")
    min_threshold: DecimalText = Field(description="smallest net edge that is accepted")


SPECS: Final = (
    EventSpec(
        EventType.DECISION,
        DecisionData,
        {
            "strategy": "atomic",
            "decision": "ACCEPT",
            "reason": "net edge meets the threshold",
            "gross_edge": "100.0",
            "fees_est": "2.0",
            "slippage_est": "1.0",
            "gas_est": "0.5",
            "latency_buffer": "0.3",
            "net_edge": "96.2",
            "min_threshold": "95.0",
        },
    ),
)
