"""The stages of the latency pipeline: from a frame on the wire to the order sent."""

from __future__ import annotations

from typing import Final

DEFAULT_STAGES: Final = (
    "ws_to_book_update_ms",  # frame received -> order book updated
    "book_to_signal_ms",  # order book updated -> signal raised
    "signal_to_risk_ms",  # signal raised -> risk check done
    "risk_to_send_ms",  # risk check done -> order sent
)
END_TO_END: Final = "end_to_end_ms"  # the sum of the stages
