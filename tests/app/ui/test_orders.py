"""Orders in the browser: which are listed for whom, whether goods have arrived, and what can be done about them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.approvals.edits import edit
from app.auth.people import SYSTEM, add_person
from app.auth.roles import Role
from app.lineage import lineage
from app.orders.tables import ErpDifference, TransferOrder
from app.plans.store import read_plan
from app.ui.orders.lineage_graph import graph_of
from app.ui.orders.story import Told, days_late, did_it_arrive, happenings, stages
from app.views import OrderView
from graphs.names import alias_of
from tests.app.ui.pages import Browsing
from tests.app.web.door import Door
from tests.builders import TODAY
from tests.installation import BOB, OTTO, approve, carry_out, orders, person
from tools.execution import OrderState
from tools.reconcile import Correction, DifferenceKind

WICKED = "<img src=x onerror=window.__xss=1>"
Pages = Callable[[str], Browsing]


@pytest.fixture
def carried(door: Door) -> list[TransferOrder]:
    """Paula's plan, approved and on its way."""
    request = door.pending
    approve(door.service, request)
    return carry_out(door.service, request)


def change(door: Door, statement: str, **values: object) -> None:
    """Something that has happened to the orders meanwhile."""
    with door.service.database.engine.begin() as connection:
        connection.execute(text(statement), values)


def an_order(**changed: Any) -> OrderView:
    """An order of ten units that is on its way."""
    view = OrderView(
        transfer_id=UUID(int=1), approval_id=UUID(int=2), plan_digest="0" * 64, line_no=1, sku_id="P1", origin="S1",
        destination="S2", mode="truck", units=10, state=OrderState.SHIPPED, state_at=datetime(2026, 3, 2, tzinfo=UTC),
        depart_on=TODAY, arrive_on=TODAY + timedelta(days=2), shipped_units=10, received_units=0, damaged_units=0,
        returned_units=0, lost_units=0, over_units=0, erp_id="E-1", attention=None, actions=(), decided_units=None, held_by=None,
    )  # fmt: skip
    return view.model_copy(update=changed)


@pytest.mark.parametrize(
    ("changed", "late_days", "word", "part"),
    [
        ({}, 0, "Not yet", "10 units are still on the way, expected on"),
        ({}, 3, "Not yet", "3 days ago"),
        ({"received_units": 9, "state": "partially_received"}, 0, "Partly", "1 unit is still on the way"),
        ({"received_units": 10, "state": "closed"}, 9, "Yes", "All 10 units arrived"),
        ({"received_units": 7, "damaged_units": 1, "lost_units": 2, "state": "closed"}, 0, "Partly", "8 units of 10 arrived: 7 usable and 1 damaged; 2 units never came"),
        ({"received_units": 6, "damaged_units": 1, "state": "partially_received"}, 0, "Partly", "7 units of 10 arrived: 6 usable and 1 damaged. 3 units are still"),
        ({"received_units": 6, "damaged_units": 4, "state": "received"}, 0, "Yes", "All 10 units arrived: 6 usable and 4 damaged."),
        ({"damaged_units": 2, "state": "partially_received"}, 0, "Partly", "2 units of 10 arrived: 0 usable and 2 damaged."),
        ({"lost_units": 10, "state": "closed"}, 0, "No", "10 units never came"),
        ({"shipped_units": 0, "state": "released"}, 0, "Not yet", "It has not left"),
        ({"shipped_units": 0, "state": "released", "held_by": UUID(int=3)}, 0, "Not yet", "A stop has held it"),
        ({"shipped_units": 0, "state": "needs_attention"}, 0, "Not known", "Somebody has to look"),
        ({"shipped_units": 0, "state": "cancelled"}, 9, "No", "Nothing was moved"),
        ({"returned_units": 10, "state": "cancelled"}, 0, "No", "10 units came back"),
        ({"shipped_units": 0, "state": "refused"}, 0, "No", "The ERP refused it"),
        ({"state": "compensating"}, 0, "No", "on the way back"),
    ],
)  # fmt: skip
def test_whether_goods_have_arrived_is_said_in_one_word_and_a_sentence(
    changed: dict[str, Any], late_days: int, word: str, part: str
) -> None:
    order = an_order(**changed)
    answer = did_it_arrive(order, order.arrive_on + timedelta(days=late_days))
    assert answer.word == word
    assert part in answer.words


def test_an_order_that_is_over_is_never_late() -> None:
    order = an_order(state="closed", received_units=10)
    assert days_late(order, order.arrive_on + timedelta(days=9)) == 0


def test_the_stages_tell_how_far_an_order_came() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    told = [Told("transfer_requested", at, "system", {}), Told("transfer_posted", at, "system", {"erp_id": "E-1"})]
    confirmed = stages(an_order(state="confirmed", shipped_units=0), told, at)
    assert [stage.reached for stage in confirmed] == ["done", "done", "now", "to come", "to come"]
    refused = stages(an_order(state="refused", shipped_units=0), told[:1], at)
    assert [stage.reached for stage in refused] == ["done", "failed", "to come", "to come", "to come"]
    closed = stages(an_order(state="closed", received_units=10), told, at)
    assert {stage.reached for stage in closed} == {"done"}


def test_what_has_happened_is_told_with_who_did_it_and_why() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    shrunk, lost, back = happenings([
        Told("transfer_shrunk", at, "system", {"units": 8, "decided_units": 10, "reason": "2 were not found"}),
        Told("transfer_received", at, "otto", {"lost_units": 2, "reason": "the truck burnt"}),
        Told("transfer_cancelling", at, "otto", {"reason": WICKED}),
    ])  # fmt: skip
    assert (shrunk.words, shrunk.by) == ("8 of 10 units. 2 were not found", "")
    assert (lost.title, lost.words, lost.by) == ("Goods were written off", "2 units lost. the truck burnt", "otto")
    assert (back.words, back.is_bad) == (WICKED, True)


def test_what_people_have_accepted_is_not_told_as_asking_again() -> None:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    facts = {"units": 10, "erp_id": "E-1", "sku_id": "P1", "reason": "it is packed"}
    went_on, again = happenings([
        Told("transfer_resumed", at, "otto", facts | {"action": "accept"}),
        Told("transfer_resumed", at, "otto", {"reason": "try it", "action": "ask_again"}),
    ])  # fmt: skip
    assert (went_on.title, again.title) == ("It goes on with what the ERP has", "The ERP is asked again")
    assert went_on.words == "10 units. Reference there: E-1. it is packed"


def test_the_list_has_every_order_with_its_groups(carried: list[TransferOrder], own_pages: Pages) -> None:
    page = own_pages("vera").get("/orders")
    assert f"{len(carried)} order" in page.text
    for order in carried:
        link = page.one("a", href=f"/orders/{order.transfer_id}")
        assert link.text == str(order.transfer_id)[:8]
        assert "data-drawer" in link.attributes
    assert "on the way" in page.text
    assert page.one("a", href="/orders?show=transit").text.startswith(f"In transit {len(carried)}")
    assert page.foreign == []


def test_late_orders_and_those_to_be_looked_at_have_groups_of_their_own(
    door: Door, carried: list[TransferOrder], own_pages: Pages
) -> None:
    late, odd = carried[0], carried[-1]
    change(door, "update transfer_order set arrive_on = :day where transfer_id = :id",
           day=TODAY - timedelta(days=3), id=late.transfer_id)  # fmt: skip
    change(
        door, "update transfer_order set attention = :words where transfer_id = :id", words=WICKED, id=odd.transfer_id
    )
    vera = own_pages("vera")
    overdue = vera.get("/orders/rows?show=overdue", fragment=True)
    assert str(late.transfer_id)[:8] in overdue.text
    assert "3 days late" in overdue.text
    attention = vera.get("/orders/rows?show=attention", fragment=True)
    assert WICKED in attention.text
    assert attention.foreign == []


def test_a_group_without_orders_says_so_in_its_own_words(carried: list[TransferOrder], own_pages: Pages) -> None:
    vera = own_pages("vera")
    for show, words in (
        ("attention", "Nothing needs attention."),
        ("overdue", "Nothing is overdue."),
        ("held", "No stop holds"),
    ):
        page = vera.get(f"/orders/rows?show={show}", fragment=True).text
        assert words in page
        assert "No order fits" not in page
    assert "No order fits" in vera.get("/orders/rows?show=attention&text=P1").text
    said = [
        tag.attributes.get("data-said") or ""
        for tag in own_pages("otto").get(f"/orders/{carried[0].transfer_id}").all("form")
    ]
    assert "The order is called back." in said
    assert not [words for words in said if "done" in words]


def test_the_list_is_filtered_and_sorted_and_nonsense_is_refused(
    carried: list[TransferOrder], own_pages: Pages
) -> None:
    vera, order = own_pages("vera"), carried[0]
    for query in (
        f"text={str(order.transfer_id)[:8]}",
        f"text={order.erp_id}",
        f"state=shipped&text={order.sku_id.lower()}",
        f"text=sku {order.sku_id}",
        f"text=site {order.destination}",
    ):
        assert str(order.transfer_id)[:8] in vera.get(f"/orders/rows?{query}").text, query
    for query in ("text=nothing-like-it", "state=closed", "site=S9", "text=%25"):
        assert "No order fits" in vera.get(f"/orders/rows?{query}").text, query
    for sort in ("sku", "-units", "state", "departs", "-arrives", "-changed"):
        page = vera.get(f"/orders/rows?sort={sort}")
        assert [
            tag.attributes["aria-sort"]
            for tag in page.all("th")
            if tag.attributes.get("aria-sort") not in (None, "none")
        ]
    assert vera.answer("/orders?sort=units;drop").status_code == 422
    assert vera.answer("/orders?show=nothing").status_code == 422


def test_a_masked_sku_is_found_by_its_alias_only(door: Door, carried: list[TransferOrder], own_pages: Pages) -> None:
    sku_id = carried[0].sku_id
    change(door, """update master_data set body = body || '{"sensitive": true, "name": "A secret thing"}' where kind = 'sku' and key = :sku""", sku=sku_id)  # fmt: skip
    vera = own_pages("vera")
    assert "No order fits" in vera.get(f"/orders/rows?text={sku_id}").text or sku_id not in vera.get("/orders").text
    assert f"{alias_of(sku_id)}" in vera.get(f"/orders/rows?text={alias_of(sku_id)}").text
    assert "No order fits" in vera.get("/orders/rows?text=a secret thing").text
    assert sku_id in own_pages("otto").get("/orders/rows?text=a secret thing").text
    order = vera.get(f"/orders/{carried[0].transfer_id}")
    assert alias_of(sku_id) in order.text
    assert sku_id in own_pages("otto").get(f"/orders/rows?text={sku_id}").text


def test_whoever_has_one_end_sees_the_order_without_the_other_end(door: Door, carried: list[TransferOrder]) -> None:
    order = carried[0]
    with door.service.database.transaction() as session:
        add_person(session, person("fern", Role.VIEWER, sites=frozenset({order.destination})), by=SYSTEM)
        add_person(session, person("nora", Role.VIEWER, sites=frozenset({"S3"})), by=SYSTEM)
    fern, nora = Browsing.of(door.service, "fern"), Browsing.of(door.service, "nora")
    page = fern.get(f"/orders/{order.transfer_id}")
    assert "(elsewhere)" in page.text
    assert order.origin not in page.text.split("Did it arrive?")[1]
    assert "No order fits" in fern.get(f"/orders/rows?text={order.origin}").text
    assert "No order fits" in fern.get(f"/orders/rows?text=site {order.origin}").text
    assert str(order.transfer_id)[:8] in fern.get(f"/orders/rows?text=site {order.destination}").text
    assert "No order fits" in fern.get(f"/orders/rows?site={order.origin}").text
    assert nora.answer(f"/orders/{order.transfer_id}").status_code == 404
    assert nora.answer(f"/orders/{order.transfer_id}/lineage").status_code == 404
    assert "There are no orders yet" in nora.get("/orders").text


def test_the_download_has_what_the_list_has(carried: list[TransferOrder], own_pages: Pages) -> None:
    vera = own_pages("vera")
    answer = vera.answer("/orders/export.csv?show=transit")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {row["Order"] for row in rows} == {str(order.transfer_id) for order in carried}
    assert {int(row["Units"]) for row in rows} == {order.units for order in carried}
    assert vera.answer("/orders/export.xlsx?show=over").status_code == 200


def test_an_order_is_received_partly_and_the_page_says_so(carried: list[TransferOrder], own_pages: Pages) -> None:
    otto, order = own_pages("otto"), carried[0]
    path = f"/orders/{order.transfer_id}"
    page = otto.get(path)
    form = next(tag for tag in page.all("form") if (tag.attributes.get("data-send") or "").endswith("/receipts"))
    key = page.by_id("receipt-key").attributes["data-otherwise"]
    sent = otto.send((form.attributes["data-send"] or "").removeprefix("POST "), {"receipt_key": key, "units": 1})
    assert sent.status_code == 200, sent.text
    after = otto.get(path, fragment=True)
    assert f"Partly. 1 unit of {order.units} arrived" in after.text
    assert "otto" in after.text
    assert after.by_id("receipt-key").attributes["data-otherwise"] != key, "the next arrival counts as another one"
    assert otto.send(f"/v1{path}/receipts", {"receipt_key": key, "units": 1}).json()["new"] is False


def test_the_number_of_a_delivery_note_is_asked_for_and_our_own_keys_are_not_shown(
    carried: list[TransferOrder], own_pages: Pages
) -> None:
    otto, path = own_pages("otto"), f"/orders/{carried[0].transfer_id}"
    asked = otto.get(path).by_id("receipt-key")
    key = asked.attributes["data-otherwise"]
    assert "value" not in asked.attributes
    assert "required" not in asked.attributes
    for number in (key, "DN-2026-0415"):
        assert otto.send(f"/v1{path}/receipts", {"receipt_key": number, "units": 1}).status_code == 200
    page = otto.get(path)
    assert (page.text.count("none given"), "page:" in page.text) == (1, False)
    file = otto.answer(f"{path}/receipts.csv").text
    assert ("DN-2026-0415" in file, "page:" in file) == (True, False)
    assert "Delivery note DN-2026-0415." in page.text
    units = [tag.text for tag in page.all("th", scope="row")]
    assert "Shipped" in units
    assert "Left" not in page.text, "it can be read as what remains"


def test_what_is_over_says_in_the_list_when_it_arrived(
    door: Door, carried: list[TransferOrder], own_pages: Pages
) -> None:
    otto, order = own_pages("otto"), carried[0]
    sent = otto.send(f"/v1/orders/{order.transfer_id}/receipts", {"receipt_key": "dock-1-scan-1"})
    assert sent.json()["state"] == "closed"
    change(door, "update receipt set received_at = '2026-03-03T10:00+00'")
    row = next(
        tag
        for tag in otto.get("/orders/rows?show=over", fragment=True).all("tr")
        if str(order.transfer_id)[:8] in tag.text
    )
    assert "arrived Tue 3 Mar" in row.text
    (line,) = csv.DictReader(io.StringIO(otto.answer("/orders/export.csv?show=over").content.decode("utf-8-sig")))
    assert line["Arrived"].startswith("2026-03-03")


def test_what_somebody_may_not_do_is_not_offered(carried: list[TransferOrder], own_pages: Pages) -> None:
    path = f"/orders/{carried[0].transfer_id}"
    assert [
        tag.attributes["data-send"] for tag in own_pages("otto").get(path).all("form") if "data-send" in tag.attributes
    ]
    for person_id in ("vera", "paula", "ada"):
        page = own_pages(person_id).get(path)
        assert [tag for tag in page.all("form") if "data-send" in tag.attributes] == []
        assert "Did it arrive?" in page.text


def test_a_reason_with_markup_is_text(carried: list[TransferOrder], own_pages: Pages) -> None:
    otto, path = own_pages("otto"), f"/orders/{carried[0].transfer_id}"
    assert otto.send(f"/v1{path}/actions", {"action": "cancel", "reason": WICKED}).status_code == 200
    page = otto.get(path)
    assert WICKED in page.text
    assert page.foreign == []


def test_orders_that_a_stop_held_wait_for_somebody_who_looks(door: Door, own_pages: Pages) -> None:
    otto, request = own_pages("otto"), door.pending
    approve(door.service, request)
    otto.send("/v1/kill-switch", {"engaged": True, "reason": WICKED})
    order = orders(door.service)[0]
    held = otto.get("/orders/held", fragment=True)
    assert str(order.transfer_id)[:8] in held.text
    assert str(order.transfer_id) in otto.answer("/orders/held/export.csv").text
    assert own_pages("vera").answer("/orders/held/export.csv").status_code == 403
    assert "stopped" in held.text
    assert held.all("input", type="checkbox") == [], "what is stopped still cannot be ticked"
    assert "Held by a stop" in own_pages("vera").get(f"/orders/{order.transfer_id}").text
    other = otto.send("/v1/stops", {"sku_class": "frozen", "reason": "a warm night"}).json()["stop_id"]
    assert "No order fits" in otto.get(f"/orders/rows?show=held&stop={other}").text
    whole = next(
        tag.attributes["href"] or ""
        for tag in otto.get("/governance").all("a")
        if "show=stopped" in (tag.attributes.get("href") or "")
    )
    assert whole.endswith(other), "the switch itself holds everything and needs no list"
    switch = orders(door.service)[0].held_by
    assert str(order.transfer_id)[:8] in otto.get(f"/orders/rows?show=held&stop={switch}").text
    otto.send("/v1/kill-switch", {"engaged": False, "reason": "it is over"})
    held = otto.get("/orders/held", fragment=True)
    boxes = [tag.attributes["value"] for tag in held.all("input", type="checkbox")]
    assert str(order.transfer_id) in boxes
    assert otto.send("/v1/validations", {"orders": boxes, "reason": "looked"}).status_code == 200
    assert "Nothing waits" in otto.get("/orders/held").text
    assert "You are not one of them" in own_pages("vera").get("/orders/held").text


def test_differences_with_the_erp_are_for_those_who_see_everything(
    door: Door, carried: list[TransferOrder], own_pages: Pages
) -> None:
    with door.service.database.transaction() as session:
        session.add(
            ErpDifference(
                difference_id=uuid4(), reference=str(carried[0].transfer_id), kind=DifferenceKind.MISSING_THERE,
                words=WICKED, correction=Correction.LEAVE_TO_PEOPLE, found_at=datetime.now(UTC),
            )
        )  # fmt: skip
    page = own_pages("otto").get("/orders/differences")
    assert WICKED in page.text
    assert page.foreign == []
    assert "Operators who see them all" in own_pages("vera").get("/orders/differences").text
    assert own_pages("vera").answer("/orders/differences/export.csv").status_code == 403
    assert own_pages("otto").answer("/orders/differences/export.csv").status_code == 200


def test_the_lineage_leads_from_signals_to_receipts(door: Door, carried: list[TransferOrder], own_pages: Pages) -> None:
    order = carried[0]
    own_pages("otto").send(f"/v1/orders/{order.transfer_id}/receipts", {"receipt_key": "dock-1-scan-1"})
    with door.service.database.transaction() as session:
        view = lineage(session, OTTO, order.transfer_id)
    graph = graph_of(view)
    names = ["Signals", "Snapshot", "Rules", "Plan", "Decisions", "Order", "ERP", "Receipts"]
    assert [column.name for column in graph.columns] == names
    assert all(column.items for column in graph.columns)
    assert all(0 <= box.x < graph.width and 0 <= box.y < graph.height for box in graph.boxes)
    assert len(graph.arrows) >= len(names) - 1
    many = graph_of(view.model_copy(update={"signals": [view.signals[0]] * 9}))
    assert [box.title for box in many.boxes if box.kind == "Signals"][-1] == "6 more"
    page = own_pages("vera").get(f"/orders/{order.transfer_id}/lineage")
    for words in ("Signed by ada", f"ERP {order.erp_id}", "Made with", "by otto"):
        assert words in page.text


def test_the_lineage_of_an_edited_plan_shows_the_plan_before_it(door: Door, own_pages: Pages) -> None:
    first = door.pending
    with door.service.database.transaction() as session:
        line = read_plan(session, first.plan_digest).lines[0]
        second = edit(session, BOB, first.approval_id, first.plan_digest, {1: line.packs - 1}).successor
    approve(door.service, second)
    (order,) = orders(door.service, second)
    page = own_pages("vera").get(f"/orders/{order.transfer_id}/lineage")
    links = [tag for tag in page.all("a") if tag.attributes.get("href") == f"/queue/{first.approval_id}"]
    assert f"Plan {first.plan_digest[:8]}" in [tag.text for tag in links]
    assert "asked for by paula" in page.text
    assert f"plan/{first.plan_digest}" in page.text, "its events are listed"
    history = own_pages("vera").get(f"/queue/{second.approval_id}/history", fragment=True).text
    assert "Plan proposed by bob" in history
    assert f"edited from plan {first.plan_digest[:12]} of paula" in history
    report = own_pages("vera").get(f"/reports/plans/{second.plan_digest}")
    assert f"plan {first.plan_digest} of paula" in report.text


def test_the_tables_of_an_order_and_of_its_lineage_are_downloaded(
    door: Door, carried: list[TransferOrder], own_pages: Pages
) -> None:
    otto, order = own_pages("otto"), carried[0]
    path = f"/orders/{order.transfer_id}"
    otto.send(f"/v1{path}/receipts", {"receipt_key": "dock-1-scan-1", "units": 1})

    def rows(what: str, who: str = "otto") -> list[dict[str, str]]:
        answer = own_pages(who).answer(f"{path}/{what}.csv")
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))

    assert [(row["Usable"], row["By"]) for row in rows("receipts")] == [("1", "otto")]
    assert [row["Signed by"] for row in rows("lineage/signatures")] == ["ada"]
    assert {"Signals", "Plan", "Decisions", "Receipts"} <= {row["Step"] for row in rows("lineage/steps")}
    assert all(row["Verdict"] == "accepted" for row in rows("lineage/signals"))
    assert "transfer received" in {row["What"] for row in rows("lineage/events")}
    links = {tag.attributes["href"] for tag in otto.get(f"{path}/lineage").all("a") if "download" in tag.attributes}
    assert {f"{path}/lineage/{what}.csv" for what in ("steps", "signals", "signatures", "events")} <= links
    assert f"{path}/receipts.csv" in links
    door.admit(person("nora", Role.VIEWER, sites=frozenset({"S3"})))
    for what in ("receipts", "lineage/steps", "lineage/events"):
        assert own_pages("nora").answer(f"{path}/{what}.csv").status_code == 404


def test_before_any_network_the_page_says_what_to_do(own_pages: Pages, door: Door) -> None:
    change(door, "update installation set currency = null")
    page = own_pages("otto").get("/orders")
    assert "evenkeel import" in page.text
