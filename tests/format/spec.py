"""A second reader of headers, written from the tables of docs/format.md and from nothing else."""

from __future__ import annotations

import struct
import zlib
from typing import Any

BLOCK = [
    (0, "B", "version"), (1, "B", "kind"), (2, "H", "flags"), (4, "I", "member_length"),
    (8, "I", "content_length"), (12, "I", "events"), (16, "Q", "first_seq"), (24, "Q", "last_seq"),
    (32, "Q", "first_ordinal"), (40, "Q", "last_ordinal"), (48, "q", "min_ts"), (56, "q", "max_ts"),
    (64, "I", "lost"), (68, "H", "T"), (70, "H", "P"), (72, "I", "K"), (76, "I", "V"),
]  # fmt: skip
FOOTER = [
    (0, "B", "version"), (1, "B", "kind"), (2, "H", "flags"), (4, "I", "member_length"),
    (8, "Q", "directory_offset"), (16, "Q", "directory_length"), (24, "I", "directory_crc"),
    (28, "I", "blocks"), (32, "Q", "events"), (40, "Q", "content_length"), (48, "Q", "first_seq"),
    (56, "Q", "last_seq"), (64, "Q", "first_ordinal"), (72, "Q", "last_ordinal"), (80, "q", "min_ts"),
    (88, "q", "max_ts"), (96, "I", "lost"), (100, "16s", "fingerprint"),
]  # fmt: skip
COUNTS = [(0, "I", "flags"), (4, "I", "B"), (8, "I", "T"), (12, "I", "P"), (16, "I", "K"), (20, "I", "V")]
RECORD = [
    (0, "Q", "offset"), (8, "I", "member_length"), (12, "I", "content_length"), (16, "I", "events"),
    (20, "I", "flags"), (24, "Q", "first_seq"), (32, "Q", "last_seq"), (40, "Q", "first_ordinal"),
    (48, "Q", "last_ordinal"), (56, "q", "min_ts"), (64, "q", "max_ts"), (72, "I", "lost"),
    (76, "I", "content_crc"), (80, "Q", "types"),
]  # fmt: skip


def fields(table: list[tuple[int, str, str]], data: bytes, start: int = 0) -> dict[str, Any]:
    """The fields of a table at their offsets."""
    return {name: struct.unpack_from("<" + kind, data, start + at)[0] for at, kind, name in table}


def payload_of(member: bytes) -> bytes:
    """The PR subfield's bytes, its CRC checked and taken off, of a member with no other subfield."""
    assert member[:10] == bytes.fromhex("1f8b08040000000000ff")
    (xlen,) = struct.unpack_from("<H", member, 10)
    assert xlen <= 32_000
    assert member[12:14] == b"PR"
    (length,) = struct.unpack_from("<H", member, 14)
    assert length == xlen - 4
    end = 16 + length
    assert struct.unpack_from("<I", member, end - 4)[0] == zlib.crc32(member[: end - 4])
    return member[16 : end - 4]


def block_of(member: bytes) -> dict[str, Any]:
    """All fields of a block's header."""
    payload = payload_of(member)
    found = fields(BLOCK, payload)
    at, types, paths = 80, {}, []
    for _ in range(found["T"]):
        name, at = text_at(payload, at)
        (types[name],) = struct.unpack_from("<I", payload, at)
        at += 4
    for _ in range(found["P"]):
        name, at = text_at(payload, at)
        paths.append(name)
    traces, at = words_at(payload, at, found["K"])
    values, at = words_at(payload, at, found["V"])
    assert at == len(payload)
    return {**found, "types": types, "paths": tuple(paths), "trace_keys": traces, "value_keys": values}


def directory_of(raw: bytes) -> dict[str, Any]:
    """All tables of a directory's byte string."""
    found = fields(COUNTS, raw)
    records = [fields(RECORD, raw, 24 + 88 * number) for number in range(found["B"])]
    at, types, paths = 24 + 88 * found["B"], {}, []
    for _ in range(found["T"]):
        name, at = text_at(raw, at)
        (types[name],) = struct.unpack_from("<Q", raw, at)
        at += 8
    for _ in range(found["P"]):
        name, at = text_at(raw, at)
        paths.append(name)
    assert found["flags"] in (0, 4)
    traces: list[tuple[int, int, int, int]] = []
    values: list[tuple[int, int, int, int]] = []
    if found["flags"] & 4:
        traces, at = key_table_at(raw, at)
        values, at = key_table_at(raw, at)
    assert at == len(raw)
    return {**found, "records": records, "types": types, "paths": paths, "traces": traces, "values": values}


def key_table_at(data: bytes, at: int) -> tuple[list[tuple[int, int, int, int]], int]:
    """The entries of a key table: the least and greatest key of a cell, first and last block of a group."""
    width, entries, group, size = struct.unpack_from("<IIII", data, at)
    count = -(-entries // 128)
    fences = [struct.unpack_from("<II", data, at + 16 + 8 * page) for page in range(count)]
    start = at + 16 + 8 * count
    found = []
    for page, (cell, offset) in enumerate(fences):
        n = min(128, entries - 128 * page)
        step = data[start + offset]
        first = start + offset + 1
        cells = [cell]
        for i in range(n - 1):
            cells.append(
                cells[-1] + int.from_bytes(data[first + step * i : first + step * (i + 1)], "little")
            )
        groups = data[first + step * (n - 1) : first + step * (n - 1) + n]
        found += [
            (c * width, (c + 1) * width - 1, g * group, (g + 1) * group - 1)
            for c, g in zip(cells, groups, strict=True)
        ]
    return found, start + size


def text_at(data: bytes, at: int) -> tuple[str, int]:
    """A length byte and so many bytes of UTF-8."""
    end = at + 1 + data[at]
    assert end <= len(data)
    return data[at + 1 : end].decode(), end


def words_at(data: bytes, at: int, count: int) -> tuple[list[int], int]:
    """So many u32."""
    return list(struct.unpack_from(f"<{count}I", data, at)), at + 4 * count
