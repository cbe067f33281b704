"""What a stop held goes on after every rule was asked again on the facts of now, as if it had not been promised yet."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from app.approvals.freshness import facts_now
from app.governance.state import activate_policy
from app.governance.switch import engage, release
from app.ledger.verify import verify
from app.orders.steps import get_order, record
from app.orders.tables import TransferOrder
from app.orders.validating import held_orders, validate
from app.orders.waiting import outlooks
from app.service import Service
from policies.stops import Stop
from tests.beginnings import EMPTY
from tests.installation import OTTO, approve, balances, carry_out, orders, submitted
from tests.signals import a_reading, a_signal, counts, send
from tools import saga
from tools.execution import OrderState
from tools.inventory import SiteSku
from tools.moves import available
from tools.reservations import without_reserved


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


def held(service: Service) -> dict[str, TransferOrder]:
    """Orders that a stop has held, which is over, by SKU."""
    approve(service, submitted(service))
    with service.database.transaction() as session:
        stop_id = engage(session, OTTO, "a recall", Stop()).stop_id
    with service.database.transaction() as session:
        release(session, OTTO, "it is over", stop_id)
    return {order.sku_id: order for order in orders(service)}


def change(service: Service, statement: str) -> None:
    """A change of master data, as an import makes it."""
    with service.database.transaction() as session:
        session.connection().execute(text(statement))
        session.connection().execute(text("update installation set facts_version = facts_version + 1"))


def without_margin(service: Service) -> str:
    change(
        service, "update master_data set body = body || '{\"unit_price_e4\": 1, \"unit_cost_e4\": 1}'"
        " where kind = 'sku' and key = 'P1'",
    )  # fmt: skip
    return "saves"


def a_small_dock(service: Service) -> str:
    change(
        service,
        "update master_data set body = body || '{\"outbound_units_per_day\": 1}' where kind = 'site' and key = 'S1'",
    )
    return "there is no room for it any more"


def full_shelves(service: Service) -> str:
    with service.database.transaction() as session:
        send(session, a_signal(counts(a_reading(500, "S2")), "full"), jump_units_min=10**6)
    return "P1"


@pytest.mark.parametrize("change_of_the_world", [without_margin, a_small_dock, full_shelves])
def test_what_no_rule_would_admit_now_is_shown_and_taken_back(
    service: Service, change_of_the_world: Callable[[Service], str]
) -> None:
    waiting = held(service)
    with service.database.transaction() as session:
        assert {each.changes for each in held_orders(session, OTTO)} == {()}
    words = change_of_the_world(service)
    with service.database.transaction() as session:
        (shown,) = [each.changes for each in held_orders(session, OTTO) if each.order.sku_id == "P1"]
    assert words in " ".join(shown)
    done = validate(service.database, OTTO, [waiting["P1"].transfer_id], "looked at")
    assert done.outrun == (waiting["P1"].transfer_id,)
    (order,) = [order for order in orders(service) if order.sku_id == "P1"]
    assert (order.state, order.reserved) == (OrderState.CANCELLED, False)
    assert shown[0] in (order.attention or "")
    assert verify(service.database).verified


def test_the_world_without_what_is_reserved_is_the_world_before_the_decision(service: Service) -> None:
    with service.database.transaction() as session:
        before = facts_now(session).snapshot
    approve(service, submitted(service))
    with service.database.transaction() as session:
        now = facts_now(session).snapshot
    assert now.booked != before.booked
    again = without_reserved(now, [order.facts for order in orders(service)])
    assert (
        replace(again, recent_moves=before.recent_moves, approval_latency_days=before.approval_latency_days) == before
    )


def test_a_line_says_nothing_of_the_stock_of_a_site_that_not_all_of_its_readers_may_see(service: Service) -> None:
    waiting = held(service)["P1"]
    with service.database.transaction() as session:
        send(session, a_signal(counts(a_reading(waiting.units), minutes=1), "fewer"), jump_units_min=10**6)
        seen = outlooks(session, [waiting.approval_id])[waiting.transfer_id]
    assert seen.against == (f"Line {waiting.line_no}: the sending site needs its stock itself by now.",)


def test_units_that_a_count_did_not_find_are_not_there_for_the_rules_either(service: Service) -> None:
    waiting = held(service)["P1"]
    with service.database.transaction() as session:
        send(session, a_signal(counts(a_reading(waiting.units - 3), minutes=1), "short"), jump_units_min=10**6)
        facts = facts_now(session).snapshot
        origin = SiteSku(waiting.origin, waiting.sku_id)
        free = without_reserved(facts, [waiting.facts], {origin: 3}).position_by_key[origin]
        (shown,) = [each for each in held_orders(session, OTTO) if each.order.sku_id == "P1"]
    assert free.available_units == waiting.units - 3
    assert (shown.is_outrun, shown.is_asked) == (True, True)


def test_what_nothing_has_changed_about_goes_on_as_it_is(service: Service) -> None:
    waiting = held(service)
    done = validate(service.database, OTTO, None, "looked at")
    assert set(done.going) == {order.transfer_id for order in waiting.values()}
    assert {order.units for order in orders(service)} == {order.units for order in waiting.values()}


@EMPTY
def test_what_the_origin_needs_itself_by_now_is_left_there_as_far_as_policy_lets_the_order_shrink(
    service: Service,
) -> None:
    with service.database.transaction() as session:
        activate_policy(session, "2027-01", "otto", "a little drift")
    waiting = held(service)["P1"]
    with service.database.transaction() as session:
        stays = balances(session)[available("S1"), "P1"]
    short = _units_kept(service, waiting, stays)
    done = validate(service.database, OTTO, [waiting.transfer_id], "looked at")
    (order,) = [order for order in orders(service) if order.sku_id == "P1"]
    assert done.going == (order.transfer_id,)
    assert 0 < order.units < waiting.units
    assert order.decided_units == waiting.units
    assert f"admit {order.units:,} of the {waiting.units:,} units" in (order.attention or ""), short
    assert verify(service.database).verified


@EMPTY
def test_what_was_approved_together_and_has_waited_long_is_looked_at_once_and_together(service: Service) -> None:
    """Policy admits a saving that is 20 % smaller: no line of such a plan goes, whichever is posted first."""
    with service.database.transaction() as session:
        activate_policy(session, "2027-01", "otto", "a little drift")
    request = submitted(service)
    approve(service, request)
    change(service, "update master_data set body = body || '{\"unit_price_e4\": 60000}' where kind = 'sku'")
    change(service, "update transfer_order set state_at = state_at - interval '16 minutes'")
    first, *_ = orders(service)
    service.carrier.books.look_again(first.transfer_id)
    assert {order.state for order in orders(service)} == {OrderState.CANCELLED}
    assert ["saving that policy admits" in (order.attention or "") for order in orders(service)] == [True, True]
    assert verify(service.database).verified


def test_what_was_looked_at_is_not_looked_at_again_for_a_quarter_of_an_hour(service: Service) -> None:
    approve(service, submitted(service))
    change(service, "update transfer_order set state_at = state_at - interval '16 minutes'")
    first, second = orders(service)
    service.carrier.books.look_again(first.transfer_id)
    without_margin(service)
    service.carrier.books.look_again(second.transfer_id)
    assert {order.state for order in orders(service)} == {OrderState.RELEASED}
    change(service, "update transfer_order set looked_at = looked_at - interval '16 minutes'")
    service.carrier.books.look_again(second.transfer_id)
    assert {order.sku_id: order.state for order in orders(service)}["P1"] is OrderState.CANCELLED


@pytest.mark.parametrize(("minutes", "state"), [(14, OrderState.SHIPPED), (16, OrderState.CANCELLED)])
def test_an_order_that_has_waited_long_for_its_erp_is_looked_at_by_every_rule_again(
    service: Service, minutes: int, state: OrderState
) -> None:
    request = submitted(service)
    approve(service, request)
    without_margin(service)
    change(service, f"update transfer_order set state_at = state_at - interval '{minutes} minutes'")
    carry_out(service, request)
    (order,) = [order for order in orders(service) if order.sku_id == "P1"]
    assert order.state is state
    assert ("saves" in (order.attention or "")) is (state is OrderState.CANCELLED)
    assert verify(service.database).verified


def asked_for(service: Service, ago: str) -> TransferOrder:
    """P1's order, for which the ERP was asked so long ago without a certain answer."""
    (asked,) = [order for order in orders(service) if order.sku_id == "P1"]
    with service.database.transaction() as session:
        order = get_order(session, asked.transfer_id, lock=True)
        record(session, order, saga.requested(order.facts))
    change(
        service,
        "update transfer_order set asked_at = state_at where sku_id = 'P1';"
        f"update transfer_order set {ago} where sku_id = 'P1'",
    )
    return order


@pytest.mark.parametrize(
    "ago", ["state_at = state_at - interval '16 minutes'", "asked_at = asked_at - interval '16 minutes'"],
    ids=["asked again by itself", "asked again by people"],
)  # fmt: skip
def test_what_the_erp_may_have_is_looked_at_by_every_rule_too_and_left_to_people(service: Service, ago: str) -> None:
    approve(service, submitted(service))
    waiting = asked_for(service, ago)
    without_margin(service)
    service.carrier.books.look_again(waiting.transfer_id)
    (order,) = [order for order in orders(service) if order.sku_id == "P1"]
    assert (order.state, order.reserved) == (OrderState.NEEDS_ATTENTION, True)
    assert "saves" in (order.attention or "")


def test_orders_of_a_plan_that_was_tampered_with_are_shown_and_taken_back(service: Service) -> None:
    waiting = held(service)
    change(
        service, "update plan set body = convert_to(replace(convert_from(body, 'UTF8'), 'S1', 'S9'), 'UTF8')"
    )  # fmt: skip
    with service.database.transaction() as session:
        shown = held_orders(session, OTTO)
    assert ["tampered with" in " ".join(each.changes) for each in shown] == [True] * len(waiting)
    done = validate(service.database, OTTO, None, "looked at")
    assert set(done.outrun) == {order.transfer_id for order in waiting.values()}
    assert {(order.state, order.reserved) for order in orders(service)} == {(OrderState.CANCELLED, False)}


def test_a_look_at_what_waits_locks_nothing_that_is_with_the_erp_already(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    change(service, "update transfer_order set state_at = state_at - interval '16 minutes'")
    first, second = orders(service)
    change(service, f"update transfer_order set state = 'shipped' where transfer_id = '{second.transfer_id}'")
    with service.database.transaction() as held_by_a_tick:
        get_order(held_by_a_tick, second.transfer_id, lock=True)
        with ThreadPoolExecutor(1) as other:
            other.submit(service.carrier.books.look_again, first.transfer_id).result(timeout=20)
    (looked_at,) = [order for order in orders(service) if order.transfer_id == first.transfer_id]
    assert looked_at.looked_at is not None


def _units_kept(service: Service, order: TransferOrder, stays: int) -> int:
    """Count fewer and fewer of what stays at the origin, until the rules admit less than was decided."""
    for fewer in range(1, stays):
        with service.database.transaction() as session:
            send(
                session, a_signal(counts(a_reading(order.units + stays - fewer)), f"count-{fewer}"),
                jump_units_min=10**6,
            )  # fmt: skip
            seen = outlooks(session, [order.approval_id])[order.transfer_id]
        if seen.units < order.units or seen.against:
            return fewer
    raise AssertionError("the rules never minded")
