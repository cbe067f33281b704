"""A list of requests shows each of them as it is shown by itself, whatever has become of it."""

from __future__ import annotations

import pytest

from app.approvals.comments import comment
from app.approvals.decisions import decide
from app.approvals.requests import queue
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.approvals.views import approval_view, approval_views
from app.auth.roles import Principal
from tests.app.approvals.house import ADA, BOB, CY, EAST, TWO, House
from tools.rejections import Rejection, RejectionCode
from tools.transfers import Verdict


def every_kind(house: House) -> list[ApprovalRequest]:
    """Requests that wait alike, one that is signed by one of two, one with a comment, one approved and one rejected."""
    alike = [house.ask(), house.ask()]
    half, remarked, approved, rejected = house.ask(needed=TWO), house.ask("far"), house.ask(), house.ask()
    assert house.sign(half, BOB) == "pending"
    assert house.do(lambda session: comment(session, CY, remarked.approval_id, "Is P1 not on sale?")) == "done"
    assert house.sign(approved, CY) == "approved"
    no = Rejection(code=RejectionCode.OTHER, words="not now")
    with house.database.transaction() as session:
        decide(session, ADA, rejected.approval_id, Verdict.REJECT, rejected.plan_digest, no)
    return [*alike, half, remarked, approved, rejected]


@pytest.mark.parametrize("reader", [ADA, EAST], ids=lambda reader: reader.user_id)
def test_each_request_of_a_list_is_shown_as_by_itself(house: House, reader: Principal) -> None:
    asked = {request.approval_id for request in every_kind(house)}
    with house.database.transaction() as session:
        rows = [row for row in queue(session, reader, list(ApprovalStatus)) if row.approval_id in asked]
        assert len(rows) == len(asked)
        listed = approval_views(session, reader, rows)
        assert listed == [approval_view(session, reader, row) for row in rows]
        by_status = {view.status: view for view in listed}
        assert by_status["approved"].decided_by == CY.user_id
        assert by_status["rejected"].rejection is not None
        assert sorted(len(view.signing.signed) for view in listed) == [0, 0, 0, 0, 1, 1]
        assert sum(bool(view.comments) for view in listed) == 1
        assert all(bool(view.signing.words) == (view.status == "pending") for view in listed)


def test_an_empty_list_is_shown_as_one(house: House) -> None:
    with house.database.transaction() as session:
        assert approval_views(session, ADA, []) == []
