"""Threads of the dialect: conversations with their state and their past."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response, status
from redis.exceptions import RedisError
from structlog import get_logger

from app.approvals.human_in_the_loop import take_back
from app.auth.roles import Act
from app.errors import ConflictError, NotFoundError
from app.threads.access import Access, pending_request, thread_seen_by
from app.threads.deleting import delete_thread
from app.threads.runs import open_thread, own_thread
from app.threads.searching import Search, ThreadStatus, search_threads, standing_of
from app.threads.tables import Door, Thread
from app.web.dependencies import InService, InSession
from app.web.routes.langgraph.callers import Client
from app.web.routes.langgraph.refusals import DialectRoute
from app.web.routes.langgraph.requests import HistoryOrder, StateOrder, ThreadOrder, ThreadSearch
from app.web.routes.langgraph.shapes import (
    ASSISTANT_ID,
    GRAPH,
    OURS,
    checkpoint_shape,
    past_state_shape,
    require_assistant,
    selected,
    state_shape,
    thread_shape,
)

router = APIRouter(route_class=DialectRoute)
_log = get_logger(__name__)
THREADS_MAX = 100
STATES_MAX = 100
"""Each of them is read from the checkpoints, so there are bounds of our own on how many are shown at a time."""


@router.post("/threads")
def create_thread(service: InService, session: InSession, caller: Client, order: ThreadOrder) -> dict[str, Any]:
    """Open a conversation. Of one's own that exists already, `do_nothing` makes a read."""
    caller.require(Act.PLAN)
    if order.graph_id is not None:
        require_assistant(order.graph_id)
    labels = {name: value for name, value in order.metadata.items() if name not in OURS}
    try:
        thread = open_thread(session, caller, Door.CHAT, "", order.thread_id, labels)
    except ConflictError:
        if order.if_exists != "do_nothing" or order.thread_id is None:
            raise
        thread = _own_or_taken(session, caller, order.thread_id)
    access = Access(thread, own=True, request=pending_request(session, thread.thread_id))
    snapshot = service.driver.state(thread.thread_id)
    return thread_shape(session, caller, access, standing_of(session, thread), snapshot)


def _own_or_taken(session: InSession, caller: Client, thread_id: UUID) -> Thread:
    try:
        return own_thread(session, caller, thread_id)
    except NotFoundError as others:
        raise ConflictError("thread_exists", f"the id {thread_id} is taken", "use another id") from others


@router.post("/threads/search")
def find_threads(service: InService, session: InSession, caller: Client, wanted: ThreadSearch) -> list[dict[str, Any]]:
    """The caller's own threads."""
    caller.require(Act.READ)
    ours = {"graph_id": (GRAPH,), "assistant_id": (GRAPH, str(ASSISTANT_ID)), "owner": (caller.user_id,)}
    if any(wanted.metadata.get(name, among[0]) not in among for name, among in ours.items()):
        return []
    search = Search(
        labels={name: value for name, value in wanted.metadata.items() if name not in ours},
        ids=wanted.ids,
        status=None if wanted.status is None else ThreadStatus(wanted.status),
        sort_by=wanted.sort_by or "created_at",
        descending=wanted.sort_order != "asc",
        limit=min(wanted.limit, THREADS_MAX),
        offset=wanted.offset,
    )
    found = []
    for standing in search_threads(session, caller, search):
        thread_id = standing.thread.thread_id
        access = Access(standing.thread, own=True, request=pending_request(session, thread_id))
        shape = thread_shape(session, caller, access, standing, service.driver.state(thread_id))
        found.append(selected(shape, wanted.select))
    return found


@router.get("/threads/{thread_id}")
def read_thread(service: InService, session: InSession, caller: Client, thread_id: UUID) -> dict[str, Any]:
    """A thread with its values and with what it waits for."""
    caller.require(Act.READ)
    access = thread_seen_by(session, caller, thread_id)
    snapshot = service.driver.state(thread_id)
    return thread_shape(session, caller, access, standing_of(session, access.thread), snapshot)


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
def read_state(service: InService, session: InSession, caller: Client, thread_id: UUID) -> dict[str, Any]:
    """The latest state of a thread."""
    caller.require(Act.READ)
    access = thread_seen_by(session, caller, thread_id)
    return state_shape(session, caller, access, service.driver.state(thread_id))


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
