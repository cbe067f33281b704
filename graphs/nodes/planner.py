"""The planner: the llm reads the conversation and either answers, asks back, or asks for a tool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.runtime import Runtime

from graphs.clarifying import question_instead
from graphs.grounding import (
    UNSOURCED,
    Evidence,
    Gate,
    Vocabulary,
    flagged,
    repair_request,
    sourced_beginning,
    unsourced,
)
from graphs.memory import sent
from graphs.names import Names
from graphs.prompts.system import Prompt, catalogue_digest, schemas, system_prompt
from graphs.state import RebalanceState
from graphs.world import BASELINE, Context, Reply, World
from policies.brief import brief


def planner(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Let the llm speak once, and once more where its answer has no source, within the limits of the run."""
    world = runtime.context.world
    limits = world.limits
    turn = _Turn(world, dict(state.get("calls", {})), list(state.get("notices", [])))
    if turn.is_over:
        words = (
            f"I stopped: this took more than {limits.llm_calls_max} answers of the language model or"
            f" {limits.tool_calls_max} tool calls. Please ask for less at a time."
        )
        return {"messages": [AIMessage(words)], "outcome": "stopped"}
    world.tell("planner", "thinking")
    facts, caller = world.facts(), world.caller
    names = Names(facts.snapshot, caller.sites, sees_sensitive=caller.sees_sensitive)
    prompt = system_prompt(names.words(brief(facts.policy, facts.snapshot.currency)), limits)
    instructions, conversation = SystemMessage(prompt.text), _answered(state["messages"])
    vocabulary = Vocabulary.of(facts.snapshot, caller.sites, sees_sensitive=caller.sees_sensitive)
    # Of the conversation itself and not of its summary, in which what tools said stands beside what the user said.
    evidence = cache(partial(Evidence.of, [instructions, *conversation], vocabulary))
    shown, gate = [instructions, *sent(conversation, limits.memory_characters_max)], Gate(evidence)
    reply = turn.ask(shown, gate)
    message = reply.message
    # The baseline reads every figure from a result; a test holds it to the same check.
    if reply.llm != BASELINE:
        reply, message = _checked(turn, shown, reply, gate, evidence)
    update: dict[str, Any] = {"messages": [message], "calls": turn.calls, "outcome": "answered"}
    # What has not changed is not written again: every value written is kept with every checkpoint.
    changed = {"notices": turn.notices, "asked": _asked(reply, prompt)}
    return update | {name: value for name, value in changed.items() if state.get(name) != value}


@dataclass(slots=True)
class _Turn:
    """The llm as this run may ask it: counts what it uses, and passes on what the user should know."""

    world: World
    calls: dict[str, int]
    notices: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether the run has used up what it may use."""
        limits = self.world.limits
        return self.calls.get("llm", 0) >= limits.llm_calls_max or self.calls.get("tool", 0) > limits.tool_calls_max

    def ask(self, messages: list[BaseMessage], gate: Gate) -> Reply:
        """One answer of the llm, told to whoever watches as far as the gate lets it through."""
        self.calls["llm"] = self.calls.get("llm", 0) + 1
        gate.begin()
        reply = self.world.reply(messages, schemas(), gate)
        if reply.notice is not None and reply.notice not in self.notices:
            self.notices.append(reply.notice)
            self.world.tell("notice", reply.notice)
        return reply

    def may_repair(self) -> bool:
        """Whether an answer without a source may be given back; once a run, while there are calls left."""
        first = not self.calls.get("repair", 0)
        self.calls["repair"] = 1
        return first and not self.is_over


def _checked(
    turn: _Turn, shown: list[BaseMessage], reply: Reply, gate: Gate, evidence: Callable[[], Evidence]
) -> tuple[Reply, AIMessage]:
    """What the llm said after the check, and the reply that it comes from.

    An answer with something in it that has no source is given back once; what persists
    is named at its end. Where the vendor fails meanwhile the baseline answers instead,
    as long as the run may still ask it.
    """
    message, missing = _without_guesses(reply.message, shown, evidence())
    if not missing or not turn.may_repair():
        return reply, _marked(message, missing)
    turn.world.tell("planner", "checking the figures")
    again = turn.ask([*shown, AIMessage(message.text), HumanMessage(repair_request(missing))], gate)
    if again.llm == BASELINE:
        if turn.is_over:
            return reply, _marked(message, missing)
        again = turn.ask(shown, gate)
        return again, again.message
    message, missing = _without_guesses(again.message, shown, evidence())
    return again, _marked(message, missing)


def _without_guesses(
    message: AIMessage, shown: list[BaseMessage], evidence: Evidence
) -> tuple[AIMessage, tuple[str, ...]]:
    """The message with a question in place of calls that guess, and what a final answer says without a source.

    What is said beside a call comes before the tool has answered; from where it has no source on it is left out.
    """
    question = question_instead(message, shown)
    if question is not None:
        return AIMessage(question, id=message.id), ()
    missing = unsourced(str(message.text), evidence)
    if missing and (message.tool_calls or message.invalid_tool_calls):
        return message.model_copy(update={"content": sourced_beginning(str(message.text), evidence)}), ()
    return message, missing


def _marked(message: AIMessage, missing: tuple[str, ...]) -> AIMessage:
    """The answer, with what could not be traced named at its end and noted for later turns."""
    if not missing:
        return message
    noted = {**message.response_metadata, UNSOURCED: list(missing)}
    return message.model_copy(update={"content": flagged(str(message.text), missing), "response_metadata": noted})


def _asked(reply: Reply, prompt: Prompt) -> dict[str, Any]:
    """What a plan that is asked for now is put down to. A temperature in thousandths: state and digests hold integers."""
    warmth = None if reply.temperature is None else round(reply.temperature * 1_000)
    return {
        "llm": reply.llm,
        "temperature_e3": warmth,
        "prompt_digest": prompt.digest,
        "catalogue_digest": catalogue_digest(),
    }


def _answered(messages: list[AnyMessage]) -> list[BaseMessage]:
    """The conversation with an answer for every tool call: a run that ended in between left some without one."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    complete: list[BaseMessage] = []
    for message in messages:
        complete.append(message)
        if isinstance(message, AIMessage):
            calls = [(call["id"], call["name"]) for call in message.tool_calls]
            calls += [(str(call.get("id")), str(call.get("name"))) for call in message.invalid_tool_calls]
            complete.extend(
                ToolMessage('{"error": "this call was interrupted"}', tool_call_id=call_id or "call", name=name)
                for call_id, name in calls
                if call_id not in answered
            )
    return complete
