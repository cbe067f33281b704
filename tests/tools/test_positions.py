from __future__ import annotations

import numpy as np

from tests.builders import a_position, a_snapshot, a_supply
from tools.inventory import SiteSku, SupplyKind
from tools.positions import available_units, available_units_of, projected_units, projected_units_of

HERE = SiteSku("S1", "P1")


def test_reserved_units_are_not_available():
    assert available_units(a_snapshot(positions=(a_position(on_hand_units=10, reserved_units=4),)), HERE) == 6


def test_more_reserved_than_on_hand_leaves_nothing_rather_than_a_debt():
    assert available_units(a_snapshot(positions=(a_position(on_hand_units=3, reserved_units=4),)), HERE) == 0


def test_a_site_without_a_position_has_nothing():
    assert available_units(a_snapshot(positions=()), HERE) == 0
    assert projected_units(a_snapshot(positions=()), HERE, 30) == 0


def test_supply_counts_when_it_arrives_before_the_end_day():
    snapshot = a_snapshot(
        positions=(a_position(on_hand_units=10, reserved_units=1),),
        supply=(
            a_supply(units=2, days=-4, reference="LATE"),
            a_supply(units=20, days=2, reference="PO", kind=SupplyKind.PURCHASE_ORDER),
            a_supply(units=200, days=3, reference="TO", kind=SupplyKind.TRANSFER),
            a_supply("S2", units=2000, days=1),
        ),
    )
    assert projected_units(snapshot, HERE, 0) == 9 + 2
    assert projected_units(snapshot, HERE, 2) == 9 + 2
    assert projected_units(snapshot, HERE, 3) == 9 + 2 + 20
    assert projected_units(snapshot, HERE, 4) == 9 + 2 + 20 + 200


def test_many_positions_at_once_are_those_of_each():
    snapshot = a_snapshot(
        positions=(a_position("S1", on_hand_units=10), a_position("S2", on_hand_units=3, reserved_units=4)),
        supply=(a_supply("S1", units=20, days=2), a_supply("S2", units=200, days=2), a_supply("S3", units=7, days=-1)),
    )
    keys = [SiteSku(site, "P1") for site in ("S2", "S1", "S3", "S9", "S1")]
    ends = [3, 2, 0, 9, 3]
    assert available_units_of(snapshot, keys).tolist() == [0, 10, 0, 0, 10]
    found = projected_units_of(snapshot, keys, np.asarray(ends)).tolist()
    assert found == [200, 10, 7, 0, 30]
    assert found == [projected_units(snapshot, key, end) for key, end in zip(keys, ends, strict=True)]
