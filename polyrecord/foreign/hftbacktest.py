"""hftbacktest's raw recordings: `<local nanoseconds> <frame>`, one per line."""

from __future__ import annotations

import re

import orjson

from polyrecord.foreign.frames import raw_frame
from polyrecord.foreign.moments import to_ns
from polyrecord.foreign.objects import BOM
from polyrecord.foreign.outcome import Parsed, Reject, shorten

SOURCE = "hftbacktest"
_DIGITS = re.compile(rb"\d{1,19}")


class HftbacktestParser:
    """Reads lines of local time and frame; everything after the first space is the frame."""

    def parse(self, line: bytes) -> Parsed | Reject:
        """The raw frame of one line, or why it is none."""
        stamp, _, frame = line.removeprefix(BOM).partition(b" ")
        if _DIGITS.fullmatch(stamp) is None:
            return Reject("no local time", f"not nanoseconds: {shorten(stamp)}")
        if not frame.strip():
            return Reject("no frame", "nothing after the local time")
        try:
            ts_ns = to_ns(int(stamp), "ns")
        except ValueError as error:
            return Reject("no local time", str(error))
        return raw_frame(ts_ns, SOURCE, frame)

    def is_whole(self, line: bytes) -> bool:
        """Whether the frame is a whole JSON object or array: of other text nobody can tell."""
        frame = line.partition(b" ")[2]
        try:
            orjson.loads(frame)
        except orjson.JSONDecodeError:
            return False
        return frame.rstrip().endswith((b"}", b"]"))
