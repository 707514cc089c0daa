"""The recorder that module-level helpers use when they are given none."""

from __future__ import annotations

import threading
from typing import Any

from polyrecord.errors import ConfigError
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.registry import open_recorders

_configured: EventRecorder | None = None
_lock = threading.Lock()


def configure(**options: Any) -> EventRecorder:
    """Make the process's default recorder, once, with EventRecorder's options; returns it.

    Raises ConfigError when there is one already that is not closed.
    """
    global _configured
    with _lock:
        if _configured is not None and not _configured.closed:
            raise ConfigError(
                "the default recorder is configured already", hint="call configure() once, before recording"
            )
        _configured = EventRecorder(**options)
        return _configured


def default_recorder() -> EventRecorder:
    """The configured recorder; else the oldest one that is recording; else a new one, made without set-up."""
    global _configured
    if _configured is not None and not _configured.closed:
        return _configured
    with _lock:
        if _configured is not None and not _configured.closed:
            return _configured
        recording = open_recorders()
        if recording:
            return min(recording, key=lambda recorder: recorder.number)
        _configured = EventRecorder()
        return _configured
