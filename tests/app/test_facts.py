"""From the tables to a snapshot: supply is counted once, signals override master data, and equal facts are one snapshot."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, func, select

from app.db.database import Database
from app.errors import ConflictError
from app.orders.receipts import Report, receive_order
from app.orders.tables import TransferOrder
from app.plans.store import snapshot_now, snapshot_to_check_on
from app.stock.facts import PAST_FORECAST_DAYS, freeze
from app.stock.installation import facts_changed, installation, planning_now
from app.stock.tables import ForecastCache
from evals.databases import Servers
from tests.builders import NOW, TODAY, in_days
from tests.installation import OTTO, a_network, balances, until
from tests.signals import (
    a_count,
    a_database,
    a_signal,
    an_order,
    forecast,
    history,
    lane_takes,
    late,
    order,
    position,
    send,
    sold,
    take_in,
    undone,
    waits_for_a_lock,
)
from tools.execution import OrderState
from tools.forecast import GIVEN_DAYS_MAX
from tools.inventory import SiteSku, SupplyKind
from tools.network_folder import ForecastRow
from tools.signals import TransitState, TransitStatusData

S1_P1, S2_P1 = SiteSku("S1", "P1"), SiteSku("S2", "P1")


def supply_of(session: Session, key: SiteSku) -> list[tuple[int, date, str]]:
    """What is to come: units, day and reference."""
    session.flush()
    session.expire_all()
    return [(row.units, row.expected_on, row.reference) for row in freeze(session).supply_by_key.get(key, ())]


def test_without_a_network_there_are_no_facts(empty: Database) -> None:
    with undone(empty) as session, pytest.raises(ConflictError, match="there is no network yet") as refused:
        freeze(session)
    assert refused.value.code == "no_network"


UNDER_WAY = [OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED, OrderState.SHIPPED]


@pytest.mark.parametrize("state", UNDER_WAY)
@pytest.mark.parametrize("reported", [False, True], ids=["ours alone", "reported by the ERP too"])
def test_units_of_our_own_transfers_are_counted_once_from_decision_to_receipt(
    session: Session, state: OrderState, reported: bool
) -> None:
    transfer = an_order(session, 6, state)
    reference = str(transfer.transfer_id)
    if reported:
        send(session, a_signal(order(6, 4, reference, site_id="S2", kind=SupplyKind.TRANSFER)))
    assert supply_of(session, S2_P1) == [(6, in_days(2), reference)]
    here = position(freeze(session))
    promised = 0 if state is OrderState.SHIPPED else 6
    assert (here.on_hand_units, here.reserved_units, here.available_units) == (194 + promised, promised, 194)
    assert position(freeze(session), "S2").on_hand_units == 2


@pytest.mark.parametrize("reported", [False, True], ids=["ours alone", "reported by the ERP too"])
def test_units_that_have_arrived_are_stock_and_no_longer_supply(session: Session, reported: bool) -> None:
    transfer = an_order(session, 6, OrderState.SHIPPED)
    reference = str(transfer.transfer_id)
    if reported:
        send(session, a_signal(order(6, 4, reference, site_id="S2", kind=SupplyKind.TRANSFER)))
    receive_order(session, OTTO, transfer.transfer_id, Report(4, receipt_key="first"))
    assert supply_of(session, S2_P1) == [(2, in_days(2), reference)]
    assert position(freeze(session), "S2").on_hand_units == 6
    receive_order(session, OTTO, transfer.transfer_id, Report(1, receipt_key="last", is_last=True))
    assert supply_of(session, S2_P1) == []
    assert position(freeze(session), "S2").on_hand_units == 7


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.REFUSED])
def test_a_transfer_that_came_to_nothing_brings_nothing_whatever_the_erp_still_reports(
    session: Session, state: OrderState
) -> None:
    transfer = an_order(session, 6, state)
    send(session, a_signal(order(6, 4, str(transfer.transfer_id), site_id="S2", kind=SupplyKind.TRANSFER)))
    assert supply_of(session, S2_P1) == []
    assert freeze(session).recent_moves == ()
    assert position(freeze(session)).available_units == 200


def test_transfers_of_others_and_purchase_orders_are_counted_as_they_are_reported(session: Session) -> None:
    an_order(session, 6, OrderState.SHIPPED)
    send(session, a_signal(order(9, 1, "TR-7", site_id="S2", kind=SupplyKind.TRANSFER)))
    assert [row[0] for row in supply_of(session, S2_P1)] == [9, 6]
    assert supply_of(session, S1_P1) == [(5, in_days(3), "PO-1")]


def test_what_a_transfer_brought_to_a_site_that_never_counted_it_is_a_position(session: Session) -> None:
    send(session, a_signal(a_count(20, sku_id="P3")))
    transfer = an_order(session, 6, OrderState.SHIPPED, sku_id="P3")
    receive_order(session, OTTO, transfer.transfer_id, Report(None, receipt_key="all"))
    snapshot = freeze(session)
    brought = position(snapshot, "S2", "P3")
    assert (brought.on_hand_units, brought.as_of) == (6, snapshot.as_of)


def test_moves_of_the_last_weeks_are_shown_and_older_ones_are_not(session: Session) -> None:
    an_order(session, 1, planned_on=in_days(-89))
    an_order(session, 1, planned_on=in_days(-3))
    an_order(session, 1, planned_on=in_days(-91), sku_id="P2")
    moves = [(row.site_id, row.sku_id, row.sent, row.moved_on) for row in freeze(session).recent_moves]
    assert moves == [("S1", "P1", True, in_days(-3)), ("S2", "P1", False, in_days(-3))]


@pytest.mark.parametrize(
    ("percent", "delay", "days_late"), [(100, 9, 0), (50, 5, 3), (0, 5, 5), (90, 1, 1), (99, 365, 4), (0, 0, 0)]
)
def test_purchase_orders_are_as_late_as_their_supplier_is_on_average(
    session: Session, percent: int, delay: int, days_late: int
) -> None:
    send(session, a_signal(late(percent, delay)))
    assert supply_of(session, S1_P1) == [(5, in_days(3 + days_late), "PO-1")]


def test_what_is_known_about_the_supplier_of_a_sku_comes_before_what_holds_for_the_site(session: Session) -> None:
    send(session, a_signal(late(0, 10), "site"))
    send(session, a_signal(late(0, 2, sku_id="P1"), "sku"))
    send(session, a_signal(order(4, 5, "PO-3", sku_id="P2"), "order"))
    assert supply_of(session, S1_P1) == [(5, in_days(5), "PO-1")]
    assert supply_of(session, SiteSku("S1", "P2")) == [(4, in_days(15), "PO-3")]
    send(session, a_signal(late(0, 1, sku_id="P1"), "better"))
    assert supply_of(session, S1_P1) == [(5, in_days(4), "PO-1")]


def test_a_late_supplier_delays_no_transfer_and_no_other_site(session: Session) -> None:
    an_order(session, 1, OrderState.SHIPPED, origin="S2", destination="S1")
    send(session, a_signal(order(9, 6, "TR-7", kind=SupplyKind.TRANSFER), "transfer"))
    send(session, a_signal(order(3, 4, "PO-9", site_id="S2"), "elsewhere"))
    send(session, a_signal(late(0, 7)))
    by_reference = {row[2]: row[1] for key in (S1_P1, S2_P1) for row in supply_of(session, key)}
    own = by_reference.keys() - {"TR-7", "PO-9", "PO-1"}
    assert [by_reference[reference] for reference in own] == [in_days(2)]
    assert [by_reference[each] for each in ("TR-7", "PO-9", "PO-1")] == [in_days(6), in_days(4), in_days(10)]


def test_a_lead_time_signal_overrides_the_master_data_of_its_lane_alone(session: Session) -> None:
    before = freeze(session)
    send(session, a_signal(lane_takes(4).model_copy(update={"lead_time_sd_millidays": 500})))
    after = freeze(session)
    key = ("S1", "S2", "van")
    assert after.lane_by_key[key] == replace(before.lane_by_key[key], lead_time_days=4, lead_time_sd_millidays=500)
    assert [lane for lane in after.lanes if lane.key != key] == [lane for lane in before.lanes if lane.key != key]
    send(session, a_signal(lane_takes(2), "2"))
    session.expire_all()
    assert freeze(session).lane_by_key[key].lead_time_days == 2


def transit(order: TransferOrder, days: int | None, state: TransitState = TransitState.DELAYED) -> TransitStatusData:
    expected_on = None if days is None else in_days(days)
    return TransitStatusData(transfer_id=str(order.transfer_id), state=state, expected_on=expected_on)


@pytest.mark.parametrize("state", TransitState)
def test_news_from_the_carrier_changes_the_expected_arrival_and_moves_nothing(
    session: Session, state: TransitState
) -> None:
    transfer = an_order(session, 6, OrderState.SHIPPED)
    before = balances(session)
    send(session, a_signal(transit(transfer, 9, state)))
    assert supply_of(session, S2_P1) == [(6, in_days(9), str(transfer.transfer_id))]
    assert balances(session) == before


def test_news_without_a_day_and_of_a_finished_transfer_changes_no_arrival(session: Session) -> None:
    transfer = an_order(session, 6, OrderState.SHIPPED)
    send(session, a_signal(transit(transfer, None), "1"))
    assert supply_of(session, S2_P1) == [(6, in_days(2), str(transfer.transfer_id))]
    receive_order(session, OTTO, transfer.transfer_id, Report(None, receipt_key="all"))
    assert send(session, a_signal(transit(transfer, 9), "2")).new
    session.flush()
    session.expire_all()
    assert session.get_one(TransferOrder, transfer.transfer_id).arrive_on == in_days(2)


def given_far(*days: int) -> tuple[ForecastRow, ...]:
    return tuple(ForecastRow("S1", "P1", in_days(day), 4_000_000, None) for day in days)


@pytest.mark.parametrize("days", [(3_000,), (-3_000,), (-3_000, 3_000)], ids=["ahead", "back", "both"])
def test_a_given_forecast_of_many_years_leaves_facts_that_can_be_frozen(empty: Database, days: tuple[int, ...]) -> None:
    network = a_network()
    with undone(empty) as session:
        take_in(session, replace(network, forecasts=network.forecasts + given_far(*days)))
        kept = freeze(session).forecast_by_key[S1_P1]
    assert len(kept.mean_e6) <= GIVEN_DAYS_MAX
    assert (kept.first_on, set(kept.mean_e6)) == (TODAY, {3_000_000})


def test_given_forecasts_that_came_day_by_day_for_years_never_grow_too_long(session: Session) -> None:
    days = range(-GIVEN_DAYS_MAX, GIVEN_DAYS_MAX)
    send(session, a_signal(forecast(4, days)))
    kept = freeze(session).forecast_by_key[S1_P1]
    assert kept.first_on == TODAY - timedelta(days=PAST_FORECAST_DAYS)
    assert GIVEN_DAYS_MAX - 1 <= len(kept.mean_e6) <= GIVEN_DAYS_MAX + 1
    assert set(kept.mean_e6) == {4_000_000}


def test_the_last_week_of_a_forecast_that_has_run_out_goes_on(session: Session) -> None:
    send(session, a_signal(forecast(9, range(-300, -107), "P3"), "1"))
    send(session, a_signal(forecast(2, range(-107, -100), "P3"), "2"), forecast_factor_max=10**6)
    kept = freeze(session).forecast_by_key[SiteSku("S1", "P3")]
    assert (kept.first_on, set(kept.mean_e6)) == (in_days(-107), {2_000_000})


def test_a_given_forecast_comes_before_one_from_history(session: Session) -> None:
    send(session, a_signal(history("P1"), "sales of P1"), jump_units_min=10**9)
    send(session, a_signal(history("P3"), "sales of P3"), jump_units_min=10**9)
    found = freeze(session).forecast_by_key
    assert found[S1_P1].method == "given"
    assert found[SiteSku("S1", "P3")].method != "given"
    send(session, a_signal(forecast(5, sku_id="P3"), "forecast of P3"), forecast_factor_max=10**6)
    assert freeze(session).forecast_by_key[SiteSku("S1", "P3")].method == "given"


def test_sales_since_a_forecast_was_given_correct_its_level(session: Session) -> None:
    """Fourteen a week were sold where seven were forecast."""
    send(session, a_signal(forecast(1, range(-28, 14), "P3"), "forecast of P3"), forecast_factor_max=10**6)
    at_s1 = SiteSku("S1", "P3")
    before = freeze(session).forecast_by_key[at_s1]
    assert (before.method, before.level_cv2_e6) == ("given", 125_000)
    send(session, a_signal(history("P3"), "sales of P3"), jump_units_min=10**9)
    after = freeze(session).forecast_by_key[at_s1]
    # (8 + 56) / (8 + 28), cv2 = 1 / (8 + 56)
    assert (after.method, after.mean_e6[0], after.level_cv2_e6) == ("given/learned", 1_777_778, 15_625)


def test_forecasts_are_made_again_only_when_demand_or_the_day_has_changed(session: Session) -> None:
    def made() -> int:
        freeze(session)
        return session.exec(select(func.count()).select_from(ForecastCache)).one()

    before = made()
    send(session, a_signal(order(3), "no demand"))
    send(session, a_signal(lane_takes(2), "no demand either"))
    assert made() == before
    send(session, a_signal(sold(3), "demand"))
    assert made() == before + 1
    send(session, a_signal(a_count(190, as_of=NOW + timedelta(days=1)), "tomorrow"), future_minutes_max=10**6)
    assert made() == before + 2


@pytest.mark.parametrize("facts", ["new", "the same as before"])
def test_many_may_freeze_the_facts_at_the_same_time(servers: Servers, facts: str) -> None:
    with a_database(servers) as database:
        with database.transaction() as session:
            take_in(session, a_network())
        if facts == "the same as before":
            with database.transaction() as session:
                snapshot_now(session)
                facts_changed(session)  # something came in that made no difference
        failed: list[Exception] = []
        digests: list[str] = []

        def read() -> None:
            try:
                with database.transaction() as reading:
                    digests.append(snapshot_now(reading).digest)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                failed.append(error)

        second = threading.Thread(target=read)
        with database.transaction() as first:
            digests.append(snapshot_now(first).digest)
            second.start()
            until("the second to wait for the first", lambda: waits_for_a_lock(database) or not second.is_alive())
        second.join()
        assert failed == []
        assert len(digests) == 2
        assert len(set(digests)) == 1


def test_what_comes_in_while_facts_are_frozen_is_in_the_facts_that_are_looked_at_afterwards(servers: Servers) -> None:
    with a_database(servers) as database:
        with database.transaction() as session:
            take_in(session, a_network())
            snapshot_now(session)
            facts_changed(session)  # the next one looks at everything again

        def freeze_and_store() -> None:
            with database.transaction() as reading:
                snapshot_now(reading)

        with ThreadPoolExecutor(1) as thread:
            with database.transaction() as writing:
                writing.connection().execute(text("lock table data_hold in access exclusive mode"))
                frozen = thread.submit(freeze_and_store)  # has read what was counted, and not yet what is held
                until("the other one to wait", lambda: waits_for_a_lock(database))
                send(writing, a_signal(a_count(190)))
            frozen.result()
        with database.transaction() as session:
            assert snapshot_to_check_on(session) == freeze(session)
            assert snapshot_now(session) == freeze(session)


def test_no_change_of_the_facts_is_lost_when_two_change_them(servers: Servers) -> None:
    with a_database(servers) as database:
        with database.transaction() as session:
            before = installation(session).facts_version
        with database.transaction() as first:
            seen = installation(first)  # read before the other one changes it, and kept
            with database.transaction() as second:
                facts_changed(second, demand=True)
            facts_changed(first)
            first.flush()
            assert (seen.facts_version, seen.demand_version) == (before + 2, 1)


def test_the_day_is_that_of_universal_time_wherever_the_database_stands(servers: Servers) -> None:
    with a_database(servers) as database:
        with database.transaction() as session:
            take_in(session, a_network())
            name = session.connection().engine.url.database
            session.connection().execute(text(f"alter database {name} set timezone to 'America/Los_Angeles'"))
        database.engine.dispose()
        with database.transaction() as session:
            assert session.connection().execute(text("show timezone")).scalar_one() == "America/Los_Angeles"
            assert planning_now(session).date() == TODAY
            assert freeze(session).as_of == NOW
