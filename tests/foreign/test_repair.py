"""Values JSON cannot carry become strings; nothing else changes."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyrecord.foreign.repair import repair

TEXT = st.text(st.characters(codec="utf-8")) | st.sampled_from(
    ['NaN, "', "\\", 'a":NaN', "-Infinity", "1e400"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)
PIECES = [
    "NaN", "Infinity", "-Infinity", "-", "1", "1e400", "-1e400", "1e4", ".5", "0", '"', '"a"', '"NaN"', '\\"',
    "\\", ":", ",", "[", "]", "{", "}", " ", "x", "null", '{"a":', "NaN:", "true",
]  # fmt: skip


def stdlib(text: str) -> Any:
    """What json.loads takes a text for, its non-finite numbers as the text they are written in."""
    return json.loads(
        text,
        parse_constant=str,
        parse_float=lambda token: token if math.isinf(float(token)) else float(token),
    )


@given(VALUES)
def test_what_python_wrote_with_nan_reads_as_json_loads_reads_it(value: Any) -> None:
    text = json.dumps(value)

    repaired, _ = repair(text.encode())

    assert orjson.loads(repaired) == stdlib(text)


@given(st.lists(st.sampled_from(PIECES)).map("".join))
@example('{"a":1,NaN:2}')
@example("[NaN1]")
@example("[--Infinity]")
@example("[1.e400]")
@example("[01e400]")
@example('["\\"NaN')
def test_no_invalid_text_becomes_valid_and_no_valid_one_invalid(text: str) -> None:
    """Whatever the pieces spell: json.loads and the strict parser of the repaired text agree."""
    try:
        expected = stdlib(text)
    except ValueError:
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(repair(text.encode())[0])
    else:
        assert orjson.loads(repair(text.encode())[0]) == expected


@pytest.mark.parametrize(
    ("text", "repaired", "count"),
    [
        (b'{"a":NaN,"b":[-Infinity,Infinity]}', b'{"a":"NaN","b":["-Infinity","Infinity"]}', 3),
        (b'{"NaN":"Infinity, NaN: \\"-Infinity\\""}', b'{"NaN":"Infinity, NaN: \\"-Infinity\\""}', 0),
        (b'{"a": 1e400, "b": 1.50e3}', b'{"a": "1e400", "b": 1.50e3}', 1),
        (b'{"a":NaN, "p":0.1000000000000000055511151231257827}',
         b'{"a":"NaN", "p":0.1000000000000000055511151231257827}', 1),
        (rb'{"a":"\ud800 \ud83d\ude00 \\ud800"}', rb'{"a":"\\ud800 \ud83d\ude00 \\ud800"}', 1),
        (b'{"a":nan}', b'{"a":nan}', 0),
    ],
)  # fmt: skip
def test_exactly_the_values_json_cannot_carry_are_rewritten(text: bytes, repaired: bytes, count: int) -> None:
    assert repair(text) == (repaired, count)


@pytest.mark.parametrize("text", [b'"\\' * 500_000, b'\\"' * 500_000, b"[NaN," * 200_000, b"1" * 1_000_000])
def test_a_hostile_line_takes_linear_time(text: bytes) -> None:
    """A quadratic search would not end within the patience of anybody."""
    assert len(repair(text)[0]) >= len(text)
