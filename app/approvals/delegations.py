"""Lending one's sites and limit to somebody for a while, and being away.

What is lent is never more than the lender has at the moment of its use, and no role: a
delegate is an approver already. Loops are refused; how often something may be lent on
is for the policy to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from app.approvals.tables import Delegation
from app.auth.people import principal_of
from app.auth.roles import Act, Principal
from app.auth.tables import Person
from app.db.database import database_now
from app.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from app.governance.state import active_policy
from app.ledger.append import EventType, append, lock_streams
from app.ledger.sealing import Sealed
from app.ledger.sealing import person as subject

STREAM = "delegations"


@dataclass(frozen=True, slots=True)
class Loan:
    """Between two instants, to whom, why, and how much: all of one's sites and limit where nothing is said.

    `away`: the lender decides nothing meanwhile. Without a delegate one is only away.
    """

    delegate: str | None
    starts_at: datetime
    ends_at: datetime
    reason: str
    away: bool = False
    sites: tuple[str, ...] | None = None
    value_limit_minor: int | None = None


def delegate_to(session: Session, delegator: Principal, loan: Loan) -> Delegation:
    """Lend sites and limit.

    Raises ForbiddenError (no approver, more than they have), InvalidError (dates, to
    oneself, nobody of that name) and ConflictError (the policy has no delegations, a loop).
    """
    delegator.require(Act.DECIDE)
    rules = active_policy(session).approvals
    if rules is None or rules.delegations is None:
        raise ConflictError("no_delegations", "the policy in force knows no delegations", "ask an operator")
    now = database_now(session)
    _require_dates(now, loan, rules.delegations.days_max)
    if not loan.reason.strip():
        raise InvalidError("reason_missing", "a delegation needs a reason", "say why in a few words")
    if loan.delegate is None and not loan.away:
        raise InvalidError("delegate", "a delegation names somebody, or says that its maker is away", "name somebody")
    if loan.sites is not None and not delegator.covers(loan.sites):
        raise ForbiddenError("scope", "nobody lends sites that they do not have", "leave them out")
    lock_streams(session, [STREAM])  # two that would make a loop together are made one after the other
    if loan.delegate is not None:
        _require_delegate(session, delegator.user_id, loan.delegate, loan)
    row = Delegation(
        delegation_id=uuid4(), delegator=delegator.user_id, delegate=loan.delegate, starts_at=loan.starts_at,
        ends_at=loan.ends_at, sites=None if loan.sites is None else sorted(set(loan.sites)),
        value_limit_minor=loan.value_limit_minor, away=loan.away, reason=loan.reason.strip(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    facts = row.model_dump(mode="json", exclude={"ended_at", "reason"})
    words = Sealed(subject(delegator.user_id), {"reason": row.reason})
    _record(session, row, EventType.DELEGATION_MADE, delegator.user_id, facts, words)
    return row


def end_delegation(session: Session, person: Principal, delegation_id: UUID) -> Delegation:
    """End a delegation now. Its maker may, its delegate may, and nobody else knows of it. Again it changes nothing."""
    lock_streams(session, [STREAM])
    row = session.get(Delegation, delegation_id, with_for_update=True, populate_existing=True)
    if row is None or person.user_id not in (row.delegator, row.delegate):
        raise NotFoundError("unknown_delegation", f"there is no delegation {delegation_id}", "check the id")
    if row.ended_at is None:
        row.ended_at = database_now(session)
        session.add(row)
        facts: dict[str, object] = {"delegation_id": str(delegation_id)}
        _record(session, row, EventType.DELEGATION_ENDED, person.user_id, facts)
    return row


def delegations_of(session: Session, user_id: str) -> list[Delegation]:
    """What somebody has lent or was lent, and that has not ended yet."""
    own = (col(Delegation.delegator) == user_id) | (col(Delegation.delegate) == user_id)
    query = select(Delegation).where(own, *_not_over(database_now(session))).order_by(col(Delegation.starts_at))
    return list(session.exec(query).all())


def is_away(session: Session, user_id: str) -> bool:
    """Whether somebody has said that they do not decide at the moment."""
    now = database_now(session)
    query = select(Delegation.delegation_id).where(
        Delegation.delegator == user_id, col(Delegation.away), Delegation.starts_at <= now, *_not_over(now)
    )
    return session.exec(query.limit(1)).first() is not None


def delegates(session: Session) -> ColumnElement[bool]:
    """That somebody may have been lent something that counts now; on what terms `lent_to` says."""
    now = database_now(session)
    lent = select(Delegation.delegate).where(
        Delegation.starts_at <= now, col(Delegation.delegate).is_not(None), *_not_over(now)
    )
    return col(Person.user_id).in_(lent)


def lent_to(session: Session, delegate: Principal) -> Iterator[tuple[str, Principal]]:
    """Whose sites and limit somebody may use now: the lender's name, and the delegate with what is lent.

    Asked of the lenders as they stand now, along each chain of lending as far as policy
    has it go; each step can only narrow.
    """
    rules = active_policy(session).approvals
    steps_max = rules.delegations.steps_max if rules and rules.delegations else 0
    now = database_now(session)
    # Under this lock, so that nobody ends a delegation beside a decision that rests on it.
    query = select(Delegation).where(Delegation.starts_at <= now, *_not_over(now)).with_for_update(read=True)
    current = session.exec(query.execution_options(populate_existing=True)).all()
    reached: list[tuple[str, Principal]] = [(delegate.user_id, replace(delegate, sites=None, value_limit_minor=None))]
    for _ in range(steps_max):
        further = []
        for user_id, lent in reached:
            for row in current:
                lender = principal_of(session, row.delegator) if row.delegate == user_id else None
                if lender is not None and lender.may(Act.DECIDE):
                    further.append((row.delegator, _narrowed(lent, lender, row)))
        yield from further
        reached = further


def _narrowed(lent: Principal, lender: Principal, row: Delegation) -> Principal:
    """What is left of a loan when it comes from this lender on these terms."""
    scopes = [scope for scope in (lent.sites, lender.sites, row.sites) if scope is not None]
    limits = [
        each for each in (lent.value_limit_minor, lender.value_limit_minor, row.value_limit_minor) if each is not None
    ]
    sites = frozenset.intersection(*(frozenset(scope) for scope in scopes)) if scopes else None
    return replace(lent, sites=sites, value_limit_minor=min(limits, default=None))


def _not_over(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (col(Delegation.ends_at) > now, col(Delegation.ended_at).is_(None))


def _require_dates(now: datetime, loan: Loan, days_max: int) -> None:
    starts_at, ends_at = loan.starts_at, loan.ends_at
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise InvalidError("dates", "an instant without a zone is none", "give the zone")
    if ends_at <= max(starts_at, now):
        raise InvalidError("dates", "a delegation ends after it starts, and not in the past", "give later dates")
    if ends_at - max(starts_at, now) > timedelta(days=days_max):
        raise InvalidError("dates", f"a delegation lasts {days_max} days at most", "make it shorter, and again later")


def _require_delegate(session: Session, delegator: str, delegate: str, loan: Loan) -> None:
    """Somebody else who decides already, and to whom nothing comes back by others in the same time."""
    if delegate == delegator:
        raise InvalidError("delegate", "nobody stands in for themselves", "name somebody else")
    person = principal_of(session, delegate)
    if person is None or not person.may(Act.DECIDE):
        raise InvalidError("delegate", f"{delegate} is no approver", "name somebody who decides already")
    query = select(Delegation).where(
        col(Delegation.ended_at).is_(None), Delegation.starts_at < loan.ends_at, Delegation.ends_at > loan.starts_at
    )
    lends = [(row.delegator, row.delegate) for row in session.exec(query).all()]
    reached = {delegate}
    while True:
        further = {to for lender, to in lends if lender in reached and to is not None} - reached
        if delegator in reached | further:
            raise ConflictError("loop", f"{delegate} lends to {delegator} already, directly or by others", "end that")
        if not further:
            return
        reached |= further


def _record(
    session: Session,
    row: Delegation,
    event: EventType,
    actor: str,
    facts: dict[str, object],
    sealed: Sealed | None = None,
) -> None:
    append(
        session,
        stream=STREAM,
        key=f"delegation/{row.delegation_id}/{event}",
        event_type=event,
        actor=actor,
        facts=facts,
        sealed=sealed,
    )
