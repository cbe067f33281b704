"""A plan on several departures of a lane from the scan to the ledger: its lines stay apart wherever they go."""

from __future__ import annotations

from datetime import timedelta

from app.approvals.tables import ApprovalStatus
from app.governance.state import activate_policy
from app.ledger.verify import verify
from app.service import Service
from app.stock.facts import freeze
from tests.builders import a_lane
from tests.installation import TODAY, a_network, approve, carry_out, orders, scan, settle_in, waiting
from tools.execution import OrderState


def test_lines_of_one_sku_on_two_departures_become_transfer_orders_of_their_own(service: Service) -> None:
    van = a_lane("S1", "S2", lead_time_days=1, capacity_microlitres_per_departure=12_000_000)
    settle_in(service, a_network(lanes=(van,)))
    with service.database.transaction() as session:
        activate_policy(session, "2026-12", "otto", "more than one departure")
    scan(service)
    (request,) = waiting(service)
    assert approve(service, request).status is ApprovalStatus.APPROVED
    made = orders(service, request)
    departures = {order.depart_on for order in made}
    assert departures == {TODAY + timedelta(days=days) for days in (1, 2, 3)}
    assert len({(order.sku_id, order.depart_on) for order in made}) == len({order.transfer_id for order in made})
    assert len(made) > len({order.sku_id for order in made})
    for day in departures:
        assert sum(order.units for order in made if order.depart_on == day) <= 12
    with service.database.transaction() as session:
        loads = {load.depart_on: load.units for load in freeze(session).booked}
    assert loads == {day: sum(order.units for order in made if order.depart_on == day) for day in departures}
    carried = carry_out(service, request)
    assert {order.state for order in carried} == {OrderState.SHIPPED}
    assert len({order.erp_id for order in carried}) == len(made)
    assert verify(service.database).verified
