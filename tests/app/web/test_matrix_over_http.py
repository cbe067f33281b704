"""A sample of the matrix of authorisation, through the door: who decides on a plan is told what the oracle says."""

from __future__ import annotations

import random
from itertools import product

from app.auth.roles import Role
from tests.app.auth.oracle import ROLES, Asking, OnPlan, why_not
from tests.app.web.door import Door, written
from tests.installation import person

SAMPLE = 120
SITES = (None, frozenset(("S1", "S2")), frozenset(("S1",)), frozenset(("S2", "S3")), frozenset(("S3",)))
ROLE_SETS = ((), *((role,) for role in ROLES), ("planner", "approver"), ROLES)


def deciders(value: int) -> list[Asking]:
    """People of every kind, and among them one who has a hand in the plan, drawn so that approvers are half of them."""
    drawn = random.Random(11)
    everybody = list(product(ROLE_SETS, SITES, (None, value, value - 1), (True, False)))
    approvers = [each for each in everybody if "approver" in each[0]]
    chosen = [*drawn.sample(everybody, SAMPLE // 3), *drawn.sample(approvers, SAMPLE - SAMPLE // 3)]
    return [
        Asking(f"sam{number}", roles=roles, sites=sites, cleared=cleared, limit=limit)
        for number, (roles, sites, limit, cleared) in enumerate(chosen)
    ] + [Asking("paula", roles=ROLES, sites=sites) for sites in SITES]


def test_two_hundred_decisions_over_http_are_answered_as_the_oracle_says(door: Door) -> None:
    """With another plan's digest nothing is decided, and while the kill switch is engaged nothing is approved."""
    request = door.pending
    plan = OnPlan(
        frozenset(request.sites), request.goods_value_minor, sensitive=False, authors=frozenset(request.authors)
    )
    asking = deciders(plan.value)
    for stopped in (False, True):
        if stopped:
            door.post("/v1/kill-switch", "otto", {"engaged": True, "reason": "a drill"})
        before = written(door.service) | {"ledger_event": 0}
        wrong = []
        for each in asking:
            door.admit(
                person(
                    each.name, *map(Role, each.roles), sites=each.sites, sees_sensitive=each.cleared,
                    value_limit_minor=each.limit,
                )
            )  # fmt: skip
            digest = request.plan_digest if stopped else "0" * 64
            answer = door.post(
                f"/v1/approvals/{request.approval_id}/decision",
                each.name,
                {"verdict": "approve", "plan_digest": digest},
            )
            expected = why_not(each, "approve", plan, stopped=stopped) or "other_plan"
            outside = each.sites is not None and not each.sites & plan.sites and expected == "scope"
            expected = "unknown_approval" if outside else expected
            said = (answer.status_code, answer.json().get("code"))
            status = {"other_plan": 409, "kill_switch": 409, "unknown_approval": 404}.get(expected, 403)
            if said != (status, expected):
                wrong.append((each, said, expected))
        assert wrong == []
        assert written(door.service) | {"ledger_event": 0} == before
    assert len(asking) * 2 >= 200
