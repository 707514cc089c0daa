"""What happens to an event before it is numbered, off the caller's time: sampling, redaction, local time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from polyrecord.record.buffer import LINE_END, Item
from polyrecord.record.outcomes import FlushTicket

_END = len(LINE_END)
_NONE: Final[frozenset[int]] = frozenset()


class Sampler(Protocol):
    """Says which events are kept."""

    def takes(self, event_type: str, trace_id: str | None) -> bool:
        """Whether an event is kept; of one trace all or none."""


class Redactor(Protocol):
    """Takes secrets out."""

    @property
    def hashes_ids(self) -> bool:
        """Whether every event has to be cleaned, for its ids."""

    def suspects(self, parts: Sequence[bytes]) -> frozenset[int]:
        """Which of many may hold a secret, by their places."""

    def clean(self, data: bytes) -> bytes:
        """One JSON value without secrets; the same object where there are none."""

    def payload(self, data: bytes) -> bytes:
        """The same, at little cost where nothing is suspicious."""

    def trace_id(self, trace_id: str) -> str:
        """A trace id without secrets."""

    def envelope(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Envelope fields without secrets."""


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

    def look(self, items: Sequence[Item | FlushTicket]) -> frozenset[int]:
        """Which events of a slice may hold a secret, by their places: one search for all of them.

        A search gives the interpreter lock away; one for each event would cost a busy bot's drain 5 ms each.
        """
        redactor = self._redactor
        if redactor is None:
            return _NONE
        try:
            if not redactor.hashes_ids:
                return redactor.suspects([_shown(item) for item in items])
        except Exception:  # noqa: BLE001 - an id that is no text: each event is looked at on its own
            return frozenset(range(len(items)))
        return frozenset(range(len(items)))

    def clean(
        self,
        ts: int,
        payload: bytes,
        trace_id: str | None,
        envelope: Mapping[str, str] | None,
        *,
        suspect: bool | None = None,
    ) -> tuple[bytes, str | None, Mapping[str, str] | None]:
        """The event without secrets, with its local time; `payload` is data and LINE_END.

        `suspect` is what `look` said of it; None: nobody has looked.
        """
        redactor = self._redactor
        if redactor is not None and suspect is not False:
            data = payload[:-_END]
            cleaned = redactor.clean(data) if suspect else redactor.payload(data)
            if cleaned is not data:
                payload = cleaned + LINE_END
            if trace_id is not None:
                trace_id = redactor.trace_id(trace_id)
            if envelope:
                envelope = redactor.envelope(envelope)
        if self._local is not None:
            envelope = {**(envelope or {}), "ts_local": self._local(ts)}
        return payload, trace_id, envelope


def _shown(item: Item | FlushTicket) -> bytes:
    """All of an event that could hold a secret."""
    if isinstance(item, FlushTicket):
        return b""
    _, _, trace_id, payload, envelope, _ = item
    data = payload if isinstance(payload, bytes) else payload[0]
    if trace_id is None and not envelope:
        return data
    said = "\0".join((trace_id or "", *(envelope or {}).values()))
    return b"%b\0%b" % (data, said.encode("utf-8", "replace"))
