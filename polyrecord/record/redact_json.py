"""Secrets in JSON: only the bytes of a secret are replaced, everything else stays as it was written."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Final, Protocol

import orjson

from polyrecord.record.secrets import MNEMONIC_SIZES, is_mnemonic, plain

_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[-+.\w]++")
_NAME: Final = re.compile(rb'"[\w.-]{1,64}"')
_WORD: Final = re.compile(rb'"[a-z]{3,8}"')
_DEEPEST: Final = 200
_MOST_NAMES: Final = 4_000
_SHORT: Final = 22  # bytes of a string, quotes included: shorter ones need one of _MARKS to be a secret
_MARKS: Final = re.compile(rb"[=:\\ ]")
_NUMERIC: Final = b'"0123456789.-:TZ'
_NAMING: Final = frozenset({"name", "key", "header", "field"})
_NAMED: Final = frozenset({"value", "val"})


class Unreadable(ValueError):
    """The bytes are no JSON, or nested too deep to be looked through."""


class Rules(Protocol):
    """What is a secret, and what stands in its place."""

    thorough: bool  # whether even short and numeric strings may be secrets
    names: dict[bytes, str]  # of fields seen, as they were written: plain

    def verdict(self, name: str) -> str:
        """What the value of a field of this plain name is; empty: nothing special."""

    def replace(self, verdict: str, text: str, *, string: bool) -> str | None:
        """What stands in the place of a field's value; None: it stays."""

    def value(self, text: str, nested: int) -> str:
        """A string without secrets; the same object where there are none."""

    def encoded(self, text: str) -> str:
        """Base64 without secrets; the same object where there are none."""


class Scan:
    """One pass over one JSON text."""

    def __init__(self, data: bytes, rules: Rules, nested: int = 0) -> None:
        """`nested`: how many JSON texts this one stands in."""
        self._data = data
        self._rules = rules
        self._nested = nested
        self._edits: list[tuple[int, int, bytes]] = []

    def clean(self) -> bytes:
        """The text without secrets: the same object where there are none. Raises Unreadable."""
        end = self._skip(self._value(0, 0))
        if end != len(self._data):
            raise Unreadable(f"something follows at byte {end}")
        if not self._edits:
            return self._data
        parts, done = [], 0
        for start, end, new in sorted(self._edits):
            parts += [self._data[done:start], new]
            done = end
        return b"".join([*parts, self._data[done:]])

    def _value(self, at: int, depth: int) -> int:
        """Look at the value that begins at or after `at`; returns where it ends."""
        at = self._skip(at)
        first = self._data[at : at + 1]
        if first == b'"':
            return self._string(at)
        if first == b"{":
            return self._object(at, depth + 1)
        if first == b"[":
            return self._array(at, depth + 1)
        scalar = _SCALAR.match(self._data, at)
        if scalar is None:
            raise Unreadable(f"no value at byte {at}")
        return scalar.end()

    def _object(self, at: int, depth: int) -> int:
        self._check(depth)
        named: str | None = None
        valued: tuple[int, int] | None = None
        at = self._skip(at + 1)
        while self._data[at : at + 1] != b"}":
            name, end = self._name(at)
            start = self._skip(self._expect(b":", end))
            end = self._member(name, start, depth)
            if name in _NAMING and self._data[start : start + 1] == b'"':
                named = plain(self._decoded(start, end))
            elif name in _NAMED:
                valued = (start, end)
            at = self._next(end, b"}")
        if named is not None and valued is not None:  # {"name": "X-API-KEY", "value": "..."}
            self._judge(self._rules.verdict(named), *valued)
        return at + 1

    def _array(self, at: int, depth: int, name: str | None = None) -> int:
        self._check(depth)
        begin = at
        items: list[tuple[int, int]] = []
        at = self._skip(at + 1)
        while self._data[at : at + 1] != b"]":
            end = self._value(at, depth) if name is None else self._member(name, at, depth)
            items.append((at, end))
            at = self._next(end, b"]")
        self._pairs(items)
        if len(items) in MNEMONIC_SIZES and self._are_words(items):
            self._put(
                begin, at + 1, self._rules.replace("secret", self._data[begin : at + 1].decode(), string=True)
            )
        return at + 1

    def _member(self, name: str, start: int, depth: int) -> int:
        """Look at the value of a field, or at one of a list that is its value."""
        verdict = self._rules.verdict(name)
        first = self._data[start : start + 1]
        if first == b"[" and verdict == "identity":
            return self._array(start, depth + 1, name)
        if name.endswith(("b64", "base64")) and first == b'"':
            return self._encoded(start)
        end = self._value(start, depth)
        self._judge(verdict, start, end)
        return end

    def _judge(self, verdict: str, start: int, end: int) -> None:
        """Replace a field's value as its name demands."""
        if not verdict or (verdict == "identity" and self._data[start : start + 1] == b"{"):
            return
        if verdict == "allowed":
            self._edits = [edit for edit in self._edits if not start <= edit[0] < end]
            return
        string = self._data[start : start + 1] == b'"'
        text = self._decoded(start, end) if string else self._data[start:end].decode("utf-8", "replace")
        self._put(start, end, self._rules.replace(verdict, text, string=string))

    def _pairs(self, items: list[tuple[int, int]]) -> None:
        """`["X-API-KEY", "..."]`, and `["--api-key", "..."]` among other arguments."""
        for name, value in pairwise(items):
            token = self._data[name[0] : name[1]]
            named = (len(items) == 2 or token.startswith(b'"--')) and _NAME.fullmatch(token)
            if named and self._data[value[0] : value[0] + 1] == b'"':
                self._judge(self._rules.verdict(plain(token[1:-1].decode())), *value)

    def _are_words(self, items: list[tuple[int, int]]) -> bool:
        words = [self._data[start:end] for start, end in items]
        return all(map(_WORD.fullmatch, words)) and is_mnemonic([word[1:-1].decode() for word in words])

    def _string(self, at: int) -> int:
        match = _STRING.match(self._data, at)
        if match is None:
            raise Unreadable(f"no string at byte {at}")
        end = match.end()
        token = match[0]
        if self._rules.thorough or ((len(token) >= _SHORT or _MARKS.search(token)) and token.strip(_NUMERIC)):
            text = self._decoded(at, end)
            clean = self._rules.value(text, self._nested)
            if clean is not text:
                self._put(at, end, clean)
        return end

    def _name(self, at: int) -> tuple[str, int]:
        """A field's plain name, and where it ends; names repeat, so those without a secret are remembered."""
        match = _STRING.match(self._data, at)
        known = None if match is None else self._rules.names.get(match[0])
        if match is not None and known is not None:
            return known, match.end()
        edits = len(self._edits)
        end = self._string(at)
        name = plain(self._decoded(at, end))
        if len(self._edits) == edits and len(self._rules.names) < _MOST_NAMES:
            self._rules.names[self._data[at:end]] = name
        return name, end

    def _encoded(self, at: int) -> int:
        end = self._string(at)
        text = self._decoded(at, end)
        clean = self._rules.encoded(text)
        if clean is not text:
            self._put(at, end, clean)
        return end

    def _put(self, start: int, end: int, text: str | None) -> None:
        """Replace bytes, and what was to be replaced within them."""
        if text is None:
            return
        self._edits = [edit for edit in self._edits if not start <= edit[0] < end]
        self._edits.append((start, end, _quoted(text)))

    def _decoded(self, start: int, end: int) -> str:
        token = self._data[start:end]
        if b"\\" not in token:
            return token[1:-1].decode("utf-8", "replace")
        try:
            return str(json.loads(token.decode("utf-8", "replace"), strict=False))
        except ValueError:
            raise Unreadable(f"no string at byte {start}") from None

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._data, at)
        return at if match is None else match.end()

    def _expect(self, sign: bytes, at: int) -> int:
        at = self._skip(at)
        if self._data[at : at + 1] != sign:
            raise Unreadable(f"no {sign.decode()} at byte {at}")
        return at + 1

    def _next(self, at: int, closing: bytes) -> int:
        """Where the next member begins, or the closing bracket stands."""
        at = self._skip(at)
        return at if self._data[at : at + 1] == closing else self._skip(self._expect(b",", at))

    @staticmethod
    def _check(depth: int) -> None:
        if depth > _DEEPEST:
            raise Unreadable("nested too deep")


def _quoted(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:  # a lone surrogate, which only its escape can hold
        return json.dumps(text).encode()
