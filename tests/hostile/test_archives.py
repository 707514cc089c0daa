"""Archives made to do harm: bounded memory, nothing followed, nothing believed, all of it told."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import pytest

from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from tests.conformance.bytes import MAGIC, Block, ending, line, member, stored
from tests.conformance.make import DATE, OPEN, SEALED, WRITER, A, B, C, packed, sealed
from tests.hostile.conftest import Ask, Done

MOST_MIB: Final = 200
BOMB: Final = 1 << 30
LARGE: Final = 300 << 20
SECRET: Final = "the-content-of-another-file"
FEW: Final = (("info",), ("replay",), ("verify",))
COMMANDS: Final = (
    *FEW,
    ("summarize",),
    ("trace", "4f1c"),
    ("grep", "signal"),
    ("tail", "-n", "5"),
    ("validate",),
    ("repack",),
    ("sql", "select count(*) from events"),
)


def put(root: Path, place: str, data: bytes) -> Path:
    """A file of an archive."""
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def commands(ask: Ask, root: Path, which: Iterable[tuple[str, ...]] = FEW) -> dict[str, Done]:
    """What commands make of an archive, each checked for what none may do."""
    done = {}
    for words in which:
        got = done[words[0]] = ask(*words, "--root", root)
        assert got.code in (0, 1, 2, 3), (words, got.code, got.err[-500:])
        assert "Traceback" not in got.said, (words, got.err[-1500:])
        assert got.mib < MOST_MIB, (words, got.mib)
        assert SECRET not in got.said, words
        assert "\x1b" not in got.said, words
    return done


def zeros(size: int) -> bytes:
    """A deflate stream of so many zeros, a thousandth as long."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return piece * (size >> 20) + packer.flush()


def bomb() -> bytes:
    """A gzip member of a gibibyte of zeros; its CRC is wrong, which is known only after all of it."""
    return bytes.fromhex("1f8b0800000000000003") + zeros(BOMB) + struct.pack("<II", 1, BOMB)


def test_a_block_that_claims_four_gib_is_refused(ask: Ask, tmp_path: Path) -> None:
    huge = Block(B.lines, 3, claims=0xFFFFFFFF)
    put(tmp_path, OPEN, packed(A, huge, C))
    done = commands(ask, tmp_path, COMMANDS)
    assert done["replay"].code == 3
    assert done["replay"].out.count("\n") == 4
    assert "damaged" in done["replay"].err


@pytest.mark.parametrize("claims", [100, 0xFFFFFFFF])
def test_a_bomb_in_a_block_of_ours_is_stopped_at_what_its_header_says(
    ask: Ask, tmp_path: Path, claims: int
) -> None:
    packed_zeros = zeros(BOMB)
    payload = struct.pack(
        "<BBHIIIQQQQqqIHHII", 1, 0, 0, 0, claims, 2, 3, 4, 3, 4, *B.times, 0, 0, 0, 0, 0
    )  # fmt: skip
    put(tmp_path, OPEN, packed(A) + member(payload, packed_zeros, b"") + packed(C))
    done = commands(ask, tmp_path)
    assert done["replay"].code == 3
    assert done["replay"].out.count("\n") == 4


def test_a_bomb_in_plain_gzip_takes_no_more_memory_than_a_line_may(ask: Ask, tmp_path: Path) -> None:
    put(tmp_path, OPEN, packed(A) + bomb() + packed(C))
    for words in (("replay",), ("verify",)):
        got = ask(*words, "--root", tmp_path)
        assert got.mib < MOST_MIB
        assert got.code == 3, got.err
        assert "Traceback" not in got.said


def test_a_bomb_behind_a_damaged_header_is_not_looked_into_for_ever(ask: Ask, tmp_path: Path) -> None:
    hurt = bytearray(packed(B)[:-8] + zeros(BOMB >> 4))
    hurt[40] ^= 1
    put(tmp_path, OPEN, packed(A) + bytes(hurt) + packed(C))
    assert commands(ask, tmp_path)["replay"].code == 3


def outside(tmp_path: Path) -> Path:
    """A whole shard that belongs to somebody else."""
    return put(
        tmp_path / "outside", "secret.jsonl.gz", packed(Block([line(1, members=f'"bot_id":"{SECRET}",')], 1))
    )


def link(at: Path, to: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(to)


def _shard(root: Path, secret: Path) -> None:
    link(root / DATE / f"events-{WRITER}-0002.jsonl.gz", secret)


def _date(root: Path, secret: Path) -> None:
    secret.rename(secret.with_name(f"events-{WRITER}-0002.jsonl.gz"))
    link(root / "data/events/date=2026-11-21", secret.parent)


def _stream(root: Path, secret: Path) -> None:
    place = secret.parent / "date=2026-11-20"
    place.mkdir()
    secret.rename(place / f"other-{WRITER}-0001.jsonl.gz")
    link(root / "data/other", secret.parent)


def _open(root: Path, secret: Path) -> None:
    secret.rename(secret.with_name(f"events-{WRITER}-0002.jsonl.gz"))
    link(root / DATE / "_open", secret.parent)


def _tree(root: Path, secret: Path) -> None:
    place = secret.parent / "telemetry/date=2026-11-20"
    place.mkdir(parents=True)
    secret.rename(place / f"telemetry-{WRITER}-0001.jsonl.gz")
    link(root / "logs", secret.parent)


def _manifest(root: Path, secret: Path) -> None:
    secret.write_text(json.dumps({"writer": WRITER, "kind": SECRET, "format": 1}))
    link(root / f"logs/_writers/{WRITER}.json", secret)


def _ledger(root: Path, secret: Path) -> None:
    secret.write_text(SECRET)
    link(root / "logs/_pruned/x.jsonl", secret)


@pytest.mark.parametrize("lay", [_shard, _date, _stream, _open, _tree, _manifest, _ledger])
def test_no_symbolic_link_is_followed(ask: Ask, tmp_path: Path, lay: Callable[[Path, Path], None]) -> None:
    root = tmp_path / "archive"
    put(root, SEALED, sealed(A, B))
    lay(root, outside(tmp_path))
    done = commands(ask, root)
    assert done["replay"].out.count("\n") == 4


@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_what_is_named_like_a_shard_and_is_no_file_is_passed_over(
    ask: Ask, tmp_path: Path, kind: str
) -> None:
    put(tmp_path, SEALED, sealed(A, B))
    place = tmp_path / SEALED.replace("0001", "0002")
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "directory":
        place.mkdir()
    else:
        try:
            os.mknod(place, 0o020666, os.makedev(1, 5))  # /dev/zero: never ends
        except PermissionError:
            pytest.skip("only root may make a device")
    done = commands(ask, tmp_path)
    assert done["replay"].out.count("\n") == 4


@pytest.mark.parametrize("kind", ["fifo", "link", "device"])
def test_what_takes_a_shard_s_place_after_it_was_listed_is_told(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path, SEALED, sealed(A, B))
    other = put(tmp_path, SEALED.replace("events", "books"), sealed(C))
    replay = Replay(Archive(tmp_path), Selection(), explain=(explain := Explain()))
    shards = Archive(tmp_path).shards()
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(other)
    else:
        try:
            os.mknod(path, 0o020666, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("only root may make a device")
    from polyrecord.read.shard import open_shard

    assert [open_shard(info, explain) for info in shards if info.path == path] == [None]
    (finding,) = explain.damage
    assert (finding.path, finding.events) == (path, None)
    assert "cannot be read" in finding.reason
    assert list(replay.lines()) == [each[:-1] for each in C.lines]


NAMES: Final = (
    "data/\x1b[2Jevil/date=2026-11-20/x.jsonl.gz",
    "data/events/date=2026-11-20/events-\x1b[31m-0001.jsonl.gz",
    "data/events/date=\x1b[0m/events-a-0001.jsonl.gz",
    "data/events/date=2026-11-20/..-a-0001.jsonl.gz",
    "data/events/date=2026-11-20/events-..%2f..-0001.jsonl.gz",
    "data/events/date=2026-11-20/events-a\nb-0001.jsonl.gz",
    "data/events/date=2026-11-20/_open/events-A;rm -rf-0001.jsonl.gz",
    "data/events/date=2026-99-99/events-a-0001.jsonl.gz",
    "data/events/date=2026-11-20/events-$(id)-0001.jsonl.gz",
    "logs/_writers/\x1b]0;evil\x07.json",
    "logs/_pruned/\x1b[2J.jsonl",
    "logs/_runs/..\x1b[2J.jsonl",
)


def test_names_nobody_may_have_are_ignored_and_never_shown_raw(ask: Ask, tmp_path: Path) -> None:
    put(tmp_path, SEALED, sealed(A, B))
    for name in NAMES:
        put(tmp_path, name, packed(Block([line(7)], 1)))
    done = commands(ask, tmp_path, COMMANDS)
    assert done["replay"].out.count("\n") == 4


def test_a_shard_s_contents_cannot_steer_a_terminal(ask: Ask, tmp_path: Path) -> None:
    """Escapes in the header's names, in a type, an id and the data of lines, as JSON spells them."""
    nasty = "\\u001b[2J\\u001b]0;evil\\u0007"
    rows = [line(1, nasty, f'"trace_id":"4f1c{nasty}","bot_id":"{nasty}","data":{{"x":"{nasty}"}}')]
    header = {"\x1b[2J": 0, "\x1b]0;evil\x07": 0}
    put(tmp_path, SEALED, sealed(Block(rows, 1, types=header, flags=2, paths=["\x1b[2J"])))
    done = commands(ask, tmp_path, COMMANDS)
    assert "\x07" not in "".join(got.said for got in done.values())


def lying_footer(blocks: int, length: int, offset: int) -> bytes:
    """A footer whose CRC holds and whose numbers do not."""
    payload = struct.pack(
        "<BBHIQQIIQQQQQQqqI16s", 1, 2, 0, 0, offset, length, 0, blocks, 2**63, 2**63, 1, 2**63, 1, 2**63, 0,
        0, 0, bytes(16),
    )  # fmt: skip
    return member(payload, b"\x03\x00", b"")


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<IIIIII", 2, 0xFFFFFFFF, 0, 0, 0, 0),
        struct.pack("<IIIIII", 1, 1, 0xFFFFFFFF, 0, 0, 0) + bytes(88),
        struct.pack("<IIIIII", 1, 1, 0, 0xFFFFFFFF, 0, 0) + bytes(88),
        struct.pack("<IIIIII", 4, 1, 0, 0, 0, 0)
        + bytes(88)
        + struct.pack("<IIII", 1, 0xFFFFFFFF, 1, 0xFFFFFFFF),
        b"",
    ],
    ids=["blocks", "types", "paths", "keys", "nothing"],
)
def test_a_directory_that_claims_four_billion_of_anything_is_not_believed(
    ask: Ask, tmp_path: Path, raw: bytes
) -> None:
    directory = member(struct.pack("<BBHII", 1, 1, 0, 0, 0) + raw, b"\x03\x00", b"")
    payload = struct.pack(
        "<BBHIQQIIQQQQQQqqI16s", 1, 2, 0, 0, len(packed(A, B)), len(raw), zlib.crc32(raw), 0xFFFFFFFF, 2**63,
        2**63, 1, 2**63, 1, 2**63, 0, 0, 0, bytes(16),
    )  # fmt: skip
    put(tmp_path, SEALED, packed(A, B) + directory + member(payload, b"\x03\x00", b""))
    assert commands(ask, tmp_path)["replay"].out.count("\n") == 4


def test_a_directory_as_long_as_the_file_is_not_read_into_memory(ask: Ask, tmp_path: Path) -> None:
    path = put(tmp_path, SEALED, packed(A, B))
    size = len(packed(A, B))
    with path.open("r+b") as file:
        file.truncate(LARGE)
        file.seek(LARGE)
        file.write(lying_footer(1, LARGE - size, size))
    got = ask("replay", "--root", tmp_path)
    assert (got.code, got.out.count("\n")) == (3, 4)
    assert got.mib < MOST_MIB


@pytest.mark.parametrize("offset", [2**64 - 1, 2**63, 10**6])
def test_a_directory_beyond_the_end_of_the_file_is_not_looked_for(
    ask: Ask, tmp_path: Path, offset: int
) -> None:
    put(tmp_path, SEALED, packed(A, B) + lying_footer(1, 100, offset))
    assert commands(ask, tmp_path, FEW[:2])["replay"].out.count("\n") == 4


def test_directory_records_that_point_anywhere_give_nothing_wrong(ask: Ask, tmp_path: Path) -> None:
    good = ending((A, B))
    raw = bytearray(good)
    at = raw.index(struct.pack("<Q", len(packed(A))))
    raw[at : at + 8] = struct.pack("<Q", 2**62)
    end = 12 + int.from_bytes(raw[10:12], "little")
    directory = bytes(raw[16 : end - 4])
    pieces = member(directory[:8] + directory[8:], b"\x03\x00", b"")
    body = directory[12:]
    footer = bytearray(good[-146:])
    payload = bytearray(footer[16:132])
    payload[24:28] = struct.pack("<I", zlib.crc32(body))
    put(tmp_path, SEALED, packed(A, B) + pieces + member(bytes(payload), b"\x03\x00", b""))
    done = commands(ask, tmp_path)
    assert done["replay"].out.count("\n") == 2
    assert done["replay"].code == 3


@pytest.mark.parametrize("extra", [65535, 32001, 12])
def test_headers_of_any_length_are_walked_over(ask: Ask, tmp_path: Path, extra: int) -> None:
    bad = MAGIC + struct.pack("<H", extra) + b"PR" + struct.pack("<H", extra - 4) + bytes(extra)
    put(tmp_path, OPEN, packed(A) + bad + packed(C))
    assert commands(ask, tmp_path)["replay"].out.count("\n") == 4


DEEP: Final = b'{"a":' * 200_000 + b"1" + b"}" * 200_000


@pytest.mark.parametrize(
    "place", [f"logs/_writers/{WRITER}.json", "logs/_pruned/a.jsonl", f"logs/_runs/{WRITER}.jsonl"]
)
@pytest.mark.parametrize("what", ["large", "deep", "not utf-8", "numbers"])
def test_files_beside_the_shards_may_hold_anything(ask: Ask, tmp_path: Path, place: str, what: str) -> None:
    put(tmp_path, SEALED, sealed(A, B))
    data = {"deep": DEEP, "not utf-8": b"\xff\xfe{}\n", "numbers": b'{"writer":' + b"9" * 100_000 + b"}\n"}
    path = put(tmp_path, place, data.get(what, b""))
    if what == "large":
        os.truncate(path, LARGE)
    done = commands(ask, tmp_path)
    assert done["replay"].out.count("\n") == 4


def test_a_line_nested_beyond_every_parser_is_one_bad_line(ask: Ask, tmp_path: Path) -> None:
    deep = line(3, members=f'"data":{DEEP.decode()}')
    put(tmp_path, SEALED, sealed(Block([line(1), line(2), deep, line(4)], 1)))
    assert commands(ask, tmp_path)["replay"].out.count("\n") >= 3


def test_a_file_cut_short_while_it_is_read_costs_what_was_cut_and_is_told(tmp_path: Path) -> None:
    large = [b'"data":{"x":"%b"}' % os.urandom(50_000).hex().encode() for _ in range(100)]
    lines = [line(seq).replace(b'"data":{}', data) for seq, data in enumerate(large, 1)]
    blocks = [Block([each], seq) for seq, each in enumerate(lines, 1)]
    path = put(tmp_path, SEALED, sealed(*blocks))
    replay = Replay(Archive(tmp_path), Selection(), explain=(explain := Explain())).lines()
    got = [next(replay) for _ in range(10)]
    os.truncate(path, len(packed(*blocks[:50])) + 20)
    got += replay
    assert 50 <= len(got) < 100  # some blocks were in memory already
    assert got == [each[:-1] for each in lines[: len(got)]]
    assert sum(finding.events or 0 for finding in explain.damage) == 100 - len(got)


def test_a_file_swapped_for_another_while_it_is_read_gives_no_line_twice_or_wrongly_numbered(
    tmp_path: Path,
) -> None:
    blocks = [Block([line(seq)], seq) for seq in range(1, 101)]
    path = put(tmp_path, SEALED, sealed(*blocks))
    replay = Replay(Archive(tmp_path), Selection(), explain=(explain := Explain())).lines()
    got = [next(replay) for _ in range(10)]
    with path.open("r+b") as file:  # the same file: whoever has it open sees it
        file.write(sealed(*blocks[50:], *blocks[:50]))
    got += replay
    assert got == [each for each in (line(seq)[:-1] for seq in range(1, 101)) if each in set(got)]
    assert len(got) + sum(finding.events or 0 for finding in explain.damage) == 100


def test_gzip_of_other_programs_gives_no_line_before_its_crc_was_checked(tmp_path: Path) -> None:
    """A flip in a large plain member would else give out changed lines and tell only later."""
    content = b"".join(line(seq) for seq in range(1, 30_000))
    assert len(content) > 2 << 20
    hurt = bytearray(bytes.fromhex("1f8b0800000000000003") + stored(content))
    hurt += struct.pack("<II", zlib.crc32(content), len(content))
    assert gzip.decompress(bytes(hurt)) == content
    at = hurt.index(b'"seq":12345,')
    hurt[at + 6] = ord("9")
    put(tmp_path, OPEN, packed(A) + bytes(hurt) + packed(Block([line(30_000)], 3)))
    explain = Explain()
    got = list(Replay(Archive(tmp_path), Selection(), explain=explain).lines())
    assert set(got) <= {each[:-1] for each in (*A.lines, *content.splitlines(keepends=True), line(30_000))}
    assert explain.damage
