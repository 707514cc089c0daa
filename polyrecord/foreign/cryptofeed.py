"""cryptofeed's raw recordings: one JSON object per line for every frame, request and header."""

from __future__ import annotations

from typing import Any

from polyrecord.foreign.fields import pick_exact
from polyrecord.foreign.frames import raw_frame
from polyrecord.foreign.moments import to_ns
from polyrecord.foreign.objects import load_object
from polyrecord.foreign.outcome import Parsed, Reject

SOURCE = "cryptofeed"
_MEMBERS = (("conn", "conn"), ("kind", "t"))  # what data calls it, what the line calls it


class CryptofeedParser:
    """Keeps every line whole as a frame; the header line names the exchange of those below it."""

    def __init__(self) -> None:
        self._exchange: str | None = None

    def is_whole(self, line: bytes) -> bool:
        """True: a JSON object cannot be longer than one that parsed."""
        return True

    def parse(self, line: bytes) -> Parsed | Reject:
        """The raw frame of one line, or why it is none."""
        loaded = load_object(line)
        if isinstance(loaded, Reject):
            return loaded
        value = loaded.value
        field = "ts" if "ts" in value else "recorded"
        if field not in value:
            return Reject("no timestamp", "there is neither 'ts' nor 'recorded'")
        try:
            ts_ns = to_ns(pick_exact(value, field, loaded.text), "s")
        except ValueError as error:
            return Reject("unusable timestamp", f"{field}: {error}")
        more = {name: value[key] for name, key in _MEMBERS if _is_text(value.get(key))}
        return raw_frame(ts_ns, self._source(value), line, **more)

    def _source(self, value: dict[str, Any]) -> str:
        if _is_text(value.get("exchange")):
            self._exchange = value["exchange"]
        if self._exchange is not None:
            return f"{SOURCE}:{self._exchange}"
        conn = value.get("conn")
        return f"{SOURCE}:{conn.partition('.')[0]}" if isinstance(conn, str) and conn else SOURCE


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""
