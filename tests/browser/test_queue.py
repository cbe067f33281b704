"""Deciding in a browser: by mouse, by keyboard, in part, after an edit, against somebody who was faster, and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from app.approvals.requests import withdraw
from app.approvals.tables import ApprovalRequest, ApprovalStatus, Decision
from app.governance.state import activate_policy
from app.governance.switch import engage
from app.service import Service
from app.threads.runs import start_scan
from tests.browser.people import axe_violations
from tests.installation import OTTO, PAULA, until, waiting
from tools.transfers import PlanRequest, Scope

expect.set_options(timeout=30_000)  # a busy machine is no fault of a page
House = tuple[Service, str]
PLANTED = '<img src=x onerror="window.__xss=1">'


def statuses(service: Service) -> list[ApprovalStatus]:
    with service.database.transaction() as session:
        return [
            row.status for row in session.exec(select(ApprovalRequest).order_by(ApprovalRequest.requested_at)).all()
        ]


def under_rules_that_know_more(service: Service) -> None:
    """A policy by which plans of a low tier are decided on together, and approvals may be lent."""
    with service.database.transaction() as session:
        activate_policy(session, "2027-01", "otto", "for the spring")


def two_small_plans(service: Service) -> None:
    """In place of the plan that waits, one for each SKU."""
    (whole,) = waiting(service)
    with service.database.transaction() as session:
        withdraw(session, whole.approval_id, PAULA)
        for sku_id in ("P1", "P2"):
            start_scan(session, PAULA, PlanRequest(scope=Scope(skus=(sku_id,))))
    until("two plans that wait", lambda: len(waiting(service)) == 2)


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
    row, words = page.locator("#q-lines tr[data-line]").first, page.locator("#q-lines .packs-words").first
    field.evaluate("field => { field.dataset.pack = 12; }")
    field.fill("30")
    expect(row.locator(".saving")).to_have_text("changes")
    expect(words).to_have_text("24: a pack holds 12")
    field.press("Tab")
    expect(field).to_have_value("24")
    expect(words).to_have_text("24: a pack holds 12")
    field.evaluate("(field, pack) => { field.dataset.pack = pack; }", pack)
    page.get_by_role("button", name="Undo my changes").click()
    expect(row.locator(".saving")).to_contain_text("USD")
    expect(words).to_be_hidden()
    field.fill(str(was - pack))
    expect(page.locator("#q-check")).to_contain_text("It keeps every rule")
    expect(page.locator("#q-check")).to_contain_text(f"It would move {100 - pack} units instead of 100, and save")
    page.get_by_role("button", name="Send the edited plan").click()
    expect(page.locator("#q-changes")).to_contain_text(f"{pack} units fewer")
    expect(page.locator("#q-state")).to_contain_text(
        "You had a hand in this plan, so somebody else has to decide on it."
    )
    expect(page.get_by_role("button", name="Approve…")).to_be_hidden()
    assert statuses(service) == [ApprovalStatus.SUPERSEDED, ApprovalStatus.PENDING]


def test_a_rejection_carries_its_reason_its_lines_and_its_words(own_house: House, visit: Callable[..., Page]) -> None:
    service, address = own_house
    page = opened(visit(address, "ada", "/queue", expected=("422",)))
    page.keyboard.press("r")
    page.get_by_label("Reason").select_option("site_keeps_sku")
    page.get_by_label("In words").fill("They need it.")
    lines = page.get_by_role("group", name="Which lines")
    page.get_by_role("button", name="Reject this plan").click()
    first = lines.get_by_role("checkbox").first
    assert first.evaluate("box => box.validationMessage") == "Tick the lines that it is about."
    expect(page.locator("#q-state")).not_to_contain_text("Rejected")
    page.locator("#q-reject").evaluate("form => { form.noValidate = true; }")
    page.get_by_role("button", name="Reject this plan").click()
    expect(page.locator("#q-reject [data-wrong]")).to_have_text(
        "Choose a reason, tick what it is about or give the limit, and say it in words."
    )
    page.locator("#q-reject").evaluate("form => { form.noValidate = false; }")
    page.get_by_label("Keep line 1").uncheck()
    page.get_by_label("Reason").select_option("site_frozen")
    page.get_by_label("In words").fill("The shop is being rebuilt.")
    page.get_by_role("button", name="Reject this plan").click()
    sites = page.get_by_role("group", name="Which sites")
    assert (
        sites.get_by_role("checkbox").first.evaluate("box => box.validationMessage")
        == "Tick the sites that it is about."
    )
    sites.get_by_label("S2").check()
    assert sites.get_by_role("checkbox").first.evaluate("box => box.validationMessage") == ""
    page.get_by_label("Reason").select_option("line_unwanted")
    expect(sites).to_be_hidden()
    assert lines.get_by_role("checkbox").evaluate_all("all => all.map((each) => each.checked)") == [True, False]
    page.get_by_role("button", name="Reject this plan").click()
    expect(page.get_by_role("dialog").get_by_text("Rejected. Its author is told why.")).to_be_visible()
    expect(page.locator("#q-state")).to_contain_text("Rejected by ada")
    expect(page.locator("#q-state")).to_contain_text("Why: Some lines are not wanted. The shop is being rebuilt.")
    with service.database.transaction() as session:
        rejection = session.exec(select(Decision)).one().rejection or {}
    assert (rejection["code"], rejection["line_nos"]) == ("line_unwanted", [1])


def test_several_small_plans_are_chosen_by_keyboard_and_approved_together(
    own_house: House, visit: Callable[..., Page]
) -> None:
    service, address = own_house
    under_rules_that_know_more(service)
    two_small_plans(service)
    page = visit(address, "ada", "/queue")
    expect(page.locator("#queue-rows .choose")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#selection")).to_contain_text("1 plan chosen")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#selection")).to_contain_text("2 plans chosen")
    assert axe_violations(page) == []
    page.get_by_role("button", name="Approve all 2").click()
    expect(page.locator("#queue-rows")).to_contain_text("Nothing waits")
    expect(page.locator("#selection")).to_be_empty()
    with service.database.transaction() as session:
        decisions = session.exec(select(Decision)).all()
    assert [each.decided_by for each in decisions] == ["ada", "ada"]
    assert statuses(service).count(ApprovalStatus.APPROVED) == 2


def test_a_plan_that_competes_is_named_above_the_decision_and_opens_in_its_place(
    own_house: House, visit: Callable[..., Page]
) -> None:
    service, address = own_house
    two_small_plans(service)
    page = opened(visit(address, "ada", "/queue"))
    one, other = page.locator("#q").get_attribute("data-digest") or "", page.locator("#q-competing a")
    expect(page.locator("#q-competing")).to_contain_text("Both travel S1 → S2 by van")
    assert axe_violations(page) == []
    other.click()
    expect(page.locator("#q")).not_to_have_attribute("data-digest", one)
    expect(page.locator("#q-competing a")).to_have_text(f"Plan {one[:8]}")


def test_arrows_go_along_the_rows_once_somebody_is_in_the_table(own_house: House, visit: Callable[..., Page]) -> None:
    service, address = own_house
    under_rules_that_know_more(service)
    two_small_plans(service)
    page = visit(address, "ada", "/queue")
    first, second = (page.locator("#queue-rows a[data-drawer]").nth(number) for number in (0, 1))
    expect(second).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(first).not_to_be_focused()
    page.locator("#queue-rows .choose").first.focus()
    page.keyboard.press("ArrowDown")
    expect(second).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(second).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(first).to_be_focused()
    expect(page.locator("#queue-rows tr.here a[data-drawer]")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("next and previous row, once you are in a table")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("#q-lines tr[data-line]").first).to_be_visible()


def test_plans_that_the_policy_decides_on_one_by_one_cannot_be_chosen(house: House, visit: Callable[..., Page]) -> None:
    page = visit(house[1], "ada", "/queue")
    expect(page.locator("#queue-rows a[data-drawer]").first).to_be_visible()
    expect(page.locator("#queue-rows .choose")).to_have_count(0)
    expect(page.locator("#lending-now")).to_be_empty()


def test_approvals_are_lent_between_two_days_and_taken_back(own_house: House, visit: Callable[..., Page]) -> None:
    service, address = own_house
    under_rules_that_know_more(service)
    ada, bob = visit(address, "ada", "/queue", expected=("422",)), visit(address, "bob", "/queue")
    ada.locator("#lending > summary").click()
    assert axe_violations(ada) == []
    now = datetime.now(UTC)
    first, last = (f"{now + timedelta(days=days):%Y-%m-%dT%H:%M}" for days in (-1, 90))
    ada.get_by_label("To (their name").fill("bob")
    ada.get_by_label("From", exact=True).fill(first)
    ada.get_by_label("Until").fill(last)
    ada.get_by_label("Why").fill(PLANTED)
    ada.get_by_role("button", name="Lend", exact=True).click()
    expect(ada.locator("#lending [data-wrong]")).to_contain_text("30 days")
    ada.get_by_label("Until").fill(f"{now + timedelta(days=3):%Y-%m-%dT%H:%M}")
    ada.get_by_role("button", name="Lend", exact=True).click()
    expect(ada.locator("#lending li")).to_contain_text("You lend your sites and limit to bob, and are away")
    expect(ada.locator("#lending li")).to_contain_text(PLANTED)
    expect(ada.locator("#lending")).to_have_attribute("open", "")
    expect(bob.locator("#lending li")).to_contain_text("ada lends you their sites and limit")
    opened(ada)
    expect(ada.get_by_role("button", name="Approve…")).to_be_hidden()
    ada.keyboard.press("Escape")
    ada.get_by_role("button", name="End it now").click()
    expect(ada.locator("#lending li")).to_have_count(0)
    expect(bob.locator("#lending li")).to_have_count(0)
    opened(ada)
    expect(ada.get_by_role("button", name="Approve…")).to_be_visible()


def test_a_claim_keeps_others_out_until_it_is_given_back(own_house: House, visit: Callable[..., Page]) -> None:
    _, address = own_house
    ada, bob = visit(address, "ada", "/queue"), opened(visit(address, "bob", "/queue"))
    ada.keyboard.press("j")
    ada.keyboard.press("c")
    expect(ada.locator("#queue-rows")).to_contain_text("claimed by you")
    expect(bob.locator("#q-state")).to_contain_text("ada has claimed it")
    expect(bob.get_by_role("button", name="Approve…")).to_be_hidden()
    opened(ada)
    expect(ada.locator("#q-state")).to_contain_text("By you until")
    ada.get_by_role("button", name="Give back").click()
    expect(ada.locator("#q-state")).to_contain_text("By nobody")
    expect(bob.get_by_role("button", name="Approve…")).to_be_visible()
    bob.locator("#drawer").get_by_role("button", name="Claim", exact=True).click()
    expect(bob.locator("#q-state")).to_contain_text("By you until")
    expect(ada.locator("#q-state")).to_contain_text("bob has claimed it")
    bob.get_by_label("Hand your claim to").select_option("ada")
    bob.get_by_role("button", name="Hand over").click()
    expect(ada.locator("#q-state")).to_contain_text("By you until")
    expect(bob.get_by_role("button", name="Approve…")).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_queue_and_its_drawer_are_for_everybody(house: House, visit: Callable[..., Page], dark: bool) -> None:
    page = visit(house[1], "ada", "/queue", dark=dark)
    assert axe_violations(page) == []
    opened(page)
    page.locator("#q-kept > summary").click()
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


def test_what_is_stopped_is_not_offered_for_approval(own_house: House, visit: Callable[..., Page]) -> None:
    service, address = own_house
    page = visit(address, "ada", "/queue")
    page.keyboard.press("j")
    approve = page.locator("[data-act=approve]")
    expect(approve).to_be_enabled()
    with service.database.transaction() as session:
        engage(session, OTTO, "a recall")
    page.reload()
    page.keyboard.press("j")
    expect(page.locator("[data-act=reject]")).to_be_enabled()
    expect(approve).to_be_disabled()
    page.keyboard.press("Enter")
    expect(page.locator("#q-who")).to_contain_text("nobody while everything is stopped")


def test_on_a_phone_nothing_is_wider_than_the_screen(house: House, visit: Callable[..., Page]) -> None:
    page = opened(visit(house[1], "ada", "/queue", width=390))
    page.locator("[data-panel=approve]").click()
    expect(page.locator("#q-approve-now")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.getElementById('drawer').scrollWidth <= innerWidth")
