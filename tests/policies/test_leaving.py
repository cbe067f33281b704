"""What had to leave a site and stays with a plan is said with its date, its reason and what can be done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.leaving import REASONS_MAX, LeftBehind, left_behind
from policies.library import released
from policies.limits import limits_of
from tests.builders import a_forecast, a_lane, a_needy_network, a_position, a_site, a_sku, in_days
from tools.inventory import BookedLoad, SiteSku, Snapshot
from tools.merchandise.facts import EndOfLife, Merchandise
from tools.planning import Solution, make_plan, solve
from tools.transfers import LaneRef, Overlays, PlanRequest, Scope, SolveStatus, TransferPlan

POLICY = released("2026-11")
ENDS = Merchandise(ends_of_life=(EndOfLife("P1", "S1", in_days(3)),))
TIGHT = a_lane("S1", "S2", capacity_microlitres_per_departure=4_000_000, departure_weekdays=(2,))


def network(**fields: Any) -> Snapshot:
    """P1 has to leave S1 within three days: 6 units, which S2 could sell."""
    defaults: dict[str, Any] = {
        "positions": (a_position("S1", on_hand_units=6), a_position("S2", on_hand_units=0)),
        "forecasts": (a_forecast("S2", daily_units=0.4),),
    }
    return replace(a_needy_network(**defaults | fields), merchandise=ENDS)


def planned(snapshot: Snapshot, request: PlanRequest) -> TransferPlan:
    limits = limits_of(POLICY, snapshot, request)
    return make_plan(snapshot, limits, request, solve(snapshot, limits, request))


def left(
    snapshot: Snapshot, request: PlanRequest | None = None, sites: frozenset[str] | None = None
) -> tuple[LeftBehind, ...]:
    return left_behind(POLICY, snapshot, planned(snapshot, request or PlanRequest()), sites)


def test_a_plan_that_takes_everything_along_leaves_nothing_behind() -> None:
    assert left(network()) == ()


def test_a_limit_that_keeps_goods_back_is_named_with_units_date_and_what_to_do() -> None:
    (found,) = left(network(lanes=(TIGHT,)))
    assert found.words == (
        "2 of 6 P1 that must leave S1 by 2026-03-05 stay there with this plan, and the next plan would be too late."
        " At most 4 can be moved, because S1→S2 by van carries 4.0 l."
        " What to do: find a lane or a receiver with room for them in time, or mark them down or write them off at S1"
        " by 2026-03-05."
    )
    assert (found.unmet.left_units, found.unmet.due_units, found.leave_by) == (2, 6, in_days(3))


def test_goods_without_any_lane_stay_for_that_reason() -> None:
    (found,) = left(network(lanes=(a_lane("S2", "S1"),)))
    assert "At most 0 can be moved, because no other lane links S1." in found.words


def test_goods_that_no_receiver_gains_by_are_told_with_what_the_best_way_would_cost() -> None:
    dear = a_lane("S1", "S2", cost_fixed_e4=5_000_000)
    (found,) = left(network(lanes=(dear,)))
    assert "Nothing forbids it. The best single offer is 6 from S1 to S2 by van" in found.why
    assert "it would cost" in found.why
    assert found.remedy == "What to do: mark them down or write them off at S1 by 2026-03-05."


def test_what_the_request_itself_keeps_back_is_said_to_be_the_requests() -> None:
    closed = Overlays(excluded_lanes=(LaneRef(origin="S1", destination="S2"),))
    (found,) = left(network(), PlanRequest(overlays=closed))
    assert "because the request excludes S1→S2 by van." in found.why
    assert "ask for a plan without what this request limits" in found.remedy


@pytest.mark.parametrize(
    "request_", [PlanRequest(scope=Scope(skus=("P2",))), PlanRequest(overlays=Overlays(emergency_rescue=True))]
)
def test_a_request_for_other_goods_or_for_a_rescue_leaves_nothing_behind(request_: PlanRequest) -> None:
    skus = (a_sku("P1"), a_sku("P2"))
    assert left(network(lanes=(TIGHT,), skus=skus), request_) == ()


def test_callers_hear_of_their_own_sites_only_and_of_reasons_only_where_they_see_every_site_of_the_plan() -> None:
    tight = network(lanes=(TIGHT,))
    assert left(tight, sites=frozenset(("S2",))) == ()
    (without,) = left(tight, sites=frozenset(("S1",)))
    assert (without.why, without.remedy) == ("", "")
    assert "S2" not in without.words
    both = frozenset(("S1", "S2"))
    (told,) = left(tight, PlanRequest().cut_to(both), both)
    assert "S1→S2 by van carries 4.0 l" in told.why


def test_the_first_date_comes_first_and_reasons_are_found_for_the_most_urgent() -> None:
    count = REASONS_MAX + 1
    skus = tuple(f"P{number}" for number in range(count))
    rows = tuple(EndOfLife(sku_id, "S1", in_days(3 - number % 2)) for number, sku_id in enumerate(skus))
    snapshot = a_needy_network(
        sites=(a_site("S1"), a_site("S2")),
        skus=tuple(a_sku(sku_id) for sku_id in skus),
        lanes=(a_lane("S2", "S1"),),
        positions=tuple(a_position("S1", sku_id, 2 + number) for number, sku_id in enumerate(skus)),
        forecasts=(),
    )
    found = left(replace(snapshot, merchandise=Merchandise(ends_of_life=rows)))
    assert [each.unmet.key for each in found] == [SiteSku("S1", f"P{number}") for number in (5, 3, 1, 4, 2, 0)]
    assert [bool(each.why) for each in found] == [True] * REASONS_MAX + [False]


def test_what_departs_only_after_the_date_does_not_leave_in_time() -> None:
    """The only van leaves on Thursday; P1 has to be gone on Wednesday."""
    ends = Merchandise(ends_of_life=(EndOfLife("P1", "S1", in_days(2)),))
    snapshot = replace(network(lanes=(a_lane("S1", "S2", departure_weekdays=(4,)),)), merchandise=ends)
    plan = planned(snapshot, PlanRequest())
    assert [(line.units, line.depart_on) for line in plan.lines] == [(6, in_days(3))]
    (found,) = left_behind(POLICY, snapshot, plan)
    assert (found.unmet.left_units, found.late_units) == (6, 6)
    assert found.words.startswith(
        "6 of 6 P1 that must leave S1 by 2026-03-04 do not leave by then with this plan, which sends 6 only after that"
        " date, and the next plan would be too late. At most 0 can be moved, because S1→S2 by van does not depart by then."
    )


def test_an_offer_that_gains_is_not_followed_by_words_that_nobody_gains() -> None:
    snapshot, request = network(), PlanRequest()
    limits = limits_of(POLICY, snapshot, request)
    nothing = make_plan(snapshot, limits, request, Solution(SolveStatus.NOTHING_TO_MOVE, bound=0.0))
    (found,) = left_behind(POLICY, snapshot, nothing)
    assert "it would save" in found.why
    assert found.why.endswith(
        "S2 would gain by that, and no other line is in the way, but this plan does not send them."
    )


def test_a_truck_that_is_booked_in_part_is_told_with_what_is_free_of_what() -> None:
    load = BookedLoad("S1", "S2", "van", in_days(1), 3, 3_000_000)
    (found,) = left(network(lanes=(TIGHT,), booked=(load,)))
    assert "S1→S2 by van carries 1.0 l (what is free of 4.0 l)" in found.why


def test_a_plan_that_is_looked_at_again_is_answered_with_what_was_found() -> None:
    snapshot = network(lanes=(TIGHT,))
    plan = planned(snapshot, PlanRequest())
    assert left_behind(POLICY, snapshot, plan) is left_behind(POLICY, snapshot, plan)
    assert left_behind(POLICY, snapshot, plan, frozenset(("S2",))) == ()
