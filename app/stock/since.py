"""The facts now from facts frozen before: what transfers change is read again, and everything else is kept.

Decisions and posts change stock, what is on its way, what has moved and what is booked, many times a minute. Sites,
SKUs, lanes, forecasts and the rest change only with signals and imports, and with the day.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from app.approvals.latency import latency_of_decisions
from app.orders.tables import TransferOrder
from app.stock.facts import booked_loads, own_supply, positions, recent_moves, supply_in_order
from tools.canonical import digest_of_parts
from tools.inventory import InboundSupply, Snapshot

_STILL_HOLDS = (
    "site_by_id", "sku_by_id", "lane_by_key", "forecast_by_key", "replenishment_by_key", "hold_by_key", "demand_table",
)  # fmt: skip
"""What a snapshot has worked out from facts that no transfer changes."""
_PARTS = "the parts of the digest"


def frozen_since(session: Session, before: Snapshot) -> Snapshot:
    """As `freeze`, where no signal and no import has come in since `before` was frozen, on the same day."""
    read: dict[str, Any] = {
        "positions": positions(session, {each.key: each.as_of for each in before.positions}, before.as_of),
        "supply": _supply(session, before.supply),
        "recent_moves": recent_moves(session, before.as_of),
        "booked": booked_loads(session, before.as_of.date(), before.sku_by_id),
        "approval_latency_days": latency_of_decisions(session),
    }
    changed = {name: facts for name, facts in read.items() if facts != getattr(before, name)}
    if not changed:
        return before
    now = replace(before, **changed)
    # A cached property is kept among the attributes of its object: there the next one finds it.
    vars(now).update({name: getattr(before, name) for name in _STILL_HOLDS})
    vars(now)["digest"] = _digest(before, now, changed.keys())
    return now


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


def _digest(before: Snapshot, now: Snapshot, changed: Collection[str]) -> str:
    """The digest of `now`, for which only what has changed is written out."""
    parts: dict[str, bytes] | None = before.worked_out.get(_PARTS)
    if parts is None:
        parts = before.worked_out[_PARTS] = before.identity_parts()
    same = {name: part for name, part in parts.items() if name not in changed}
    return digest_of_parts(same | now.identity_parts(changed))
