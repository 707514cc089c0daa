"""The recorders of a process: closed when it ends, begun anew in a forked child."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from polyrecord.record.privacy import forget_patterns
from polyrecord.record.signals import forget_signals, handle_signals

if TYPE_CHECKING:
    from polyrecord.record.recorder import EventRecorder

_AT_EXIT_SECONDS = 10.0
# Each with what it does in a forked child.
_recorders: weakref.WeakKeyDictionary[EventRecorder, Callable[[EventRecorder], None]] = (
    weakref.WeakKeyDictionary()
)
# Until a close is done. Strong: a recorder that a function made and forgot still holds what is to be written.
_open_recorders: set[EventRecorder] = set()


def register(recorder: EventRecorder, begin_anew: Callable[[EventRecorder], None], *, signals: bool) -> None:
    """Know of a recorder as long as it lives; `begin_anew` gets it in each forked child."""
    _recorders[recorder] = begin_anew
    if signals:
        handle_signals(close_all)


def hold(recorder: EventRecorder) -> None:
    """Close a recorder when the process ends, unless it is let go before."""
    _open_recorders.add(recorder)


def hold_started(recorder: EventRecorder, *, signals: bool) -> None:
    """The same, now that it has threads: those of a child end with it, and handlers may have changed."""
    hold(recorder)
    _close_at_end_of_child()
    if signals:
        handle_signals(close_all)


def let_go(recorder: EventRecorder) -> None:
    """A recorder's close is done."""
    _open_recorders.discard(recorder)


def open_recorders() -> list[EventRecorder]:
    """The recorders of this process that are recording, in no order."""
    return [recorder for recorder in list(_open_recorders) if not recorder.closed]


def close_all() -> None:
    """Close what a bot left open, as its interpreter exits; a hung disk must not hold it for ever.

    Waits for closes under way too: the end of a process may come from two sides.
    """
    tickets = [recorder.close() for recorder in list(_open_recorders)]
    for ticket in tickets:
        with contextlib.suppress(TimeoutError):
            ticket.wait(_AT_EXIT_SECONDS)


def _close_at_end_of_child() -> None:
    """Children of multiprocessing end without the interpreter's exit handlers, but call its own."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, close_all, exitpriority=1)


def _in_forked_child() -> None:
    forget_signals()
    forget_patterns()
    _open_recorders.clear()
    for recorder, begin_anew in list(_recorders.items()):
        with contextlib.suppress(Exception):  # what one of them meets must not keep the others from it
            begin_anew(recorder)


atexit.register(close_all)
os.register_at_fork(after_in_child=_in_forked_child)
