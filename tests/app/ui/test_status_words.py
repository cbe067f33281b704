"""The same state has the same name wherever it is shown: in filters, lists, drawers, reports and files."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from app.approvals.tables import ApprovalStatus
from tests.app.ui.pages import Browsing, Markup
from tests.app.web.door import Door
from tests.installation import approve, orders
from tools.execution import OrderState

Pages = Callable[[str], Browsing]


def change(door: Door, statement: str, **values: str) -> None:
    with door.service.database.transaction() as session:
        session.connection().execute(text(statement), values)


def pills(page: Markup) -> list[str]:
    return [each.text for each in page.all("span") if "pill" in (each.attributes.get("class") or "").split()]


def test_a_request_is_called_the_same_in_the_queue_and_in_reports(own_pages: Pages, door: Door) -> None:
    vera, request = own_pages("vera"), door.pending
    for status in ApprovalStatus:
        change(door, "update approval_request set status = :status", status=status)
        chosen = [_option(vera.get(path), status) for path in (f"/queue?status={status}", f"/reports?status={status}")]
        assert len(set(chosen)) == 1, chosen
        name = chosen[0].lower()
        for path in (
            "/queue/rows?status=any",
            f"/queue/{request.approval_id}/state",
            "/reports/rows",
            f"/reports/plans/{request.plan_digest}",
        ):
            assert name in pills(vera.get(path, fragment=True)), (status, path)
        assert f",{name}," in vera.answer("/queue/export.csv?status=any").text
        assert f",{name}," in vera.answer("/reports/plans/export.csv").text


def _option(page: Markup, status: ApprovalStatus) -> str:
    """What the filter calls a status; the one that waits is what the queue shows without a choice."""
    values = (
        (status.value, "") if page.all("form", id="queue-filter") and status is ApprovalStatus.PENDING else (status,)
    )
    select_at = next(number for number, tag in enumerate(page.tags) if tag.attributes.get("name") == "status")
    return next(
        tag.text for tag in page.tags[select_at:] if tag.name == "option" and tag.attributes.get("value") in values
    )


def test_an_order_is_called_the_same_in_the_list_its_filter_the_report_and_files(own_pages: Pages, door: Door) -> None:
    vera, request = own_pages("vera"), door.pending
    approve(door.service, request)
    order = orders(door.service)[0]
    for state in OrderState:
        change(door, "update transfer_order set state = :state", state=state)
        page = vera.get(f"/orders?show=all&state={state}")
        name = page.one("option", value=state).text
        assert "_" not in name
        for shown in (
            page,
            vera.get(f"/orders/{order.transfer_id}"),
            vera.get(f"/reports/plans/{request.plan_digest}"),
        ):
            assert name in pills(shown), state
        for file in ("/orders/export.csv?show=all", f"/reports/plans/{request.plan_digest}/orders.csv"):
            assert f",{name}," in vera.answer(file).text, (state, file)
