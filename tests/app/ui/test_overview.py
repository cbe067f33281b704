"""The overview: what is wrong, what needs somebody, and the key figures behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.auth.people import SYSTEM, add_person
from app.service import Service, open_service
from evals.databases import Servers
from tests.app.ui.pages import Browsing
from tests.app.web.door import PEOPLE, Door
from tests.builders import a_site, a_sku
from tests.installation import a_network, approve, carry_out, import_into, settings_on, submitted

Pages = Callable[[str], Browsing]
PLANTED = "<img src=x onerror=window.__xss=1>"


@pytest.fixture
def empty(servers: Servers, tmp_path: Path) -> Iterator[Service]:
    """A service with people and without a network."""
    with servers.fresh_database() as url, open_service(settings_on(servers, url, tmp_path)) as service:
        with service.database.transaction() as session:
            for each in PEOPLE:
                add_person(session, each, by=SYSTEM)
        yield service


def test_an_empty_installation_says_how_to_begin(empty: Service) -> None:
    browsing = Browsing.of(empty, "paula")
    for path in ("/", "/overview/now"):
        page = browsing.get(path)
        assert "There is no network here yet" in page.text
        assert "evenkeel import DIR" in page.text
        assert "evenkeel demo" in page.text
    for path in ("/network", "/network/stock"):
        assert "There is no network here yet" in browsing.get(path).text
    for path in ("/network/sites/S1", "/network/skus/P1"):
        assert browsing.answer(path).status_code == 404
    for path in ("/network/export", "/network/stock/export"):
        head, *rows = browsing.answer(f"{path}.csv").content.decode("utf-8-sig").splitlines()
        assert (head.split(",")[0], rows) == ("Site", []), "a file that says what would be in it"
        assert ",At stake," in head, "no currency is known"
        assert browsing.answer(f"{path}.xlsx").content[:2] == b"PK"


def test_a_newcomer_sees_what_is_wrong_what_it_costs_and_what_to_do(pages: Pages) -> None:
    page = pages("paula").get("/")
    lost, tied_up = page.all("ol", class_="worst")
    assert "Site S2" in lost.text
    assert "Site S1" in tied_up.text
    for words in ("If nothing is done:", "USD", "what is there lasts", "A plan is waiting"):
        assert words in lost.text
    links = [tag.attributes["href"] or "" for tag in page.all("a")]
    assert "/network/sites/S1" in links
    assert "/network/skus/P1" in links
    assert any(link.startswith("/queue?open=/queue/") for link in links)
    assert page.foreign == []


def test_whoever_may_plan_is_offered_the_agent_and_nobody_else(own_pages: Pages, door: Door) -> None:
    with door.service.database.transaction() as session:
        session.connection().execute(text("update approval_request set status = 'withdrawn', closed_at = now()"))
    asks = [
        tag
        for tag in own_pages("paula").get("/").all("a")
        if "/chat?say=Rebalance+P1" in (tag.attributes["href"] or "")
    ]
    assert asks
    assert asks[0].text == "Ask the agent to rebalance"
    ready = own_pages("paula").get(asks[0].attributes["href"] or "").one("textarea", id="text")
    assert ready.text == "Rebalance P1 at S2"
    assert "/chat?say=" not in " ".join(tag.attributes["href"] or "" for tag in own_pages("vera").get("/").all("a"))


def test_losses_come_before_money_that_is_tied_up_and_no_transfer_is_offered_where_no_lane_leads(
    empty: Service,
) -> None:
    """S2 runs dry; S3 has far more of P2 than anybody needs, which is worth more, and no lane leads away from it."""
    network = a_network({("S1", "P1"): 200, ("S2", "P1"): 0, ("S3", "P2"): 9_000, ("S1", "P2"): 30})
    lanes = tuple(lane for lane in network.lanes if lane.origin != "S3")
    import_into(empty, replace(network, lanes=lanes))
    page = Browsing.of(empty, "paula").get("/")
    lost, tied_up = (each.text for each in page.all("ol", class_="worst"))
    assert "Site S2" in lost
    assert "will be lost" in lost
    assert "Ask the agent to rebalance" in lost
    assert tied_up.index("Site S3") < tied_up.index("No transfer can help: no lane leads away from here")
    assert "will be lost" not in tied_up


def test_every_key_figure_says_what_it_is_and_leads_to_what_is_behind_it(pages: Pages) -> None:
    page = pages("ada").get("/")
    for name in (
        "On-shelf availability", "Expected fill rate", "Stock-outs", "Sales at stake", "Value in excess", "Carrying cost",
        "Transfers that failed", "Transfer lead time", "Waiting for approval", "Data held back",
    ):  # fmt: skip
        (link,) = [tag for tag in page.all("a") if tag.text == name]
        assert (link.attributes["href"] or "").startswith(("/network/stock?show=", "/orders", "/queue"))
    assert len(page.all("summary")) >= 11
    assert "no history yet" in page.text


def test_the_columns_of_cover_lead_to_their_lists(pages: Pages) -> None:
    ada = pages("ada")
    page = ada.get("/")
    for place in range(7):
        (link,) = page.all("a", href=f"/network/stock?show=cover{place}")
        count = int(link.text.split()[0])
        assert f"{count} row" in ada.get(f"/network/stock/rows?show=cover{place}").text


def test_nobody_is_shown_a_site_that_is_not_theirs(pages: Pages) -> None:
    page = pages("fern").get("/")
    assert "S1" not in page.text
    assert "Site S2" not in page.text
    waiting = page.one("article", aria_labelledby="kpi-waiting")
    assert "no plan waits" in waiting.text


def test_names_are_text_and_masked_skus_stay_masked(own_pages: Pages, door: Door) -> None:
    import_into(
        door.service,
        a_network(
            skus=(
                a_sku("P1", name=PLANTED),
                a_sku("P2", name="Secret serum", sensitive=True, unit_cost_e4=60_000, unit_price_e4=150_000),
            ),
            sites=(a_site("S1", name=PLANTED), a_site("S2", name="Two"), a_site("S3", name="Three")),
        ),
    )
    vera, ada = own_pages("vera").get("/"), own_pages("ada").get("/")
    assert PLANTED in ada.text
    assert "Secret serum" in ada.text
    assert vera.foreign == ada.foreign == []
    assert "Secret serum" not in vera.text
    assert "P2" not in vera.text
    assert "(masked)" in vera.text
    assert not [tag for tag in vera.all("a") if "masked" in (tag.attributes["href"] or "")]


def test_what_needs_somebody_stands_on_top_with_a_way_to_act(own_pages: Pages, door: Door) -> None:
    approved = submitted(door.service)
    approve(door.service, approved)
    with door.service.database.transaction() as session:
        run = session.connection().execute
        run(
            text(
                "update transfer_order set state = 'needs_attention', attention = 'nobody knows', arrive_on = '2026-02-01'"
            )
        )
        run(text("update stock_count set as_of = as_of - interval '30 days' where sku_id = 'P1' and site_id = 'S1'"))
        run(text("update installation set facts_version = facts_version + 1"))
    otto = own_pages("otto")
    stop = otto.send("/v1/stops", {"site_id": "S2", "reason": "a leak"})
    assert stop.status_code in (200, 201), stop.text
    page = otto.get("/")
    alerts = page.one("section", aria_labelledby="alerts-title")
    assert "a leak" not in alerts.text, "it is told once, above"
    assert page.text.count("a leak") == 1
    assert "need somebody to look" in alerts.text
    assert "overdue" in alerts.text
    assert "older than" in alerts.text
    hrefs = {tag.attributes["href"] for tag in page.all("a")}
    assert {"/governance#stops", "/orders?show=attention", "/orders?show=overdue", "/network/stock?show=stale"} <= hrefs
    assert "100.0 %" in page.one("article", aria_labelledby="kpi-failures").text
    assert "1 row" in otto.get("/network/stock?show=stale").text


def test_a_plan_that_is_about_to_expire_is_an_alert_that_opens_it(own_pages: Pages, door: Door) -> None:
    with door.service.database.transaction() as session:
        session.connection().execute(
            text("update approval_request set expires_at = transaction_timestamp() + :left"),
            {"left": timedelta(minutes=50)},
        )
    page = own_pages("ada").get("/")
    assert "1 plan expires undecided within 6 hours" in page.text
    assert page.all("a", href=f"/queue?open=/queue/{door.pending.approval_id}")


def test_an_approver_is_told_what_waits_for_them_and_a_planner_what_was_not_approved(
    own_pages: Pages, door: Door
) -> None:
    ada, paula = own_pages("ada"), own_pages("paula")
    request = door.pending
    opens = f"/queue?show=for_me&open=/queue/{request.approval_id}"
    assert "1 plan waits for your signature." in ada.get("/").text
    assert ada.get("/").all("a", href=opens)
    assert "for your signature" not in paula.get("/").text

    no = {"code": "too_small", "words": "not worth a truck", "line_nos": [1]}
    body = {"verdict": "reject", "plan_digest": request.plan_digest, "rejection": no}
    decided = ada.send(f"/v1/approvals/{request.approval_id}/decision", body)
    assert decided.status_code in (200, 201), decided.text
    assert "for your signature" not in ada.get("/").text
    page = paula.get("/")
    assert f"Your plan {request.plan_digest[:8]} is rejected." in page.text
    assert page.all("a", href=f"/reports/plans/{request.plan_digest}")
    assert "is rejected" not in ada.get("/").text


def test_lead_times_and_the_stock_before_are_read_from_what_is_on_record(own_pages: Pages, door: Door) -> None:
    request = submitted(door.service)
    with door.service.database.transaction() as session:
        session.connection().execute(text("update snapshot set frozen_at = frozen_at - interval '2 days'"))
    approve(door.service, request)
    otto = own_pages("otto")
    for order in carry_out(door.service, request):
        answer = otto.send(
            f"/v1/orders/{order.transfer_id}/receipts",
            {"receipt_key": str(order.transfer_id), "units": order.units, "is_last": True},
        )
        assert answer.status_code in (200, 201), answer.text
    page = otto.get("/")
    assert "nothing was received yet" not in page.one("article", aria_labelledby="kpi-lead-time").text
    assert "since" in page.one("article", aria_labelledby="kpi-excess").text
    assert "USD since" in page.one("article", aria_labelledby="kpi-excess").text
    assert otto.get("/").text == page.text, "what was worked out is kept, and the same"
