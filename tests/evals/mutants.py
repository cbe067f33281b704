"""Faults planted in the product's own code, one at a time: what the simulator has to find."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.approvals import decisions
from app.auth.roles import Principal
from app.errors import ConflictError, EvenkeelError
from app.orders.carrying import Carrier, _outcome_of_look, _outcome_of_post
from evals.simulation.world import MemoryBooks
from policies import signatures
from tools import following, reconcile, saga
from tools.execution import OrderState
from tools.ports import ErpTransfer, ErpTransferState, ErpUncertainError, Refused

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """A fault, by what it does, and how to plant it."""

    name: str
    plant: Patch


def _swallowing(code: str) -> Patch:
    """A rule of authorisation or of the request that is not applied."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        require = Principal.require

        def lax(self: Principal, *args: Any, **more: Any) -> None:
            try:
                require(self, *args, **more)
            except EvenkeelError as refused:
                if refused.code != code:
                    raise

        patch.setattr(Principal, "require", lax)

    return plant


def _open_without(code: str) -> Patch:
    def plant(patch: pytest.MonkeyPatch) -> None:
        require = decisions.require_open_at

        def lax(request: Any, seen: str, now: Any, decided_by: str | None = None) -> None:
            try:
                require(request, seen, now, decided_by)
            except ConflictError as refused:
                if refused.code != code:
                    raise

        patch.setattr(decisions, "require_open_at", lax)

    return plant


def _step(name: str, mutated: Callable[..., Any]) -> Patch:
    """A step of the saga that does something else."""
    return lambda patch: patch.setattr(saga, name, mutated)


def _following(mutated: Callable[..., Any]) -> Patch:
    return lambda patch: patch.setattr(following, "_followed", mutated)


def _without_moves(name: str) -> Patch:
    step = getattr(saga, name)

    def mutated(*args: Any, **more: Any) -> Any:
        made = step(*args, **more)
        return made and replace(made, moves=())

    return _step(name, mutated)


def _as_if(name: str, **fields: object) -> Patch:
    """A step that takes the order for another than it is."""
    step = getattr(saga, name)

    def mutated(order: Any, *args: Any, **more: Any) -> Any:
        made = step(replace(order, **fields), *args, **more)
        return made and replace(
            made, order=replace(made.order, shipped_units=order.shipped_units or made.order.shipped_units)
        )

    return _step(name, mutated)


def _post(body: Callable[..., str]) -> Patch:
    return lambda patch: patch.setattr(Carrier, "post", body)


def _post_without_looking(self: Carrier, transfer_id: Any) -> str:
    with self.books.alone(transfer_id):
        try:
            if not self.books.begin(transfer_id):
                return _outcome_of_post(self.books.read(transfer_id))
            answer = self.erp.create(self.books.read(transfer_id).content)
        except ErpUncertainError:
            return "uncertain"
        return _outcome_of_post(self.books.learn(transfer_id, answer))


def _post_with_a_new_reference(self: Carrier, transfer_id: Any) -> str:
    with self.books.alone(transfer_id):
        try:
            if not self.books.begin(transfer_id):
                return _outcome_of_post(self.books.read(transfer_id))
            content = self.books.read(transfer_id).content
            sent = replace(content, reference=f"{content.reference[:-2]}{len(self.erp.made) % 100:02d}")  # type: ignore[attr-defined]
            answer = self.erp.create(sent)
        except ErpUncertainError:
            return "uncertain"
        if isinstance(answer, ErpTransfer):
            answer = replace(answer, reference=content.reference)
        return _outcome_of_post(self.books.learn(transfer_id, answer))


def _post_taking_silence_for_a_no(self: Carrier, transfer_id: Any) -> str:
    with self.books.alone(transfer_id):
        try:
            answer: Any = self.erp.find(str(transfer_id))
            if answer is not None:
                self.books.found(transfer_id)
            elif not self.books.begin(transfer_id):
                return _outcome_of_post(self.books.read(transfer_id))
            else:
                answer = self.erp.create(self.books.read(transfer_id).content)
        except ErpUncertainError:
            answer = Refused("no answer")
        return _outcome_of_post(self.books.learn(transfer_id, answer))


def _post_before_recording(self: Carrier, transfer_id: Any) -> str:
    """The intention is written down only after the ERP has answered."""
    with self.books.alone(transfer_id):
        if self.books.read(transfer_id).state not in (OrderState.RELEASED, OrderState.REQUESTED):
            return _outcome_of_post(self.books.read(transfer_id))
        try:
            answer: Any = self.erp.find(str(transfer_id)) or self.erp.create(self.books.read(transfer_id).content)
        except ErpUncertainError:
            return "uncertain"
        self.books.begin(transfer_id)
        return _outcome_of_post(self.books.learn(transfer_id, answer))


def _look_without_cancelling(self: Carrier, transfer_id: Any) -> str:
    with self.books.alone(transfer_id):
        order = self.books.read(transfer_id)
        if order.state is OrderState.COMPENSATING and order.reserved:
            return _outcome_of_look(self.books.learn(transfer_id, None))
        try:
            return _outcome_of_look(self.books.learn(transfer_id, self.erp.find(str(transfer_id))))
        except ErpUncertainError:
            return "uncertain"


def _withdrawn_too_late(order: Any, reason: str, missing_units: int = 0) -> Any:
    if order.state not in (OrderState.RELEASED, OrderState.REQUESTED):
        return None
    return saga._voided(
        replace(order, state=OrderState.RELEASED), OrderState.CANCELLED, saga.TransferEvent.CANCELLED, reason, missing_units
    )  # fmt: skip


def _arrived_in_sums(order: Any, found: ErpTransfer, missing_units: int) -> Any:
    """The ERP's totals taken for what is new."""
    if found.received_units and order.has_left:
        is_last = found.state is ErpTransferState.RECEIVED
        return saga.arrived(order, saga.Arrival(found.received_units, 0, is_last=is_last))
    return _FOLLOWED(order, found, missing_units)


def _followed_as_if_unchanged(order: Any, found: ErpTransfer, missing_units: int) -> Any:
    """What a clerk has changed after the confirmation is booked as it was approved."""
    return _FOLLOWED(order, replace(found, units=order.units), missing_units)


def _accepted_unseen(order: Any, found: ErpTransfer, reason: str, missing_units: int = 0) -> Any:
    """Whatever the ERP has, people accept what was approved."""
    as_approved = replace(found, units=min(found.units, order.units), sku_id=order.sku_id)
    return _ACCEPTED(replace(order, erp_id=found.erp_id), as_approved, reason, missing_units)


_ACCEPTED = saga.accepted
_FOLLOWED = following._followed
_ARRIVED = saga.arrived


def _arrived_uncapped(order: Any, arrival: Any) -> Any:
    made = _ARRIVED(order, arrival)
    if made is None:
        return None
    return replace(made, order=replace(made.order, received_units=order.received_units + arrival.units))


def _left_and_voided(order: Any, why: str) -> Any:
    made = _LEFT(order, why)
    if made is None or not order.reserved:
        return made
    moves = (saga.void(order.sku_id, order.lane, order.units),)
    return replace(made, order=replace(made.order, reserved=False), moves=moves)


_LEFT = saga.left_to_people


def _differences_without(kind: reconcile.DifferenceKind) -> Patch:
    def plant(patch: pytest.MonkeyPatch) -> None:
        every = reconcile.differences
        patch.setattr(
            reconcile, "differences", lambda *both: tuple(each for each in every(*both) if each.kind is not kind)
        )

    return plant


def _no_lock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryBooks, "alone", lambda self, transfer_id: nullcontext(lambda: None))


MUTANTS = (
    Mutant("the digest that was seen is not compared", _open_without("other_plan")),
    Mutant("a request that has expired is still open", _open_without("expired")),
    Mutant("a request that is decided is still open", _open_without("already_decided")),
    Mutant("authors and editors may approve", _swallowing("four_eyes")),
    Mutant("sites out of scope do not count", _swallowing("scope")),
    Mutant("the value limit does not count", _swallowing("value_limit")),
    Mutant("any role may approve", _swallowing("role")),
    Mutant("the kill switch does not hold approvals", _swallowing("kill_switch")),
    Mutant("one person signs twice", lambda patch: patch.setattr(signatures, "_one_each", tuple)),
    Mutant("one signature is always enough", lambda patch: patch.setattr(signatures, "missing", lambda *_: ())),
    Mutant("the ERP is not asked whether it has the transfer", _post(_post_without_looking)),
    Mutant("each request has a new reference", _post(_post_with_a_new_reference)),
    Mutant("silence is taken for a no", _post(_post_taking_silence_for_a_no)),
    Mutant("the intention is recorded after the act", _post(_post_before_recording)),
    Mutant("two conversations about one transfer at once", _no_lock),
    Mutant("that the ERP has none counts at once", lambda patch: patch.setattr(Carrier, "_is_settled", lambda *_: True)),
    Mutant("the reservation goes before the ERP has cancelled",
           lambda patch: patch.setattr(Carrier, "look", _look_without_cancelling)),
    Mutant("the kill switch is not asked before a post",
           _step("may_be_asked_for", lambda order: order.state is OrderState.REQUESTED)),
    Mutant("what a stop held goes on by itself at its release", _step("held", lambda _order, _stop: None)),
    Mutant("the world is not asked before a post", _step("begun", lambda order, _reasons, _missing=0, *, stop=None:
                                                         saga.held(order, stop) if stop or order.held_by else
                                                         saga.requested(order))),
    Mutant("an order may be taken back after it was asked for", _step("withdrawn", _withdrawn_too_late)),
    Mutant("a refusal keeps the reservation", _without_moves("refused")),
    Mutant("a cancellation keeps the reservation", _without_moves("cancelled")),
    Mutant("goods leave without leaving the shelf", _without_moves("shipped")),
    Mutant("arrivals are not booked", _without_moves("arrived")),
    Mutant("arrivals beyond what left are counted as received", _step("arrived", _arrived_uncapped)),
    Mutant("the ERP's totals are taken for what is new", _following(_arrived_in_sums)),
    Mutant("units that a clerk has changed are booked as if unchanged", _following(_followed_as_if_unchanged)),
    Mutant("what people accept is not compared with what the ERP has", _step("accepted", _accepted_unseen)),
    Mutant("returns are not booked", _without_moves("returned")),
    Mutant("losses are not booked", _without_moves("written_off")),
    Mutant("doubt takes the reservation back", _step("left_to_people", _left_and_voided)),
    Mutant("other content under our reference is taken",
           lambda patch: patch.setattr(ErpTransfer, "differs_from", lambda *_: False)),
    Mutant("goods that had left count as cancelled", _as_if("cancelled", reserved=True, state=OrderState.CONFIRMED)),
    Mutant("orders are never closed", _step("closed", lambda _order: None)),
    Mutant("what lives on in the ERP is not reported", _differences_without(reconcile.DifferenceKind.ALIVE_THERE)),
    Mutant("what hands have made in the ERP is not reported", _differences_without(reconcile.DifferenceKind.UNKNOWN_HERE)),
)  # fmt: skip
