"""Deflate and CRC-32 by isal (igzip), loaded at the first block: `import polyrecord` stays cheap."""

from __future__ import annotations

from typing import Any

_RAW = -15  # window bits of a deflate stream without zlib or gzip framing


def _isal() -> Any:
    from isal import isal_zlib

    return isal_zlib


def load() -> None:
    """Load what compresses, now rather than at the first block."""
    _isal()


def deflate(content: bytes, level: int) -> bytes:
    """A raw deflate stream of `content`; level 0 (fast) to 3 (small)."""
    packer = _isal().compressobj(level, 8, _RAW)
    return bytes(packer.compress(content) + packer.flush())


def inflate_raw(deflated: bytes | memoryview, length: int) -> bytes:
    """What a raw deflate stream holds, at most `length` + 1 bytes; raises what isal raises.

    A stream that does not end, or has bytes after its end, raises ValueError.
    """
    unpacker = _isal().decompressobj(wbits=_RAW)
    content = unpacker.decompress(deflated, length + 1)
    if not unpacker.eof and len(content) <= length:
        content += unpacker.flush()
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("deflate stream does not end where the member does")
    return bytes(content)


def crc32(data: bytes | memoryview) -> int:
    """CRC-32 as gzip has it, faster than zlib's for long data."""
    return int(_isal().crc32(data))
