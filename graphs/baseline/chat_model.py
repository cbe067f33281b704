"""The baseline behind LangChain's chat-model interface: the same messages in, the same message out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from graphs.baseline.answers import answer, is_sound_plan
from graphs.baseline.language import understand
from graphs.baseline.memory import UNDO, Correction, corrections, refusal, remember, renamed
from graphs.baseline.restated import in_words
from graphs.baseline.sentences import listed
from graphs.baseline.understood import Ask, Call, help_words
from graphs.names import SURELY
from tools.canonical import digest

CORRECTIONS_MAX = 5
"""So many names of one request are corrected; a request with more slips than that is asked about."""
_BACK = "Back to the plan request before, made again with the facts of now; nothing had been moved."


class BaselineChatModel(BaseChatModel):
    """Reads the last human message, asks for one tool, and puts what the tool found into words.

    Deterministic: no clock, no randomness, no network. It streams as one piece.
    """

    @property
    def _llm_type(self) -> str:
        return "evenkeel-baseline"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Itself: it knows the catalogue already."""
        del tools, kwargs
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        return ChatResult(generations=[ChatGeneration(message=reply(messages))])


def reply(messages: Sequence[BaseMessage]) -> AIMessage:
    """What the baseline says next in a conversation: one tool call, an answer, or a question.

    The message's id is made from the conversation, so that a step that runs again
    after a crash replaces its message instead of adding a second one.
    """
    said = _words_or_call(messages)
    message = AIMessage(said) if isinstance(said, str) else AIMessage("", tool_calls=[said])
    return message.model_copy(update={"id": f"baseline-{_digest(messages)}"})


def _words_or_call(messages: Sequence[BaseMessage]) -> str | ToolCall:
    turn = max((at for at, message in enumerate(messages) if isinstance(message, HumanMessage)), default=None)
    if turn is None:
        return help_words()
    text = str(messages[turn].text)
    understood = understand(text, remember(messages[:turn]))
    if turn == len(messages) - 1:
        return understood.words if isinstance(understood, Ask) else _tool_call(understood, messages)
    results = _unanswered(messages)
    if not results:
        return help_words()
    read = corrections(messages[turn:])
    meant = _in_right_names(understood, read)
    if meant is not None and meant != understood and _waits_for_a_name(results, read):
        return _tool_call(meant, messages)
    submits = isinstance(understood, Call) and understood.then_submit and not read
    if submits and _is_its_sound_plan(results[-1], understood, messages):
        return _tool_call(Call("submit_plan"), messages)
    return " ".join(_said(text, understood, results, read, messages))


def _said(
    text: str,
    understood: Call | Ask,
    results: Sequence[ToolMessage],
    read: Sequence[Correction],
    messages: Sequence[BaseMessage],
) -> Iterator[str]:
    """The results in words, after what a planner should know about how the request was read."""
    last = results[-1]
    if last.status != "error":
        yield from (f"I read {written!r} as {listed(names)}." for _, written, names in read)
        if UNDO.fullmatch(text.strip()) and last.name == "propose_plan":
            yield _BACK
        if isinstance(understood, Call) and understand(text) != understood:
            yield in_words(understood)
    for result in results:
        yield answer(result.name or "", str(result.text), _arguments(result.tool_call_id, messages))
    if isinstance(understood, Call) and understood.then_submit and last.name == "propose_plan":
        yield "Nothing was submitted."


def _in_right_names(understood: Call | Ask, read: Sequence[Correction]) -> Call | None:
    """The request with the names that are surely meant; None when what was refused is not this request, or too often."""
    if isinstance(understood, Ask) or len(read) > CORRECTIONS_MAX:
        return None
    meant = understood
    for refused, written, names in read:
        if (refused.tool, refused.arguments) != (meant.tool, meant.arguments):
            return None
        meant = renamed(meant, written, names)
    return meant


def _waits_for_a_name(results: Sequence[ToolMessage], read: Sequence[Correction]) -> bool:
    """Whether the last thing that happened is a refusal for a name of which it is sure what it stands for."""
    return len(results) == 1 and bool(read) and SURELY in (refusal(results[0]) or "")


def _unanswered(messages: Sequence[BaseMessage]) -> list[ToolMessage]:
    """The results that nobody has put into words yet: those at the end of the conversation."""
    results: list[ToolMessage] = []
    for message in reversed(messages):
        if not isinstance(message, ToolMessage):
            break
        results.insert(0, message)
    return results


def _is_its_sound_plan(result: ToolMessage, wanted: Call | Ask, messages: Sequence[BaseMessage]) -> bool:
    """Whether a result is a sound plan for exactly the request that was to be submitted, whoever asked for it."""
    asked = _arguments(result.tool_call_id, messages)
    is_asked_for = isinstance(wanted, Call) and asked == wanted.arguments
    return is_asked_for and result.name == "propose_plan" and is_sound_plan(str(result.text))


def _arguments(call_id: str, messages: Sequence[BaseMessage]) -> dict[str, Any]:
    """The arguments of a tool call; empty for a call that nobody made."""
    calls = (call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls)
    return next((call["args"] for call in calls if call["id"] == call_id), {})


def _tool_call(wanted: Call, messages: Sequence[BaseMessage]) -> ToolCall:
    """The call, with the first free number of the conversation in its id."""
    taken = {call["id"] for message in messages if isinstance(message, AIMessage) for call in message.tool_calls}
    call_id = next(name for name in (f"call_{number}" for number in count(1)) if name not in taken)
    return ToolCall(name=wanted.tool, args=wanted.arguments, id=call_id, type="tool_call")


def _digest(messages: Sequence[BaseMessage]) -> str:
    """A digest of what was said, without the instructions that come before it anew each time."""
    document = [
        {
            "type": message.type,
            "text": _text(str(message.text)),
            "calls": [[call["id"], call["name"]] for call in getattr(message, "tool_calls", [])],
        }
        for message in messages
        if not isinstance(message, SystemMessage)
    ]
    return digest(document)[:24]


def _text(text: str) -> str:
    """Text without lone surrogates, which have no bytes."""
    return text.encode("utf-8", "replace").decode("utf-8")
