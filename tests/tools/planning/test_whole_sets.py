"""Sets that are delivered in whole or not at all, on the exact and on the fast path."""

from __future__ import annotations

import pytest

from tests.builders import (
    a_forecast,
    a_lane,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    limits_for,
)
from tools.inventory import Snapshot
from tools.planning import Limits, evaluate, solve
from tools.planning.limits import WholeSet
from tools.planning.solve import solve_fast
from tools.planning.table import tabulate
from tools.transfers import PlanRequest

ANY = PlanRequest()


def stores_that_miss_a_set(*stores: str, stock: int = 50) -> tuple[Snapshot, Limits]:
    """Every store sells B, and may have it only with A, which nobody there asks for."""
    sites = ("S1", *stores)
    snapshot = a_snapshot(
        sites=tuple(a_site(site) for site in sites),
        skus=(a_sku("A"), a_sku("B")),
        lanes=tuple(a_lane("S1", store, cost_fixed_e4=0, cost_per_unit_e4=1_000) for store in stores),
        positions=[a_position("S1", "A", stock), a_position("S1", "B", 50)],
        forecasts=[a_forecast(site, sku, 2 if sku == "B" and site != "S1" else 0) for site in sites for sku in "AB"],
        replenishments=[a_replenishment(site, sku) for site in sites for sku in "AB"],
    )
    wholes = tuple(WholeSet(store, ("A", "B"), ("A", "B")) for store in stores)
    return snapshot, limits_for("A", "B", whole_sets=wholes, line_charge_minor=50)


@pytest.mark.parametrize("stores", [("S2",), ("S2", "S3"), ("S2", "S3", "S4")])
def test_every_store_gets_its_whole_set_on_either_path(stores):
    snapshot, limits = stores_that_miss_a_set(*stores)
    exact = solve(snapshot, limits, ANY, gap_ppm=0)
    fast = solve_fast(tabulate(snapshot, limits, ANY), snapshot, limits, ANY)
    for found in (exact, fast):
        assert {(move.lane.destination, move.sku_id) for move in found.moves} == {(s, k) for s in stores for k in "AB"}
        assert evaluate(snapshot, limits, ANY, found.moves).breaches == ()
    assert fast.objective == pytest.approx(exact.objective, rel=1e-6)
    assert fast.bound <= exact.objective + 1e-6


def test_a_set_that_cannot_be_completed_is_not_begun():
    snapshot, limits = stores_that_miss_a_set("S2", "S3", stock=1)
    exact = solve(snapshot, limits, ANY, gap_ppm=0)
    fast = solve_fast(tabulate(snapshot, limits, ANY), snapshot, limits, ANY)
    for found in (exact, fast):
        assert len({move.lane.destination for move in found.moves}) == 1
        assert evaluate(snapshot, limits, ANY, found.moves).breaches == ()


def test_where_nothing_is_found_and_nothing_proven_the_note_says_so():
    snapshot, limits = stores_that_miss_a_set("S2", stock=0)
    found = solve_fast(tabulate(snapshot, limits, ANY), snapshot, limits, ANY)
    assert found.moves == ()
    assert found.bound < 0
    assert "no plan saves more than" in found.note
