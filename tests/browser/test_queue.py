"""Deciding in a browser: by mouse, by keyboard, in part, after an edit, against somebody who was faster, and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from app.approvals.tables import ApprovalRequest, ApprovalStatus, Decision
from app.service import Service
from tests.browser.people import axe_violations

expect.set_options(timeout=30_000)  # a busy machine is no fault of a page
House = tuple[Service, str]
PLANTED = '<img src=x onerror="window.__xss=1">'


def statuses(service: Service) -> list[ApprovalStatus]:
    with service.database.transaction() as session:
        return [
            row.status for row in session.exec(select(ApprovalRequest).order_by(ApprovalRequest.requested_at)).all()
        ]


def opened(page: Page) -> Page:
    page.locator("#queue-rows a[data-drawer]").first.click()
    expect(page.locator("#q-lines tr[data-line]").first).to_be_visible()
    return page


def test_by_keyboard_alone_a_plan_is_approved_and_who_was_slower_is_told_by_whom(
    own_house: House, visit: Callable[..., Page]
) -> None:
    service, address = own_house
    slower = opened(visit(address, "bob", "/queue", expected=("409",)))
    slower.keyboard.press("a")
    page = visit(address, "ada", "/queue")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#q-lines tr[data-line]").first).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("#q-approve-now")).to_be_focused()
    # Before the fresh state reaches the slower one their press has to meet what the service says.
    slower.evaluate("document.getElementById('q-state').removeAttribute('data-on')")
    page.keyboard.press("Enter")
    expect(page.locator("#q-state")).to_contain_text("Approved by ada")
    expect(page.locator("#said")).to_contain_text("2 transfers are on their way")
    slower.evaluate("document.getElementById('q-state').dataset.on = 'conflict'")
    slower.locator("#q-approve-now").click()
    expect(slower.locator("#q-approve [data-wrong]")).to_contain_text("approved by ada already")
    expect(slower.locator("#q-state")).to_contain_text("Approved by ada")
    assert statuses(service) == [ApprovalStatus.APPROVED]
    page.keyboard.press("Escape")
    expect(page.locator("#queue-rows")).to_contain_text("Nothing waits")


def test_some_lines_are_approved_and_the_others_dropped(own_house: House, visit: Callable[..., Page]) -> None:
    service, address = own_house
    page = opened(visit(address, "ada", "/queue"))
    page.get_by_label("Keep line 2").uncheck()
    page.get_by_role("button", name="Approve…").click()
    expect(page.locator("#q-approve-words")).to_contain_text("1 of 2 lines")
    page.get_by_role("button", name="Approve 1 of 2 lines").click()
    expect(page.locator("#q-state")).to_contain_text("1 transfer order")
    expect(page.locator("#q-changes")).to_contain_text("taken out")
    assert statuses(service) == [ApprovalStatus.SUPERSEDED, ApprovalStatus.APPROVED]


def test_an_edit_is_checked_at_once_sent_and_waits_for_somebody_else(
    own_house: House, visit: Callable[..., Page]
) -> None:
    service, address = own_house
    page = opened(visit(address, "ada", "/queue"))
    page.keyboard.press("e")
    field = page.locator("#q-lines .packs").first
    expect(field).to_be_focused()
    was, pack = int(field.input_value()), int(field.get_attribute("data-pack") or 1)
    field.fill(str(was - pack))
    expect(page.locator("#q-check")).to_contain_text("It keeps every rule")
    page.get_by_role("button", name="Send the edited plan").click()
    expect(page.locator("#q-changes")).to_contain_text(f"{pack} units fewer")
    expect(page.locator("#q-state")).to_contain_text(
        "You had a hand in this plan, so somebody else has to decide on it."
    )
    expect(page.get_by_role("button", name="Approve…")).to_be_hidden()
    assert statuses(service) == [ApprovalStatus.SUPERSEDED, ApprovalStatus.PENDING]


def test_a_rejection_carries_its_reason_its_lines_and_its_words(own_house: House, visit: Callable[..., Page]) -> None:
    service, address = own_house
    page = opened(visit(address, "ada", "/queue"))
    page.get_by_label("Keep line 1").uncheck()
    page.keyboard.press("r")
    page.get_by_label("Reason").select_option("line_unwanted")
    expect(page.get_by_label("About lines")).to_have_value("1")
    page.get_by_label("In words").fill("The shop is being rebuilt.")
    page.get_by_role("button", name="Reject this plan").click()
    expect(page.locator("#q-state")).to_contain_text("Rejected by ada")
    expect(page.locator("#q-state")).to_contain_text("The shop is being rebuilt.")
    with service.database.transaction() as session:
        rejection = session.exec(select(Decision)).one().rejection or {}
    assert (rejection["code"], rejection["line_nos"]) == ("line_unwanted", [1])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_queue_and_its_drawer_are_for_everybody(house: House, visit: Callable[..., Page], dark: bool) -> None:
    page = visit(house[1], "ada", "/queue", dark=dark)
    assert axe_violations(page) == []
    opened(page)
    expect(page.locator("#q-now-in .rules")).to_be_visible()
    page.locator("[data-why]").first.click()
    expect(page.locator(".why-row")).to_contain_text("Without it")
    for name in ("q-others", "q-history"):
        page.locator(f"#{name} > summary").click()
    expect(page.locator("#q-history-in")).to_contain_text("Policy")
    for key in ("r", "e", "q", "a"):
        page.locator("h2").first.focus()
        page.keyboard.press(key)
        page.locator("#q h2").focus()
        assert axe_violations(page) == []


def test_a_question_is_answered_and_what_others_write_is_text(house: House, visit: Callable[..., Page]) -> None:
    page = opened(visit(house[1], "ada", "/queue"))
    page.keyboard.press("q")
    page.get_by_label("Your question or remark").fill("Why line 1?")
    page.get_by_role("button", name="Ask the agent").click()
    expect(page.locator("#q-answer")).to_contain_text("Line 1, P")
    page.get_by_label("Your question or remark").fill(PLANTED)
    page.get_by_role("button", name="Put it on record").click()
    expect(page.locator("#q-state .remarks")).to_contain_text(PLANTED)
    page.keyboard.press("Escape")
    page.locator("#q-question").press("Escape") if page.locator("#drawer[open]").count() else None
    page.get_by_role("button", name="Save this view").click()
    page.get_by_label("Name of the view").fill(PLANTED)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name=PLANTED)).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_the_screen(house: House, visit: Callable[..., Page]) -> None:
    page = opened(visit(house[1], "ada", "/queue", width=390))
    page.locator("[data-panel=approve]").click()
    expect(page.locator("#q-approve-now")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.getElementById('drawer').scrollWidth <= innerWidth")
