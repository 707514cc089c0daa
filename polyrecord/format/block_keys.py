"""The keys of a block, without the rest of its header: can it hold an id or a value? (docs/format.md, 4)"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from polyrecord.format import constants as c
from polyrecord.format.block import FIXED, BadHeader, key_tables, parse_names, parse_payload


class BlockKeys(NamedTuple):
    """The part of a header that tells whether a block can hold an id or a value."""

    flags: int
    paths: tuple[str, ...]
    trace_keys: Sequence[int]
    value_keys: Sequence[int]


def parse_keys(buffer: bytes | memoryview) -> BlockKeys:
    """The keys of the block whose header begins the buffer, at a third of what `parse_header` costs.

    Raises BadHeader.
    """
    kind, payload = parse_payload(buffer)
    if kind != c.KIND_BLOCK:
        raise BadHeader("member is not a block")
    try:
        fixed = FIXED.unpack_from(payload)
        at = FIXED.size
        for _ in range(fixed[13]):
            at += 1 + payload[at] + 4
        paths, at = parse_names(payload, at, fixed[14])
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise BadHeader("header tables do not fit") from error
    return BlockKeys(fixed[2], paths, *key_tables(payload, at, fixed[15], fixed[16]))
