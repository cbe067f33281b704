"""What a language model answered, as plain data: nothing in it that storage, a terminal or the next request could trip over.

Arguments are read strictly. A stream that ends too soon leaves half a JSON document,
and half a request must not be taken for a smaller one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, InvalidToolCall, ToolCall, ToolCallChunk

ANSWER_CHARACTERS_MAX = 50_000
ARGUMENT_CHARACTERS_MAX = 10_000
CALLS_MAX = 100
_LEVELS_MAX = 10
_INTEGER_MAX = 2**63 - 1
_NAME_CHARACTERS_MAX = 100
_ARGUMENTS_KEPT = 1_000
_TOKENS_MAX = 10_000_000
"""More than any request can use: a vendor that says more than this says nothing."""
CUT_OFF = "length"
FILTERED = "content_filter"
"""Why an answer ended, in the words of the wire: its tokens were used up, or the vendor's filter stopped it."""

Asked = tuple[str, dict[str, Any] | str]
"""A tool call as it came: its name, and its arguments as a document or as text."""


class UnusableAnswerError(Exception):
    """The answer is none that could be worked with. The words go on from "The language model"."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that requests took. `is_estimate` where a vendor has not said all of it."""

    prompt_tokens: int
    completion_tokens: int
    is_estimate: bool = False

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.is_estimate or other.is_estimate,
        )

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor answered: the message, why it ended there, whether the llm declined, and the usage if it was said."""

    message: AIMessage
    ending: str = ""
    declined: bool = False
    usage: Usage | None = None


@dataclass(slots=True)
class _StreamedCall:
    """A tool call that comes in piece by piece."""

    call_id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def is_over(self, call_id: str, name: str) -> bool:
        """Whether a piece with this id and name begins another call at the same index.

        Some vendors give every call the same index, some give ids late or never, and
        some repeat the name with every piece or split it.
        """
        if call_id and self.call_id and call_id != self.call_id:
            return True
        return bool(name) and name != self.name and any(self.arguments)

    def add(self, call_id: str, name: str, arguments: str) -> None:
        """Take the next piece of this call."""
        self.call_id = self.call_id or call_id
        if name != self.name:
            self.name += name
        self.arguments.append(arguments)


class StreamedAnswer:
    """An answer that comes in piece by piece: `begun` with the first one, `ended` once it has said why it ends."""

    def __init__(self) -> None:
        self.begun = self.ended = False
        self.characters = 0
        self.usage: Usage | None = None
        self._ending = ""
        self._spoken: list[str] = []
        self._declined: list[str] = []
        self._calls: list[_StreamedCall] = []
        self._named: dict[tuple[int | None, str], _StreamedCall] = {}
        self._open: dict[int | None, _StreamedCall] = {}

    def add(self, piece: AIMessageChunk) -> str:
        """Take the next piece; what it says, as plain text. Raises UnusableAnswerError for one too many."""
        self.begun = True
        declined = _refusal(piece)
        self._spoken.append(piece.text)
        self._declined.append(declined)
        self.characters += len(piece.text) + len(declined)
        for part in piece.tool_call_chunks:
            self._add_call(part)
        if self.characters > ANSWER_CHARACTERS_MAX:
            raise _too_long()
        if "finish_reason" in piece.response_metadata:
            self.ended, self._ending = True, str(piece.response_metadata["finish_reason"])
        self._add_usage(_said_usage(piece))
        return plain_text(piece.text or declined)

    def answer(self) -> Answer:
        """All of it. Raises UnusableAnswerError."""
        asked: list[Asked] = [(call.name, "".join(call.arguments)) for call in self._calls]
        return _answer("".join(self._spoken), "".join(self._declined), asked, self._ending, self.usage)

    def _add_call(self, part: ToolCallChunk) -> None:
        index, call_id, name, arguments = part["index"], part["id"] or "", part["name"] or "", part["args"] or ""
        call = self._named.get((index, call_id)) if call_id else None
        if call is None:
            call = self._open.get(index)
            if call is None or call.is_over(call_id, name):
                call = _StreamedCall()
                self._calls.append(call)
            self._open[index] = call
        if call_id:
            self._named[index, call_id] = call
        call.add(call_id, name, arguments)
        self.characters += len(name) + len(arguments)

    def _add_usage(self, said: Usage | None) -> None:
        """Keep the most that was said: some vendors say it once at the end, some with every piece what it is so far."""
        if said is not None:
            before = self.usage or Usage(0, 0)
            self.usage = Usage(
                max(before.prompt_tokens, said.prompt_tokens), max(before.completion_tokens, said.completion_tokens)
            )


def whole_answer(message: BaseMessage) -> Answer:
    """An answer that came as a whole: plain text, and tool calls whose arguments are plain JSON or marked as invalid.

    Ids are made anew: a vendor may give one twice, or none. Raises UnusableAnswerError.
    """
    if not isinstance(message, AIMessage):
        raise UnusableAnswerError(f"answered with a {message.type} message")
    asked: list[Asked] = [(call["name"], call["args"]) for call in message.tool_calls]
    asked += [(call["name"] or "", call["args"] or "") for call in message.invalid_tool_calls]
    ending = str(message.response_metadata.get("finish_reason") or "")
    return _answer(message.text, _refusal(message), asked, ending, _said_usage(message))


def is_empty(message: AIMessage) -> bool:
    """Whether an answer neither says nor asks anything."""
    return not (str(message.content).strip() or message.tool_calls or message.invalid_tool_calls)


def plain_text(text: str) -> str:
    """Text that UTF-8, PostgreSQL and terminals take: no lone surrogates, no control characters but newlines and tabs."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(c for c in whole if c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160))


def _answer(spoken: str, declined: str, asked: Sequence[Asked], ending: str, usage: Usage | None) -> Answer:
    """The answer as plain data. One that declines asks for nothing; one that was cut off has asked for nothing yet."""
    if declined.strip():
        spoken, asked = spoken if spoken.strip() else declined, ()
    if len(spoken) + sum(len(str(arguments)) for _, arguments in asked) > ANSWER_CHARACTERS_MAX:
        raise _too_long()
    if len(asked) > CALLS_MAX:
        raise UnusableAnswerError(f"made more than {CALLS_MAX} tool calls in one answer")
    calls, invalid = _calls(asked, whole=ending != CUT_OFF)
    message = AIMessage(plain_text(spoken), tool_calls=calls, invalid_tool_calls=invalid)
    return Answer(message, ending, bool(declined.strip()), usage)


def _refusal(message: BaseMessage) -> str:
    """What the llm said in the field in which it declines; empty without."""
    said = message.additional_kwargs.get("refusal")
    return said if isinstance(said, str) else ""


def _said_usage(message: AIMessage) -> Usage | None:
    """What the vendor says this took; None where it says nothing, or nothing that makes sense."""
    said: dict[str, Any] = dict(message.usage_metadata or {})
    prompt, completion = said.get("input_tokens"), said.get("output_tokens")
    if type(prompt) is not int or type(completion) is not int:
        return None
    sensible = 0 <= prompt <= _TOKENS_MAX and 0 <= completion <= _TOKENS_MAX and prompt + completion > 0
    return Usage(prompt, completion) if sensible else None


def _too_long() -> UnusableAnswerError:
    return UnusableAnswerError(f"sent more than {ANSWER_CHARACTERS_MAX:,} characters in one answer")


def _calls(asked: Iterable[Asked], *, whole: bool) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Tool calls, and those that cannot be made. In half an answer even arguments that can be read may be half of them."""
    calls, invalid = [], []
    for said, given in asked:
        name, call_id = plain_text(said)[:_NAME_CHARACTERS_MAX], uuid4().hex[:9]
        try:
            arguments = _arguments(given)
            if name != said:
                raise _ArgumentsError("no tool has a name with such characters")  # noqa: TRY301  one place keeps them
            if not whole:
                raise _ArgumentsError("the answer was cut off at its limit of tokens; ask again, for less")  # noqa: TRY301  one place keeps them
            calls.append(ToolCall(name=name, args=arguments, id=call_id, type="tool_call"))
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
        read = json.loads(text or "{}", object_pairs_hook=_each_once)
    except _ArgumentsError:
        raise
    except (ValueError, RecursionError) as wrong:
        raise _ArgumentsError(f"the arguments are not valid JSON: {wrong}") from wrong
    if not isinstance(read, dict):
        raise _ArgumentsError("the arguments are not a JSON object")
    arguments: dict[str, Any] = _plain(read, 0)
    return arguments


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a JSON document. Raises _ArgumentsError where a name stands twice: which value is meant?"""
    read = dict(pairs)
    if len(read) < len(pairs):
        raise _ArgumentsError("the arguments give a value twice under the same name")
    return read


def _plain(value: Any, level: int) -> Any:
    """A value of a JSON document. Raises _ArgumentsError for what no checkpoint could hold."""
    if level > _LEVELS_MAX:
        raise _ArgumentsError(f"the arguments are nested more than {_LEVELS_MAX} levels deep")
    if isinstance(value, str):
        if plain_text(value) != value:
            raise _ArgumentsError("the arguments hold characters that cannot be shown")
        return value
    if isinstance(value, dict):
        return {_plain(name, level): _plain(inner, level + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, level + 1) for inner in value]
    if isinstance(value, int | float) and not abs(value) <= _INTEGER_MAX:  # neither does NaN
        raise _ArgumentsError("the arguments hold a number that is out of range")
    return value
