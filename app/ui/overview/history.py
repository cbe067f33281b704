"""What the database holds about the last weeks: transfers, decisions, signals, and the stock as it was."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlmodel import Session

from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.db.documents import unpacked
from app.plans.tables import SnapshotRow
from app.ui.network.pending import Waiting
from app.ui.network.stock_table import Seen, StockTable
from app.ui.overview.kpis import DAYS_BACK, Before, Shelf, Work, shelf_of
from graphs.planning import imbalances_of
from policies.rules import Facts
from tools.inventory import Snapshot

SNAPSHOTS_MAX = 6
"""So many earlier days are compared with."""
BYTES_MAX = 1_500_000
"""So much of stored facts is read for one page at most: those of a large network take seconds."""
_SHELVES: OrderedDict[tuple[object, ...], Shelf] = OrderedDict()
_SHELVES_KEPT = 400
_LOCK = Lock()

_AT = "(cast(:sites as text[]) is null or o.origin = any(:sites) or o.destination = any(:sites))"
_ORDERS = text(f"""
    select floor(extract(epoch from (cast(:until as timestamptz) - r.requested_at)) / 86400)::int as days_ago, count(*) as orders,
           count(*) filter (where o.state in ('refused', 'needs_attention') or o.lost_units + o.damaged_units > 0) as failed
    from transfer_order o join approval_request r using (approval_id)
    where r.requested_at > :since and {_AT} group by 1
""")  # noqa: S608  the parts are ours
_LEAD = text(f"""
    select extract(epoch from max(e.occurred_at) filter (where e.type = 'transfer_received')
                            - min(e.occurred_at) filter (where e.type = 'transfer_posted')) / 3600 as hours
    from ledger_event e join transfer_order o on o.transfer_id = cast(split_part(e.key, '/', 2) as uuid)
    where e.type in ('transfer_posted', 'transfer_received') and e.occurred_at > :since
      and o.state in ('received', 'closed') and {_AT}
    group by o.transfer_id
    having count(*) filter (where e.type = 'transfer_received') > 0 and count(*) filter (where e.type = 'transfer_posted') > 0
    order by max(e.occurred_at), o.transfer_id
""")  # noqa: S608  the parts are ours
_REQUESTS = text("""
    select floor(extract(epoch from (cast(:until as timestamptz) - requested_at)) / 86400)::int as days_ago, count(*) as requests
    from approval_request
    where requested_at > :since and (cast(:sites as text[]) is null or jsonb_exists_any(cast(sites as jsonb), :sites)) group by 1
""")
_SIGNALS = text("""
    select floor(extract(epoch from (cast(:until as timestamptz) - received_at)) / 86400)::int as days_ago, count(*) as signals,
           count(*) filter (where verdict = 'quarantined') as refused
    from signal where received_at > :since group by 1
""")
_FIRST_OF_DAYS = text("""
    select distinct on (date_trunc('day', frozen_at)) digest, frozen_at, octet_length(body) as bytes
    from snapshot where frozen_at > :since order by date_trunc('day', frozen_at), frozen_at
""")


def work_of(session: Session, seen: Seen, waiting: list[Waiting], planning_now: datetime) -> Work:
    """Transfers, decisions and signals at the caller's sites."""
    caller, now = seen.caller, database_now(session)
    asked: dict[str, Any] = {
        "since": now - timedelta(days=DAYS_BACK), "until": now,
        "sites": None if caller.sites is None else sorted(caller.sites),
    }  # fmt: skip
    run = session.connection().execute
    orders = run(_ORDERS, asked).all()
    signals = run(_SIGNALS, asked).all() if may_see_signals(caller) else None
    oldest = min((each.requested_at for each in waiting), default=None)
    counted_at = seen.table.counted_at[seen.own_rows]
    ages_hours = (planning_now.timestamp() - counted_at[~np.isnan(counted_at)]) / 3600
    return Work(
        orders=_by_day((row.days_ago, row.orders) for row in orders),
        failed=_by_day((row.days_ago, row.failed) for row in orders),
        lead_hours=tuple(max(float(row.hours), 0.0) for row in run(_LEAD, asked)),
        requested=_by_day((row.days_ago, row.requests) for row in run(_REQUESTS, asked)),
        waiting=len(waiting),
        oldest_waiting_seconds=None if oldest is None else max((now - oldest).total_seconds(), 0.0),
        quarantined=None if signals is None else _by_day((row.days_ago, row.refused) for row in signals),
        signals=sum(row.signals for row in signals or ()),
        oldest_count_hours=max(float(ages_hours.max()), 0.0) if len(ages_hours) else None,
        too_old=int((ages_hours > seen.facts.policy.data_quality.stale_after_hours).sum()),
    )


def may_see_signals(caller: Principal) -> bool:
    """Whether somebody may see the signals, which are about every site."""
    return caller.sees_everything and caller.may(Act.SEND_SIGNALS)


def _by_day(counted: Any) -> tuple[int, ...]:
    days = [0] * DAYS_BACK
    for days_ago, count in counted:
        days[DAYS_BACK - 1 - min(max(days_ago, 0), DAYS_BACK - 1)] += count
    return tuple(days)


def stock_before(session: Session, seen: Seen) -> list[Before]:
    """The caller's stock at the beginning of earlier days on which facts were frozen, the oldest first.

    It is judged by the policy of now, so that only the stock makes a difference. What was worked out is kept.
    """
    since = database_now(session) - timedelta(days=DAYS_BACK)
    rows = session.connection().execute(_FIRST_OF_DAYS, {"since": since}).all()
    earlier = [row for row in rows if row.digest != seen.snapshot.digest]
    if len(earlier) > SNAPSHOTS_MAX:
        places = sorted({round(at) for at in np.linspace(0, len(earlier) - 1, SNAPSHOTS_MAX).tolist()})
        earlier = [earlier[place] for place in places]
    found, left = [], BYTES_MAX
    for row in earlier:
        key = (row.digest, seen.facts.policy.digest, seen.caller.sites)
        shelf = _kept(key)
        if shelf is None and row.bytes <= left:
            left -= row.bytes
            shelf = _shelf(session, seen, row.digest)
            _keep(key, shelf)
        if shelf is not None:
            found.append(Before(row.frozen_at.astimezone(UTC), shelf))
    return found


def _shelf(session: Session, seen: Seen, digest: str) -> Shelf:
    """The figures of earlier facts. They are not kept in place of those that are worked with."""
    row = session.get_one(SnapshotRow, digest)
    facts = Facts(Snapshot.from_document(unpacked(row.body)), seen.facts.policy, seen.facts.now)
    table = StockTable(facts.snapshot, facts.policy, imbalances_of(facts))
    own = [seen.caller.covers((site.site_id,)) for site in facts.snapshot.sites]
    return shelf_of(table, np.asarray(own, dtype=bool)[table.site])


def _kept(key: tuple[object, ...]) -> Shelf | None:
    with _LOCK:
        return _SHELVES.get(key)


def _keep(key: tuple[object, ...], shelf: Shelf) -> None:
    with _LOCK:
        _SHELVES[key] = shelf
        while len(_SHELVES) > _SHELVES_KEPT:
            _SHELVES.popitem(last=False)
