"""The policy in force and the kill switch: read under a lock by whoever posts, changed only with a reason on record."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.auth.people import SYSTEM
from app.db.database import database_now
from app.errors import InvalidError, NotFoundError
from app.governance.tables import Governance
from app.ledger.append import EventType, append
from app.ledger.tables import LedgerHead
from policies.library import UnknownPolicyError, released, releases
from policies.schema import Policy

STREAM = "governance"


def governance(session: Session, *, share: bool = False) -> Governance:
    """What is in force. With `share` nobody can change it before this transaction ends.

    A new installation starts under the first release.
    """
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
    switch = {"kill_switch": False, "kill_switch_reason": "", "kill_switch_by": ""}
    unless_there = insert(Governance).values(row | switch).on_conflict_do_nothing().returning(col(Governance.row_no))
    if session.connection().execute(unless_there).first() is not None:
        _record_activation(session, first, SYSTEM, "first start", 1)


def _locked(*, read: bool = False) -> SelectOfScalar[Governance]:
    """The row under a lock, and as it is once the lock is there: what this session has read before may be old by then."""
    return select(Governance).with_for_update(read=read).execution_options(populate_existing=True)


def active_policy(session: Session) -> Policy:
    """The released document in force."""
    return released(governance(session).policy_digest)


def activate_policy(session: Session, name: str, actor: str, reason: str) -> Policy:
    """Put a release in force. Going back is activating an older one. Raises NotFoundError and InvalidError."""
    _require(reason)
    try:
        policy = released(name)
    except UnknownPolicyError as unknown:
        raise NotFoundError("unknown_policy", str(unknown), "see `evenkeel policy list`", policy=name) from unknown
    governance(session)
    row = session.exec(_locked()).one()
    if row.policy_digest == policy.digest:
        return policy
    row.policy_digest, row.policy_since, row.policy_by = policy.digest, database_now(session), actor
    session.add(row)
    _record_activation(session, policy, actor, reason, _changes(session) + 1)
    return policy


def set_kill_switch(session: Session, *, engaged: bool, actor: str, reason: str) -> Governance:
    """Engage or release the kill switch. While it is engaged nothing is approved and no ERP post starts."""
    _require(reason)
    governance(session)
    row = session.exec(_locked()).one()
    if row.kill_switch == engaged:
        return row
    row.kill_switch, row.kill_switch_reason = engaged, reason
    row.kill_switch_since, row.kill_switch_by = database_now(session), actor
    session.add(row)
    number = _changes(session) + 1
    append(
        session,
        stream=STREAM,
        key=f"{STREAM}/{number}",
        event_type=EventType.KILL_SWITCH_ENGAGED if engaged else EventType.KILL_SWITCH_RELEASED,
        actor=actor,
        facts={"reason": reason},
    )
    return row


def _record_activation(session: Session, policy: Policy, actor: str, reason: str, number: int) -> None:
    append(
        session,
        stream=STREAM,
        key=f"{STREAM}/{number}",
        event_type=EventType.POLICY_ACTIVATED,
        actor=actor,
        facts={"policy": policy.digest, "release": policy.release, "name": policy.name, "reason": reason},
    )


def _changes(session: Session) -> int:
    """How many changes of governance the ledger holds; the caller holds the row's lock."""
    head = session.get(LedgerHead, STREAM, populate_existing=True)
    return head.seq if head else 0


def _require(reason: str) -> None:
    if not reason.strip():
        raise InvalidError("reason_missing", "a change of governance needs a reason", "say why in a few words")
