"""Governance in a browser: the kill switch and its banner, a policy put in force and taken back, and every tab on every screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Dialog, Page, expect

from app.service import Service
from tests.browser.people import axe_violations

WICKED = "<img src=x onerror=window.__xss=1>"
TABS = ("", "/policies", "/data", "/audit", "/people", "/settings")
Visits = Callable[..., Page]


def agree(dialog: Dialog) -> None:
    """Press OK where a page asks first."""
    dialog.accept()


def test_everything_is_stopped_for_everybody_to_see_and_goes_on_again(
    own_house: tuple[Service, str], visit: Visits
) -> None:
    address = own_house[1]
    page, open_before = visit(address, "otto", "/governance"), visit(address, "ada", "/orders")
    expect(open_before.locator("html")).to_have_attribute("data-live", "yes")
    page.on("dialog", agree)
    page.get_by_role("button", name="Stop everything").click()
    expect(page.get_by_role("heading", name="Everything is stopped")).to_have_count(0)
    page.locator("#stop-all").fill(WICKED)
    page.get_by_role("button", name="Stop everything").click()
    expect(page.get_by_role("heading", name="Everything is stopped")).to_be_visible()
    for each in (page, open_before):
        expect(each.get_by_role("region", name="Stopped")).to_contain_text(WICKED)
    other = visit(address, "vera", "/orders")
    banner = other.get_by_role("region", name="Stopped")
    expect(banner).to_contain_text(WICKED)
    expect(banner).to_contain_text("by otto")
    banner.get_by_role("link", name="Look").first.click()
    expect(other).to_have_url(f"{address}/governance#stops")
    expect(other.locator("#stops")).to_be_in_viewport()
    expect(other.locator("#stops")).to_contain_text(WICKED)
    page.locator("#release-all").fill("it is over")
    page.get_by_role("button", name="Release the stop").click()
    expect(page.locator("#stop-all")).to_be_visible()
    for each in (page, open_before, other):
        expect(each.get_by_role("region", name="Stopped")).to_have_count(0)


def test_a_policy_is_put_in_force_and_taken_back_and_everybody_reads_who_and_why(
    own_house: tuple[Service, str], visit: Visits
) -> None:
    address = own_house[1]
    watching = visit(address, "vera", "/governance")
    page = visit(address, "otto", "/governance/policies")
    page.on("dialog", agree)
    for release, button, reason in (("2026-12", "Put in force", WICKED), ("2026-04", "Go back to", "too many lines")):
        page.locator(f"#release-{release} > summary").click()
        page.locator(f"#release-{release}").get_by_label("Why? It is recorded.").fill(reason)
        page.locator(f"#release-{release}").get_by_role("button", name=button).click()
        expect(page.locator("#policy")).to_contain_text(f"Policy in force: standard {release}")
        for words in ("From", "To"):
            marked = page.get_by_label(words, exact=True).locator("option", has_text="(in force)")
            expect(marked).to_have_text([f"{release} (in force)"])
    for each in (page, watching):
        history = each.get_by_role("region", name="Who put which policy in force")
        expect(history.locator("tbody tr").nth(0)).to_contain_text("rolled back")
        expect(history.locator("tbody tr").nth(0)).to_contain_text("too many lines")
        expect(history.locator("tbody tr").nth(1)).to_contain_text(WICKED)
        expect(history.locator("tbody tr").nth(1)).to_contain_text("otto")
    page.get_by_label("From", exact=True).select_option("2026-01")
    page.get_by_label("To", exact=True).focus()
    page.get_by_label("To", exact=True).select_option("2026-04")
    expect(page.locator("#difference")).to_contain_text("1.50 USD")
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-01")
    expect(page.get_by_label("To", exact=True)).to_be_focused()


@pytest.mark.parametrize(("dark", "width", "who"), [(False, 1280, "otto"), (True, 390, "adam")])
def test_every_tab_is_for_everybody_on_every_screen(
    house: tuple[Service, str], visit: Visits, dark: bool, width: int, who: str
) -> None:
    page = visit(house[1], who, "/governance", dark=dark, width=width)
    for tab in TABS:
        page.goto(f"{house[1]}/governance{tab}")
        for summary in page.locator("main details:not([open]) > summary").all()[:2]:
            summary.click()
        assert axe_violations(page) == [], tab
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), tab


def test_the_ledger_is_searched_and_verified_by_keyboard(house: tuple[Service, str], visit: Visits) -> None:
    page = visit(house[1], "otto", "/governance/audit")
    page.keyboard.press("/")
    expect(page.get_by_label("Stream begins with")).to_be_focused()
    page.keyboard.type("governance")
    expect(page.locator("#events tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Verify now").press("Enter")
    expect(page.locator("#verification")).to_contain_text("Everything fits")
    assert axe_violations(page) == []
