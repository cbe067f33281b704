"""The overview in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from app.service import Service
from tests.browser.people import axe_violations

Visit = Callable[..., Page]
House = tuple[Service, str]


def _overflow(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_newcomer_finds_what_is_wrong_and_the_plan_for_it_on_any_screen(
    house: House, visit: Visit, dark: bool
) -> None:
    page = visit(house[1], "ada", "/", width=390 if dark else 1280, dark=dark)
    page.get_by_role("heading", name="What is wrong in my network").wait_for()
    page.get_by_text("What is this?").first.click()
    assert page.get_by_text("the share with at least one unit").is_visible()
    assert axe_violations(page) == []
    assert _overflow(page) <= 0
    page.get_by_role("link", name="less than a day").click()
    page.get_by_role("heading", name="Stock list").wait_for()
    assert page.get_by_label("Show", exact=True).input_value() == "cover0"
