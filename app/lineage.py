"""Where a transfer comes from and what became of it: signals, snapshot, policy, plan, llm and solver, decision, receipts.

What is kept from a caller elsewhere is kept from them here: sites outside their own are
not named, SKUs that they have no clearance for are masked, and signals that say nothing
about sites of theirs are counted.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, col, select

from app.approvals.predecessors import predecessors
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest, ApprovalSignature
from app.approvals.views import ApprovalView, approval_view
from app.auth.roles import Act, Principal
from app.errors import NotFoundError
from app.ledger.append import EventType, plan_stream, stock_stream
from app.ledger.tables import LeafRow, LedgerEvent
from app.orders.steps import get_order
from app.orders.tables import Receipt, TransferOrder
from app.plans.provenance import ProvenanceView, provenance_view
from app.plans.store import read_snapshot
from app.plans.tables import PlanRow, SnapshotRow
from app.stock.tables import SignalRow
from app.views import OrderView, names_for, order_view
from graphs.names import Names
from policies.library import released
from tools.inventory import SignalRef, Snapshot

_SIGNALS_AT_ONCE = 500


class SignatureView(BaseModel):
    """One person's approval, and whose authority it rests on."""

    signed_by: str
    authority: str
    signed_at: datetime
    seen_digest: str


class ReceiptView(BaseModel):
    """What a destination reported as arrived."""

    receipt_key: str
    units: int
    damaged_units: int
    is_last: bool
    received_at: datetime
    received_by: str


class SignalView(BaseModel):
    """A signal that the snapshot rests on, and that speaks of the SKU or the sites of the transfer."""

    source: str
    signal_id: str
    kind: str
    verdict: str
    digest: str
    stated_at: datetime


class LineageEvent(BaseModel):
    """An event of the ledger about the transfer or its plan. `position` is its place in the order over all streams."""

    type: str
    occurred_at: datetime
    actor: str
    stream: str
    seq: int
    hash: str
    position: int | None


class PredecessorView(BaseModel):
    """A plan that was edited, or approved in part, on the way to the plan of the transfer."""

    plan_digest: str
    approval_id: UUID
    requested_by: str
    requested_at: datetime
    authors: list[str]
    planned_at: datetime
    policy: str
    provenance: ProvenanceView | None

    @property
    def words(self) -> str:
        """What it is put down to, in one line."""
        return "nothing says how it was asked for" if self.provenance is None else self.provenance.words


class LineageView(BaseModel):
    """Everything that led to a transfer, and everything that followed."""

    order: OrderView
    receipts: list[ReceiptView]
    approval: ApprovalView
    signatures: list[SignatureView]
    planned_at: datetime
    policy: str
    policy_digest: str
    provenance: ProvenanceView | None
    predecessors: list[PredecessorView]
    """The plans that its plan was edited from, the nearest first. `events` tells what the ledger holds about each."""
    snapshot_digest: str
    snapshot_as_of: datetime
    snapshot_frozen_at: datetime
    signals: list[SignalView]
    signals_hidden: int
    events: list[LineageEvent]


def lineage(session: Session, principal: Principal, transfer_id: UUID) -> LineageView:
    """The lineage of a transfer. Raises ForbiddenError, and NotFoundError where it touches none of the caller's sites."""
    principal.require(Act.READ)
    order = get_order(session, transfer_id)
    if not principal.touches((order.origin, order.destination)):
        raise NotFoundError("unknown_order", f"there is no transfer order {transfer_id}", "check the id")
    plan, request = session.get_one(PlanRow, order.plan_digest), get_request(session, order.approval_id)
    frozen = session.get_one(SnapshotRow, plan.snapshot_digest)
    snapshot = read_snapshot(session, plan.snapshot_digest)
    names = names_for(session, principal, snapshot)
    signals, hidden = _signals(session, principal, order, snapshot, names)
    before = predecessors(session, plan.digest, request.attempt)
    return LineageView(
        order=order_view(session, principal, order),
        receipts=_receipts(session, order),
        approval=approval_view(session, principal, request),
        signatures=_signatures(session, order.approval_id),
        planned_at=plan.planned_at,
        policy=released(plan.policy_digest).label,
        policy_digest=plan.policy_digest,
        provenance=provenance_view(session, plan.digest, request.attempt),
        predecessors=[_predecessor(session, each) for each in before],
        snapshot_digest=plan.snapshot_digest,
        snapshot_as_of=frozen.as_of,
        snapshot_frozen_at=frozen.frozen_at,
        signals=signals,
        signals_hidden=hidden,
        events=_events(session, order, [request, *before], names),
    )


def _predecessor(session: Session, request: ApprovalRequest) -> PredecessorView:
    plan = session.get_one(PlanRow, request.plan_digest)
    return PredecessorView(
        plan_digest=plan.digest, approval_id=request.approval_id, requested_by=request.requested_by,
        requested_at=request.requested_at, authors=request.authors, planned_at=plan.planned_at,
        policy=released(plan.policy_digest).label, provenance=provenance_view(session, plan.digest, request.attempt),
    )  # fmt: skip


def _receipts(session: Session, order: TransferOrder) -> list[ReceiptView]:
    query = select(Receipt).where(Receipt.transfer_id == order.transfer_id).order_by(col(Receipt.received_at))
    return [ReceiptView.model_validate(row, from_attributes=True) for row in session.exec(query).all()]


def _signatures(session: Session, approval_id: UUID) -> list[SignatureView]:
    query = select(ApprovalSignature).where(ApprovalSignature.approval_id == approval_id)
    rows = session.exec(query.order_by(col(ApprovalSignature.signed_at))).all()
    return [SignatureView.model_validate(row, from_attributes=True) for row in rows]


def _signals(
    session: Session, principal: Principal, order: TransferOrder, snapshot: Snapshot, names: Names
) -> tuple[list[SignalView], int]:
    """Signals of the snapshot that speak of this SKU at one of the two sites, or of the lane; how many are not shown."""
    shown, hidden = [], 0
    for ref, row in _kept(session, snapshot.lineage):
        spoken_of = _spoken_of(row, order)
        if not spoken_of:
            continue
        if not principal.touches(spoken_of):
            hidden += 1
            continue
        shown.append(_signal_view(ref, row, names))
    return shown, hidden


def _kept(session: Session, refs: Sequence[SignalRef]) -> Iterator[tuple[SignalRef, SignalRow]]:
    """The signals that are still kept, as they came; so many at once that memory does not grow with the snapshot."""
    for first in range(0, len(refs), _SIGNALS_AT_ONCE):
        batch = refs[first : first + _SIGNALS_AT_ONCE]
        query = select(SignalRow).where(
            col(SignalRow.source).in_({ref.source for ref in batch}),
            col(SignalRow.signal_id).in_({ref.signal_id for ref in batch}),
        )
        found = {(row.source, row.signal_id): row for row in session.exec(query)}
        kept = ((ref, found.get((ref.source, ref.signal_id))) for ref in batch)
        yield from ((ref, row) for ref, row in kept if row is not None)


def _spoken_of(row: SignalRow, order: TransferOrder) -> set[str]:
    """Which of the two sites a signal says something about, as far as it concerns the transfer."""
    raw, ends = zlib.decompress(row.data), {order.origin, order.destination}
    if not any(json.dumps(end, ensure_ascii=False).encode() in raw for end in ends):
        return set()
    document: dict[str, Any] = json.loads(raw)
    readings: list[dict[str, Any]] = document.get("readings") or [document]
    found = set()
    for reading in readings:
        sites = {reading.get("site_id"), reading.get("origin"), reading.get("destination")} & ends
        if reading.get("sku_id") in (None, order.sku_id):
            found |= sites
    return {str(site) for site in found}


def _signal_view(ref: SignalRef, row: SignalRow, names: Names) -> SignalView:
    return SignalView(
        source=names.words(ref.source), signal_id=names.words(ref.signal_id), kind=ref.kind, verdict=ref.verdict,
        digest=ref.digest, stated_at=row.stated_at,
    )  # fmt: skip


def _events(
    session: Session, order: TransferOrder, requests: Sequence[ApprovalRequest], names: Names
) -> list[LineageEvent]:
    """What the ledger holds about the proposals of these plans, their requests, and the transfer itself, in order of time."""
    own = (stock_stream(order.origin, order.sku_id), stock_stream(order.destination, order.sku_id))
    about_transfer = col(LedgerEvent.stream).in_(own) & col(LedgerEvent.key).startswith(
        f"transfer/{order.transfer_id}/", autoescape=True
    )
    query = (
        select(LedgerEvent, LeafRow.position)
        .outerjoin(LeafRow, (col(LeafRow.stream) == LedgerEvent.stream) & (col(LeafRow.seq) == LedgerEvent.seq))
        .where(about_transfer | col(LedgerEvent.stream).in_({plan_stream(each.plan_digest) for each in requests}))
        .order_by(col(LedgerEvent.occurred_at), col(LedgerEvent.stream), col(LedgerEvent.seq))
    )
    found, asked_for = [], {None, *(str(each.approval_id) for each in requests)}
    for event, position in session.exec(query).all():
        body = json.loads(event.body)
        # The proposal of an edited plan names the request that was edited, which may be that of another attempt.
        if event.type != EventType.PLAN_PROPOSED and body["facts"].get("approval_id") not in asked_for:
            continue  # another request for the same plan
        found.append(
            LineageEvent(
                type=event.type, occurred_at=event.occurred_at, actor=body["actor"], stream=_shown(event.stream, names),
                seq=event.seq, hash=event.hash.hex(), position=position,
            )
        )  # fmt: skip
    return found


def _shown(stream: str, names: Names) -> str:
    kind, _, rest = stream.partition("/")
    if kind != "stock":
        return stream
    site_id, _, sku_id = rest.partition("/")
    return stock_stream(names.site(site_id), names.sku(sku_id))
