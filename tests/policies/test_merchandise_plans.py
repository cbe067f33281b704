"""Whole plans on made-up networks with merchandise: the solver, the evaluator and the rules agree on every one."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from policies.library import released
from policies.limits import limits_of
from policies.rules import Facts, check
from policies.urgency import urgencies
from tools.forecast import forecast_network
from tools.generate import generate_network
from tools.inventory import Snapshot
from tools.merchandise.urgency import Urgency
from tools.planning import make_plan, solve
from tools.transfers import Overlays, PlanRequest, TransferPlan

AS_OF = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
POLICY = released("2026-11")


@cache
def network(seed: int) -> Snapshot:
    made = generate_network(6, 24, seed, AS_OF, merchandise=True)
    forecasts = forecast_network(made.sales, "week", AS_OF.date())
    return Snapshot(
        AS_OF,
        made.currency,
        made.sites,
        made.skus,
        made.lanes,
        made.positions,
        made.inbound,
        forecasts,
        made.replenishments,
        merchandise=made.merchandise,
    )


def planned(seed: int, request: PlanRequest) -> TransferPlan:
    limits = limits_of(POLICY, network(seed), request)
    return make_plan(network(seed), limits, request, solve(network(seed), limits, request))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_plan_keeps_every_rule_about_merchandise(seed: int) -> None:
    plan = planned(seed, PlanRequest())
    assert plan.lines
    assert check(plan, Facts(network(seed), POLICY, AS_OF)) == ()
    for line in plan.lines:
        by_lot = (line.origin, line.sku_id) in network(seed).merchandise.lots_by_key
        assert sum(pick.units for pick in line.lots) == (line.units if by_lot else 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_emergency_plan_keeps_every_rule_and_only_rescues(seed: int) -> None:
    plan = planned(seed, PlanRequest(overlays=Overlays(emergency_rescue=True)))
    assert check(plan, Facts(network(seed), POLICY, AS_OF)) == ()
    assert Urgency.BALANCE not in {found.urgency for found in urgencies(POLICY, network(seed), plan)}


def test_a_document_with_lots_is_the_same_plan_after_storage() -> None:
    plan = planned(1, PlanRequest(overlays=Overlays(emergency_rescue=True)))
    again = TransferPlan.model_validate_json(plan.model_dump_json())
    assert (again, again.digest) == (plan, plan.digest)
