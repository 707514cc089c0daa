"""Text in lines: whatever route is taken, the lines are those that a regular expression finds one by one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.read.text import text_query

LINES = st.lists(st.text(alphabet='abAB01 "{}:é\\', max_size=12), max_size=8)
PATTERNS = st.sampled_from(
    [
        "a", "ab", "a.b", "a+b", "ab?a", "(ab)+", "[ab]1", "a|01", "^a", "b$", "a{2}", "a[^b]*b", r"\d\d",
        r"a\.b", r"\w+ \w", "(?i)AB", "(?:ab)?0", r"\Aa", r"a(?!b)", r"\"", r"{\"a", "é", "aé+", ".", "a*",
        "[]a]b", r"[\]b]a", "(?x) a b", "a{,2}b", "a{b", "0(a[)]b)1", r"\Bb", r"ab\b", "[^a]b", "[é]b",
    ]
)  # fmt: skip


def one_by_one(pattern: str, lines: list[str], *, ignore_case: bool) -> list[str]:
    flags = re.ASCII | (re.IGNORECASE if ignore_case else 0)
    return [line for line in lines if re.search(pattern, line, flags)]


@given(pattern=PATTERNS, lines=LINES, ignore_case=st.booleans())
def test_the_lines_found_are_those_that_match_one_by_one(
    pattern: str, lines: list[str], ignore_case: bool
) -> None:
    query = text_query(pattern, ignore_case=ignore_case)
    content = "".join(f"{line}\n" for line in lines).encode()

    found = [line.decode() for line in query.lines_in(content)]

    assert found == one_by_one(pattern, lines, ignore_case=ignore_case)
    assert not found or query.may_be_in(content)


@given(needle=st.text(alphabet='abAB.*+\\"é', min_size=1, max_size=3), lines=LINES, ignore_case=st.booleans())
def test_fixed_text_is_looked_for_as_it_is(needle: str, lines: list[str], ignore_case: bool) -> None:
    query = text_query(needle, fixed=True, ignore_case=ignore_case)
    content = "".join(f"{line}\n" for line in lines).encode()

    found = [line.decode() for line in query.lines_in(content)]

    assert found == one_by_one(re.escape(needle), lines, ignore_case=ignore_case)


@pytest.mark.parametrize(
    ("pattern", "needle"),
    [
        ("order-17", b"order-17"), ("order-[0-9]+x", b"order-"), ("a|b", b""), ("ab+cde", b"cde"),
        ("(abc)?de", b"de"), (r"0\.51", b"0.51"), (r"\d+ms", b"ms"), ("x*", b""), ("(?x)ab", b""),
    ],
)  # fmt: skip
def test_the_longest_text_that_every_match_has_is_searched_for_first(pattern: str, needle: bytes) -> None:
    assert text_query(pattern).needle == needle


@given(st.text(alphabet='ab"é', min_size=1), PATTERNS)
def test_spans_are_of_bytes(line: str, pattern: str) -> None:
    query = text_query(pattern)

    spans = [line.encode()[start:end].decode() for start, end in query.spans(line.encode())]

    assert spans == [match[0] for match in re.finditer(pattern, line, re.ASCII) if match[0]]


@pytest.mark.parametrize("pattern", ["", "a\nb", "(", "[", "*a", "a{2,1}"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        text_query(pattern)
