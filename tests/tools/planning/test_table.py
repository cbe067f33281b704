"""The table of a request: the same however its SKUs are cut, sorted, and without what rules and requests forbid."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    a_forecast,
    a_lane,
    a_needy_network,
    a_position,
    a_site,
    a_sku,
    a_snapshot,
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tests.tools.planning.test_solve import a_region
from tools.inventory import SiteSku
from tools.planning import table
from tools.planning.exact import formulation_size
from tools.planning.limits import Limits, WholeSet
from tools.planning.table import Table, tabulate
from tools.transfers import LineRef, Overlays, PlanRequest, Scope, UnitCap
from tools.whatif import assumed

REQUEST = PlanRequest()
BOTH_SKUS = a_needy_network(
    skus=(a_sku("P1"), a_sku("P2")),
    positions=[a_position("S1", "P1", 50), a_position("S1", "P2", 50), a_position("S2", "P1", 0)],
    forecasts=[a_forecast("S2", "P1", daily_units=20), a_forecast("S2", "P2", daily_units=20)],
)
BOTH_LIMITS = limits_for("P1", "P2")


def skus_moved(found: Table) -> list[str]:
    """The SKU of every line."""
    return [found.skus[sku].sku_id for sku in found.arc_sku.tolist()]


def same(one: Table, other: Table) -> bool:
    return all(np.array_equal(getattr(one, column.name), getattr(other, column.name)) for column in fields(Table))


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 7])
def test_how_many_skus_are_worked_out_at_once_changes_nothing(at_once, monkeypatch):
    snapshot, limits = a_region(3, 4, 7)
    whole = tabulate(snapshot, limits, REQUEST)
    monkeypatch.setattr(table, "SKUS_AT_ONCE", at_once)
    assert same(tabulate(snapshot, limits, REQUEST), whole)


@given(seed=st.integers(0, 5_000))
def test_rows_are_sorted_and_their_curves_hold_what_they_can_carry(seed):
    case = random_case(seed)
    found = tabulate(assumed(case.snapshot, case.request.overlays), case.limits, case.request)
    arcs = list(zip(found.arc_sku.tolist(), found.arc_lane.tolist(), strict=True))
    assert arcs == sorted(set(arcs))
    for sku, site, money in (
        (found.gain_sku, found.gain_site, -found.gain), (found.loss_sku, found.loss_site, found.loss),
    ):  # fmt: skip
        place = sku * len(found.sites) + site
        assert (np.diff(place) >= 0).all()
        assert (np.diff(money)[np.diff(place) == 0] >= -1e-6).all()
    assert np.isfinite(np.concatenate((found.gain, found.loss, found.arc_move, found.arc_late))).all()
    assert ((found.arc_least >= 1) & (found.arc_most >= found.arc_least)).all()
    assert (found.arc_late >= 0).all()
    assert formulation_size(found) == 2 * len(arcs) + len(found.gain) + len(found.loss)


def test_no_sku_is_an_empty_table():
    found = tabulate(a_snapshot(), limits_for(), PlanRequest(scope=Scope(skus=("none",))))
    assert (len(found.arc_sku), len(found.gain), len(found.loss), found.arcs_considered) == (0, 0, 0, 0)
    nobody = tabulate(a_snapshot(skus=(), positions=(), forecasts=(), replenishments=()), limits_for(), REQUEST)
    assert (nobody.skus, len(nobody.arc_sku), nobody.arcs_considered) == ((), 0, 0)


def test_no_lane_is_a_table_without_lines():
    found = tabulate(a_needy_network(lanes=()), limits_for(), REQUEST)
    assert (skus_moved(found), len(found.gain), len(found.loss), found.arcs_considered) == ([], 0, 0, 0)


def test_a_site_that_never_held_a_sku_may_get_it_where_it_is_asked_for():
    assert skus_moved(tabulate(BOTH_SKUS, BOTH_LIMITS, REQUEST)) == ["P1", "P2"]
    nobody_asks = replace(BOTH_SKUS, forecasts=tuple(row for row in BOTH_SKUS.forecasts if row.sku_id == "P1"))
    assert skus_moved(tabulate(nobody_asks, BOTH_LIMITS, REQUEST)) == ["P1"]


@pytest.mark.parametrize(
    "limits",
    [
        replace(BOTH_LIMITS, closed_lines={(BOTH_SKUS.lanes[0].key, "P2"): "recall"}),
        replace(BOTH_LIMITS, no_send={SiteSku("S1", "P2"): "hold"}),
        replace(BOTH_LIMITS, no_receive={SiteSku("S2", "P2"): "hold"}),
        replace(BOTH_LIMITS, protected_units={SiteSku("S1", "P2"): 50}),
        replace(BOTH_LIMITS, closed_lines={(BOTH_SKUS.lanes[0].key, "P2"): "x", (BOTH_SKUS.lanes[0].key, "P9"): "x"}),
    ],
)
def test_a_line_that_a_rule_closes_is_not_there(limits: Limits):
    assert skus_moved(tabulate(BOTH_SKUS, limits, REQUEST)) == ["P1"]


def test_a_line_that_a_request_excludes_is_not_there():
    ref = LineRef(sku_id="P2", origin="S1", destination="S2")
    request = PlanRequest(overlays=Overlays(excluded_lines=(ref,)))
    assert skus_moved(tabulate(BOTH_SKUS, BOTH_LIMITS, request)) == ["P1"]


def test_conditions_of_carriage_hold_by_sku():
    cold = replace(BOTH_SKUS, lanes=(a_lane(allowed_categories=("drinks",)),))
    skus = (a_sku("P1", category="drinks"), a_sku("P2", category="tools"))
    assert skus_moved(tabulate(replace(cold, skus=skus), BOTH_LIMITS, REQUEST)) == ["P1"]


def test_a_cap_on_what_comes_holds_for_all_lanes_into_the_site_together():
    snapshot = a_needy_network(
        sites=(a_site("S1"), a_site("S2"), a_site("S3")),
        positions=[a_position("S1", on_hand_units=50), a_position("S2", on_hand_units=0), a_position("S3", on_hand_units=50)],
        forecasts=(a_forecast("S2", daily_units=100),),
        lanes=(a_lane("S1", "S2"), a_lane("S3", "S2")),
    )  # fmt: skip
    caps = (UnitCap(site_id="S2", sku_id="P1", units=7), UnitCap(site_id="S2", sku_id="P1", units=9))
    found = tabulate(snapshot, limits_for(), PlanRequest(overlays=Overlays(receive_caps=caps)))
    assert len(found.gain) == 7
    assert found.arc_most.tolist() == [7, 7]


def test_nothing_of_a_set_that_must_come_whole_is_pruned():
    # P2 is not asked for at S2, so that a pack of it costs more than it gains; the set needs one of each.
    snapshot = replace(
        BOTH_SKUS,
        forecasts=(a_forecast("S2", "P1", daily_units=20), a_forecast("S2", "P2", daily_units=0)),
        lanes=(a_lane(cost_per_unit_e4=5_000),),
    )
    assert skus_moved(tabulate(snapshot, BOTH_LIMITS, REQUEST)) == ["P1"]
    whole = WholeSet("S2", ("P1", "P2"), ("P1", "P2"))
    found = tabulate(snapshot, replace(BOTH_LIMITS, whole_sets=(whole,)), REQUEST)
    assert skus_moved(found) == ["P1", "P2"]
    assert (found.gain_sku == 1).sum() >= 1
    assert (found.loss_sku == 1).sum() >= 1


def test_a_least_quantity_that_is_not_there_is_no_line():
    few = a_needy_network(skus=(a_sku(min_transfer_units=101),))
    assert skus_moved(tabulate(few, limits_for(), REQUEST)) == []
    assert tabulate(few, limits_for(), REQUEST).arcs_considered == 1
