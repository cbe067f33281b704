"""Questions back: where the user named what is not known, the one nearest to it is asked for, never taken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from graphs.baseline.sentences import listed, sentence
from graphs.names import SURELY

_NEAREST = "; nearest: "
"""How the words of an UnclearError go on when something comes near."""


def question_instead(reply: AIMessage, messages: Sequence[BaseMessage]) -> str | None:
    """The question to ask in place of tool calls that guess; None where nothing is guessed.

    A guess is a name that a refusal of this turn called the nearest to another, and
    that the user has not written. What the refusal calls surely meant is no guess.
    """
    written = " ".join(str(message.text) for message in messages if isinstance(message, HumanMessage)).lower()
    used = {name.strip().lower() for call in reply.tool_calls for name in _texts(call["args"])}
    for what, nearest in _refusals(messages):
        guessed = [name for name in nearest if name.lower() in used and name.lower() not in written]
        if guessed:
            return f"{sentence(what)} Did you mean {listed(nearest, 'or')}?"
    return None


def _refusals(messages: Sequence[BaseMessage]) -> Iterator[tuple[str, list[str]]]:
    """What was unclear in this turn, with what comes nearest."""
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            return
        if isinstance(message, ToolMessage) and message.status == "error":
            words, _, surely = _error(message).partition(SURELY)
            what, _, names = words.partition(_NEAREST)
            if names and not surely:
                yield what, names.split(", ")


def _error(message: ToolMessage) -> str:
    document = json.loads(str(message.text))
    return str(document.get("error", ""))


def _texts(value: Any) -> Iterator[str]:
    """Every text within arguments; the ends of a lane one by one."""
    if isinstance(value, str):
        yield from value.replace("→", "->").split("->")
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
