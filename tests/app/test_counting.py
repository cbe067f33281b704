"""A count is what a site held at an instant: what we reserved, shipped and received is not counted away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from app.db.database import Database, database_now
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.orders.receipts import Report, receive_order
from app.orders.tables import TransferOrder
from app.stock.facts import freeze
from evals.databases import Servers
from tests.installation import OTTO, a_network, balances, until
from tests.signals import (
    a_count,
    a_database,
    a_reading,
    a_signal,
    an_order,
    counts,
    event_facts,
    position,
    send,
    take_in,
    undone,
    waits_for_a_lock,
)
from tools.execution import OrderState
from tools.findings import QualityVerdict
from tools.inventory import LaneKey
from tools.moves import available, committed, in_transit, reserved
from tools.network_folder import NetworkFolder
from tools.signals import StockData, StockReading, data_digest

LANE = LaneKey("S1", "S2", "van")
BACK = LaneKey("S2", "S1", "van")
ANYTHING_GOES = {"jump_units_min": 10**9}
"""Rules under which no count is surprising: what a count does to the ledger is looked at here."""


def todays_network() -> NetworkFolder:
    """The usual three stores, counted an hour ago by the real clock, because goods are shipped by it."""
    network, hour_ago = a_network(), datetime.now(UTC) - timedelta(hours=1)
    return replace(network, positions=tuple(replace(row, as_of=hour_ago) for row in network.positions))


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[Database]:
    """A database that holds the network and that no test here changes."""
    with a_database(servers) as opened:
        with opened.transaction() as session:
            take_in(session, todays_network(), pin=False)
        yield opened


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A session of which nothing stays. All that happens in it happens at one instant of the database's clock."""
    with undone(database) as opened:
        yield opened


def count(session: Session, *readings: StockReading, after: bool = False, signal_id: str = "1") -> StockData:
    """Take in a count from a minute before everything else in this session, or from right after it."""
    now = database_now(session)
    data = counts(*readings, as_of=now + timedelta(seconds=1) if after else now - timedelta(minutes=1))
    assert send(session, a_signal(data, signal_id), **ANYTHING_GOES).verdict is QualityVerdict.ACCEPTED
    return data


def at(session: Session, site_id: str = "S1") -> tuple[int, int, int]:
    """P1 that is available, reserved and committed at the site."""
    held = balances(session)
    free, ours, others = (held.get((place(site_id), "P1"), 0) for place in (available, reserved, committed))
    return free, ours, others


def receive(session: Session, order: TransferOrder, units: int | None = None, *, is_last: bool = False) -> None:
    receive_order(
        session, OTTO, order.transfer_id, Report(units, receipt_key=f"receipt-{order.transfer_id}", is_last=is_last)
    )


@pytest.mark.parametrize(("counted", "left"), [(200, 194), (190, 184), (6, 0), (5, 0), (0, 0)])
def test_units_that_we_have_reserved_stay_reserved(session: Session, counted: int, left: int) -> None:
    an_order(session, 6)
    count(session, a_reading(counted))
    assert at(session) == (left, 6, 0)


def test_the_reservations_of_other_skus_and_sites_play_no_part(session: Session) -> None:
    an_order(session, 6, sku_id="P2")
    an_order(session, 2, origin="S2", destination="S1")
    count(session, a_reading(190))
    assert at(session) == (190, 0, 0)


@pytest.mark.parametrize(("counted", "after"), [(200, False), (194, True)])
def test_units_shipped_since_the_count_are_taken_off_and_those_shipped_before_it_are_not(
    session: Session, counted: int, after: bool
) -> None:
    an_order(session, 6, OrderState.SHIPPED)
    assert at(session) == (194, 0, 0)
    count(session, a_reading(counted), after=after)
    assert at(session) == (194, 0, 0)
    assert balances(session)[in_transit(LANE), "P1"] == 6


@pytest.mark.parametrize(("counted", "after"), [(2, False), (6, True)])
def test_units_received_since_the_count_are_added_and_those_received_before_it_are_not(
    session: Session, counted: int, after: bool
) -> None:
    order = an_order(session, 6, OrderState.SHIPPED)
    receive(session, order, 4)
    assert at(session, "S2") == (6, 0, 0)
    count(session, a_reading(counted, "S2"), after=after)
    assert at(session, "S2") == (6, 0, 0)
    assert balances(session)[in_transit(LANE), "P1"] == 2


def test_units_lost_on_the_way_never_reached_the_site(session: Session) -> None:
    order = an_order(session, 6, OrderState.SHIPPED)
    receive(session, order, 4, is_last=True)
    count(session, a_reading(2, "S2"))
    assert at(session, "S2") == (6, 0, 0)
    assert (in_transit(LANE), "P1") not in balances(session)


@pytest.mark.parametrize("state", [OrderState.REFUSED, OrderState.CANCELLED])
def test_an_order_that_came_to_nothing_takes_nothing_off(session: Session, state: OrderState) -> None:
    an_order(session, 6, state)
    count(session, a_reading(200))
    assert at(session) == (200, 0, 0)


def test_a_difference_that_the_count_finds_is_booked_beside_what_was_shipped(session: Session) -> None:
    an_order(session, 6, OrderState.SHIPPED)
    an_order(session, 10)
    count(session, a_reading(197))  # three fewer than booked, before six left and ten were promised
    assert at(session) == (181, 10, 0)


def test_less_on_hand_than_was_shipped_since_is_nothing_and_not_less(session: Session) -> None:
    an_order(session, 6, OrderState.SHIPPED)
    count(session, a_reading(4))
    assert at(session) == (0, 0, 0)


def test_units_that_the_site_has_promised_to_others_are_committed(session: Session) -> None:
    count(session, a_reading(190, reserved_units=30))
    assert at(session) == (160, 0, 30)
    found = position(freeze(session))
    assert (found.on_hand_units, found.reserved_units, found.available_units) == (190, 30, 160)
    count(session, a_reading(190), after=True, signal_id="2")
    assert at(session) == (190, 0, 0)


def test_our_reservations_come_before_what_the_site_promised_to_others(session: Session) -> None:
    an_order(session, 6)
    count(session, a_reading(10, reserved_units=8))
    assert at(session) == (0, 6, 4)


def test_what_others_have_committed_at_a_site_can_be_seen_but_not_reserved(session: Session) -> None:
    count(session, a_reading(6, "S2", reserved_units=4))
    found = position(freeze(session), "S2")
    assert (found.on_hand_units, found.reserved_units) == (6, 4)


def test_a_count_is_one_event_for_each_site_that_says_where_it_comes_from(session: Session) -> None:
    data = count(session, a_reading(190), a_reading(110, sku_id="P2"), a_reading(2, "S2"))
    stated = {"signal": "1", "source": "erp", "digest": data_digest(data), "as_of": data.as_of.isoformat()}
    events = {
        row.stream: event_facts(row)
        for row in session.exec(select(LedgerEvent).where(LedgerEvent.type == EventType.STOCK_COUNTED)).all()
        if event_facts(row)["source"] == "erp"
    }
    # S2 holds what was booked, so nothing moves there; that it was counted is recorded all the same.
    assert events == {"count/S1": stated | {"readings": 2}, "count/S2": stated | {"readings": 1}}


states = st.sampled_from((OrderState.RELEASED, OrderState.SHIPPED, OrderState.CANCELLED, OrderState.CLOSED))
steps = st.lists(st.tuples(st.booleans(), st.integers(1, 20), states), max_size=5)


@hypothesis_settings(max_examples=15)
@given(steps=steps)
def test_a_true_count_changes_nothing_whatever_happened_before_or_since(
    database: Database, steps: list[tuple[bool, int, OrderState]]
) -> None:
    """What lay at S1 before all of it, and what lies there after: both counts agree with the ledger."""
    with undone(database) as session:
        count(session, a_reading(200), a_reading(200, "S2"), signal_id="start")
        for there, units, state in steps:
            ends = {"origin": "S1", "destination": "S2"} if there else {"origin": "S2", "destination": "S1"}
            done = state is OrderState.CLOSED
            order = an_order(session, units, OrderState.SHIPPED if done else state, **ends)
            if done:
                receive(session, order)
        before = balances(session)
        count(session, a_reading(200), a_reading(200, "S2"), signal_id="before")
        assert balances(session) == before
        true = {site: sum(at(session, site)) for site in ("S1", "S2")}
        moving = sum(before.get((in_transit(lane), "P1"), 0) for lane in (LANE, BACK))
        assert sum(true.values()) + moving == 400
        count(session, *(a_reading(units, site) for site, units in true.items()), after=True, signal_id="after")
        assert balances(session) == before


def test_a_count_waits_for_a_reservation_that_is_being_made_and_takes_nothing_of_it(servers: Servers) -> None:
    with a_database(servers) as database:
        with database.transaction() as session:
            take_in(session, a_network())
        failed: list[Exception] = []

        def count_two() -> None:
            try:
                with database.transaction() as counting:
                    send(counting, a_signal(a_count(2)), **ANYTHING_GOES)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                failed.append(error)

        counter = threading.Thread(target=count_two)
        with database.transaction() as reserving:
            an_order(reserving, 6)
            counter.start()
            until("the count to wait", lambda: waits_for_a_lock(database) or not counter.is_alive())
        counter.join()

        assert failed == []
        with database.transaction() as session:
            assert at(session) == (0, 6, 0)
        assert verify(database).verified
