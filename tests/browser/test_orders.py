"""Orders in a browser: by keyboard, on a phone, and with a receipt of a part of what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Dialog, Page, expect

from app.orders.tables import TransferOrder
from app.service import Service
from evals.databases import Servers
from tests.browser.conftest import served
from tests.browser.people import axe_violations
from tests.installation import approve, orders, until, waiting
from tools.execution import OrderState

Visits = Callable[..., Page]


@pytest.fixture(scope="module")
def house(
    servers: Servers, plan_waiting: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, str]]:
    """The small network, and what is asked of it is carried out."""
    with served(servers, plan_waiting, tmp_path_factory.mktemp(uuid4().hex)) as found:
        yield found


@pytest.fixture(scope="module")
def shipped(house: tuple[Service, str]) -> list[TransferOrder]:
    """The orders of Paula's plan, once they have left."""
    service = house[0]
    (request,) = waiting(service)
    approve(service, request)
    until("the goods to leave", lambda: all(order.state is OrderState.SHIPPED for order in orders(service, request)))
    return orders(service, request)


def is_wider_than_the_screen(page: Page) -> bool:
    """Whether the page as a whole scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_an_order_is_opened_and_closed_by_keyboard(
    house: tuple[Service, str], shipped: list[TransferOrder], visit: Visits
) -> None:
    page = visit(house[1], "vera", "/orders")
    expect(page.locator("tbody tr")).to_have_count(len(shipped))
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type(str(shipped[0].transfer_id)[:8])
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    drawer = page.locator("#drawer")
    expect(drawer.get_by_role("heading", level=2)).to_be_focused()
    expect(drawer).to_contain_text("Did it arrive?")
    expect(drawer).to_contain_text(f"{shipped[0].units} units are still on the way")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page.locator(f"a[href='/orders/{shipped[0].transfer_id}']")).to_be_focused()


def test_a_part_of_an_order_is_received_in_the_drawer_and_the_list_follows(
    house: tuple[Service, str], shipped: list[TransferOrder], visit: Visits
) -> None:
    order = shipped[0]
    page = visit(house[1], "otto", f"/orders?open=/orders/{order.transfer_id}", expected=("409",))
    drawer = page.locator("#drawer")
    drawer.locator("details summary", has_text="Call it back").click()
    drawer.get_by_label("Why? It is recorded.").first.fill("half typed")
    drawer.get_by_label("Usable units").fill("1")
    expect(drawer.get_by_label("Number of the delivery note")).to_have_value("")
    drawer.get_by_role("button", name="Record the arrival").click()
    expect(drawer).to_contain_text(f"Partly. 1 unit of {order.units} arrived")
    expect(drawer.get_by_label("Usable units")).to_have_value("")
    expect(drawer.get_by_label("Why? It is recorded.").first).to_have_value("half typed")
    expect(page.locator("#rows")).to_contain_text(f"{order.units - 1} under way")
    drawer.get_by_label("Usable units").fill(str(order.units + 5))
    drawer.get_by_role("button", name="Record the arrival").click()
    expect(drawer.get_by_role("alert")).to_contain_text("outstanding")


def test_back_closes_the_drawer_on_the_list_as_it_was_filtered_and_forward_opens_it_again(
    house: tuple[Service, str], shipped: list[TransferOrder], visit: Visits
) -> None:
    page = visit(house[1], "vera", "/")
    page.goto(f"{house[1]}/orders?show=all")
    drawer, words = page.locator("#drawer"), str(shipped[0].transfer_id)[:8]
    page.get_by_label("Search").fill(words)
    expect(page.locator("tbody tr")).to_have_count(1)
    filtered = f"{house[1]}/orders?text={words}&show=all&sort=-changed"
    expect(page).to_have_url(filtered)
    for closes in ("back", "Escape", "back"):
        page.locator("a[data-drawer]").click()
        expect(drawer).to_contain_text("Did it arrive?")
        page.go_back() if closes == "back" else page.keyboard.press(closes)
        expect(drawer).to_be_hidden()
        expect(page).to_have_url(filtered)
        expect(page.locator("tbody tr")).to_have_count(1)
    page.go_forward()
    expect(drawer).to_contain_text("Did it arrive?")
    page.reload()
    expect(drawer).to_contain_text("Did it arrive?")
    page.keyboard.press("Escape")
    expect(page).to_have_url(filtered)
    page.go_back()
    expect(page).to_have_url(f"{house[1]}/")


def test_escape_leaves_the_search_field_and_what_is_typed_next_is_a_key(
    house: tuple[Service, str], shipped: list[TransferOrder], visit: Visits
) -> None:
    page = visit(house[1], "vera", "/orders")
    page.keyboard.press("/")
    page.keyboard.type("S")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Search")).not_to_be_focused()
    expect(page.get_by_label("Search")).to_have_value("S")
    page.keyboard.type("gq")
    page.wait_for_url(f"{house[1]}/queue")


def test_what_is_told_of_one_order_goes_when_another_one_is_opened(
    house: tuple[Service, str], shipped: list[TransferOrder], visit: Visits
) -> None:
    page = visit(house[1], "otto", "/orders")
    said = "import(new URL('swap.js', document.querySelector('script[src$=\"/app.js\"]').src)).then((swap) => swap.say('Recorded.'))"
    page.evaluate(said)
    expect(page.locator("#said")).to_have_text("Recorded.")
    page.locator("a[data-drawer]").first.click()
    expect(page.locator("#drawer")).to_contain_text("Did it arrive?")
    expect(page.locator("#said")).to_be_empty(timeout=2_000)


def test_the_question_before_a_write_off_names_the_units_that_it_is_about(
    house: tuple[Service, str], shipped: list[TransferOrder], visit: Visits
) -> None:
    order, questions = shipped[-1], list[str]()
    page = visit(house[1], "otto", f"/orders/{order.transfer_id}")

    def refuse(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.locator("details summary", has_text="Write off").click()
    form = page.locator("#act-write_off")
    form.get_by_label("Why? It is recorded.").fill("The truck burnt.")
    on_the_way = (form.get_by_label("Units (empty").get_attribute("max")) or ""
    for typed in ("", "1"):
        form.get_by_label("Units (empty").fill(typed)
        form.get_by_role("button", name="Write off").click()
    assert [each.split(" units")[0] for each in questions] == [
        f"Write off {count} of the {on_the_way}" for count in (on_the_way, "1")
    ]


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_orders_are_for_everybody_on_every_screen(
    house: tuple[Service, str], shipped: list[TransferOrder], visit: Visits, dark: bool, width: int
) -> None:
    page = visit(house[1], "otto", "/orders", dark=dark, width=width)
    path = f"/orders/{shipped[0].transfer_id}"
    for address in ("/orders?show=all", path, f"{path}/lineage", "/orders/held", "/orders/differences"):
        page.goto(house[1] + address)
        assert axe_violations(page) == [], address
        assert not is_wider_than_the_screen(page), address
    page.goto(f"{house[1]}/orders?show=all&open={path}")
    expect(page.locator("#drawer")).to_contain_text("Did it arrive?")
    page.locator("#drawer details summary").first.click()
    assert axe_violations(page) == []


def test_whoever_receives_the_last_of_an_order_is_told_where_it_is_found_now(
    house: tuple[Service, str], shipped: list[TransferOrder], visit: Visits
) -> None:
    order = shipped[-1]
    page = visit(house[1], "otto", f"/orders?open=/orders/{order.transfer_id}")
    page.locator("#drawer").get_by_role("button", name="Record the arrival").click()
    expect(page.locator("#said")).to_contain_text("It is under “What is over” now.")
    expect(page.locator("#rows")).not_to_contain_text(str(order.transfer_id)[:8])
