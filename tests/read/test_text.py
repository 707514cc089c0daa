"""Text in lines: the lines found in many at once are those that match one by one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.read.text import TextQuery

LINES = st.lists(st.text(alphabet='abAB01 "{}:é\\', max_size=12), max_size=8)
PATTERNS = st.sampled_from(
    [
        "a", "ab", "a.b", "a+b", "ab?a", "(ab)+", "[ab]1", "a|01", "^a", "b$", "a{2}", "a[^b]*b", r"\d\d",
        r"a\.b", r"\w+ \w", "(?i)AB", "(?:ab)?0", r"\Aa", r"\"", r"{\"a", "é", "aé+", ".", "a*", r"a\b", "^$",
        "[]a]b", r"[\]b]a", "a{b", "0(a[)]b)1", r"\Bb", r"ab\b", "[^a]b", "[é]b", "a[^b]", r"\s", "a[^b]$",
    ]
)  # fmt: skip


def one_by_one(pattern: str, lines: list[str], *, ignore_case: bool) -> list[str]:
    flags = re.ASCII | (re.IGNORECASE if ignore_case and pattern.isascii() else 0)
    return [line for line in lines if re.search(pattern, line, flags)]


@given(pattern=PATTERNS, lines=LINES, ignore_case=st.booleans())
def test_the_lines_found_are_those_that_match_one_by_one(
    pattern: str, lines: list[str], ignore_case: bool
) -> None:
    query = TextQuery(pattern, ignore_case=ignore_case and pattern.isascii())
    content = "".join(f"{line}\n" for line in lines).encode()

    found = [line.decode() for line in query.lines_in(content)]

    assert found == one_by_one(pattern, lines, ignore_case=ignore_case)
    assert found == [line for line in lines if query.matches(line.encode())]


@given(needle=st.text(alphabet='abAB.*+\\"é', min_size=1, max_size=3), lines=LINES)
def test_fixed_text_is_looked_for_as_it_is(needle: str, lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()

    found = [line.decode() for line in TextQuery(needle, fixed=True).lines_in(content)]
    folded = [line.decode() for line in TextQuery(needle, fixed=True, ignore_case=True).lines_in(content)]

    assert found == [line for line in lines if needle in line]
    assert folded == [line for line in lines if needle.lower() in line.lower()]


@given(st.text(alphabet='ab"é', min_size=1), PATTERNS)
def test_spans_are_of_bytes(line: str, pattern: str) -> None:
    spans = [line.encode()[start:end].decode() for start, end in TextQuery(pattern).spans(line.encode())]

    assert spans == [match[0] for match in re.finditer(pattern, line, re.ASCII) if match[0]]


@pytest.mark.parametrize("pattern", ["", "a\nb", "(", "[", "*a", "(?=a)", r"(a)\1"])
def test_what_is_no_pattern_is_refused_with_its_reason(pattern: str) -> None:
    with pytest.raises(UsageError) as refused:
        TextQuery(pattern)

    assert refused.value.hint


def test_a_pattern_that_would_take_a_backtracking_engine_for_ever_is_done_at_once() -> None:
    content = (b"a" * 5_000 + b"\n") * 100

    assert TextQuery("(a+)+b").lines_in(content) == []
