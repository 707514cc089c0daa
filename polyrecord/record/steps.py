"""What happens to an event before it is numbered, off the caller's time: sampling, redaction, local time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from polyrecord.record.buffer import LINE_END, Envelope, Item

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

    def look(self, items: Sequence[Item]) -> frozenset[int]:
        """Which events of a slice may hold a secret, by their places: one search for all of them.

        A search gives the interpreter lock away; one for each event would cost a busy bot's drain 5 ms each.
        """
        redactor = self._redactor
        if redactor is None:
            return _NONE
        try:
            if not redactor.hashes_ids:
                payloads = [item[3] for item in items]
                parts = [payload if isinstance(payload, bytes) else payload[0] for payload in payloads]
                found = redactor.suspects([*parts, _said(items)])
                return found if len(items) not in found else redactor.suspects(list(map(_shown, items)))
        except Exception:  # noqa: BLE001 - an id that is no text: each event is looked at on its own
            return frozenset(range(len(items)))
        return frozenset(range(len(items)))

    @property
    def samples(self) -> bool:
        """Whether `takes` may be false."""
        return self._sampler is not None

    @property
    def localizes(self) -> bool:
        """Whether events get their local time."""
        return self._local is not None

    def localized(self, ts: int, envelope: Envelope) -> Envelope:
        """The envelope with the local time of the event, if that was asked for."""
        return envelope if self._local is None else {**(envelope or {}), "ts_local": self._local(ts)}

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
        return payload, trace_id, self.localized(ts, envelope)


def _data_of(item: Item) -> bytes:
    payload = item[3]
    return payload if isinstance(payload, bytes) else payload[0]


def _said(items: Sequence[Item]) -> bytes:
    """The ids and envelope fields of these events, each once."""
    said = {item[2] for item in items}
    for item in items:
        if item[4]:
            said.update(item[4].values())
    return "\0".join(text for text in said if text is not None).encode("utf-8", "replace")


def _shown(item: Item) -> bytes:
    """All of an event that could hold a secret."""
    return b"%b\0%b" % (_data_of(item), _said([item]))
