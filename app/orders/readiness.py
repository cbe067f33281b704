"""Whether the world still admits an approved order: asked again right before the ERP is asked to move anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from pydantic import TypeAdapter
from sqlmodel import Session, col, select

from app.approvals.standing import reasons_not_to_rely_on
from app.governance.state import active_policy
from app.orders.tables import TransferOrder
from app.stock.installation import installation, planning_now
from app.stock.tables import DataHoldRow, MasterRow, StockCountRow
from policies.limits import closed_for
from tools.inventory import Lane, Site, Sku, Snapshot

MasterT = TypeVar("MasterT")
_SITE, _SKU, _LANE = TypeAdapter(Site), TypeAdapter(Sku), TypeAdapter(Lane)


def reasons_against(session: Session, order: TransferOrder) -> tuple[str, ...]:
    """Why the order may not be posted any more, in sentences for people; empty when it may.

    Units stay promised from the decision on, so what is asked is what can change
    beside them: policy, master data, the quality of the data, the day, a count that
    found less than is promised, and what those who approved it may.
    """
    return tuple(_reasons(session, order))


def short_units(session: Session, order: TransferOrder) -> int:
    """How many promised units the last count at the origin did not find."""
    count = session.get(StockCountRow, (order.origin, order.sku_id))
    return count.short_units if count else 0


def _reasons(session: Session, order: TransferOrder) -> Iterator[str]:
    today = planning_now(session).date()
    if order.depart_on < today:
        yield f"Its departure of {order.depart_on} has passed."
    short = short_units(session, order)
    if short:
        yield f"{order.origin} was counted {short:,} units short of what it has promised of {order.sku_id}."
    held = select(DataHoldRow).where(
        col(DataHoldRow.site_id).in_((order.origin, order.destination)), DataHoldRow.sku_id == order.sku_id
    )
    for hold in session.exec(held).all():
        yield f"The data of {hold.sku_id} at {hold.site_id} is held back ({hold.check_name})."
    yield from _policy_reasons(session, order)
    yield from reasons_not_to_rely_on(session, order.approval_id)


def _policy_reasons(session: Session, order: TransferOrder) -> Iterator[str]:
    lane = _master(session, "lane", f"{order.origin}/{order.destination}/{order.mode}", _LANE)
    sku = _master(session, "sku", order.sku_id, _SKU)
    ends = [_master(session, "site", site_id, _SITE) for site_id in (order.origin, order.destination)]
    sites = tuple(site for site in ends if site is not None)
    if lane is None or sku is None or len(sites) < 2:
        yield "Its lane, SKU or one of its sites is not known any more."
        return
    facts = Snapshot(
        as_of=planning_now(session), currency=installation(session).currency or "", sites=sites, skus=(sku,),
        lanes=(lane,), positions=(),
    )  # fmt: skip
    rule = closed_for(active_policy(session), facts, sku, lane)
    if rule is not None:
        yield f"The policy in force does not admit {order.sku_id} on {lane.key.label} ({rule.replace('_', ' ')})."


def _master(session: Session, kind: str, key: str, adapter: TypeAdapter[MasterT]) -> MasterT | None:
    row = session.get(MasterRow, (kind, key))
    return None if row is None else adapter.validate_python(row.body)
