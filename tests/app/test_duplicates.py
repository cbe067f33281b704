"""Thousands of deliveries of a handful of things, at once and in any order: each thing has its one effect.

Ten thousand of them: `make duplicates`.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy import text

from app.erp.simulated import SimulatedErp
from app.errors import ConflictError
from app.events.inbox import add_source
from app.ledger.verify import verify
from app.orders.reconciling import take_over
from app.service import Service
from tests.app.events.test_event_fabric import send_in, signal
from tests.installation import OTTO, approve, balances, orders, scan, settle_in, waiting
from tools.execution import OrderState
from tools.moves import reserved
from tools.ports import ErpTransfer, ErpTransferState

DELIVERIES = int(os.environ.get("EVENKEEL_DUPLICATES", "1000"))
SIGNALS, RECEIVED_UNITS = 5, 2


def effects(service: Service) -> dict[str, int]:
    """How much is on record: the ledger's events by type, and signals."""
    with service.database.engine.connect() as connection:
        events = connection.execute(text("select type, count(*) as many from ledger_event group by type")).all()
        signals = connection.execute(text("select count(*) from signal where source = 'wms'")).scalar_one()
    return {**{row.type: row.many for row in events}, "signals": signals}


def test_however_often_and_in_whatever_order_a_handful_of_things_is_delivered_each_has_its_one_effect(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = SimulatedErp(tmp_path / "erp")
    service = open_with(erp=erp)
    settle_in(service)
    with service.database.transaction() as session:
        secret = add_source(session, OTTO, "wms", ["S1"]).secret or ""
    signals = [partial(send_in, service.database, secret, signal(number)) for number in range(SIGNALS)]
    for send in signals:  # a count that is new would change what the plan rests on
        send()
    scan(service)
    (request,) = waiting(service)
    approve(service, request)
    placed = orders(service)

    refusals: Counter[str] = Counter()

    def told(order_id: str) -> bool:
        found = erp.find(order_id)
        return found is not None and take_over(service.database, service.carrier, _partly_received(found))

    def decided_again() -> None:
        try:
            approve(service, request)
        except ConflictError as no:
            refusals[no.code] += 1

    kinds: list[Callable[[], object]] = [
        partial(service.resume_thread, request.approval_id),
        partial(service.release, request.approval_id),
        decided_again,
        *(partial(service.post, order.transfer_id) for order in placed),
        *(partial(service.look, order.transfer_id) for order in placed),
        *(partial(told, str(order.transfer_id)) for order in placed),
        *signals,
    ]
    chance = random.Random(1)
    every = [*kinds, *(chance.choice(kinds[1:]) for _ in range(DELIVERIES - len(kinds)))]
    with ThreadPoolExecutor(4) as pool:
        for delivery in [pool.submit(each) for each in chance.sample(every, len(every))]:
            delivery.result()
        for each in kinds:
            each()
    assert refusals.keys() == {"already_decided"}
    assert Counter(erp.applied()) == {str(order.transfer_id): 1 for order in placed}
    found = orders(service)
    assert {order.state for order in found} == {OrderState.PARTIALLY_RECEIVED}
    assert {order.received_units for order in found} == {RECEIVED_UNITS}
    recorded = effects(service)
    assert recorded["transfer_posted"] == recorded["transfer_shipped"] == len(placed)
    assert (recorded["plan_approved"], recorded["signals"]) == (1, SIGNALS)
    with service.database.transaction() as session:
        stock = balances(session)
    for order in placed:
        assert (reserved(order.origin), order.sku_id) not in stock
    assert sum(units for (place, _), units in stock.items() if place.startswith("transit")) == sum(
        order.units - RECEIVED_UNITS for order in placed
    )
    assert verify(service.database).problems == ()


def _partly_received(transfer: ErpTransfer) -> ErpTransfer:
    return replace(transfer, state=ErpTransferState.PARTIALLY_RECEIVED, received_units=RECEIVED_UNITS)
