"""Signals that come signed instead of with a token: by webhook, or through a Redis stream.

A source of CloudEvents has a secret of its own and can speak for nobody else. What it
sends twice changes nothing, because a signal is known by source and id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError
from sqlmodel import Session, col, select

from app.auth.roles import Act, Kind, Principal
from app.db.database import database_now
from app.errors import InvalidError, NotFoundError, NotSignedInError
from app.events.signatures import new_secret, require_signature
from app.events.subscriptions import LEDGER_STREAM, require_operator
from app.events.tables import SignalSource
from app.ledger.append import EventType, append
from app.ledger.sealing import open_secret, seal_secret
from app.stock.ingest import Ingested
from app.stock.receiving import receive_signals
from tools.canonical import digest
from tools.signals import Envelope


class SourceView(BaseModel):
    """A source of signals. Its secret is shown once, when it is made or changed."""

    source: str
    sites: list[str] | None
    created_by: str
    secret: str | None = None


def receive_signed(session: Session, headers: Mapping[str, str], body: bytes) -> list[Ingested]:
    """Take in one CloudEvent or a batch, of one source and signed by it.

    Raises NotSignedInError, InvalidError, ConflictError and ForbiddenError; then nothing may be committed.
    """
    documents, source = _documents(body)
    row = session.get(SignalSource, source)
    if row is None:  # the same work and the same words as for a wrong signature
        require_signature([new_secret()], headers, body, database_now(session))
        raise NotSignedInError("signature", "the message is not signed by its source", "register the source first")
    require_signature(_secrets(session, row), headers, body, database_now(session))
    sites = None if row.sites is None else frozenset(row.sites)
    sender = Principal(
        source, source, frozenset(), sites, sees_sensitive=True, kind=Kind.KEY, acts=frozenset((Act.SEND_SIGNALS,))
    )
    try:
        signals = [Envelope.model_validate(document) for document in documents]
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidError(
            "signal_envelope", f"an envelope of {source} does not fit: {where}: {first['msg']}",
            "see GET /v1/schemas", field=where,
        ) from wrong  # fmt: skip
    return receive_signals(session, sender, signals)


def _documents(body: bytes) -> tuple[list[object], str]:
    """The envelopes as they came, and the one source that they name. Nothing else is read before the signature is checked."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as wrong:
        raise InvalidError("signal_body", "the body is not JSON", "send a CloudEvent, or a list of them") from wrong
    documents: list[object] = parsed if isinstance(parsed, list) else [parsed]
    named = [each.get("source") if isinstance(each, dict) else None for each in documents]
    source = named[0] if named else None
    if not (isinstance(source, str) and _may_be_source(source) and all(each == source for each in named)):
        raise InvalidError(
            "signal_source", "the body does not name one source", "send each source's signals by themselves"
        )
    return documents, source


def add_source(session: Session, by: Principal, source: str, sites: Iterable[str] | None) -> SourceView:
    """Let a source send signals under a secret of its own; for one that is there, a new secret beside the old one."""
    require_operator(by)
    if not _may_be_source(source):
        raise InvalidError("source", f"{source!r} is no source of CloudEvents", "use 1 to 200 printable characters")
    secret, now = new_secret(), database_now(session)
    sealed = seal_secret(session, _place(source), secret)
    row = session.get(SignalSource, source, with_for_update=True)
    if row is None:
        row = SignalSource(source=source, secret=sealed, created_by=by.user_id, created_at=now)
    else:
        row.secret_before, row.secret = row.secret, sealed
    row.sites = None if sites is None else sorted(set(sites))
    session.add(row)
    _record(session, by, row, "source_admitted")
    return _view(row).model_copy(update={"secret": secret})


def list_sources(session: Session, by: Principal) -> list[SourceView]:
    """Who may send signals signed."""
    require_operator(by)
    return [_view(row) for row in session.exec(select(SignalSource).order_by(col(SignalSource.source))).all()]


def remove_source(session: Session, by: Principal, source: str) -> None:
    """Take nothing more from a source. Raises NotFoundError."""
    require_operator(by)
    row = session.get(SignalSource, source, with_for_update=True)
    if row is None:
        raise NotFoundError("unknown_source", f"there is no source {source!r}", "see `evenkeel sources list`")
    _record(session, by, row, "source_removed")
    session.delete(row)


def _may_be_source(source: str) -> bool:
    """Whether a source could have this name: the database can be asked for no other."""
    return 1 <= len(source) <= 200 and source.isprintable()


def _view(row: SignalSource) -> SourceView:
    return SourceView(source=row.source, sites=row.sites, created_by=row.created_by)


def _secrets(session: Session, row: SignalSource) -> list[str]:
    sealed = [row.secret] if row.secret_before is None else [row.secret, row.secret_before]
    return [open_secret(session, _place(row.source), each) for each in sealed]


def _place(source: str) -> str:
    return f"signal_source/{source}"


def _record(session: Session, by: Principal, row: SignalSource, act: str) -> None:
    session.flush()
    about = {"source": row.source, "sites": row.sites, "act": act}
    append(
        session,
        stream=LEDGER_STREAM,
        key=f"{LEDGER_STREAM}/{digest({'secret': row.secret.hex()})[:32]}/{act}",
        event_type=EventType.SUBSCRIPTION_CHANGED,
        actor=by.user_id,
        facts=about,
    )
