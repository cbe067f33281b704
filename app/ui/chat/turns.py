"""A conversation as its page shows it: turns with what was said, what was looked at, and the plans that came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from pydantic import ValidationError

from app.threads.stream import StreamEvent
from app.threads.tables import ACTIVE, Run, RunKind, RunStatus
from graphs.baseline.results import NoPlan, Result

START = "start"
"""The turn before anybody has said anything: a scan."""
TOOL_WORDS: Mapping[str, str] = MappingProxyType({
    "find_imbalances": "Looking for imbalances", "coverage": "Looking at stock and cover",
    "signal_quality": "Looking at how far the data can be trusted", "what_if": "Working out the what-if",
    "explain_line": "Explaining a line", "explain_plan": "Explaining the plan",
    "explain_negotiation": "Looking at how the plan was negotiated", "explain_blocked": "Looking for what stands in the way",
    "compare_plans": "Comparing two plans", "status": "Looking at the queue and the orders",
    "kpis": "Working out the key figures", "policy": "Reading the policy", "propose_plan": "Planning",
    "submit_plan": "Submitting the plan",
})  # fmt: skip
"""What the agent does with each tool, for people."""
STEP_WORDS: Mapping[str, str] = MappingProxyType({
    "planner": "Thinking", "drafter": "Finding the best transfers", "constraint_checker": "Checking the rules",
    "negotiator": "Settling what sites compete for", "take_position": "Asking the language model about the trade-offs",
    "approval_request": "Putting the plan into the queue", "decision_reader": "Reading the decision",
    "executor": "Releasing the orders", "reporter": "Summing up", "resumed": "Going on where it was",
    "interrupted": "Interrupted; it goes on by itself",
})  # fmt: skip
"""What a step of a run is, by the kind of its news."""


class Difference(Result):
    """How one plan differs from another, in words."""

    words: str


class Sketch(Result):
    """A plan's figures, without its lines."""

    plan: str = ""
    lines: int
    units: int
    departures: int
    saves: str
    costs_to_move: str
    goods_value: str
    fill_rate_before_percent: str
    fill_rate_after_percent: str
    note: str = ""


class Proposed(Sketch):
    """A plan as it was proposed. Of older turns the agent keeps the plain figures only."""

    plan: str
    outcome: str = ""
    violations: tuple[str, ...] = ()
    concessions: tuple[str, ...] = ()
    recommended: tuple[str, ...] = ()
    contested_pools: int = 0

    @property
    def may_be_submitted(self) -> bool:
        """Whether the checker found nothing that speaks against it."""
        return self.outcome == "permitted" and not self.violations and self.lines > 0


class SupposedSides(Result):
    """A what-if beside things as they are."""

    as_things_are: Sketch | NoPlan
    what_if: Sketch | NoPlan
    difference: Difference | None = None


class ComparedSides(Result):
    """Two plans of the conversation side by side."""

    plan: Sketch
    other: Sketch
    difference: Difference


@dataclass(frozen=True, slots=True)
class Side:
    """One column of two: a plan's figures, or why there is none."""

    title: str
    figures: Sketch | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """Two plans side by side, and how they differ."""

    title: str
    sides: tuple[Side, Side]
    words: str
    keep: str


@dataclass(slots=True)
class Turn:
    """What somebody said, and all that came of it. `plans` are those proposed in it, in order."""

    turn_id: str
    said: str = ""
    at: datetime | None = None
    words: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    timed: list[tuple[str, float]] = field(default_factory=list)
    plans: list[Proposed] = field(default_factory=list)
    beside: list[Beside] = field(default_factory=list)
    approvals: list[str] = field(default_factory=list)
    seconds: float | None = None
    error: str | None = None
    is_active: bool = False


class _Submitted(Result):
    submitted: bool
    approval: str = ""


def turns_of(messages: Iterable[AnyMessage]) -> list[Turn]:
    """The turns of a conversation. A person's message begins one; its id is that of the run that it began."""
    turns: list[Turn] = []
    for message in messages:
        if isinstance(message, HumanMessage):
            turns.append(Turn(str(message.id), str(message.text)))
            continue
        if not turns:
            turns.append(Turn(START))
        if isinstance(message, AIMessage):
            turns[-1].steps += [TOOL_WORDS.get(call["name"], "Trying something") for call in message.tool_calls]
            if message.text:
                turns[-1].words.append(str(message.text))
        elif isinstance(message, ToolMessage) and message.status != "error":
            _take(turns[-1], message.name or "", str(message.text))
    return turns


def _take(turn: Turn, tool: str, text: str) -> None:
    """What a tool answered, as far as it is shown; anything else stays in the agent's words."""
    try:
        match tool:
            case "propose_plan":
                turn.plans.append(Proposed.model_validate_json(text))
            case "submit_plan":
                submitted = _Submitted.model_validate_json(text)
                turn.approvals += [submitted.approval] if submitted.submitted else []
            case "what_if":
                turn.beside.append(_supposed(SupposedSides.model_validate_json(text)))
            case "compare_plans":
                turn.beside.append(_compared(ComparedSides.model_validate_json(text)))
    except ValidationError:
        return


def _supposed(found: SupposedSides) -> Beside:
    sides = (_side("As things are", found.as_things_are), _side("What if", found.what_if))
    words = "" if found.difference is None else found.difference.words
    return Beside("As things are, and what if", sides, words, "A what-if is only reckoned. Nothing of it is kept.")


def _side(title: str, found: Sketch | NoPlan) -> Side:
    return Side(title, None, found.note) if isinstance(found, NoPlan) else Side(title, found, found.note)


def _compared(found: ComparedSides) -> Beside:
    sides = (Side(f"Plan {found.plan.plan[:12]}", found.plan), Side(f"Plan {found.other.plan[:12]}", found.other))
    return Beside("Two plans side by side", sides, found.difference.words, "")


def with_runs(turns: Sequence[Turn], runs: Iterable[Run]) -> list[Turn]:
    """The turns with when they were, how long they took and how they failed; and those that never got into the conversation.

    Of a run that is under way only what was said is told: the rest comes as its news.
    """
    known = {turn.turn_id: turn for turn in turns}
    order = list(turns)
    said = sorted((run for run in runs if run.kind is RunKind.MESSAGE), key=lambda run: run.created_at)
    for run in said:
        if (turn := known.get(str(run.run_id))) is not None:
            turn.at = run.created_at
    for run in said:
        turn = known.get(str(run.run_id))
        if turn is None:
            turn = Turn(str(run.run_id), str(run.input.get("text", "")))
            order.insert(_place(order, run), turn)
        turn.at, turn.is_active = run.created_at, run.status in ACTIVE
        if turn.is_active:
            turn.words, turn.steps, turn.plans, turn.beside, turn.approvals = [], [], [], [], []
        elif run.finished_at is not None:
            turn.seconds = (run.finished_at - run.created_at).total_seconds()
        if run.status is RunStatus.FAILED:
            turn.error = run.error or "it did not come to its end"
        elif run.status is RunStatus.CANCELLED and not turn.words:
            turn.words = ["Stopped before it began, as you asked."]
    return order


def timed_steps(events: Iterable[StreamEvent]) -> list[tuple[str, float]]:
    """The steps of a run that is over, in words, and how many seconds each took. An event's id begins with its milliseconds."""
    found: list[tuple[str, int]] = []
    for event in events:
        if event.kind in ("token", "notice"):
            continue
        detail = str(json.loads(event.data).get("detail", ""))
        words = TOOL_WORDS.get(detail) if event.kind == "tool" else STEP_WORDS.get(event.kind)
        if event.kind == "done" or not found or found[-1][0] != words:
            found.append((words or "Trying something", int(event.event_id.partition("-")[0])))
    return [(words, (end - begin) / 1000) for (words, begin), (_, end) in pairwise(found)]


def _place(order: Sequence[Turn], run: Run) -> int:
    """Where a turn that is in no conversation belongs: before the first that came later."""
    later = (place for place, turn in enumerate(order) if turn.at is not None and turn.at > run.created_at)
    return next(later, len(order))


def plans_said(turns: Iterable[Turn]) -> Iterator[str]:
    """The digests of the plans that were proposed, in order, each once."""
    yield from dict.fromkeys(plan.plan for turn in turns for plan in turn.plans)
