"""Signals and facts for tests of what comes in from outside: databases, envelopes, orders, and what the tables hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlmodel import Session, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus, Decision
from app.auth.people import SYSTEM
from app.db.database import Database, database_now
from app.governance.state import active_policy
from app.ledger.append import EventType, append, stock_stream
from app.ledger.tables import LedgerEvent
from app.orders.steps import take
from app.orders.tables import TransferOrder
from app.plans.tables import PlanRow, SnapshotRow
from app.stock.facts import freeze
from app.stock.importing import Imported, import_network
from app.stock.ingest import Ingested, ingest
from app.stock.installation import planning_now
from app.stock.tables import DataHoldRow
from evals.databases import Servers
from policies.limits import quality_rules
from tests.builders import NOW, TODAY, a_site, a_sku, a_supply, in_days, weekly_sales
from tests.installation import a_network
from tools import following, saga
from tools.execution import OrderState
from tools.findings import QualityContext
from tools.inventory import LaneKey, SiteSku, Snapshot, StockPosition, SupplyKind
from tools.moves import reserve
from tools.network_folder import SIZE_LIMIT_BYTES, NetworkFolder, write_network
from tools.ports import ErpTransfer, ErpTransferState, Refused
from tools.signals import (
    DATA_SCHEMAS,
    Envelope,
    ForecastData,
    ForecastReading,
    InboundData,
    InboundReading,
    LeadTimeData,
    SalesData,
    SalesReading,
    SignalData,
    SignalKind,
    StockData,
    StockReading,
    SupplierReliabilityData,
    envelope,
)
from tools.transfers import Verdict

ERP = "erp"


@contextmanager
def a_database(servers: Servers) -> Iterator[Database]:
    """An empty database with the schema, gone afterwards. For tests that share one and change nothing in it."""
    with servers.fresh_database() as url:
        database = Database(url)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def undone(database: Database) -> Iterator[Session]:
    """A session of which nothing stays."""
    with Session(database.engine, expire_on_commit=False) as session:
        session.begin()
        try:
            yield session
        finally:
            session.rollback()


def waits_for_a_lock(database: Database) -> bool:
    """Whether a session of this database waits for another one to end."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with database.engine.connect() as connection:
        return bool(connection.execute(text(query)).scalar_one())


_TABLES = text("select table_name from information_schema.tables where table_schema = 'public' order by 1")


def table_digests(session: Session) -> dict[str, str | None]:
    """What every table holds, as one digest for each; None for an empty one."""
    connection = session.connection()
    session.flush()
    names = connection.execute(_TABLES).scalars().all()
    assert len(names) > 30, "the schema has lost its tables"
    each = " union all ".join(
        f"select '{name}', md5(string_agg(t::text, '|' order by t::text)) from public.\"{name}\" t" for name in names
    )
    return {row[0]: row[1] for row in connection.execute(text(each))}


def all_digests(database: Database) -> dict[str, str | None]:
    """What every table holds, as committed."""
    with database.transaction() as session:
        return table_digests(session)


def take_in(session: Session, network: NetworkFolder | dict[str, bytes], *, pin: bool = True) -> Imported:
    """Import a network (by default one whose own day is today) in the caller's transaction."""
    files = network if isinstance(network, dict) else write_network(network)
    return import_network(session, files, SYSTEM, pin=pin, size_limit_bytes=SIZE_LIMIT_BYTES)


def send(session: Session, signal: Envelope, covered: frozenset[SiteSku] = frozenset(), **rules: Any) -> Ingested:
    """Take in a signal under the policy's rules (or other ones, by name), judged by the facts of now."""

    def context() -> QualityContext:
        in_force = replace(quality_rules(active_policy(session)), **rules)
        return QualityContext(freeze(session), planning_now(session), in_force, covered)

    return ingest(session, signal, context, SYSTEM)


def a_signal(data: SignalData, signal_id: str = "1", source: str = ERP, time: datetime = NOW) -> Envelope:
    """An envelope of the right kind around the data."""
    (kind,) = (kind for kind, schema in DATA_SCHEMAS.items() if type(data) is schema)
    return envelope(kind, source, signal_id, time, data)


def raw(kind: SignalKind, data: dict[str, Any], **fields: Any) -> Envelope:
    """An envelope around data that nobody has checked yet."""
    return Envelope.model_validate({"id": "1", "source": ERP, "type": kind, "time": NOW, "data": data} | fields)


def counts(*readings: StockReading, minutes: float = 5, as_of: datetime | None = None) -> StockData:
    """Counts as of so many minutes after the network's own."""
    return StockData(as_of=as_of or NOW + timedelta(minutes=minutes), readings=readings)


def a_reading(units: int, site_id: str = "S1", sku_id: str = "P1", reserved_units: int = 0) -> StockReading:
    """A count of P1 at S1."""
    return StockReading(site_id=site_id, sku_id=sku_id, on_hand_units=units, reserved_units=reserved_units)


def a_count(units: int, site_id: str = "S1", sku_id: str = "P1", **fields: Any) -> StockData:
    """One reading of P1 at S1."""
    return counts(a_reading(units, site_id, sku_id), **fields)


def an_order(session: Session, units: int = 6, state: OrderState = OrderState.RELEASED, **fields: Any) -> TransferOrder:
    """A transfer order of P1 from S1 to S2 with its units reserved, brought to `state` by the service's own steps."""
    named: dict[str, Any] = {"sku_id": "P1", "origin": "S1", "destination": "S2", "mode": "van", "planned_on": TODAY}
    today = planning_now(session).date()
    named |= {"depart_on": today + timedelta(days=1), "arrive_on": today + timedelta(days=2)} | fields
    order = TransferOrder(
        transfer_id=uuid4(), approval_id=uuid4(), plan_digest="0" * 64, line_no=1, units=units,
        state=OrderState.RELEASED, state_at=database_now(session), reserved=True, **named,
    )  # fmt: skip
    append(
        session,
        stream=stock_stream(order.origin, order.sku_id),
        key=f"transfer/{order.transfer_id}/reserved",
        event_type=EventType.TRANSFER_RESERVED,
        actor=SYSTEM,
        moves=[reserve(order.sku_id, LaneKey(order.origin, order.destination, order.mode), units)],
    )
    session.add(order)
    _decide_on(session, order)
    bring_to(session, order.transfer_id, state)
    return order


def _decide_on(session: Session, order: TransferOrder) -> None:
    """The approval that the order rests on: the database lets none be requested without."""
    now, digest = order.state_at, order.plan_digest
    if session.get(PlanRow, digest) is None:
        session.add(SnapshotRow(digest=digest, as_of=now, frozen_at=now, body=b""))
        session.flush()
        session.add(PlanRow(digest=digest, snapshot_digest=digest, policy_digest=digest, planned_at=now, body=b""))
        session.flush()
    session.add(
        ApprovalRequest(
            approval_id=order.approval_id, plan_digest=digest, attempt=0, tier="standard",
            status=ApprovalStatus.APPROVED, requested_by="paula", authors=["paula"],
            sites=[order.origin, order.destination], requested_at=now, expires_at=now, closed_at=now, lines=1,
            units=order.units, goods_value_minor=1, saving_minor=1, currency="USD",
        )
    )  # fmt: skip
    session.flush()
    session.add(
        Decision(
            approval_id=order.approval_id, verdict=Verdict.APPROVE, decided_by="ada", decided_at=now, seen_digest=digest
        )
    )
    session.flush()


def bring_to(session: Session, transfer_id: UUID, state: OrderState) -> None:
    """Carry an order on to `state`: requested, confirmed, shipped, cancelled or refused."""
    if state is OrderState.RELEASED:
        return
    take(session, transfer_id, lambda order, _missing: saga.requested(order))
    if state is OrderState.REQUESTED:
        return
    units = session.get_one(TransferOrder, transfer_id).units
    said = (
        Refused("no dock is free")
        if state is OrderState.REFUSED
        else (ErpTransfer(str(transfer_id), "X-1", ErpTransferState(state), units))
    )
    take(session, transfer_id, lambda order, missing: following.learned(order, said, missing))


def position(snapshot: Snapshot, site_id: str = "S1", sku_id: str = "P1") -> StockPosition:
    """The position of P1 at S1."""
    return snapshot.position_by_key[SiteSku(site_id, sku_id)]


def without_lineage(snapshot: Snapshot) -> Snapshot:
    """The facts alone, whichever signals they rest on."""
    return replace(snapshot, lineage=())


def sold(units: int, days_ago: int = 1, sku_id: str = "P1", site_id: str = "S1") -> SalesData:
    """A day of sales of P1 at S1."""
    reading = SalesReading(site_id=site_id, sku_id=sku_id, on=in_days(-days_ago), units=units)
    return SalesData(grain="day", readings=(reading,))


def history(sku_id: str = "P3") -> SalesData:
    """Twelve weeks of 14 units at S1."""
    rows = weekly_sales(*[14] * 12, sku_id=sku_id)
    readings = tuple(SalesReading(site_id=r.site_id, sku_id=r.sku_id, on=r.on, units=r.units) for r in rows)
    return SalesData(grain="week", readings=readings)


def forecast(daily_units: float, days: range = range(14), sku_id: str = "P1") -> ForecastData:
    """Level demand at S1."""
    mean_e6 = round(daily_units * 1_000_000)
    return ForecastData(
        readings=tuple(ForecastReading(site_id="S1", sku_id=sku_id, on=in_days(day), mean_e6=mean_e6) for day in days)
    )


def order(units: int, days: int = 5, reference: str = "PO-2", **fields: Any) -> InboundData:
    """A purchase order of P1 for S1."""
    named = {"site_id": "S1", "sku_id": "P1", "kind": SupplyKind.PURCHASE_ORDER} | fields
    reading = InboundReading(units=units, expected_on=in_days(days), reference=reference, **named)
    return InboundData(readings=(reading,))


def lane_takes(days: int, destination: str = "S2") -> LeadTimeData:
    """The lead time of the van from S1."""
    return LeadTimeData(origin="S1", destination=destination, mode="van", lead_time_days=days)


def late(percent: int = 50, days: int = 5, **fields: Any) -> SupplierReliabilityData:
    """Purchase orders for S1 that come late."""
    return SupplierReliabilityData(**{"site_id": "S1"} | fields, on_time_percent=percent, mean_delay_days=days)


def signal_network() -> NetworkFolder:
    """The usual three stores. P3 is in the master data and was never counted or sold; S3 holds 20,000 litres."""
    return replace(
        a_network(inbound=(a_supply("S1", days=3, reference="PO-1"),)),
        sites=(a_site("S1"), a_site("S2"), a_site("S3", storage_capacity_microlitres=20_000 * 10**6)),
        skus=(a_sku("P1"), a_sku("P2"), a_sku("P3")),
    )


def facts_of(session: Session) -> Snapshot:
    """The facts as the tables hold them, without the signals they rest on and without holds."""
    session.flush()
    session.expire_all()
    return replace(without_lineage(freeze(session)), holds=())


def held(session: Session) -> dict[tuple[str, str, str], str]:
    """Holds: the failed check by site, SKU and kind of signal."""
    session.flush()
    session.expire_all()
    return {(row.site_id, row.sku_id, row.kind): row.check_name for row in session.exec(select(DataHoldRow)).all()}


def event_facts(event: LedgerEvent) -> dict[str, Any]:
    """What an event of the ledger states."""
    facts: dict[str, Any] = json.loads(event.body)["facts"]
    return facts


def quarantine_events(session: Session) -> list[dict[str, Any]]:
    """What the ledger says about quarantined signals."""
    query = select(LedgerEvent).where(LedgerEvent.type == EventType.SIGNAL_QUARANTINED)
    return [event_facts(row) for row in session.exec(query).all()]


def never_asked() -> QualityContext:
    """For a signal about which nobody needs to know what was known before it."""
    raise AssertionError("what was known is of no interest here")
