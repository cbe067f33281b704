"""The SKUs at stake are those whose lost sales cost most."""

from __future__ import annotations

import pytest

from tests.builders import a_forecast, a_position, a_replenishment, a_site, a_sku, a_snapshot, limits_for
from tools.stakes import skus_at_stake
from tools.transfers import Scope

SKUS = ("P1", "P2", "P3", "P4")


def a_network():
    """One site without stock, where 10, 30 and 20 units a day are asked for; P4 has more than anybody wants."""
    return a_snapshot(
        sites=(a_site("S1"),),
        lanes=(),
        skus=[a_sku(sku, category="dairy" if sku in {"P1", "P4"} else "dry") for sku in SKUS],
        positions=[a_position("S1", sku, on_hand_units=100_000 * (sku == "P4")) for sku in SKUS],
        forecasts=[a_forecast("S1", sku, units) for sku, units in zip(SKUS, (10, 30, 20, 5), strict=True)],
        replenishments=[a_replenishment("S1", sku) for sku in SKUS],
    )


@pytest.mark.parametrize(
    ("scope", "most", "found"),
    [
        (Scope(), 9, ("P2", "P3", "P1")),
        (Scope(), 2, ("P2", "P3")),
        (Scope(skus=("P1", "P3")), 9, ("P3", "P1")),
        (Scope(categories=("dairy",)), 9, ("P1",)),
    ],
)
def test_most_money_comes_first_within_the_scope_and_what_loses_nothing_is_left_out(scope, most, found):
    assert skus_at_stake(a_network(), limits_for(*SKUS), scope, most) == found


def test_a_dearer_sku_comes_before_one_that_loses_more_units():
    limits = limits_for(*SKUS, lost_unit_e4={"P1": 9_000_000, "P2": 10_000, "P3": 10_000, "P4": 10_000})
    assert skus_at_stake(a_network(), limits, Scope(), 1) == ("P1",)
