"""Identities: which spellings are one id, which key an id has, what a traceparent may say."""

from __future__ import annotations

import re
import uuid
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.ids import (
    format_traceparent,
    generate_span_id,
    generate_trace_id,
    is_hex,
    normal_id,
    parse_traceparent,
    prefix_range,
    trace_key,
    value_key,
)

HEX = st.text("0123456789abcdef", min_size=1, max_size=40)
UUIDS = st.uuids()
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_new_trace_id_is_a_random_uuid_in_dashed_form() -> None:
    made = {generate_trace_id() for _ in range(200)}
    assert len(made) == 200
    for text in made:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


def test_a_new_span_id_is_sixteen_hex_digits() -> None:
    made = {generate_span_id() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch("[0-9a-f]{16}", text) and set(text) != {"0"} for text in made)


@given(UUIDS)
def test_dashed_bare_upper_and_lower_case_are_one_id(value: uuid.UUID) -> None:
    spellings = (str(value), value.hex, str(value).upper(), value.hex.upper(), f"-{value.hex}-")
    assert {normal_id(text) for text in spellings} == {value.hex}


@given(HEX)
def test_text_of_hex_digits_is_its_own_normal_form(text: str) -> None:
    assert normal_id(text) == text
    assert is_hex(text)


@given(st.text())
def test_the_normal_form_is_as_the_specification_says(text: str) -> None:
    bare = text.replace("-", "")
    hexadecimal = bare != "" and set(bare) <= set("0123456789abcdefABCDEF")
    assert normal_id(text) == (bare if hexadecimal else text).lower()
    assert is_hex(normal_id(text)) is hexadecimal


@pytest.mark.parametrize(
    ("text", "normal"),
    [("Order-7", "order-7"), ("", ""), ("---", "---"), ("0x4F", "0x4f"), ("4f 1c", "4f 1c"),
     ("\uff14f", "\uff14f"),
     ("4f\n", "4f\n"), ("DEAD-BEEF", "deadbeef"), ("face-book", "face-book")],
)  # fmt: skip
def test_an_id_that_is_not_hex_keeps_its_dashes(text: str, normal: str) -> None:
    assert normal_id(text) == normal


@given(HEX)
def test_the_key_of_a_hex_id_is_its_first_eight_digits(text: str) -> None:
    assert f"{trace_key(text):08x}" == (text + "0" * 8)[:8]


@given(st.text().filter(lambda text: not is_hex(normal_id(text))))
def test_the_key_of_an_opaque_id_is_the_crc_of_its_normal_form(text: str) -> None:
    assert trace_key(normal_id(text)) == crc32(text.lower().encode())


@given(HEX, st.integers(1, 40))
def test_the_range_of_a_prefix_holds_the_keys_of_all_ids_that_start_with_it(text: str, length: int) -> None:
    low, high = prefix_range(text[:length])
    assert low <= trace_key(text) <= high


@given(HEX, HEX)
def test_an_id_outside_of_the_range_does_not_start_with_the_prefix(prefix: str, text: str) -> None:
    low, high = prefix_range(prefix)
    if not low <= trace_key(text) <= high:
        assert not text.startswith(prefix)


def test_the_range_of_the_specification() -> None:
    assert prefix_range("4f1c") == (0x4F1C0000, 0x4F1CFFFF)


@given(st.text())
def test_a_value_has_one_key_in_any_case(text: str) -> None:
    assert value_key(text) == value_key(text.lower()) == crc32(text.lower().encode())


def test_a_lone_surrogate_has_the_key_of_the_text_that_stands_in_the_line() -> None:
    assert value_key("A\ud800") == value_key("A\\ud800")


@given(UUIDS, st.from_regex("[0-9a-f]{16}", fullmatch=True).filter(lambda span: set(span) != {"0"}))
def test_a_traceparent_is_read_back(trace: uuid.UUID, span: str) -> None:
    header = format_traceparent(str(trace), span)
    assert header == f"00-{trace.hex}-{span}-01"
    if trace.int:
        assert parse_traceparent(header) == (trace.hex, span)


@pytest.mark.parametrize("trace", ["order-7", "4f1c", "", TRACE + "0", "z" * 32])
def test_an_id_that_w3c_does_not_know_has_no_traceparent(trace: str) -> None:
    assert format_traceparent(trace, SPAN) is None


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-00",
        f"00-{TRACE}-{SPAN}-ff",
        f"  00-{TRACE}-{SPAN}-01\t",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"fe-{TRACE}-{SPAN}-01-",
    ],
)
def test_a_traceparent_of_this_version_or_a_later_one_is_taken(header: str) -> None:
    assert parse_traceparent(header) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-extra",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01.",
        f"cc-{TRACE}-{SPAN}-01.what-the-future",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN[:-1]}-01",
        f"00-.{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-.{SPAN[1:]}-01",
        f"00-{TRACE}-{SPAN}-.0",
        f"..-{TRACE}-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
    ],
)
def test_where_the_rules_say_restart_there_is_no_parent(header: str) -> None:
    assert parse_traceparent(header) is None


@given(st.text())
def test_any_text_is_a_traceparent_or_none(text: str) -> None:
    assert parse_traceparent(text) is None
