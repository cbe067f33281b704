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
from app.threads.narration import STEP_FAILED
from app.threads.searching import Standing
from app.threads.shown import NOTICES, PLAIN, WHOLE, shown_values
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


def schemas_shape() -> dict[str, Any]:
    """What a run takes and what it shows. Nothing is configurable, and a run has no context but its caller."""
    messages = {"type": "array", "items": {"type": "object"}}
    shown: dict[str, Any] = {name: {} for name in (*PLAIN, NOTICES, *WHOLE)}
    values = {"type": "object", "properties": {"messages": messages, **shown}}
    return {
        "graph_id": GRAPH,
        "input_schema": {
            "type": "object", "properties": {"messages": messages | {"minItems": 1, "maxItems": 1}},
            "required": ["messages"], "additionalProperties": False,
        },
        "output_schema": values, "state_schema": values, "config_schema": None, "context_schema": None,
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
    return _thread(standing, own=access.own) | {
        "values": state["values"],
        "interrupts": {task["id"]: task["interrupts"] for task in state["tasks"] if task["interrupts"]},
    }


def listed_thread(
    caller: Principal, standing: Standing, snapshot: StateSnapshot | None, request: ApprovalRequest | None
) -> dict[str, Any]:
    """A thread of the caller's as lists show it. What it waits for is told in short: the thread itself says the rest."""
    shape = _thread(standing, own=True)
    if snapshot is None:
        return shape
    waits: dict[str, list[dict[str, Any]]] = {}
    if request is not None:
        asked = question_ids(request)
        if caller.touches(request.sites):
            asked |= {"status": request.status.value, "expires_at": request.expires_at.isoformat()}
        waits = {_gate_id(snapshot, request): [{"id": request.approval_id.hex, "value": asked}]}
    return shape | {"values": shown_values(snapshot.values, caller), "interrupts": waits}


def _thread(standing: Standing, *, own: bool) -> dict[str, Any]:
    updated_at = standing.updated_at.isoformat()
    return {
        "thread_id": str(standing.thread.thread_id),
        "created_at": standing.thread.created_at.isoformat(),
        "updated_at": updated_at,
        "state_updated_at": updated_at,
        "metadata": labels_of(standing) if own else {"graph_id": GRAPH, "assistant_id": str(ASSISTANT_ID)},
        "status": standing.status,
        "config": {},
    }


def _gate_id(snapshot: StateSnapshot, request: ApprovalRequest) -> str:
    """The id of the task that waits for a decision."""
    return snapshot.tasks[0].id if snapshot.tasks else request.approval_id.hex


def state_shape(session: Session, caller: Principal, access: Access, snapshot: StateSnapshot) -> dict[str, Any]:
    """The latest state of a thread. What it waits for is what our own rows say, and for a guest so is everything."""
    request = access.request
    waits = request is not None and request.status is ApprovalStatus.PENDING
    tasks = [_task(each.id, each.name, failed=each.error is not None) for each in snapshot.tasks if access.own]
    if request is not None and waits:
        open_questions = questions(session, caller, access, [question_ids(request)])
        gate_id = _gate_id(snapshot, request) if access.own else request.approval_id.hex
        tasks = [_task(gate_id, APPROVAL_GATE, open_questions)]
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
    """The fields that were asked for, `values.messages` for one of the values; all of them without any."""
    if not fields:
        return dict(shape)
    chosen = {name: value for name, value in shape.items() if name in fields}
    parts = {field.removeprefix("values.") for field in fields if field.startswith("values.")}
    if parts and "values" not in chosen:
        chosen["values"] = {name: value for name, value in shape["values"].items() if name in parts}
    return chosen


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
        "id": task_id, "name": name, "error": STEP_FAILED if failed else None,
        "interrupts": list(interrupts), "checkpoint": None, "state": None, "result": None,
    }  # fmt: skip


def cut_for_guests(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a guest hears of the values of a run that they woke: where the plan stands, and nothing that was said."""
    return {name: values[name] for name in PLAIN if name in values}


def cut_event(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a guest hears of a step of such a run."""
    match name:
        case "values":
            return cut_for_guests(data)
        case "tasks":
            kept = {key: data[key] for key in ("id", "name", "error", "interrupts") if key in data}
            return kept | {key: {} for key in ("input", "result") if key in data}
        case _:
            return {node: {} for node in data}
