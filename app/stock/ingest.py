"""Signals in: known by source and id, judged, and turned into facts where they are good enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from sqlmodel import Session, col, select

from app.db.database import database_now
from app.db.documents import packed
from app.db.upsert import upsert
from app.errors import ConflictError, InvalidError
from app.ledger.append import EventType, append
from app.stock.apply import apply
from app.stock.installation import facts_changed
from app.stock.tables import DataHoldRow, SignalRow, StockCountRow
from tools.findings import Finding, QualityCheck, QualityContext, QualityVerdict
from tools.inventory import SiteSku
from tools.quality import Judgement, holds, judge
from tools.signals import Envelope, SignalData, SignalKind, StockData, document_digest


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a signal. `new` is False for a second delivery."""

    source: str
    signal_id: str
    verdict: QualityVerdict
    findings: tuple[Finding, ...]
    new: bool


def ingest(session: Session, envelope: Envelope, context: Callable[[], QualityContext], actor: str) -> Ingested:
    """Take in one signal. `context` is asked for what was known only when the signal is new.

    Raises InvalidError when the data does not fit its schema, and ConflictError when
    the source used the id before for something else.
    """
    try:
        data = envelope.facts()
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidError(
            "signal_data", f"the data of signal {envelope.id} does not fit {envelope.type}: {where}: {first['msg']}",
            "send what the schema asks for", signal=envelope.id, field=where,
        ) from wrong  # fmt: skip
    document = data.model_dump(mode="json")
    digest = document_digest(document)
    known = session.get(SignalRow, (envelope.source, envelope.id))
    if known is not None:
        return _delivered_before(known, envelope, digest)
    judged_in = context()
    judgement = judge(data, judged_in)
    late = _counted_later(session, data)
    judgement = Judgement((*judgement.findings, *late))
    _record(session, envelope, document, digest, judgement)
    ignored = judgement.quarantined_readings | {index for finding in late for index in finding.readings}
    usable = _usable(data, ignored, judgement)
    if usable is not None:
        apply(session, envelope, usable, actor)
    _hold(session, envelope, data, judgement, {finding.key for finding in late})
    facts_changed(session, demand=envelope.type in (SignalKind.SALES, SignalKind.FORECAST))
    return Ingested(envelope.source, envelope.id, judgement.verdict, judgement.findings, new=True)


def _delivered_before(known: SignalRow, envelope: Envelope, digest: str) -> Ingested:
    if known.digest != digest or known.kind != envelope.type:
        raise ConflictError(
            "signal_differs", f"{envelope.source} has sent another signal with the id {envelope.id} before",
            "send new facts under a new id", signal=envelope.id,
        )  # fmt: skip
    return Ingested(known.source, known.signal_id, QualityVerdict(known.verdict), (), new=False)


def _record(session: Session, envelope: Envelope, document: dict[str, Any], digest: str, judgement: Judgement) -> None:
    session.add(
        SignalRow(
            source=envelope.source,
            signal_id=envelope.id,
            kind=envelope.type,
            subject=envelope.subject or "",
            stated_at=envelope.time,
            received_at=database_now(session),
            digest=digest,
            verdict=judgement.verdict,
            findings=[_finding_document(finding) for finding in judgement.findings[:1000]],
            data=packed(document),
        )
    )
    session.flush()
    if judgement.verdict is QualityVerdict.QUARANTINED:
        append(
            session,
            stream=f"signals/{envelope.source}",
            key=f"signal/{quote(envelope.source, safe='')}/{quote(envelope.id, safe='')}/quarantined",
            event_type=EventType.SIGNAL_QUARANTINED,
            actor=envelope.source,
            facts={
                "signal": envelope.id,
                "kind": envelope.type,
                "digest": digest,
                "reasons": [f.reason for f in judgement.findings if f.verdict is QualityVerdict.QUARANTINED][:20],
            },
        )


def _finding_document(finding: Finding) -> dict[str, Any]:
    document = asdict(finding)
    document["readings"] = list(finding.readings)
    return document


def _counted_later(session: Session, data: SignalData) -> tuple[Finding, ...]:
    """Readings of a count that is older than the one already held; they come too late to change anything."""
    if not isinstance(data, StockData):
        return ()
    sites = {reading.site_id for reading in data.readings}
    rows = session.exec(select(StockCountRow).where(col(StockCountRow.site_id).in_(sites))).all()
    newest = {(row.site_id, row.sku_id): row.as_of for row in rows}
    return tuple(
        Finding(
            check=QualityCheck.STALE,
            verdict=QualityVerdict.WARNED,
            reason=f"{reading.sku_id} at {reading.site_id} was counted later already, on {newer.isoformat()}",
            numbers=(),
            key=SiteSku(reading.site_id, reading.sku_id),
            readings=(index,),
        )
        for index, reading in enumerate(data.readings)
        if (newer := newest.get((reading.site_id, reading.sku_id))) is not None and newer > data.as_of
    )


def _usable(data: SignalData, ignored: frozenset[int] | set[int], judgement: Judgement) -> SignalData | None:
    """The signal without the readings that are kept apart; None when nothing is left of it."""
    readings = getattr(data, "readings", None)
    if readings is None:
        return None if judgement.verdict is QualityVerdict.QUARANTINED else data
    kept = tuple(reading for index, reading in enumerate(readings) if index not in ignored)
    return data.model_copy(update={"readings": kept}) if kept else None


def _hold(
    session: Session, envelope: Envelope, data: SignalData, judgement: Judgement, late: set[SiteSku | None]
) -> None:
    """Hold back the site-SKUs of bad readings; a good reading of the same kind ends a hold. Late ones do neither."""
    bad = {key: hold for hold in holds(data, judgement) if (key := SiteSku(hold.site_id, hold.sku_id)) not in late}
    stated = {SiteSku(reading.site_id, reading.sku_id) for reading in getattr(data, "readings", ())}
    good = stated - bad.keys() - late
    at_sites = col(DataHoldRow.site_id).in_({key.site_id for key in good})
    for row in session.exec(select(DataHoldRow).where(DataHoldRow.kind == envelope.type, at_sites)).all():
        if (row.site_id, row.sku_id) in good:
            session.delete(row)
    session.flush()
    upsert(
        session,
        DataHoldRow,
        (
            {
                "site_id": hold.site_id, "sku_id": hold.sku_id, "kind": envelope.type, "check_name": hold.check,
                "reason": hold.reason, "source": envelope.source, "signal_id": envelope.id,
            }
            for hold in bad.values()
        ),
    )  # fmt: skip
