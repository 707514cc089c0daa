"""What happens to an event before it is numbered, off the caller's time: sampling, redaction, local time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from polyrecord.record.buffer import LINE_END

_END = len(LINE_END)


class Sampler(Protocol):
    """Says which events are kept."""

    def takes(self, event_type: str, trace_id: str | None) -> bool:
        """Whether an event is kept; of one trace all or none."""


class Redactor(Protocol):
    """Takes secrets out."""

    def payload(self, data: bytes) -> bytes:
        """One JSON value without secrets; the same object where there are none."""

    def text(self, text: str) -> str:
        """A text without secrets."""


class Steps:
    """The steps that were asked for; those that were not cost a comparison."""

    __slots__ = ("_local", "_redactor", "_sampler", "sampled_out")

    def __init__(
        self,
        sampler: Sampler | None = None,
        redactor: Redactor | None = None,
        local: Callable[[int], str] | None = None,
    ) -> None:
        """`local` gives the text of a time in the zone that was asked for."""
        self.sampled_out = 0
        self._sampler = sampler
        self._redactor = redactor
        self._local = local

    def takes(self, event_type: str, trace_id: str | None) -> bool:
        """Whether the event is kept; what is not is counted, and gets no number."""
        if self._sampler is None or self._sampler.takes(event_type, trace_id):
            return True
        self.sampled_out += 1
        return False

    def clean(
        self, ts: int, payload: bytes, trace_id: str | None, envelope: Mapping[str, str] | None
    ) -> tuple[bytes, str | None, Mapping[str, str] | None]:
        """The event without secrets, with its local time; `payload` is data and LINE_END."""
        redactor = self._redactor
        if redactor is not None:
            data = payload[:-_END]
            cleaned = redactor.payload(data)
            if cleaned is not data:
                payload = cleaned + LINE_END
            if trace_id is not None:
                trace_id = redactor.text(trace_id)
            if envelope:
                envelope = {name: redactor.text(value) for name, value in envelope.items()}
        if self._local is not None:
            envelope = {**(envelope or {}), "ts_local": self._local(ts)}
        return payload, trace_id, envelope
