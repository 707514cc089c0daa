"""Progress on a terminal's stderr, for what takes longer than a second."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_QUIET_SECONDS: Final = 1.0


class Bar:
    """Say what is done: as a share of a total where there is one, else as a number that grows."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._since = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int | None = None, what: str | None = None) -> None:
        """So much is done, of `total`; `what` is done now, if that changes."""
        if self._bar is None:
            if time.monotonic() - self._since < _QUIET_SECONDS or not sys.stderr.isatty():
                return
            self._start(counts=total is None)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=what or self._what, completed=done, total=total)

    def _start(self, *, counts: bool) -> None:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            [TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()] if counts else []
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self._what, total=None)
        self._bar.start()
