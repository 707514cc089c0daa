"""What of a writer's work fails or hangs at present: told when it begins, and when it works again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from polyrecord.record.space import DiskFloor
from polyrecord.record.trouble import TroubleFile

_STALLED_SECONDS = 1.0  # in one call to the disk


class Faults:
    """Kinds of work by name, such as "write" or "sync". Only the writer's thread changes it."""

    def __init__(self, trouble: TroubleFile) -> None:
        self.errors = 0  # all of them
        self._now: dict[str, str] = {}  # what fails at present, and why
        self._trouble = trouble
        self._busy_since = 0.0  # monotonic seconds; 0 outside calls to the disk

    @property
    def last(self) -> str | None:
        """What failed and has not worked since; of several the oldest."""
        return next(iter(list(self._now.values())), None)

    def __contains__(self, what: str) -> bool:
        return what in self._now

    def note(self, what: str, error: BaseException) -> None:
        """Something failed; the first time in a row it is told."""
        self.errors += 1
        is_new = what not in self._now
        self._now[what] = describe(error)
        if is_new:
            self._trouble.tell(f"{what} fails", error=self._now[what])

    def works(self, what: str) -> None:
        """Something worked; where it had failed it is told."""
        if self.forget(what):
            self._trouble.tell(f"{what} works again", good=True)

    def forget(self, what: str) -> bool:
        """Something does not fail any more; whether it did."""
        return self._now.pop(what, None) is not None

    def guard(self, what: str, action: Callable[[], object]) -> bool:
        """Do something at the disk; whether that worked."""
        with self.calling():
            try:
                action()
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
                self.note(what, error)
                return False
        self.works(what)
        return True

    @contextmanager
    def calling(self) -> Iterator[None]:
        """A call to the disk, which may hang: one that took long is told afterwards."""
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            since, self._busy_since = self._busy_since, 0.0
            if since and time.monotonic() - since > _STALLED_SECONDS:
                self._trouble.tell("the disk did not answer", seconds=round(time.monotonic() - since, 3))

    def pausing(self) -> None:
        """The rest of a call's time is no waiting for the disk."""
        self._busy_since = 0.0

    @property
    def stalled(self) -> bool:
        """Whether a call to the disk has not returned for a second."""
        since = self._busy_since
        return since > 0 and time.monotonic() - since > _STALLED_SECONDS


def describe(error: BaseException) -> str:
    """An error as people read it, with the file it is about."""
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    known = error.errno is not None and not isinstance(error, DiskFloor)
    reason = os.strerror(error.errno or 0) if known else str(error.strerror or error)
    return f"{reason}: {error.filename}" if error.filename else reason
