"""Ending a command that would go on for ever, by Ctrl-C or SIGTERM, where nothing is left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from polyrecord.errors import ExitCode
from polyrecord.read.tail.deliver import Sink


class Stop:
    """Ends the process when it is asked to; a batch under way is finished first, unless nobody takes it."""

    def __init__(self, output: Sink | None, *, is_endless: bool) -> None:
        """For what `is_endless` a SIGTERM is the orderly end, with exit code 0."""
        self._output = output
        self._terminated = ExitCode.OK if is_endless else 128 + signal.SIGTERM
        self._signal: int | None = None

    def end_if_asked(self) -> None:
        """Raises KeyboardInterrupt after Ctrl-C and SystemExit after SIGTERM."""
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self._signal is not None:
            raise SystemExit(int(self._terminated))

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        output = self._output
        if output is None or not output.is_busy or (output.is_writing and not output.is_file):
            self.end_if_asked()

    @classmethod
    @contextmanager
    def caught(cls, output: Sink | None = None, *, is_endless: bool = True) -> Iterator[Stop]:
        """Until the end of the block Ctrl-C and SIGTERM wait for a batch under way."""
        stop = cls(output, is_endless=is_endless)
        is_main = threading.current_thread() is threading.main_thread()  # only there signals can be caught
        numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
        before = {number: signal.signal(number, stop._ask) for number in numbers}
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
