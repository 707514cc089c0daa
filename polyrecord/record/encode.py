"""Data to JSON bytes on the caller's time, whatever the caller hands over (docs/format.md, section 2)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from polyrecord.errors import InvalidEvent

_MARK = "__repr__"
_MAX_REPR = 1_000
_MAX_DEPTH = 200
_SURROGATE = re.compile("[\ud800-\udfff]")


def decimal_text(value: Decimal) -> str:
    """Exact decimal text without an exponent; `NaN`, `Infinity` or `-Infinity` where it is not finite."""
    text = str(value)
    if "E" not in text and "N" not in text and "I" not in text:
        return text  # the usual case, 3 times cheaper than format()
    if value.is_finite():
        return format(value, "f")
    return "NaN" if value.is_nan() else ("Infinity" if value > 0 else "-Infinity")


def money_text(value: Decimal | str | float | None) -> str | None:
    """A price, size or amount as decimal text; a float by its shortest repr, None stays None."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, Decimal):
        return decimal_text(value)
    try:
        return decimal_text(Decimal(str(value)))  # str, not repr: numpy's is np.float64(0.1)
    except Exception:  # noqa: BLE001 - no amount: kept as it is, and validation says what is wrong
        return value  # type: ignore[return-value]


def encode_special(value: Any) -> Any:
    """orjson's `default`: exact decimals and numpy's types; what else it does not know is for `rescue`."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if type(value).__module__ == "numpy":  # the option on every call would import numpy into a bot without it
        return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))
    raise TypeError


def rescue(data: Any) -> bytes:
    """`data` as JSON bytes where orjson refused it: what cannot be held becomes its repr. Never raises."""
    try:
        return orjson.dumps(_Rescue().copy(data, 0), encode_special)
    except Exception:  # noqa: BLE001 - each part could be held, the whole is nested too deep
        return orjson.dumps(_marker(data))


def as_recorded(data: Any) -> Any:
    """What a reader will find of `data`: decimals as text, enums as values. Raises TypeError."""
    return orjson.loads(orjson.dumps(data, encode_special))


class _Rescue:
    """Copies data into what JSON can hold; each value it cannot hold becomes its repr under a marker."""

    def __init__(self) -> None:
        self._above: set[int] = set()

    def copy(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return _plain_text(value)
        if isinstance(value, Mapping | list | tuple):
            return self._container(value, depth)
        try:
            orjson.dumps(value, encode_special)
        except Exception:  # noqa: BLE001 - whatever a hostile object raises, the bot goes on
            return _marker(value)
        return value

    def _container(self, value: Any, depth: int) -> Any:
        name = type(value).__name__
        if id(value) in self._above:
            return {_MARK: f"circular {name}"}
        if depth >= _MAX_DEPTH:
            return {_MARK: f"deep {name}"}
        self._above.add(id(value))
        try:
            if isinstance(value, Mapping):
                return {_key(k): self.copy(v, depth + 1) for k, v in list(value.items())}
            return [self.copy(item, depth + 1) for item in list(value)]
        except Exception:  # noqa: BLE001 - a mapping whose items() raises
            return _marker(value)
        finally:
            self._above.discard(id(value))


def _key(key: Any) -> str:
    try:
        return _plain_text(str(key))
    except Exception:  # noqa: BLE001 - __str__ may raise anything
        return f"<{type(key).__name__}>"


def _plain_text(text: str) -> str:
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", str(text))


def _marker(value: Any) -> dict[str, str]:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - __repr__ may raise anything
        text = "<repr failed>"
    return {_MARK: _plain_text(f"{type(value).__name__} {text}"[:_MAX_REPR])}


def check_faithful(event_type: str, value: Any, path: str = "data", depth: int = 0) -> None:
    """Raise InvalidEvent where `value` would not be recorded as it is: NaN, a set, a non-string key…"""
    if depth > _MAX_DEPTH:
        raise _unfaithful(event_type, f"{path[:40]}…", "circular, or nested too deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise _unfaithful(event_type, path, f"{value} becomes null")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise _unfaithful(event_type, path, f"key {key!r} is not a string")
            check_faithful(event_type, item, f"{path}.{key}", depth + 1)
        return
    if isinstance(value, list | tuple):
        for at, item in enumerate(value):
            check_faithful(event_type, item, f"{path}[{at}]", depth + 1)
        return
    try:
        orjson.dumps(value, encode_special)
    except (TypeError, ValueError) as error:
        raise _unfaithful(event_type, path, f"{type(value).__name__} is kept as its repr only") from error


def _unfaithful(event_type: str, path: str, reason: str) -> InvalidEvent:
    return InvalidEvent(
        f"{event_type}: {path}: {reason}", hint="give decimal text, or a value that JSON can hold"
    )
