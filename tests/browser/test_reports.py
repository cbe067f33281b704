"""Reports and help in a browser: on paper, on a phone, in the dark, and for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from app.auth.people import SYSTEM
from app.service import Service
from app.stock.importing import import_network
from evals.databases import TEMPLATE, Servers
from tests.browser.conftest import served
from tests.browser.people import axe_violations
from tests.installation import waiting
from tools.generate import generate_network
from tools.network_folder import write_network


def test_a_report_is_printed_whole_without_navigation(house: tuple[Service, str], visit: Callable[..., Page]) -> None:
    service, address = house
    (request,) = waiting(service)
    page = visit(address, "ada", f"/reports/plans/{request.plan_digest}")
    assert axe_violations(page) == []
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    expect(page.locator("[data-print]")).to_be_hidden()
    expect(page.locator(".downloads").first).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    # What is folded on the screen is printed open.
    assert page.locator("#rules li").first.evaluate("each => each.getBoundingClientRect().height") > 0
    assert page.locator("thead").first.evaluate("each => getComputedStyle(each).display") == "table-header-group"
    paper = page.pdf(format="A4", print_background=True)
    assert paper.startswith(b"%PDF")
    assert len(paper) > 10_000


@pytest.fixture(scope="module")
def selling(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a house whose network has sales enough to be played again."""
    network = write_network(generate_network(12, 12, 1, datetime(2026, 3, 2, 6, tzinfo=UTC)))
    with served(servers, TEMPLATE, tmp_path_factory.mktemp("selling"), works=False) as (service, address):
        with service.database.transaction() as session:
            import_network(session, network, SYSTEM, pin=True, size_limit_bytes=1 << 24)
        yield address


@pytest.mark.parametrize("width", [1440, 1100])
def test_the_result_of_a_backtest_is_seen_to_its_last_column(
    selling: str, visit: Callable[..., Page], width: int
) -> None:
    table = visit(selling, "vera", "/reports/backtest?skus=10", width=width).get_by_role(
        "region", name="Table of results"
    )
    expect(table.get_by_role("columnheader", name="Total (USD)")).to_be_visible()
    assert table.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_reports_backtests_and_help_are_for_everybody(house: tuple[Service, str], visit: Callable[..., Page]) -> None:
    service, address = house
    (request,) = waiting(service)
    page = visit(address, "vera", "/reports", width=390, dark=True)
    for path in ("/reports", f"/reports/plans/{request.plan_digest}", "/reports/backtest?skus=10", "/help"):
        page.goto(address + path)
        assert axe_violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.emulate_media(color_scheme="light")
    for path in ("/reports", "/reports/backtest?skus=10", "/help"):
        page.goto(address + path)
        assert axe_violations(page) == [], path


def test_the_index_is_filtered_where_it_stands_and_leads_to_a_report(
    house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(house[1], "vera", "/reports")
    page.get_by_label("Status").select_option("rejected")
    expect(page.locator("#plans")).to_contain_text("No plan has this status")
    page.get_by_label("Status").select_option("")
    page.locator("#plans a[data-row]").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Transfer plan")
