"""Stops and what they hold as callers see them: the same over HTTP, on the command line and on the page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, col, func, select

from app.auth.roles import Act, Principal
from app.governance.stops import stop_on_plan, stops_in_force
from app.governance.switch import is_visible
from app.governance.tables import StopRow
from app.orders.tables import TransferOrder
from app.orders.validating import Held, Validated
from app.plans.store import read_plan, snapshot_now
from app.views import OrderView, names_for, order_views
from graphs.names import Names

STOPS_SHOWN = 200


class StopView(BaseModel):
    """A stop. `words` say what it holds, `waiting` how many of the caller's orders have waited under it since."""

    stop_id: UUID
    words: str
    site_id: str | None
    origin: str | None
    destination: str | None
    mode: str | None
    sku_class: str | None
    reason: str
    engaged_by: str
    engaged_at: datetime
    released_by: str | None
    released_at: datetime | None
    release_reason: str | None
    waiting: int


class HeldView(BaseModel):
    """An order that waits for its validation. `stopped`: by what, while something holds it still; then it cannot go on.

    `outrun`: for what has changed it would be taken back, and not only carry less. `asked`: every rule has been asked
    already; of a long list only the first are, and the others when they are let go on.
    """

    order: OrderView
    stopped: str | None
    changes: list[str]
    outrun: bool
    asked: bool


class ValidatedView(BaseModel):
    """What came of a validation."""

    going: list[UUID]
    outrun: list[UUID]
    stopped: list[UUID]


def stop_views(session: Session, principal: Principal, *, released: bool = False) -> list[StopView]:
    """Stops that touch the caller's sites, the newest first; those in force unless the `released` are wanted as well."""
    principal.require(Act.READ)
    query = select(StopRow).order_by(col(StopRow.engaged_at).desc(), col(StopRow.stop_id))
    if not released:
        query = query.where(col(StopRow.released_at).is_(None))
    rows = [row for row in session.exec(query.limit(STOPS_SHOWN)).all() if is_visible(principal, row.stop)]
    return _stop_views(session, principal, rows)


def stop_view(session: Session, principal: Principal, row: StopRow) -> StopView:
    """A stop."""
    (view,) = _stop_views(session, principal, [row])
    return view


def held_views(session: Session, principal: Principal, held: Iterable[Held]) -> list[HeldView]:
    """Orders that wait, in words for the caller."""
    rows = list(held)
    names = _names(session, principal) if rows else None
    views = order_views(session, principal, [row.order for row in rows])
    return [
        HeldView(
            order=view,
            stopped=None if row.stop is None else _words(names, row.stop.words),
            changes=[_words(names, change) for change in row.changes],
            outrun=row.is_outrun,
            asked=row.is_asked,
        )
        for view, row in zip(views, rows, strict=True)
    ]


def validated_view(done: Validated) -> ValidatedView:
    """What came of a validation."""
    return ValidatedView(going=list(done.going), outrun=list(done.outrun), stopped=list(done.stopped))


def stopped_words(session: Session, principal: Principal, plan_digest: str) -> str | None:
    """What of a plan is stopped, in words for the caller; None where it may be approved."""
    if not stops_in_force(session):
        return None
    stop = stop_on_plan(session, read_plan(session, plan_digest))
    return None if stop is None else _words(_names(session, principal), stop.words)


def _stop_views(session: Session, principal: Principal, rows: list[StopRow]) -> list[StopView]:
    names = _names(session, principal) if rows else None
    waiting = _waiting(session, principal) if rows else {}
    same = StopView.model_fields.keys() & StopRow.model_fields.keys()
    masked = ("site_id", "origin", "destination")
    return [
        StopView(
            **{name: getattr(row, name) for name in same - {*masked, "reason", "release_reason"}},
            **{name: _site(names, getattr(row, name)) for name in masked},
            words=_words(names, row.stop.words),
            reason=_words(names, row.reason),
            release_reason=None if row.release_reason is None else _words(names, row.release_reason),
            waiting=waiting.get(str(row.stop_id), 0),
        )
        for row in rows
    ]


def _waiting(session: Session, principal: Principal) -> dict[str, int]:
    query = select(TransferOrder.held_by, func.count()).where(col(TransferOrder.held_by).is_not(None))
    if principal.sites is not None:
        sites = sorted(principal.sites)
        query = query.where(col(TransferOrder.origin).in_(sites) | col(TransferOrder.destination).in_(sites))
    return {
        held_by: count for held_by, count in session.exec(query.group_by(col(TransferOrder.held_by))).all() if held_by
    }


def _names(session: Session, principal: Principal) -> Names | None:
    """None for those from whom nothing is kept."""
    return None if principal.sees_everything else names_for(session, principal, snapshot_now(session))


def _words(names: Names | None, words: str) -> str:
    return words if names is None else names.words(words)


def _site(names: Names | None, site_id: str | None) -> str | None:
    return site_id if names is None or site_id is None else names.site(site_id)
