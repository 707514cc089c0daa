"""The beginning of a log, plain or gzip, to tell its format from."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final

HEAD: Final = 1 << 16  # bytes of content
_GZIP: Final = b"\x1f\x8b"
_STEP: Final = 256
_FRAMING: Final = 31  # window bits that ask zlib for gzip framing


def read_head(path: Path, size: int = HEAD) -> bytes:
    """The first bytes of a log's content, without the zeros that a crash may have left; raises OSError.

    Damaged gzip gives what there is before the damage.
    """
    with path.open("rb") as file:
        stored = file.read(size)
    return (_inflated(stored, size) if stored.startswith(_GZIP) else stored).lstrip(b"\0")


def _inflated(packed: bytes, size: int) -> bytes:
    content = b""
    while packed.startswith(_GZIP) and len(content) < size:
        unpacker = zlib.decompressobj(_FRAMING)
        try:
            for at in range(0, len(packed), _STEP):  # in steps: what is before damage is not lost with it
                content += unpacker.decompress(packed[at : at + _STEP])
                if unpacker.eof or len(content) >= size:
                    break
        except zlib.error:
            break
        packed = unpacker.unused_data.lstrip(b"\0") + packed[at + _STEP :] if unpacker.eof else b""
    return content[:size]
