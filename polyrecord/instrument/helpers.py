"""Recording without a recorder at hand: everything goes to the default recorder of the process."""

from __future__ import annotations

from typing import Any

from polyrecord.events.edge_math import EdgeBreakdown
from polyrecord.record.default import default_recorder
from polyrecord.record.outcomes import FlushTicket
from polyrecord.record.typed import Kept


def log_event(
    event_type: str,
    data: Any,
    trace_id: str | None = None,
    *,
    intent_id: str | None = None,
    level: str | None = None,
    reason_code: str | None = None,
) -> Kept:
    """Records one telemetry event; done at the call, so a forgotten `await` loses nothing.

    `data` is any JSON value. The trace is the active one unless given.
    """
    return default_recorder().log_event(
        event_type, data, trace_id, intent_id=intent_id, level=level, reason_code=reason_code
    )


def record_latency(trace_id: str | None = None, **stages_ms: float | None) -> Kept:
    """Records the stages of one trace, in milliseconds; `end_to_end_ms` is their sum, null if one lacks."""
    return default_recorder().record_latency(trace_id, **stages_ms)


def record_decision(edge: EdgeBreakdown, *, strategy: str, trace_id: str | None = None, **extra: Any) -> Kept:
    """Records a decision with its edge, costs and reason; `extra` joins its data."""
    return default_recorder().record_decision(edge, strategy=strategy, trace_id=trace_id, **extra)


def flush() -> FlushTicket:
    """Writes what was recorded so far; `await flush()` or `flush().wait()` says when it is on disk."""
    return default_recorder().flush()
