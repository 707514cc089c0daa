"""Looking for text in lines: a needle finds candidates at the speed of memory, a pattern decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from polyrecord.errors import UsageError

_SPECIAL: Final = frozenset(".^$*+?{}[]\\|()")
# Where a pattern looks around itself, a search in many lines at once may miss what one in a line finds.
_LINE_BY_LINE: Final = re.compile(rb"\(\?|\\[ABZ]")


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A text or regular expression (Python's; classes and case are those of ASCII) to be looked for in lines.

    `needle` is text that every match has in it, in lower case where `folds`; empty where there is none.
    `wide` is the same as `pattern`, for lines in which a character is not a byte.
    """

    pattern: re.Pattern[bytes]
    needle: bytes
    folds: bool
    literal: bool
    wide: re.Pattern[str]

    def matches(self, line: bytes) -> bool:
        """Whether a line holds a match."""
        if line.isascii():
            return self.pattern.search(line) is not None
        return self.wide.search(line.decode("utf-8", "surrogateescape")) is not None

    def spans(self, line: bytes) -> list[tuple[int, int]]:
        """Where the matches in a line begin and end, in bytes; empty ones are left out."""
        if line.isascii():
            return [match.span() for match in self.pattern.finditer(line) if match[0]]
        text = line.decode("utf-8", "surrogateescape")
        places = [match.span() for match in self.wide.finditer(text) if match[0]]
        return [(_bytes_of(text[:start]), _bytes_of(text[:end])) for start, end in places]

    def may_be_in(self, content: bytes) -> bool:
        """False when none of many lines can hold a match; cheap."""
        return not self.needle or self.needle in (content.lower() if self.folds else content)

    def lines_in(self, content: bytes) -> list[bytes]:
        """The matching lines of a content whose lines all end in a line feed, without it."""
        if self.needle:
            return list(self._by_needle(content))
        if not content.isascii() or _LINE_BY_LINE.search(self.pattern.pattern):
            return [line for line in content.split(b"\n")[:-1] if self.matches(line)]
        return list(self._by_pattern(content))

    def _by_needle(self, content: bytes) -> Iterator[bytes]:
        folded = content.lower() if self.folds else content
        at = folded.find(self.needle)
        while at >= 0:
            start, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
            line = content[start:end]
            if self.literal or self.matches(line):
                yield line
            at = folded.find(self.needle, end)

    def _by_pattern(self, content: bytes) -> Iterator[bytes]:
        """A match in many lines may run over a line's end, so the line it begins in is looked at again."""
        at = 0
        while at < len(content) and (match := self.pattern.search(content, at)) is not None:
            start, end = content.rfind(b"\n", 0, match.start()) + 1, content.find(b"\n", match.start())
            if end < 0:
                return
            line = content[start:end]
            if self.matches(line):
                yield line
            at = end + 1


def text_query(text: str, *, fixed: bool = False, ignore_case: bool = False) -> TextQuery:
    """The query of a pattern, or with `fixed` of the text itself; raises UsageError."""
    if not text or "\n" in text:
        what = "pattern has a line break" if text else "pattern is empty"
        raise UsageError(what, hint="a text or regular expression within one line")
    source = re.escape(text) if fixed else text
    flags = re.MULTILINE | (re.IGNORECASE if ignore_case else 0)
    try:
        pattern = re.compile(source.encode("utf-8", "surrogateescape"), flags)
        wide = re.compile(source, flags | re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"not a regular expression: {error}", hint="--fixed looks for it as it is") from None
    required = text if fixed else _required_text(text)
    own_flags = pattern.flags & (re.VERBOSE | (0 if ignore_case else re.IGNORECASE))
    if own_flags:
        required = ""
    needle = required.encode("utf-8", "surrogateescape")
    literal = required == text and not ignore_case
    return TextQuery(pattern, needle.lower() if ignore_case else needle, ignore_case, literal, wide)


def _bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _required_text(pattern: str) -> str:
    """The longest text that every match of a regular expression must hold; empty where that is not plain."""
    if "|" in pattern:
        return ""
    runs, run = [""], ""
    for part, quantifier in _parts(pattern):
        if part and quantifier in ("", "+"):
            run += part
        if not part or quantifier:
            runs.append(run)
            run = ""
    return max([*runs, run], key=len)


def _parts(pattern: str) -> Iterator[tuple[str, str]]:
    """Single characters of a pattern with what repeats them; anything that is no character is empty."""
    at = 0
    while at < len(pattern):
        part, at = _part(pattern, at)
        quantifier = _QUANTIFIER.match(pattern, at)
        at = quantifier.end() if quantifier else at
        yield part, quantifier[0] if quantifier else ""


_QUANTIFIER: Final = re.compile(r"[*+?][?+]?|\{\d*,?\d*\}[?+]?")


def _part(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at]
    if char == "\\":
        following = pattern[at + 1 : at + 2]
        # Escaped punctuation is itself; escaped letters and digits are classes, edges and references.
        return (following, at + 2) if following in _SPECIAL | set('"/-:,') else ("", at + 2)
    if char == "[":
        return "", _class_end(pattern, at)
    if char == "(":
        return "", _group_end(pattern, at)
    return ("" if char in _SPECIAL else char), at + 1


def _class_end(pattern: str, at: int) -> int:
    at += 2 if pattern[at + 1 : at + 2] != "^" else 3  # the first character of a class is never its end
    if pattern[at - 1 : at] == "\\":
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1


def _group_end(pattern: str, at: int) -> int:
    """Behind a group: what is in it need not occur, so it is passed over whole."""
    depth = 0
    while at < len(pattern):
        if pattern[at] == "[":
            at = _class_end(pattern, at)
            continue
        depth += {"(": 1, ")": -1}.get(pattern[at], 0)
        at += 2 if pattern[at] == "\\" else 1
        if depth == 0:
            break
    return at
