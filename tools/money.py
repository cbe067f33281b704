"""Money as integers: rates in ten-thousandths of the currency unit, amounts in minor units.

Prices and freight rates carry up to four decimals, so a rate is an integer with
the suffix `_e4` (one unit of it is 1/10,000 of a dollar, yen or dinar). An amount
that people see, add up or approve is an integer of the currency's minor unit
(cent, yen, fils) with the suffix `_minor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

E4 = 10_000

# ISO 4217, table A.1: the currencies whose minor unit is not a hundredth.
_MINOR_DIGITS: dict[str, int] = dict.fromkeys(
    (
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW",
        "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
    ),
    0,
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3) | {"CLF": 4, "UYW": 4}  # fmt: skip


def minor_digits(currency: str) -> int:
    """How many decimals the minor unit of an ISO 4217 currency has: 2 unless listed."""
    return _MINOR_DIGITS.get(currency, 2)


def e4_per_minor(currency: str) -> int:
    """How many ten-thousandths of the currency unit one minor unit is."""
    per: int = E4 // 10 ** minor_digits(currency)
    return per


def minor_from_e4(amount_e4: int, currency: str) -> int:
    """`amount_e4` in minor units, halves rounded away from zero."""
    per = e4_per_minor(currency)
    sign = -1 if amount_e4 < 0 else 1
    return sign * ((2 * abs(amount_e4) + per) // (2 * per))


def money_text(amount_minor: int, currency: str) -> str:
    """An amount for people: `1,234.50 USD`."""
    digits = minor_digits(currency)
    whole, part = divmod(abs(amount_minor), 10**digits)
    sign = "-" if amount_minor < 0 else ""
    decimals = f".{part:0{digits}d}" if digits else ""
    return f"{sign}{whole:,}{decimals} {currency}"


def rounded_to_total(amounts: Sequence[float], total: int) -> list[int]:
    """Integers near `amounts` that add up to exactly `total`.

    Largest-remainder apportionment: everybody gets the floor, and the units left
    over go to the largest fractions (ties to the earlier entry).
    `total` must lie within `len(amounts)` of the sum of floors.
    """
    floors = [floor(amount) for amount in amounts]
    left = total - sum(floors)
    if not 0 <= left <= len(amounts):
        raise ValueError(f"{total} cannot be apportioned over {len(amounts)} amounts with the sum {sum(amounts)}")
    by_fraction = sorted(range(len(amounts)), key=lambda i: (floors[i] - amounts[i], i))
    for index in by_fraction[:left]:
        floors[index] += 1
    return floors
