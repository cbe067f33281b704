"""What is under way, counted and listed for whoever asks: at their sites, in the states they name, overdue by the planning day."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from sqlmodel import Session

from app.auth.roles import Principal
from app.db.database import database_now
from app.orders.tables import TransferOrder
from app.status import approval_rows, order_rows, plans_named, workload
from app.stock.installation import planning_now
from graphs.world import Wanted
from tests.installation import PAULA, person
from tools.execution import OrderState
from tools.kpis import Workload

NOTHING = Workload(0, None, 0, 0, 0)


def an_order(
    session: Session, state: OrderState, days: int, origin: str = "S1", destination: str = "S2"
) -> TransferOrder:
    """An order that arrives so many days from the planning day."""
    today = planning_now(session).date()
    order = TransferOrder(
        transfer_id=uuid4(), approval_id=uuid4(), plan_digest="ab" * 32, line_no=1, sku_id="P1", origin=origin,
        destination=destination, mode="van", units=5, planned_on=today, depart_on=today,
        arrive_on=today + timedelta(days=days), state=state, state_at=database_now(session), reserved=False,
    )  # fmt: skip
    session.add(order)
    session.flush()
    return order


def of(*sites: str) -> Principal:
    """A planner of these sites."""
    return person("nia", sites=frozenset(sites))


def test_open_overdue_and_stuck_orders_are_counted_at_the_sites_of_whoever_asks(session: Session) -> None:
    assert workload(session, PAULA, ()) == NOTHING
    an_order(session, OrderState.SHIPPED, -1)
    an_order(session, OrderState.CONFIRMED, 0)
    an_order(session, OrderState.NEEDS_ATTENTION, 3, "S2", "S3")
    an_order(session, OrderState.CLOSED, -9)
    an_order(session, OrderState.CANCELLED, -9, "S2", "S3")
    assert workload(session, PAULA, ()) == Workload(0, None, orders_open=3, orders_overdue=1, orders_need_attention=1)
    assert workload(session, PAULA, ("S3",)) == Workload(0, None, 1, 0, 1)
    assert workload(session, of("S1"), ()) == Workload(0, None, 2, 1, 0)
    assert workload(session, of("S1"), ("S3",)) == NOTHING
    assert workload(session, of("S2", "S3"), ("S3",)) == Workload(0, None, 1, 0, 1)
    assert workload(session, of(), ()) == NOTHING


def test_orders_are_listed_by_state_and_site_and_say_whether_they_are_overdue(session: Session) -> None:
    late = an_order(session, OrderState.SHIPPED, -1)
    an_order(session, OrderState.SHIPPED, 0, "S2", "S3")
    done = an_order(session, OrderState.CLOSED, -1)
    rows = {row["transfer"]: row for row in order_rows(session, PAULA, Wanted(limit=50))}
    assert len(rows) == 3
    assert (rows[str(late.transfer_id)]["overdue"], rows[str(done.transfer_id)]["overdue"]) == (True, False)
    shipped = order_rows(session, PAULA, Wanted(limit=50, order_states=(OrderState.SHIPPED,), sites=("S1",)))
    assert [row["transfer"] for row in shipped] == [str(late.transfer_id)]
    assert len(order_rows(session, PAULA, Wanted(limit=2))) == 2
    assert order_rows(session, PAULA, Wanted(limit=50, mine=True)) == []
    assert order_rows(session, of("S4"), Wanted(limit=50)) == []
    assert order_rows(session, of("S4"), Wanted(limit=50, sites=("S1",))) == []


def test_nothing_waits_and_no_plan_is_named_where_there_is_none(session: Session) -> None:
    assert approval_rows(session, PAULA, Wanted(limit=50, approval_statuses=("pending", "approved"))) == []
    for start in ("00000000", "ab" * 32, "%" * 8, "_" * 8):
        assert plans_named(session, PAULA, start) == ()
