"""The lines a bot in any language writes into `polyrecord record`, read into events (docs/any-language.md).

1. `{"event_type":"signal","data":{...},"trace_id":"..."}`: `data` is the data, the rest the envelope.
2. `{"event_type":"signal","price":"0.5"}`, without `data`: the whole object is the data.
3. `signal<TAB>{"price":"0.5"}`: any JSON value is the data.

The data stays byte for byte: orjson checks a line, msgspec cuts `data` out of it, nothing is encoded anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import orjson

from polyrecord.record.compose import ENVELOPE

Repair: TypeAlias = Callable[[bytes], tuple[bytes, int]]
"""JSON out of a text that is JSON but for NaN and the like, and how many values had to become strings."""

KEPT_AS = "source_"  # + the name of a member that the envelope has no place for

_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_CORE = frozenset({"event_type", "trace_id", "data"})
_FIELDS = frozenset(ENVELOPE)
_SPAN = re.compile(r"[0-9a-f]{16}\Z")


_Lifted: TypeAlias = dict[str, str]

WireEvent: TypeAlias = tuple[str, bytes, str | None, _Lifted | None, int]
"""An event as it came: type, data as one JSON value, trace id, envelope, values that became strings."""


class BadLine(Exception):
    """A line that is no event: a reason of a short fixed list, and what this one has."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class _Usual(msgspec.Struct, gc=False):
    event_type: str
    trace_id: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


class _Data(msgspec.Struct, gc=False):
    data: msgspec.Raw


_usual_of = msgspec.json.Decoder(_Usual).decode
_data_of = msgspec.json.Decoder(_Data).decode
_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class WireReader:
    """Reads lines into events; `repair` is tried on what is not JSON."""

    def __init__(self, repair: Repair) -> None:
        self._repair = repair

    def read(self, line: bytes) -> WireEvent | None:
        """The event of a line, with or without its end; None where it is blank. Raises BadLine."""
        text = line.strip(_SPACE)
        if text.startswith(b"{"):
            return _usual(text) or self._object(text)
        if text.startswith(_BOM):
            return self.read(text[len(_BOM) :])
        return self._tabbed(line) if text else None

    def read_last(self, line: bytes) -> WireEvent | None:
        """The same for a line without a line feed, whose writer may have been cut off. Raises BadLine."""
        try:
            event = self.read(line)
        except BadLine as bad:
            if bad.reason != "not JSON":
                raise
            raise BadLine("cut off", f"no line feed at the end; {bad}") from None
        if line.rstrip(_SPACE)[-1:].isdigit():
            raise BadLine("cut off", "no line feed at the end; the number may have more digits")
        return event

    def _object(self, text: bytes) -> WireEvent:
        document, text, rewritten = self._load(text)
        event_type = document.get("event_type")
        if type(event_type) is not str or not event_type:
            raise _without_type(document)
        if "data" in document:
            data, envelope = _cut_out(document, text)
        else:
            data, envelope = text, _lift(document)
        return event_type, data, _trace_of(document), envelope, rewritten

    def _tabbed(self, line: bytes) -> WireEvent:
        name, tab, rest = line.partition(b"\t")
        value, text, rewritten = self._load(rest.strip(_SPACE) if tab else line.strip(_SPACE))
        if not tab:
            raise BadLine("no event_type", f"{_kind(value)}, not an object")
        try:
            event_type = name.decode().strip(" ")
        except UnicodeDecodeError as error:
            raise BadLine("not UTF-8", f"at byte {error.start + 1}") from None
        if not event_type:
            raise BadLine("no event_type", "nothing before the tab")
        if not isinstance(value, dict):
            return event_type, text, None, None, rewritten
        return event_type, text, _trace_of(value), _lift(value), rewritten

    def _load(self, text: bytes) -> tuple[Any, bytes, int]:
        """A text's JSON value, the text it stands in, and how many values of that were rewritten."""
        try:
            return orjson.loads(text), text, 0
        except orjson.JSONDecodeError as error:
            bad = _not_json(text, error)
        repaired, count = (text, 0) if bad.reason == "not UTF-8" else self._repair(text)
        if not count:
            raise bad
        try:
            return orjson.loads(repaired), repaired, count
        except orjson.JSONDecodeError as error:
            raise _not_json(text, error) from None


def _usual(text: bytes) -> WireEvent | None:
    """The event of a line of form 1 with nothing special to it, in half the time; None of any other."""
    try:
        event = _usual_of(text)
        data = bytes(event.data)
        if not data:
            return None
        orjson.loads(data)  # msgspec steps over it without a close look
    except _ANY_DOUBT:
        return None
    # Every other member, a second one of a name, and an escape would bring quotes of its own.
    quotes = 6 if event.trace_id is None else 10
    if text.count(b'"') - data.count(b'"') != quotes or not event.event_type or event.trace_id == "":
        return None
    return event.event_type, data, event.trace_id, None, 0


_ANY_DOUBT = (msgspec.MsgspecError, orjson.JSONDecodeError, UnicodeDecodeError, RecursionError)


def _not_json(text: bytes, error: orjson.JSONDecodeError) -> BadLine:
    try:
        text.decode()
    except UnicodeDecodeError as wrong:
        return BadLine("not UTF-8", f"at byte {wrong.start + 1}")
    return BadLine("not JSON", f"{error.msg.partition(': line ')[0]} at column {error.colno}")


def _without_type(document: dict[str, Any]) -> BadLine:
    if "event_type" not in document:
        return BadLine("no event_type")
    value = document["event_type"]
    return BadLine("no event_type", "it is empty" if value == "" else f"it is {_kind(value)}")


def _trace_of(document: dict[str, Any]) -> str | None:
    trace_id = document.get("trace_id")
    if trace_id is None or isinstance(trace_id, str):
        return trace_id or None  # a Go struct's zero value is the empty string
    raise BadLine("trace_id is not a string", f"it is {_kind(trace_id)}")


_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


def _lift(document: dict[str, Any]) -> _Lifted | None:
    """The members that are also the envelope's; all of them stay in the data."""
    if _FIELDS.isdisjoint(document):
        return None
    return {name: document[name] for name in ENVELOPE if document.get(name) and _fits(name, document[name])}


def _fits(name: str, value: Any) -> bool:
    return isinstance(value, str) and (not name.endswith("span_id") or _SPAN.match(value) is not None)


def _cut_out(document: dict[str, Any], text: bytes) -> tuple[bytes, _Lifted | None]:
    """The bytes of `data`, and the envelope; members that have no place in it are put into the data."""
    try:
        data = bytes(_data_of(text).data)
    except (msgspec.MsgspecError, RecursionError):
        raise BadLine("not JSON", "nested too deep") from None
    envelope: _Lifted = {}
    beside: list[str] = []
    quotes = 2  # those of the name `data`
    for name, value in document.items():
        if name == "data":
            continue
        quotes += 4 if isinstance(value, str) else 2
        if name in _CORE:
            continue
        if name not in _FIELDS or not (value is None or value == "" or _fits(name, value)):
            beside.append(name)
        elif value:
            envelope[name] = value
    # A member that is there twice brings quotes of its own; so does an escape, hence the second look.
    if text.count(b'"') - data.count(b'"') != quotes:
        _refuse_twice(text)
    if beside:
        data = _with_beside(data, document["data"], beside, text)
    return data, envelope or None


def _refuse_twice(text: bytes) -> None:
    """Raise BadLine where a member of the outermost object is there twice: the first would vanish."""
    names: list[str] = []

    def keep_names(pairs: list[tuple[str, Any]]) -> None:
        names[:] = [name for name, _ in pairs]

    try:
        json.loads(text, object_pairs_hook=keep_names)  # the outermost object is the last it sees
    except RecursionError:
        raise BadLine("not JSON", "nested too deep") from None
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadLine("a member twice", ascii(twice[:80]))


def _with_beside(data: bytes, value: Any, names: list[str], text: bytes) -> bytes:
    """The data with further members, their values as they are written."""
    if not isinstance(value, dict):
        raise BadLine("a member beside data", f"{names[0][:80]!a}, and data is {_kind(value)}")
    members, parts = _members_of(text), []
    for name in names:
        if KEPT_AS + name in value:
            raise BadLine("a member beside data", f"{name[:80]!a}, and data has {KEPT_AS + name[:80]!a}")
        parts.append(orjson.dumps(KEPT_AS + name) + b":" + bytes(members[name]))
    comma = b"," if value else b""
    return data[:-1].rstrip(_SPACE) + comma + b",".join(parts) + b"}"
