from __future__ import annotations

import pytest

from policies.latency import approval_latency_days
from policies.limits import limits_of
from tests.builders import a_policy, a_snapshot
from tools.planning.breaches import departure_of
from tools.transfers import PlanRequest


@pytest.mark.parametrize(("stated", "days"), [(None, 2), (0, 0), (5, 5)])
def test_what_the_facts_say_of_decisions_counts_before_the_policys_number(stated: int | None, days: int) -> None:
    policy, snapshot = a_policy(horizon={"approval_latency_days": 2}), a_snapshot(approval_latency_days=stated)
    assert approval_latency_days(policy, snapshot) == days
    limits = limits_of(policy, snapshot, PlanRequest())
    assert limits.approval_latency_days == days
    departure = departure_of(snapshot, limits, snapshot.lanes[0].key)
    assert departure is not None
    assert (departure.depart_on - snapshot.as_of.date()).days == days
