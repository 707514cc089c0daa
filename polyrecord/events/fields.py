"""The value types of the catalogue: decimal text, sides, counts, durations. Strict: nothing is converted.

A price or an amount of money is decimal text, never a float: 0.1 + 0.2 is not 0.3 in binary. A `Decimal` is
accepted where text is, because the recorder writes it as its exact text.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from polyrecord.times import parse_ts

DECIMAL: Final = r"^-?([0-9]+(\.[0-9]+)?|\.[0-9]+)$"  # some venues write .48
SIZE: Final = DECIMAL.replace("-?", "", 1)
_DECIMAL: Final = re.compile(DECIMAL.removesuffix("$") + r"\Z")  # in Python $ also matches before a line feed
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z\Z", re.ASCII)


def _check_decimal(value: object) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)  # the recorder writes out the exponent that this may have
    if not isinstance(value, str | Decimal):
        raise PydanticCustomError("decimal_type", "needs decimal text")
    if isinstance(value, Decimal) or _DECIMAL.match(value) is None:
        raise PydanticCustomError("decimal_text", "is not decimal text")
    return value


def _check_size(value: object) -> str:
    text = _check_decimal(value)
    if text.startswith("-"):
        raise PydanticCustomError("decimal_sign", "is negative")
    return text


def _check_stamp(text: str) -> str:
    if _STAMP.match(text) is None or not _exists(text):
        raise PydanticCustomError("stamp", "is not a timestamp")
    return text


def _exists(text: str) -> bool:
    """Whether the calendar has this moment: there is no 30th of February."""
    try:
        parse_ts(text)
    except ValueError:
        return False
    return True


DecimalText: TypeAlias = Annotated[
    str,
    BeforeValidator(_check_decimal),
    WithJsonSchema({"type": "string", "format": "decimal", "pattern": DECIMAL}),
]
"""A price, profit or cost: `-?` digits, with at most one dot, no exponent."""

SizeText: TypeAlias = Annotated[
    str,
    BeforeValidator(_check_size),
    WithJsonSchema({"type": "string", "format": "decimal", "pattern": SIZE}),
]
"""A size or an amount that cannot be negative, as decimal text."""

Text: TypeAlias = Annotated[str, Field(strict=True)]
"""Any text."""

Name: TypeAlias = Annotated[str, Field(strict=True, min_length=1)]
"""Text that is not empty: an id, a strategy, a source. An asset id has 76 to 78 digits: text, no number."""

Side: TypeAlias = Literal["BUY", "SELL"]
"""Which side of the book, or of a trade."""

Integer: TypeAlias = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
"""A whole number that 64 bits hold: a time in nanoseconds, an offset."""

Count: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
"""How many."""

Ordinal: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
"""A number counted from 1: a seq, an ordinal, an attempt."""

Milliseconds: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite duration. Negative ones are kept, so that a clock that went wrong is seen."""

Stamp: TypeAlias = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_check_stamp),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": r"\.[0-9]{9}Z$"}),
]
"""A time as the event line writes it: UTC with nine fractional digits."""
