"""Threads of the dialect: conversations with their state and their past."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response, status
from fastapi.responses import JSONResponse
from langgraph.types import StateSnapshot
from redis.exceptions import RedisError
from structlog import get_logger

from app.approvals.human_in_the_loop import take_back
from app.approvals.tables import ApprovalRequest
from app.auth.roles import Act
from app.errors import ConflictError, InvalidError, NotFoundError
from app.threads.access import Access, pending_request, pending_requests, thread_seen_by
from app.threads.deleting import delete_thread
from app.threads.runs import open_thread, own_thread
from app.threads.searching import Search, ThreadStatus, count_threads, search_threads, standing_of
from app.threads.tables import Door, Thread
from app.web.dependencies import InService, InSession
from app.web.routes.langgraph.callers import Client
from app.web.routes.langgraph.reading import (
    STATES_MAX,
    HistoryOrder,
    PastState,
    StateFields,
    ThreadCount,
    ThreadSearch,
)
from app.web.routes.langgraph.refusals import DialectRoute
from app.web.routes.langgraph.requests import METADATA_KEYS_MAX, CheckpointId, StateOrder, ThreadChange, ThreadOrder
from app.web.routes.langgraph.shapes import (
    ASSISTANT_ID,
    GRAPH,
    OURS,
    checkpoint_shape,
    listed_thread,
    past_state_shape,
    require_assistant,
    selected,
    state_shape,
    thread_shape,
)

router = APIRouter(route_class=DialectRoute)
_log = get_logger(__name__)


@router.post("/threads")
def create_thread(service: InService, session: InSession, caller: Client, order: ThreadOrder) -> dict[str, Any]:
    """Open a conversation. Of one's own that exists already, `do_nothing` makes a read."""
    caller.require(Act.PLAN)
    if order.graph_id is not None:
        require_assistant(order.graph_id)
    try:
        thread = open_thread(session, caller, Door.CHAT, "", order.thread_id, _own_labels(order.metadata))
    except ConflictError:
        if order.if_exists != "do_nothing" or order.thread_id is None:
            raise
        thread = _own_or_taken(session, caller, order.thread_id)
    access = Access(thread, own=True, request=pending_request(session, thread.thread_id))
    snapshot = service.driver.state(thread.thread_id)
    return thread_shape(session, caller, access, standing_of(session, thread), snapshot)


def _own_labels(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in OURS}


def _own_or_taken(session: InSession, caller: Client, thread_id: UUID) -> Thread:
    try:
        return own_thread(session, caller, thread_id)
    except NotFoundError as others:
        raise ConflictError("thread_exists", f"the id {thread_id} is taken", "use another id") from others


@router.post("/threads/search")
def find_threads(service: InService, session: InSession, caller: Client, wanted: ThreadSearch) -> list[dict[str, Any]]:
    """The caller's own threads, in as many statements for a hundred as for one."""
    caller.require(Act.READ)
    search = _search(caller, wanted)
    if search is None:
        return []
    page = Search(
        search.labels, wanted.ids, search.status, wanted.sort_by or "created_at", wanted.sort_order != "asc",
        wanted.limit, wanted.offset,
    )  # fmt: skip
    standings = search_threads(session, caller, page)
    states: dict[UUID, StateSnapshot] = {}
    requests: dict[UUID, ApprovalRequest] = {}
    if wanted.shows_state:
        thread_ids = [standing.thread.thread_id for standing in standings]
        states, requests = service.driver.states(session, thread_ids), pending_requests(session, thread_ids)
    shapes = [
        listed_thread(caller, each, states.get(each.thread.thread_id), requests.get(each.thread.thread_id))
        for each in standings
    ]
    return [selected(shape, wanted.select) for shape in shapes]


@router.post("/threads/count")
def count_own_threads(session: InSession, caller: Client, wanted: ThreadCount) -> int:
    """How many threads of the caller's fit."""
    caller.require(Act.READ)
    search = _search(caller, wanted)
    return 0 if search is None else count_threads(session, caller, search)


def _search(caller: Client, wanted: ThreadCount) -> Search | None:
    """What to search for; None where a label that we write ourselves is wanted otherwise than it can be."""
    ours = {"graph_id": (GRAPH,), "assistant_id": (GRAPH, str(ASSISTANT_ID)), "owner": (caller.user_id,)}
    if any(wanted.metadata.get(name, among[0]) not in among for name, among in ours.items()):
        return None
    labels = {name: value for name, value in wanted.metadata.items() if name not in ours}
    return Search(labels, status=None if wanted.status is None else ThreadStatus(wanted.status))


@router.get("/threads/{thread_id}")
def read_thread(service: InService, session: InSession, caller: Client, thread_id: UUID) -> dict[str, Any]:
    """A thread with its values and with what it waits for."""
    caller.require(Act.READ)
    access = thread_seen_by(session, caller, thread_id)
    snapshot = service.driver.state(thread_id)
    return thread_shape(session, caller, access, standing_of(session, access.thread), snapshot)


@router.patch("/threads/{thread_id}")
def relabel_thread(
    service: InService,
    session: InSession,
    caller: Client,
    thread_id: UUID,
    change: ThreadChange,
    prefer: Annotated[str | None, Header()] = None,
) -> Response:
    """Note other labels on a thread of one's own."""
    caller.require(Act.PLAN)
    thread = own_thread(session, caller, thread_id)
    thread.labels = thread.labels | _own_labels(change.metadata)
    if len(thread.labels) > METADATA_KEYS_MAX:
        raise InvalidError("metadata", f"a thread has at most {METADATA_KEYS_MAX} labels", "give them other values")
    session.add(thread)
    if prefer == "return=minimal":
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    return JSONResponse(read_thread(service, session, caller, thread_id))


@router.delete("/threads/{thread_id}", status_code=status.HTTP_204_NO_CONTENT)
def forget_thread(service: InService, session: InSession, caller: Client, thread_id: UUID) -> Response:
    """Delete an idle conversation of one's own. The audit trail stays."""
    runs = delete_thread(session, caller, thread_id)
    # While our rows are held, so that nothing can begin on the thread in between.
    service.driver.forget(thread_id)
    try:
        service.stream.forget(runs)
    except RedisError:
        _log.warning("run_news_not_deleted", thread_id=str(thread_id))  # they go by themselves
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/threads/{thread_id}/state")
def read_state(
    service: InService,
    session: InSession,
    caller: Client,
    thread_id: UUID,
    select: Annotated[StateFields, Query()] = (),
) -> dict[str, Any]:
    """The latest state of a thread."""
    return _state_at(service, session, caller, thread_id, None, select)


@router.get("/threads/{thread_id}/state/{checkpoint_id}")
def read_past_state(
    service: InService,
    session: InSession,
    caller: Client,
    thread_id: UUID,
    checkpoint_id: CheckpointId,
    select: Annotated[StateFields, Query()] = (),
) -> dict[str, Any]:
    """A state of a thread as it was."""
    return _state_at(service, session, caller, thread_id, checkpoint_id, select)


@router.post("/threads/{thread_id}/state/checkpoint")
def read_named_state(
    service: InService, session: InSession, caller: Client, thread_id: UUID, wanted: PastState
) -> dict[str, Any]:
    """A state of a thread as it was, by its checkpoint."""
    if wanted.checkpoint.thread_id not in (None, thread_id):
        raise _unknown_checkpoint(thread_id)
    return _state_at(service, session, caller, thread_id, wanted.checkpoint.checkpoint_id, wanted.select)


def _state_at(
    service: InService,
    session: InSession,
    caller: Client,
    thread_id: UUID,
    checkpoint_id: str | None,
    fields: Collection[str],
) -> dict[str, Any]:
    """The latest state, or one of the past. A guest sees the latest one only."""
    caller.require(Act.READ)
    access, latest = thread_seen_by(session, caller, thread_id), service.driver.state(thread_id)
    if checkpoint_id in (None, latest.config["configurable"].get("checkpoint_id")):
        return selected(state_shape(session, caller, access, latest), fields)
    past = service.driver.state(thread_id, checkpoint_id) if access.own else None
    if past is None or past.created_at is None:
        raise _unknown_checkpoint(thread_id)
    return selected(past_state_shape(caller, access, past), fields)


def _unknown_checkpoint(thread_id: UUID) -> NotFoundError:
    return NotFoundError("unknown_checkpoint", f"thread {thread_id} has no such checkpoint", "take one of its history")


@router.post("/threads/{thread_id}/state")
def end_proposal(
    service: InService, session: InSession, caller: Client, thread_id: UUID, order: StateOrder
) -> dict[str, Any]:
    """Take back one's own plan that waits: the one thing that may be written, and it is written by the approvals."""
    del order  # its shape is all it says
    take_back(session, caller, thread_id)
    return {"checkpoint": checkpoint_shape(thread_id, service.driver.state(thread_id).config)}


@router.post("/threads/{thread_id}/history")
def read_history(
    service: InService, session: InSession, caller: Client, thread_id: UUID, wanted: HistoryOrder
) -> list[dict[str, Any]]:
    """The states of a thread, the newest first. A guest sees the latest one only."""
    caller.require(Act.READ)
    access = thread_seen_by(session, caller, thread_id)
    if wanted.before_id is not None and not access.own:
        return []
    limit = min(wanted.limit, STATES_MAX) if access.own else 1
    snapshots = service.driver.history(thread_id, limit, wanted.before_id)
    shapes = [
        state_shape(session, caller, access, snapshot)
        if number == 0 and wanted.before_id is None
        else past_state_shape(caller, access, snapshot)
        for number, snapshot in enumerate(snapshots)
    ]
    return [selected(shape, wanted.select) for shape in shapes]
