"""The stock that pages show: that of now, or the last one while that of now takes long to work out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from app.db.database import CONNECTIONS_MAX
from app.errors import ConflictError
from app.governance.stops import set_kill_switch
from app.service import Service
from app.stock.installation import facts_changed, installation
from app.stock.receiving import receive_signals
from app.ui.network import stock_table
from app.ui.network.stock_now import StockNow, StockShown
from tests.app.ui.pages import Browsing
from tests.builders import NOW, a_site, a_sku
from tests.installation import OTTO, a_network, import_into, until
from tests.signals import a_count, a_signal
from tools.inventory import SiteSku

P1 = SiteSku("S1", "P1")
SAID = "The newest stock is being worked out"


@contextmanager
def nothing_is_worked_out() -> Iterator[None]:
    """As in a large network, where that takes long."""
    with stock_table._WORKING_OUT:
        yield


def count(service: Service, units: int, number: int = 1) -> None:
    with service.database.transaction() as session:
        receive_signals(session, OTTO, [a_signal(a_count(units, minutes=5 + number / 10), f"count-{number}")])


def look(service: Service, stock: StockNow) -> StockShown:
    with service.database.transaction() as session:
        return stock.shown(session)


def units(shown: StockShown) -> int:
    return int(shown.table.on_hand[shown.table.row_by_key[P1]])


@pytest.fixture
def template(settled: str) -> str:
    """The small network and its people."""
    return settled


def test_the_last_stock_is_shown_while_that_of_now_is_worked_out_and_then_that_of_now(service: Service) -> None:
    stock = StockNow(service.database, wait_seconds=0)
    assert (units(look(service, stock)), look(service, stock).is_old) == (200, False)
    with nothing_is_worked_out():
        count(service, 190)
        assert [(units(shown), shown.is_old) for shown in (look(service, stock), look(service, stock))] == [
            (200, True)
        ] * 2
    until("the stock of now", lambda: not look(service, stock).is_old)
    assert units(look(service, stock)) == 190


def test_whoever_may_wait_is_shown_the_stock_of_now(service: Service) -> None:
    stock = StockNow(service.database, wait_seconds=60)
    look(service, stock)
    with ThreadPoolExecutor(1) as thread:
        with nothing_is_worked_out():
            count(service, 190)
            shown = thread.submit(look, service, stock)
        assert (units(shown.result()), shown.result().is_old) == (190, False)


def test_after_an_import_nobody_is_shown_a_network_without_its_new_sites(service: Service) -> None:
    stock = StockNow(service.database, wait_seconds=0)
    look(service, stock)
    network = a_network()
    larger = replace(network, sites=(*network.sites, a_site("S9")), skus=(*network.skus, a_sku("P9")))
    import_into(service, larger)
    shown = look(service, stock)
    assert ("S9" in shown.facts.snapshot.site_by_id, shown.is_old) == (True, False)


def test_what_is_stopped_is_told_of_the_last_stock_too(service: Service) -> None:
    stock = StockNow(service.database, wait_seconds=0)
    look(service, stock)
    with nothing_is_worked_out():
        count(service, 190)
        with service.database.transaction() as session:
            set_kill_switch(session, engaged=True, actor="otto", reason="a fire")
        shown = look(service, stock)
    assert (shown.is_old, len(shown.facts.stops)) == (True, 1)


def test_whoever_looks_after_a_change_sees_it_whatever_others_change_and_look_at(service: Service) -> None:
    stock = StockNow(service.database, wait_seconds=60)

    def change_and_look(number: int) -> bool:
        count(service, 180 + number % 9, number)
        counted_at = look(service, stock).facts.snapshot.position_by_key[P1].as_of
        return counted_at >= NOW + timedelta(minutes=5 + number / 10)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(change_and_look, range(1, 25)))


def test_what_keeps_the_stock_from_being_worked_out_is_told_and_then_it_is_tried_again(service: Service) -> None:
    stock = StockNow(service.database, wait_seconds=0)
    assert units(look(service, stock)) == 200

    def in_currency(currency: str | None) -> None:
        with service.database.transaction() as session:
            installation(session).currency = currency
            facts_changed(session)

    def is_told() -> bool:
        try:
            return not look(service, stock).is_old
        except ConflictError as told:
            return told.code == "no_network"

    in_currency(None)
    until("it to be told", is_told)
    in_currency("USD")
    until("the stock of now", lambda: units(look(service, stock)) == 200 and not look(service, stock).is_old)


def test_the_stock_is_worked_out_while_all_that_wait_for_it_hold_every_connection(service: Service) -> None:
    stock = StockNow(service.database, wait_seconds=60)
    with ExitStack() as waiting:
        for _ in range(CONNECTIONS_MAX - 1):
            waiting.enter_context(service.database.transaction()).connection()
        assert units(look(service, stock)) == 200


def test_a_file_has_the_stock_of_now(open_with: Callable[..., Service]) -> None:
    service = open_with(settings={"stock_wait_seconds": 0.0})
    pages = Browsing.of(service, "paula")
    pages.get("/network/stock")
    with ThreadPoolExecutor(1) as thread:
        with nothing_is_worked_out():
            count(service, 187)
            assert SAID in pages.get("/network/stock").text
            file = thread.submit(pages.answer, "/network/stock/export.csv")
        assert ",187," in file.result().text


@pytest.mark.parametrize("path", ["/", "/network", "/network/stock", "/network/sites/S1", "/network/skus/P1"])
def test_a_page_says_once_that_newer_stock_comes_by_itself(open_with: Callable[..., Service], path: str) -> None:
    service = open_with(settings={"stock_wait_seconds": 0.0})
    pages = Browsing.of(service, "paula")
    assert SAID not in pages.get(path).text
    with nothing_is_worked_out():
        count(service, 190)
        assert pages.get(path).text.count(SAID) == 1
    until("the stock of now", lambda: SAID not in pages.get(path).text)
