"""Where a plan was made again, its history, its report and the lineage of its transfers lead to the plan before it."""

from __future__ import annotations

from collections.abc import Callable

from tests.app.ui.pages import Browsing
from tests.app.web.door import Door
from tests.installation import approve, carry_out, orders, reject
from tools.rejections import Rejection, RejectionCode


def test_a_plan_made_again_leads_to_the_one_before_it(door: Door, own_pages: Callable[[str], Browsing]) -> None:
    first = door.pending
    fewer = Rejection(code=RejectionCode.TOO_MANY_UNITS, words="fewer", limit=first.units - 1)
    reject(door.service, first, fewer)
    door.service.resume_thread(first.approval_id)
    again = door.pending
    paula, before = own_pages("paula"), f"/queue/{first.approval_id}"
    history = paula.get(f"/queue/{again.approval_id}/history", fragment=True)
    assert history.one("a", href=before).text == "The plan before it"
    said = f"after ada rejected plan {first.plan_digest[:12]} (request {str(first.approval_id)[:8]} of paula)"
    assert f"made again {said}, first asked for without any language model" in history.text
    assert said in paula.get(f"/reports/plans/{again.plan_digest}").text
    approve(door.service, again)
    carry_out(door.service, again)
    (order, *_) = orders(door.service, again)
    assert paula.get(f"/orders/{order.transfer_id}/lineage").one("a", href=before).text == "The plan before it"
