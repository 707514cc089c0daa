"""Where timings go when they are complete: a latency event of the right recorder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from polyrecord.record.current import Scope

if TYPE_CHECKING:
    from polyrecord.record.recorder import EventRecorder


def emit_latency(stages: Mapping[str, float], scope: Scope | None) -> None:
    """Records one latency event, of the scope's trace if any; what goes wrong stays out of the bot."""
    recorder, trace_id = (None, None) if scope is None else (scope.stages.recorder, scope.trace_id)
    try:
        if recorder is None:
            recorder = _default_recorder()
        recorder.record_latency(trace_id, **stages)
    except Exception:  # a strategy is never stopped by its own instruments
        import logging

        logging.getLogger("polyrecord").exception("the latency of %s was not recorded", ", ".join(stages))


def _default_recorder() -> EventRecorder:
    # Loaded here: code that is instrumented but times nothing costs no recorder.
    from polyrecord.record.default import default_recorder

    return default_recorder()
