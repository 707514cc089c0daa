"""An event on one line of a terminal: time, type, trace, and what its data says first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from polyrecord.read.event import Event, NotAnEvent
from polyrecord.report.render import words

_TELLING: Final = (
    "strategy", "decision", "reason_code", "reason", "market", "side", "price", "size", "status", "net_edge",
    "expected_profit", "order_id", "client_order_id", "venue", "symbol", "error", "message",
)  # fmt: skip
_TYPE_WIDTH: Final = 18
_TRACE_WIDTH: Final = 8
_DIM, _BOLD, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN = "2", "1", "31", "32", "33", "34", "35", "36"
_OF_LEVEL: Final[Mapping[str, str]] = {
    "debug": _DIM, "warning": _YELLOW, "warn": _YELLOW, "error": _RED, "critical": _RED
}  # fmt: skip
_OF_TYPE: Final[Mapping[str, str]] = {
    "signal": _BLUE, "decision": _MAGENTA, "order": _CYAN, "fill": _GREEN, "latency": _DIM, "loss": _RED,
    "gap": _RED, "clock_step": _YELLOW,
}  # fmt: skip


class TailLine:
    """Renders recorded lines for a terminal of some width. No control character of the data gets through."""

    def __init__(self, width: int, *, colour: bool) -> None:
        self._width, self._colour = max(width, 40), colour

    def __call__(self, line: bytes) -> bytes:
        """One line without its line feed; a line that is no event is shown as it is, made harmless."""
        event = Event(line, "")
        try:
            parts = self._parts(event)
        except NotAnEvent:
            return words.short(line.decode("utf-8", "replace"), self._width).encode()
        return " ".join(parts).rstrip().encode("utf-8", "replace")

    def _parts(self, event: Event) -> list[str]:
        time = words.shown(event.ts[5:23].replace("T", " "))
        kind = words.short(event.event_type, _TYPE_WIDTH).ljust(_TYPE_WIDTH)
        trace = words.shown((event.trace_id or "")[:_TRACE_WIDTH]).ljust(_TRACE_WIDTH)
        left = self._width - len(time) - len(kind) - len(trace) - 3
        says = words.short("  ".join(_says(event)), left) if left > 1 else ""
        return [self._in(_DIM, time), self._in(_colour_of(event), kind), self._in(_DIM, trace), says]

    def _in(self, colour: str | None, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour and text.strip() else text


def _colour_of(event: Event) -> str | None:
    return _OF_LEVEL.get(event.level or "") or _OF_TYPE.get(event.event_type.partition("_")[0], _BOLD)


def _says(event: Event) -> Iterator[str]:
    """Level and code of the envelope, then the members of data, the most telling first."""
    if event.level not in (None, "info"):
        yield words.short(event.level)
    if event.reason_code is not None:
        yield words.short(event.reason_code)
    data = event.data
    if isinstance(data, dict):
        data = _telling_first(data)
    yield words.summary(data)


def _telling_first(data: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = {name: data[name] for name in _TELLING if name in data}
    return {**first, **data}
