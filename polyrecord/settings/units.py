"""Lengths of time and sizes as people write them: 30d, 12h, 7y; 50GB, 512MiB."""

from __future__ import annotations

import re
from typing import Final

_AGE: Final = re.compile(r"(\d+(?:\.\d+)?) ?(s|m|h|d|w|y)\Z", re.ASCII)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)\Z", re.ASCII)
_DAY: Final = 86_400
# A year is 366 days: kept for seven years is never a day short of it.
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": _DAY, "w": 7 * _DAY, "y": 366 * _DAY}
_BYTES: Final = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}  # fmt: skip
_LONGEST: Final = 1e10  # seconds


def read_age(value: object) -> float:
    """Seconds of `30d`, `12h` or a number of days; raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) * _DAY
    else:
        match = _AGE.match(value) if isinstance(value, str) else None
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds <= _LONGEST:
        raise ValueError("a length of time: 30d, 12h, 7y (s m h d w y), or a number of days")
    return seconds


def read_size(value: object) -> int:
    """Bytes of `50GB`, `512MiB` or a number of them; raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        match = _SIZE.match(value) if isinstance(value, str) else None
        size = round(float(match[1]) * _BYTES[match[2]]) if match else 0
    if not 0 < size < 1 << 63:
        raise ValueError("a size: 50GB, 512MiB, or a number of bytes")
    return size
