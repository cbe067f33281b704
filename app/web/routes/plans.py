"""Conversations, scans and plans."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.auth.roles import Act
from app.explanations import ExplanationView, explanation_view
from app.negotiations import NegotiationView, negotiation_view
from app.threads.cancelling import ask_to_cancel
from app.threads.runs import get_run, open_thread, own_thread, say, start_scan, threads_of
from app.threads.tables import ACTIVE, Door, RunStatus
from app.views import PlanView, RunView, plan_view, run_view
from app.web.bodies import JsonPlanRequest, Text
from app.web.dependencies import Caller, InService, InSession
from app.web.idempotency import OnceRoute
from app.web.news import news
from tools.transfers import PlanRequest

router = APIRouter(tags=["plans"], route_class=OnceRoute)
_EVENT_ID = r"^\d{1,20}-\d{1,20}$"
_DIGEST = r"^[0-9a-f]{64}$"
_EVENTS = {
    "type": "string",
    "description": "Lines of `id`, `event` and `data` (a JSON object); a comment keeps it alive",
}


class ThreadAnswer(BaseModel):
    """A thread of the caller."""

    thread_id: UUID
    door: str
    title: str


class Said(BaseModel):
    """Something that was said in a conversation, by a person or by the agent."""

    type: Literal["human", "ai"]
    text: str


class ThreadView(ThreadAnswer):
    """A conversation as far as it has gone, and the plan that it has come to."""

    plan_digest: str | None
    approval_id: str | None
    notices: list[str]
    messages: list[Said]


class Message(BaseModel):
    """What a planner says."""

    model_config = {"extra": "forbid"}
    text: Annotated[Text, Field(min_length=1, max_length=4_000)]


class NewThread(BaseModel):
    """A new conversation."""

    model_config = {"extra": "forbid"}
    title: Annotated[Text, Field(max_length=80)] = ""


class ScanOrder(BaseModel):
    """What to scan for; nothing means the whole network."""

    model_config = {"extra": "forbid"}
    request: JsonPlanRequest = PlanRequest()


@router.post("/threads", status_code=status.HTTP_201_CREATED)
def create_thread(session: InSession, caller: Caller, new: NewThread) -> ThreadAnswer:
    """Open a conversation."""
    thread = open_thread(session, caller, Door.CHAT, new.title)
    return ThreadAnswer(thread_id=thread.thread_id, door=thread.door, title=thread.title)


@router.get("/threads")
def list_threads(session: InSession, caller: Caller) -> list[ThreadAnswer]:
    """The caller's threads, the newest first."""
    caller.require(Act.READ)
    return [ThreadAnswer(thread_id=t.thread_id, door=t.door, title=t.title) for t in threads_of(session, caller)]


@router.post("/threads/{thread_id}/runs", status_code=status.HTTP_202_ACCEPTED)
def say_something(session: InSession, caller: Caller, thread_id: UUID, message: Message) -> RunView:
    """Say something in a conversation. The answer comes as events of the run, and in the run itself when it is done."""
    return run_view(say(session, caller, thread_id, message.text))


@router.get("/threads/{thread_id}")
def read_thread(service: InService, session: InSession, caller: Caller, thread_id: UUID) -> ThreadView:
    """A conversation as far as it has gone."""
    caller.require(Act.READ)
    thread = own_thread(session, caller, thread_id)
    values = service.driver.state(thread_id).values
    return ThreadView(
        thread_id=thread.thread_id,
        door=thread.door,
        title=thread.title,
        plan_digest=values.get("plan_digest"),
        approval_id=values.get("approval_id"),
        notices=values.get("notices", []),
        messages=[
            Said(type=message.type, text=message.content)
            for message in values.get("messages", [])
            if message.type in ("human", "ai") and message.content
        ],
    )


@router.get("/runs/{run_id}")
def read_run(service: InService, session: InSession, caller: Caller, run_id: UUID) -> RunView:
    """A run, and the agent's last words once it is over."""
    caller.require(Act.READ)
    run = get_run(session, caller, run_id)
    words = "" if run.status in ACTIVE else service.driver.last_words(run.thread_id)
    return run_view(run, words)


@router.post("/runs/{run_id}/cancellation", status_code=status.HTTP_202_ACCEPTED)
def stop_run(service: InService, session: InSession, caller: Caller, run_id: UUID) -> RunView:
    """Have a run stopped at its next step. One that nobody has begun is over at once."""
    caller.require(Act.PLAN)
    run = get_run(session, caller, run_id)
    was, now = run.status, ask_to_cancel(session, caller, run)
    if was is RunStatus.QUEUED and now is RunStatus.CANCELLED:
        service.driver.announce_end(run_id, now)
    return run_view(run)


@router.get(
    "/runs/{run_id}/events",
    response_class=StreamingResponse,
    responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {"schema": _EVENTS}}}},
)
def follow_run(
    service: InService,
    session: InSession,
    caller: Caller,
    run_id: UUID,
    last_event_id: Annotated[str | None, Header(pattern=_EVENT_ID)] = None,
) -> StreamingResponse:
    """The steps of a run as server-sent events, from the start or after `Last-Event-ID`. Ends with `done`."""
    caller.require(Act.READ)
    get_run(session, caller, run_id)
    events = news(service, caller, run_id, last_event_id or "0")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.post("/scans", status_code=status.HTTP_202_ACCEPTED)
def scan(session: InSession, caller: Caller, order: ScanOrder) -> RunView:
    """Scan the network and put the best plan into the queue, without any language model."""
    run, _ = start_scan(session, caller, order.request)
    return run_view(run)


@router.get("/plans/{digest}")
def read_plan(session: InSession, caller: Caller, digest: Annotated[str, Path(pattern=_DIGEST)]) -> PlanView:
    """A plan by the digest of its content."""
    caller.require(Act.READ)
    return plan_view(session, caller, digest)


@router.get("/plans/{digest}/negotiation")
def read_negotiation(
    session: InSession, caller: Caller, digest: Annotated[str, Path(pattern=_DIGEST)]
) -> NegotiationView:
    """How a plan was negotiated: claims, bids and awards by round, priced concessions, and what an llm said, marked as such."""
    caller.require(Act.READ)
    return negotiation_view(session, caller, digest)


@router.get("/explanations/{digest}")
def explain_a_line(
    session: InSession,
    caller: Caller,
    digest: Annotated[str, Path(pattern=_DIGEST)],
    line: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> ExplanationView:
    """Why a line is in a plan: what happens without it, what binds it, which source came next, what would change it."""
    caller.require(Act.READ)
    return explanation_view(session, caller, digest, line)
