"""From a document to what calculators work with: every number arrives where it belongs, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from policies.limits import (
    blocked_site_skus,
    closed_by,
    closed_for,
    crosses_entities,
    demand_classes,
    imbalance_rules,
    kept_units,
    leftover_unit_e4,
    limits_of,
    lost_unit_e4,
    protected_units,
    quality_rules,
    stale_stock_blocks,
    targets_of,
    view_of,
)
from policies.schema import NegotiableRule
from tests.builders import (
    a_forecast,
    a_hold,
    a_lane,
    a_needy_network,
    a_policy,
    a_position,
    a_recent_move,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    a_supply,
)
from tests.policies.random_policies import random_facts
from tools.demand import quantile
from tools.findings import QualityVerdict
from tools.inventory import LaneKey, SiteSku, Snapshot, Temperature
from tools.targets import BP, DemandClass
from tools.transfers import DemandChange, Overlays, PlanRequest
from tools.whatif import assumed

REQUEST = PlanRequest()
S1, S2 = SiteSku("S1", "P1"), SiteSku("S2", "P1")


def with_demand(percent: int) -> PlanRequest:
    """A request that assumes demand to be so many percent of the forecast."""
    return PlanRequest(overlays=Overlays(demand_changes=(DemandChange(percent=percent),)))


def at_level(service_level_bp: int) -> PlanRequest:
    """A request that assumes a service level."""
    return PlanRequest(overlays=Overlays(service_level_bp=service_level_bp))


def of_two_values(one: float, other: float, **levels: int) -> dict[str, DemandClass]:
    """The demand classes of two SKUs that sell so many units a day at the same price."""
    snapshot = a_snapshot(
        skus=(a_sku("P1"), a_sku("P2")),
        forecasts=(a_forecast("S1", "P1", daily_units=one), a_forecast("S1", "P2", daily_units=other)),
        positions=(),
    )
    return demand_classes(a_policy(service_levels=levels), snapshot)


def test_where_regular_supply_is_not_known_it_comes_in_the_policys_default() -> None:
    view = view_of(a_policy(horizon={"default_days": 11}), a_snapshot(replenishments=(a_replenishment("S1", days=5),)))
    assert (view.horizon_days(S1), view.horizon_days(S2)) == (5, 11)


def test_demand_classes_follow_the_policys_shares() -> None:
    a, b, c = DemandClass
    assert of_two_values(6, 4, a_share_bp=6_001, b_share_bp=9_000) == {"P1": a, "P2": a}
    assert of_two_values(6, 4, a_share_bp=6_000, b_share_bp=9_000) == {"P1": a, "P2": b}
    assert of_two_values(6, 4, a_share_bp=5_000, b_share_bp=6_000) == {"P1": a, "P2": c}


def test_targets_are_at_the_service_level_of_the_demand_class() -> None:
    snapshot = a_snapshot(
        skus=(a_sku("P1"), a_sku("P2", unit_price_e4=1)),
        positions=(a_position("S1", "P1"), a_position("S1", "P2")),
        forecasts=(a_forecast("S1", "P1"), a_forecast("S1", "P2")),
    )
    policy = a_policy(service_levels={"A": 9_900, "C": 8_000})
    levels = {target.sku_id: target.service_level_bp for target in targets_of(policy, snapshot)}
    assert levels == {"P1": 9_900, "P2": 8_000}
    assumed_levels = {target.service_level_bp for target in targets_of(policy, snapshot, at_level(8_800))}
    assert assumed_levels == {8_800}
    assert targets_of(policy, snapshot, REQUEST) == targets_of(policy, snapshot)


def test_a_target_covers_the_policys_review_interval_where_a_site_has_none_of_its_own() -> None:
    snapshot = a_snapshot(positions=(a_position("S1"),), forecasts=(a_forecast("S1"),), replenishments=())
    policy = a_policy(horizon={"default_days": 10, "review_interval_days": 5}, service_levels={"A": 9_800})
    (target,) = targets_of(policy, snapshot)
    assert (target.horizon_days, target.review_days) == (10, 5)
    assert (target.need_units, target.order_up_to_units) == tuple(stats.poisson([10, 15]).ppf(0.98))


def test_thresholds_of_imbalances_and_data_quality_are_the_policys() -> None:
    policy = a_policy(
        imbalance={"surplus_units_min": 5, "expiry_sales_bp": 7_777},
        data_quality={"jump_sds": 3, "missing_verdict": "quarantined"},
    )
    document = policy.model_dump()
    imbalances, quality = imbalance_rules(policy), quality_rules(policy)
    assert {name: getattr(imbalances, name) for name in document["imbalance"]} == document["imbalance"]
    shared = document["data_quality"].keys() - {"stale_stock", "held_share_max_bp"}
    assert {name: getattr(quality, name) for name in shared} == {
        name: document["data_quality"][name] for name in shared
    }
    assert (imbalances.surplus_units_min, imbalances.expiry_sales_bp) == (5, 7_777)
    assert (quality.jump_sds, quality.missing_verdict) == (3, QualityVerdict.QUARANTINED)


@pytest.mark.parametrize(("stale_stock", "blocks"), [("block", True), ("warn", False)])
def test_stale_stock_blocks_where_the_policy_says_so(stale_stock: str, blocks: bool) -> None:
    assert stale_stock_blocks(a_policy(data_quality={"stale_stock": stale_stock})) is blocks


@pytest.mark.parametrize(
    ("price_e4", "cost_e4", "lost_e4"),
    [
        (100_000, 40_000, 72_000),  # 120 % of a margin of 6.00
        (100_000, 87_500, 15_000),  # 120 % of 1.25 are 15 % of the price
        (100_000, 90_000, 15_000),  # 120 % of 1.00 would be less than 15 % of the price
        (100_000, 120_000, 15_000),  # sold below cost
        (7, 0, 8),  # 8.4, rounded down
        (0, 10_000, 0),
    ],
)
def test_a_lost_unit_costs_its_margin_and_at_least_a_share_of_its_price(
    price_e4: int, cost_e4: int, lost_e4: int
) -> None:
    sku = a_sku(unit_price_e4=price_e4, unit_cost_e4=cost_e4)
    assert lost_unit_e4(a_policy(), sku) == lost_e4


@pytest.mark.parametrize(("shelf_life_days", "left_e4"), [(None, 800), (31, 800), (30, 10_000), (1, 10_000)])
def test_a_unit_left_over_costs_more_where_it_perishes(shelf_life_days: int | None, left_e4: int) -> None:
    assert leftover_unit_e4(a_policy(), a_sku(shelf_life_days=shelf_life_days)) == left_e4


def test_limits_are_the_numbers_of_the_document() -> None:
    policy = a_policy(
        benefit={"line_min_minor": 11, "lane_min_minor": 22},
        economics={"line_charge_minor": 33},
        size={"line_units_max": 44, "plan_lines_max": 55, "plan_units_max": 66, "plan_goods_value_max_minor": 77},
        horizon={"review_interval_days": 3, "approval_latency_days": 2, "default_days": 9},
        lanes={"chilled_modes": ["van"], "frozen_modes": [], "hazmat_modes": ["truck", "van"]},
    )
    limits = limits_of(policy, a_snapshot(skus=(a_sku("P1"), a_sku("P2", shelf_life_days=5))), REQUEST)
    assert limits.policy_digest == policy.digest
    assert limits.lost_unit_e4 == {"P1": 72_000, "P2": 72_000}
    assert limits.leftover_unit_e4 == {"P1": 800, "P2": 10_000}
    assert (limits.line_hurdle_minor, limits.lane_hurdle_minor, limits.line_charge_minor) == (11, 22, 33)
    assert (limits.line_units_max, limits.lines_max, limits.units_max, limits.goods_value_max_minor) == (44, 55, 66, 77)
    assert (limits.review_interval_days, limits.approval_latency_days, limits.default_horizon_days) == (3, 2, 9)
    assert limits.temperature_modes == {Temperature.CHILLED: {"van"}, Temperature.FROZEN: frozenset()}
    assert limits.hazmat_modes == {"truck", "van"}


def test_limits_protect_close_and_block_what_the_policy_says() -> None:
    policy = a_policy(lanes={"forbidden": [{"origin": "S1", "destination": "S2", "mode": "van"}]})
    snapshot = a_snapshot(
        lanes=(a_lane("S1", "S2"), a_lane("S2", "S1")), recent_moves=(a_recent_move("S1"),), holds=(a_hold("S2"),)
    )
    limits = limits_of(policy, snapshot, REQUEST)
    assert limits.protected_units == {S1: 9, S2: 9}
    assert limits.closed_lanes == {LaneKey("S1", "S2", "van"): "forbidden_lane"}
    assert limits.no_send == {S1: "cool_down", S2: "data_quality"}
    assert limits.no_receive == {S2: "data_quality"}


LIFTED: dict[str, dict[str, Any]] = {
    "plan_units": {"units_max": None},
    "plan_lines": {"lines_max": None},
    "plan_goods_value": {"goods_value_max_minor": None},
    "source_protection": {"protected_units": {}},
    "cool_down": {"no_send": {S2: "data_quality"}, "no_receive": {S2: "data_quality"}},
}


def test_each_negotiable_rule_can_be_lifted() -> None:
    assert set(LIFTED) == set(NegotiableRule.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("rule", LIFTED)
def test_lifting_a_rule_to_price_it_lifts_nothing_else(rule: str) -> None:
    snapshot = a_snapshot(recent_moves=(a_recent_move("S1"), a_recent_move("S1", sent=True)), holds=(a_hold("S2"),))
    kept, lifted = (limits_of(a_policy(), snapshot, REQUEST, frozenset(names)) for names in ((), (rule,)))
    changed = {name: value for name, value in vars(lifted).items() if value != getattr(kept, name)}
    assert changed == LIFTED[rule]


def entities(origin: str, destination: str) -> Snapshot:
    """The default network with a legal entity at each end."""
    return a_snapshot(sites=(a_site("S1", legal_entity=origin), a_site("S2", legal_entity=destination)))


@pytest.mark.parametrize(
    ("forbidden", "closed"),
    [
        ([{"origin": "S1", "destination": "S2"}], "forbidden_lane"),
        ([{"origin": "S1", "destination": "S2", "mode": "van"}], "forbidden_lane"),
        ([{"origin": "S1", "destination": "S2", "mode": "truck"}], None),
        ([{"origin": "S2", "destination": "S1"}], None),
        ([{"origin": "S2", "destination": "S1"}, {"origin": "S1", "destination": "S2"}], "forbidden_lane"),
        ([], None),
    ],
)
def test_a_forbidden_lane_is_closed_in_its_direction_and_by_its_mode(
    forbidden: list[dict[str, str]], closed: str | None
) -> None:
    assert closed_by(a_policy(lanes={"forbidden": forbidden}), a_snapshot(), a_lane()) == closed


@pytest.mark.parametrize(
    ("cross_entity", "ends", "closed"),
    [
        ("forbidden", ("EAST", "EAST"), None),
        ("forbidden", ("", ""), None),
        ("forbidden", ("EAST", "WEST"), "cross_entity"),
        ("forbidden", ("EAST", ""), "cross_entity"),
        ("listed", ("EAST", "WEST"), None),
        ("listed", ("WEST", "EAST"), "cross_entity"),
        ("listed", ("EAST", "NORTH"), "cross_entity"),
        ("allowed", ("WEST", "EAST"), None),
    ],
)
def test_a_lane_between_legal_entities_is_open_where_the_policy_lists_the_pair(
    cross_entity: str, ends: tuple[str, str], closed: str | None
) -> None:
    pairs = [{"origin": "EAST", "destination": "WEST"}, {"origin": "SOUTH", "destination": "NORTH"}]
    policy = a_policy(lanes={"cross_entity": cross_entity, "cross_entity_pairs": pairs})
    snapshot = entities(*ends)
    assert crosses_entities(snapshot, a_lane().key) == (ends[0] != ends[1])
    assert closed_by(policy, snapshot, a_lane()) == closed


def test_a_donor_keeps_its_own_demand_until_its_regular_supply() -> None:
    # Poisson, 1 a day for 7 days: P(D <= 8) = .729, P(D <= 9) = .830. For class A the policy wants 75 %.
    assert protected_units(a_policy(), a_snapshot(), REQUEST) == {S1: 9, S2: 9}
    assert stats.poisson(7).cdf([8, 9]) == pytest.approx([0.729, 0.830], abs=1e-3)


@pytest.mark.parametrize(("level", "keep"), [(7_290, 8), (7_291, 9), (8_304, 9), (8_305, 10)])
def test_a_donor_keeps_the_least_that_reaches_the_level(level: int, keep: int) -> None:
    # P(D <= 8) = .72909, P(D <= 9) = .83050.
    policy = a_policy(source_protection={"A": level})
    assert protected_units(policy, a_snapshot(), REQUEST)[S1] == stats.poisson(7).ppf(level / BP) == keep


def test_what_a_donor_keeps_depends_on_the_demand_class() -> None:
    snapshot = a_snapshot(
        skus=(a_sku("P1"), a_sku("P2", unit_price_e4=1)),
        positions=(a_position("S1", "P1"), a_position("S1", "P2")),
        forecasts=(a_forecast("S1", "P1"), a_forecast("S1", "P2")),
    )
    policy = a_policy(source_protection={"A": 9_000, "C": 5_000}, horizon={"default_days": 7})
    assert protected_units(policy, snapshot, REQUEST) == {S1: 10, SiteSku("S1", "P2"): 7}


@pytest.mark.parametrize(("units", "days", "keep"), [(5, 3, 4), (5, 6, 4), (5, 7, 9), (8, 3, 1), (9, 3, 0), (50, 3, 0)])
def test_supply_that_comes_in_time_covers_part_of_what_a_donor_keeps(units: int, days: int, keep: int) -> None:
    snapshot = a_snapshot(supply=(a_supply("S1", units=units, days=days),))
    expected = {S2: 9} | ({S1: keep} if keep else {})
    assert protected_units(a_policy(), snapshot, REQUEST) == expected


def test_where_nothing_is_wanted_nothing_is_kept() -> None:
    assert protected_units(a_policy(), a_needy_network(forecasts=(a_forecast("S2"),)), REQUEST) == {S2: 9}


def test_the_level_that_a_request_assumes_stands_in_place_of_the_policys() -> None:
    assert protected_units(a_policy(), a_snapshot(), at_level(9_900))[S1] == stats.poisson(7).ppf(0.99) == 14


@pytest.mark.parametrize(
    ("request_", "keep"),
    [
        (REQUEST, 9),
        (with_demand(200), 16),  # Poisson with mean 14: P(D <= 16) = .756
        (with_demand(50), 9),
        (with_demand(0), 9),
        (at_level(9_900), 14),
        (at_level(5_000), 9),
        (PlanRequest(overlays=Overlays(supply_delay_days=7)), 9),
    ],
)
def test_what_a_request_assumes_raises_what_donors_keep_and_never_lowers_it(request_: PlanRequest, keep: int) -> None:
    assert kept_units(a_policy(), a_snapshot(), request_)[S1] == keep
    assert limits_of(a_policy(), a_snapshot(), request_).protected_units[S1] == keep


def test_supply_that_a_request_delays_covers_nothing() -> None:
    snapshot = a_snapshot(supply=(a_supply("S1", units=5, days=3),))
    late = PlanRequest(overlays=Overlays(supply_delay_days=4))
    assert [limits_of(a_policy(), snapshot, each).protected_units[S1] for each in (REQUEST, late)] == [4, 9]


@given(seed=st.integers(0, 5_000))
def test_protected_units_never_exceed_the_need(seed: int) -> None:
    facts, request = random_facts(seed)
    policy, snapshot = facts.policy, assumed(facts.snapshot, request.overlays)
    view, classes = view_of(policy, snapshot), demand_classes(policy, snapshot)
    level = request.overlays.service_level_bp
    kept = protected_units(policy, snapshot, request)
    for key, units in kept.items():
        bp = policy.source_protection.of(classes[key.sku_id]) if level is None else level
        assert 0 < units <= quantile(view.window(key, 0, view.horizon_days(key)), bp / BP)
        assert key in snapshot.position_by_key
    needs = {target.key: target.need_units for target in targets_of(policy, snapshot, at_level(9_990))}
    assert all(units <= needs[key] for key, units in kept.items())


@given(seed=st.integers(0, 5_000))
def test_limits_protect_at_least_what_the_facts_and_the_assumptions_want_kept(seed: int) -> None:
    facts, request = random_facts(seed)
    limits = limits_of(facts.policy, facts.snapshot, request)
    known = protected_units(facts.policy, facts.snapshot, REQUEST)
    supposed = protected_units(facts.policy, assumed(facts.snapshot, request.overlays), request)
    expected = {key: max(known.get(key, 0), supposed.get(key, 0)) for key in known.keys() | supposed.keys()}
    assert limits.protected_units == expected


@pytest.mark.parametrize(
    ("days_ago", "days", "blocked"), [(13, 14, True), (14, 14, False), (0, 1, True), (0, 0, False)]
)
def test_a_cool_down_ends_after_its_days(days_ago: int, days: int, blocked: bool) -> None:
    snapshot = a_snapshot(
        recent_moves=(a_recent_move("S1", days_ago=days_ago), a_recent_move("S2", sent=True, days_ago=days_ago))
    )
    no_send, no_receive = blocked_site_skus(a_policy(cool_down={"days": days}), snapshot)
    assert no_send == ({S1: "cool_down"} if blocked else {})
    assert no_receive == ({S2: "cool_down"} if blocked else {})


def test_what_is_held_back_neither_sends_nor_receives_and_that_cannot_be_lifted() -> None:
    snapshot = a_snapshot(holds=(a_hold("S1"),), recent_moves=(a_recent_move("S1"),))
    for lifted in (frozenset[str](), frozenset(("cool_down", "data_quality"))):
        assert blocked_site_skus(a_policy(), snapshot, lifted) == ({S1: "data_quality"}, {S1: "data_quality"})


def test_one_sku_on_one_lane_is_kept_off_by_the_rules_that_keep_it_out_of_plans() -> None:
    snapshot = a_snapshot(skus=(a_sku("P1"), a_sku("COLD", temperature=Temperature.FROZEN)))
    (lane,) = snapshot.lanes
    warm, cold = snapshot.sku_by_id["P1"], snapshot.sku_by_id["COLD"]
    forbidding = a_policy(lanes={"forbidden": [{"origin": "S1", "destination": "S2"}]})
    assert closed_for(a_policy(), snapshot, warm, lane) is None
    assert closed_for(a_policy(), snapshot, cold, lane) == "temperature"
    assert closed_for(forbidding, snapshot, warm, lane) == "forbidden_lane"
