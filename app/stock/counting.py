"""A count of stock becomes ledger moves: what the site holds now, less what we know happened since the count."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from sqlalchemy import text
from sqlmodel import Session

from app.db.upsert import upsert
from app.ledger.append import EventType, append
from app.stock.tables import StockCountRow
from tools.inventory import SiteSku
from tools.moves import StockMove, available, committed, count
from tools.signals import Envelope, StockData, StockReading, data_digest

# In the ledger's own order, so that nobody deadlocks.
_LOCK = text("select 1 from balance where place = any(:places) order by place, sku_id for update")
_BOOKED = text("select place, sku_id, units from balance where place = any(:places)")
_SINCE = text("""
    select m.sku_id, sum(case when m.to_place = any(:places) then m.units else 0 end
                       - case when m.from_place = any(:places) then m.units else 0 end) as units
    from stock_move m join ledger_event e using (stream, seq)
    where e.occurred_at > :as_of and e.type in ('transfer_shipped', 'transfer_received')
      and (m.to_place = any(:places) or m.from_place = any(:places))
    group by m.sku_id
""")


def count_stock(session: Session, envelope: Envelope, data: StockData, actor: str) -> None:
    """Make the ledger agree with a count: one event for each site, with a move for every difference.

    A count is older than the moment it arrives. Units that our transfers shipped or
    received since then are taken into account, and units that we have reserved stay
    reserved: they are part of what was counted. Promised units that a count does not
    find are noted; no order rests on them any more.
    """
    by_site: dict[str, list[StockReading]] = {}
    for reading in data.readings:
        by_site.setdefault(reading.site_id, []).append(reading)
    short: dict[SiteSku, int] = {}
    for site_id, readings in sorted(by_site.items()):
        moves = _moves(session, site_id, readings, data.as_of, short)
        append(
            session,
            stream=f"count/{site_id}",
            key=f"count/{quote(envelope.source, safe='')}/{quote(envelope.id, safe='')}/{site_id}",
            event_type=EventType.STOCK_COUNTED,
            actor=actor,
            facts={
                "signal": envelope.id,
                "source": envelope.source,
                "digest": data_digest(data),
                "as_of": data.as_of.isoformat(),
                "readings": len(readings),
            },
            moves=moves,
        )
    upsert(
        session,
        StockCountRow,
        (
            {
                "site_id": reading.site_id, "sku_id": reading.sku_id, "as_of": data.as_of,
                "source": envelope.source, "signal_id": envelope.id,
                "short_units": short.get(SiteSku(reading.site_id, reading.sku_id), 0),
            }
            for reading in {SiteSku(r.site_id, r.sku_id): r for r in data.readings}.values()
        ),
    )  # fmt: skip


def _moves(
    session: Session, site_id: str, readings: Iterable[StockReading], as_of: datetime, short: dict[SiteSku, int]
) -> list[StockMove]:
    """The moves that make the ledger agree at one site; what is promised and was not found goes into `short`."""
    free, promised, ours = available(site_id), committed(site_id), f"site/{site_id}/reserved"
    places = [free, promised, ours]
    connection = session.connection()
    # Nobody may reserve between this look and the moves made from it. A statement of its own, because one that
    # waits for a lock does not see the rows that were inserted meanwhile.
    connection.execute(_LOCK, {"places": places})
    booked = {(row.place, row.sku_id): row.units for row in connection.execute(_BOOKED, {"places": places})}
    since = {row.sku_id: int(row.units) for row in connection.execute(_SINCE, {"places": places, "as_of": as_of})}
    moves: list[StockMove] = []
    for reading in sorted({r.sku_id: r for r in readings}.values(), key=lambda r: r.sku_id):
        sku_id = reading.sku_id
        here_now = max(reading.on_hand_units + since.get(sku_id, 0), 0)
        reserved = booked.get((ours, sku_id), 0)
        if here_now < reserved:
            short[SiteSku(site_id, sku_id)] = reserved - here_now
        committed_units = min(reading.reserved_units, max(here_now - reserved, 0))
        wanted = {free: max(here_now - reserved - committed_units, 0), promised: committed_units}
        for place, units in wanted.items():
            move = count(sku_id, place, booked.get((place, sku_id), 0), units)
            if move is not None:
                moves.append(move)
    return moves
