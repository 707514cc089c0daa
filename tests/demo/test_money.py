"""Amounts keep their value to the last digit and lose their idle zeros."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.demo.money import dollars


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("3", "3.00"),
        ("0.1322260000000000", "0.132226"),
        ("-0.50000", "-0.50"),
        ("0E-9", "0.00"),
        ("1E+2", "100.00"),
    ],
)
def test_an_amount_has_two_decimals_or_as_many_as_it_needs(amount: str, text: str) -> None:
    assert format(dollars(Decimal(amount)), "f") == text


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=12))
def test_no_digit_of_an_amount_is_lost(amount: Decimal) -> None:
    assert dollars(amount) == amount
