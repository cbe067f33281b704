"""The gate as it is built: node names that stay, one interrupt, one node that leads to a posting, and checkpoints of plain JSON."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import ormsgpack
import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.checkpoint.serde import _msgpack as strictness
from langgraph.errors import UnknownInterruptError
from langgraph.types import Command
from sqlalchemy import text

from app.auth.people import SYSTEM_PRINCIPAL
from app.service import Service
from app.threads.driver import _config, _strictly
from graphs.nodes import names
from graphs.state import RebalanceState
from tests.conversation import talk
from tests.installation import ADA, approve, carry_out, submitted, waiting

ROOT = Path(__file__).parents[2]


def test_the_names_of_the_nodes_are_those_that_checkpoints_hold() -> None:
    """An approval that waits in a node is lost when the node is renamed: a new name needs a migration of old threads."""
    held = {
        "PLANNER": "planner", "TOOLBOX": "toolbox", "DRAFTER": "drafter", "CONSTRAINT_CHECKER": "constraint_checker",
        "NEGOTIATOR": "negotiator", "PRESENTER": "presenter", "APPROVAL_REQUEST": "approval_request",
        "APPROVAL_GATE": "approval_gate", "DECISION_READER": "decision_reader", "EXECUTOR": "executor",
        "REPORTER": "reporter",
    }  # fmt: skip
    assert {name: value for name, value in vars(names).items() if name.isupper()} == held


def test_the_graph_has_these_nodes_and_one_way_to_the_executor(service: Service) -> None:
    graph = service.driver._graph.get_graph()
    assert set(graph.nodes) == {value for name, value in vars(names).items() if name.isupper()} | {
        "__start__",
        "__end__",
    }
    before = {edge.source for edge in graph.edges if edge.target == names.EXECUTOR}
    assert before == {names.DECISION_READER}
    assert {edge.source for edge in graph.edges if edge.target == names.DECISION_READER} == {names.APPROVAL_GATE}


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for package in ("app", "graphs", "policies", "tools", "evals"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _calls(name: str) -> list[str]:
    """The modules that call something of this name, one entry for each call."""
    return [
        path
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name in (getattr(node.func, "attr", None), getattr(node.func, "id", None))
    ]


def test_there_is_one_interrupt_and_nothing_else_stands_beside_it() -> None:
    assert _calls("interrupt") == ["graphs/nodes/approval_gate.py"]
    (gate,) = [tree for path, tree in _modules() if path == "graphs/nodes/approval_gate.py"]
    (function,) = [node for node in gate.body if isinstance(node, ast.FunctionDef)]
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    assert sorted(getattr(call, "attr", getattr(call, "id", "")) for call in calls) == ["get", "get", "interrupt"]
    assert not [node for node in ast.walk(function) if isinstance(node, ast.Try | ast.With | ast.If)]


def test_one_node_leads_to_a_posting_and_no_node_calls_another() -> None:
    assert _calls("carry_out") == ["graphs/nodes/executor.py"]
    assert set(_calls("release_orders")) == {"app/service.py", "app/world.py"}
    for path, tree in _modules():
        if path.startswith("graphs/nodes/"):
            imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
            assert not [name for name in imported if name and name.startswith("graphs.nodes")], path


def test_strict_resume_refuses_whatever_does_not_wait_before_anything_is_written(service: Service) -> None:
    """LangGraph's switch for it is internal; this test notices when it is gone."""
    request = submitted(service)
    thread_id = UUID(request.thread_id)
    graph, config = service.driver._graph, _config(thread_id)
    context = service.driver._context(thread_id, uuid4(), SYSTEM_PRINCIPAL)
    question = graph.get_state(config).interrupts[0].id
    before = list(graph.get_state_history(config))
    for answers in ({"0" * 32: "approve"}, {question: "approve", "0" * 32: "approve"}, {}):
        with pytest.raises(UnknownInterruptError):
            graph.invoke(Command(resume=answers), _strictly(config), context=context)
    assert list(graph.get_state_history(config)) == before
    approve(service, request)
    carry_out(service, request)
    with pytest.raises(UnknownInterruptError):
        graph.invoke(Command(resume={question: "again"}), _strictly(config), context=context)


def test_checkpoints_hold_plain_json_and_messages_and_come_back_as_they_were(service: Service) -> None:
    assert strictness.STRICT_MSGPACK_ENABLED
    submitted(service)
    first = talk(service, "rebalance P1")
    talk(service, "why", thread_id=first.thread_id)
    talk(service, "submit", thread_id=first.thread_id)
    for request in waiting(service):
        approve(service, request, ADA)
        service.resume_thread(request.approval_id)
    kinds: set[str] = set()

    def unpacked(blob: bytes) -> Any:
        return ormsgpack.unpackb(blob, ext_hook=note, option=ormsgpack.OPT_NON_STR_KEYS)

    def note(_: int, data: bytes) -> Any:
        module, name, *_rest = inner = unpacked(data)
        kinds.add(f"{module}.{name}")
        return inner

    with service.database.engine.connect() as connection:
        for table in ("checkpoint_blobs", "checkpoint_writes"):
            rows = connection.execute(text(f"select channel, blob from {table} where type = 'msgpack'")).all()
            assert len(rows) > 20
            for channel, blob in rows:
                value = unpacked(blob)
                if channel in RebalanceState.__annotations__ and channel != "messages":
                    assert json.loads(json.dumps(value)) == value, channel
    assert {kind for kind in kinds if not kind.startswith("langchain_core.messages.")} <= {"langgraph.types.Interrupt"}
    values = service.driver.state(first.thread_id).values
    assert set(values) <= set(RebalanceState.__annotations__)
    assert values["outcome"] in ("released", "replan", "outrun", "approved", "nothing_to_move")
    messages = values.pop("messages")
    assert json.loads(json.dumps(values)) == values
    assert all(isinstance(message, BaseMessage) for message in messages)
    assert [message for message in messages if isinstance(message, AIMessage) and message.tool_calls]
