"""Approval requests as callers see them: the same over HTTP, on the command line, in conversations and to LangGraph clients.

What lies outside a caller's sites is left out and counted, and words of others are masked for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ARRAY, Text, Uuid, any_, cast
from sqlmodel import Session, col, select

from app.approvals.authority import may_sign, signatures_now
from app.approvals.claims import claimed_by
from app.approvals.comments import Comment, comments_for
from app.approvals.needs import needed_of
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest, ApprovalSignature, ApprovalStatus, Decision
from app.auth.roles import Principal
from app.errors import NotFoundError
from app.governance.stops import stops_in_force
from app.governance.views import stopped_words
from app.ledger.append import EventType, plan_stream
from app.ledger.tables import LedgerEvent
from app.plans.store import read_plan
from app.views import names_of_plan
from policies.signatures import Missing, missing


class SignedView(BaseModel):
    """Somebody's signature. `counts`: they could still give it now. `authority`: whose sites and limit it rests on."""

    signed_by: str
    authority: str
    signed_at: datetime
    counts: bool


class DemandView(BaseModel):
    """What one rule asks for and what it still lacks. Sites are those of the caller's; others are counted."""

    name: str
    approvals: int
    both_ends: bool
    panel: list[str]
    missing_approvals: int
    missing_origins: list[str]
    missing_destinations: list[str]
    missing_sites_elsewhere: int


class SigningView(BaseModel):
    """The signatures that a request needs, those it has, and in words what is missing. `may_sign` is told of one request."""

    demands: list[DemandView]
    signed: list[SignedView]
    words: str
    may_sign: list[str] | None = None


class ApprovalView(BaseModel):
    """An approval request as the queue shows it."""

    approval_id: UUID
    plan_digest: str
    status: str
    tier: str
    requested_by: str
    authors: list[str]
    requested_at: datetime
    expires_at: datetime
    lines: int
    units: int
    goods_value_minor: int
    expected_saving_minor: int
    currency: str
    sites: list[str]
    thread_id: str | None
    decided_by: str | None = None
    decided_at: datetime | None = None
    rejection: dict[str, Any] | None = None
    comments: list[Comment] = []
    superseded_by: UUID | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    reminded_at: datetime | None = None
    escalated_at: datetime | None = None
    signing: SigningView
    stopped: str | None = None
    """What of it is stopped, while it waits: until then it cannot be approved."""


@dataclass(frozen=True, slots=True)
class _Beside:
    """What there is beside the requests of a list, found in a few statements: most have nothing.

    `shown` holds what was shown of the signing of others in the list: most need the same, and are not signed yet.
    """

    decisions: Mapping[UUID, Decision]
    signed: frozenset[UUID]
    commented: frozenset[str]
    anything_stopped: bool
    shown: dict[str, SigningView] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, requests: Sequence[ApprovalRequest]) -> _Beside:
        # Arrays and no lists of parameters, which would be written out and read again each time. What waits has
        # no decision.
        closed = [each.approval_id for each in requests if each.status is not ApprovalStatus.PENDING]
        decided = select(Decision).where(col(Decision.approval_id) == any_(cast(closed, ARRAY(Uuid))))
        ids = cast([request.approval_id for request in requests], ARRAY(Uuid))
        streams = cast([plan_stream(request.plan_digest) for request in requests], ARRAY(Text))
        signed = select(ApprovalSignature.approval_id).where(col(ApprovalSignature.approval_id) == any_(ids))
        commented = select(LedgerEvent.stream).where(
            col(LedgerEvent.stream) == any_(streams), LedgerEvent.type == EventType.APPROVAL_COMMENTED
        )
        return cls(
            {row.approval_id: row for row in session.exec(decided).all()} if closed else {},
            frozenset(session.exec(signed.distinct()).all()),
            frozenset(session.exec(commented.distinct()).all()),
            bool(stops_in_force(session)),
        )

    def signing_of(self, session: Session, principal: Principal, request: ApprovalRequest) -> SigningView:
        """The signing of a request as a list shows it."""
        if request.approval_id in self.signed:
            return signing_view(session, principal, request)
        alike = json.dumps([request.status, request.tier, request.needed])
        if alike not in self.shown:
            self.shown[alike] = signing_view(session, principal, request, is_signed=False)
        return self.shown[alike]


def approval_views(session: Session, principal: Principal, requests: Sequence[ApprovalRequest]) -> list[ApprovalView]:
    """Requests as the queue shows them. It takes a few statements for those that nobody has touched yet, however many."""
    beside = _Beside.of(session, requests)
    return [_view(session, principal, request, beside, detailed=False) for request in requests]


def approval_view(
    session: Session, principal: Principal, request: ApprovalRequest, *, detailed: bool = False
) -> ApprovalView:
    """A request with its signatures and its decision; `detailed` also says who could sign."""
    return _view(session, principal, request, _Beside.of(session, [request]), detailed=detailed)


def _view(
    session: Session, principal: Principal, request: ApprovalRequest, beside: _Beside, *, detailed: bool
) -> ApprovalView:
    decision = beside.decisions.get(request.approval_id)
    has_comments = plan_stream(request.plan_digest) in beside.commented
    rejection, comments = (
        decision.rejection if decision else None,
        comments_for(session, principal, request) if has_comments else [],
    )
    if rejection and not principal.sees_everything:
        names = names_of_plan(session, principal, request.plan_digest)
        rejection = rejection | {
            "words": names.words(rejection["words"]),
            "sites": [names.site(site_id) for site_id in rejection["sites"]],
            "skus": [names.sku(sku_id) for sku_id in rejection["skus"]],
        }
    holder = claimed_by(session, request)
    may_be_stopped = beside.anything_stopped and request.status is ApprovalStatus.PENDING
    return ApprovalView(
        **{name: getattr(request, name) for name in _SAME},
        expected_saving_minor=request.saving_minor,
        sites=[site for site in request.sites if principal.covers((site,))],
        decided_by=decision.decided_by if decision else None,
        decided_at=decision.decided_at if decision else None,
        rejection=rejection,
        comments=comments,
        claimed_by=holder,
        claimed_until=request.claimed_until if holder else None,
        signing=signing_view(session, principal, request, detailed=True)
        if detailed
        else beside.signing_of(session, principal, request),
        stopped=stopped_words(session, principal, request.plan_digest) if may_be_stopped else None,
    )


_SAME = ApprovalView.model_fields.keys() & ApprovalRequest.model_fields.keys() - {
    "sites",
    "claimed_by",
    "claimed_until",
}


def signing_view(
    session: Session,
    principal: Principal,
    request: ApprovalRequest,
    *,
    detailed: bool = False,
    is_signed: bool = True,
) -> SigningView:
    """The signatures of a request. Nothing is missing any more once it waits no longer. `is_signed`: it may have some."""
    needed, waits = needed_of(request), request.status is ApprovalStatus.PENDING
    signed = signatures_now(session, request) if is_signed else ()
    counting = [counts for _, counts in signed if counts is not None]
    lacks = {each.demand: each for each in missing(needed, counting)} if waits else {}
    rows = [lacks.get(demand, Missing(demand, 0)) for demand in needed.demands]
    plan = read_plan(session, request.plan_digest) if detailed and waits else None
    return SigningView(
        demands=[_demand_view(principal, row) for row in rows],
        signed=[
            SignedView(
                signed_by=row.signed_by, authority=row.authority, signed_at=row.signed_at, counts=counts is not None
            )
            for row, counts in signed
        ],
        words=words_of(principal, tuple(lacks.values())) if waits else "",
        may_sign=None if plan is None else may_sign(session, request, plan),
    )  # fmt: skip


def words_of(principal: Principal, lacks: tuple[Missing, ...]) -> str:
    """What is missing, in a sentence for this reader."""
    return " ".join(_words(principal, each) for each in lacks)


def _words(principal: Principal, lack: Missing) -> str:
    people = "one more signature" if lack.approvals == 1 else f"{lack.approvals} more signatures"
    parts = [people] if lack.approvals else []
    parts += [
        f"a signature for {side} {', '.join(_named(principal, sites))}"
        for side, sites in (("the sending", lack.origins), ("the receiving", lack.destinations))
        if sites
    ]
    panel = f" of {', '.join(lack.demand.panel)}" if lack.demand.panel else ""
    return f"{lack.demand.name}: {' and '.join(parts)}{panel}."


def _named(principal: Principal, sites: tuple[str, ...]) -> list[str]:
    own = [site_id for site_id in sites if principal.covers((site_id,))]
    others = len(sites) - len(own)
    return [*own, *([f"{others} {'site' if others == 1 else 'sites'} outside your scope"] if others else [])]


def _demand_view(principal: Principal, row: Missing) -> DemandView:
    sites = (*row.origins, *row.destinations)
    return DemandView(
        **row.demand.model_dump(exclude={"panel"}),
        panel=list(row.demand.panel),
        missing_approvals=row.approvals,
        missing_origins=[site_id for site_id in row.origins if principal.covers((site_id,))],
        missing_destinations=[site_id for site_id in row.destinations if principal.covers((site_id,))],
        missing_sites_elsewhere=sum(not principal.covers((site_id,)) for site_id in sites),
    )


def visible_request(session: Session, principal: Principal, approval_id: UUID) -> ApprovalRequest:
    """A request that touches the caller's sites. Raises NotFoundError for any other."""
    request = get_request(session, approval_id)
    if not principal.touches(request.sites):
        raise NotFoundError("unknown_approval", f"there is no approval request {approval_id}", "check the id")
    return request
