"""The worked examples of docs/format.md, made from the code so that they cannot be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import (
    BlockIndex,
    header_length,
    pack_block,
    pack_member,
    parse_header,
    parse_payload,
)
from polyrecord.format.compress import crc32
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.ids import normal_id, trace_key, value_key
from polyrecord.times import parse_ts

BEGIN: Final = "<!-- examples:begin -->\n"
END: Final = "<!-- examples:end -->\n"
_ROW = 16  # bytes in a row of a dump

Part: TypeAlias = tuple[int, str]
"""So many bytes, and what they are."""

_TRACE = "4f1c09aa-37d2-4b8e-9d55-0a6be0c1d2e3"
_FIRST_TS, _LAST_TS = "2026-11-20T12:34:56.789123456Z", "2026-11-20T12:34:56.790000001Z"
LINES: Final = (
    f'{{"ts":"{_FIRST_TS}","seq":1,"event_type":"signal","trace_id":"{_TRACE}","data":{{"strategy":"arb"}}}}\n'
    f'{{"ts":"{_LAST_TS}","seq":2,"event_type":"fill","trace_id":"{_TRACE}","data":{{"order_id":"A-7"}}}}\n'
)


def render_examples(path: Path) -> str:
    """The page at `path`, what stands between its two markers made anew; raises ValueError without them."""
    page = path.read_text(encoding="utf-8")
    if BEGIN not in page or END not in page:
        message = f"{path} has no markers {BEGIN.strip()} and {END.strip()}"
        raise ValueError(message)
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + _examples() + END + rest.partition(END)[2]


def example_block() -> bytes:
    """A block of two lines. Its stream is stored, not compressed: that is the same bytes on every machine."""
    content = LINES.encode()
    index = BlockIndex(
        events=2, first_seq=1, last_seq=2, first_ordinal=1, last_ordinal=2,
        min_ts=parse_ts(_FIRST_TS), max_ts=parse_ts(_LAST_TS), types={"signal": 1, "fill": 1},
        trace_keys=(trace_key(normal_id(_TRACE)),), value_keys=(value_key("A-7"),),
    )  # fmt: skip
    _, payload = parse_payload(pack_block(content, index))
    size = len(content)
    stored = b"\x01" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + content
    length = (16 + len(payload) + 4 + len(stored) + 8).to_bytes(4, "little")
    return pack_member(bytes(payload[:4]) + length + bytes(payload[8:]), stored, crc32(content), size)


def example_ending() -> bytes:
    """Directory and footer of a shard that holds the block and nothing else."""
    member, builder = example_block(), DirectoryBuilder()
    builder.add(0, parse_header(member), int.from_bytes(member[-8:-4], "little"))
    return builder.ending(clean=True)


def _examples() -> str:
    block, ending = example_block(), example_ending()
    directory, footer = ending[: -c.FOOTER_SIZE], ending[-c.FOOTER_SIZE :]
    trace, value = trace_key(normal_id(_TRACE)), value_key("A-7")
    return "\n".join((
        "### A block of two lines",
        "",
        "The lines:",
        "",
        f"```json\n{LINES}```",
        "",
        f"Their member, {len(block)} bytes. Trace key: `{trace:08x}`. Value key of `A-7`: `{value:08x}`.",
        "The deflate stream is stored (not compressed), so that the lines can be seen in it.",
        "",
        _dump(block, _block_parts(block), 0),
        "",
        "### A sealed shard with one block",
        "",
        f"The block above, then the directory, {len(directory)} bytes.",
        "",
        _dump(directory, _directory_parts(), len(block)),
        "",
        f"Then the footer, {len(footer)} bytes.",
        "",
        _dump(footer, _footer_parts(), len(block) + len(directory)),
        "",
    ))  # fmt: skip


def _gzip_start() -> list[Part]:
    return [
        (4, "ID1 ID2, deflate, FEXTRA"),
        (6, "MTIME 0, XFL 0, OS unknown"),
        (2, "XLEN"),
        (4, "PR, LEN"),
    ]


def _gzip_end(deflated: int) -> list[Part]:
    stream: list[Part] = (
        [(2, "deflate stream: empty")]
        if deflated == 2
        else [
            (1, "deflate stream: last block, stored"),
            (4, "its length, and the complement"),
            (deflated - 5, "lines"),
        ]
    )
    return [(4, "CRC-32 of all before"), *stream, (4, "CRC32"), (4, "ISIZE")]


_RANGES: Final[tuple[Part, ...]] = (
    (8, "first seq"), (8, "last seq"), (8, "first ordinal"), (8, "last ordinal"),
    (8, "min ts"), (8, "max ts"),
)  # fmt: skip


def _block_parts(block: bytes) -> list[Part]:
    types: list[Part] = []
    for name, count in parse_header(block).types.items():
        types += [(1 + len(name), f"length, {name}"), (4, f"events: {count}")]
    return [
        *_gzip_start(), (4, "version 1, kind 0, flags"), (4, "member length"), (4, "content length"),
        (4, "events"), *_RANGES, (4, "lost"), (4, "T, P"), (4, "K"), (4, "V"), *types,
        (4, "trace key"), (4, "value key"), *_gzip_end(len(block) - header_length(block) - 8),
    ]  # fmt: skip


def _directory_parts() -> list[Part]:
    types: list[Part] = []
    for name in parse_header(example_block()).types:
        types += [(1 + len(name), f"length, {name}"), (8, "events")]
    return [
        *_gzip_start(), (4, "version 1, kind 1, flags"), (4, "member length"), (4, "piece number"),
        (4, "directory flags: KEYS"), (4, "B"), (4, "T"), (4, "P"), (4, "K"), (4, "V"),
        (8, "record of block 0: offset"), (4, "member length"), (4, "content length"), (4, "events"),
        (4, "flags"), *_RANGES, (4, "lost"), (4, "content CRC32"), (8, "types: bits 0 and 1"), *types,
        *_table_parts("trace"), *_table_parts("value"), *_gzip_end(2),
    ]  # fmt: skip


def _table_parts(of: str) -> list[Part]:
    return [
        (4, f"{of} keys: keys a cell"), (4, "entries"), (4, "blocks a group"), (4, "bytes of pages"),
        (4, "page 0: its first cell"), (4, "offset"), (1, "bytes a step: no steps follow"), (1, "group 0"),
    ]  # fmt: skip


def _footer_parts() -> list[Part]:
    return [
        *_gzip_start(), (4, "version 1, kind 2, CLEAN"), (4, "member length"), (8, "directory offset"),
        (8, "directory length"), (4, "directory CRC-32"), (4, "blocks"), (8, "events"),
        (8, "content bytes"), *_RANGES, (4, "lost"), (16, "fingerprint"), *_gzip_end(2),
    ]  # fmt: skip


def _dump(data: bytes, parts: list[Part], offset: int) -> str:
    return "```\n" + "\n".join(_rows(data, parts, offset)) + "\n```"


def _rows(data: bytes, parts: list[Part], offset: int) -> Iterator[str]:
    """A row for each part, more where it is long: offset in the file, bytes, what they are."""
    at = 0
    for size, meaning in parts:
        for start in range(at, at + size, _ROW):
            row = data[start : min(start + _ROW, at + size)].hex(" ")
            yield f"{offset + start:04x}  {row:<47}  {meaning if start == at else ''}".rstrip()
        at += size
    if at != len(data):
        message = f"the parts cover {at} of {len(data)} bytes"
        raise ValueError(message)
