"""What is in force: read under a lock by whoever decides or posts, changed only with a reason on record."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.auth.people import SYSTEM
from app.db.database import database_now
from app.errors import InvalidError, NotFoundError
from app.governance.tables import Governance
from app.ledger.append import EventType, append
from app.ledger.reasons import reason_of
from app.ledger.tables import LedgerHead
from policies.library import UnknownPolicyError, released, releases
from policies.schema import Policy

STREAM = "governance"
_QUEUE = "hashtextextended('evenkeel/governance', 0)"
# A row's share lock goes to everybody who asks, also past somebody who waits to change the row: a steady flow of decisions
# would keep a stop waiting for ever. In this queue those who come later stand behind who waits.
_SHARED = text(f"select pg_advisory_xact_lock_shared({_QUEUE})")
_ALONE = text(f"select pg_advisory_xact_lock({_QUEUE})")


def governance(session: Session, *, share: bool = False) -> Governance:
    """What is in force. With `share` nobody can change it, or the stops, before this transaction ends.

    A new installation starts under the first release.
    """
    if share:
        session.connection().execute(_SHARED)
    query = _locked(read=True) if share else select(Governance)
    row = session.exec(query).one_or_none()
    if row is None:
        _start(session)
        row = session.exec(query).one()
    return row


def _start(session: Session) -> None:
    """Put the first release in force. Of many who come first one does it, and the others wait for it."""
    first = releases()[0]
    row = {"row_no": 1, "policy_digest": first.digest, "policy_since": database_now(session), "policy_by": SYSTEM}
    unless_there = insert(Governance).values(row).on_conflict_do_nothing().returning(col(Governance.row_no))
    if session.connection().execute(unless_there).first() is not None:
        _record_activation(session, first, SYSTEM, "first start")


def _locked(*, read: bool = False) -> SelectOfScalar[Governance]:
    """The row under a lock, and as it is once the lock is there: what this session has read before may be old by then."""
    return select(Governance).with_for_update(read=read).execution_options(populate_existing=True)


def active_policy(session: Session) -> Policy:
    """The released document in force."""
    return released(governance(session).policy_digest)


def activate_policy(session: Session, name: str, actor: str, reason: str) -> Policy:
    """Put a release in force. Going back is activating an older one. Raises NotFoundError and InvalidError."""
    require_reason(reason)
    try:
        policy = released(name)
    except UnknownPolicyError as unknown:
        raise NotFoundError("unknown_policy", str(unknown), "see `evenkeel policy list`", policy=name) from unknown
    row = changing(session)
    if row.policy_digest == policy.digest:
        return policy
    row.policy_digest, row.policy_since, row.policy_by = policy.digest, database_now(session), actor
    session.add(row)
    _record_activation(session, policy, actor, reason)
    return policy


def changing(session: Session) -> Governance:
    """What is in force, for whoever changes it: everybody who relies on it is done, and others wait for this transaction."""
    session.connection().execute(_ALONE)
    governance(session)
    return session.exec(_locked()).one()


def record_change(
    session: Session, event_type: EventType, actor: str, facts: Mapping[str, object], reason: str
) -> None:
    """A change of governance goes on record, and why. The caller is `changing` it."""
    head = session.get(LedgerHead, STREAM, populate_existing=True)
    number = (head.seq if head else 0) + 1
    sealed = reason_of(actor, reason=reason)
    append(
        session, stream=STREAM, key=f"{STREAM}/{number}", event_type=event_type, actor=actor,
        facts=facts if sealed else {**facts, "reason": reason}, sealed=sealed,
    )  # fmt: skip


def require_reason(reason: str) -> None:
    """Raise InvalidError for a change without a reason."""
    if not reason.strip():
        raise InvalidError("reason_missing", "a change of governance needs a reason", "say why in a few words")


def _record_activation(session: Session, policy: Policy, actor: str, reason: str) -> None:
    facts = {"policy": policy.digest, "release": policy.release, "name": policy.name}
    record_change(session, EventType.POLICY_ACTIVATED, actor, facts, reason)
