"""Signals that end a process without its exit handlers: what is recorded is written before they do.

A handler is set only where the bot has none: one of its own calls `close()`. Nothing waits inside it, for the
interrupted thread may hold what closing needs: another thread closes, and then sends the signal again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

# SIGINT is among them for a bot started in the background of a shell; else it raises KeyboardInterrupt.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ending: set[int] = set()
_closed: set[int] = set()
_close_all: Callable[[], None] | None = None


def handle_signals(close_all: Callable[[], None]) -> None:
    """Let signals that would end the process close the recorders first. Only the main thread can do this."""
    global _close_all
    _close_all = close_all
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        with contextlib.suppress(OSError, ValueError):  # an interpreter inside another program
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _on_signal)


def forget_signals() -> None:
    """In a forked child: no end is under way here."""
    _ending.clear()
    _closed.clear()


def _on_signal(number: int, _: FrameType | None) -> None:
    if number in _closed:
        # As the sender meant it: whoever waits for this process sees that the signal ended it.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    elif number not in _ending:
        _ending.add(number)
        try:
            threading.Thread(target=_end, args=(number,), name="polyrecord-end", daemon=True).start()
        except RuntimeError:  # the system has no thread left
            _end(number)


def _end(number: int) -> None:
    try:
        if _close_all is not None:
            _close_all()
    finally:
        _closed.add(number)
        os.kill(os.getpid(), number)
