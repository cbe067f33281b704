"""An emergency is asked for in a conversation, and the policy in force decides whether there may be a rescue."""

from __future__ import annotations

import json

from app.auth.people import SYSTEM
from app.governance.state import activate_policy
from app.plans.store import read_plan
from app.service import Service
from tests.conversation import talk
from tests.installation import PAULA, a_network, settle_in


def test_a_rescue_is_refused_by_a_policy_without_one_and_planned_under_one_that_provides_for_it(
    service: Service,
) -> None:
    """S1 ordinarily keeps most of what it has; a rescue may have more of it."""
    stock = {("S1", "P1"): 70, ("S2", "P1"): 0}
    settle_in(service, a_network(stock), PAULA)
    refused = talk(service, "rescue P1 at S2")
    assert "nothing worth moving" in refused.words
    assert "P1 at S2 may not be received: not an emergency" in refused.words
    with service.database.transaction() as session:
        activate_policy(session, "2026-11", SYSTEM, "rescues are provided for")
    ordinary = json.loads(talk(service, "move P1 to S2").tools[-1][1])
    rescue = talk(service, "rescue P1 at S2")
    told = json.loads(rescue.tools[-1][1])
    assert told["outcome"] == "permitted"
    assert told["units"] > ordinary["units"]
    with service.database.transaction() as session:
        request = read_plan(session, rescue.values["plan_digest"]).request
    assert request.overlays.emergency_rescue
    assert (request.scope.skus, request.scope.destinations) == (("P1",), ("S2",))
