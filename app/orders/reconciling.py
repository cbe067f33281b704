"""The ERP and our books side by side: what the ERP has done is taken over, and what does not agree is told to people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, Uuid, any_, cast
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.auth.roles import Act, Principal
from app.db.database import Database, database_now
from app.db.upsert import upsert
from app.errors import ConflictError, InvalidError, NotFoundError
from app.ledger.append import EventType, append
from app.ledger.reasons import reason_of
from app.orders.carrying import Carrier
from app.orders.steps import take
from app.orders.tables import ErpDifference, ErpReading, TransferOrder
from tools import following, saga
from tools.execution import OrderState
from tools.ports import ErpPort, ErpTransfer, ErpTransferState, Refused
from tools.reconcile import Correction, Difference, DifferenceKind, difference, differences

OVERLAP = timedelta(minutes=10)
"""How far back each reading of changes begins before the last one ended: clocks differ, and the ERP commits late."""
HORIZON = timedelta(days=90)
"""How far back the two are laid side by side."""
STREAM = "reconciliation"
_FOLLOWED = (OrderState.CONFIRMED, OrderState.SHIPPED, OrderState.PARTIALLY_RECEIVED, OrderState.COMPENSATING)
_FOR_PEOPLE = (Correction.COUNT, Correction.LEAVE_TO_PEOPLE)
"""Corrections that change nothing in the ERP: what they settled is seen again for as long as it is there."""
_NAMES = UUID("6b1b7f2e-51c8-4f1a-9a4e-3f8f0d7b6a11")


def follow(database: Database, carrier: Carrier) -> int:
    """Take over what has changed in the ERP since it was last read: departures, receipts, cancellations. Returns how many orders moved.

    Raises ErpUncertainError where the ERP does not answer; then the next reading begins where this one did.
    """
    with database.transaction() as session:
        if (
            session.exec(select(TransferOrder.transfer_id).where(col(TransferOrder.state).in_(_FOLLOWED))).first()
            is None
        ):
            return 0
        now, reading = database_now(session), session.get(ErpReading, 1)
        since = now - HORIZON if reading is None else reading.read_until - OVERLAP
    changed = carrier.erp.list_transfers(since)
    moved = sum(take_over(database, carrier, transfer) for transfer in changed)
    with database.transaction() as session:
        upsert(session, ErpReading, [{"row_no": 1, "read_until": now}])
    return moved


def take_over(database: Database, carrier: Carrier, transfer: ErpTransfer) -> bool:
    """Book what the ERP says about a transfer, if that is news. It says totals, so the same news again is none."""
    transfer_id = _as_id(transfer.reference)
    if transfer_id is None:
        return False
    with database.transaction() as session:
        order = session.get(TransferOrder, transfer_id)
        if order is None or order.state not in _FOLLOWED or following.learned(order.facts, transfer) is None:
            return False
    with carrier.books.alone(transfer_id):
        carrier.books.learn(transfer_id, transfer)
    return True


def reconcile(database: Database, erp: ErpPort) -> Sequence[Difference]:
    """Lay the ERP and the books side by side, and keep what does not agree for people. Corrects nothing.

    The ERP is read first, so an order that goes on meanwhile only looks further than the ERP:
    each difference is looked at again, alone, before it is kept. Raises ErpUncertainError.
    """
    with database.transaction() as session:
        since = database_now(session) - HORIZON
    transfers = {transfer.reference: transfer for transfer in erp.list_transfers(since)}
    with database.transaction() as session:
        orders = {str(row.transfer_id): row.facts for row in session.exec(_to_compare(transfers, since)).all()}
    found = [each for each in differences(orders, transfers) if _still_differs(database, erp, each)]
    with database.transaction() as session:
        _keep(session, found)
    return found


def _to_compare(references: Iterable[str], since: datetime) -> SelectOfScalar[TransferOrder]:
    """The orders that the ERP has told of, and those that it should have: it has had them, and they changed since then."""
    told = [found for each in references if (found := _as_id(each)) is not None and str(found) == each]
    had = col(TransferOrder.erp_id).is_not(None) & (col(TransferOrder.state_at) >= since)
    return select(TransferOrder).where((col(TransferOrder.transfer_id) == any_(cast(told, ARRAY(Uuid)))) | had)


def _still_differs(database: Database, erp: ErpPort, seen: Difference) -> bool:
    transfer_id = _as_id(seen.reference)
    with database.transaction() as session:
        order = None if transfer_id is None else session.get(TransferOrder, transfer_id)
        if order is None:
            return True
        facts = order.facts
    again = difference(facts, erp.find(seen.reference))
    return again is not None and again.kind is seen.kind


def _keep(session: Session, found: Sequence[Difference]) -> None:
    """Open what is new, and close what has gone by itself. What a person has settled is not opened again as it was."""
    now = database_now(session)
    still = {(each.reference, each.kind) for each in found}
    for row in session.exec(
        select(ErpDifference).where(col(ErpDifference.settled_at).is_(None)).with_for_update()
    ).all():
        if (row.reference, row.kind) in still:
            still.discard((row.reference, row.kind))
        else:
            row.settled_at, row.reason = now, "it is gone"
            session.add(row)
    settled = _settled(session, {reference for reference, _ in still})
    for each in found:
        if (each.reference, each.kind) in still and (each.reference, each.kind, each.words) not in settled:
            difference_id = uuid5(_NAMES, f"{each.reference}/{each.kind}/{now.isoformat()}")
            session.add(
                ErpDifference(
                    difference_id=difference_id, reference=each.reference, kind=each.kind, words=each.words,
                    correction=each.correction, found_at=now,
                )
            )  # fmt: skip


def _settled(session: Session, references: set[str]) -> set[tuple[str, DifferenceKind, str]]:
    """What people have settled about these references, in the words of then: other content has other words."""
    rows = session.exec(
        select(ErpDifference).where(
            col(ErpDifference.reference).in_(references), col(ErpDifference.settled_by).is_not(None),
            col(ErpDifference.correction).in_(_FOR_PEOPLE),
        )
    )  # fmt: skip
    return {(row.reference, row.kind, row.words) for row in rows}


def open_differences(session: Session, caller: Principal) -> list[ErpDifference]:
    """What is not settled, the oldest first. It spans every site and SKU."""
    caller.require(Act.RESOLVE)
    caller.require_everything("the reconciliation with the ERP")
    query = select(ErpDifference).where(col(ErpDifference.settled_at).is_(None))
    return list(session.exec(query.order_by(col(ErpDifference.found_at), ErpDifference.reference)).all())


def settle_difference(
    database: Database, erp: ErpPort, caller: Principal, difference_id: UUID, reason: str
) -> ErpDifference:
    """Carry out the correction that was proposed, as things are now. The reason is recorded.

    Raises ForbiddenError, NotFoundError, InvalidError without a reason, ConflictError where
    it is settled already or the ERP refuses, and ErpUncertainError.
    """
    if not reason.strip():
        raise InvalidError("reason_missing", "a correction needs a reason", "say why in a few words")
    with database.transaction() as session:
        row = _open_one(session, caller, difference_id)
        reference, correction = row.reference, row.correction
    if correction is Correction.CANCEL_THERE:
        _cancel_there(erp, reference)
    answer = erp.find(reference) if correction is Correction.CATCH_UP else None
    with database.transaction() as session:
        row = _open_one(session, caller, difference_id, lock=True)
        _correct(session, row, answer, caller.user_id)
        row.settled_at, row.settled_by, row.reason = database_now(session), caller.user_id, reason.strip()
        session.add(row)
        append(
            session, stream=STREAM, key=f"difference/{difference_id}", event_type=EventType.ERP_DIFFERENCE_SETTLED,
            actor=caller.user_id,
            facts={"transfer_id": reference, "kind": row.kind, "correction": correction},
            sealed=reason_of(caller.user_id, reason=reason.strip()),
        )  # fmt: skip
        return row


def _open_one(session: Session, caller: Principal, difference_id: UUID, *, lock: bool = False) -> ErpDifference:
    caller.require(Act.RESOLVE)
    caller.require_everything("the reconciliation with the ERP")
    row = session.get(ErpDifference, difference_id, with_for_update=lock or None, populate_existing=lock)
    if row is None:
        raise NotFoundError("unknown_difference", f"there is no difference {difference_id}", "list them again")
    if row.settled_at is not None:
        raise ConflictError("settled", "the difference is settled already", "list them again")
    return row


def _cancel_there(erp: ErpPort, reference: str) -> None:
    answer = erp.cancel(reference)
    if isinstance(answer, Refused) or answer.state is not ErpTransferState.CANCELLED:
        why = answer.reason if isinstance(answer, Refused) else f"it is {answer.state}"
        raise ConflictError("erp_refused", f"the ERP does not cancel {reference}: {why}", "count both ends")


def _correct(session: Session, row: ErpDifference, answer: ErpTransfer | None, actor: str) -> None:
    transfer_id = _as_id(row.reference)
    order = None if transfer_id is None else session.get(TransferOrder, transfer_id)
    if order is None:
        return
    words = row.words
    if row.correction is Correction.CATCH_UP:
        take(
            session,
            order.transfer_id,
            lambda facts, missing: following.learned(facts, answer, missing) or saga.closed(facts),
            actor=actor,
        )
    elif row.correction is Correction.LEAVE_TO_PEOPLE:
        take(session, order.transfer_id, lambda facts, _missing: saga.left_to_people(facts, words), actor=actor)


def _as_id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None
