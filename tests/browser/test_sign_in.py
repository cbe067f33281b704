"""Signing in and out in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.service import Service
from tests.browser.people import axe_violations


def test_a_person_signs_in_by_a_click_sees_their_scope_and_signs_out(
    house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(house[1], "paula")
    page.context.clear_cookies()
    page.goto(f"{house[1]}/")
    page.locator("button[name=person][value=vera]").click()
    expect(page).to_have_url(f"{house[1]}/")
    page.locator(".me summary").click()
    menu = page.locator(".me .menu")
    expect(menu).to_contain_text("viewer")
    expect(menu).to_contain_text("All sites")
    assert axe_violations(page) == []
    menu.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Evenkeel")).to_be_visible()
    assert axe_violations(page) == []
    page.goto(f"{house[1]}/?x=1")
    expect(page).to_have_url(f"{house[1]}/sign-in?next=/%3Fx%3D1")


def test_who_was_signed_out_elsewhere_is_told_that_nothing_was_sent(
    own_house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(own_house[1], "otto", "/governance", expected=("401",))
    page.context.clear_cookies()
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#stop-all").fill("a leak")
    page.get_by_role("button", name="Stop everything").click()
    expect(page.get_by_role("status")).to_have_text("You were signed out. Sign in again; nothing was sent.")
    assert axe_violations(page) == []
    page.locator("button[value=otto]").click()
    expect(page).to_have_url(f"{own_house[1]}/governance")
    expect(page.get_by_role("button", name="Stop everything")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_emergency_stop_is_two_keys_away_from_any_page_for_whoever_may_use_it(
    house: tuple[Service, str], visit: Callable[..., Page], width: int
) -> None:
    page = visit(house[1], "otto", width=width)
    for path in ("/", "/governance"):
        page.goto(house[1] + path)
        page.locator(".me summary").focus()
        page.keyboard.press("Enter")
        link = page.locator(".me .menu").get_by_role("link", name="Emergency stop")
        expect(link).to_be_in_viewport(ratio=1)
        assert axe_violations(page) == []
        page.keyboard.press("Tab")
        expect(link).to_be_focused()
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{house[1]}/governance#stops")
        expect(page.locator(".me .menu")).to_be_hidden()
        expect(page.get_by_role("button", name="Stop everything")).to_be_in_viewport()
