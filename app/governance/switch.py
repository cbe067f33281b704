"""The kill switch as people use it: whoever may, stops what lies in their scope; only those who govern let it go on."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session

from app.auth.roles import Act, Principal
from app.errors import ForbiddenError, NotFoundError
from app.governance.state import require_reason
from app.governance.stops import engage_stop, get_stop, kill_switch, release_stop
from app.governance.tables import StopRow
from policies.stops import Stop


def engage(session: Session, principal: Principal, reason: str, stop: Stop | None = None) -> StopRow:
    """Stop everything, or a part: nothing that it holds is approved, and no ERP post of it starts after this is committed.

    Raises ForbiddenError for a part that lies outside the caller's sites, and for what names no site unless
    they have all of them.
    """
    principal.require(Act.STOP)
    stop = stop or Stop()
    _require_scope(principal, stop)
    return engage_stop(session, stop, principal.user_id, reason)


def release(session: Session, principal: Principal, reason: str, stop_id: UUID | None = None) -> StopRow | None:
    """Take a stop back: the one of everything by default, if there is one. What waited under it waits for its validation."""
    principal.require(Act.GOVERN)
    require_reason(reason)
    row = kill_switch(session) if stop_id is None else get_stop(session, stop_id)
    if row is None:
        return None
    if not is_visible(principal, row.stop):
        raise NotFoundError("unknown_stop", f"there is no stop {row.stop_id}", "see `evenkeel stops`")
    _require_scope(principal, row.stop)
    return release_stop(session, row.stop_id, principal.user_id, reason)


def is_visible(principal: Principal, stop: Stop) -> bool:
    """Whether the caller may know of it: it names a site of theirs, or none."""
    return not stop.sites or principal.touches(stop.sites)


def _require_scope(principal: Principal, stop: Stop) -> None:
    if not (principal.covers(stop.sites) if stop.sites else principal.sites is None):
        raise ForbiddenError(
            "scope", f"this stop reaches beyond the sites of {principal.user_id}",
            "stop one of your sites, or ask somebody who has them all",
        )  # fmt: skip
