"""What happens to an event before it is numbered, off the caller's time: sampling, redaction, local time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, cast

from polyrecord.record.item import CLOSE, Envelope
from polyrecord.record.portion import Portion

_END = len(CLOSE)
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

    def look(self, portion: Portion) -> frozenset[int]:
        """Which events of a slice may hold a secret, by their places: one search for all of them.

        A search gives the interpreter lock away; one for each event would cost a busy bot's drain 5 ms each.
        """
        redactor = self._redactor
        if redactor is None:
            return _NONE
        try:
            if not redactor.hashes_ids:
                parts = _recorded(portion)
                found = redactor.suspects([*parts, _said(portion)])
                return found if len(parts) not in found else redactor.suspects(_shown(portion))
        except Exception:  # noqa: BLE001 - an id that is no text: each event is looked at on its own
            return frozenset(range(len(portion)))
        return frozenset(range(len(portion)))

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
        """The event without secrets, with its local time; `payload` is data and CLOSE.

        `suspect` is what `look` said of it; None: nobody has looked.
        """
        redactor = self._redactor
        if redactor is not None and suspect is not False:
            data = payload[:-_END]
            cleaned = redactor.clean(data) if suspect else redactor.payload(data)
            if cleaned is not data:
                payload = cleaned + CLOSE
            if trace_id is not None:
                trace_id = redactor.trace_id(trace_id)
            if envelope:
                envelope = redactor.envelope(envelope)
        return payload, trace_id, self.localized(ts, envelope)


def _recorded(portion: Portion) -> Sequence[bytes]:
    """What was recorded, a raw frame as it came."""
    if portion.recorded is portion.payloads:
        return portion.payloads
    return [one if isinstance(one, bytes) else one[0] for one in portion.recorded]


def _said(portion: Portion) -> bytes:
    """The ids and envelope fields of these events, each once."""
    said = {*portion.traces}
    for envelope in portion.distinct_envelopes:
        if envelope:
            said.update(envelope.values())
    said.discard(None)
    return "\0".join(cast("set[str]", said)).encode("utf-8", "replace")


def _shown(portion: Portion) -> list[bytes]:
    """All of each event that could hold a secret."""
    said = (_said(portion.part(at, at + 1)) for at in range(len(portion)))
    return [b"%b\0%b" % shown for shown in zip(_recorded(portion), said, strict=True)]
