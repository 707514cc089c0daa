"""The time of an event as a wall clock in some zone showed it, for people who read lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from polyrecord.errors import ConfigError
from polyrecord.times import SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LocalTime:
    """Formats times in one zone: RFC 3339 with nine digits and the offset. A second is worked out once."""

    __slots__ = ("_after", "_before", "_second", "_zone")

    def __init__(self, zone: str) -> None:
        """`zone` is an IANA name such as `Asia/Kolkata`; raises ConfigError when it is not known here."""
        try:
            self._zone = ZoneInfo(zone)
        except (OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
            raise _unknown(zone) from error
        except KeyError as error:
            raise _unknown(zone) from error
        self._second: int | None = None
        self._before = self._after = ""

    def __call__(self, ts_ns: int) -> str:
        """`2026-11-20T18:04:56.789123456+05:30` of nanoseconds since 1970."""
        second, fraction = divmod(ts_ns, SECOND)
        if second != self._second:
            local = (_EPOCH + timedelta(seconds=second)).astimezone(self._zone).isoformat()
            self._second, self._before, self._after = second, local[:19], local[19:]
        return f"{self._before}.{fraction:09d}{self._after}"


def _unknown(zone: str) -> ConfigError:
    hint = "an IANA name, as Asia/Kolkata; `pip install tzdata` where the system has no time zones"
    return ConfigError(f"not a time zone known here: {zone[:80]!r}", hint=hint)
