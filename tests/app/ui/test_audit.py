"""The ledger in the browser: events with their facts, filters and pages, verification, and who does not see any of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlmodel import Session

from app.ledger.tables import LedgerEvent, LedgerHead
from app.ledger.tree import place
from app.ui.governance import audit_reading
from app.ui.governance.audit_reading import Asked
from app.ui.governance.audit_words import place_words, told, value_words
from tests.app.ui.pages import Browsing
from tests.app.web.door import Door
from tests.installation import approve, carry_out

WICKED = "<img src=x onerror=window.__xss=1>"
Pages = Callable[[str], Browsing]


@pytest.fixture
def otto(door: Door, own_pages: Pages) -> Browsing:
    """Otto, after a plan was carried out and a policy was changed."""
    request = door.pending
    approve(door.service, request)
    carry_out(door.service, request)
    browsing = own_pages("otto")
    browsing.send("/v1/policies/activations", {"policy": "2026-11", "reason": WICKED})
    return browsing


def test_places_and_values_are_told_in_words() -> None:
    assert [place_words(each) for each in ("site/S1/available", "site/S1/reserved", "outside/count")] == [
        "S1", "S1 (reserved)", "outside (count)",
    ]  # fmt: skip
    values = [value_words(each) for each in (None, True, 1234, ["S1", "S2"], {"approval_id": "x"}, [])]
    assert values == ["none", "yes", "1,234", "S1, S2", "approval id x", "none"]


@pytest.mark.parametrize(
    ("event_type", "facts", "words"),
    [
        ("transfer_received", {"lost_units": 3, "reason": "the truck burnt", "action": "write_off"}, "Transfer written off"),
        ("transfer_received", {"units": 2, "damaged_units": 0, "lost_units": 1}, "Transfer received"),
        ("transfer_received", {"units": 0, "damaged_units": 0, "lost_units": 3}, "Transfer received"),
        ("policy_activated", {"release": "2026-11"}, "Policy activated"),
    ],
)  # fmt: skip
def test_an_event_is_called_what_it_is(event_type: str, facts: dict[str, object], words: str) -> None:
    body = json.dumps({"type": event_type, "actor": "otto", "facts": facts, "moves": []}).encode()
    at = datetime(2026, 3, 2, 6, tzinfo=UTC)
    row = LedgerEvent(
        stream="stock/S1", seq=1, key="k", type=event_type, occurred_at=at, body=body, prev=bytes(32), hash=bytes(32)
    )
    assert told(Session(), row, 7).what == words


def test_the_card_and_the_verification_count_the_same_streams(door: Door, otto: Browsing) -> None:
    with door.service.database.transaction() as session:
        session.add(LedgerHead(stream="stock/nothing-yet", seq=0, hash=bytes(32)))
    counted = re.compile(r"([\d,]+) events in ([\d,]+) streams")
    card = counted.search(otto.get("/governance/audit").text)
    verified = counted.search(otto.get("/governance/audit/verification", fragment=True).text)
    assert card is not None
    assert verified is not None
    assert card.groups() == verified.groups()


def test_events_are_shown_with_facts_and_a_way_to_what_they_are_about(otto: Browsing) -> None:
    page = otto.get("/governance/audit")
    for words in ("Policy activated", WICKED, "Transfer shipped", "Plan approved", "Fingerprint", "Stock moved"):
        assert words in page.text
    links = {tag.attributes.get("href", "") or "" for tag in page.all("a")}
    for beginning in ("/orders/", "/queue/", "/governance/policies?after=2026-11"):
        assert any(link.startswith(beginning) for link in links), beginning
    assert page.foreign == []


@pytest.mark.parametrize(
    ("query", "some", "none"),
    [
        ("about=governance", "Policy activated", "Transfer shipped"),
        ("event=transfer_shipped", "Transfer shipped", "Policy activated"),
        ("actor=ada", "Plan approved", "Policy activated"),
        ("stream=stock/", "Transfer shipped", "Plan approved"),
        ("first=2020-01-01&last=2099-01-01", "Policy activated", "No event fits"),
        ("last=2020-01-01", "No event fits", "Policy activated"),
        ("actor=%25", "No event fits", "Policy activated"),
        ("stream=%25", "No event fits", "Policy activated"),
    ],
)  # fmt: skip
def test_events_are_filtered(door: Door, own_pages: Pages, query: str, some: str, none: str) -> None:
    request = door.pending
    approve(door.service, request)
    carry_out(door.service, request)
    otto = own_pages("otto")
    otto.send("/v1/policies/activations", {"policy": "2026-11", "reason": "as agreed"})
    page = otto.get(f"/governance/audit/rows?{query}", fragment=True)
    assert some in page.text
    assert none not in page.text


def test_pages_go_back_by_position_and_every_event_is_on_one_of_them(door: Door, otto: Browsing) -> None:
    with door.service.database.transaction() as session:
        size = place(session)  # as the relay does, which is not running here
    seen: list[int | None] = []
    asked: int | None = None
    with door.service.database.transaction() as session:
        while True:
            found = audit_reading.events(session, Asked(before=asked), 5)
            seen += [event.position for event in found.events]
            if found.older is None:
                break
            asked = found.older
    assert seen == list(range(size - 1, -1, -1))
    assert otto.answer("/governance/audit?about=nothing").status_code == 422


def test_verification_says_that_everything_fits_until_somebody_has_changed_something(
    door: Door, otto: Browsing
) -> None:
    assert "Everything fits" in otto.get("/governance/audit/verification", fragment=True).text
    with door.service.database.engine.begin() as connection:
        connection.execute(
            text("update balance set units = units + 1 where place = 'site/S1/available' and sku_id = 'P1'")
        )
    assert "It does not fit" in otto.get("/governance/audit/verification", fragment=True).text


def test_the_ledger_is_not_for_those_who_see_a_part(own_pages: Pages) -> None:
    for who in ("vera", "fern", "paula"):
        browsing = own_pages(who)
        page = browsing.get("/governance/audit")
        assert "it cannot be shown in part" in page.text
        assert "Policy activated" not in page.text
        assert "Policy activated" not in browsing.get("/governance/audit/rows").text
        assert browsing.answer("/governance/audit/verification").status_code == 403
        assert browsing.answer("/governance/audit/export.csv").status_code == 403


def test_the_download_has_the_events_that_are_asked_for(otto: Browsing) -> None:
    answer = otto.answer("/governance/audit/export.csv?about=governance")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {row["What"] for row in rows} == {"policy_activated"}
    assert any(WICKED in row["Facts"] for row in rows)


def test_the_page_says_when_and_up_to_which_event_the_ledger_was_last_anchored_outside(
    door: Door, own_pages: Pages
) -> None:
    otto = own_pages("otto")
    assert otto.get("/governance/audit").by_id("anchored").text == "Nothing was anchored outside yet."
    door.service.tick()
    page = otto.get("/governance/audit")
    with door.service.database.transaction() as session:
        size = place(session)
    assert re.fullmatch(rf"Last anchored outside: .+ UTC ?, up to event {size}\.", page.by_id("anchored").text)
    assert not page.all("div", id="not-anchored")
    door.service.anchoring.note(OSError(28, "No space left on device", "/secret"))
    page = otto.get("/governance/audit")
    assert "It could not be anchored: No space left on device. Until that is mended" in page.by_id("not-anchored").text
    assert "/secret" not in page.text


def test_an_event_whose_time_no_program_can_read_is_shown_and_named_by_the_verification(
    door: Door, otto: Browsing
) -> None:
    with door.service.database.engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        moved = "update ledger_event set occurred_at = 'infinity' where type = 'plan_proposed' returning stream, seq"
        stream, seq = connection.execute(text(moved)).one()
    assert "Plan proposed" in otto.get("/governance/audit").text
    assert f"{stream}#{seq}" in otto.get("/governance/audit/verification", fragment=True).text
    assert any(each["stream"] == stream for each in door.get("/v1/ledger/events", "otto").json())
    assert not door.get("/v1/ledger/verification", "otto").json()["verified"]
