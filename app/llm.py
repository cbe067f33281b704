"""The language model: a vendor behind an OpenAI-compatible address, or the baseline. The one module that knows a vendor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from typing import Any

import openai
from langchain_core.exceptions import LangChainException
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from structlog import get_logger

from app.llm_answers import StreamedAnswer, UnusableAnswerError, is_empty, plain_answer, plain_text
from app.settings import Settings
from graphs.baseline import BaselineChatModel
from graphs.world import Reply

BASELINE_NOTICE = "No language model is connected; the built-in baseline answers."
_log = get_logger(__name__)

Connect = Callable[[], AbstractAsyncContextManager[BaseChatModel]]
Bound = Runnable[LanguageModelInput, AIMessage]

_LATE = "took too long"
_UNREADABLE = (LangChainException, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the client libraries raise over an answer that is not what it should be."""


class LlmDownError(Exception):
    """The vendor did not answer in a way that can be used. The words go on from "The language model"."""


class Llm:
    """What answers the conversations of one service."""

    def __init__(self, settings: Settings, vendor: BaseChatModel | None = None) -> None:
        self._settings = settings
        self._baseline = BaselineChatModel()
        self._connect: Connect | None = None
        if vendor is not None:
            self._connect = lambda: nullcontext(vendor)
        elif settings.has_llm:
            self._connect = lambda: _connected(settings)

    @property
    def name(self) -> str:
        """What answers: the vendor's model name, or `baseline`."""
        return self._settings.openai_model if self._connect is not None else "baseline"

    def for_run(self, on_token: Callable[[str], None]) -> RunLlm:
        """The language model for one run; it remembers whether the vendor failed in it."""
        return RunLlm(self._connect, self._baseline, self._settings.run_seconds_max, on_token)


class RunLlm:
    """Answers within one run. Once the vendor has failed, the baseline answers for the rest of the run."""

    def __init__(
        self,
        connect: Connect | None,
        baseline: BaselineChatModel,
        seconds_max: float,
        on_token: Callable[[str], None],
    ) -> None:
        self._connect = connect
        self._baseline = baseline
        self._deadline = time.monotonic() + seconds_max
        self._on_token = on_token
        self._notice: str | None = None if connect is not None else BASELINE_NOTICE

    def reply(self, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]]) -> Reply:
        """The next message, and a notice when it is not the vendor's."""
        if self._connect is not None and self._notice is None:
            try:
                return Reply(self._ask(self._connect, messages, schemas))
            except LlmDownError as down:
                _log.warning("llm_down", reason=str(down), cause=type(down.__cause__).__name__)
                self._notice = f"The language model {down}; the built-in baseline answers."
        answer = self._baseline.invoke(list(messages))
        return Reply(answer.model_copy(update={"content": plain_text(answer.text)}), self._notice)

    def _ask(self, connect: Connect, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]]) -> AIMessage:
        """The vendor's answer. Raises LlmDownError."""
        seconds_left = self._deadline - time.monotonic()
        if seconds_left <= 0:
            raise LlmDownError(_LATE)
        try:
            return asyncio.run(self._answer(connect, messages, schemas, seconds_left))
        except TimeoutError as late:
            raise LlmDownError(_LATE) from late
        except openai.OpenAIError as failed:
            raise LlmDownError(_reason(failed)) from failed
        except UnusableAnswerError as unusable:
            raise LlmDownError(str(unusable)) from unusable
        except _UNREADABLE as unreadable:
            raise LlmDownError("sent an answer that cannot be read") from unreadable

    async def _answer(
        self, connect: Connect, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]], seconds: float
    ) -> AIMessage:
        """Stream the answer; what does not come as a whole stream is asked for again as a whole.

        Asynchronous, because that is what lets a deadline cut off a vendor that trickles,
        and the client's own waits between its attempts.
        """
        async with asyncio.timeout(seconds), connect() as vendor:
            bound = vendor.bind_tools(list(schemas))
            answer = await self._streamed(bound, list(messages))
            if answer is None or is_empty(answer):
                answer = plain_answer(await bound.ainvoke(list(messages)))
        if is_empty(answer):
            raise LlmDownError("gave an empty answer")
        return answer

    async def _streamed(self, bound: Bound, messages: list[BaseMessage]) -> AIMessage | None:
        """The streamed answer; None for one that is no stream, or breaks off before it says why it ends."""
        streamed, begun = StreamedAnswer(), False
        try:
            async with aclosing(bound.astream(messages)) as pieces:  # type: ignore[type-var]  # it is a generator
                async for piece in pieces:
                    if not isinstance(piece, AIMessageChunk):
                        return plain_answer(piece)  # from a chat model that does not stream
                    if time.monotonic() > self._deadline:
                        raise TimeoutError
                    begun = True
                    token = streamed.add(piece)
                    if token:
                        self._on_token(token)
        except openai.APITimeoutError:
            raise
        except openai.APIConnectionError:
            if not begun:
                raise
        except ValueError as no_stream:
            _log.info("llm_stream_unreadable", reason=type(no_stream).__name__)
        return streamed.answer() if streamed.ended else None


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[BaseChatModel]:
    """The configured vendor, on connections of its own: those of another event loop cannot be used again."""
    async with openai.DefaultAsyncHttpxClient() as client:
        yield ChatOpenAI(
            model=settings.openai_model,
            api_key=settings.openai_api_key or "none",
            base_url=settings.openai_base_url,
            timeout=settings.llm_timeout_seconds,
            stream_chunk_timeout=None,  # built on asyncio.wait_for, which may swallow the deadline's cancellation on 3.11
            max_retries=settings.llm_retries_max,
            max_tokens=settings.reply_tokens_max,
            temperature=0,
            use_responses_api=False,
            http_async_client=client,
        )


_REASONS: tuple[tuple[type[openai.OpenAIError], str], ...] = (
    (openai.APITimeoutError, "cannot be reached (no answer in time)"),
    (openai.AuthenticationError, "refused the API key (HTTP status 401; check OPENAI_API_KEY)"),
    (openai.PermissionDeniedError, "refused the API key (HTTP status 403; check OPENAI_API_KEY)"),
    (openai.NotFoundError, "is not known there (HTTP status 404; check OPENAI_BASE_URL and OPENAI_MODEL)"),
    (openai.RateLimitError, "is over its rate limit or quota (HTTP status 429)"),
    (openai.APIConnectionError, "cannot be reached (no connection)"),
)
"""The first kind of failure that fits, in words that go on from "The language model"."""


def _reason(failed: openai.OpenAIError) -> str:
    """Why the vendor failed, without its own words: they are data from outside, and may repeat the key."""
    if known := next((words for kind, words in _REASONS if isinstance(failed, kind)), None):
        return known
    if isinstance(failed, openai.APIStatusError):
        return f"cannot be reached (HTTP status {failed.status_code})"
    return "reported an error"
