from __future__ import annotations

from dataclasses import replace

import pytest

from graphs.planning import draft, draft_beside
from policies.library import released
from policies.rules import Facts
from tests.builders import NOW, a_forecast, a_lane, a_position, a_replenishment, a_site, a_sku, a_snapshot
from tools.merchandise.facts import Merchandise, SetMember
from tools.planning.solve import solve_fast
from tools.planning.table import tabulate
from tools.transfers import LaneRef, LineRef, Overlays, PlanRequest
from tools.whatif import assumed

LITRE = 1_000_000
SKUS = ("A", "B", "C")


def fast(snapshot, limits, request):
    """The fast path whatever the size: what is planned beside another plan was made so."""
    facts = assumed(snapshot, request.overlays)
    return solve_fast(tabulate(facts, limits, request), facts, limits, request)


def facts_of(snapshot):
    return Facts(snapshot=snapshot, policy=released("2026-11"), now=NOW)


def a_network(*, storage_litres=None, sets=()):
    """S1 can give of three SKUs what S2 wants; `sets` name SKUs that come whole or not at all."""
    snapshot = a_snapshot(
        sites=(a_site("S1"), a_site("S2", storage_capacity_microlitres=storage_litres and storage_litres * LITRE)),
        skus=tuple(a_sku(sku, unit_volume_microlitres=LITRE) for sku in SKUS),
        lanes=(a_lane("S1", "S2"),),
        positions=[a_position("S1", sku, 200) for sku in SKUS],
        forecasts=[a_forecast(site, sku, daily) for site, daily in (("S1", 0.5), ("S2", 5)) for sku in SKUS],
        replenishments=[a_replenishment(site, sku, days=10) for site in ("S1", "S2") for sku in SKUS],
    )
    members = tuple(SetMember("X", sku) for sku in sets)
    return replace(snapshot, merchandise=Merchandise(set_members=members)) if sets else snapshot


def counted(snapshot, site_id, sku_id, units):
    others = (position for position in snapshot.positions if position.key != (site_id, sku_id))
    return replace(
        snapshot, positions=tuple(sorted((*others, a_position(site_id, sku_id, units)), key=lambda p: p.key))
    )


def base_of(snapshot):
    plan = draft(facts_of(snapshot), PlanRequest(), solver=fast).plan
    assert plan is not None
    assert {line.sku_id for line in plan.lines} == set(SKUS)
    return plan


def beside(snapshot, request, base, before=None):
    return draft_beside(facts_of(snapshot), request, base, fast, before)


@pytest.mark.parametrize(
    "overlays",
    [
        Overlays(excluded_skus=("B",)),
        Overlays(excluded_lines=(LineRef(sku_id="B", origin="S1", destination="S2"),)),
    ],
)
def test_a_set_of_which_a_part_is_forbidden_stays_behind(overlays):
    snapshot = a_network(sets=("A", "B"))
    made = beside(snapshot, PlanRequest(overlays=overlays), base_of(snapshot))
    assert made.note.startswith("Only 2 SKUs")
    assert {line.sku_id for line in made.plan.lines} == {"C"}


def test_a_bound_is_carried_only_where_no_lane_site_or_line_is_excluded():
    snapshot = a_network()
    base = base_of(snapshot)
    line = LineRef(sku_id="B", origin="S1", destination="S2")
    without_sku = beside(snapshot, PlanRequest(overlays=Overlays(excluded_skus=("B",))), base).plan
    without_line = beside(snapshot, PlanRequest(overlays=Overlays(excluded_lines=(line,))), base).plan
    assert without_sku.solver.bound_minor == base.solver.bound_minor
    assert without_line.solver.bound_minor is None
    assert without_line.solver.status == "feasible"


def test_everything_is_planned_again_when_the_days_to_arrive_in_differ():
    snapshot = a_network()
    made = beside(snapshot, PlanRequest(within_days=5), base_of(snapshot))
    assert "planned again" not in made.note
    assert made.plan.request.within_days == 5
    assert made.plan.solver.bound_minor is not None


def test_only_what_was_counted_anew_is_planned_again_where_the_facts_before_are_known():
    before = a_network()
    base, after = base_of(before), counted(before, "S2", "B", 40)
    made = beside(after, PlanRequest(), base, before)
    assert made.note.startswith("Only 1 SKUs")
    assert made.plan.snapshot_digest == after.digest
    assert made.plan.solver.bound_minor is None
    units, standing = ({line.sku_id: line.units for line in plan.lines} for plan in (made.plan, base))
    assert units.get("B", 0) < standing["B"]
    assert (units["A"], units["C"]) == (standing["A"], standing["C"])
    for unknown in (None, after):
        assert "planned again" not in beside(after, PlanRequest(), base, unknown).note


def test_everything_is_planned_again_when_lines_that_stand_have_lost_their_room():
    before = a_network(storage_litres=200)
    base, after = base_of(before), counted(before, "S2", "B", 190)
    made = beside(after, PlanRequest(), base, before)
    assert "planned again" not in made.note
    assert sum(line.units for line in made.plan.lines) <= 10


def test_a_lane_that_is_closed_takes_every_line_on_it():
    snapshot = a_network()
    closed = Overlays(excluded_lanes=(LaneRef(origin="S1", destination="S2"),))
    assert not beside(snapshot, PlanRequest(overlays=closed), base_of(snapshot)).plan.lines
