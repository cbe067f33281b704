"""Who may decide on a plan, and by whose authority: asked of everything as it stands at the moment of the decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import ARRAY, ColumnElement, Text, and_, cast, or_, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Session, col, func, select

from app.approvals.delegations import delegates, is_away, lent_to
from app.approvals.needs import needed_of
from app.approvals.tables import ApprovalRequest, ApprovalSignature
from app.auth.authorise import PlanResource
from app.auth.people import principal_of
from app.auth.roles import Act, Kind, Principal
from app.auth.tables import Person
from app.errors import ConflictError, ForbiddenError
from app.plans.store import read_plan, read_snapshot
from policies.schema import Policy
from policies.signatures import Signature
from tools.transfers import TransferPlan

PEOPLE_NAMED_MAX = 20
OUT_OF_SCOPE, OVER_LIMIT = "scope", "value_limit"
"""Codes of the denials that somebody else's sites and limit can lift."""
POLICY = "policy/"
"""How the name begins of whoever decides, where that is a released policy."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Whoever decides, with the sites and the limit that count, and the person whose they are: their own or lent ones."""

    person: Principal
    owner: str

    @property
    def signature(self) -> Signature:
        """What a signature by this authority counts as."""
        return Signature(self.person.user_id, self.owner, self.person.sites)


def require_decider(
    session: Session,
    decider: Principal,
    request: ApprovalRequest,
    plan: TransferPlan,
    act: Act = Act.DECIDE,
    *,
    stopped: bool = False,
) -> Authority:
    """Raise ForbiddenError unless they may: role, four eyes, scope and limits as they stand now, not when they signed in.

    Their own authority comes first; where it does not reach, what others have lent them.
    To approve is `Act.APPROVE`; then a kill switch that holds the plan (`stopped`) raises ConflictError.
    """
    now = principal_of(session, decider.user_id)
    if now is None:
        raise ForbiddenError("inactive", f"{decider.user_id} is not an active person", "ask an administrator")
    now.require(act)
    if is_away(session, now.user_id):
        raise ForbiddenError("away", f"{now.user_id} is away and decides nothing meanwhile", "end the absence first")
    try:
        return _authorised(session, Authority(now, now.user_id), request, plan, act, stopped=stopped)
    except ForbiddenError as refused:
        if refused.code not in (OUT_OF_SCOPE, OVER_LIMIT):
            raise
        for owner, lent in lent_to(session, now):
            with suppress(ForbiddenError):
                return _authorised(session, _with(now, owner, lent), request, plan, act, stopped=stopped)
        raise


def signatures_now(
    session: Session, request: ApprovalRequest
) -> tuple[tuple[ApprovalSignature, Signature | None], ...]:
    """What was signed, the oldest first, and what each counts as now: None where the signer may not decide any more."""
    rows = signature_rows(session, request)
    plan = read_plan(session, request.plan_digest) if rows else None
    return tuple((row, counts_as(session, row, request, plan)) for row in rows if plan is not None)


def signature_rows(session: Session, request: ApprovalRequest) -> Sequence[ApprovalSignature]:
    """What was signed, the oldest first, whatever it counts as."""
    query = select(ApprovalSignature).where(ApprovalSignature.approval_id == request.approval_id)
    return session.exec(query.order_by(col(ApprovalSignature.signed_at), col(ApprovalSignature.authority))).all()


def may_sign(
    session: Session, request: ApprovalRequest, plan: TransferPlan, *, everywhere_first: bool = False
) -> list[str]:
    """People who could sign it now and have not, by name or those with every site first; `PEOPLE_NAMED_MAX` at most."""
    signed = {name for row, _ in signatures_now(session, request) for name in (row.signed_by, row.authority)}
    hands = signed | set(request.authors)
    order = [*([_is_everywhere().desc()] if everywhere_first else []), col(Person.user_id)]
    query = select(Person.user_id).where(col(Person.user_id).not_in(hands), *_may_reach(session, request, plan))
    found: list[str] = []
    for user_id in session.exec(query.order_by(*order)).all():
        person = principal_of(session, user_id)
        if person is None:
            continue
        try:
            authority = require_decider(session, person, request, plan)
        except ForbiddenError:
            continue
        if authority.owner not in signed:
            found.append(user_id)
        if len(found) == PEOPLE_NAMED_MAX:
            break
    return found


def _may_reach(session: Session, request: ApprovalRequest, plan: TransferPlan) -> list[ColumnElement[bool]]:
    """Whom the rules need not be asked about one by one, taken out: there may be thousands of people, and few approvers.

    It lets through whoever may decide at all, and has sites and limit for it or was lent some; `require_decider` asks the rules.
    """
    roles = cast([*Principal.roles_that_may(Act.DECIDE)], ARRAY(Text))
    sites = cast(request.sites, ARRAY(Text))
    own_sites = or_(_is_everywhere(), type_coerce(col(Person.sites), JSONB).has_any(sites))
    limit = col(Person.value_limit_minor)
    own = and_(own_sites, or_(limit.is_(None), limit >= plan.goods_value_minor))
    return [col(Person.active), type_coerce(col(Person.roles), JSONB).has_any(roles), or_(own, delegates(session))]


def _is_everywhere() -> ColumnElement[bool]:
    """That somebody has every site: no list of them, which is null in the database or in the document."""
    return func.coalesce(func.jsonb_typeof(col(Person.sites)), "null") == "null"


def require_unsigned(rows: Iterable[ApprovalSignature], authority: Authority) -> None:
    """Raise ConflictError where this person, or whoever's authority it is, has signed already. Each counts once."""
    names = {authority.person.user_id, authority.owner}
    for row in rows:
        if names & {row.signed_by, row.authority}:
            whose = row.signed_by if row.signed_by == row.authority else f"{row.signed_by} for {row.authority}"
            raise ConflictError("already_signed", f"{whose} has signed it already", "somebody else has to sign")


def counts_as(
    session: Session, row: ApprovalSignature, request: ApprovalRequest, plan: TransferPlan
) -> Signature | None:
    """What a signature counts as now: None where the signer may not decide any more."""
    signer = principal_of(session, row.signed_by)
    if signer is None:
        return None
    own = row.authority == row.signed_by
    for owner, lent in [(row.signed_by, signer)] if own else lent_to(session, signer):
        if owner == row.authority:
            with suppress(ForbiddenError):
                return _authorised(session, _with(signer, owner, lent), request, plan, Act.DECIDE).signature
    return None


def _with(person: Principal, owner: str, lent: Principal) -> Authority:
    return Authority(replace(person, sites=lent.sites, value_limit_minor=lent.value_limit_minor), owner)


def _authorised(
    session: Session,
    authority: Authority,
    request: ApprovalRequest,
    plan: TransferPlan,
    act: Act,
    *,
    stopped: bool = False,
) -> Authority:
    """The authority, if the rules permit the act by it; else they raise."""
    person = authority.person
    if authority.owner != person.user_id and authority.owner in request.authors:
        raise ForbiddenError(
            "four_eyes", f"{authority.owner} had a hand in this plan and lends nobody a decision on it",
            "ask another approver",
        )  # fmt: skip
    person.require(act, _resource(session, person, request, plan), stopped=stopped)
    return authority


def _resource(session: Session, person: Principal, request: ApprovalRequest, plan: TransferPlan) -> PlanResource:
    """The plan as the rules of authorisation see it when this person decides on it.

    Where the two ends sign apart, each answers for the sites of theirs, which have to be some.
    """
    sites = frozenset(request.sites)
    if person.sites is not None and needed_of(request).both_ends:
        sites = sites & person.sites or sites
    return PlanResource(
        plan.digest, sites, plan.goods_value_minor, is_sensitive(session, plan), frozenset(request.authors)
    )


def is_sensitive(session: Session, plan: TransferPlan) -> bool:
    """Whether the plan moves a SKU that is masked for people without clearance."""
    skus = read_snapshot(session, plan.snapshot_digest).sku_by_id
    return any(skus[line.sku_id].sensitive for line in plan.lines)


def principal_of_policy(policy: Policy) -> Principal:
    """The actor of what a released document releases by itself. No person can have such a name."""
    return Principal(f"{POLICY}{policy.digest[:12]}", policy.label, frozenset(), kind=Kind.RELEASE)


def plan_of_release(session: Session, request: ApprovalRequest, plan: TransferPlan) -> PlanResource:
    """The plan as the rules of authorisation see it when a policy releases it."""
    return PlanResource(
        plan.digest, frozenset(request.sites), plan.goods_value_minor, is_sensitive(session, plan),
        frozenset(request.authors), automatic=True,
    )  # fmt: skip
