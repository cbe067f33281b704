"""Facts in, imbalances out."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from app.approvals.freshness import facts_now
from app.auth.roles import Act
from app.errors import InvalidError
from app.plans.store import snapshot_now
from app.service import Service
from app.stock.folder import read_upload
from app.stock.importing import ImportRefusedError, import_network
from app.stock.ingest import Ingested
from app.stock.installation import installation
from app.stock.receiving import receive_signals
from app.stock.tables import SignalRow
from app.views import ImbalanceView, imbalance_views
from app.web.dependencies import Caller, InService, InSession, get_principal
from app.web.idempotency import OnceRoute
from graphs.planning import imbalances_of
from tools.canonical import digest
from tools.network_folder import ImportFaults
from tools.signals import Envelope

router = APIRouter(tags=["network"], route_class=OnceRoute)
UPLOADS_MAX = 20


class ImbalancesAnswer(BaseModel):
    """Imbalances at the caller's sites, the costliest first."""

    as_of: str
    snapshot_digest: str
    currency: str
    counts: dict[str, int]
    imbalances: list[ImbalanceView]
    not_shown: int


class NetworkAnswer(BaseModel):
    """What the installation holds."""

    currency: str | None
    sites: int
    skus: int
    lanes: int
    positions: int
    as_of: str | None
    pinned_now: str | None


class SignalAnswer(BaseModel):
    """What became of a signal."""

    source: str
    id: str
    verdict: str
    new: bool
    findings: list[dict[str, Any]]


class ImportAnswer(BaseModel):
    """What an import did."""

    digest: str
    new: bool
    counts: dict[str, int]
    sales_grain: str | None
    warnings: list[str]
    quarantined: int


@router.get("/network")
def network(session: InSession, caller: Caller) -> NetworkAnswer:
    """The size of the network and its day."""
    caller.require(Act.READ)
    row = installation(session)
    if row.currency is None:
        return NetworkAnswer(currency=None, sites=0, skus=0, lanes=0, positions=0, as_of=None, pinned_now=None)
    snapshot = snapshot_now(session)
    return NetworkAnswer(
        currency=row.currency,
        sites=sum(caller.covers((site.site_id,)) for site in snapshot.sites),
        skus=len(snapshot.skus),
        lanes=sum(caller.covers((lane.origin, lane.destination)) for lane in snapshot.lanes),
        positions=sum(caller.covers((position.site_id,)) for position in snapshot.positions),
        as_of=snapshot.as_of.isoformat(),
        pinned_now=row.pinned_now.isoformat() if row.pinned_now else None,
    )


@router.get("/imbalances")
def imbalances(
    session: InSession,
    caller: Caller,
    kind: Literal["shortage", "surplus", "expiring", "stranded"] | None = None,
    site_id: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ImbalancesAnswer:
    """Where stock is short, over, about to expire or stranded."""
    caller.require(Act.READ)
    facts = facts_now(session)
    found = imbalance_views(caller, facts.snapshot, imbalances_of(facts))
    found = [row for row in found if kind in (None, row.kind) and site_id in (None, row.site_id)]
    counts: dict[str, int] = {}
    for row in found:
        counts[row.kind] = counts.get(row.kind, 0) + 1
    return ImbalancesAnswer(
        as_of=facts.snapshot.as_of.isoformat(),
        snapshot_digest=facts.snapshot.digest,
        currency=facts.snapshot.currency,
        counts=dict(sorted(counts.items())),
        imbalances=found[:limit],
        not_shown=max(len(found) - limit, 0),
    )


def _may_import(request: Request, service: Service) -> None:
    """Raise unless the caller may import. A transaction of its own, because an upload takes its time."""
    with service.database.transaction() as session:
        caller = get_principal(request, session)
    caller.require(Act.IMPORT)
    caller.require_everything("an import")


async def _uploaded(request: Request, service: InService) -> dict[str, bytes]:
    """The files of the form by name. Not a byte of it is taken in before it is known who sends it."""
    await run_in_threadpool(_may_import, request, service)
    limit = service.settings.import_file_bytes_max
    async with request.form(max_files=UPLOADS_MAX) as form:
        files = [each for each in form.getlist("files") if isinstance(each, UploadFile)]
        named = {upload.filename or "": await upload.read(limit + 1) for upload in files}
    if not files:
        raise InvalidError("files", "no file was sent", "send each CSV file of the network as `files`", field="files")
    if len(named) != len(files):
        raise InvalidError("files", "two files have the same name", "send every file once", field="files")
    request.state.body_digest = digest({name: sha256(content).hexdigest() for name, content in named.items()})
    return named


_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
_FORM = {"type": "object", "required": ["files"], "properties": {"files": _FILES}}


@router.post(
    "/imports",
    dependencies=[Depends(_uploaded, scope="function")],
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
)
def import_folder(
    service: InService,
    named: Annotated[dict[str, bytes], Depends(_uploaded, scope="function")],
    session: InSession,
    caller: Caller,
) -> ImportAnswer:
    """Import a network: its CSV files, each under its own name. With one fault or more nothing is written."""
    limit = service.settings.import_file_bytes_max
    read = read_upload(named, limit)
    if isinstance(read, ImportFaults):
        raise ImportRefusedError(read)
    done = import_network(session, read, caller.user_id, size_limit_bytes=limit)
    return ImportAnswer(
        digest=done.digest, new=done.new, counts=done.counts, sales_grain=done.sales_grain,
        warnings=list(done.warnings), quarantined=done.quarantined,
    )  # fmt: skip


@router.post("/signals")
def send_signals(session: InSession, caller: Caller, signals: list[Envelope]) -> list[SignalAnswer]:
    """Take in signals as CloudEvents 1.0 envelopes, all of them or, where one does not fit its schema, none."""
    caller.require(Act.SEND_SIGNALS)
    return answers(receive_signals(session, caller, signals))


def answers(done: list[Ingested]) -> list[SignalAnswer]:
    """What became of signals, as their sender is told."""
    return [
        SignalAnswer(
            source=each.source, id=each.signal_id, verdict=each.verdict, new=each.new,
            findings=[
                {"check": f.check, "verdict": f.verdict, "reason": f.reason, "numbers": dict(f.numbers)}
                for f in each.findings[:100]
            ],
        )
        for each in done
    ]  # fmt: skip


@router.get("/signals")
def list_signals(
    session: InSession,
    caller: Caller,
    verdict: Literal["accepted", "warned", "quarantined"] | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[SignalAnswer]:
    """The newest signals with their verdicts."""
    caller.require(Act.SEND_SIGNALS)
    caller.require_everything("the list of signals")
    query = select(SignalRow).order_by(col(SignalRow.received_at).desc(), SignalRow.source, SignalRow.signal_id)
    if verdict is not None:
        query = query.where(SignalRow.verdict == verdict)
    return [
        SignalAnswer(
            source=row.source, id=row.signal_id, verdict=row.verdict, new=False, findings=row.findings[:100]
        )
        for row in session.exec(query.limit(limit)).all()
    ]  # fmt: skip
