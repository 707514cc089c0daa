"""Timestamps as foreign logs write them, to nanoseconds, without binary floating point."""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Context, Decimal

from polyrecord.foreign.outcome import shorten
from polyrecord.times import SECOND, UNITS, parse_ts

TS_UNITS = (*UNITS, "iso", "auto")

_ZONED = re.compile(r"(?:[Zz]|:\d\d(?:[.,]\d+)? ?[+-]\d\d:?\d\d)\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST = 100  # characters of a time; longer text is none
# Exact: the longest number times the largest unit has fewer digits.
_EXACT = Context(prec=2 * _LONGEST)
_MAGNITUDES = ((10**11, "s"), (10**14, "ms"), (10**17, "us"), (10**20, "ns"))
_SMALLEST = 10**8  # in seconds 1973; below that a number may be anything


def to_ns(value: object, unit: str, zone_seconds: int = 0) -> int:
    """Nanoseconds since 1970 of a number or text in `unit` (s, ms, us, ns, iso, auto); raises ValueError.

    A number with a fraction is given as the text it was written in. Digits beyond the nanosecond are cut.
    Text that names no zone is of one that is `zone_seconds` ahead of UTC.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        ns = _from_number(value, unit)
    elif isinstance(value, str):
        ns = _from_text(value.strip(), unit, zone_seconds)
    else:
        raise ValueError(f"a {type(value).__name__} is no time")  # noqa: TRY004 - one error for all bad times
    if not -(2**63) <= ns < 2**63:
        raise ValueError(f"{shorten(value)} is outside the years 1678 to 2262")
    return ns


def _from_text(text: str, unit: str, zone_seconds: int) -> int:
    if len(text) > _LONGEST:
        raise ValueError(f"not a time: {shorten(text)}")
    is_number = _NUMBER.fullmatch(text) is not None
    if unit == "iso" or (unit == "auto" and not is_number):
        without_zone = zone_seconds and not _ZONED.search(text)
        return parse_ts(text) - (zone_seconds * SECOND if without_zone else 0)
    if not is_number:
        raise ValueError(f"not a number of {unit}: {shorten(text)}")
    whole, _, fraction = text.partition(".")
    if whole.isdecimal() and (not fraction or fraction.isdecimal()):
        return _from_digits(whole, fraction, unit)
    return _from_number(Decimal(text), unit)


def _from_digits(whole: str, fraction: str, unit: str) -> int:
    """What `_from_number` gives, for the way nearly every time is written."""
    ns = _from_number(int(whole), unit)
    if not fraction:
        return ns
    scale = UNITS[_unit_of(int(whole)) if unit == "auto" else unit]
    return ns + int(fraction) * scale // int(10 ** len(fraction))


def _from_number(value: int | Decimal, unit: str) -> int:
    if unit == "iso":
        raise ValueError(f"not an ISO time: {shorten(value)}")
    scale = UNITS[_unit_of(value) if unit == "auto" else unit]
    if isinstance(value, int):
        return value * scale
    return int(_EXACT.multiply(value, scale).to_integral_value(ROUND_FLOOR))


def _unit_of(value: int | Decimal) -> str:
    """The unit in which a number is a time between 1973 and 5138; there is at most one."""
    size = abs(Decimal(value))
    if size >= _SMALLEST:
        for limit, unit in _MAGNITUDES:
            if size < limit:
                return unit
    raise ValueError(f"the unit of {shorten(str(value))} cannot be told; name it, as in --ts FIELD:ms")
