"""Conversations, scans, plans, and the approval queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from app.approvals.decisions import OutrunError, decide
from app.approvals.requests import queue, withdraw
from app.approvals.tables import ApprovalStatus
from app.auth.roles import Act, Principal
from app.service import Service
from app.threads.runs import get_run, open_thread, own_thread, say, start_scan, threads_of
from app.threads.tables import ACTIVE, Door
from app.views import ApprovalView, PlanView, RunView, approval_view, plan_view, run_view, visible_request
from app.web.dependencies import Caller, InService, InSession
from tools.transfers import PlanRequest, Rejection, Verdict

router = APIRouter(tags=["plans"])
_EVENT_ID = r"^\d{1,20}-\d{1,20}$"


class ThreadAnswer(BaseModel):
    """A thread of the caller."""

    thread_id: UUID
    door: str
    title: str


class Message(BaseModel):
    """What a planner says."""

    model_config = {"extra": "forbid"}
    text: Annotated[str, Field(min_length=1, max_length=4_000)]


class NewThread(BaseModel):
    """A new conversation."""

    model_config = {"extra": "forbid"}
    title: Annotated[str, Field(max_length=80)] = ""


class ScanOrder(BaseModel):
    """What to scan for; nothing means the whole network."""

    model_config = {"extra": "forbid"}
    request: PlanRequest = PlanRequest()


class DecisionOrder(BaseModel):
    """A decision on exactly the plan with this digest. A rejection needs a coded reason."""

    model_config = {"extra": "forbid"}
    verdict: Literal["approve", "reject"]
    plan_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rejection: Rejection | None = None


class DecisionAnswer(BaseModel):
    """What came of it."""

    approval: ApprovalView
    transfer_ids: list[UUID]


@router.post("/threads", status_code=status.HTTP_201_CREATED)
def create_thread(session: InSession, caller: Caller, new: NewThread) -> ThreadAnswer:
    """Open a conversation."""
    thread = open_thread(session, caller, Door.CHAT, new.title)
    return ThreadAnswer(thread_id=thread.thread_id, door=thread.door, title=thread.title)


@router.get("/threads")
def list_threads(session: InSession, caller: Caller) -> list[ThreadAnswer]:
    """The caller's threads, the newest first."""
    return [ThreadAnswer(thread_id=t.thread_id, door=t.door, title=t.title) for t in threads_of(session, caller)]


@router.post("/threads/{thread_id}/runs", status_code=status.HTTP_202_ACCEPTED)
def say_something(session: InSession, caller: Caller, thread_id: UUID, message: Message) -> RunView:
    """Say something in a conversation. The answer comes as events of the run, and in the run itself when it is done."""
    return run_view(say(session, caller, thread_id, message.text))


@router.get("/threads/{thread_id}")
def read_thread(service: InService, session: InSession, caller: Caller, thread_id: UUID) -> dict[str, object]:
    """A conversation as far as it has gone."""
    thread = own_thread(session, caller, thread_id)
    values = service.driver.state(thread_id).values
    return {
        "thread_id": thread.thread_id,
        "door": thread.door,
        "title": thread.title,
        "plan_digest": values.get("plan_digest"),
        "approval_id": values.get("approval_id"),
        "notices": values.get("notices", []),
        "messages": [
            {"type": message.type, "text": message.content}
            for message in values.get("messages", [])
            if message.type in ("human", "ai") and message.content
        ],
    }


@router.get("/runs/{run_id}")
def read_run(service: InService, session: InSession, caller: Caller, run_id: UUID) -> RunView:
    """A run, and the agent's last words once it is over."""
    run = get_run(session, caller, run_id)
    words = "" if run.status in ACTIVE else service.driver.last_words(run.thread_id)
    return run_view(run, words)


@router.get("/runs/{run_id}/events", response_class=StreamingResponse)
def follow_run(
    service: InService,
    session: InSession,
    caller: Caller,
    run_id: UUID,
    last_event_id: Annotated[str | None, Header(pattern=_EVENT_ID)] = None,
) -> StreamingResponse:
    """The steps of a run as server-sent events, from the start or after `Last-Event-ID`. Ends with `done`."""
    get_run(session, caller, run_id)
    events = _events(service, caller, run_id, last_event_id or "0")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _events(service: Service, caller: Principal, run_id: UUID, after: str) -> Iterator[str]:
    """Events from Redis; without it, or once its news have expired, the end from the database."""
    try:
        for event in service.stream.follow(run_id, after):
            if event.kind != "heartbeat":
                yield f"id: {event.event_id}\nevent: {event.kind}\ndata: {event.data}\n\n"
                continue
            yield ": still there\n\n"
            with service.database.transaction() as session:
                run = get_run(session, caller, run_id)
            if run.status not in ACTIVE:
                break
        else:
            return
    except RedisError:
        with service.database.transaction() as session:
            run = get_run(session, caller, run_id)
    words = service.driver.last_words(run.thread_id)
    yield f"event: done\ndata: {json.dumps({'status': run.status, 'error': run.error, 'words': words})}\n\n"


@router.post("/scans", status_code=status.HTTP_202_ACCEPTED)
def scan(session: InSession, caller: Caller, order: ScanOrder) -> RunView:
    """Scan the network and put the best plan into the queue, without any language model."""
    run, _ = start_scan(session, caller, order.request)
    return run_view(run)


@router.get("/plans/{digest}")
def read_plan(session: InSession, caller: Caller, digest: str) -> PlanView:
    """A plan by the digest of its content."""
    caller.require(Act.READ)
    return plan_view(session, caller, digest)


@router.get("/approvals")
def list_approvals(
    session: InSession,
    caller: Caller,
    status: Literal["pending", "approved", "rejected", "expired", "outrun", "withdrawn"] = "pending",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ApprovalView]:
    """The approval queue, the greatest saving first."""
    caller.require(Act.READ)
    rows = queue(session, caller, [ApprovalStatus(status)])[:limit]
    return [approval_view(session, caller, row) for row in rows]


@router.get("/approvals/{approval_id}")
def read_approval(session: InSession, caller: Caller, approval_id: UUID) -> ApprovalView:
    """One approval request."""
    caller.require(Act.READ)
    return approval_view(session, caller, visible_request(session, caller, approval_id))


@router.post("/approvals/{approval_id}/decision")
def decide_on_it(
    service: InService, session: InSession, caller: Caller, approval_id: UUID, order: DecisionOrder
) -> DecisionAnswer:
    """Approve or reject. The decision, the reservation and the work that follows are one transaction.

    409 with the code `outrun` means that the world has moved on since the plan was made:
    the plan went back to be made again.
    """
    caller.require(Act.DECIDE)
    visible_request(session, caller, approval_id)
    with service.database.transaction() as deciding:
        done = decide(deciding, caller, approval_id, Verdict(order.verdict), order.plan_digest, order.rejection)
    if done.status is ApprovalStatus.OUTRUN:
        # Kept by the transaction above: that the plan went back is a fact, and the caller hears of it as a refusal.
        raise OutrunError(done)
    with service.database.transaction() as reading:
        view = approval_view(reading, caller, visible_request(reading, caller, approval_id))
    return DecisionAnswer(approval=view, transfer_ids=list(done.transfer_ids))


@router.post("/approvals/{approval_id}/withdrawal")
def withdraw_it(session: InSession, caller: Caller, approval_id: UUID) -> ApprovalView:
    """Take one's own plan back before anybody has decided."""
    caller.require(Act.PLAN)
    return approval_view(session, caller, withdraw(session, approval_id, caller))
