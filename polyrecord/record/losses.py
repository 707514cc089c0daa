"""Tells the bot of its losses, on threads of their own: a hook may hang, raise, flush, or close."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from polyrecord.record.outcomes import LossNotice
from polyrecord.record.trouble import LOG
from polyrecord.times import SECOND

_AT_CLOSE: Final = 1.0  # seconds that a close waits for a hook


class LossHook:
    """Calls an `on_loss` hook: at the first loss at once, then every second while there are more.

    One call at a time. While one hangs no other is made; the next tells of everything since.
    """

    def __init__(self, hook: Callable[[LossNotice], object]) -> None:
        self._hook = hook
        self._told = 0  # losses that the hook knows of
        self._told_ns = 0
        self._call: threading.Thread | None = None

    def tell(self, total: int, by_reason: Mapping[str, int], now_ns: int) -> None:
        """Tell of `total` losses if there are new ones, and it is time."""
        if total == self._told or (self._told and now_ns - self._told_ns < SECOND) or self._busy:
            return
        self._begin(total, by_reason, now_ns)

    def tell_last(self, total: int, by_reason: Mapping[str, int], now_ns: int) -> None:
        """Tell of what is new at a close, and wait for that, but not for long."""
        self._wait()
        if total != self._told and not self._busy:
            self._begin(total, by_reason, now_ns)
            self._wait()

    @property
    def _busy(self) -> bool:
        return self._call is not None and self._call.is_alive()

    def _wait(self) -> None:
        if self._call is not None:
            self._call.join(_AT_CLOSE)

    def _begin(self, total: int, by_reason: Mapping[str, int], now_ns: int) -> None:
        notice = LossNotice(total - self._told, total, dict(by_reason))
        call = threading.Thread(target=self._tell, args=(notice,), name="polyrecord-on-loss", daemon=True)
        try:
            call.start()
        except RuntimeError:  # the system has no thread left: told later
            return
        self._call, self._told, self._told_ns = call, total, now_ns

    def _tell(self, notice: LossNotice) -> None:
        try:
            self._hook(notice)
        except (Exception, SystemExit):  # noqa: BLE001 - the bot's code; the recording goes on
            LOG.exception("the on_loss hook raised")
