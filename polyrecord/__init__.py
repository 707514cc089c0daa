"""polyrecord: event recorder and replay toolkit for trading bots.

Every name here is loaded when it is first used, so `import polyrecord` costs a bot next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from polyrecord.errors import PolyrecordError
    from polyrecord.events.edge_math import Decision, EdgeBreakdown, calculate_net_edge
    from polyrecord.events.latency_data import declare_stages
    from polyrecord.events.names import EventType
    from polyrecord.ids import generate_trace_id
    from polyrecord.instrument.feed import FeedMonitor
    from polyrecord.instrument.helpers import flush, log_event, record_decision, record_latency
    from polyrecord.instrument.metrics import MetricsCollector, calculate_percentiles
    from polyrecord.instrument.stage import stage
    from polyrecord.instrument.trace import TraceContext, bind
    from polyrecord.read.replay import replay
    from polyrecord.record.default import configure, default_recorder
    from polyrecord.record.recorder import EventRecorder
    from polyrecord.report.connect import connect
    from polyrecord.report.frames import read
    from polyrecord.version import __version__

__all__ = [
    "Decision",
    "EdgeBreakdown",
    "EventRecorder",
    "EventType",
    "FeedMonitor",
    "MetricsCollector",
    "PolyrecordError",
    "TraceContext",
    "__version__",
    "bind",
    "calculate_net_edge",
    "calculate_percentiles",
    "configure",
    "connect",
    "declare_stages",
    "default_recorder",
    "flush",
    "generate_trace_id",
    "log_event",
    "read",
    "record_decision",
    "record_latency",
    "replay",
    "stage",
]

_HOMES: Final = {
    "Decision": "polyrecord.events.edge_math",
    "EdgeBreakdown": "polyrecord.events.edge_math",
    "EventRecorder": "polyrecord.record.recorder",
    "FeedMonitor": "polyrecord.instrument.feed",
    "EventType": "polyrecord.events.names",
    "MetricsCollector": "polyrecord.instrument.metrics",
    "PolyrecordError": "polyrecord.errors",
    "TraceContext": "polyrecord.instrument.trace",
    "__version__": "polyrecord.version",
    "bind": "polyrecord.instrument.trace",
    "calculate_net_edge": "polyrecord.events.edge_math",
    "calculate_percentiles": "polyrecord.instrument.metrics",
    "configure": "polyrecord.record.default",
    "connect": "polyrecord.report.connect",
    "declare_stages": "polyrecord.events.latency_data",
    "default_recorder": "polyrecord.record.default",
    "flush": "polyrecord.instrument.helpers",
    "generate_trace_id": "polyrecord.ids",
    "log_event": "polyrecord.instrument.helpers",
    "record_decision": "polyrecord.instrument.helpers",
    "record_latency": "polyrecord.instrument.helpers",
    "replay": "polyrecord.read.replay",
    "stage": "polyrecord.instrument.stage",
}


def __getattr__(name: str) -> Any:
    if name == "read":
        return import_module("polyrecord.read")  # a room and a function in one
    if name not in _HOMES:
        raise AttributeError(f"module 'polyrecord' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # the next use does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
