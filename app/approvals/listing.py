"""The queue as people look through it: sorted, filtered and in pages, with a few statements however many requests there are.

What is searched for by words is looked up among the sites and SKUs that the caller may know of first, so that nothing
can be found out by searching that is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Text, Uuid, and_, any_, case, cast, false, or_, true, type_coerce
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlmodel import Session, col, func, select

from app.approvals.delegations import is_away, lent_to
from app.approvals.held_by_stops import held_by
from app.approvals.needs import needed_of
from app.approvals.tables import ApprovalRequest, ApprovalSignature, ApprovalStatus, Decision
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.governance.stops import stops_in_force
from app.ledger.append import EventType, plan_stream
from app.ledger.tables import LedgerEvent
from app.plans.tables import PlanRow
from app.stock.tables import MasterRow
from policies.library import released
from policies.signatures import Needed
from tools.canonical import canonical_json

PAGE_ROWS = 100
NAMES_FOUND_MAX = 25
"""So many sites and SKUs are taken for what somebody searches for."""
SKU_REQUESTS_MAX = 2_000
"""SKUs are looked for in the plans of the newest requests that fit the filters, so many; a page says how many were not."""


class Sort(StrEnum):
    """What the queue can be sorted by."""

    SAVING = "saving"
    VALUE = "value"
    UNITS = "units"
    LINES = "lines"
    AGE = "age"
    EXPIRY = "expiry"
    TIER = "tier"
    REQUESTER = "requester"


_COLUMNS: dict[Sort, Any] = {
    Sort.SAVING: col(ApprovalRequest.saving_minor), Sort.VALUE: col(ApprovalRequest.goods_value_minor),
    Sort.UNITS: col(ApprovalRequest.units), Sort.LINES: col(ApprovalRequest.lines),
    Sort.AGE: col(ApprovalRequest.requested_at), Sort.EXPIRY: col(ApprovalRequest.expires_at),
    Sort.TIER: col(ApprovalRequest.tier), Sort.REQUESTER: col(ApprovalRequest.requested_by),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests, and in which order. Without a sort what was escalated comes first, then the greatest saving.

    `stopped`: by any stop in force, or by `stop_id`. `policy`: planned under this release.
    """

    status: ApprovalStatus | None = ApprovalStatus.PENDING
    words: str = ""
    tier: str = ""
    for_me: bool = False
    claimed: bool = False
    stopped: bool = False
    stop_id: str = ""
    policy: str = ""
    sort: Sort | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the queue, how many requests there are in all, and when this was.

    `unsearched`: how many older requests fit otherwise, and were not looked through for the SKU that was searched for.
    """

    rows: tuple[ApprovalRequest, ...]
    total: int
    now: datetime
    unsearched: int = 0


@dataclass(frozen=True, slots=True)
class Beside:
    """What a list shows beside its requests: signatures given, who decided, how much was said, and what is stopped."""

    signed: Mapping[UUID, int]
    decided_by: Mapping[UUID, str]
    comments: Mapping[str, int]
    stopped: frozenset[UUID]
    needed: Mapping[UUID, Needed] = field(default_factory=dict)


def page_of(
    session: Session,
    principal: Principal,
    wanted: Wanted,
    page: int = 1,
    rows_max: int = PAGE_ROWS,
    *,
    count: bool = True,
) -> Page:
    """A page of what is wanted, as far as it touches the caller's sites."""
    now = database_now(session)
    filters = [*in_scope(principal), *_filters(session, principal, wanted, now)]
    conditions, unsearched = _searched(session, principal, wanted.words.strip(), filters)
    query = select(ApprovalRequest).where(*conditions).order_by(*_order(wanted))
    rows = tuple(session.exec(query.offset((page - 1) * rows_max).limit(rows_max)).all())
    if not count or (page == 1 and len(rows) < rows_max):
        return Page(rows, len(rows), now, unsearched)
    return Page(rows, _count(session, conditions), now, unsearched)


def _count(session: Session, conditions: Sequence[ColumnElement[bool]]) -> int:
    return session.exec(select(func.count()).select_from(ApprovalRequest).where(*conditions)).one()


def beside(session: Session, rows: Sequence[ApprovalRequest]) -> Beside:
    """What there is beside these requests."""
    ids = cast([row.approval_id for row in rows], ARRAY(Uuid))
    streams = cast([plan_stream(row.plan_digest) for row in rows], ARRAY(Text))
    signed = (
        select(ApprovalSignature.approval_id, func.count())
        .where(col(ApprovalSignature.approval_id) == any_(ids))
        .group_by(col(ApprovalSignature.approval_id))
    )
    decided = select(Decision.approval_id, Decision.decided_by).where(col(Decision.approval_id) == any_(ids))
    said = (
        select(LedgerEvent.stream, func.count())
        .where(col(LedgerEvent.stream) == any_(streams), LedgerEvent.type == EventType.APPROVAL_COMMENTED)
        .group_by(col(LedgerEvent.stream))
    )
    return Beside(
        dict(session.exec(signed).all()), dict(session.exec(decided).all()), dict(session.exec(said).all()),
        _stopped(session, rows), {row.approval_id: needed_of(row) for row in rows},
    )  # fmt: skip


def tiers_known(session: Session) -> list[str]:
    """The tiers that requests are of."""
    # A loose index scan would need an index; there are a handful of tiers, and the pending ones are few.
    query = select(ApprovalRequest.tier).where(ApprovalRequest.status == ApprovalStatus.PENDING).distinct()
    return sorted(session.exec(query).all())


def in_scope(principal: Principal) -> list[ColumnElement[bool]]:
    """That a request touches the caller's sites."""
    if principal.sites is None:
        return []
    return [_sites().has_any(cast(sorted(principal.sites), ARRAY(Text)))]


def _sites() -> Any:  # what a JSONB column can be asked is not in the types of SQLAlchemy
    return type_coerce(col(ApprovalRequest.sites), JSONB)


def _order(wanted: Wanted) -> list[Any]:
    if wanted.sort is None:
        return [
            col(ApprovalRequest.escalated_at).is_(None), col(ApprovalRequest.saving_minor).desc(),
            col(ApprovalRequest.approval_id),
        ]  # fmt: skip
    by = _COLUMNS[wanted.sort]
    if wanted.sort is Sort.AGE:  # the oldest are those that were asked for first
        return [by.asc() if wanted.descending else by.desc(), col(ApprovalRequest.approval_id)]
    return [by.desc() if wanted.descending else by.asc(), col(ApprovalRequest.approval_id)]


def _filters(session: Session, principal: Principal, wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
    """Everything but the words."""
    found: list[ColumnElement[bool]] = []
    if wanted.status is not None:
        found.append(col(ApprovalRequest.status) == wanted.status)
    if wanted.tier:
        found.append(col(ApprovalRequest.tier) == wanted.tier)
    if wanted.policy:
        planned = select(PlanRow.digest).where(PlanRow.policy_digest == released(wanted.policy).digest)
        found.append(col(ApprovalRequest.plan_digest).in_(planned))
    if wanted.claimed:
        found.append(
            and_(col(ApprovalRequest.claimed_by) == principal.user_id, col(ApprovalRequest.claimed_until) > now)
        )
    if wanted.for_me:
        found.append(_waits_for(session, principal, now))
    if wanted.stopped:
        found += [
            col(ApprovalRequest.status) == ApprovalStatus.PENDING,
            held_by(stop for stop in stops_in_force(session) if wanted.stop_id in ("", stop.stop_id)),
        ]
    return found


def _waits_for(session: Session, principal: Principal, now: datetime) -> ColumnElement[bool]:
    """What somebody could sign now, as far as the queue tells: their part in it, sites, limit, claims, signatures.

    Rules that need the plan itself are asked when it is looked at.
    """
    if not principal.may(Act.DECIDE) or is_away(session, principal.user_id):
        return false()
    signed = select(ApprovalSignature.approval_id).where(
        or_(
            col(ApprovalSignature.signed_by) == principal.user_id, col(ApprovalSignature.authority) == principal.user_id
        )
    )
    authorities = [(principal.user_id, principal), *lent_to(session, principal)]
    return and_(
        col(ApprovalRequest.status) == ApprovalStatus.PENDING,
        col(ApprovalRequest.expires_at) > now,
        ~type_coerce(col(ApprovalRequest.authors), JSONB).has_key(principal.user_id),
        or_(
            col(ApprovalRequest.claimed_until).is_(None), col(ApprovalRequest.claimed_until) <= now,
            col(ApprovalRequest.claimed_by) == principal.user_id,
        ),
        col(ApprovalRequest.approval_id).not_in(signed),
        or_(*(_reaches(owner, who, principal) for owner, who in authorities)),
    )  # fmt: skip


def _reaches(owner: str, authority: Principal, principal: Principal) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [true()]
    if owner != principal.user_id:
        conditions.append(~type_coerce(col(ApprovalRequest.authors), JSONB).has_key(owner))
    if authority.value_limit_minor is not None:
        conditions.append(col(ApprovalRequest.goods_value_minor) <= authority.value_limit_minor)
    if authority.sites is not None:
        whole = type_coerce(col(ApprovalRequest.sites), JSONB).contained_by(type_coerce(sorted(authority.sites), JSONB))
        one_side = type_coerce(col(ApprovalRequest.needed), JSONB).contains(
            type_coerce({"demands": [{"both_ends": True}]}, JSONB)
        )
        conditions.append(or_(whole, func.coalesce(one_side, false())))
    return and_(*conditions)


def _stopped(session: Session, rows: Sequence[ApprovalRequest]) -> frozenset[UUID]:
    stops = stops_in_force(session)
    waiting = [row.approval_id for row in rows if row.status is ApprovalStatus.PENDING]
    if not stops or not waiting:
        return frozenset()
    among = col(ApprovalRequest.approval_id) == any_(cast(waiting, ARRAY(Uuid)))
    return frozenset(session.exec(select(ApprovalRequest.approval_id).where(among, held_by(stops))).all())


def _searched(
    session: Session, principal: Principal, words: str, filters: list[ColumnElement[bool]]
) -> tuple[list[ColumnElement[bool]], int]:
    """What fits the filters and is by somebody, or about a site or a SKU, of that name; and how many were not looked through."""
    if not words:
        return filters, 0
    pattern = f"%{words.replace(chr(92), chr(92) * 2).replace('%', chr(92) + '%').replace('_', chr(92) + '_')}%"
    named: list[ColumnElement[bool]] = [col(ApprovalRequest.requested_by).ilike(pattern)]
    sites = [site for site in _known(session, "site", pattern) if principal.covers((site,))]
    if sites:
        named.append(_sites().has_any(cast(sites, ARRAY(Text))))
    skus, unsearched = _known(session, "sku", pattern, cleared=principal.sees_sensitive), 0
    if skus:
        named.append(col(ApprovalRequest.approval_id).in_(_with_skus(principal, filters, skus)))
        unsearched = max(_count(session, filters) - SKU_REQUESTS_MAX, 0)
    return [*filters, or_(*named)], unsearched


def _known(session: Session, kind: str, pattern: str, *, cleared: bool = True) -> list[str]:
    query = select(MasterRow.key).where(
        MasterRow.kind == kind,
        or_(col(MasterRow.key).ilike(pattern), col(MasterRow.body)["name"].as_string().ilike(pattern)),
    )
    if not cleared:
        query = query.where(~func.coalesce(col(MasterRow.body)["sensitive"].as_boolean(), false()))
    return list(session.exec(query.order_by(MasterRow.key).limit(NAMES_FOUND_MAX)).all())


def _with_skus(principal: Principal, filters: list[ColumnElement[bool]], skus: Sequence[str]) -> Select[tuple[UUID]]:
    """Requests whose plans hold a line of one of the SKUs at a site of the caller's, among the newest that fit the filters."""
    newest = select(ApprovalRequest.approval_id, ApprovalRequest.plan_digest).where(*filters)
    few = newest.order_by(col(ApprovalRequest.requested_at).desc()).limit(SKU_REQUESTS_MAX).subquery()
    query = select(few.c.approval_id).join(PlanRow, col(PlanRow.digest) == few.c.plan_digest)
    # The plan is canonical JSON: bytes are compared, which is many times faster than to read it.
    holds = or_(
        *(
            func.position(cast(b'"sku_id":' + canonical_json(sku), BYTEA).op("in")(col(PlanRow.body))) > 0
            for sku in skus
        )
    )
    if principal.sites is None:
        return query.where(holds)
    lines = func.jsonb_array_elements(cast(func.convert_from(col(PlanRow.body), "UTF8"), JSONB)["lines"]).table_valued(
        "value", joins_implicitly=True
    )
    line = type_coerce(lines.c.value, JSONB)
    own = cast(sorted(principal.sites), ARRAY(Text))
    seen = (
        select(1)
        .select_from(lines)
        .where(
            line["sku_id"].astext.in_(skus),
            or_(line["origin"].astext == any_(own), line["destination"].astext == any_(own)),
        )
    )
    return query.where(case((holds, seen.exists()), else_=false()))
