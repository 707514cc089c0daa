"""Amounts of money as people write them."""

from __future__ import annotations

from decimal import Decimal

_CENT = Decimal("0.01")


def dollars(amount: Decimal) -> Decimal:
    """The same amount with two decimals, or as many more as it needs: never rounded, no idle zeros."""
    cents = amount.quantize(_CENT)
    return cents if cents == amount else amount.normalize()
