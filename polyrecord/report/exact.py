"""Exact sums of decimal texts. Never a float."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from typing import Final, cast

MAX_EXPONENT: Final = 1_000  # no amount of money is beyond 1e1000 or finer than 1e-1000
# Room for every digit of a sum of such amounts; were one rounded all the same, Inexact would raise.
_EXACT: Final = Context(
    prec=2 * MAX_EXPONENT + 32, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation]
)
_QUOTIENT: Final = Context(prec=28, rounding=ROUND_HALF_EVEN, Emax=MAX_EMAX, Emin=MIN_EMIN)


def read_amount(text: str) -> Decimal | None:
    """The amount a text stands for, None when it is no finite decimal number within 1e±1000."""
    try:
        amount = _EXACT.create_decimal(text)
    except (InvalidOperation, Inexact):
        return None
    if not amount.is_finite():
        return None
    exponent = cast(int, amount.as_tuple().exponent)
    if exponent < -MAX_EXPONENT or amount.adjusted() > MAX_EXPONENT:
        return None
    return amount


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, with as many digits behind the point as the finest of the amounts."""
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total


def with_digits(amount: Decimal, digits: int) -> Decimal:
    """The same amount with so many digits behind the point; raises Inexact where it has more."""
    return amount.quantize(Decimal(1).scaleb(-digits), context=_EXACT)


def quotient(amount: Decimal, divisor: Decimal) -> Decimal:
    """Their quotient, to 28 significant digits."""
    return _QUOTIENT.divide(amount, divisor)
