"""The state machine: which node follows which, and nothing else.

    chat: planner <-> toolbox -> drafter -> checker -> negotiator -> presenter -> planner
    scan: drafter -> checker -> negotiator -> approval request -> gate -> decision -> executor -> reporter

A chat that submits its plan joins the scan's way at the checker.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graphs.nodes import names
from graphs.nodes.approval_gate import approval_gate
from graphs.nodes.approval_request import approval_request
from graphs.nodes.constraint_checker import constraint_checker
from graphs.nodes.decision_reader import decision_reader
from graphs.nodes.drafter import drafter
from graphs.nodes.executor import executor
from graphs.nodes.negotiator import negotiator
from graphs.nodes.planner import planner
from graphs.nodes.presenter import presenter
from graphs.nodes.reporter import reporter
from graphs.nodes.toolbox import toolbox
from graphs.state import RebalanceState
from graphs.world import Context

RECURSION_LIMIT = 100
"""Steps of one run; the limits of the run itself end it long before."""

Graph = CompiledStateGraph[RebalanceState, Context, RebalanceState, RebalanceState]


def build_graph(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """The compiled state machine on a checkpointer."""
    return _machine().copy({"checkpointer": checkpointer})


@cache
def _machine() -> Graph:
    """The state machine on no checkpointer: a process compiles it once."""
    graph = StateGraph(RebalanceState, context_schema=Context)
    graph.add_node(names.PLANNER, planner)
    graph.add_node(names.TOOLBOX, toolbox)
    graph.add_node(names.DRAFTER, drafter)
    graph.add_node(names.CONSTRAINT_CHECKER, constraint_checker)
    graph.add_node(names.NEGOTIATOR, negotiator)
    graph.add_node(names.PRESENTER, presenter)
    graph.add_node(names.APPROVAL_REQUEST, approval_request)
    graph.add_node(names.APPROVAL_GATE, approval_gate)
    graph.add_node(names.DECISION_READER, decision_reader)
    graph.add_node(names.EXECUTOR, executor)
    graph.add_node(names.REPORTER, reporter)

    graph.add_conditional_edges(START, by_door, [names.PLANNER, names.DRAFTER])
    graph.add_conditional_edges(names.PLANNER, after_planner, [names.TOOLBOX, END])
    graph.add_conditional_edges(names.TOOLBOX, after_toolbox, [names.DRAFTER, names.CONSTRAINT_CHECKER, names.PLANNER])
    graph.add_edge(names.DRAFTER, names.CONSTRAINT_CHECKER)
    graph.add_edge(names.CONSTRAINT_CHECKER, names.NEGOTIATOR)
    graph.add_conditional_edges(
        names.NEGOTIATOR, after_negotiator, [names.DRAFTER, names.PRESENTER, names.APPROVAL_REQUEST, names.REPORTER]
    )
    graph.add_edge(names.PRESENTER, names.PLANNER)
    graph.add_conditional_edges(names.APPROVAL_REQUEST, after_request, [names.APPROVAL_GATE, names.REPORTER])
    graph.add_edge(names.APPROVAL_GATE, names.DECISION_READER)
    graph.add_conditional_edges(
        names.DECISION_READER,
        after_decision,
        [names.EXECUTOR, names.DRAFTER, names.APPROVAL_GATE, names.REPORTER],
    )
    graph.add_edge(names.EXECUTOR, names.REPORTER)
    graph.add_edge(names.REPORTER, END)
    return graph.compile()


def by_door(state: RebalanceState) -> str:
    """A message goes to the planner; a scan brings its plan request along."""
    return names.DRAFTER if state.get("door") == "scan" else names.PLANNER


def after_planner(state: RebalanceState) -> str:
    """Tools, or the end of the turn."""
    last = state["messages"][-1]
    calls = isinstance(last, AIMessage) and (last.tool_calls or last.invalid_tool_calls)
    return names.TOOLBOX if calls and state["outcome"] != "stopped" else END


def after_toolbox(state: RebalanceState) -> str:
    """A plan request is drafted, a submission is checked again, answers go back to the planner."""
    return {"requested": names.DRAFTER, "submitted": names.CONSTRAINT_CHECKER}.get(state["outcome"], names.PLANNER)


def after_negotiator(state: RebalanceState) -> str:
    """Another round, the planner who asked, the approvers, or the end."""
    if state["outcome"] == "revised":
        return names.DRAFTER
    if not state.get("submit"):
        return names.PRESENTER
    return names.APPROVAL_REQUEST if state["outcome"] == "permitted" else names.REPORTER


def after_request(state: RebalanceState) -> str:
    """Only a request that waits can be decided."""
    return names.APPROVAL_GATE if state["outcome"] == "waiting" else names.REPORTER


def after_decision(state: RebalanceState) -> str:
    """Only a recorded approval leads to the executor."""
    ways = {"approved": names.EXECUTOR, "replan": names.DRAFTER, "pending": names.APPROVAL_GATE}
    return ways.get(state["outcome"], names.REPORTER)
