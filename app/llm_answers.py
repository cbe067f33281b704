"""What a language model answered, as plain data: nothing in it that storage, a terminal or the next request could trip over.

Arguments are read strictly. A stream that ends too soon leaves half a JSON document,
and half a request must not be taken for a smaller one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, InvalidToolCall, ToolCall

ANSWER_CHARACTERS_MAX = 50_000
ARGUMENT_CHARACTERS_MAX = 10_000
CALLS_MAX = 100
_LEVELS_MAX = 10
_INTEGER_MAX = 2**63 - 1
_NAME_CHARACTERS_MAX = 100
_ARGUMENTS_KEPT = 1_000

Asked = tuple[str, dict[str, Any] | str]
"""A tool call as it came: its name, and its arguments as a document or as text."""


class UnusableAnswerError(Exception):
    """The answer is none that could be worked with. The words go on from "The language model"."""


class StreamedAnswer:
    """An answer that comes in piece by piece. `ended` once it has said why it ends."""

    def __init__(self) -> None:
        self.ended = False
        self._spoken: list[str] = []
        self._calls: dict[tuple[int | None, str], list[str]] = {}
        self._open: dict[int | None, str] = {}
        self._characters = 0

    def add(self, piece: AIMessageChunk) -> str:
        """Take the next piece; what it says, as plain text. Raises UnusableAnswerError for one too many."""
        self._spoken.append(piece.text)
        self._characters += len(piece.text)
        for call in piece.tool_call_chunks:
            index = call["index"]
            # The id marks where a call begins: some vendors give every call the same index.
            call_id = self._open[index] = call["id"] or self._open.get(index, "")
            parts = self._calls.setdefault((index, call_id), [call["name"] or ""])
            parts.append(call["args"] or "")
            self._characters += len(parts[-1])
        if self._characters > ANSWER_CHARACTERS_MAX:
            raise _too_long()
        self.ended = self.ended or "finish_reason" in piece.response_metadata
        return plain_text(piece.text)

    def answer(self) -> AIMessage:
        """All of it as one message. Raises UnusableAnswerError."""
        return _plain_message("".join(self._spoken), [(name, "".join(args)) for name, *args in self._calls.values()])


def plain_answer(message: BaseMessage) -> AIMessage:
    """An answer that came as a whole: plain text, and tool calls whose arguments are plain JSON or marked as invalid.

    Ids are made anew: a vendor may give one twice, or none. Raises UnusableAnswerError.
    """
    if not isinstance(message, AIMessage):
        raise UnusableAnswerError(f"answered with a {message.type} message")
    asked: list[Asked] = [(call["name"], call["args"]) for call in message.tool_calls]
    asked += [(call["name"] or "", call["args"] or "") for call in message.invalid_tool_calls]
    return _plain_message(message.text, asked)


def is_empty(message: AIMessage) -> bool:
    """Whether an answer neither says nor asks anything."""
    return not (str(message.content).strip() or message.tool_calls or message.invalid_tool_calls)


def plain_text(text: str) -> str:
    """Text that UTF-8, PostgreSQL and terminals take: no lone surrogates, no control characters but newlines and tabs."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(c for c in whole if c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160))


def _plain_message(spoken: str, asked: Sequence[Asked]) -> AIMessage:
    if len(spoken) + sum(len(str(arguments)) for _, arguments in asked) > ANSWER_CHARACTERS_MAX:
        raise _too_long()
    if len(asked) > CALLS_MAX:
        raise UnusableAnswerError(f"made more than {CALLS_MAX} tool calls in one answer")
    calls, invalid = _calls(asked)
    return AIMessage(plain_text(spoken), tool_calls=calls, invalid_tool_calls=invalid)


def _too_long() -> UnusableAnswerError:
    return UnusableAnswerError(f"sent more than {ANSWER_CHARACTERS_MAX:,} characters in one answer")


def _calls(asked: Iterable[Asked]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    calls, invalid = [], []
    for said, given in asked:
        name, call_id = plain_text(said)[:_NAME_CHARACTERS_MAX], uuid4().hex[:9]
        try:
            calls.append(ToolCall(name=name, args=_arguments(given), id=call_id, type="tool_call"))
        except _ArgumentsError as wrong:
            kept = plain_text(given if isinstance(given, str) else json.dumps(given))[:_ARGUMENTS_KEPT]
            invalid.append(
                InvalidToolCall(name=name, args=kept, id=call_id, error=str(wrong), type="invalid_tool_call")
            )
    return calls, invalid


class _ArgumentsError(ValueError):
    """Arguments that no tool could be called with, in words for whoever made the call."""


def _arguments(given: dict[str, Any] | str) -> dict[str, Any]:
    """Arguments as plain JSON. Raises _ArgumentsError."""
    text = given if isinstance(given, str) else json.dumps(given)
    if len(text) > ARGUMENT_CHARACTERS_MAX:
        raise _ArgumentsError(f"arguments of {len(text):,} characters; at most {ARGUMENT_CHARACTERS_MAX:,}")
    try:
        read = json.loads(text or "{}")
    except (ValueError, RecursionError) as wrong:
        raise _ArgumentsError(f"the arguments are not valid JSON: {wrong}") from wrong
    if not isinstance(read, dict):
        raise _ArgumentsError("the arguments are not a JSON object")
    return {plain_text(name): _plain(value, 1) for name, value in read.items()}


def _plain(value: Any, level: int) -> Any:
    """A value of a JSON document. Raises _ArgumentsError for what no checkpoint could hold."""
    if level > _LEVELS_MAX:
        raise _ArgumentsError(f"the arguments are nested more than {_LEVELS_MAX} levels deep")
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, dict):
        return {plain_text(name): _plain(inner, level + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, level + 1) for inner in value]
    if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= _INTEGER_MAX):
        raise _ArgumentsError("the arguments hold a number that is out of range")
    return value
