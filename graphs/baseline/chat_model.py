"""The baseline behind LangChain's chat-model interface: the same messages in, the same message out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from graphs.baseline.answers import answer, is_sound_plan
from graphs.baseline.language import understand
from graphs.baseline.understood import Ask, Call, help_words


class BaselineChatModel(BaseChatModel):
    """Reads the last human message, asks for one tool, and puts what the tool found into words.

    Deterministic: no clock, no randomness, no network. Tool call ids count the tool
    calls of the conversation.
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
    """What the baseline says next in a conversation."""
    turn = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=None)
    if turn is None:
        return AIMessage(help_words())
    results = [message for message in messages[turn + 1 :] if isinstance(message, ToolMessage)]
    understood = understand(str(messages[turn].content))
    if not results:
        return AIMessage(understood.words) if isinstance(understood, Ask) else _calling(understood, messages)
    last = results[-1]
    content = str(last.content)
    wants_submission = isinstance(understood, Call) and understood.then_submit and last.name == "propose_plan"
    if wants_submission and is_sound_plan(content):
        return _calling(Call("submit_plan"), messages)
    return AIMessage(answer(last.name or "", content))


def _calling(wanted: Call, messages: Sequence[BaseMessage]) -> AIMessage:
    number = 1 + sum(len(message.tool_calls) for message in messages if isinstance(message, AIMessage))
    made = {"name": wanted.tool, "args": wanted.arguments, "id": f"call_{number}", "type": "tool_call"}
    return AIMessage("", tool_calls=[made])
