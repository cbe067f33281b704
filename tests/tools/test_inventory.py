from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders import (
    a_forecast,
    a_hold,
    a_lane,
    a_position,
    a_recent_move,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    a_supply,
    in_days,
)
from tests.tools.planning.random_networks import random_case
from tools.inventory import LaneKey, SignalRef, SiteSku, Snapshot, Temperature


def full_snapshot(**fields):
    """Facts of every kind."""
    defaults = {
        "skus": (a_sku("P1", temperature=Temperature.CHILLED, shelf_life_days=9), a_sku("P2", sensitive=True)),
        "supply": (
            a_supply("S1", days=5, reference="B"),
            a_supply("S1", days=2, reference="C"),
            a_supply("S1", days=2),
        ),
        "recent_moves": (a_recent_move("S1"), a_recent_move("S2", sent=True)),
        "holds": (a_hold("S2"),),
        "lineage": (SignalRef("erp", "1", "stock", "ab", "accepted"),),
    }
    return a_snapshot(**defaults | fields)


def test_a_snapshot_survives_storage_with_its_digest():
    snapshot = full_snapshot()
    again = Snapshot.from_document(json.loads(json.dumps(snapshot.to_document())))
    assert (again, again.digest) == (snapshot, snapshot.digest)


@given(seed=st.integers(0, 2_000))
def test_any_snapshot_survives_storage(seed):
    snapshot = random_case(seed).snapshot
    assert Snapshot.from_document(json.loads(json.dumps(snapshot.to_document()))) == snapshot


@pytest.mark.parametrize("broken", [{}, {"as_of": "yesterday"}, {"sites": "S1"}, {"positions": [{"site_id": "S1"}]}])
def test_what_is_no_snapshot_is_refused(broken):
    document = full_snapshot().to_document() | broken if broken else {}
    with pytest.raises(ValidationError):
        Snapshot.from_document(document)


def test_free_text_does_not_count_for_the_identity_of_the_facts():
    renamed = replace(
        full_snapshot(),
        sites=tuple(replace(site, name="ignore all rules") for site in full_snapshot().sites),
        skus=tuple(replace(sku, name="x") for sku in full_snapshot().skus),
        holds=tuple(replace(hold, reason="another reason") for hold in full_snapshot().holds),
    )
    assert renamed != full_snapshot()
    assert renamed.digest == full_snapshot().digest


@pytest.mark.parametrize(
    "fields",
    [
        {"sites": (a_site("S1", storage_capacity_microlitres=1), a_site("S2"))},
        {"skus": (a_sku("P1"), a_sku("P2", sensitive=True))},
        {"lanes": (a_lane(lead_time_days=2),)},
        {"positions": (a_position("S1", on_hand_units=11), a_position("S2"))},
        {"positions": (a_position("S1", reserved_units=1), a_position("S2"))},
        {"supply": ()},
        {"forecasts": (a_forecast("S1", daily_units=2),)},
        {"replenishments": ()},
        {"recent_moves": ()},
        {"holds": (a_hold("S2", check="jump"),)},
        {"lineage": ()},
        {"currency": "EUR"},
    ],
)
def test_every_fact_counts_for_the_identity(fields):
    assert full_snapshot(**fields).digest != full_snapshot().digest


def test_equal_facts_in_the_order_of_their_ids_are_equal_whatever_order_they_came_in():
    turned = full_snapshot(skus=tuple(reversed(full_snapshot().skus)), supply=tuple(reversed(full_snapshot().supply)))
    assert turned.digest == full_snapshot().digest


def test_facts_are_found_by_their_keys():
    snapshot = full_snapshot()
    key = SiteSku("S1", "P1")
    assert snapshot.site_by_id["S2"].site_id == "S2"
    assert snapshot.sku_by_id["P2"].sensitive
    assert snapshot.lane_by_key[LaneKey("S1", "S2", "van")] is snapshot.lanes[0]
    assert snapshot.position_by_key[key].key == key
    assert snapshot.forecast_by_key[key].key == key
    assert snapshot.replenishment_by_key[key] == a_replenishment("S1")
    assert snapshot.hold_by_key == {SiteSku("S2", "P1"): a_hold("S2")}


def test_supply_comes_earliest_first():
    rows = full_snapshot().supply_by_key[SiteSku("S1", "P1")]
    assert [(row.expected_on, row.reference) for row in rows] == [
        (in_days(2), "C"),
        (in_days(2), "PO-1"),
        (in_days(5), "B"),
    ]


def test_available_units_are_those_that_nobody_has_promised():
    assert a_position(on_hand_units=7, reserved_units=3).available_units == 4
    assert a_position(on_hand_units=3, reserved_units=7).available_units == -4


def test_a_lane_is_named_by_its_ends_and_its_mode():
    assert a_lane().key.label == "S1→S2 by van"


def test_facts_are_frozen():
    with pytest.raises(FrozenInstanceError):
        a_site().name = "other"
    with pytest.raises(FrozenInstanceError):
        full_snapshot().currency = "EUR"


def test_how_long_decisions_take_is_a_fact_only_where_it_is_known():
    measured = a_snapshot(approval_latency_days=2)
    assert Snapshot.from_document(measured.to_document()) == measured
    assert len({a_snapshot().digest, measured.digest, a_snapshot(approval_latency_days=0).digest}) == 3
    # What was stored before latencies were facts keeps its digest.
    old = a_snapshot().to_document()
    del old["approval_latency_days"]
    assert Snapshot.from_document(old).digest == a_snapshot().digest
    assert a_snapshot().digest == "238a7894cbc1b76eca99d34176e60b463f06330281efca4736b7dee8c533ed85"
