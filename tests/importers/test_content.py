"""Foreign files are read in bounded memory, whole or up to their damage."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import DataError
from polyrecord.importers.content import Content, Extent, Line, fingerprint, split_lines

CHUNKS = st.lists(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\0"])).map(b"".join))


@given(CHUNKS)
def test_lines_do_not_depend_on_the_chunks_they_come_in(chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    pieces = content.split(b"\n")

    lines = list(split_lines(chunks))

    assert [line.text for line in lines] == (pieces if pieces[-1] else pieces[:-1])
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(content[line.begin :].startswith(line.text or b"") for line in lines)
    feeds = [at for at, byte in enumerate(content) if byte == 10]
    assert [line.begin for line in lines] == [0, *(at + 1 for at in feeds)][: len(lines)]
    assert all(line.has_end for line in lines[:-1])
    assert not lines or lines[-1].has_end == content.endswith(b"\n")


def test_a_line_beyond_the_limit_is_not_held() -> None:
    lines = list(split_lines([b"abc", b"def\nok\nabc", b"def"], longest=5))

    assert lines == [Line(1, 0, None, True), Line(2, 7, b"ok", True), Line(3, 10, None, False)]


@given(CHUNKS, st.lists(st.integers(1, 20)))
def test_a_fingerprint_agrees_with_hashing_the_pieces(chunks: list[bytes], sizes: list[int]) -> None:
    content = b"".join(chunks)

    def extent(size: int) -> Extent:
        return Extent(size, sha256(content[:size]).hexdigest())

    found = fingerprint(chunks, sizes)

    assert found.whole == extent(len(content))
    assert found.lines == extent(content.rfind(b"\n") + 1)
    assert found.beginnings == {extent(size) for size in sizes if size <= len(content)}


@pytest.mark.parametrize("name", ["log.txt", "log.gz"])
def test_gzip_is_told_by_its_magic_and_not_by_its_name(tmp_path: Path, name: str) -> None:
    plain, packed = tmp_path / f"plain.{name}", tmp_path / f"packed.{name}"
    plain.write_bytes(b"one\ntwo\n")
    packed.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))

    for path in (plain, packed):
        with Content(str(path)) as content:
            assert b"".join(content.chunks()) == b"".join(content.chunks()) == b"one\ntwo\n"
            assert content.damage is None


def test_a_truncated_gzip_file_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    lines = b"".join(sha256(b"%d" % n).hexdigest().encode() + b"\n" for n in range(20_000))
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(lines)[:-50_000])

    with Content(str(path)) as content:
        got = b"".join(content.chunks())

    assert lines.startswith(got)
    assert len(got) > len(lines) // 2
    assert content.damage is not None
    assert "damaged" in content.damage


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for name in (tmp_path / "nothing", tmp_path):
        with pytest.raises(DataError, match="cannot be read") as caught:
            Content(str(name))
        assert caught.value.path == str(name)


def test_progress_tells_stored_bytes(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"x\n" * 1_000_000))
    told: list[int] = []

    with Content(str(path)) as content:
        for _ in content.chunks(told.append):
            pass
        assert told[-1] == content.stored_size == path.stat().st_size
    assert told == sorted(told)
