"""The recorder, its policies, and the default one of the process."""

from __future__ import annotations

from polyrecord.events.names import EventType
from polyrecord.record.default import configure, default_recorder
from polyrecord.record.health import Health, HealthState
from polyrecord.record.outcomes import FlushOutcome, FlushTicket, LossNotice, RecorderStats
from polyrecord.record.policy import Overload, Recover, RetryPolicy, RotatePolicy, SyncMode, SyncPolicy
from polyrecord.record.recorded import Recorded
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.redact import RedactionPolicy

__all__ = [
    "EventRecorder",
    "EventType",
    "FlushOutcome",
    "FlushTicket",
    "Health",
    "HealthState",
    "LossNotice",
    "Overload",
    "Recorded",
    "RecorderStats",
    "Recover",
    "RedactionPolicy",
    "RetryPolicy",
    "RotatePolicy",
    "SyncMode",
    "SyncPolicy",
    "configure",
    "default_recorder",
]
