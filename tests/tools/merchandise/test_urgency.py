"""The urgency of a line, its risk figures, and what a plan leaves behind."""

from __future__ import annotations

import pytest
from scipy import stats

from tests.builders import a_forecast, a_needy_network, a_position, a_snapshot, a_supply
from tools.demand import DemandView
from tools.inventory import LaneKey, SiteSku
from tools.merchandise.leaving import UnmetMove, unmet_moves
from tools.merchandise.risk import one_left_ppm, stock_outs_bp
from tools.merchandise.urgency import Ends, Urgency, urgency_of

LANE = LaneKey("S1", "S2", "van")
HERE, THERE = SiteSku("S1", "P1"), SiteSku("S2", "P1")


@pytest.mark.parametrize(
    ("ends", "rescue_bp", "urgency"),
    [
        (Ends(7_999, 5, 5), 8_000, Urgency.BALANCE),
        (Ends(8_000, 5, 5), 8_000, Urgency.STOCK_OUT_RESCUE),
        (Ends(10_000, 5, 5), None, Urgency.BALANCE),
        (Ends(10_000, 5, 4), 8_000, Urgency.EMERGENCY_RESCUE),
        (Ends(0, 5, 4), None, Urgency.EMERGENCY_RESCUE),
    ],
)
def test_the_class_of_a_line(ends: Ends, rescue_bp: int | None, urgency: Urgency) -> None:
    assert urgency_of("P1", LANE, ends, rescue_bp).urgency is urgency


def test_an_emergency_rescue_says_how_far_below_its_keep_the_donor_ends() -> None:
    found = urgency_of("P1", LANE, Ends(9_250, 1_200, 1_190), 8_000)
    assert found.words == (
        "Emergency rescue: S1 keeps 1,190 P1, 10 below the 1,200 that it ordinarily keeps for itself; without it S2 runs"
        " out of P1 before its regular supply with 92.5 %."
    )


def test_a_stock_out_is_demand_above_what_a_site_can_count_on_before_its_supply() -> None:
    snapshot = a_snapshot(
        positions=(a_position("S1", on_hand_units=5), a_position("S2", on_hand_units=0)),
        supply=(a_supply("S1", units=2, days=6), a_supply("S1", units=40, days=7)),
    )
    found = stock_outs_bp(DemandView(snapshot, 14), [HERE, THERE, SiteSku("S2", "P9")])
    assert found.tolist() == [int(stats.poisson(7).sf(7) * 10_000), int(stats.poisson(7).sf(0) * 10_000), 0]


def test_one_is_left_when_demand_stays_below_the_stock() -> None:
    snapshot = a_snapshot(positions=(a_position("S1", on_hand_units=5), a_position("S2", on_hand_units=0)))
    found = one_left_ppm(DemandView(snapshot, 14), [HERE, THERE])
    assert found.tolist() == [int(stats.poisson(7).cdf(4) * 1_000_000), 0]


def test_without_demand_stock_is_left_and_nothing_is_not() -> None:
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0)))
    assert one_left_ppm(DemandView(snapshot, 14), [HERE, THERE]).tolist() == [1_000_000, 0]


def test_what_must_leave_and_stays_is_counted_by_site_and_sku() -> None:
    due = {THERE: 4, HERE: 10, SiteSku("S1", "P2"): 6}
    found = unmet_moves(due, [(HERE, 3), (HERE, 4), (SiteSku("S1", "P2"), 6)])
    assert found == (UnmetMove(HERE, 10, 7), UnmetMove(THERE, 4, 0))
    assert [each.left_units for each in found] == [3, 4]
    assert unmet_moves({}, [(HERE, 3)]) == ()
