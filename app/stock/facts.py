"""From the tables to a snapshot: the facts as of an instant, frozen."""

from __future__ import annotations

from collections.abc import Iterator
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
        positions=_positions(session, counted, as_of),
        supply=_supply(session),
        forecasts=_forecasts(session, as_of, row.demand_version),
        replenishments=_replenishments(session),
        recent_moves=_recent_moves(session, as_of),
        holds=_holds(session),
        lineage=_lineage(session),
        merchandise=stated_merchandise(session),
        approval_latency_days=latency_of_decisions(session),
        booked=_booked(session, as_of.date(), {sku.sku_id: sku for sku in skus}),
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


def _positions(session: Session, counted: dict[SiteSku, datetime], as_of: datetime) -> tuple[StockPosition, ...]:
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
    own = [
        InboundSupply(
            row.destination, row.sku_id, row.facts.in_transit_units if row.shipped_units else row.units, row.arrive_on,
            SupplyKind.TRANSFER, str(row.transfer_id),
        )
        for row in session.exec(select(TransferOrder).where(col(TransferOrder.state).in_(UNDER_WAY))).all()
        if row.state is not OrderState.COMPENSATING  # called back: the destination waits for nothing
    ]  # fmt: skip
    rows = list(own)
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
    return tuple(sorted(rows, key=lambda r: (r.site_id, r.sku_id, r.expected_on, r.reference)))


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


def _booked(session: Session, today: date, skus: dict[str, Sku]) -> tuple[BookedLoad, ...]:
    """What approved transfers have on departures of today and later. A SKU that is not known any more takes no room."""
    open_orders = select(TransferOrder).where(
        col(TransferOrder.state).in_(UNDER_WAY), col(TransferOrder.depart_on) >= today
    )
    loads: dict[tuple[str, str, str, date], list[int]] = {}
    for row in session.exec(open_orders).all():
        volume = skus[row.sku_id].unit_volume_microlitres if row.sku_id in skus else 0
        load = loads.setdefault((row.origin, row.destination, row.mode, row.depart_on), [0, 0])
        load[0] += row.units
        load[1] += row.units * volume
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


def _recent_moves(session: Session, as_of: datetime) -> tuple[RecentMove, ...]:
    """What transfers have moved, or are about to: a cancelled or refused one has moved nothing."""
    since = as_of.date() - timedelta(days=RECENT_DAYS)
    rows = session.exec(
        select(TransferOrder).where(TransferOrder.planned_on > since, col(TransferOrder.state).not_in(CAME_TO_NOTHING))
    ).all()
    last: dict[tuple[str, str, bool], RecentMove] = {}
    for row in sorted(rows, key=lambda row: row.planned_on):
        for site_id, sent in ((row.origin, True), (row.destination, False)):
            last[site_id, row.sku_id, sent] = RecentMove(site_id, row.sku_id, sent, row.planned_on)
    return tuple(last[key] for key in sorted(last))


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
