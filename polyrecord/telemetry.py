"""Traces and their events, under the name bots know."""

from __future__ import annotations

from polyrecord.events.names import EventType
from polyrecord.ids import generate_trace_id
from polyrecord.instrument.helpers import flush, log_event
from polyrecord.instrument.trace import TraceContext, bind

__all__ = ["EventType", "TraceContext", "bind", "flush", "generate_trace_id", "log_event"]
