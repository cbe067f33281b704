"""The kill switch as people use it: releasing it also sets going what it held."""

from __future__ import annotations

from sqlmodel import Session

from app.auth.roles import Act, Principal
from app.governance.state import set_kill_switch
from app.governance.tables import Governance
from app.orders.release import set_held_going


def engage(session: Session, principal: Principal, reason: str) -> Governance:
    """Stop: nothing is approved, and no ERP post starts after this is committed."""
    principal.require(Act.STOP)
    return set_kill_switch(session, engaged=True, actor=principal.user_id, reason=reason)


def release(session: Session, principal: Principal, reason: str) -> Governance:
    """Go on. Orders that were approved and not posted are taken up again."""
    principal.require(Act.GOVERN)
    row = set_kill_switch(session, engaged=False, actor=principal.user_id, reason=reason)
    set_held_going(session)
    return row
