"""Stops in force: asked by whoever decides or posts, under the lock that orders them before or after any change."""

from __future__ import annotations

from uuid import UUID, uuid4

from psycopg.errors import LockNotAvailable
from pydantic import TypeAdapter
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select
from structlog import get_logger

from app.db.database import database_now
from app.db.in_the_way import not_kept_waiting
from app.errors import ConflictError, InvalidError, NotFoundError
from app.governance.state import changing, governance, record_change, require_reason
from app.governance.tables import StopRow
from app.ledger.append import EventType
from app.orders.steps import record
from app.orders.tables import TransferOrder
from app.stock.tables import MasterRow
from policies.stops import CATEGORY, Stop, stop_holding
from tools import saga
from tools.inventory import LaneKey, Sku
from tools.saga import NOT_POSTED
from tools.transfers import TransferPlan

POSTS_MS_MAX = 800
"""So long a stop waits for posts that are under way. One that takes longer had started before."""
_POSTING = "hashtextextended('evenkeel/posting', 0)"
_SKU = TypeAdapter(Sku)
_log = get_logger(__name__)


def stops_in_force(session: Session, *, share: bool = False) -> tuple[Stop, ...]:
    """Every stop in force, the oldest first. With `share` nobody can change them before this transaction ends."""
    if share:
        governance(session, share=True)
    query = select(StopRow).where(col(StopRow.released_at).is_(None))
    return tuple(row.stop for row in session.exec(query.order_by(col(StopRow.engaged_at), col(StopRow.stop_id))).all())


def stop_on(session: Session, stops: tuple[Stop, ...], lane: LaneKey, sku_id: str) -> Stop | None:
    """The first of these stops that holds a transfer of the SKU on the lane, by the master data of now."""
    by_class = any(stop.sku_class for stop in stops)
    return stop_holding(stops, lane, _sku(session, sku_id) if by_class else None)


def stop_on_plan(session: Session, plan: TransferPlan, *, share: bool = False) -> Stop | None:
    """The stop that holds the plan or a line of it, if there is one."""
    stops = stops_in_force(session, share=share)
    held = (stop_on(session, stops, line.lane, line.sku_id) for line in plan.lines if stops)
    return next((stop for stop in held if stop is not None), None)


def posting(connection: Connection) -> None:
    """Say, until the end of the connection's transaction, that the ERP may be asked to make a transfer."""
    connection.execute(text(f"select pg_advisory_xact_lock_shared({_POSTING})"))


def engage_stop(session: Session, stop: Stop, actor: str, reason: str) -> StopRow:
    """Put a stop in force; one that holds the same is left as it is. Once this is committed no post starts that it holds.

    New posts wait from the first moment, and those under way are waited for, but not for long: an ERP that hangs
    must not keep anybody from stopping. Nor must a transaction in which nothing is said, as its process is frozen:
    that one is rolled back. Raises InvalidError without a reason, and for a lane or class that is not known;
    NotFoundError for a site.
    """
    require_reason(reason)
    _require_known(session, stop)
    _wait_for_posts(session)
    with not_kept_waiting(session):
        return _engaged(session, stop, actor, reason)


def _engaged(session: Session, stop: Stop, actor: str, reason: str) -> StopRow:
    changing(session)
    for known in stops_in_force(session):
        if known.scope == stop.scope:
            return session.get_one(StopRow, UUID(known.stop_id))
    site_id, origin, destination, mode, sku_class = stop.scope
    row = StopRow(
        stop_id=uuid4(), site_id=site_id, origin=origin, destination=destination, mode=mode, sku_class=sku_class,
        reason=reason, engaged_by=actor, engaged_at=database_now(session),
    )  # fmt: skip
    session.add(row)
    event = EventType.KILL_SWITCH_ENGAGED if stop.holds_everything else EventType.STOP_ENGAGED
    record_change(session, event, actor, _facts(row), reason)
    _hold(session, row.stop)
    return row


def release_stop(session: Session, stop_id: UUID, actor: str, reason: str) -> StopRow:
    """Take a stop back. What waited under it goes on waiting, for its validation. Raises InvalidError without a reason.

    Raises NotFoundError, and ConflictError for one that is released already.
    """
    require_reason(reason)
    changing(session)
    row = get_stop(session, stop_id)
    if row.released_at is not None:
        raise ConflictError("already_released", f"the stop was released by {row.released_by} already", "look again")
    _hold(session, row.stop)
    row.released_by, row.released_at, row.release_reason = actor, database_now(session), reason
    session.add(row)
    event = EventType.KILL_SWITCH_RELEASED if row.stop.holds_everything else EventType.STOP_RELEASED
    record_change(session, event, actor, _facts(row), reason)
    return row


def set_kill_switch(session: Session, *, engaged: bool, actor: str, reason: str) -> None:
    """Engage or release the stop of everything. Where it is so already nothing changes."""
    require_reason(reason)
    if engaged:
        engage_stop(session, Stop(), actor, reason)
        return
    changing(session)  # before it is looked whether there is one: another may be releasing it
    if (row := kill_switch(session)) is not None:
        release_stop(session, row.stop_id, actor, reason)


def kill_switch(session: Session) -> StopRow | None:
    """The stop of everything, while it is in force."""
    whole = next((stop for stop in stops_in_force(session) if stop.holds_everything), None)
    return None if whole is None else session.get_one(StopRow, UUID(whole.stop_id))


def get_stop(session: Session, stop_id: UUID) -> StopRow:
    """A stop, in force or not. Raises NotFoundError."""
    row = session.get(StopRow, stop_id, populate_existing=True)
    if row is None:
        raise NotFoundError("unknown_stop", f"there is no stop {stop_id}", "see `evenkeel stops`")
    return row


def _wait_for_posts(session: Session) -> None:
    """Take the lock that every post shares. Whoever comes later queues behind this, so nothing new starts meanwhile."""
    try:
        with session.begin_nested():
            connection = session.connection()
            connection.execute(text(f"set local lock_timeout = '{POSTS_MS_MAX}ms'"))
            connection.execute(text(f"select pg_advisory_xact_lock({_POSTING})"))
            connection.execute(text("set local lock_timeout to default"))
    except OperationalError as waited:
        if not isinstance(waited.orig, LockNotAvailable):
            raise
        _log.warning("stop_does_not_wait", milliseconds=POSTS_MS_MAX)


def _hold(session: Session, stop: Stop) -> None:
    """Mark every order that the ERP was not asked for, or may be asked for again, and that the stop holds."""
    query = select(TransferOrder).where(col(TransferOrder.state).in_(NOT_POSTED), col(TransferOrder.held_by).is_(None))
    if stop.sites:
        query = query.where(col(TransferOrder.origin).in_(stop.sites) | col(TransferOrder.destination).in_(stop.sites))
    query = query.order_by(col(TransferOrder.transfer_id)).with_for_update().execution_options(populate_existing=True)
    for order in session.exec(query).all():
        if stop_on(session, (stop,), order.facts.lane, order.sku_id) is not None:
            record(session, order, saga.held(order.facts, stop.stop_id))


def _require_known(session: Session, stop: Stop) -> None:
    """A stop with a slip of the pen in it would hold nothing, and nobody would notice."""
    for site_id in stop.sites:
        if session.get(MasterRow, ("site", site_id)) is None:
            raise NotFoundError("unknown_site", f"there is no site {site_id}", "check the id")
    if stop.origin is not None:
        _require_lane(session, stop)
    if stop.sku_class is not None and stop.sku_class.startswith(CATEGORY):
        category = MasterRow.body["category"].as_string() == stop.sku_class.removeprefix(CATEGORY)
        if session.exec(select(MasterRow.key).where(MasterRow.kind == "sku", category).limit(1)).first() is None:
            raise InvalidError("sku_class", f"no SKU is of {stop.sku_class}", "check the category")


def _require_lane(session: Session, stop: Stop) -> None:
    """A lane of the master data, or one that an order which is not posted yet travels on."""
    lane = MasterRow.body
    between = (lane["origin"].as_string() == stop.origin) & (lane["destination"].as_string() == stop.destination)
    modes = set(session.exec(select(lane["mode"].as_string()).where(MasterRow.kind == "lane", between)).all())
    waits = col(TransferOrder.state).in_(NOT_POSTED) & (TransferOrder.origin == stop.origin)
    modes |= set(
        session.exec(select(TransferOrder.mode).where(waits, TransferOrder.destination == stop.destination)).all()
    )
    if not modes or stop.mode not in {None, *modes}:
        by = f" by {stop.mode}" if stop.mode else ""
        raise InvalidError(
            "unknown_lane", f"there is no lane from {stop.origin} to {stop.destination}{by}",
            f"the modes between them: {', '.join(sorted(modes)) or 'none'}",
        )  # fmt: skip


def _sku(session: Session, sku_id: str) -> Sku | None:
    row = session.get(MasterRow, ("sku", sku_id))
    return None if row is None else _SKU.validate_python(row.body)


def _facts(row: StopRow) -> dict[str, object]:
    """What goes on record; the parts that are not stated are left out."""
    parts = ("site_id", "origin", "destination", "mode", "sku_class")
    named = {name: getattr(row, name) for name in parts if getattr(row, name) is not None}
    return {"stop": str(row.stop_id), **named}
