"""Times as text: the nine-digit RFC 3339 of the event line, and what people type.

Nanoseconds since 1970-01-01T00:00:00Z everywhere; a time without a zone is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from polyrecord.errors import UsageError

SECOND = 1_000_000_000
UNITS = {"s": SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"(?: ?([Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d))?)?\Z",
    re.ASCII,
)
_AGO = re.compile(r"-(\d+(?:\.\d+)?)(s|m|h|d|w)\Z", re.ASCII)
_AGO_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def format_ts(ns: int) -> str:
    """`2026-11-20T12:34:56.789123456Z`: always nine digits, so text order is time order."""
    seconds, rest = divmod(ns, SECOND)
    return f"{format_second(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=256)
def format_second(seconds: int) -> str:
    """`2026-11-20T12:34:56` in UTC; years 1 to 9999."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def date_of(ns: int) -> str:
    """The UTC date, `2026-11-20`."""
    return format_second(ns // SECOND)[:10]


def parse_ts(text: str) -> int:
    """Nanoseconds of an RFC 3339 or ISO 8601 time; date alone is its midnight. Raises ValueError."""
    match = _STAMP.match(text)
    if match is None:
        raise ValueError(f"not a time: {text[:80]!r}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    # A leap second (:60) is the second after it, as POSIX time has it.
    leap = 1 if second == "60" else 0
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0),
        int(second or 0) - leap, tzinfo=UTC,
    )  # fmt: skip
    since = moment - _EPOCH
    ns = (since.days * 86_400 + since.seconds + leap - _offset_seconds(zone)) * SECOND
    return ns + int((fraction or "0")[:9].ljust(9, "0"))


def _offset_seconds(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _existing(ns: int) -> int:
    format_ts(ns)  # before the year 1 there is no time: OverflowError
    return ns


def parse_moment(text: str, now_ns: int) -> int:
    """Nanoseconds of what a person types: RFC 3339, `-3h`, `now`, `today`, `yesterday` (UTC)."""
    word = text.strip()
    midnight = now_ns - now_ns % (86_400 * SECOND)
    named = {"now": now_ns, "today": midnight, "yesterday": midnight - 86_400 * SECOND}
    if word.lower() in named:
        return named[word.lower()]
    ago = _AGO.match(word.lower())
    try:
        if ago is None:
            return parse_ts(word)
        return _existing(now_ns - round(float(ago[1]) * _AGO_SECONDS[ago[2]] * SECOND))
    except (ValueError, OverflowError):
        raise UsageError(
            f"not a time: {text[:80]!r}",
            hint="2026-11-20T12:34:56Z, 2026-11-20, -3h, -90s, today, yesterday or now",
        ) from None
