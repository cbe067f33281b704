"""Threads, states, runs and the assistant as clients of LangGraph know them, cut to what the caller may see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from langgraph.types import StateSnapshot
from sqlmodel import Session

from app.approvals.human_in_the_loop import question_of
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.errors import NotFoundError
from app.threads.access import Access
from app.threads.searching import Standing, ThreadStatus
from app.threads.shown import PLAIN, shown_values
from app.threads.tables import Run, RunStatus
from graphs.nodes.names import APPROVAL_GATE

GRAPH = "rebalance"
ASSISTANT_ID = uuid5(UUID("8f0f6c0e-3d67-5b51-9d3a-0a6a1f5f2b10"), GRAPH)
RUN_STATUSES: Mapping[RunStatus, str] = {
    RunStatus.QUEUED: "pending",
    RunStatus.RUNNING: "running",
    RunStatus.WAITING: "interrupted",
    RunStatus.DONE: "success",
    RunStatus.FAILED: "error",
    RunStatus.CANCELLED: "interrupted",
}
OURS = ("graph_id", "assistant_id", "owner", "door", "title")
"""Labels of a thread that no client writes."""
_SINCE = datetime(2026, 1, 1, tzinfo=UTC).isoformat()


def assistant_shape() -> dict[str, Any]:
    """The one assistant there is."""
    return {
        "assistant_id": str(ASSISTANT_ID), "graph_id": GRAPH, "name": "Evenkeel", "version": 1,
        "description": "Finds where stock is short and where in excess, and proposes transfers that a person decides on.",
        "config": {}, "context": {}, "metadata": {}, "created_at": _SINCE, "updated_at": _SINCE,
    }  # fmt: skip


def require_assistant(assistant_id: str) -> None:
    """Raise NotFoundError for any other assistant than the one there is."""
    if assistant_id not in (GRAPH, str(ASSISTANT_ID)):
        raise NotFoundError("unknown_assistant", f"there is no assistant {assistant_id[:80]!r}", f"ask for {GRAPH!r}")


def labels_of(standing: Standing) -> dict[str, Any]:
    """What is noted on a thread, by its client and by us."""
    thread = standing.thread
    return {
        **thread.labels, "graph_id": GRAPH, "assistant_id": str(ASSISTANT_ID), "owner": thread.owner,
        "door": thread.door.value, "title": thread.title,
    }  # fmt: skip


def thread_shape(
    session: Session, caller: Principal, access: Access, standing: Standing, snapshot: StateSnapshot
) -> dict[str, Any]:
    """A thread with its values and with what it waits for."""
    state = state_shape(session, caller, access, snapshot)
    created_at, updated_at = standing.thread.created_at.isoformat(), standing.updated_at.isoformat()
    return {
        "thread_id": str(standing.thread.thread_id),
        "created_at": created_at,
        "updated_at": updated_at,
        "state_updated_at": updated_at,
        "metadata": labels_of(standing) if access.own else {"graph_id": GRAPH, "assistant_id": str(ASSISTANT_ID)},
        "status": ThreadStatus.BUSY if standing.status is ThreadStatus.BUSY else standing.status,
        "config": {},
        "values": state["values"],
        "interrupts": {task["id"]: task["interrupts"] for task in state["tasks"] if task["interrupts"]},
    }


def state_shape(session: Session, caller: Principal, access: Access, snapshot: StateSnapshot) -> dict[str, Any]:
    """The latest state of a thread. What it waits for is what our own rows say, and for a guest so is everything."""
    request = access.request
    waits = request is not None and request.status is ApprovalStatus.PENDING
    tasks = [_task(each.id, each.name, failed=each.error is not None) for each in snapshot.tasks if access.own]
    if request is not None and waits:
        open_questions = questions(session, caller, access, [question_ids(request)])
        tasks = [_task(tasks[0]["id"] if tasks else request.approval_id.hex, APPROVAL_GATE, open_questions)]
    shape = _state(access, snapshot, tasks)
    if not access.own and request is not None:
        fields = (request.plan_digest, str(request.approval_id), request.status.value)
        shape |= {"values": dict(zip(PLAIN, fields, strict=True))}
    else:
        shape |= {"values": shown_values(snapshot.values, caller)}
    return shape


def past_state_shape(caller: Principal, access: Access, snapshot: StateSnapshot) -> dict[str, Any]:
    """An earlier state of the caller's own thread. Its questions are told by their ids: they are not open any more."""
    tasks = [
        _task(
            each.id, each.name,
            [{"id": UUID(asked.value["approval_id"]).hex, "value": asked.value} for asked in each.interrupts],
            failed=each.error is not None,
        )
        for each in snapshot.tasks
    ]  # fmt: skip
    return _state(access, snapshot, tasks) | {"values": shown_values(snapshot.values, caller)}


def selected(shape: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """The fields that were asked for; all of them without any."""
    wanted = {field.partition(".")[0] for field in fields}
    return {name: value for name, value in shape.items() if not wanted or name in wanted}


def run_shape(run: Run) -> dict[str, Any]:
    """A run."""
    return {
        "run_id": str(run.run_id), "thread_id": str(run.thread_id), "assistant_id": str(ASSISTANT_ID),
        "created_at": run.created_at.isoformat(), "updated_at": (run.finished_at or run.created_at).isoformat(),
        "status": RUN_STATUSES[run.status], "metadata": run.labels, "kwargs": {}, "multitask_strategy": "reject",
        "cancel_reason": None if run.cancel_asked_by is None else "user",
    }  # fmt: skip


def question_ids(request: ApprovalRequest) -> dict[str, str]:
    """A question by its ids, as the gate asks it."""
    return {"approval_id": str(request.approval_id), "plan_digest": request.plan_digest}


def questions(
    session: Session, caller: Principal, access: Access, asked: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Questions as interrupts, for the eyes of the caller. One that belongs to another thread is not asked here."""
    interrupts = []
    for each in asked:
        request = get_request(session, UUID(each["approval_id"]))
        if request.thread_id != str(access.thread.thread_id):
            continue
        try:
            value = question_of(session, caller, request.approval_id)
        except NotFoundError:
            if not access.own:
                continue
            value = question_ids(request)
        schema = {"response_schema": value["response_schema"]} if "response_schema" in value else {}
        interrupts.append({"id": request.approval_id.hex, "value": value} | schema)
    return interrupts


def checkpoint_shape(thread_id: UUID, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """A checkpoint by its id."""
    checkpoint_id = (config or {}).get("configurable", {}).get("checkpoint_id")
    return {
        "thread_id": str(thread_id), "checkpoint_ns": "", "checkpoint_id": checkpoint_id, "checkpoint_map": None,
    }  # fmt: skip


def _state(access: Access, snapshot: StateSnapshot, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    thread_id, metadata = access.thread.thread_id, snapshot.metadata or {}
    parent = snapshot.parent_config
    return {
        "next": [task["name"] for task in tasks],
        "tasks": tasks,
        "checkpoint": checkpoint_shape(thread_id, snapshot.config),
        "metadata": {
            "step": metadata.get("step"), "source": metadata.get("source"), "run_id": snapshot.values.get("run_id"),
        },
        "created_at": snapshot.created_at,
        "parent_checkpoint": None if parent is None else checkpoint_shape(thread_id, parent),
        "interrupts": [interrupt for task in tasks for interrupt in task["interrupts"]],
    }  # fmt: skip


def _task(
    task_id: str, name: str, interrupts: Sequence[dict[str, Any]] = (), *, failed: bool = False
) -> dict[str, Any]:
    return {
        "id": task_id, "name": name, "error": "this step failed" if failed else None,
        "interrupts": list(interrupts), "checkpoint": None, "state": None, "result": None,
    }  # fmt: skip


def cut_for_guests(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a guest hears of the values of a run that they woke: where the plan stands, and nothing that was said."""
    return {name: values[name] for name in PLAIN if name in values}
