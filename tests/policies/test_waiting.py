"""Approved lines that have waited, judged on the facts of now: what goes, what carries less, and what is taken back and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.planning import draft
from policies.narrowing import fresh
from policies.rules import Facts
from policies.schema import Policy
from policies.waiting import Remains, remains
from tests.builders import NOW, a_forecast, a_hold, a_lane, a_needy_network, a_policy, a_position, a_site, a_sku
from tools.inventory import Snapshot
from tools.transfers import PlanRequest, TransferPlan

DRIFT = {"line_shrink_max_bp": 2_000, "plan_shrink_max_bp": 1_000, "saving_drop_max_bp": 2_000}
POLICY = a_policy(approvals={"signing": [], "reasons_stand_days": 0, "drift": DRIFT})
WITHOUT = a_policy()


def network(
    left: Mapping[str, int] | None = None, to: Collection[str] = ("S2",), fixed_e4: int = 50_000, **more: Any
) -> Snapshot:
    """S1 has 100 units of each SKU, or so many, that nobody there asks for; the others have none and sell 100 a day."""
    units = {"P1": 100, "P2": 100} | dict(left or {})
    ends = [(site, sku) for site in ("S1", *to) for sku in units]
    return a_needy_network(**{
        "sites": tuple(a_site(site) for site in ("S1", *to)),
        "skus": tuple(a_sku(sku) for sku in units),
        "lanes": tuple(a_lane("S1", site, cost_fixed_e4=fixed_e4) for site in to),
        "positions": tuple(a_position(site, sku, units[sku] if site == "S1" else 0) for site, sku in ends),
        "forecasts": tuple(a_forecast(site, sku, daily_units=0 if site == "S1" else 100) for site, sku in ends),
    } | more)  # fmt: skip


def planned(snapshot: Snapshot, policy: Policy = POLICY) -> TransferPlan:
    plan = draft(Facts(snapshot, policy, NOW), PlanRequest()).plan
    assert plan is not None
    assert len(plan.lines) == 2
    return plan


def judged(
    plan: TransferPlan,
    now: Snapshot,
    waiting: Collection[int] = (1, 2),
    on_the_way: Collection[int] = (),
    policy: Policy = POLICY,
) -> Remains:
    packs = {line.line_no: line.packs for line in plan.lines if line.line_no in waiting}
    return remains(plan, packs, on_the_way, Facts(now, policy, NOW))


PLAN = planned(network())
NUMBER = {line.sku_id: line.line_no for line in PLAN.lines}
PACKS = {line.line_no: line.packs for line in PLAN.lines}


def test_what_nothing_has_changed_about_goes_whole() -> None:
    assert judged(PLAN, network()) == Remains(PACKS, {})


@given(st.integers(0, 150), st.integers(0, 150))
def test_lines_that_wait_together_go_where_a_decision_now_would_let_them_and_never_carry_more(
    first: int, second: int
) -> None:
    now = network({"P1": first, "P2": second})
    found, decided = judged(PLAN, now), fresh(PLAN, Facts(now, POLICY, NOW))
    assert found.packs.keys() | found.against.keys() == {1, 2}
    assert not found.packs.keys() & found.against.keys()
    assert all(packs <= PACKS[line_no] for line_no, packs in found.packs.items())
    if not decided.violations:
        assert {line.line_no: decided.units_of(line) for line in PLAN.lines} == found.packs


def test_a_line_that_the_world_has_outrun_takes_no_other_with_it() -> None:
    sick, sound = NUMBER["P1"], NUMBER["P2"]
    held = replace(network({"P2": 95}), holds=(a_hold("S2", "P1"),))
    found = judged(PLAN, held)
    assert found.packs == {sound: 95}
    assert found.against.keys() == {sick}
    assert found.against[sick][0].startswith(f"Line {sick}: the data of P1")


def test_what_goes_has_not_lost_more_of_its_saving_than_policy_admits() -> None:
    cheap = network(skus=(a_sku("P1", unit_price_e4=60_000), a_sku("P2", unit_price_e4=60_000)))
    found = judged(PLAN, cheap)
    assert found.packs == {}
    assert {words for each in found.against.values() for words in each} == {
        "What waits has lost more than the 20 % of its saving that policy admits."
    }
    assert judged(PLAN, cheap, policy=WITHOUT).packs == PACKS, "no policy, no threshold"


def test_packs_of_another_size_are_no_line_that_was_decided_on() -> None:
    other = network(skus=(a_sku("P1", pack_size=5), a_sku("P2")))
    found = judged(PLAN, other)
    assert found.packs == {NUMBER["P2"]: 100}
    assert found.against == {NUMBER["P1"]: (f"Line {NUMBER['P1']}: P1 has packs of 5 now and not of 1.",)}


def test_a_line_whose_departure_another_has_paid_for_is_not_asked_to_pay_for_it_again() -> None:
    """Each line saves about 728; their truck costs 1,000."""
    dear = network(fixed_e4=10_000_000)
    plan = planned(dear)
    assert judged(plan, dear, waiting=[2]).packs == {}
    assert judged(plan, dear, waiting=[2], on_the_way=[1]).packs == {2: plan.lines[1].packs}


def test_what_one_departure_has_paid_for_another_has_not() -> None:
    """One line to each site; a truck has become dearer than what its line saves."""
    few = tuple(
        a_forecast(site, sku, daily_units=0 if site == "S1" else 14)
        for site in ("S1", "S2", "S3")
        for sku in ("P1", "P2")
    )
    units, to = {"P1": 200, "P2": 0}, ("S2", "S3")
    plan = planned(network(units, to, forecasts=few))
    dear = network(units, to, fixed_e4=10_000_000, forecasts=few)
    assert judged(plan, dear, waiting=[2], on_the_way=[1], policy=WITHOUT).packs == {}


def test_counts_that_have_grown_old_meanwhile_stop_nothing_that_was_decided_on_fresh_ones() -> None:
    later = Facts(network(), POLICY, NOW.replace(year=NOW.year + 1))
    assert any(each.rule == "fresh_stock" for each in fresh(PLAN, later).violations)
    assert remains(PLAN, PACKS, (), later) == Remains(PACKS, {})


@pytest.mark.parametrize("policy", [POLICY, WITHOUT])
def test_nothing_that_waits_is_nothing(policy: Policy) -> None:
    assert judged(PLAN, network(), waiting=(), policy=policy) == Remains({}, {})
