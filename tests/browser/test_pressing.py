"""What people press is done once: whatever is loaded anew meanwhile, and though its answer is lost."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, expect

from app.orders.tables import TransferOrder
from app.service import Service
from tests.browser.test_queue import House, opened
from tests.installation import approve, orders, until, waiting
from tools.execution import OrderState

# As if the page had heard that something in the queue and among the orders has changed.
LOOK_AGAIN = "import(new URL('live.js', document.querySelector('script[src$=\"/app.js\"]').src)).then((live) => { live.emit('queue'); live.emit('orders'); })"


def test_a_button_that_is_being_pressed_stays_where_it_is_until_it_is_let_go(
    own_house: House, visit: Callable[..., Page]
) -> None:
    page = opened(visit(own_house[1], "ada", "/queue"))
    with page.expect_response("**/state"):
        page.evaluate(f"setTimeout(() => {LOOK_AGAIN}, 200)")
        page.locator("#drawer").get_by_role("button", name="Claim", exact=True).click(delay=2_000)
    expect(page.locator("#q-state")).to_contain_text("By you until")


def test_what_could_not_be_looked_up_again_is_looked_up_a_little_later(
    own_house: House, visit: Callable[..., Page]
) -> None:
    page = opened(visit(own_house[1], "ada", "/queue", expected=("503",)))
    page.clock.install()
    page.route("**/state", lambda route: route.fulfill(status=503), times=1)
    with page.expect_response("**/state"):
        page.evaluate(LOOK_AGAIN)
    page.clock.run_for(200)
    with page.expect_response(lambda answer: answer.url.endswith("/state") and answer.ok):
        page.clock.run_for(20_000)


def all_that_have_left(service: Service) -> list[TransferOrder]:
    """The orders of Paula's plan, approved and under way."""
    (request,) = waiting(service)
    approve(service, request)
    until("the goods to leave", lambda: all(order.state is OrderState.SHIPPED for order in orders(service, request)))
    return orders(service, request)


def write_off_of(page: Page, units: int) -> Locator:
    """The form for it, filled in, on the page of an order; the question before it is answered with yes."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("details summary", has_text="Write off").click()
    form = page.locator("#act-write_off")
    form.get_by_label("Why? It is recorded.").fill("The truck burnt.")
    form.get_by_label("Units (empty").fill(str(units))
    return form


def on_the_way(form: Locator) -> int:
    """How many units of the order could be written off."""
    return int(form.get_by_label("Units (empty").get_attribute("max") or "0")


def test_what_nobody_has_answered_is_done_once_though_its_form_was_loaded_anew_before_it_was_pressed_again(
    own_house: House, visit: Callable[..., Page]
) -> None:
    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    order = all_that_have_left(own_house[0])[0]
    page = visit(own_house[1], "otto", f"/orders/{order.transfer_id}", expected=("ERR_FAILED",))
    page.route("**/actions", lose, times=1)
    form = write_off_of(page, 1)
    before = on_the_way(form)
    page.evaluate("window.loaded_at_first = document.querySelector('#act-write_off form')")
    form.get_by_role("button", name="Write off").click()
    expect(form.get_by_label("Units (empty")).to_have_attribute("max", str(before - 1))
    assert not page.evaluate("loaded_at_first.isConnected")
    expect(form.get_by_role("alert")).to_contain_text("press again")
    form.get_by_role("button", name="Write off").click()
    expect(form.get_by_label("Why? It is recorded.")).to_have_value("")
    page.reload()
    assert on_the_way(form) == before - 1


def test_a_form_stays_where_it_is_until_it_is_answered(own_house: House, visit: Callable[..., Page]) -> None:
    held: dict[str, Route] = {}

    def hold(route: Route) -> None:
        """The first request of each kind waits."""
        if held.setdefault(route.request.method, route) is not route:
            route.continue_()

    order = all_that_have_left(own_house[0])[0]
    page = visit(own_house[1], "otto", f"/orders/{order.transfer_id}")
    form = write_off_of(page, 1)
    before = on_the_way(form)
    for address in (f"**/orders/{order.transfer_id}", "**/actions"):
        page.route(address, hold)
    with page.expect_request(f"**/orders/{order.transfer_id}"):
        page.evaluate(LOOK_AGAIN)
    page.evaluate("window.on_its_way = document.querySelector('#act-write_off form')")
    with page.expect_request("**/actions"):
        form.get_by_role("button", name="Write off").click()
    held["GET"].continue_()
    page.wait_for_timeout(500)
    assert page.evaluate("on_its_way.isConnected")
    held["POST"].continue_()
    expect(form.get_by_label("Why? It is recorded.")).to_have_value("")
    expect(form.get_by_label("Units (empty")).to_have_attribute("max", str(before - 1))
