"""The facts now from facts frozen before: what transfers change is read again, and everything else is kept.

Decisions and posts change stock, what is on its way, what has moved and what is booked, many times a minute. Sites,
SKUs, lanes, forecasts and the rest change only with signals and imports, and with the day.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from app.approvals.latency import latency_of_decisions
from app.orders.tables import TransferOrder
from app.stock.facts import booked_loads, own_supply, positions, recent_moves, supply_in_order
from tools.inventory import InboundSupply, Snapshot
from tools.reservations import changed_by_transfers


def frozen_since(session: Session, before: Snapshot) -> Snapshot:
    """As `freeze`, where no signal and no import has come in since `before` was frozen, on the same day."""
    read: dict[str, Any] = {
        "positions": positions(session, {each.key: each.as_of for each in before.positions}, before.as_of),
        "supply": _supply(session, before.supply),
        "recent_moves": recent_moves(session, before.as_of),
        "booked": booked_loads(session, before.as_of.date(), before.sku_by_id),
        "approval_latency_days": latency_of_decisions(session),
    }
    return changed_by_transfers(before, read)


def _supply(session: Session, before: tuple[InboundSupply, ...]) -> tuple[InboundSupply, ...]:
    """Our own transfers as they are now, and what was on its way besides them.

    What was reported under a reference of ours is left out, also when the transfer is over.
    """
    own = own_supply(session)
    ours = {row.reference for row in own}
    asked = [found for row in before if row.reference not in ours and (found := _as_transfer(row.reference))]
    if asked:
        query = select(TransferOrder.transfer_id).where(col(TransferOrder.transfer_id).in_(asked))
        ours |= {str(each) for each in session.exec(query).all()}
    return supply_in_order([*own, *(row for row in before if row.reference not in ours)])


def _as_transfer(reference: str) -> UUID | None:
    """The transfer that the reference would be, if it is written as ours are."""
    try:
        found = UUID(reference)
    except ValueError:
        return None
    return found if str(found) == reference else None
