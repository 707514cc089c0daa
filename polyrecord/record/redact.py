"""Secrets are taken out before any byte leaves memory (docs/privacy.md).

One search with RE2 says of most events that they hold nothing: 1.5 us for a small event, 4 us for a book.
What it finds suspicious is parsed and looked at by name and by value.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson

from polyrecord.errors import ConfigError
from polyrecord.record import secrets
from polyrecord.record.encode import rescue

MASK: Final = "[redacted]"
_SEPARATORS: Final = str.maketrans("", "", "-_ .")
_HEX: Final = "0123456789abcdefABCDEF-"
_MOST_REMEMBERED = 2_000
_MOST_DEPTH = 60
_INT64 = range(-(1 << 63), 1 << 64)
_WORDS = re.compile(r"[a-z]{3,8}(?: [a-z]{3,8}){11,23}\Z")


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """What counts as a secret beside the usual, and what becomes of it.

    `keys` are further names of fields, `allow` names that are no secrets, both without regard to case and
    separators; `patterns` are regular expressions (RE2) of further values. The values of `hash_keys` are no
    secrets but identifiers: they become keyed hashes, equal where they were equal. `style`: `mask` puts
    "[redacted]" in a secret's place, `hash` its keyed hash. `hash_key` is the key of both.
    """

    keys: Iterable[str] = ()
    patterns: Iterable[str] = ()
    allow: Iterable[str] = ()
    hash_keys: Iterable[str] = ()
    style: str = "mask"
    hash_key: bytes | None = None


class Redactor:
    """Takes secrets out of data, texts and mappings. Serves one thread."""

    def __init__(self, policy: RedactionPolicy | None = None) -> None:
        """Raises ConfigError for a policy that makes no sense."""
        policy = policy or RedactionPolicy()
        self._hash_key = _checked_key(policy)
        self._mask = self._hashed if policy.style == "hash" else _masked
        self._keys = frozenset(map(plain_name, policy.keys))
        self._allow = frozenset(map(plain_name, policy.allow))
        self._identifiers = frozenset(map(plain_name, policy.hash_keys))
        self._maybe = _search([*_suspicious(policy), *policy.patterns])
        self._shapes = _compile([*secrets.SHAPES, *policy.patterns])
        self._parts = _compile(secrets.PARTS)
        self._said = _compile([_assignment(policy)])
        self._texts: dict[str, str] = {}

    def payload(self, data: bytes) -> bytes:
        """One JSON value without secrets: the same object where there are none.

        What is not JSON although it looks as if it held a secret is left out as a whole.
        """
        if not self._maybe(data):
            return data
        try:
            value = json.loads(data, parse_float=_fragment, parse_int=_integer)
            clean = self._walk(value, 0)
        except (ValueError, RecursionError):
            return orjson.dumps({"__repr__": f"{MASK} {len(data)} bytes that cannot be looked through"})
        if clean is value:
            return data
        try:
            return orjson.dumps(clean)
        except TypeError:  # a lone surrogate
            return rescue(clean)

    def text(self, text: str) -> str:
        """A text without secrets. Short ones are remembered: ids and names come again and again."""
        if not text.strip(_HEX):
            return text
        known = self._texts.get(text)
        if known is None:
            known = self._clean_text(text, 0)
            if len(text) < 100:
                if len(self._texts) > _MOST_REMEMBERED:
                    self._texts.clear()
                self._texts[text] = known
        return known

    def mapping(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What is said elsewhere, as in a manifest, without secrets."""
        clean: dict[str, Any] = self._walk(dict(said), 0)
        return clean

    def _walk(self, value: Any, depth: int) -> Any:
        """A value without secrets: the same object where there are none."""
        if depth > _MOST_DEPTH:
            raise RecursionError("nested too deep")
        if isinstance(value, str):
            return self._clean_text(value, depth)
        if isinstance(value, Mapping):
            return self._walk_mapping(value, depth)
        if isinstance(value, list | tuple):
            return self._walk_list(value, depth)
        return value

    def _walk_mapping(self, value: Mapping[Any, Any], depth: int) -> Any:
        named = value.get("name") or value.get("key") or value.get("header")
        clean = {}
        for key, inner in value.items():
            name = str(key)
            if key == "value" and isinstance(named, str):  # {"name": "X-API-KEY", "value": "..."}
                name = named
            if key == "frame_b64":
                cleaned: Any = self._frame(inner)
            else:
                cleaned = self._member(name, inner, depth)
            clean[self._clean_text(key, depth) if isinstance(key, str) else key] = cleaned
        same = all(clean.get(key, clean) is inner for key, inner in value.items())
        return value if same and len(clean) == len(value) else clean

    def _member(self, name: str, value: Any, depth: int) -> Any:
        plain = plain_name(name)
        if plain in self._allow:
            return value
        if plain in self._identifiers:
            return _each(value, self._hashed)
        if self._is_secret(plain):
            return value if value in (None, "", True, False) else self._mask(value)
        return self._walk(value, depth + 1)

    def _walk_list(self, value: Any, depth: int) -> Any:
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], str):
            clean = [value[0], self._member(value[0], value[1], depth)]  # ["X-API-KEY", "..."]
        else:
            clean = [self._walk(inner, depth + 1) for inner in value]
        return value if all(map(_is, value, clean)) else clean

    def _is_secret(self, plain: str) -> bool:
        return plain in secrets.EXACT or plain in self._keys or plain.endswith(secrets.ENDINGS)

    def _frame(self, frame: Any) -> Any:
        """Bytes of a venue that are no text: kept whole or not at all."""
        try:
            raw = base64.b64decode(frame)
        except (TypeError, binascii.Error):
            return frame
        return self._mask(frame) if self._maybe(raw) else frame

    def _clean_text(self, text: str, depth: int) -> str:
        if not self._maybe(text.encode("utf-8", "surrogatepass")):
            return text
        if text.lstrip()[:1] in {"{", "["}:
            return self._inner_json(text, depth)
        return self._mask(text) if _is_mnemonic(text) else self._free_text(text)

    def _inner_json(self, text: str, depth: int) -> str:
        """JSON within a string, as a venue's frame is recorded."""
        try:
            value = json.loads(text, parse_float=_fragment, parse_int=_integer)
            clean = self._walk(value, depth + 1)
            return text if clean is value else orjson.dumps(clean).decode()
        except (ValueError, TypeError, RecursionError):
            return self._free_text(text)

    def _free_text(self, text: str) -> str:
        for pattern in self._shapes:
            text = pattern.sub(lambda match: self._mask(match.group(0)), text)
        for pattern in (*self._parts, *self._said):
            text = pattern.sub(self._within, text)
        return text

    def _within(self, match: Any) -> str:
        """The match with its group 1 masked."""
        whole: str = match.group(0)
        start, end = (at - match.start(0) for at in match.span(1))
        if whole[start:end].startswith((MASK[:-1], "hmac:")):
            return whole
        return f"{whole[:start]}{self._mask(whole[start:end])}{whole[end:]}"

    def _hashed(self, value: Any) -> str:
        if isinstance(value, str) and value.startswith("hmac:"):
            return value
        text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
        key = self._hash_key or b""
        return f"hmac:{blake2b(text.encode('utf-8', 'surrogatepass'), key=key, digest_size=8).hexdigest()}"


def plain_name(name: str) -> str:
    """A field's name without case and separators."""
    return name.translate(_SEPARATORS).lower()


def _checked_key(policy: RedactionPolicy) -> bytes | None:
    if policy.style not in {"mask", "hash"}:
        raise ConfigError(f"redaction style cannot be {policy.style!r}", hint="mask or hash")
    needed = policy.style == "hash" or any(True for _ in policy.hash_keys)
    if needed and not policy.hash_key:
        hint = "set POLYRECORD_HASH_KEY, and keep it: with another key the same value has another hash"
        raise ConfigError("hashing needs a key", hint=hint)
    return None if policy.hash_key is None else blake2b(policy.hash_key, digest_size=32).digest()


def _suspicious(policy: RedactionPolicy) -> list[str]:
    own = [*policy.keys, *policy.hash_keys]
    names = [_spelled(plain_name(name)) for name in own]
    quoted = [rf"\b{name}\\?\"" for name in secrets.SHORT_NAMES]
    return [*secrets.NAMES, *quoted, *names, *secrets.SIGNS, "frame_b64", r"\\u"]


def _spelled(name: str) -> str:
    """A pattern of a name with any separators between its letters."""
    return "[-_ .]*".join(map(re.escape, name))


def _assignment(policy: RedactionPolicy) -> str:
    """`api_key=...`, `password: ...` in a text: group 1 is the value."""
    names = "|".join([*secrets.NAMES, *(_spelled(plain_name(name)) for name in policy.keys)])
    return rf"(?i:(?:{names}))[\"']?\s*[:=]\s*[\"']?([^\s\"'&,;}})\]]+)"


def _compile(patterns: Iterable[str], *, any_case: bool = False) -> list[Any]:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not any_case
    try:
        return [re2.compile(pattern, options=options) for pattern in patterns]
    except re2.error as error:
        what = f"a redaction pattern is no regular expression: {error}"
        raise ConfigError(what, hint="the syntax is RE2's") from None


def _search(patterns: Iterable[str]) -> Callable[[bytes], Any]:
    """A search of bytes, without regard to case, for any of the patterns."""
    (found,) = _compile(["|".join(f"(?:{pattern})" for pattern in patterns)], any_case=True)
    search: Callable[[bytes], Any] = found.search
    return search


def _is_mnemonic(text: str) -> bool:
    words = text.split()
    if len(words) not in secrets.MNEMONIC_LENGTHS or not _WORDS.match(" ".join(words)):
        return False
    return secrets.PROSE.isdisjoint(words)


def _masked(_: Any) -> str:
    return MASK


def _each(value: Any, change: Callable[[Any], str]) -> Any:
    if isinstance(value, list | tuple):
        return [_each(inner, change) for inner in value]
    return value if value is None or value == "" else change(value)


def _is(left: Any, right: Any) -> bool:
    return left is right


def _fragment(text: str) -> Any:
    """A number as it was written: no rounding on the way through."""
    return orjson.Fragment(text.encode())


def _integer(text: str) -> Any:
    if len(text) > 20:
        return _fragment(text)
    number = int(text)
    return number if number in _INT64 else _fragment(text)
