"""A transfer of an edited plan leads back through every edit to who asked first, and to the prompt of the llm that asked."""

from __future__ import annotations

from sqlmodel import Session, select

from app.approvals.edits import edit
from app.approvals.parts import approve_part
from app.approvals.requests import get_request, request_approval
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal, Role
from app.governance.state import active_policy
from app.lineage import LineageView, lineage
from app.plans.provenance import provenance_view
from app.plans.store import read_plan, read_provenance
from app.service import Service
from app.ui.orders.lineage_graph import graph_of
from tests.conversation import talk
from tests.installation import ADA, BOB, PAULA, approve, orders, person, reject, scan, waiting
from tests.vendor import MODEL, Vendor, calls
from tools.rejections import Rejection, RejectionCode

CY = person("cy", Role.APPROVER)
WITHOUT = "without any language model"


def proposed_by_llm(agent: Service, vendor: Vendor) -> ApprovalRequest:
    """A plan of several lines that the llm proposed for Paula."""
    vendor.will(calls(("propose_plan", {"mentions": ["P1", "P2"]})), calls(("submit_plan", {})))
    talk(agent, "rebalance P1 and P2, and submit it")
    (request,) = waiting(agent)
    return request


def one_pack_less(agent: Service, request: ApprovalRequest, by: Principal = BOB) -> ApprovalRequest:
    """The request for the first line alone, with one pack less."""
    with agent.database.transaction() as session:
        line = read_plan(session, request.plan_digest).lines[0]
        return edit(session, by, request.approval_id, request.plan_digest, {1: line.packs - 1}).successor


def seen(agent: Service, request: ApprovalRequest) -> LineageView:
    (order, *_) = orders(agent, request)
    with agent.database.transaction() as session:
        return lineage(session, PAULA, order.transfer_id)


def prompt_of(session: Session, plan: str) -> str | None:
    row = read_provenance(session, plan)
    assert row is not None
    return row.prompt_digest


def proposals(view: LineageView) -> list[tuple[str, str]]:
    """Who proposed which plan, in the order of time."""
    return [(each.actor, each.stream) for each in view.events if each.type == "plan_proposed"]


def test_a_part_that_was_approved_leads_back_to_the_prompt_and_the_proposer_of_the_whole(
    agent: Service, vendor: Vendor
) -> None:
    whole = proposed_by_llm(agent, vendor)
    with agent.database.transaction() as session:
        approve_part(session, ADA, whole.approval_id, whole.plan_digest, [1])
        successor = get_request(session, whole.approval_id).superseded_by
        assert successor is not None
        part = get_request(session, successor)
        prompt = prompt_of(session, whole.plan_digest)
        told = provenance_view(session, part.plan_digest)
    view = seen(agent, part)
    assert prompt
    assert proposals(view) == [("paula", f"plan/{whole.plan_digest}"), ("ada", f"plan/{part.plan_digest}")]
    assert "approval_superseded" in {event.type for event in view.events}
    (before,) = view.predecessors
    assert (before.plan_digest, before.requested_by, before.approval_id) == (
        whole.plan_digest,
        "paula",
        whole.approval_id,
    )
    assert before.provenance is not None
    assert (before.provenance.llm, before.provenance.prompt_digest) == (MODEL, prompt)
    assert view.provenance is not None
    assert told is not None
    for words in (view.provenance.words, told.words, before.words):
        assert WITHOUT not in words
        assert f"asked for through {MODEL}" in words
        assert prompt[:12] in words
    drawn = graph_of(view).words
    assert "no language model" not in drawn
    assert f"Edited {whole.plan_digest[:8]}, of paula, {MODEL}" in drawn


def test_every_edit_is_followed_back_to_the_first_plan(agent: Service, vendor: Vendor) -> None:
    first = proposed_by_llm(agent, vendor)
    second = one_pack_less(agent, first)
    third = one_pack_less(agent, second, ADA)
    with agent.database.transaction() as session:
        add_person(session, CY, by=SYSTEM)
    approve(agent, third, CY)
    view = seen(agent, third)
    assert [each.plan_digest for each in view.predecessors] == [second.plan_digest, first.plan_digest]
    assert [stream for _, stream in proposals(view)] == [f"plan/{each.plan_digest}" for each in (first, second, third)]
    assert all(WITHOUT not in each.words for each in view.predecessors)
    assert view.provenance is not None
    assert view.provenance.words.startswith(f"edited from plan {first.plan_digest[:12]} of paula, which was asked for")


def test_an_edit_of_a_plan_that_no_llm_asked_for_says_which_plan_that_was(agent: Service) -> None:
    scan(agent)
    (first,) = waiting(agent)
    second = one_pack_less(agent, first)
    with agent.database.transaction() as session:
        scanned, edited = (provenance_view(session, each.plan_digest) for each in (first, second))
    assert scanned is not None
    assert edited is not None
    assert scanned.words.startswith(f"asked for {WITHOUT}; solved by")
    assert edited.words.startswith(
        f"edited from plan {first.plan_digest[:12]} of paula, which was asked for {WITHOUT};"
    )
    assert edited.asked_through == "no language model"


def test_what_was_edited_into_a_plan_only_after_its_transfer_is_none_of_its_lineage(agent: Service) -> None:
    scan(agent)
    (first,) = waiting(agent)
    second = one_pack_less(agent, first)
    reject(agent, second, Rejection(code=RejectionCode.OTHER, words="no"))
    with agent.database.transaction() as session:
        plan = read_plan(session, second.plan_digest)
        tier = active_policy(session).tiers[0]
        again = request_approval(session, plan, tier, ["paula"], None)
    approve(agent, again, ADA)
    view = seen(agent, again)
    assert [each.plan_digest for each in view.predecessors] == [first.plan_digest], "an edit before it is"
    assert "plan_rejected" not in {event.type for event in view.events}
    with agent.database.transaction() as session:
        row = session.exec(select(ApprovalRequest).where(ApprovalRequest.approval_id == first.approval_id)).one()
        assert row.status is ApprovalStatus.SUPERSEDED
        row.superseded_by = again.approval_id
        session.add(row)
        earlier = get_request(session, second.approval_id)
        none = provenance_view(session, second.plan_digest, earlier.attempt)
    assert none is not None
    assert none.edited_from == []
