"""The language model: a vendor behind an OpenAI-compatible address, or the baseline. The one module that knows a vendor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import openai
from langchain_core.exceptions import LangChainException
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_openai import ChatOpenAI
from structlog import get_logger

from app.settings import Settings
from graphs.baseline import BaselineChatModel
from graphs.world import Reply

BASELINE_NOTICE = "No language model is connected; the built-in baseline answers."
_log = get_logger(__name__)


class LlmDownError(Exception):
    """The vendor did not answer in a way that can be used."""


class Llm:
    """What answers the conversations of one service."""

    def __init__(self, settings: Settings, vendor: BaseChatModel | None = None) -> None:
        self._settings = settings
        self._baseline = BaselineChatModel()
        self._vendor = vendor if vendor is not None or not settings.has_llm else _vendor(settings)

    @property
    def name(self) -> str:
        """What answers: the vendor's model name, or `baseline`."""
        return self._settings.openai_model if self._vendor is not None else "baseline"

    def for_run(self, on_token: Callable[[str], None]) -> RunLlm:
        """The language model for one run; it remembers whether the vendor failed in it."""
        return RunLlm(self._vendor, self._baseline, self._settings.run_seconds_max, on_token)


class RunLlm:
    """Answers within one run. Once the vendor has failed, the baseline answers for the rest of the run."""

    def __init__(
        self,
        vendor: BaseChatModel | None,
        baseline: BaselineChatModel,
        seconds_max: int,
        on_token: Callable[[str], None],
    ) -> None:
        self._vendor = vendor
        self._baseline = baseline
        self._deadline = time.monotonic() + seconds_max
        self._on_token = on_token
        self._notice: str | None = None if vendor is not None else BASELINE_NOTICE

    def reply(self, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]]) -> Reply:
        """The next message, and a notice when it is not the vendor's."""
        if self._vendor is not None and self._notice is None:
            if time.monotonic() > self._deadline:
                self._notice = "The language model took too long; the built-in baseline answers."
            else:
                try:
                    return Reply(_clean(self._ask(self._vendor, messages, schemas)))
                except LlmDownError as down:
                    _log.warning("llm_down", reason=str(down))
                    self._notice = f"The language model cannot be reached ({down}); the built-in baseline answers."
        answer = self._baseline.invoke(list(messages))
        return Reply(_clean(_as_ai_message(answer)), self._notice)

    def _ask(
        self, vendor: BaseChatModel, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]]
    ) -> AIMessage:
        """Stream the answer; a server that does not stream is asked again for the whole. Raises LlmDownError."""
        bound = vendor.bind_tools(list(schemas))
        try:
            whole: AIMessageChunk | None = None
            try:
                for chunk in bound.stream(list(messages)):
                    if not isinstance(chunk, AIMessageChunk):
                        raise LlmDownError(f"it streamed a {type(chunk).__name__}")
                    if isinstance(chunk.content, str) and chunk.content:
                        self._on_token(chunk.content)
                    whole = chunk if whole is None else whole + chunk
            except ValueError:
                whole = None  # an answer without a single event: not a stream
            if whole is not None and (whole.content or whole.tool_call_chunks):
                return _as_ai_message(message_chunk_to_message(whole))
            return _as_ai_message(bound.invoke(list(messages)))
        except openai.OpenAIError as failed:
            raise LlmDownError(_reason(failed)) from failed
        except (LangChainException, ValueError, TypeError, KeyError, IndexError) as unusable:
            raise LlmDownError(f"its answer cannot be read: {type(unusable).__name__}") from unusable


def _vendor(settings: Settings) -> ChatOpenAI:
    return ChatOpenAI(
        model=settings.openai_model,
        api_key=settings.openai_api_key or "none",
        base_url=settings.openai_base_url,
        timeout=settings.llm_timeout_seconds,
        max_retries=settings.llm_retries_max,
        max_tokens=settings.reply_tokens_max,
        temperature=0,
        use_responses_api=False,
    )


def _reason(failed: openai.OpenAIError) -> str:
    """Why the vendor failed, without its own words: they are data from outside."""
    if isinstance(failed, openai.APITimeoutError):
        return "no answer in time"
    if isinstance(failed, openai.APIStatusError):
        return f"HTTP status {failed.status_code}"
    if isinstance(failed, openai.APIConnectionError):
        return "no connection"
    return type(failed).__name__


def _as_ai_message(message: BaseMessage) -> AIMessage:
    if not isinstance(message, AIMessage):
        raise LlmDownError(f"it answered with a {message.type} message")
    return message


def _clean(message: AIMessage) -> AIMessage:
    """The message as plain text and plain JSON arguments, without anything that storage or a terminal could trip over."""
    content = message.content
    if not isinstance(content, str):
        content = " ".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return AIMessage(
        content=_text(content),
        id=message.id,
        tool_calls=[
            {"name": _text(call["name"])[:100], "args": _plain(call["args"]), "id": call["id"], "type": "tool_call"}
            for call in message.tool_calls
        ],
        invalid_tool_calls=[
            {
                "name": _text(call.get("name") or "")[:100],
                "args": _text(call.get("args") or "")[:1000],
                "id": call.get("id"),
                "error": _text(call.get("error") or "")[:300],
                "type": "invalid_tool_call",
            }
            for call in message.invalid_tool_calls
        ],
    )


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _text(text: str) -> str:
    """Text that UTF-8, PostgreSQL and terminals take: no lone surrogates, no control characters but newlines and tabs."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in whole if c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160))
