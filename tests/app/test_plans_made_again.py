"""A plan that is made again says after which request, who rejected it, and what asked for the first one."""

from __future__ import annotations

from uuid import UUID

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.governance.state import activate_policy
from app.plans.provenance import ProvenanceView, provenance_view
from app.service import Service
from tests.app.test_lineage_of_edits import one_pack_less, proposed_by_llm
from tests.conversation import talk
from tests.installation import approve, reject, scan, waiting
from tests.vendor import MODEL, Vendor, calls
from tools.rejections import Rejection, RejectionCode

UNWANTED = Rejection(code=RejectionCode.LINE_UNWANTED, words="not this one", line_nos=(1,))


def provenance(service: Service, request: ApprovalRequest) -> ProvenanceView:
    with service.database.transaction() as session:
        found = provenance_view(session, request.plan_digest)
    assert found is not None
    return found


def after_rejection(service: Service, request: ApprovalRequest, why: Rejection = UNWANTED) -> ApprovalRequest:
    """The request for the plan that is made again once this one is rejected."""
    reject(service, request, why)
    service.resume_thread(request.approval_id)
    (again,) = waiting(service)
    return again


def test_a_plan_made_again_after_a_rejection_names_it_and_the_llm_that_asked_first(
    agent: Service, vendor: Vendor
) -> None:
    first = proposed_by_llm(agent, vendor)
    again = after_rejection(agent, first)
    told = provenance(agent, again)
    assert told.made_again is not None
    assert (told.made_again.approval_id, told.made_again.plan_digest) == (first.approval_id, first.plan_digest)
    assert told.made_again.rejected_by == "ada"
    prompt = provenance(agent, first).prompt_digest
    assert (told.llm, told.prompt_digest) == (MODEL, prompt)
    before = f"plan {first.plan_digest[:12]} (request {str(first.approval_id)[:8]} of paula)"
    assert told.words.startswith(f"made again after ada rejected {before}, first asked for through {MODEL}")
    assert provenance(agent, first).made_again is None


def test_a_scan_made_again_says_that_no_llm_asked_first(agent: Service) -> None:
    scan(agent)
    (first,) = waiting(agent)
    words = provenance(agent, after_rejection(agent, first)).words
    assert words.startswith(f"made again after ada rejected plan {first.plan_digest[:12]}")
    assert "first asked for without any language model; solved by" in words


def test_a_rejected_edit_is_what_the_next_plan_was_made_again_after(agent: Service, vendor: Vendor) -> None:
    first = proposed_by_llm(agent, vendor)
    edited = one_pack_less(agent, first)
    agent.resume_thread(first.approval_id)
    one_line = Rejection(code=RejectionCode.TOO_MANY_LINES, words="one at a time", limit=1)
    told = provenance(agent, after_rejection(agent, edited, one_line))
    assert told.made_again is not None
    assert told.made_again.approval_id == edited.approval_id
    assert told.llm == MODEL


def test_a_plan_that_the_world_has_outrun_is_made_again_after_nobody_s_rejection(agent: Service) -> None:
    scan(agent)
    (first,) = waiting(agent)
    with agent.database.transaction() as session:
        activate_policy(session, "2026-04", "otto", "second quarter")
    assert approve(agent, first).status is ApprovalStatus.OUTRUN
    agent.resume_thread(first.approval_id)
    (again,) = waiting(agent)
    told = provenance(agent, again)
    assert told.made_again is not None
    assert told.made_again.rejected_by is None
    assert told.words.startswith(f"made again after the world had moved on from plan {first.plan_digest[:12]}")


def test_what_is_asked_for_anew_after_a_rejection_is_not_said_to_be_made_again(agent: Service, vendor: Vendor) -> None:
    first = proposed_by_llm(agent, vendor)
    assert first.thread_id is not None
    reject(agent, first, Rejection(code=RejectionCode.OTHER, words="no"))
    agent.resume_thread(first.approval_id)
    vendor.will(calls(("propose_plan", {"mentions": ["P1"]})), calls(("submit_plan", {})))
    talk(agent, "only P1 then, and submit it", thread_id=UUID(first.thread_id))
    (second,) = waiting(agent)
    assert second.plan_digest != first.plan_digest
    assert provenance(agent, second).made_again is None
