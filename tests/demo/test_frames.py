"""Recorded frames from files of three forms, gzip or plain, cut anywhere."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from polyrecord.demo import frames
from polyrecord.demo.feed import Frame, first
from polyrecord.demo.frames import recorded

STAMPED = b'1723161254024619568 {"a":1}\n1723161254036052868 {"b": 2}\n'


async def read(path: Path) -> list[Frame]:
    return [frame async for frame in recorded(path)]


async def test_the_hftbacktest_form_gives_time_and_frame(tmp_path: Path) -> None:
    path = tmp_path / "spot.gz"
    path.write_bytes(gzip.compress(STAMPED))
    assert await read(path) == [
        Frame(b'{"a":1}', "spot", 1723161254024619568),
        Frame(b'{"b": 2}', "spot", 1723161254036052868),
    ]


async def test_the_cryptofeed_form_gives_the_frame_within_and_every_digit_of_its_time(tmp_path: Path) -> None:
    path = tmp_path / "VENUE.jsonl"
    lines = [
        '{"t":"header","exchange":"VENUE"}',
        '{"t":"http","conn":"c","ts":1633998511.132921,"url":"https://v/depth?symbol=A","data":"{\\"x\\":\\"é\\"}"}',
        '{"t":"recv","conn":"ws","ts":1633998512.0633569,"data":"[]"}',
        '{"t":"connect","conn":"ws","ts":1633998512.1,"addr":"wss://v"}',
    ]
    path.write_text("\n".join(lines))
    assert await read(path) == [
        Frame(lines[0].encode(), "VENUE"),
        Frame('{"x":"é"}'.encode(), "VENUE", 1633998511132921000, "https://v/depth?symbol=A"),
        Frame(b"[]", "VENUE", 1633998512063356900, "ws"),
        Frame(lines[3].encode(), "VENUE"),
    ]


async def test_bare_frames_are_taken_as_they_are_without_a_time(tmp_path: Path) -> None:
    path = tmp_path / "polymarket.jsonl"
    path.write_bytes(b'[{"event_type":"book"}]\r\n\nPONG\n{"half')
    assert [frame.payload for frame in await read(path)] == [b'[{"event_type":"book"}]', b"PONG", b'{"half']


async def test_a_line_that_does_not_fit_the_form_of_its_file_is_a_frame_too(tmp_path: Path) -> None:
    path = tmp_path / "spot.gz"
    path.write_bytes(STAMPED + b"# note\n")
    assert (await read(path))[-1] == Frame(b"# note", "spot")


async def test_an_empty_file_has_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert await read(path) == []


@pytest.mark.parametrize("piece", [2, 7, 64])
@pytest.mark.parametrize("compress", [gzip.compress, bytes], ids=["gzip", "plain"])
async def test_lines_and_members_may_be_cut_at_any_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, compress: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(frames, "_PIECE", piece)
    path = tmp_path / "spot"
    path.write_bytes(b"".join(compress(STAMPED) for _ in range(3)))
    assert len(await read(path)) == 6


async def test_a_torn_gzip_file_gives_what_it_holds_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "torn.gz"
    path.write_bytes(gzip.compress(STAMPED)[:-9])
    feed = recorded(path)
    assert (await anext(feed)).payload == b'{"a":1}'
    with pytest.raises((EOFError, zlib.error)):
        await anext(feed)


async def test_first_takes_no_more_than_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "spot"
    path.write_bytes(STAMPED * 3)
    assert [len([frame async for frame in first(recorded(path), count)]) for count in (0, 4, 99)] == [0, 4, 6]


@pytest.mark.parametrize(
    ("name", "count"),
    [("hftbacktest_raw/spot_ethusdt_20240808.gz", 33_618), ("cryptofeed_raw/BINANCE.jsonl.gz", None)],
)
async def test_real_recordings_give_a_frame_for_every_line(
    recordings: Path, name: str, count: int | None
) -> None:
    with gzip.open(recordings / name) as lines:
        expected = sum(1 for _ in lines)
    found = await read(recordings / name)
    assert len(found) == expected == (count or expected)
    assert sum(json.loads(frame.payload) is not None for frame in found) == expected
