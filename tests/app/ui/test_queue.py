"""The queue and its drawer without a browser: who sees what of it, what it can be asked for, and what it offers to whom."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from sqlmodel import select

from app.approvals import listing
from app.approvals.listing import Sort
from app.approvals.tables import ApprovalRequest
from app.auth.roles import Role
from app.plans.store import read_plan, store_plan
from app.stock.tables import MasterRow
from app.ui.plan_words import URGENCY_WORDS, served_less, what_for
from app.views import LineView, PlanView
from graphs.names import alias_of
from tests.app.ui.pages import Browsing
from tests.app.web.door import Door
from tests.installation import PAULA, person, scan, waiting
from tools.merchandise.urgency import Urgency
from tools.transfers import PlanRequest, Scope, TransferPlan

Pages = Callable[[str], Browsing]


@pytest.fixture(scope="module")
def pages(house: Door) -> Pages:
    """A browser for each person, kept for the module: to make the application takes longer than to ask it."""
    return cache(lambda person: Browsing.of(house.service, person))


def test_the_queue_shows_what_waits_with_its_figures(house: Door, pages: Pages) -> None:
    request = house.pending
    page = pages("ada").get("/queue")
    assert page.by_id(f"open-{request.approval_id}").attributes["href"] == f"/queue/{request.approval_id}"
    assert "1 to 1 of 1 plan" in page.text
    assert "S1, S2" in page.text
    assert page.foreign == []
    assert not page.all("style")


def test_filters_and_orders_find_the_plan_and_say_when_nothing_fits(house: Door, pages: Pages) -> None:
    ada, request = pages("ada"), house.pending
    orders = [f"sort={sign}{each}" for each in Sort for sign in ("", "-")]
    fitting = [
        "words=S1",
        "words=p1",
        "words=paul",
        "status=any",
        "show=for_me",
        f"tier={request.tier}",
        "page=",
        "page=7",
        "sort=;drop",
    ]
    for query in (*orders, *fitting):
        page = ada.get(f"/queue/rows?{query}", fragment=True)
        assert page.by_id(f"open-{request.approval_id}"), query
    for query in (
        "words=nothing",
        "words=%25",
        "status=approved",
        "show=claimed",
        "show=stopped",
        "tier=huge",
    ):
        page = ada.get(f"/queue/rows?{query}", fragment=True)
        assert "Nothing fits" in page.text, query
        assert page.all("tr") == []


def test_an_address_that_does_not_fit_is_refused_in_words(pages: Pages) -> None:
    assert "does not fit" in pages("ada").get("/queue?status=lost", 422).text


def test_who_sees_none_of_its_sites_sees_no_plan_and_cannot_search_for_it(house: Door, pages: Pages) -> None:
    request = house.pending
    fern = pages("fern")
    for query in ("", "words=S1", "words=P1", "status=any"):
        assert str(request.approval_id) not in fern.answer(f"/queue/rows?{query}").text
    for part in (
        "",
        "/state",
        "/who",
        "/now",
        "/competing",
        "/others",
        "/history",
        "/changes",
        "/check",
        "/answer",
        "/lines/1",
        "/lines.csv",
    ):
        assert fern.answer(f"/queue/{request.approval_id}{part}").status_code == 404, part
    assert fern.answer(f"/queue/selection?approval_id={request.approval_id}").status_code == 404


def test_the_drawer_offers_a_decision_to_who_may_and_tells_others_why_not(house: Door, pages: Pages) -> None:
    path = f"/queue/{house.pending.approval_id}"
    ada, paula, vera = (pages(name).get(path, fragment=True) for name in ("ada", "paula", "vera"))
    assert "hidden" not in ada.one("button", data_panel="approve").attributes
    assert {"waits", "decides", "approves", "claims"} <= set(
        (ada.by_id("q-standing").attributes["data-can"] or "").split()
    )
    assert "This is your plan. An approver has to decide on it." in paula.text
    assert [
        form.attributes["data-send"]
        for form in paula.all("form")
        if "withdrawal" in (form.attributes.get("data-send") or "")
    ]
    assert paula.all("button", data_panel="approve") == []
    assert "an approver decides on them" in vera.text
    assert "Nobody has signed yet" in vera.text
    for page in (ada, paula, vera):
        assert page.foreign == []
        assert len(page.all("h2")) == 1


def test_the_drawer_is_also_a_page(house: Door, pages: Pages) -> None:
    page = pages("ada").get(f"/queue/{house.pending.approval_id}")
    assert len(page.all("h1")) == 1
    assert page.by_id("q").attributes["data-digest"] == house.pending.plan_digest


def test_the_parts_of_the_drawer_say_why_what_lost_and_where_it_comes_from(house: Door, pages: Pages) -> None:
    ada, path = pages("ada"), f"/queue/{house.pending.approval_id}"
    assert "ada, bob" in ada.get(f"{path}/who", fragment=True).text
    now = ada.get(f"{path}/now", fragment=True)
    assert "kept" in now.text
    assert "A plan that fits no approval tier is forbidden." in now.text
    why = ada.get(f"{path}/lines/1", fragment=True).text
    for words in ("Without it", "With it", "It saves", "What limits it", "Next best source", "What would change it"):
        assert words in why
    assert "negotiate" in ada.get(f"{path}/others", fragment=True).text or "claimed" in ada.get(f"{path}/others").text
    history = ada.get(f"{path}/history", fragment=True).text
    assert "Requested by paula" in history
    assert "It was not edited." in ada.get(f"{path}/changes", fragment=True).text
    assert "Line 1" in ada.get(f"{path}/answer?words=why+line+1", fragment=True).text
    assert "not clear to me" in ada.get(f"{path}/answer?words=hm", fragment=True).text


def test_an_edit_is_tried_without_anything_being_stored(house: Door, pages: Pages) -> None:
    request, ada = house.pending, pages("ada")
    path = f"/queue/{request.approval_id}/check"
    assert "It keeps every rule" in ada.get(f"{path}?packs=2:0", fragment=True).text
    for packs, words in (
        ("1:999999", "only takes away"),
        ("1:0&packs=2:0", "Nothing is left"),
        ("", "Nothing is changed"),
    ):
        page = ada.get(f"{path}{'?packs=' if packs else ''}{packs}", fragment=True)
        assert words in page.text
        assert page.all("div", data_fit="no")
    assert ada.answer(f"{path}?packs=9:1", fragment=True).status_code == 422
    also = "Line 1 travels on the same departure: drop it as well, or keep lines 1 and 2 as planned."
    assert also in ada.get(f"{path}?packs=1:1&packs=2:0", fragment=True).text
    edit = {"plan_digest": request.plan_digest, "packs": [{"line_no": 1, "packs": 1}, {"line_no": 2, "packs": 0}]}
    refused = ada.send(f"/v1/approvals/{request.approval_id}/edit", edit)
    assert (refused.status_code, refused.json()["remedy"]) == (409, also.rstrip("."))
    assert house.pending.approval_id == request.approval_id


def test_downloads_hold_the_queue_and_the_lines(house: Door, pages: Pages) -> None:
    ada = pages("ada")
    rows = ada.answer("/queue/export.csv").text.splitlines()
    assert len(rows) == 2
    assert "Saving (" in rows[0]
    assert str(house.pending.approval_id) in rows[1]
    assert len(ada.answer("/queue/export.csv?status=approved").text.splitlines()) == 1
    lines = ada.answer(f"/queue/{house.pending.approval_id}/lines.csv").text.splitlines()
    assert len(lines) == house.pending.lines + 1
    assert ada.answer(f"/queue/{house.pending.approval_id}/lines.xlsx").content[:2] == b"PK"


def test_what_is_chosen_together_is_summed_and_bound_to_one_digest(house: Door, pages: Pages) -> None:
    approval_id = house.pending.approval_id
    page = pages("ada").get(f"/queue/selection?approval_id={approval_id}", fragment=True)
    assert "1 plan chosen" in page.text
    assert len(page.one("input", name="set_digest").attributes["value"] or "") == 64
    assert str(approval_id) in (page.one("input", name="plans").attributes["value"] or "")


def test_a_search_for_a_sku_says_what_it_has_not_looked_through(
    house: Door, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = pages("ada")
    assert "were not" not in ada.get("/queue/rows?words=p1", fragment=True).text
    monkeypatch.setattr(listing, "SKU_REQUESTS_MAX", 0)
    assert "1 older one was not" in ada.get("/queue/rows?words=p1", fragment=True).text
    assert "older" not in ada.get("/queue/rows?words=S1", fragment=True).text, "sites are looked for in all of them"
    assert "older" not in ada.get("/queue/rows?words=p1&tier=huge", fragment=True).text, "no plan is of that kind"
    assert house.pending


def test_what_changed_what_was_claimed_and_what_stock_moved_are_downloaded(own_pages: Pages, door: Door) -> None:
    ada, request = own_pages("ada"), door.pending
    path = f"/queue/{request.approval_id}"
    assert ada.answer(f"{path}/claims.csv").text.startswith("\ufeffSKU,At,Units there,Claimed by")
    assert len(ada.answer(f"{path}/stock.csv").text.splitlines()) == 1, "nothing has changed"
    edit = {"plan_digest": request.plan_digest, "packs": [{"line_no": 2, "packs": 0}]}
    answer = ada.send(f"/v1/approvals/{request.approval_id}/edit", edit)
    assert answer.status_code in (200, 201), answer.text
    edited = next(each for each in waiting(door.service) if each.approval_id != request.approval_id)
    rows = ada.answer(f"/queue/{edited.approval_id}/changes.csv").text.splitlines()
    assert "Units before,Units after" in rows[0]
    assert len(rows) == 2
    assert request.plan_digest[:12] in rows[1]
    fern = own_pages("fern")
    for what in ("claims", "stock", "changes"):
        assert fern.answer(f"{path}/{what}.csv").status_code == 404


def test_what_a_stop_holds_is_listed_and_nothing_else(own_pages: Pages, door: Door) -> None:
    otto, request = own_pages("otto"), door.pending
    frozen, lane = (
        otto.send("/v1/stops", {"reason": "a leak", **what}).json()["stop_id"]
        for what in ({"sku_class": "frozen"}, {"origin": "S1", "destination": "S2"})
    )
    rows = {stop: otto.get(f"/queue/rows?show=stopped&stop={stop}", fragment=True) for stop in (frozen, lane)}
    assert "Nothing fits" in rows[frozen].text, "nothing of it is frozen"
    assert rows[lane].by_id(f"open-{request.approval_id}")
    assert "Only what one stop holds" in rows[lane].text
    assert [tag for tag in rows[lane].all("tr") if "data-stopped" in tag.attributes]
    stopped = own_pages("ada").get(f"/queue/{request.approval_id}/who", fragment=True).text
    assert "Can sign it now: nobody while" in stopped
    assert "Afterwards: ada, bob." in stopped
    links = {tag.attributes.get("href") for tag in otto.get("/governance").all("a")}
    assert {f"/queue?show=stopped&stop={stop}" for stop in (frozen, lane)} <= links
    otto.send(f"/v1/stops/{lane}/release", {"reason": "dry again"})
    assert "Nothing fits" in otto.get("/queue/rows?show=stopped", fragment=True).text


def test_plans_that_compete_with_each_other_are_told_of_each_other_with_what_both_need(
    own_pages: Pages, door: Door
) -> None:
    first = door.pending
    scan(door.service, PAULA, PlanRequest(scope=Scope(skus=("P1",))))
    second = next(each for each in waiting(door.service) if each.approval_id != first.approval_id)
    for one, other in ((first, second), (second, first)):
        path = f"/queue/{one.approval_id}"
        assert (
            own_pages("ada").get(path, fragment=True).by_id("q-competing").attributes["data-load"]
            == f"{path}/competing"
        )
        page = own_pages("ada").get(f"{path}/competing", fragment=True)
        link = page.one("a")
        assert (link.attributes["href"], link.text) == (f"/queue/{other.approval_id}", f"Plan {other.plan_digest[:8]}")
        assert "If that one is approved first, this one is checked again on what is left" in page.text
        assert "Both change the stock of P1 at S1, P1 at S2. Both travel S1 → S2 by van" in page.text
    assert own_pages("ada").decide(first.approval_id, first.plan_digest).status_code in (200, 201)
    for over in (first, second):
        page = own_pages("ada").get(f"/queue/{over.approval_id}/competing", fragment=True)
        assert page.all("a") == [], "what is approved competes no more"
    assert "No other plan that waits draws on the same stock or departure." in page.text


def test_competing_plans_are_named_only_as_far_as_the_reader_sees(own_pages: Pages, door: Door) -> None:
    first = door.pending
    scan(door.service, PAULA, PlanRequest(scope=Scope(skus=("P1",))))
    with door.service.database.transaction() as session:
        row = session.exec(select(MasterRow).where(MasterRow.kind == "sku", MasterRow.key == "P1")).one()
        row.body = row.body | {"sensitive": True}
        session.add(row)
    door.admit(person("bob", Role.APPROVER, sites=frozenset({"S2"}), sees_sensitive=False))
    page = own_pages("bob").get(f"/queue/{first.approval_id}/competing", fragment=True)
    assert f"Both change the stock of {alias_of('P1')} at S2." in page.text
    for hidden in ("S1", "P1 ", "travel"):
        assert hidden not in page.text
    assert own_pages("fern").answer(f"/queue/{first.approval_id}/competing").status_code == 404


def test_a_plan_that_saves_money_and_serves_less_of_the_demand_says_why(own_pages: Pages, door: Door) -> None:
    request, why = door.pending, "sell more units less than the receiving sites sell more"
    path, report = f"/queue/{request.approval_id}", f"/reports/plans/{request.plan_digest}"
    assert why not in own_pages("ada").get(path).text, "this plan serves more"
    assert why not in own_pages("ada").get(report).text
    with door.service.database.transaction() as session:
        plan = read_plan(session, request.plan_digest).model_dump()
        less = TransferPlan.model_validate(plan | {"fill_rate": {"before_ppm": 970_000, "after_ppm": 960_000}})
        store_plan(session, less)
        row = session.get_one(ApprovalRequest, request.approval_id)
        row.plan_digest = less.digest
        session.add(row)
    assert why in own_pages("ada").get(path).text
    assert why in own_pages("ada").get(f"/reports/plans/{less.digest}").text
    view = PlanView.model_construct(fill_rate_before_ppm=970_400, fill_rate_after_ppm=970_300, expected_saving_minor=1)
    assert not served_less(view), "the page shows both as 97.0 %"


def test_what_lines_are_for_is_said_in_words_of_planners(house: Door, pages: Pages) -> None:
    def plan(*urgencies: Urgency) -> PlanView:
        return PlanView.model_construct(lines=[LineView.model_construct(urgency=each) for each in urgencies])

    even, rescue, emergency = Urgency
    assert what_for(plan(even, even, rescue)) == (
        "2 lines even out stock between sites; 1 helps a site that is likely to run out before its regular supply."
    )
    assert what_for(plan(emergency)) == "1 line is an emergency, which leaves its sender less than it ordinarily keeps."
    assert set(URGENCY_WORDS) == set(Urgency)
    assert not what_for(plan())
    request, ada = house.pending, pages("ada")
    for path in (f"/queue/{request.approval_id}", f"/reports/plans/{request.plan_digest}"):
        page = ada.get(path)
        assert "2 lines even out stock between sites" in page.text
        assert "of kind" not in page.text
        assert "evens out stock" in [each.text for each in (*page.all("span"), *page.all("td"))]
    file = ada.answer(f"/queue/{request.approval_id}/lines.csv").text
    assert ",evens out stock," in file
    assert ",balance," not in file
