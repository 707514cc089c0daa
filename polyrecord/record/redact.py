"""Secrets are taken out before any byte leaves memory (docs/privacy.md).

One search with RE2 says of most events that they hold nothing; only what it finds suspicious is parsed. RE2
gives the interpreter lock away during a search, and beside a busy strategy it is 5 ms until it is back: so a
live recorder has whole slices searched at once (`suspects`), and what follows a suspicion uses no RE2.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

import orjson

from polyrecord.errors import ConfigError
from polyrecord.ids import normal_id
from polyrecord.record import secrets
from polyrecord.record.redact_json import Scan, Unreadable
from polyrecord.record.redact_text import DONE, Texts
from polyrecord.record.searching import Pattern
from polyrecord.record.secrets import plain

MASK: Final = "[redacted]"
_HEX: Final = "0123456789abcdefABCDEF-"
_HEX64: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{64}\Z")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+\Z")
_ANCHOR: Final = re.compile(r"(?<![\\\[])\^|(?<!\\)\$|\\[AzZ]")
_EMPTY: Final = frozenset({"", "null", "true", "false", "{}", "[]", "None", "True", "False"})
_SHORTEST_KEY: Final = 16  # bytes
_MOST_REMEMBERED = 4_000
_MOST_NESTED = 5  # JSON texts within each other that are parsed; further in they are plain text
_NONE: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """What counts as a secret beside the usual, and what becomes of it.

    `keys` are further names of fields, `allow` names whose values stay, both without regard to case and to
    what joins the words; `patterns` are regular expressions (RE2, without anchors) of further values. The
    values of `hash_keys` are no secrets but identifiers: they become keyed hashes, equal where they were
    equal. `style`: `mask` puts "[redacted]" in a secret's place, `hash` its keyed hash. `hash_key` is the key
    of both, at least 16 bytes.
    """

    keys: Iterable[str] = ()
    patterns: Iterable[str] = ()
    allow: Iterable[str] = ()
    hash_keys: Iterable[str] = ()
    style: str = "mask"
    hash_key: bytes | None = field(default=None, repr=False)


class Redactor:
    """Takes secrets out of data, texts and mappings. Serves one thread."""

    def __init__(self, policy: RedactionPolicy | None = None) -> None:
        """Raises ConfigError for a policy that makes no sense."""
        policy = policy or RedactionPolicy()
        keys, hash_keys, patterns = tuple(policy.keys), tuple(policy.hash_keys), tuple(policy.patterns)
        self._hash_key = _checked_key(policy, hash_keys)
        self._hashes = policy.style == "hash"
        self._keys = frozenset(map(plain, keys))
        self._allow = frozenset(map(plain, policy.allow))
        self._identifiers = frozenset(map(plain, hash_keys))
        looks = secrets.looks((*keys, *hash_keys))
        self._search = _compile("|".join([*looks, *(rf"(?:{p})" for p in patterns)]), bytes_=True).search
        self.thorough = bool(patterns)
        self._inside = Texts(self, [_compile(_unanchored(p)) for p in patterns], (*keys, *hash_keys))
        self.names: dict[bytes, str] = {}
        self._verdicts: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    @property
    def hashes_ids(self) -> bool:
        """Whether trace ids or envelope fields become hashes: then every event has to be cleaned."""
        return bool(self._identifiers)

    def suspects(self, parts: Sequence[bytes]) -> frozenset[int]:
        """Which of many data or texts may hold a secret, by their places; the others need no cleaning."""
        text = b"\0".join(parts)
        found = self._look(text)
        if found is None:
            return _NONE
        starts = [0, *accumulate(len(part) + 1 for part in parts)]
        places = set()
        if self.thorough and b"\\" in text:  # the text that was looked at may be shorter
            return frozenset(at for at, part in enumerate(parts) if self._look(part) is not None)
        while found is not None:
            place = bisect_right(starts, found.start()) - 1
            places.add(min(place, len(parts) - 1))
            found = self._search(text, starts[place + 1]) if place + 1 < len(parts) else None
        return frozenset(places)

    def payload(self, data: bytes) -> bytes:
        """One JSON value without secrets: the same object where there are none.

        What is not JSON although it looks as if it held a secret is left out as a whole.
        """
        return data if self._look(data) is None else self.clean(data)

    def clean(self, data: bytes) -> bytes:
        """The same for what is suspected already."""
        try:
            return Scan(data, self).clean()
        except (Unreadable, RecursionError):
            return orjson.dumps({"__repr__": f"{MASK} {len(data)} bytes that cannot be looked through"})

    def text(self, text: str) -> str:
        """A text without secrets. Short ones are remembered: ids and names come again and again."""
        if not text.strip(_HEX):
            return text
        known = self._texts.get(text)
        if known is None:
            suspect = self._look(text.encode("utf-8", "surrogatepass")) is not None
            known = self._value_or_mask(text) if suspect else text
            if len(text) < 100:
                if len(self._texts) >= _MOST_REMEMBERED:
                    self._texts.clear()
                self._texts[text] = known
        return known

    def trace_id(self, trace_id: str) -> str:
        """A trace id without secrets; as 32 hex digits of its hash where trace ids are to be hashed."""
        if "traceid" in self._identifiers:
            return self._digest(normal_id(trace_id), 16)
        return self.text(trace_id)

    def envelope(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Envelope fields without secrets."""
        return {
            name: self._hashed(value) if plain(name) in self._identifiers else self.text(value)
            for name, value in fields.items()
        }

    def mapping(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What is said elsewhere, as in a manifest, without secrets."""
        return {key: self._said(str(key), value) for key, value in said.items()}

    def verdict(self, name: str) -> str:
        """What a field of this plain name holds: secret, identity, hex, long, allowed; empty: anything."""
        known = self._verdicts.get(name)
        if known is None:
            if len(self._verdicts) >= _MOST_REMEMBERED:
                self._verdicts.clear()
            known = self._verdicts[name] = self._verdict(name)
        return known

    def replace(self, verdict: str, text: str, *, string: bool) -> str | None:
        """What stands in the place of a field's value; None: it stays."""
        if text in _EMPTY or DONE.match(text):
            return None
        if verdict == "identity":
            return self._hashed(text)
        if verdict == "hex" and not (string and _HEX64.match(text)):
            return None
        if verdict == "long" and not (string and len(text) >= secrets.LONG):
            return None
        return self.masked(text)

    def value(self, text: str, nested: int) -> str:
        """A string without secrets, be it JSON itself; the same object where there are none."""
        inner = text.lstrip("\ufeff \t\r\n")
        if inner[:1] in {"{", "[", '"'} and len(inner) > 1 and nested < _MOST_NESTED:
            data = inner.encode("utf-8", "surrogatepass")
            try:
                clean = Scan(data, self, nested + 1).clean()
            except Unreadable:
                return self._inside.clean(text)
            if clean is data:
                return text
            return text[: len(text) - len(inner)] + clean.decode("utf-8", "surrogatepass")
        return self._inside.clean(text)

    def _value_or_mask(self, text: str) -> str:
        try:
            return self.value(text, 0)
        except RecursionError:
            return MASK

    def encoded(self, text: str) -> str:
        """Base64 without secrets: suspicious bytes that are no clean JSON are left out as a whole.

        Whoever writes a form of its own may spell names and values as nobody here can read.
        """
        try:
            raw = base64.b64decode(text)
            if self._look(raw) is None or Scan(raw.decode().encode(), self, 1).clean() == raw:
                return text
        except (binascii.Error, UnicodeDecodeError, Unreadable):
            return self.masked(text)
        return self.masked(text)

    def _look(self, data: bytes) -> Any:
        """The first place that is suspicious, or None."""
        if self.thorough and b"\\" in data:  # own patterns know nothing of JSON's escapes
            found = self._search(data.replace(b'\\"', b'"'))
            return found or (data if b"\\" in data.replace(b'\\"', b'"') else None)
        return self._search(data)

    def _verdict(self, name: str) -> str:
        single = name.removesuffix("s")
        if name in self._allow:
            return "allowed"
        if name in self._identifiers:
            return "identity"
        if name in self._keys or name in _EXACT or name.endswith(_ENDINGS) or single.endswith(_ENDINGS):
            return "secret"
        if name in _HEX_EXACT or name.endswith(_HEX_ENDINGS):
            return "hex"
        return "long" if name in secrets.LONG_EXACT else ""

    def _said(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping) and self.verdict(plain(name)) != "secret":
            return self.mapping(value)
        if isinstance(value, list | tuple) and self.verdict(plain(name)) != "secret":
            return [self._said(name, inner) for inner in value]
        shown = str(value)
        verdict = self.verdict(plain(name))
        if verdict == "allowed":
            return value
        new = self.replace(verdict, shown, string=isinstance(value, str)) if verdict else None
        clean = self.text(shown) if new is None else new
        return value if clean == shown else clean

    def masked(self, text: str) -> str:
        """What stands in the place of a secret."""
        return self._hashed(text) if self._hashes else MASK

    def _hashed(self, text: str) -> str:
        return text if DONE.match(text) else f"hmac:{self._digest(text, 8)}"

    def _digest(self, text: str, size: int) -> str:
        spelled = text.lower() if _ADDRESS.match(text) else text  # an address is the same in any case
        return hmac.digest(self._hash_key, spelled.encode("utf-8", "surrogatepass"), "sha256")[:size].hex()


def _joined(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.replace(" ", "") for name in names)


_ENDINGS: Final = _joined(secrets.ENDINGS)
_EXACT: Final = frozenset(_joined(secrets.EXACT))
_HEX_ENDINGS: Final = _joined(secrets.HEX_ENDINGS)
_HEX_EXACT: Final = frozenset(_joined(secrets.HEX_EXACT))


def _checked_key(policy: RedactionPolicy, hash_keys: Sequence[str]) -> bytes:
    if policy.style not in {"mask", "hash"}:
        raise ConfigError(f"redaction style cannot be {policy.style!r}", hint="mask or hash")
    hint = "set POLYRECORD_HASH_KEY, and keep it: with another key the same value has another hash"
    if (policy.style == "hash" or hash_keys) and not policy.hash_key:
        raise ConfigError("hashing needs a key", hint=hint)
    if policy.hash_key and len(policy.hash_key) < _SHORTEST_KEY:
        raise ConfigError(f"a hash key has at least {_SHORTEST_KEY} bytes", hint=hint)
    return policy.hash_key or b""


def _unanchored(pattern: str) -> str:
    if _ANCHOR.search(pattern):
        raise ConfigError(
            f"a redaction pattern with an anchor: {pattern[:80]!r}", hint="it may match anywhere in a text"
        )
    return pattern


def _compile(pattern: str, *, bytes_: bool = False) -> Pattern:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not bytes_
    try:
        return Pattern(re2.compile(pattern.encode() if bytes_ else pattern, options=options))
    except re2.error as error:
        raise ConfigError(
            f"not a redaction pattern: {error}", hint="a regular expression that RE2 knows"
        ) from None
