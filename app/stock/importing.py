"""`evenkeel import`: a folder becomes master data and signals, in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any

from pydantic import TypeAdapter
from sqlmodel import Session, select

from app.db.database import database_now
from app.db.upsert import upsert
from app.errors import InvalidError
from app.governance.state import active_policy
from app.ledger.append import EventType, append
from app.stock.facts import freeze
from app.stock.ingest import Ingested, ingest
from app.stock.installation import facts_changed, installation
from app.stock.merchandise import replace_merchandise
from app.stock.tables import MasterRow, NetworkImport, ReplenishmentRow, StockCountRow
from policies.limits import quality_rules
from tools.findings import QualityContext, QualityVerdict
from tools.inventory import Lane, Site, SiteSku, Sku
from tools.merchandise.facts import Merchandise
from tools.network_folder import ImportFaults, NetworkFolder, read_network
from tools.signals import (
    READINGS_MAX,
    Envelope,
    SignalKind,
)

SOURCE = "folder"


class ImportRefusedError(InvalidError):
    """The folder has faults; nothing was written."""

    def __init__(self, faults: ImportFaults) -> None:
        listed = "; ".join(str(fault) for fault in faults.faults[:3])
        super().__init__(
            "import_refused", f"the folder has {faults.total:,} faults and nothing was imported: {listed}",
            "repair them and import again",
        )  # fmt: skip
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `new` is False when the folder was known already."""

    digest: str
    new: bool
    counts: dict[str, int]
    sales_grain: str | None
    warnings: tuple[str, ...]
    quarantined: int


def import_network(
    session: Session, files: dict[str, bytes], actor: str, *, pin: bool = False, size_limit_bytes: int
) -> Imported:
    """Import a folder's files. `pin` makes the network's own day today, for samples that lie in the past.

    Raises ImportRefusedError with every fault; then the database is as it was.
    """
    row = installation(session, lock=True)
    now = database_now(session)
    policy = active_policy(session)
    stale_after = timedelta(hours=policy.data_quality.stale_after_hours)
    read = read_network(files, now, stale_after, size_limit_bytes, own_day=pin)
    if isinstance(read, ImportFaults):
        raise ImportRefusedError(read)
    warnings = tuple(str(notice) for notice in read.warnings)
    grain = read.sales_grain.value if read.sales_grain else None
    known = session.get(NetworkImport, read.digest)
    if known is not None:
        return Imported(
            read.digest, new=False, counts=known.counts, sales_grain=grain, warnings=warnings, quarantined=0
        )
    if row.currency not in (None, read.currency):
        raise InvalidError(
            "mixed_currencies", f"the network keeps its money in {row.currency}, the folder in {read.currency}",
            "one installation holds one currency", file="skus.csv", column="currency",
        )  # fmt: skip
    row.currency = read.currency
    if pin:
        row.pinned_now = max(read.as_of, row.pinned_now or read.as_of)
    session.add(row)
    session.flush()
    _store_master(session, read)
    results = _take_in(session, read, row.pinned_now or now, actor)
    counts = _counts(read)
    session.add(NetworkImport(digest=read.digest, imported_at=now, imported_by=actor, counts=counts))
    append(
        session,
        stream="imports",
        key=f"import/{read.digest}",
        event_type=EventType.NETWORK_IMPORTED,
        actor=actor,
        facts={"digest": read.digest, **counts},
    )
    quarantined = sum(result.verdict is QualityVerdict.QUARANTINED for result in results)
    return Imported(read.digest, new=True, counts=counts, sales_grain=grain, warnings=warnings, quarantined=quarantined)


def _counts(network: NetworkFolder) -> dict[str, int]:
    return {
        "sites": len(network.sites),
        "skus": len(network.skus),
        "lanes": len(network.lanes),
        "positions": len(network.positions),
        "inbound": len(network.inbound),
        "sales": len(network.sales),
        "forecasts": len(network.forecasts),
        "replenishments": len(network.replenishments),
        **{field.name: rows for field in fields(Merchandise) if (rows := len(getattr(network, field.name)))},
    }


def _store_master(session: Session, network: NetworkFolder) -> None:
    site, sku, lane = TypeAdapter(Site), TypeAdapter(Sku), TypeAdapter(Lane)
    rows: list[dict[str, Any]] = []
    rows += [{"kind": "site", "key": one.site_id, "body": site.dump_python(one, mode="json")} for one in network.sites]
    rows += [{"kind": "sku", "key": one.sku_id, "body": sku.dump_python(one, mode="json")} for one in network.skus]
    rows += [
        {"kind": "lane", "key": "/".join(one.key), "body": lane.dump_python(one, mode="json")} for one in network.lanes
    ]
    upsert(session, MasterRow, rows)
    upsert(session, ReplenishmentRow, (asdict(row) for row in network.replenishments))
    replace_merchandise(session, network.merchandise)
    facts_changed(session)


def _take_in(session: Session, network: NetworkFolder, now: datetime, actor: str) -> list[Ingested]:
    """Every envelope of the folder, judged against what was known before the folder."""
    known = freeze(session)
    rules = quality_rules(active_policy(session))
    context = QualityContext(known=known, now=now, rules=rules)
    missing = _no_longer_counted(session, network)
    done: list[Ingested] = []
    for signal in _envelopes(network):
        covered = missing.pop(signal.subject, frozenset()) if signal.type is SignalKind.STOCK else frozenset()
        done.append(ingest(session, signal, partial(replace, context, covered_before=covered), actor))
    return done


def _no_longer_counted(session: Session, network: NetworkFolder) -> dict[str | None, frozenset[SiteSku]]:
    """What earlier folders counted and this one, which is meant to count everything, does not, by site.

    A site that this folder does not count at all sends no signal; the first site's speaks for it.
    """
    counted = {SiteSku(row.site_id, row.sku_id) for row in network.positions}
    at_sites: dict[str, set[SiteSku]] = {row.site_id: set() for row in network.positions}
    first = min(at_sites)
    before = session.exec(select(StockCountRow).where(StockCountRow.source == SOURCE)).all()
    for row in before:
        key = SiteSku(row.site_id, row.sku_id)
        if key not in counted and row.as_of <= network.as_of:
            at_sites.get(row.site_id, at_sites[first]).add(key)
    return {site_id: frozenset(keys) for site_id, keys in at_sites.items()}


def _envelopes(network: NetworkFolder) -> Iterator[Envelope]:
    """The folder's facts as signals: counts by instant and site, the rest by site."""
    name, as_of = network.digest[:16], network.as_of
    for (_, at), counted in _grouped(network.positions, "site_id", "as_of"):
        for part, rows in _parts(counted):
            readings = _readings(rows, "on_hand_units", "reserved_units")
            stock = {"as_of": at.isoformat(), "readings": readings}
            yield _envelope(SignalKind.STOCK, f"{name}/stock/{part}/{at.isoformat()}", part, as_of, stock)
    if network.sales_grain is not None:
        for part, rows in _parts(network.sales):
            history = {"grain": network.sales_grain.value, "readings": _readings(rows, "on", "units", "in_stock")}
            yield _envelope(SignalKind.SALES, f"{name}/sales/{part}", part, as_of, history)
    for part, rows in _parts(network.forecasts):
        days = {"readings": _readings(rows, "on", "mean_e6", "variance_e6")}
        yield _envelope(SignalKind.FORECAST, f"{name}/forecast/{part}", part, as_of, days)
    for part, rows in _parts(network.inbound):
        coming = {"readings": _readings(rows, "units", "expected_on", "kind", "reference")}
        yield _envelope(SignalKind.INBOUND, f"{name}/inbound/{part}", part, as_of, coming)


def _envelope(kind: SignalKind, signal_id: str, subject: str, at: datetime, data: dict[str, Any]) -> Envelope:
    """An envelope around data that `ingest` puts under its schema: once is enough for millions of readings."""
    return Envelope(
        id=signal_id, source=SOURCE, type=kind, time=at, subject=subject, dataschema=f"urn:{kind}", data=data
    )


def _readings(rows: Sequence[Any], *names: str) -> tuple[dict[str, Any], ...]:
    fields_of, values = ("site_id", "sku_id", *names), attrgetter("site_id", "sku_id", *names)
    return tuple(dict(zip(fields_of, values(row), strict=True)) for row in rows)


def _grouped(rows: Iterable[Any], *names: str) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
    found: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        found.setdefault(tuple(getattr(row, name) for name in names), []).append(row)
    yield from sorted(found.items())


def _parts(rows: Iterable[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Rows by site, in parts that one signal can carry."""
    for (site_id,), of_site in _grouped(rows, "site_id"):
        for start in range(0, len(of_site), READINGS_MAX):
            part = site_id if start == 0 else f"{site_id}/{start // READINGS_MAX}"
            yield part, of_site[start : start + READINGS_MAX]
