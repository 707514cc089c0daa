"""The `raw_frame` event: a venue's frame kept byte for byte."""

from __future__ import annotations

from base64 import b64encode

import orjson

from polyrecord.foreign.outcome import Parsed

RAW_FRAME = "raw_frame"


def raw_frame(ts_ns: int, source: str, frame: bytes, **more: str) -> Parsed:
    """The event of a frame received at `ts_ns`; `more` are further members of `data`."""
    members = [b'"source":%b,"received_ns":%d' % (orjson.dumps(source), ts_ns)]
    members += [b'"%b":%b' % (name.encode(), orjson.dumps(value)) for name, value in more.items()]
    members.append(_member(frame))
    return Parsed(ts_ns, RAW_FRAME, None, b"{%b}" % b",".join(members))


def _member(frame: bytes) -> bytes:
    try:
        return b'"frame":' + orjson.dumps(frame.decode())
    except UnicodeDecodeError:
        return b'"frame_b64":"%b"' % b64encode(frame)
