"""The network, a site and a SKU in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.service import Service
from app.stock.receiving import receive_signals
from app.ui.network import stock_table
from evals.databases import Servers
from tests.browser.conftest import served
from tests.browser.people import axe_violations
from tests.builders import a_site, a_sku
from tests.installation import OTTO, a_network, import_into
from tests.signals import a_count, a_signal

Visit = Callable[..., Page]
House = tuple[Service, str]
PATHS = ("/network", "/network/stock", "/network/sites/S2", "/network/skus/P1")


def test_the_map_is_walked_by_keys_and_tells_of_each_site(house: House, visit: Visit) -> None:
    page = visit(house[1], "paula", "/network")
    card = page.locator("#site-card")
    page.locator("#at-S1").focus()
    expect(card.get_by_role("heading", level=2)).to_have_text("Site S1")
    expect(card).to_contain_text("surplus")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    assert (page.evaluate("document.activeElement.id") or "").startswith("at-")
    page.locator("#at-S2").focus()
    expect(card.get_by_role("heading", level=2)).to_have_text("Site S2")
    assert axe_violations(page) == []
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator("#map").get_attribute("viewBox") != "0 0 1000 560"
    page.locator("#at-S2").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Site S2")


def test_filters_cut_the_map_and_the_list_where_they_stand(house: House, visit: Visit) -> None:
    page = visit(house[1], "paula", "/network")
    page.get_by_label("Imbalance").select_option("shortage")
    expect(page.locator("#map a.site")).to_have_count(2)
    assert "kind=shortage" in page.url
    page.get_by_role("link", name="Stock list").click()
    expect(page.get_by_label("Imbalance")).to_have_value("shortage")
    page.get_by_role("textbox", name="SKU").fill("P1")
    expect(page).to_have_url(re.compile("sku=P1"))
    page.get_by_role("link", name="Map and sites").click()
    expect(page.get_by_role("textbox", name="SKU")).to_have_value("P1")
    expect(page.locator("#map a.site")).to_have_count(2)
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#map a.site")).to_have_count(3)
    page.get_by_role("button", name="Site").click()
    expect(page.get_by_role("columnheader", name="Site")).to_have_attribute("aria-sort", "ascending")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_out_of_reach_on_any_screen(house: House, visit: Visit, dark: bool) -> None:
    page = visit(house[1], "paula", "/", width=390 if dark else 1280, dark=dark)
    for path in PATHS:
        page.goto(house[1] + path)
        assert axe_violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, path


def test_names_with_markup_are_text_in_the_map_too(own_house: House, visit: Visit) -> None:
    service, address = own_house
    planted = "<img src=x onerror='window.__xss=1'>"
    import_into(
        service,
        a_network(
            sites=tuple(
                a_site(name, name=f"{planted}</title><script>window.__xss=1</script>") for name in ("S1", "S2", "S3")
            ),
            skus=(a_sku("P1", name=planted), a_sku("P2", name=planted)),
        ),
    )
    page = visit(address, "paula", "/network")
    page.locator("#at-S1").focus()
    expect(page.locator("#site-card h2")).to_contain_text(planted)
    assert planted[:15] in (page.locator("#at-S1 title").text_content() or "")
    for path in PATHS[1:]:
        page.goto(address + path)
        assert planted in (page.text_content("main") or "")


@pytest.fixture
def impatient_house(servers: Servers, plan_waiting: str, tmp_path: Path) -> Iterator[House]:
    """A house of a test's own whose pages do not wait for the stock of now."""
    with served(servers, plan_waiting, tmp_path, works=False, stock_wait_seconds=0.0) as found:
        yield found


def test_a_page_with_the_last_stock_says_so_and_shows_the_newest_by_itself(
    impatient_house: House, visit: Visit
) -> None:
    service, address = impatient_house
    page = visit(address, "paula", "/network/sites/S1")
    notice = page.get_by_text("The newest stock is being worked out")
    expect(notice).to_have_count(0)
    with stock_table._WORKING_OUT:  # as in a large network, where that takes long
        with service.database.transaction() as session:
            receive_signals(session, OTTO, [a_signal(a_count(187))])
        page.reload()
        expect(notice).to_be_visible()
        assert axe_violations(page) == []
        expect(page.locator("#stock")).to_contain_text("200")
    expect(page.locator("#stock")).to_contain_text("187")
    expect(notice).to_have_count(0)
