"""The recorder, and the default one of the process."""

from __future__ import annotations

from polyrecord.events.names import EventType
from polyrecord.record.default import configure, default_recorder
from polyrecord.record.outcomes import FlushOutcome, FlushTicket, RecorderStats
from polyrecord.record.policy import RotatePolicy, SyncPolicy
from polyrecord.record.recorded import Recorded
from polyrecord.record.recorder import EventRecorder

__all__ = [
    "EventRecorder",
    "EventType",
    "FlushOutcome",
    "FlushTicket",
    "Recorded",
    "RecorderStats",
    "RotatePolicy",
    "SyncPolicy",
    "configure",
    "default_recorder",
]
