"""From the tables to a snapshot: the facts as of an instant, frozen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import String, cast, text
from sqlmodel import Session, col, select

from app.approvals.latency import latency_of_decisions
from app.db.documents import packed, unpacked
from app.db.upsert import upsert
from app.errors import ConflictError
from app.orders.tables import CAME_TO_NOTHING, UNDER_WAY, TransferOrder
from app.stock.installation import installation, planning_now
from app.stock.merchandise import stated_merchandise
from app.stock.tables import (
    DataHoldRow,
    ForecastCache,
    InboundRow,
    LaneLeadTimeRow,
    MasterRow,
    StockCountRow,
    SupplierReliabilityRow,
)
from tools.execution import OrderState
from tools.forecast import GIVEN, GIVEN_DAYS_MAX, Grain, forecast_given, forecast_network
from tools.inventory import (
    BookedLoad,
    DataHold,
    DemandForecast,
    InboundSupply,
    Lane,
    LaneKey,
    RecentMove,
    Replenishment,
    SalesObservation,
    SignalRef,
    Site,
    SiteSku,
    Sku,
    Snapshot,
    StockPosition,
    SupplyKind,
)
from tools.signals import ForecastReading, SignalKind

RECENT_DAYS = 90
"""How far back moves are shown to the cool-down rule; no policy may ask for more."""

PAST_FORECAST_DAYS = 60
"""How far back a given forecast is kept: new counts and sales are judged by what was expected since the ones before."""

HISTORY_ROWS = 20_000
"""Rows of the sales history that are fetched at a time."""

MasterT = TypeVar("MasterT")
_SITE, _SKU, _LANE = TypeAdapter(Site), TypeAdapter(Sku), TypeAdapter(Lane)
_FORECASTS = TypeAdapter(tuple[DemandForecast, ...])


def freeze(session: Session) -> Snapshot:
    """The facts now. Raises ConflictError while there is no network."""
    row = installation(session)
    if row.currency is None:
        raise ConflictError("no_network", "there is no network yet", "import one with `evenkeel import DIR`")
    counted = _counted(session)
    today = planning_now(session).replace(hour=0, minute=0, second=0, microsecond=0)
    as_of = max(counted.values(), default=today)
    as_of = max(as_of.astimezone(UTC), today.astimezone(UTC))
    sites, skus = _master(session, "site", _SITE), _master(session, "sku", _SKU)
    return Snapshot(
        as_of=as_of,
        currency=row.currency,
        sites=tuple(sorted(sites, key=lambda site: site.site_id)),
        skus=tuple(sorted(skus, key=lambda sku: sku.sku_id)),
        lanes=_lanes(session),
        positions=positions(session, counted, as_of),
        supply=_supply(session),
        forecasts=_forecasts(session, as_of, row.demand_version),
        replenishments=_replenishments(session),
        recent_moves=recent_moves(session, as_of),
        holds=_holds(session),
        lineage=_lineage(session),
        merchandise=stated_merchandise(session),
        approval_latency_days=latency_of_decisions(session),
        booked=booked_loads(session, as_of.date(), {sku.sku_id: sku for sku in skus}),
    )


def _master(session: Session, kind: str, adapter: TypeAdapter[MasterT]) -> list[MasterT]:
    rows = session.exec(select(MasterRow).where(MasterRow.kind == kind)).all()
    return [adapter.validate_python(row.body) for row in rows]


def _lanes(session: Session) -> tuple[Lane, ...]:
    """Lanes with the lead times that signals state over the master data."""
    now = {LaneKey(row.origin, row.destination, row.mode): row for row in session.exec(select(LaneLeadTimeRow)).all()}
    lanes = []
    for lane in _master(session, "lane", _LANE):
        stated = now.get(lane.key)
        if stated is not None:
            days, spread = stated.lead_time_days, stated.lead_time_sd_millidays
            lane = replace(lane, lead_time_days=days, lead_time_sd_millidays=spread)  # noqa: PLW2901
        lanes.append(lane)
    return tuple(sorted(lanes, key=lambda lane: lane.key))


def _counted(session: Session) -> dict[SiteSku, datetime]:
    """When each SKU was last counted at each site."""
    rows = session.exec(select(StockCountRow.site_id, StockCountRow.sku_id, StockCountRow.as_of)).all()
    return {SiteSku(site_id, sku_id): as_of for site_id, sku_id, as_of in rows}


def positions(session: Session, counted: dict[SiteSku, datetime], as_of: datetime) -> tuple[StockPosition, ...]:
    """What the ledger says is at each site. A SKU that only a transfer has brought has no count of its own."""
    rows = session.connection().execute(
        text("""
        select split_part(place, '/', 2) as site_id, sku_id, sum(units) as on_hand,
               coalesce(sum(units) filter (where split_part(place, '/', 3) <> 'available'), 0) as reserved
        from balance where place like 'site/%' group by 1, 2
        """)
    )
    on_hand = {SiteSku(row.site_id, row.sku_id): (int(row.on_hand), int(row.reserved)) for row in rows}
    return tuple(
        StockPosition(key.site_id, key.sku_id, *on_hand.get(key, (0, 0)), counted.get(key, as_of).astimezone(UTC))
        for key in sorted(on_hand.keys() | counted.keys())
    )


def _supply(session: Session) -> tuple[InboundSupply, ...]:
    """Open supply, purchase orders as late as their suppliers are, and our own transfers still to arrive.

    A transfer that the ERP reports under our reference is our own: it is counted once,
    and not at all when it has arrived or come to nothing, whatever the ERP still reports.
    """
    late = {(row.site_id, row.sku_id): row for row in session.exec(select(SupplierReliabilityRow)).all()}
    rows = own_supply(session)
    ours = select(cast(col(TransferOrder.transfer_id), String))
    for row in session.exec(
        select(InboundRow).where(InboundRow.units > 0, col(InboundRow.reference).not_in(ours))
    ).all():
        kind, expected_on = SupplyKind(row.kind), row.expected_on
        reliability = late.get((row.site_id, row.sku_id)) or late.get((row.site_id, ""))
        if kind is SupplyKind.PURCHASE_ORDER and reliability is not None:
            share_late = 100 - reliability.on_time_percent
            expected_on += timedelta(days=-(-reliability.mean_delay_days * share_late // 100))
        rows.append(InboundSupply(row.site_id, row.sku_id, row.units, expected_on, kind, row.reference))
    return supply_in_order(rows)


def supply_in_order(rows: Iterable[InboundSupply]) -> tuple[InboundSupply, ...]:
    """Supply in the order that a snapshot holds it in."""
    return tuple(sorted(rows, key=lambda r: (r.site_id, r.sku_id, r.expected_on, r.reference)))


_OWN = text("""
    select destination, sku_id, arrive_on, transfer_id::text as reference,
           case when shipped_units > 0
                then shipped_units - received_units - damaged_units - returned_units - lost_units else units end as units
    from transfer_order where state = any(:states)
""")


def own_supply(session: Session) -> list[InboundSupply]:
    """Our own transfers still to arrive. Of one that is called back the destination waits for nothing."""
    states = [state.value for state in UNDER_WAY if state is not OrderState.COMPENSATING]
    return [
        InboundSupply(row.destination, row.sku_id, row.units, row.arrive_on, SupplyKind.TRANSFER, row.reference)
        for row in session.connection().execute(_OWN, {"states": states})
    ]


def _forecasts(session: Session, as_of: datetime, demand_version: int) -> tuple[DemandForecast, ...]:
    """Forecasts as given, their level learned from sales, and forecasts from history where none is given.

    Kept, because making them takes seconds.
    """
    key = f"{demand_version}/{as_of.date()}"
    cached = session.get(ForecastCache, key)
    if cached is not None:
        return _FORECASTS.validate_python(unpacked(cached.body))
    found = {forecast.key: forecast for forecast in forecast_given(_forecast_days(session, as_of.date()))}
    for grain in ("day", "week"):
        for forecast in forecast_network(_history(session, grain), grain, as_of.date(), found.values()):
            # What one grain has told is not told again by the other.
            if forecast.key not in found or found[forecast.key].method == GIVEN:
                found[forecast.key] = forecast
    forecasts = tuple(found[each] for each in sorted(found))
    upsert(session, ForecastCache, [{"key": key, "body": packed(_FORECASTS.dump_python(forecasts, mode="json"))}])
    return forecasts


_BOOKED = text("""
    select origin, destination, mode, depart_on, sku_id, sum(units)::bigint as units
    from transfer_order where state = any(:states) and depart_on >= :today group by 1, 2, 3, 4, 5
""")


def booked_loads(session: Session, today: date, skus: Mapping[str, Sku]) -> tuple[BookedLoad, ...]:
    """What approved transfers have on departures of today and later. A SKU that is not known any more takes no room."""
    loads: dict[tuple[str, str, str, date], list[int]] = {}
    under_way = {"states": [state.value for state in UNDER_WAY], "today": today}
    for *departure, sku_id, units in session.connection().execute(_BOOKED, under_way):
        volume = skus[sku_id].unit_volume_microlitres if sku_id in skus else 0
        load = loads.setdefault((departure[0], departure[1], departure[2], departure[3]), [0, 0])
        load[0] += units
        load[1] += units * volume
    return tuple(BookedLoad(*key, *load) for key, load in sorted(loads.items()))


_HISTORY = text("select site_id, sku_id, on_date, units, in_stock from sales where grain = :grain")


def _history(session: Session, grain: Grain) -> Iterator[SalesObservation]:
    """The sales at one grain. A network's history has millions of rows: read in batches, ids and dates kept once."""
    seen: dict[Any, Any] = {}
    once = seen.setdefault
    found = session.connection().execute(_HISTORY, {"grain": grain}, execution_options={"yield_per": HISTORY_ROWS})
    for site_id, sku_id, on, units, in_stock in found:
        yield SalesObservation(once(site_id, site_id), once(sku_id, sku_id), once(on, on), units, in_stock)


_FORECAST_DAYS = text("""
    select site_id, sku_id, on_date as "on", mean_e6, variance_e6
    from (
        select *, max(on_date) over (partition by site_id, sku_id) as last_on
        from forecast_day where on_date < :end_on
    ) until_end
    where on_date >= least(:first_on, last_on - 6)
""")


def _forecast_days(session: Session, today: date) -> Iterator[ForecastReading]:
    """The days that still count: as many as a forecast may have, or the last week of one that has run out."""
    first_on = today - timedelta(days=PAST_FORECAST_DAYS)
    days = {"first_on": first_on, "end_on": first_on + timedelta(days=GIVEN_DAYS_MAX)}
    for row in session.connection().execute(_FORECAST_DAYS, days).mappings():
        yield ForecastReading.model_construct(**row)


_REPLENISHMENTS = text("select site_id, sku_id, next_arrival_on, review_period_days from replenishment")


def _replenishments(session: Session) -> tuple[Replenishment, ...]:
    rows = session.connection().execute(_REPLENISHMENTS)
    return tuple(Replenishment(*row) for row in sorted(rows, key=lambda row: (row.site_id, row.sku_id)))


_MOVES = text("""
    select site_id, sku_id, sent, max(planned_on) as moved_on
    from transfer_order, lateral (values (origin, true), (destination, false)) ends (site_id, sent)
    where planned_on > :since and state <> all(:nothing) group by 1, 2, 3
""")


def recent_moves(session: Session, as_of: datetime) -> tuple[RecentMove, ...]:
    """What transfers have moved, or are about to: a cancelled or refused one has moved nothing."""
    since = as_of.date() - timedelta(days=RECENT_DAYS)
    asked = {"since": since, "nothing": [state.value for state in CAME_TO_NOTHING]}
    moves = [RecentMove(*row) for row in session.connection().execute(_MOVES, asked)]
    return tuple(sorted(moves, key=lambda move: (move.site_id, move.sku_id, move.sent)))


def _holds(session: Session) -> tuple[DataHold, ...]:
    rows = session.exec(select(DataHoldRow).order_by(DataHoldRow.site_id, DataHoldRow.sku_id, DataHoldRow.kind)).all()
    held = {(row.site_id, row.sku_id): DataHold(row.site_id, row.sku_id, row.check_name, row.reason) for row in rows}
    return tuple(held[key] for key in sorted(held))


_LINEAGE = text("""
    select distinct s.source, s.signal_id, s.kind, s.digest, s.verdict
    from signal s
    where case s.kind
        when :transit then false
        when :stock then exists (
          select 1 from stock_count c where c.source = s.source and c.signal_id = s.signal_id)
        else s.verdict <> 'quarantined'
      end
    order by s.source, s.signal_id
""")


def _lineage(session: Session) -> tuple[SignalRef, ...]:
    """The signals that these facts rest on: the counts that still stand, and every other signal that was used.

    A count of which only some readings were quarantined still stands with the others.
    """
    kinds = {"stock": SignalKind.STOCK.value, "transit": SignalKind.TRANSIT_STATUS.value}
    rows = session.connection().execute(_LINEAGE, kinds)
    return tuple(SignalRef(row.source, row.signal_id, row.kind, row.digest, row.verdict) for row in rows)
