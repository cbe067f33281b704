"""Requests that change something and may be sent again: each has an Idempotency-Key, one effect, and one answer.

The answer is kept in the transaction of the effect, so there is never one without the
other. A key belongs to its caller and to one request: method, path, query and body. The
lock on it is the database's and goes with its connection: a worker that dies has done
nothing, and the next try does it. Refusals because of how things stand are kept as well:
a key that was refused stays refused. Mistakes in a request, refusals of the rules of
authorisation and failures are not kept. After 30 days answers are forgotten; by then what
they did is known by ids of its own, which are for ever.

The wire follows the IETF draft idempotency-key-header-07, which has expired without
becoming a standard.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from app.auth.roles import Principal
from app.auth.tables import KeptAnswer
from app.db.database import database_now
from app.errors import ConflictError, EvenkeelError, InFlightError, InvalidError
from app.web.dependencies import READS, Caller, InSession
from app.web.problems import refusal

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
RETRY_SECONDS = 1
_KEY = re.compile(r"[\x21-\x7e]{16,255}")
_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": True,
    "description": "Of the caller's making, for this request and its repeats: a repeat is answered as the first was.",
    "schema": {"type": "string", "minLength": 16, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
}
_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")


class _AgainError(Exception):
    """The request was answered before; this is the answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


async def body_digest(request: Request) -> str:
    """The digest of what was sent. An upload has worked its own out by now: its parts come under another name each time."""
    known: str | None = getattr(request.state, "body_digest", None)
    return known or hashlib.sha256(await request.body()).hexdigest()


def once(
    request: Request, session: InSession, caller: Caller, body: str = Depends(body_digest, scope="function")
) -> None:
    """Take the request's key for this transaction, or answer as before.

    Raises EvenkeelError without a usable key (400), InFlightError while the first try
    is under way, and InvalidError for a key of another request. What the request does
    from here on can be taken back without giving the key away.
    """
    key = _key(request)
    if not session.connection().execute(_LOCK, {"name": f"idempotency/{caller.user_id}/{key}"}).scalar_one():
        raise InFlightError(
            "in_flight", "the first request with this key is being carried out", "send the same again in a moment",
            retry_after_seconds=RETRY_SECONDS,
        )  # fmt: skip
    fingerprint = _digest(request.method, request.url.path, request.url.query, body)
    kept = session.get(KeptAnswer, (caller.user_id, key))
    if kept is not None:
        raise _AgainError(_answer_again(kept, fingerprint, caller))
    request.state.kept = KeptAnswer(
        user_id=caller.user_id, idempotency_key=key, fingerprint=fingerprint, standing=_standing(caller), status=0,
        media_type="", body=b"", answered_at=database_now(session),
    )  # fmt: skip
    request.state.effect = session.begin_nested()


def _key(request: Request) -> str:
    given = request.headers.getlist(HEADER)
    if not given:
        raise EvenkeelError(
            "idempotency_key_missing", f"a request that changes something needs the header {HEADER}",
            "make a random one of 16 to 255 characters, and send it again with every repeat",
        )  # fmt: skip
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise EvenkeelError(
            "idempotency_key", f"the {HEADER} is none: it takes one of 16 to 255 visible ASCII characters",
            "make a random one, for example a UUID",
        )  # fmt: skip
    return given[0]


def _answer_again(kept: KeptAnswer, fingerprint: str, caller: Principal) -> Response:
    if kept.fingerprint != fingerprint:
        raise InvalidError(
            "idempotency_key_reused", f"this {HEADER} was used for another request", "use a new key for a new request"
        )
    if kept.standing != _standing(caller):
        raise _answered_before("what you may see has changed since")
    return Response(kept.body, kept.status, {REPLAYED: "true"}, kept.media_type)


class OnceRoute(APIRoute):
    """A route of the API. One that changes something takes a key, and keeps its answer."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        changes = bool(set(settings.get("methods") or ("GET",)) - set(READS))
        given = list(settings.get("dependencies") or ())
        if changes and not any(each.dependency is once for each in given):
            # Last of those given: an upload says by itself what it has brought.
            settings["dependencies"] = [*given, Depends(once, scope="function")]
            extra = settings.get("openapi_extra") or {}
            settings["openapi_extra"] = extra | {"parameters": [*extra.get("parameters", ()), _PARAMETER]}
        super().__init__(path, endpoint, **settings)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, which also keeps what it answers."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                answer = await handle(request)
            except _AgainError as again:
                return again.answer
            except ConflictError as refused:
                if not hasattr(request.state, "effect"):
                    raise
                answer = refusal(refused)
                await run_in_threadpool(request.state.effect.rollback)
            if hasattr(request.state, "effect"):
                secret = getattr(request.state, "shown_once", False)
                kept = refusal(_answered_before("what it answered was shown once")) if secret else answer
                await run_in_threadpool(_keep, request.state.session, request.state.kept, kept)
            return answer

        return handled


def shown_once(request: Request) -> None:
    """Have the answer to this request not kept: it holds a secret. A repeat is told that it was carried out, and no more."""
    request.state.shown_once = True


def _answered_before(why: str) -> ConflictError:
    return ConflictError("answered_before", f"the request was carried out before, and {why}", "read what came of it")


def _keep(session: Session, kept: KeptAnswer, answer: Response) -> None:
    """Keep an answer, to be committed with what it is about."""
    kept.status, kept.body = answer.status_code, bytes(answer.body)
    kept.media_type = answer.media_type or answer.headers.get("content-type", "")
    session.add(kept)
    session.flush()


def _standing(caller: Principal) -> str:
    """What an answer was cut to: the caller's roles, acts, sites and clearance."""
    lists = [caller.roles, caller.acts or (), ("*",) if caller.sites is None else caller.sites]
    return _digest(json.dumps([sorted(each) for each in lists]), str(caller.sees_sensitive))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
