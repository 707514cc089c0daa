"""Recorded frames from a file, gzip or plain, read a piece at a time.

Three forms, told apart by the first line:

- `<nanoseconds> <frame>`, as hftbacktest's collector writes it;
- one JSON object a line with `t`, `conn`, `ts` and the frame as text in `data`, as cryptofeed's raw recorder
  does;
- the bare frame, one a line.

A line that does not fit its file's form (a header, a connection notice, half a line) is a frame too, byte for
byte: it is for the bot to say that it knows nothing of the kind.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import aiofiles
import orjson

from polyrecord.demo.feed import Frame

_PIECE = 1 << 16
_GZIP = b"\x1f\x8b"
_STAMPED = re.compile(rb"(\d{18,20}) (.+)", re.DOTALL)
_Parse = Callable[[bytes, str], Frame]


async def recorded(path: Path) -> AsyncIterator[Frame]:
    """The frames of a file, in its order; raises OSError, EOFError or zlib.error where it ends early."""
    parse: _Parse | None = None
    source = path.name.split(".")[0]
    async for line in _lines(_plain(path)):
        if parse is None:
            parse = _form_of(line)
        yield parse(line, source)


async def _plain(path: Path) -> AsyncIterator[bytes]:
    async with aiofiles.open(path, "rb") as file:
        piece = await file.read(_PIECE)
        if not piece.startswith(_GZIP):
            while piece:
                yield piece
                piece = await file.read(_PIECE)
            return
        gunzip = zlib.decompressobj(wbits=31)
        while piece:
            yield gunzip.decompress(piece)
            piece = gunzip.unused_data
            if piece:  # another member begins
                gunzip = zlib.decompressobj(wbits=31)
            else:
                piece = await file.read(_PIECE)
        if not gunzip.eof:
            raise EOFError(f"{path} ends in the middle of its gzip stream")


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest: list[bytes] = []
    async for piece in pieces:
        first, *others = piece.split(b"\n")
        rest.append(first)
        for each in others:
            line, rest = b"".join(rest).rstrip(b"\r"), [each]
            if line:
                yield line
    line = b"".join(rest)
    if line:
        yield line


def _form_of(line: bytes) -> _Parse:
    if _STAMPED.fullmatch(line):
        return _hftbacktest
    message = _json_object(line)
    if "t" in message and ("conn" in message or message["t"] == "header"):
        return _cryptofeed
    return _bare


def _hftbacktest(line: bytes, source: str) -> Frame:
    match = _STAMPED.fullmatch(line)
    if match is None:
        return _bare(line, source)
    return Frame(match[2], source, int(match[1]))


def _cryptofeed(line: bytes, source: str) -> Frame:
    message = _json_object(line)
    data = message.get("data")
    if message.get("t") not in {"recv", "http"} or not isinstance(data, str):
        return _bare(line, source)
    about = message.get("url") or message.get("conn") or ""
    return Frame(data.encode(), source, _nanoseconds(message.get("ts")), str(about))


def _bare(line: bytes, source: str) -> Frame:
    return Frame(line, source)


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}


def _nanoseconds(seconds: Any) -> int | None:
    """Epoch seconds as the recorder printed them; through text, so that no digit is invented."""
    try:
        return int(Decimal(repr(seconds)) * 1_000_000_000)
    except InvalidOperation:
        return None
