from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.money import e4_per_minor, minor_digits, minor_from_e4, money_text, rounded_to_total


@pytest.mark.parametrize(
    ("currency", "digits"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("UYI", 0)]
)
def test_each_currency_has_the_decimals_of_its_minor_unit(currency, digits):
    assert minor_digits(currency) == digits
    assert e4_per_minor(currency) * 10**digits == 10_000


@pytest.mark.parametrize(
    ("amount_e4", "currency", "minor"),
    [
        (12_345, "USD", 123),
        (12_350, "USD", 124),
        (12_349, "USD", 123),
        (-12_350, "USD", -124),
        (-12_349, "USD", -123),
        (0, "USD", 0),
        (15_000, "JPY", 2),
        (14_999, "JPY", 1),
        (12_345, "KWD", 1_235),
        (12_344, "KWD", 1_234),
    ],
)
def test_rates_become_amounts_with_halves_away_from_zero(amount_e4, currency, minor):
    assert minor_from_e4(amount_e4, currency) == minor


@given(amount=st.integers(-(10**18), 10**18), currency=st.sampled_from(["USD", "JPY", "KWD", "CLF"]))
def test_rounding_is_never_off_by_more_than_half_a_minor_unit(amount, currency):
    per = e4_per_minor(currency)
    assert abs(Fraction(amount, per) - minor_from_e4(amount, currency)) <= Fraction(1, 2)
    assert minor_from_e4(-amount, currency) == -minor_from_e4(amount, currency)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123_450, "USD", "1,234.50 USD"),
        (-5, "USD", "-0.05 USD"),
        (0, "EUR", "0.00 EUR"),
        (1_234_567, "JPY", "1,234,567 JPY"),
        (1_500, "KWD", "1.500 KWD"),
    ],
)
def test_amounts_are_written_for_people(minor, currency, text):
    assert money_text(minor, currency) == text


def test_the_units_left_over_go_to_the_largest_fractions_and_ties_to_the_earlier():
    # Floors 1, 2, 0, 0 leave 2 of 5: the largest fraction .9, then the first of the two .5.
    assert rounded_to_total([1.5, 2.1, 0.9, 0.5], 5) == [2, 2, 1, 0]
    assert rounded_to_total([-1.5, -0.5], -2) == [-1, -1]


@given(amounts=st.lists(st.floats(-1e6, 1e6), max_size=20), data=st.data())
def test_rounded_amounts_add_up_to_exactly_the_total(amounts, data):
    least = sum(floor(amount) for amount in amounts)
    total = data.draw(st.integers(least, least + len(amounts)))
    rounded = rounded_to_total(amounts, total)
    assert sum(rounded) == total
    assert all(abs(whole - amount) <= 1 for whole, amount in zip(rounded, amounts, strict=True))


@pytest.mark.parametrize("total", [2, 6])
def test_a_total_that_the_amounts_are_not_near_is_refused(total):
    with pytest.raises(ValueError, match="cannot be apportioned"):
        rounded_to_total([1.5, 2.1], total)
