"""How single values look in a table: numbers people can compare, text that cannot move the cursor."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

NOTHING = "-"
NONE = "(none)"
_SHORT = 32  # characters of a value among others on one line
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def shown(text: object) -> str:
    """Text without control characters: recorded data must not be able to steer a terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in str(text))


def short(text: object, most: int = _SHORT) -> str:
    """Text cut to so many characters; the cut is visible."""
    clean = shown(text)
    return clean if len(clean) <= most else clean[: most - 1].rstrip("…") + "…"


def milliseconds(value: float | None) -> str:
    """Four figures: 0.052, 10.50, 105.2, 1,052."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size >= 1e7 or 0 < size < 0.0005:
        return f"{value:.1e}"
    digits = 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{digits}f}"


def amount(value: Decimal | None) -> str:
    """An exact amount in full."""
    return NOTHING if value is None else format(value, "f")


def rounded(value: Decimal | None) -> str:
    """An amount to six significant digits, or to a whole number where that has more; no exponent."""
    if value is None:
        return NOTHING
    digits = max(6, value.adjusted() + 1)
    return format(Decimal(f"{value:.{digits}g}"), "f")


def percent(value: Decimal | float | None) -> str:
    """0.025 as 2.50 %."""
    return NOTHING if value is None else f"{value * 100:.2f} %"


def covered(value: float) -> str:
    """A share of what there should be, with places enough not to be 100 where it is not: 99.9988 %."""
    places = next((n for n in range(2, 5) if value == 1 or float(f"{value * 100:.{n}f}") < 100), 4)
    return f"{value * 100:.{places}f} %"


def seconds(value: float) -> str:
    """3.2 s, 0.041 s, 1,204.0 s."""
    return f"{value:,.1f} s" if value >= 1 or not value else f"{value:.2g} s"


def count(number: int, what: str) -> str:
    """1 event, 2,000 events."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def size(length: int) -> str:
    """Bytes in the unit that leaves one to four figures before the point."""
    value, unit = float(length), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{length} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def moment(ts: str | None) -> str:
    """A time without the zeros at its end: 2026-11-20T12:34:56.5Z."""
    if ts is None:
        return NOTHING
    return ts.removesuffix("Z").rstrip("0").removesuffix(".") + "Z" if "." in ts else ts


def minute(ts: str | None) -> str:
    """2026-11-20 12:34."""
    return NOTHING if ts is None else ts[:16].replace("T", " ")


def summary(data: Any) -> str:
    """What an event says, on one line: its members, long ones cut, lists by their length."""
    if not isinstance(data, dict):
        return short(data) if data is not None else ""
    return "  ".join(f"{shown(name)}={_member(value)}" for name, value in data.items())


def _member(value: Any) -> str:
    if isinstance(value, list):
        return f"[{len(value)}]"
    if isinstance(value, dict):
        return "{…}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return short(value)
