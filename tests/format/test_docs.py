"""The worked examples of docs/format.md are true, byte by byte."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from polyrecord.format.block import parse_header
from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.content import inflate
from polyrecord.format.directory import Directory, join_pieces, parse_footer
from polyrecord.format.docs import BEGIN, END, render_examples
from tests.format.spec import block_of, directory_of, payload_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "format.md"
_ROW = re.compile(r"([0-9a-f]{4,})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: |$)")


def examples() -> str:
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def dumped() -> bytes:
    """The file that the three dumps show, put together from offsets and hex digits."""
    data = b""
    for row in examples().splitlines():
        match = _ROW.match(row)
        if match is not None:
            assert int(match[1], 16) == len(data)
            data += bytes.fromhex(match[2])
    return data


def shown_lines() -> bytes:
    return examples().partition("```json\n")[2].partition("```")[0].encode()


def test_the_page_shows_what_the_code_makes() -> None:
    assert render_examples(PAGE) == PAGE.read_text(encoding="utf-8")


def test_the_dumps_are_a_shard_that_any_gzip_reader_reads() -> None:
    assert gzip.decompress(dumped()) == shown_lines()
    assert [json.loads(line)["seq"] for line in shown_lines().splitlines()] == [1, 2]


def test_the_block_shown_is_the_lines_shown() -> None:
    header = parse_header(dumped())
    assert inflate(dumped()[: header.member_length], header) == shown_lines()
    told = block_of(dumped()[: header.member_length])
    assert told["types"] == {"signal": 1, "fill": 1}
    assert f"`{told['trace_keys'][0]:08x}`" in examples()
    assert f"`{told['value_keys'][0]:08x}`" in examples()


def test_the_ending_shown_is_that_of_the_block_shown() -> None:
    data = dumped()
    footer = parse_footer(data[-FOOTER_SIZE:])
    raw = join_pieces(data[footer.directory_offset : -FOOTER_SIZE], footer)
    assert footer.directory_offset == parse_header(data).member_length
    assert (footer.blocks, footer.events, footer.content_length) == (1, 2, len(shown_lines()))
    assert Directory(raw).record(0).types == 0b11
    assert directory_of(raw)["types"] == {"signal": 1, "fill": 1}
    assert payload_of(data[-FOOTER_SIZE:])[2] == 1


@pytest.mark.parametrize("field", ["member length", "XLEN", "events: 1", "fingerprint", "content CRC32"])
def test_the_parts_are_named(field: str) -> None:
    assert f"  {field}\n" in examples()


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no markers")
    with pytest.raises(ValueError, match="no markers"):
        render_examples(page)
