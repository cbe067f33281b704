"""The vendor of the language model, behind an OpenAI-compatible address. The one module that knows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

import openai
from langchain_core.exceptions import LangChainException
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from structlog import get_logger

from app.llm_answers import (
    CUT_OFF,
    FILTERED,
    Answer,
    StreamedAnswer,
    UnusableAnswerError,
    Usage,
    is_empty,
    whole_answer,
)
from app.settings import Settings

TEMPERATURE = 0.0
LATE = "took too long"
_CHARACTERS_PER_TOKEN = 4
_UNREADABLE = (LangChainException, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the client libraries raise over an answer that is not what it should be."""
_log = get_logger(__name__)

Connect = Callable[[float], AbstractAsyncContextManager[BaseChatModel]]
"""Opens a connection for requests that end before an instant of the monotonic clock."""
Bound = Runnable[LanguageModelInput, AIMessage]


class LlmDownError(Exception):
    """The vendor did not answer in a way that can be used. The words go on from "The language model".

    `counts` is False where another request might well be answered; `wait_seconds` is
    how long the vendor asked to be left alone.
    """

    def __init__(self, words: str, *, counts: bool = True, wait_seconds: float | None = None) -> None:
        super().__init__(words)
        self.counts = counts
        self.wait_seconds = wait_seconds


class Asking:
    """One question to the vendor. `used` is what it has taken so far, however it ends."""

    def __init__(self, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]]) -> None:
        self._messages = list(messages)
        self._schemas = list(schemas)
        self.prompt_tokens = count_tokens_approximately(self._messages, tools=list(self._schemas) or None)
        """An estimate, for before it is asked and for a vendor that does not say."""
        self.used = Usage(0, 0)

    def answer(self, connect: Connect, deadline: float, on_token: Callable[[str], None]) -> Answer:
        """The vendor's answer, by an instant of the monotonic clock. Raises LlmDownError."""
        try:
            return asyncio.run(self._answer(connect, deadline, on_token))
        except TimeoutError as late:
            raise LlmDownError(LATE) from late
        except openai.OpenAIError as failed:
            raise _down(failed) from failed
        except UnusableAnswerError as unusable:
            raise LlmDownError(str(unusable), counts=False) from unusable
        except _UNREADABLE as unreadable:
            raise LlmDownError("sent an answer that cannot be read") from unreadable

    async def _answer(self, connect: Connect, deadline: float, on_token: Callable[[str], None]) -> Answer:
        """Stream the answer; what does not come as a whole stream is asked for again as a whole.

        Asynchronous, because that is what lets a deadline cut off a vendor that trickles,
        and the client's own waits between its attempts.
        """
        async with asyncio.timeout(deadline - time.monotonic()), connect(deadline) as vendor:
            bound: Bound = vendor.bind_tools(self._schemas) if self._schemas else vendor
            answer = await self._streamed(bound, deadline, on_token)
            if answer is None or (is_empty(answer.message) and answer.ending not in (CUT_OFF, FILTERED)):
                answer = await self._whole(bound)
        if answer.ending == FILTERED:
            raise LlmDownError("was stopped by the vendor's content filter", counts=False)
        if is_empty(answer.message) and answer.ending == CUT_OFF:
            raise LlmDownError("used up the tokens of a reply before it said anything", counts=False)
        if is_empty(answer.message):
            raise LlmDownError("gave an empty answer")
        return answer

    async def _streamed(self, bound: Bound, deadline: float, on_token: Callable[[str], None]) -> Answer | None:
        """The streamed answer; None for one that is no stream, or breaks off before it says why it ends."""
        streamed, is_billed = StreamedAnswer(), True
        try:
            return await self._listen(bound, streamed, deadline, on_token)
        except openai.APITimeoutError:
            raise
        except openai.APIStatusError:
            is_billed = False
            raise
        except openai.APIConnectionError:
            is_billed = streamed.begun
            if not streamed.begun:
                raise
        except (openai.APIError, ValueError) as no_stream:
            _log.info("llm_stream_unreadable", reason=type(no_stream).__name__)
        finally:
            if is_billed:
                self._take(streamed.usage, streamed.characters)
        return streamed.answer() if streamed.ended else None

    async def _listen(
        self, bound: Bound, streamed: StreamedAnswer, deadline: float, on_token: Callable[[str], None]
    ) -> Answer | None:
        async with aclosing(bound.astream(self._messages)) as pieces:  # type: ignore[type-var]  # it is a generator
            async for piece in pieces:
                if not isinstance(piece, AIMessageChunk):  # from a chat model that does not stream
                    answer = whole_answer(piece)
                    streamed.usage, streamed.characters = answer.usage, len(piece.text)
                    return answer
                if time.monotonic() > deadline:
                    raise TimeoutError
                token = streamed.add(piece)
                if token:
                    on_token(token)
        return streamed.answer() if streamed.ended else None

    async def _whole(self, bound: Bound) -> Answer:
        try:
            answer = whole_answer(await bound.ainvoke(self._messages))
        except openai.APITimeoutError:
            self._take(None, 0)
            raise
        self._take(answer.usage, len(str(answer.message.content)) + len(str(answer.message.tool_calls)))
        return answer

    def _take(self, said: Usage | None, characters: int) -> None:
        """Add what a request took: what the vendor says, or an estimate by the length of what was sent and received."""
        estimate = Usage(self.prompt_tokens, -(-characters // _CHARACTERS_PER_TOKEN), is_estimate=True)
        self.used += said or estimate


class _Wire(ChatOpenAI):
    """The client as it reads a stream, with the refusal, which it leaves out."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        delta = _delta(chunk)
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if made is not None and isinstance(delta.get("refusal"), str):
            made.message.additional_kwargs["refusal"] = delta["refusal"]
        return made


def _delta(chunk: dict[str, Any]) -> dict[str, Any]:
    """What an event adds to the answer; empty where there is nothing of the kind."""
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    delta = first.get("delta") if isinstance(first, dict) else None
    return delta if isinstance(delta, dict) else {}


@asynccontextmanager
async def connected(settings: Settings, deadline: float) -> AsyncIterator[BaseChatModel]:
    """The configured vendor, on connections of its own: those of another event loop cannot be used again.

    The client itself tries again, with growing and scattered waits, or as `Retry-After`
    tells it to; what would not be over by the deadline is not waited for.
    """

    async def refuse_long_waits(response: Any) -> None:
        wait_seconds = retry_after_seconds(response.headers)
        if wait_seconds is not None and time.monotonic() + wait_seconds >= deadline:
            response.headers["x-should-retry"] = "false"

    async with openai.DefaultAsyncHttpxClient(event_hooks={"response": [refuse_long_waits]}) as client:
        yield _Wire(
            model=settings.openai_model,
            api_key=settings.openai_api_key or "none",
            base_url=settings.openai_base_url,
            timeout=settings.llm_timeout_seconds,
            stream_chunk_timeout=None,  # built on asyncio.wait_for, which may swallow the deadline's cancellation on 3.11
            stream_usage=settings.llm_stream_usage,
            max_retries=settings.llm_retries_max,
            max_tokens=settings.reply_tokens_max,
            temperature=TEMPERATURE,
            use_responses_api=False,
            http_async_client=client,
        )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """How long a vendor asks to be left alone: in milliseconds, in seconds, or until a date. None if it does not say."""
    for name, divisor in (("retry-after-ms", 1_000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / divisor
        except ValueError:
            continue
        return seconds if isfinite(seconds) and seconds > 0 else None
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    seconds = (until - datetime.now(UTC)).total_seconds()
    return seconds if seconds > 0 else None


_REASONS: tuple[tuple[type[openai.OpenAIError], str], ...] = (
    (openai.APITimeoutError, "cannot be reached (no answer in time)"),
    (openai.AuthenticationError, "refused the API key (HTTP status 401; check OPENAI_API_KEY)"),
    (openai.PermissionDeniedError, "refused the API key (HTTP status 403; check OPENAI_API_KEY)"),
    (openai.NotFoundError, "is not known there (HTTP status 404; check OPENAI_BASE_URL and OPENAI_MODEL)"),
    (openai.RateLimitError, "is over its rate limit or quota (HTTP status 429)"),
    (openai.APIConnectionError, "cannot be reached (no connection)"),
)
"""The first kind of failure that fits, in words that go on from "The language model"."""
_OF_THE_REQUEST = (400, 413, 422)
"""Statuses that blame this request: the next one may be answered."""


def _down(failed: openai.OpenAIError) -> LlmDownError:
    """Why the vendor failed, without its own words: they are data from outside, and may repeat the key."""
    if not isinstance(failed, openai.APIStatusError):
        return LlmDownError(_reason(failed) or "reported an error")
    status = failed.status_code
    filtered = status in _OF_THE_REQUEST and failed.code == FILTERED
    words = (
        f"was stopped by the vendor's content filter (HTTP status {status})"
        if filtered
        else _reason(failed) or f"cannot be reached (HTTP status {status})"
    )
    wait_seconds = retry_after_seconds(failed.response.headers)
    return LlmDownError(words, counts=status not in _OF_THE_REQUEST, wait_seconds=wait_seconds)


def _reason(failed: openai.OpenAIError) -> str | None:
    return next((words for kind, words in _REASONS if isinstance(failed, kind)), None)
