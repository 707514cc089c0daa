"""Secrets in text that is no JSON: values that look like one, and `name: value` where the name says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol

from polyrecord.record import secrets
from polyrecord.record.secrets import plain

DONE: Final = re.compile(r"(?:\[redacted\]|hmac:[0-9a-f]{16})\Z")
_PART_DONE: Final = re.compile(r"\[redacted|hmac:[0-9a-f]{16}")
_ESCAPE: Final = re.compile(r"\\u00([0-7][0-9a-fA-F])")
_BEFORE: Final = re.compile(r"[\w.-]{0,64}\Z")
_MARKS: Final = "\\\"'"
_PASSES: Final = ("password", "passphrase", "passwd", "pwd")
_MNEMONIC_LENGTH: Final = 47  # characters of 12 words of 3 letters
_WORD_LENGTH: Final = 12  # letters of a word in prose: "signature: missing"


class Rules(Protocol):
    """What is a secret, and what stands in its place."""

    def verdict(self, name: str) -> str:
        """What the value of a field of this plain name is; empty: nothing special."""

    def replace(self, verdict: str, text: str, *, string: bool) -> str | None:
        """What stands in the place of a field's value; None: it stays."""

    def masked(self, text: str) -> str:
        """What stands in the place of a secret."""


class Texts:
    """Looks through texts."""

    def __init__(self, rules: Rules, patterns: Sequence[Any], keys: Sequence[str]) -> None:
        """`patterns` are further values (RE2), `keys` further names."""
        self._rules = rules
        self._patterns = patterns
        self._own_keys = bool(keys)
        self._assignments = secrets.assignments(keys)

    def clean(self, text: str) -> str:
        """A text without secrets: the same object where there are none."""
        if "\\u00" not in text:
            return self._clean(text)
        read = _ESCAPE.sub(
            lambda match: chr(int(match[1], 16)), text
        )  # cut JSON: nobody has read its escapes
        clean = self._clean(read)
        return self._clean(text) if clean == read else clean

    def _clean(self, text: str) -> str:
        low = text.lower()
        for shape in secrets.SHAPES:
            if shape.needle in low and (shape.needle or len(low) >= _MNEMONIC_LENGTH):
                text = self._without(text, shape)
        for pattern in self._patterns:
            text = _same(text, pattern.sub(lambda match: self._rules.masked(match.group(0)), text))
        if self._own_keys or any(needle in low for needle in secrets.NEEDLES):
            text = _same(text, self._assignments.sub(self._assigned, text))
        return text

    def _without(self, text: str, shape: secrets.Shape) -> str:
        def masked(match: re.Match[str]) -> str:
            secret = match[shape.pattern.groups]
            if DONE.match(secret) or (shape.check is not None and not shape.check(secret)):
                return match[0]
            return _put(match, shape.pattern.groups, self._rules.masked(secret))

        return _same(text, shape.pattern.sub(masked, text))

    def _assigned(self, match: re.Match[str]) -> str:
        if match["flag"] is None:
            return self._named(match)
        return (
            match[0] if DONE.match(match["word"]) else _put(match, "word", self._rules.masked(match["word"]))
        )

    def _named(self, match: re.Match[str]) -> str:
        """`name: value` with the value masked where the name demands it."""
        begun = _BEFORE.search(match.string, max(0, match.start() - 64), match.start())
        name = plain((begun[0] if begun else "") + match["name"])
        verdict = self._rules.verdict(name) or self._rules.verdict(plain(match["name"]))
        value: str = match["value"]
        bare = value.strip(_MARKS)
        # "signature: missing" is prose; "password: hunter" is not.
        prose = value == bare and value.isalpha() and len(value) <= _WORD_LENGTH and "=" not in match["joint"]
        if not verdict or _PART_DONE.match(bare.rpartition(" ")[2]) or (prose and not name.endswith(_PASSES)):
            return match[0]
        new = self._rules.replace(verdict, bare, string=True)
        return match[0] if new is None else _put(match, "value", value.replace(bare, new))


def _put(match: re.Match[str], group: str | int, new: str) -> str:
    """The match with one of its groups replaced."""
    start, end = (at - match.start() for at in match.span(group))
    whole: str = match[0]
    return whole[:start] + new + whole[end:]


def _same(text: str, new: str) -> str:
    return text if new == text else new
