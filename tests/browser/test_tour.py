"""The first steps: once, without being in the way, and again when asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.service import Service
from tests.browser.people import axe_violations

BLOCKED = (
    "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('blocked', 'SecurityError'); } })"
)


def test_the_first_steps_are_shown_once_by_keys_alone_and_again_from_help(
    house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(house[1], "ada")
    # Signing in has led to the overview before: these are the steps of a browser that has not seen them.
    page.evaluate("localStorage.clear()")
    page.goto(f"{house[1]}/")
    tour = page.get_by_role("complementary", name="First steps")
    expect(tour).to_contain_text("1 of 4")
    assert page.evaluate("document.activeElement === document.body"), "it takes no focus"
    assert axe_violations(page) == []
    for step in ("2 of 4", "3 of 4", "4 of 4"):
        tour.locator("[data-tour-next]").focus()
        page.keyboard.press("Enter")
        expect(tour).to_contain_text(step)
    page.keyboard.press("Enter")
    expect(tour).to_be_hidden()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(tour).to_be_hidden()
    page.goto(f"{house[1]}/help")
    page.get_by_role("link", name="Show me around").click()
    expect(tour).to_contain_text("1 of 4")
    expect(page).to_have_url(f"{house[1]}/")
    tour.get_by_role("button", name="Skip").click()
    expect(tour).to_be_hidden()


def test_the_first_steps_bother_nobody_elsewhere_or_where_nothing_can_be_kept(
    house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(house[1], "vera")
    page.evaluate("localStorage.clear()")
    page.goto(f"{house[1]}/?x=1")
    tour = page.locator("#tour")
    expect(tour).to_be_hidden()
    page.add_init_script(BLOCKED)
    page.goto(f"{house[1]}/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(tour).to_be_hidden()
    page.goto(f"{house[1]}/help")
    page.get_by_role("link", name="Show me around").click()
    expect(tour).to_contain_text("1 of 4")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


APART = """
const box = (name) => document.querySelector(name).getBoundingClientRect();
const apart = (one, other) => one.bottom <= other.top || other.bottom <= one.top || one.right <= other.left || other.right <= one.left;
const within = (one, other) => one.left >= other.left - 1 && one.right <= other.right + 1 && one.top >= other.top && one.bottom <= other.bottom;
"""


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_the_first_steps_cover_nothing_of_what_they_speak_of(
    house: tuple[Service, str], visit: Callable[..., Page], width: int
) -> None:
    page = visit(house[1], "ada", width=width, height=800)
    page.goto(f"{house[1]}/help")
    page.get_by_role("link", name="Show me around").click()
    tour = page.get_by_role("complementary", name="First steps")
    for step in ("1 of 4", "2 of 4", "3 of 4", "4 of 4"):
        expect(tour).to_contain_text(step)
        expect(tour).to_be_in_viewport(ratio=1)
        for what in ("main", ".top nav a.toured"):
            assert page.evaluate(f"() => {{ {APART} return apart(box('#tour'), box('{what}')); }}"), (step, what)
        assert page.evaluate(f"() => {{ {APART} return within(box('.top nav a.toured'), box('.top nav')); }}"), step
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), step
        tour.locator("[data-tour-next]").click()
    expect(tour).to_be_hidden()
