"""Between decision and posting: an order whose units were not all found carries fewer, as far as policy lets it."""

from __future__ import annotations

from pydantic import TypeAdapter
from sqlmodel import Session

from app.governance.state import active_policy
from app.orders.queries import orders_of_approval
from app.orders.steps import missing_units, record
from app.orders.tables import TransferOrder
from app.stock.tables import MasterRow
from policies.approvals import Drift
from tools import saga
from tools.execution import OrderState
from tools.inventory import Sku
from tools.targets import BP

_SKU = TypeAdapter(Sku)


def shrink_to_what_was_found(session: Session, order: TransferOrder) -> bool:
    """Take whole packs off an order that nobody was asked for yet, for the units that the last count did not find.

    The caller holds the order. Beyond the thresholds of the policy in force nothing is done: then the order is not
    carried out at all. What was decided stays on record, and no order ever grows.
    """
    rules = active_policy(session).approvals
    missing = missing_units(session, order) if order.reserved else 0
    master = session.get(MasterRow, ("sku", order.sku_id))
    if rules is None or rules.drift is None or order.state is not OrderState.RELEASED or not missing or master is None:
        return False
    sku = _SKU.validate_python(master.body)
    off = -(-missing // sku.pack_size) * sku.pack_size
    decided = order.decided_units or order.units
    left = order.units - off
    if left < max(sku.min_transfer_units, 1) or not _within(rules.drift, session, order, off):
        return False
    words = (
        f"{missing:,} of its units were not found at {order.origin}: it carries {left:,} of the {decided:,} decided on."
    )
    return shrink_to(session, order, left, words)


def shrink_to(session: Session, order: TransferOrder, units: int, words: str) -> bool:
    """Have an order that nobody was asked for yet carry so many units, and keep what was decided. The caller holds it."""
    decided = order.decided_units or order.units
    done = record(session, order, saga.shrunk(order.facts, units, words, missing_units(session, order)))
    if done:
        order.decided_units = decided
        session.add(order)
    return done


def _within(drift: Drift, session: Session, order: TransferOrder, off: int) -> bool:
    """Whether the line, and all that was approved with it, have lost no more than they may."""
    together = orders_of_approval(session, order.approval_id)
    decided = {each.transfer_id: each.decided_units or each.units for each in together}
    lost = {each.transfer_id: decided[each.transfer_id] - each.units for each in together}
    line_lost = lost[order.transfer_id] + off
    return line_lost * BP <= drift.line_shrink_max_bp * decided[order.transfer_id] and (
        sum(lost.values()) + off
    ) * BP <= drift.plan_shrink_max_bp * sum(decided.values())
