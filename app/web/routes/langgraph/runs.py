"""Runs of the dialect: something said or answered, and how clients follow it, join it and stop it."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response, status
from fastapi.responses import JSONResponse, StreamingResponse
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from app.auth.roles import Act, Principal
from app.errors import EvenkeelError, InvalidError
from app.service import Service
from app.threads.access import is_own, run_seen_by, runs_seen_by, thread_seen_by
from app.threads.cancelling import ask_to_cancel
from app.threads.tables import ACTIVE, Run, RunStatus
from app.web.dependencies import InService, InSession
from app.web.routes.langgraph.beginning import begin
from app.web.routes.langgraph.callers import Client
from app.web.routes.langgraph.following import Reader, frames, outcome
from app.web.routes.langgraph.modes import EVENT_NAMES, Mode
from app.web.routes.langgraph.reading import RunPage
from app.web.routes.langgraph.refusals import DialectRoute, refusal_of
from app.web.routes.langgraph.requests import CancelQuery, RunOrder
from app.web.routes.langgraph.shapes import RUN_STATUSES, run_shape, selected

router = APIRouter(route_class=DialectRoute)
NO_BUFFER = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LOOK_SECONDS = 0.05
CANCEL_SECONDS_MAX = 300
_EVENT_ID = re.compile(r"\d{1,20}-\d{1,20}")
FromStart = ("", "0", "-1")
"""What clients send in place of an event's id to hear everything."""


@router.post("/threads/{thread_id}/runs")
def create_run(service: InService, session: InSession, caller: Client, thread_id: UUID, order: RunOrder) -> Response:
    """Begin a run and let it go on by itself."""
    run = begin(service, session, caller, thread_id, order)
    if isinstance(run, EvenkeelError):
        return refusal_of(run)
    return JSONResponse(run_shape(run), headers={"Content-Location": _address(run)})


@router.post("/threads/{thread_id}/runs/stream")
def stream_run(service: InService, session: InSession, caller: Client, thread_id: UUID, order: RunOrder) -> Response:
    """Begin a run and follow it. The run goes on when the client goes away."""
    run = begin(service, session, caller, thread_id, order)
    if isinstance(run, EvenkeelError):
        return refusal_of(run)
    own = not order.is_answer or is_own(session, caller, thread_id)
    reader = Reader(service, caller, thread_id, run.run_id, own, order.modes)
    return _stream(reader, _address(run))


@router.post("/threads/{thread_id}/runs/wait")
def wait_for_run(service: InService, session: InSession, caller: Client, thread_id: UUID, order: RunOrder) -> Response:
    """Begin a run and wait for what it comes to."""
    run = begin(service, session, caller, thread_id, order)
    if isinstance(run, EvenkeelError):
        return refusal_of(run)
    return _outcome(service, session, caller, run)


@router.get("/threads/{thread_id}/runs")
def list_runs(
    session: InSession,
    caller: Client,
    thread_id: UUID,
    wanted: Annotated[RunPage, Query()],
) -> list[dict[str, Any]]:
    """The runs of a thread, the newest first."""
    caller.require(Act.READ)
    access = thread_seen_by(session, caller, thread_id)
    standing = None if wanted.status is None else [ours for ours, word in RUN_STATUSES.items() if word == wanted.status]
    found = runs_seen_by(session, caller, access, standing, wanted.limit, wanted.offset)
    return [selected(run_shape(run), wanted.select) for run in found]


@router.get("/threads/{thread_id}/runs/{run_id}")
def read_run(session: InSession, caller: Client, thread_id: UUID, run_id: UUID) -> dict[str, Any]:
    """A run."""
    caller.require(Act.READ)
    _, run = run_seen_by(session, caller, thread_id, run_id)
    return run_shape(run)


@router.get("/threads/{thread_id}/runs/{run_id}/join")
def join_run(service: InService, session: InSession, caller: Client, thread_id: UUID, run_id: UUID) -> Response:
    """Wait for what a run comes to."""
    caller.require(Act.READ)
    _, run = run_seen_by(session, caller, thread_id, run_id)
    return _outcome(service, session, caller, run)


@router.get("/threads/{thread_id}/runs/{run_id}/stream")
def join_stream(
    service: InService,
    session: InSession,
    caller: Client,
    thread_id: UUID,
    run_id: UUID,
    stream_mode: Annotated[tuple[Mode, ...], Query(max_length=10)] = (),
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Follow a run from its beginning, or from the event after `Last-Event-ID`."""
    caller.require(Act.READ)
    access, run = run_seen_by(session, caller, thread_id, run_id)
    after = "" if (last_event_id or "") in FromStart else str(last_event_id)
    if after and not _EVENT_ID.fullmatch(after):
        raise InvalidError("event_id", "Last-Event-ID is not the id of an event", "send one that came with an event")
    modes = [mode for mode in stream_mode if mode] or run.input.get("modes") or list(EVENT_NAMES)
    reader = Reader(service, caller, thread_id, run_id, access.own, modes, after)
    return _stream(reader, _address(run))


@router.post("/threads/{thread_id}/runs/{run_id}/cancel")
async def cancel_run(
    service: InService, caller: Client, thread_id: UUID, run_id: UUID, how: Annotated[CancelQuery, Query()]
) -> Response:
    """Have a run stopped at its next step; with `wait`, answer once it has."""
    standing = await run_in_threadpool(_cancel, service, caller, thread_id, run_id)
    for _ in range(int(CANCEL_SECONDS_MAX / LOOK_SECONDS) if how.wait else 0):
        if standing not in ACTIVE:
            break
        await asyncio.sleep(LOOK_SECONDS)
        standing = await run_in_threadpool(_standing, service, run_id)
    done = standing not in ACTIVE
    return JSONResponse({}, status.HTTP_200_OK if done else status.HTTP_202_ACCEPTED)


def _cancel(service: Service, caller: Principal, thread_id: UUID, run_id: UUID) -> RunStatus:
    with service.database.transaction() as session:
        caller.require(Act.PLAN)
        _, run = run_seen_by(session, caller, thread_id, run_id)
        was, now = run.status, ask_to_cancel(session, caller, run)
    if was is RunStatus.QUEUED and now is RunStatus.CANCELLED:
        service.driver.announce_end(run_id, now)
    return now


def _standing(service: Service, run_id: UUID) -> RunStatus:
    with service.database.transaction() as session:
        run = session.get(Run, run_id)
        return RunStatus.CANCELLED if run is None else run.status


def _address(run: Run) -> str:
    return f"/threads/{run.thread_id}/runs/{run.run_id}"


def _stream(reader: Reader, address: str) -> StreamingResponse:
    """The reader's stream. The modes go into the address of the stream: who joins again sends nothing else."""
    modes = "&".join(f"stream_mode={mode}" for mode in reader.modes)
    location = f"{address}/stream{'?' if modes else ''}{modes}"
    headers = {"Content-Location": address, "Location": location, **NO_BUFFER}
    return StreamingResponse(frames(reader), media_type="text/event-stream", headers=headers)


def _outcome(service: Service, session: Session, caller: Principal, run: Run) -> StreamingResponse:
    access = thread_seen_by(session, caller, run.thread_id)
    reader = Reader(service, caller, run.thread_id, run.run_id, access.own, ["values"])
    address = _address(run)
    headers = {"Content-Location": address, "Location": f"{address}/join", **NO_BUFFER}
    return StreamingResponse(outcome(reader), media_type="application/json", headers=headers)
