"""The work of a day, by people in browsers of their own: asked, edited, signed, posted, received; rejected; too late."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from app.ledger.verify import verify
from app.service import Service
from evals.databases import Servers
from tests.browser.conftest import served
from tests.browser.test_chat import PATIENT, answered, say
from tests.installation import orders, waiting
from tools.execution import OrderState

House = tuple[Service, str]


@pytest.fixture
def quiet_house(servers: Servers, settled: str, tmp_path: Path) -> Iterator[House]:
    """The small network and its people; nothing waits."""
    with served(servers, settled, tmp_path / "data") as found:
        yield found


def submitted(page: Page, words: str) -> None:
    """A planner asks for a plan and submits it."""
    say(page, words)
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
    answered(page)
    page.locator(".plan-card").get_by_role("button", name="Submit for approval").click()
    expect(page.locator(".plan-card")).to_contain_text("waiting for a decision", timeout=PATIENT)


def opened(page: Page) -> None:
    """The first plan of the queue, in the drawer."""
    page.locator("#queue-rows a[data-drawer]").first.click()
    expect(page.locator("#q-lines tr[data-line]").first).to_be_visible()


def test_a_plan_is_asked_for_edited_signed_posted_and_received_and_everybody_sees_it(
    quiet_house: House, visit: Callable[..., Page]
) -> None:
    service, address = quiet_house
    paula = visit(address, "paula", "/chat")
    submitted(paula, "rebalance P1")
    ada = visit(address, "ada", "/queue")
    opened(ada)
    ada.keyboard.press("e")
    field = ada.locator("#q-lines .packs").first
    field.fill(str(int(field.input_value()) - int(field.get_attribute("data-pack") or 1)))
    expect(ada.locator("#q-check")).to_contain_text("It keeps every rule")
    ada.get_by_role("button", name="Send the edited plan").click()
    expect(ada.locator("#q-state")).to_contain_text("somebody else has to decide")
    bob = visit(address, "bob", "/queue")
    opened(bob)
    bob.keyboard.press("a")
    bob.get_by_role("button", name="Approve this plan").click()
    expect(bob.locator("#q-state")).to_contain_text("Approved by bob")
    expect(paula.locator(".plan-card")).to_contain_text("Approved by Bob", timeout=PATIENT)
    otto = visit(address, "otto", "/orders")
    expect(otto.locator("tbody a[data-drawer]").first).to_be_visible(timeout=PATIENT)
    expect(otto.locator("tbody").first).to_contain_text("on the way", timeout=PATIENT)
    otto.locator("tbody a[data-drawer]").first.click()
    otto.get_by_role("button", name="Record the arrival").click()
    expect(otto.locator("#drawer")).to_contain_text("Yes", timeout=PATIENT)
    expect(paula.locator(".plan-card")).to_contain_text(re.compile("arrived|received"), timeout=PATIENT)
    (order,) = orders(service)
    assert order.state is OrderState.CLOSED
    assert verify(service.database).verified


def test_a_plan_that_is_rejected_comes_back_otherwise(quiet_house: House, visit: Callable[..., Page]) -> None:
    service, address = quiet_house
    paula = visit(address, "paula", "/chat")
    submitted(paula, "rebalance P1")
    (before,) = waiting(service)
    ada = visit(address, "ada", "/queue")
    opened(ada)
    ada.keyboard.press("r")
    ada.get_by_label("Reason").select_option("too_many_units")
    ada.get_by_label("At most").fill("6")
    ada.get_by_label("In words").fill("The van is small this week.")
    ada.get_by_role("button", name="Reject this plan").click()
    expect(ada.locator("#q-state")).to_contain_text("Rejected by ada")
    expect(paula.locator("#log")).to_contain_text("1 lines, 6 units", timeout=PATIENT)
    expect(paula.locator(".plan-card").last).to_contain_text("waiting for a decision", timeout=PATIENT)
    (after,) = waiting(service)
    assert after.units <= 6 < before.units


def test_a_request_whose_time_is_over_cannot_be_approved_and_says_so(
    own_house: House, visit: Callable[..., Page]
) -> None:
    service, address = own_house
    ada = visit(address, "ada", "/queue", expected=("409", "410", "422"))
    opened(ada)
    with service.database.transaction() as session:
        session.connection().execute(text("update approval_request set expires_at = now() - interval '1 minute'"))
    ada.keyboard.press("a")
    ada.get_by_role("button", name="Approve this plan").click()
    expect(ada.locator("#drawer")).to_contain_text(
        re.compile("expired|time is over|too late", re.IGNORECASE), timeout=PATIENT
    )
    assert orders(service) == []
