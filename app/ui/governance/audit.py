"""The ledger for auditors: what was recorded, whether it fits, and what was signed over it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlmodel import Session, col, func, select

from app.errors import NotFoundError, SetUpError
from app.ledger.anchoring import anchored
from app.ledger.append import EventType
from app.ledger.checkpoints import newest_checkpoint
from app.ledger.keys import signer
from app.ledger.tables import LedgerHead
from app.ledger.verify import verify
from app.ledger.views import require_auditor
from app.ui.exports import ROWS_MAX, Table, downloads
from app.ui.governance import audit_reading
from app.ui.governance.audit_words import KINDS
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute, Visitor
from app.views import verification_view
from app.web.dependencies import InService, InSession

router = APIRouter(route_class=PageRoute)
_KIND = "|".join(KINDS)
_EXPORT_MAX = 20_000


def _asked(
    about: Annotated[str, Query(pattern=f"^(?:{_KIND})?$")] = "",
    event: Annotated[str, Query(max_length=60)] = "",
    stream: Annotated[str, Query(max_length=200)] = "",
    actor: Annotated[str, Query(max_length=80)] = "",
    first: Annotated[str, Query(pattern=r"^(?:\d{4}-\d\d-\d\d)?$")] = "",
    last: Annotated[str, Query(pattern=r"^(?:\d{4}-\d\d-\d\d)?$")] = "",
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> audit_reading.Asked:
    """What somebody looks for."""
    return audit_reading.Asked(about, event, stream.strip(), actor.strip(), _day(first), _day(last), before)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:  # the 31st of June
        return None


InAsked = Annotated[audit_reading.Asked, Depends(_asked)]


@router.get("/governance/audit")
def audit(request: Request, looking: Looking, session: InSession, service: InService, asked: InAsked) -> Response:
    """The explorer, for those who may see the whole ledger."""
    content = _events(looking, session, asked) | {"tab": "audit", "kinds": list(KINDS), "types": list(EventType)}
    if content["may_audit"]:
        # A stream has a head before it has its first event: only those that hold something count.
        content |= {
            "streams": session.exec(select(func.count()).select_from(LedgerHead).where(LedgerHead.seq > 0)).one()
        }
        content |= {"recorded": session.exec(select(func.coalesce(func.sum(col(LedgerHead.seq)), 0))).one()}
        try:
            content |= {"checkpoint": newest_checkpoint(session), "key": str(signer(service.settings).verifier)}
        except (NotFoundError, SetUpError):
            content["checkpoint"] = None
        content["anchored"] = anchored(session, service.settings, service.anchoring)
    return render(request, "governance/audit.html", content)


@router.get("/governance/audit/rows")
def rows(request: Request, looking: Looking, session: InSession, asked: InAsked) -> Response:
    """The events alone."""
    return render(request, "governance/audit_rows.html", _events(looking, session, asked))


@router.get("/governance/audit/verification")
def verification(request: Request, looking: Looking, service: InService) -> Response:
    """Walk every chain and recompute every balance, and say what was found."""
    require_auditor(looking.caller)
    return render(
        request,
        "governance/audit_verification.html",
        {"looking": looking, "found": verification_view(verify(service.database))},
    )


@downloads(router, "/governance/audit/export")
def export(looking: Looking, session: InSession, asked: InAsked) -> Table:
    """The events as a file, the newest first."""
    require_auditor(looking.caller)
    found = audit_reading.events(session, asked, min(_EXPORT_MAX, ROWS_MAX))
    heads = ("Position", "At", "What", "Who", "Stream", "Number in the stream", "Facts", "Moves", "Hash")
    cells = (
        (
            row.position, row.at, row.type, row.actor, row.stream, row.seq,
            "; ".join(f"{fact.name}: {fact.words}" for fact in row.facts), "; ".join(row.moves), row.hash,
        )
        for row in found.events
    )  # fmt: skip
    return Table("ledger", heads, cells)


def _events(looking: Visitor, session: Session, asked: audit_reading.Asked) -> dict[str, Any]:
    may_audit = looking.may("verify") and looking.caller.sees_everything
    found = audit_reading.events(session, asked) if may_audit else None
    return {"looking": looking, "asked": asked, "may_audit": may_audit, "found": found}
