"""Signing in and out in a browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from app.service import Service
from tests.browser.people import axe_violations


def test_a_person_signs_in_by_a_click_sees_their_scope_and_signs_out(
    house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(house[1], "vera")
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
