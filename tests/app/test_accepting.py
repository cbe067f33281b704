"""People accept what the ERP has of an order: the same goods, as they are there now, and never more than was approved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import col, select

from app.erp.simulated import Faults, SimulatedErp
from app.errors import ConflictError, InvalidError, UnavailableError
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.orders.attention import act
from app.orders.tables import TransferOrder
from app.service import Service
from tests.installation import OTTO, approve, balances, carry_out, orders, submitted
from tools.execution import OrderState
from tools.moves import available, reserved
from tools.saga import Action


class Posted:
    """An order that the ERP has confirmed, and a clerk there."""

    def __init__(self, service: Service, erp: SimulatedErp) -> None:
        self.service, self.erp = service, erp
        request = submitted(service)
        approve(service, request)
        self.order = min(carry_out(service, request), key=lambda order: order.sku_id)
        self.reference = str(self.order.transfer_id)
        assert self.order.state is OrderState.CONFIRMED

    def changed(self, **fields: object) -> None:
        """What a clerk changes in the ERP."""
        for name, value in fields.items():
            self.erp._change(self.reference, f"{name} = ?", value)

    def look(self) -> TransferOrder:
        """The order once the ERP was asked about it."""
        self.service.look(self.order.transfer_id)
        return self.now()

    def now(self) -> TransferOrder:
        return next(each for each in orders(self.service) if each.transfer_id == self.order.transfer_id)

    def accept(self, units: int | None) -> TransferOrder:
        with self.service.database.transaction() as session:
            return act(
                session, OTTO, self.order.transfer_id, Action.ACCEPT, "it is packed so", units,
                erp=self.service.carrier.erp,
            )  # fmt: skip

    def refused(self, units: int) -> ConflictError:
        """What is said to somebody who wants to accept; nothing has changed then."""
        before = self.now().model_dump()
        with pytest.raises(ConflictError) as refusal:
            self.accept(units)
        assert self.now().model_dump() == before
        return refusal.value

    def last_event(self) -> tuple[str, dict[str, object]]:
        query = select(LedgerEvent.type, LedgerEvent.body).where(
            col(LedgerEvent.key).startswith(f"transfer/{self.reference}/")
        )
        with self.service.database.transaction() as session:
            kind, body = session.exec(query.order_by(col(LedgerEvent.seq).desc())).all()[0]
        return kind, json.loads(body)["facts"]


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


@pytest.fixture
def posted(open_with: Callable[..., Service], tmp_path: Path) -> Posted:
    erp = SimulatedErp(tmp_path / "erp", Faults(ships_after_looks=1_000))
    return Posted(open_with(erp=erp), erp)


@pytest.mark.parametrize("other", [{"sku_id": "P2"}, {"origin": "S3"}, {"destination": "S3"}])
def test_nobody_has_another_sku_or_other_sites_booked_as_what_was_approved(
    posted: Posted, other: dict[str, str]
) -> None:
    posted.changed(**other)
    told = posted.look()
    assert (told.state, told.actions) == (OrderState.NEEDS_ATTENTION, (Action.ASK_AGAIN, Action.CANCEL))
    refusal = posted.refused(told.units)
    assert (refusal.code, refusal.where["erp_id"]) == ("erp_has_other", f"SIM-{posted.reference[:8]}")
    posted.erp.ship_by_hand(posted.reference)
    assert posted.look().shipped_units == 0
    assert verify(posted.service.database).verified


def test_nobody_accepts_more_than_was_approved(posted: Posted) -> None:
    units = posted.order.units
    posted.changed(units=5_000)
    told = posted.look()
    assert Action.ACCEPT not in told.actions
    refusal = posted.refused(units)
    assert (refusal.code, refusal.detail) == (
        "erp_has_other", f"the ERP has 5,000 units under our reference, {units} were approved"
    )  # fmt: skip
    with pytest.raises(InvalidError, match="looked up"):
        posted.accept(5_000)
    posted.erp.ship_by_hand(posted.reference)
    assert (posted.look().state, posted.now().shipped_units) == (OrderState.NEEDS_ATTENTION, 0)


def test_what_has_changed_in_the_erp_since_somebody_looked_is_not_accepted(posted: Posted) -> None:
    units = posted.order.units
    posted.changed(units=units - 1)
    assert Action.ACCEPT in posted.look().actions
    posted.changed(units=units - 2)
    refusal = posted.refused(units - 1)
    assert (refusal.code, refusal.where["units"]) == ("erp_has_other_units", units - 2)
    posted.changed(sku_id="P2")
    assert posted.refused(units - 2).code == "erp_has_other"
    posted.erp.cancel_by_hand(posted.reference)
    assert posted.refused(units - 2).code == "erp_has_none"


def test_nothing_of_a_transfer_that_the_erp_has_forgotten_is_accepted(posted: Posted) -> None:
    with posted.erp._open() as connection:
        connection.execute("delete from transfer where reference = ?", (posted.reference,))
    told = posted.look()
    assert (told.state, told.actions) == (OrderState.NEEDS_ATTENTION, (Action.ASK_AGAIN, Action.CANCEL))
    assert posted.refused(1).code == "erp_has_none"
    with posted.service.database.transaction() as session:
        assert balances(session)[reserved(told.origin), told.sku_id] >= told.units, "doubt gives nothing back"


@pytest.mark.parametrize("less", [0, 2])
def test_what_was_accepted_is_on_record_and_goes_on_as_it_is_in_the_erp(posted: Posted, less: int) -> None:
    order, units = posted.order, posted.order.units - less
    with posted.service.database.transaction() as session:
        before = balances(session)[available(order.origin), order.sku_id]
    posted.changed(units=order.units - 3)
    posted.look()
    posted.changed(units=units)
    done = posted.accept(units)
    assert (done.state, done.units, done.attention) == (OrderState.CONFIRMED, units, None)
    kind, facts = posted.last_event()
    assert kind == (EventType.TRANSFER_SHRUNK if less else EventType.TRANSFER_RESUMED)
    accepted = {
        "sku_id": order.sku_id, "origin": order.origin, "destination": order.destination, "units": units,
        "erp_id": f"SIM-{posted.reference[:8]}", "action": "accept",
    }  # fmt: skip
    assert accepted.items() <= facts.items()
    posted.erp.ship_by_hand(posted.reference)
    assert posted.look().shipped_units == units
    with posted.service.database.transaction() as session:
        assert balances(session)[available(order.origin), order.sku_id] == before + less
    assert verify(posted.service.database).verified


@pytest.mark.parametrize("later", [{"units": 3}, {"sku_id": "P2"}, {"destination": "S3"}])
def test_what_a_clerk_changes_after_it_was_accepted_is_asked_about_anew(
    posted: Posted, later: dict[str, object]
) -> None:
    posted.changed(units=posted.order.units - 1)
    posted.look()
    posted.accept(posted.order.units - 1)
    posted.changed(**later)
    posted.erp.ship_by_hand(posted.reference)
    told = posted.look()
    assert (told.state, told.shipped_units) == (OrderState.NEEDS_ATTENTION, 0)


def test_while_the_erp_does_not_answer_nothing_is_accepted_and_nobody_waits_for_it(posted: Posted) -> None:
    posted.changed(units=posted.order.units - 1)
    posted.look()
    before = posted.now().model_dump()
    posted.erp.faults = Faults(lost_before=1.0)
    with pytest.raises(UnavailableError) as refusal:
        posted.accept(posted.order.units - 1)
    assert refusal.value.code == "erp_uncertain"
    assert posted.now().model_dump() == before


def test_the_erp_is_not_asked_about_an_order_that_there_is_nothing_to_accept_of(posted: Posted) -> None:
    looked = posted.erp.calls("find")
    assert posted.refused(posted.order.units).code == "not_possible"
    assert posted.erp.calls("find") == looked


def test_an_order_is_not_locked_while_the_erp_is_asked_about_it(posted: Posted) -> None:
    posted.changed(units=posted.order.units - 1)
    posted.look()

    class _Asked:
        """The ERP, while somebody else does something about the order."""

        def find(self, reference: str) -> object:
            with posted.service.database.transaction() as session:
                act(session, OTTO, posted.order.transfer_id, Action.CANCEL, "not any more", erp=posted.erp)
            return posted.erp.find(reference)

    with posted.service.database.transaction() as session, pytest.raises(ConflictError) as refusal:
        act(
            session, OTTO, posted.order.transfer_id, Action.ACCEPT, "it is packed so", posted.order.units - 1,
            erp=_Asked(),  # type: ignore[arg-type]  # of the port only what is asked here
        )  # fmt: skip
    assert refusal.value.code == "not_possible"
    assert posted.now().state is OrderState.COMPENSATING
