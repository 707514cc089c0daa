"""Makes the corpus: `python -m tests.conformance.make`. The same bytes every time, and no help of polyrecord.

What each case expects is written here by hand, from docs/format.md, not taken from what a reader says.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.conformance.bytes import EMPTY, MAGIC, Block, ending, line, stored

HERE: Final = Path(__file__).parent
DATE: Final = "data/events/date=2026-11-20"
WRITER: Final = "20261120t120000.host.1.aaaa"
OTHER: Final = "20261120t120000.host.2.bbbb"

A = Block([line(1), line(2)], 1)
B = Block([line(3), line(4)], 3)
C = Block([line(5), line(6)], 5)
ABC = (A, B, C)
SEALED: Final = f"{DATE}/events-{WRITER}-0001.jsonl.gz"
OPEN: Final = f"{DATE}/_open/events-{WRITER}-0001.jsonl.gz"

Case = tuple[dict[str, bytes], dict[str, Any]]


def packed(*blocks: Block) -> bytes:
    """The members of blocks."""
    return b"".join(block.pack() for block in blocks)


def sealed(*blocks: Block, **how: bool) -> bytes:
    """A sealed shard."""
    return packed(*blocks) + ending(blocks, **how)


def at(number: int, blocks: Sequence[Block] = ABC) -> int:
    """Where block `number` begins."""
    return len(packed(*blocks[:number]))


def flipped(data: bytes, *offsets: int) -> bytes:
    """The same with a bit of some bytes turned over."""
    changed = bytearray(data)
    for offset in offsets:
        changed[offset] ^= 0x10
    return bytes(changed)


def foreign(*lines: bytes) -> bytes:
    """A gzip member of another program."""
    content = b"".join(lines)
    tail = struct.pack("<II", zlib.crc32(content), len(content))
    return bytes.fromhex("1f8b0800000000000003") + stored(content) + tail


def lines(*seqs: int) -> list[str]:
    """The lines of these seqs."""
    return [line(seq)[:-1].decode() for seq in seqs]


def found(kind: str, offset: int, length: int, events: int | None) -> dict[str, Any]:
    """A finding."""
    return {"kind": kind, "offset": offset, "bytes": length, "events": events}


def one(place: str, data: bytes, about: str, want: Sequence[str], **more: Any) -> Case:
    """A case of one file."""
    events = more.pop("events", len(want))
    unknown = more.pop("unknown", 0)
    lost = more.pop("lost", 0)
    expected = {
        "about": about,
        "lines": list(want),
        "findings": more.pop("findings", []),
        "torn_bytes": more.pop("torn", 0),
        "padding_bytes": more.pop("padding", 0),
        "coverage": {"events": events, "lost": lost, "unknown": unknown},
        **more,
    }
    return {place: data}, expected


ALL: Final = lines(1, 2, 3, 4, 5, 6)
WITHOUT_B: Final = lines(1, 2, 5, 6)
LENGTH: Final = len(B.pack())
END: Final = len(packed(*ABC))
DIRECTORY: Final = len(ending(ABC)) - 146


def whole() -> Iterator[tuple[str, Case]]:
    """Nothing wrong, everything that may occur."""
    yield "sealed", one(SEALED, sealed(*ABC), "three blocks, directory, footer", ALL)
    yield "open", one(OPEN, packed(*ABC), "three blocks, being written", ALL)
    yield "keys-in-the-directory", one(
        SEALED, sealed(Block([line(1), line(2)], 1, traces=[7, 9], values=[1]),
                       Block([line(3)], 3, traces=[9]), keys=True),
        "the directory lists the keys", lines(1, 2, 3),
    )  # fmt: skip
    yield "keys-in-the-directory-alone", one(
        SEALED, sealed(Block([line(1), line(2)], 1, traces=[7, 0x4F1C0000], values=[1], is_listed=False),
                       Block([line(3)], 3, traces=[0x4F1C0000], is_listed=False), keys=True),
        "headers list no keys (flag UNINDEXED), the directory does: its records are without the flag",
        lines(1, 2, 3),
    )  # fmt: skip
    yield "earlier-key-tables", one(
        SEALED, sealed(Block([line(1), line(2)], 1, traces=[7, 9]), Block([line(3)], 3, traces=[9]),
                       earlier=True),
        "key tables of an earlier form (flag bit 0): ignored", lines(1, 2, 3),
    )  # fmt: skip
    yield "later-field", one(
        SEALED, sealed(A, Block(B.lines, 3, later=b"a field of the future"), C),
        "bytes before a header's CRC that version 1 does not know: ignored", ALL,
    )  # fmt: skip
    yield "other-subfield", one(
        SEALED, sealed(A, Block(B.lines, 3, before=b"XY\x03\x00abc"), C),
        "a subfield of another program before ours: ignored", ALL,
    )  # fmt: skip
    yield "unindexed", one(
        SEALED, sealed(A, Block(B.lines, 3, flags=2), C),
        "flag UNINDEXED: keys are not listed, the block is never skipped by key", ALL,
    )  # fmt: skip
    unknown_flags = Block(B.lines, 3, flags=0xFF00)
    yield "later-flags", one(SEALED, sealed(A, unknown_flags, C), "flags that version 1 does not know", ALL)
    opaque = [line(1, members='"trace_id":"run 7",'), line(2, members='"trace_id":"4F1C",')]
    keys = [zlib.crc32(b"run 7"), 0x4F1C0000]
    yield "opaque-trace-ids", one(
        SEALED, sealed(Block(opaque, 1, flags=1, traces=keys)),
        "an id that is not hex is found by the CRC-32 of its normal form",
        [each[:-1].decode() for each in opaque],
    )  # fmt: skip
    yield "declared-paths", one(
        SEALED, sealed(Block(A.lines, 1, paths=["data.market"]), B), "a block that covers a further key path",
        lines(1, 2, 3, 4),
    )  # fmt: skip


def ends() -> Iterator[tuple[str, Case]]:
    """What files end in."""
    torn = packed(*ABC)
    cuts = []
    for size in range(len(torn) + 1):
        kept = sum(size >= at(number + 1) for number in range(3))
        cuts.append({"bytes": size, "lines": 2 * kept, "torn_bytes": size - at(kept)})
    yield (
        "torn-anywhere",
        one(
            OPEN,
            torn,
            "cut the file to each of `cuts`: whole blocks are read, the rest is counted",
            ALL,
            cuts=cuts,
        ),
    )
    cut = at(2) + 100
    yield "torn-sealed", one(
        SEALED, torn[:cut], "a sealed shard must not end inside a member", lines(1, 2, 3, 4),
        findings=[found("cut short", at(2), 100, None), found("directory missing", cut, 0, None)],
    )  # fmt: skip
    yield (
        "zero-padded",
        one(OPEN, torn + bytes(64), "zero bytes behind the last member are padding", ALL, padding=64),
    )
    yield (
        "only-zeros",
        one(OPEN, bytes(64), "a file that a power cut left without its contents", [], padding=64),
    )
    yield (
        "empty",
        one(SEALED, b"", "a sealed shard has at least one block", [], findings=[found("empty", 0, 0, None)]),
    )
    yield "empty-open", one(OPEN, b"", "a shard that was just made", [])
    yield "directory-missing", one(
        SEALED, torn, "a sealed shard without its end: what was behind it nobody knows", ALL,
        findings=[found("directory missing", END, 0, None)],
    )  # fmt: skip
    text = line(7) + line(8)
    yield "text-tail", one(
        OPEN, torn + text, "lines of text behind the last block: read as what they are",
        [*ALL, *lines(7, 8)], events=6,
    )  # fmt: skip
    yield "text-whole", one(
        OPEN, line(1) + line(2) + b'{"ts":"2026', "no gzip at all; its last line is torn", lines(1, 2),
        events=0, torn=11,
    )  # fmt: skip


def others() -> Iterator[tuple[str, Case]]:
    """Gzip of other programs, and of later versions."""
    yield "foreign-member", one(
        OPEN, packed(A) + foreign(line(3), line(4)) + packed(C),
        "a gzip member of another program between two blocks", ALL, events=4, unknown=2,
    )  # fmt: skip
    yield (
        "foreign-whole",
        one(OPEN, foreign(line(1)) + foreign(line(2)), "a file of another program", lines(1, 2), events=0),
    )
    later = Block(B.lines, 3, version=2)
    yield (
        "version-2",
        one(
            OPEN,
            packed(A, later, C),
            "a member of a version to come is read as plain gzip",
            ALL,
            events=4,
            unknown=2,
        ),
    )
    hurt = flipped(packed(B), 40, LENGTH - 20)
    yield "foreign-behind-damage", one(
        OPEN, packed(A) + hurt + foreign(line(9)) + packed(C),
        "a gzip member of another program behind a damaged block is no part of the damage",
        [*lines(1, 2, 9), *lines(5, 6)], findings=[found("bytes", at(1), LENGTH, None)], events=4, unknown=2,
        may_lack=[9],
    )  # fmt: skip


def flips() -> Iterator[tuple[str, Case]]:
    """One bit, in each of the places that matter; and two."""
    shard, torn = sealed(*ABC), packed(*ABC)
    start = at(1)
    lost = found("block", start, LENGTH, 2)
    header = found("header", start, LENGTH, 0)
    directory = found("directory damaged", END, DIRECTORY + 146, 0)
    yield "flipped-content", one(
        SEALED, flipped(shard, start + 200), "a line was changed: the block is lost, and no other", WITHOUT_B,
        findings=[lost], events=6,
    )  # fmt: skip
    yield (
        "flipped-content-open",
        one(
            OPEN,
            flipped(torn, start + 200),
            "the same without a directory",
            WITHOUT_B,
            findings=[lost],
            events=6,
        ),
    )
    yield "flipped-header", one(
        SEALED, flipped(shard, start + 40), "first seq: the directory has the place and the lines' CRC", ALL,
        findings=[header], may_lack=[3, 4],
    )  # fmt: skip
    yield "flipped-header-open", one(
        OPEN, flipped(torn, start + 40), "first seq: the lines are proven by gzip's own CRC32 and ISIZE", ALL,
        findings=[header], may_lack=[3, 4],
    )  # fmt: skip
    yield "flipped-name-open", one(
        OPEN, flipped(torn, start + 12),
        "the subfield is not named PR: with the frame put back the header's CRC holds", ALL,
        findings=[header], may_lack=[3, 4],
    )  # fmt: skip
    yield "flipped-length-open", one(
        OPEN, flipped(torn, start + 20), "member length: the next block is found by its magic bytes", ALL,
        findings=[header], may_lack=[3, 4],
    )  # fmt: skip
    yield "flipped-trailer", one(
        SEALED, flipped(shard, start + LENGTH - 8), "CRC32 of the lines: the directory has it right", ALL,
        findings=[header], may_lack=[3, 4],
    )  # fmt: skip
    yield "flipped-trailer-open", one(
        OPEN, flipped(torn, start + LENGTH - 8), "CRC32 of the lines: nothing proves them", WITHOUT_B,
        findings=[lost], events=6,
    )  # fmt: skip
    yield "flipped-header-and-content", one(
        OPEN, flipped(torn, start + 40, start + 200), "the events lost are told by the ordinals around",
        WITHOUT_B, findings=[found("bytes", start, LENGTH, 2)], unknown=2,
    )  # fmt: skip
    yield "flipped-directory", one(
        SEALED, flipped(shard, END + 60), "costs no event: blocks are read from header to header", ALL,
        findings=[found("bytes", END, DIRECTORY, 0), directory],
    )  # fmt: skip
    yield "flipped-footer", one(
        SEALED, flipped(shard, len(shard) - 60), "the same", ALL,
        findings=[directory, found("bytes", END + DIRECTORY, 146, None)],
    )  # fmt: skip


def moved() -> Iterator[tuple[str, Case]]:
    """Bytes that are there twice, gone, in between or elsewhere."""
    start = at(1)
    copy = found("copy", start + LENGTH, LENGTH, 0)
    yield (
        "duplicate-block",
        one(OPEN, packed(A, B, B, C), "a block that is there twice is given once", ALL, findings=[copy]),
    )
    yield "duplicate-damaged", one(
        OPEN, packed(A) + flipped(packed(B), 200) + packed(B, C), "of two copies the one that is whole", ALL,
        findings=[found("copy", start, LENGTH, 0)],
    )  # fmt: skip
    yield "out-of-order", one(
        OPEN, packed(A, C, B), "blocks are given in the order of their seqs", ALL,
        findings=[found("order", 0, END, 0)],
    )  # fmt: skip
    yield "inserted-bytes", one(
        OPEN, packed(A) + b"junk" * 5 + packed(B, C), "twenty bytes that are no member", ALL,
        findings=[found("bytes", start, 20, 0)],
    )  # fmt: skip
    cut = packed(B)[:-50]
    yield "cut-inside", one(
        OPEN, packed(A) + cut + packed(C), "fifty bytes are gone at the end of a block", WITHOUT_B,
        findings=[found("cut short", start, len(cut), 2)], unknown=2,
    )  # fmt: skip
    hole = packed(*ABC)[: start - 30] + bytes(60) + packed(*ABC)[start + 30 :]
    yield "zeros-inside", one(
        OPEN, hole, "a page of zeros over the edge of two blocks, as after a power cut", lines(5, 6),
        findings=[found("block", 0, start, 2), found("bytes", start, LENGTH, 2)], events=4, unknown=2,
    )  # fmt: skip


def claims() -> Iterator[tuple[str, Case]]:
    """Headers that lie, with CRCs that hold."""
    huge = Block(B.lines, 3, claims=0xFFFFFFFF)
    start = at(1)
    yield "claims-4-gib", one(
        OPEN, packed(A, huge, C), "a reader does not make room for it", WITHOUT_B,
        findings=[found("block", start, LENGTH, 2)], events=6,
    )  # fmt: skip
    fewer = Block(B.lines, 3, claims=10)
    yield "claims-too-little", one(
        OPEN, packed(A, fewer, C), "it inflates to more than the header says", WITHOUT_B,
        findings=[found("block", start, LENGTH, 2)], events=6,
    )  # fmt: skip
    bad = MAGIC + struct.pack("<H", 65535) + b"PR" + struct.pack("<H", 65531) + bytes(100) + EMPTY + bytes(8)
    yield "huge-xlen", one(
        OPEN, packed(A) + bad + packed(B), "a header that claims to reach over the next blocks",
        lines(1, 2, 3, 4), findings=[found("bytes", start, len(bad), 0)],
    )  # fmt: skip


def several() -> Iterator[tuple[str, Case]]:
    """Losses, gaps, and more than one file."""
    gap = Block([line(5), line(6)], 8)
    yield "undeclared-gap", one(SEALED, sealed(A, B, gap), "ordinals 5 to 7 are nowhere", ALL, unknown=3)
    yield "gap-inside", one(
        SEALED, sealed(Block([line(1), line(2)], 1, 5), Block([line(6)], 6)),
        "the ordinals of a block reach further than its events", lines(1, 2, 6), unknown=3,
    )  # fmt: skip
    loss = line(
        9, "loss",
        '"data":{"count":2,"first_seq":3,"last_seq":4,"reason":"overload","streams":'
        '{"data/events":{"count":2,"first_ordinal":3,"last_ordinal":4}}}',
    )  # fmt: skip
    ledger = Block([loss], 1, lost=2, types={"loss": 0})
    events, expected = one(
        SEALED, sealed(A, Block([line(5), line(6)], 5)), "two events were dropped, and said to be", [],
        events=5, lost=2,
    )  # fmt: skip
    telemetry = f"logs/telemetry/date=2026-11-20/telemetry-{WRITER}-0001.jsonl.gz"
    expected["lines"] = [*WITHOUT_B, loss[:-1].decode()]
    yield "declared-loss", ({**events, telemetry: sealed(ledger)}, expected)
    second = Block([line(2), line(4)], 1)
    files, expected = one(
        SEALED,
        sealed(Block([line(1), line(3), line(5)], 1)),
        "two writers, merged by time",
        lines(1, 2, 3, 4, 5),
    )
    yield "two-writers", ({**files, SEALED.replace(WRITER, OTHER): sealed(second)}, expected)


def cases() -> Iterator[tuple[str, Case]]:
    """All of them by name."""
    for group in (whole, ends, others, flips, moved, claims, several):
        yield from group()


def file_name(case: str, number: int) -> str:
    """`<case>.jsonl.gz`, or `<case>.2.jsonl.gz` of its second file."""
    return f"{case}.jsonl.gz" if number == 1 else f"{case}.{number}.jsonl.gz"


def contents() -> Iterator[tuple[str, bytes]]:
    """Every file of the corpus, by name."""
    for case, (files, expected) in cases():
        names = {file_name(case, number): place for number, place in enumerate(files, 1)}
        yield from zip(names, files.values(), strict=True)
        document = {"about": expected.pop("about"), "files": names, **expected}
        yield f"{case}.expected.json", _text(document)


def _text(document: dict[str, Any]) -> bytes:
    """JSON with a line for each line, finding and cut."""
    rows = []
    for name, value in document.items():
        if isinstance(value, list) and value and not isinstance(value[0], int):
            inner = ",\n".join(f"  {json.dumps(each)}" for each in value)
            rows.append(f" {json.dumps(name)}: [\n{inner}\n ]")
        else:
            rows.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return ("{\n" + ",\n".join(rows) + "\n}\n").encode()


def main() -> None:
    """Write the corpus anew."""
    for old in (*HERE.glob("*.jsonl.gz"), *HERE.glob("*.expected.json")):
        old.unlink()
    for name, data in contents():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
