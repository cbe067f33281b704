"""The vendor of the language model, behind an OpenAI-compatible address. The one module that knows it."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any

import httpx2
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
from app.llm_usage import LimitReachedError
from app.settings import Settings

TEMPERATURE = 0.0
LATE = "took too long"
_CHARACTERS_PER_TOKEN = 4
_UNREADABLE = (LangChainException, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the client libraries raise over an answer that is not what it should be."""
_log = get_logger(__name__)

Connect = Callable[[float, Callable[[], None]], AbstractAsyncContextManager[BaseChatModel]]
"""Opens a connection for requests that end before an instant of the monotonic clock.

The second argument is called before a request is sent again of which nobody knows
whether the vendor has worked on it.
"""
Bound = Runnable[LanguageModelInput, AIMessage]


class Proof(Enum):
    """What an asking has shown of the vendor: it answers, it does not, or neither."""

    UP = "up"
    DOWN = "down"
    NOTHING = "nothing"


class LlmDownError(Exception):
    """The vendor did not answer in a way that can be used. The words go on from "The language model".

    `proof` is what that says of the vendor; `wait_seconds` is how long it asked to be left alone.
    """

    def __init__(self, words: str, proof: Proof = Proof.DOWN, *, wait_seconds: float | None = None) -> None:
        super().__init__(words)
        self.proof = proof
        self.wait_seconds = wait_seconds


class _NotPaidError(openai.OpenAIError):
    """A further request would go over a limit. Of a kind that the client neither takes for a failed connection nor repeats."""

    def __init__(self, reached: LimitReachedError) -> None:
        super().__init__(str(reached))
        self.reached = reached


class Asking:
    """One question to the vendor. `used` is what it has taken so far, however it ends.

    `patience_seconds` is how long a vendor may be silent; one that our own deadline cuts
    off before that has not failed.
    """

    def __init__(
        self, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]], patience_seconds: float
    ) -> None:
        self._messages = list(messages)
        self._schemas = list(schemas)
        self._patience_seconds = patience_seconds
        self._heard_at = 0.0
        self.prompt_tokens = count_tokens_approximately(self._messages, tools=list(self._schemas) or None)
        """An estimate, for before it is asked and for a vendor that does not say."""
        self.used = Usage(0, 0)

    def answer(
        self, connect: Connect, deadline: float, on_token: Callable[[str], None], pay_again: Callable[[], None]
    ) -> Answer:
        """The vendor's answer, by an instant of the monotonic clock.

        `pay_again` puts a further request on account before it is made. Raises LlmDownError,
        and LimitReachedError where that is refused.
        """

        def pay() -> None:
            try:
                pay_again()
            except LimitReachedError as reached:
                raise _NotPaidError(reached) from reached

        self._heard_at = time.monotonic()
        try:
            return asyncio.run(self._answer(connect, deadline, on_token, pay))
        except TimeoutError as late:
            had_its_time = time.monotonic() - self._heard_at >= self._patience_seconds
            raise LlmDownError(LATE, Proof.DOWN if had_its_time else Proof.NOTHING) from late
        except _NotPaidError as unpaid:
            raise unpaid.reached from unpaid
        except openai.OpenAIError as failed:
            raise _down(failed) from failed
        except UnusableAnswerError as unusable:
            raise LlmDownError(str(unusable), Proof.NOTHING) from unusable
        except _UNREADABLE as unreadable:
            raise LlmDownError("sent an answer that cannot be read") from unreadable

    async def _answer(
        self, connect: Connect, deadline: float, on_token: Callable[[str], None], pay: Callable[[], None]
    ) -> Answer:
        """Stream the answer; what does not come as a whole stream is asked for again as a whole.

        Asynchronous, because that is what lets a deadline cut off a vendor that trickles,
        and the client's own waits between its attempts.
        """

        def pay_for_another() -> None:
            self._take(None, 0)
            pay()

        async with asyncio.timeout(deadline - time.monotonic()), connect(deadline, pay_for_another) as vendor:
            bound: Bound = vendor.bind_tools(self._schemas) if self._schemas else vendor
            answer = await self._streamed(bound, deadline, on_token)
            if answer is None or (is_empty(answer.message) and answer.ending not in (CUT_OFF, FILTERED)):
                pay()
                answer = await self._whole(bound)
        if answer.ending == FILTERED:
            raise LlmDownError("was stopped by the vendor's content filter", Proof.NOTHING)
        if is_empty(answer.message) and answer.ending == CUT_OFF:  # it has worked as it was told to
            raise LlmDownError("used up the tokens of a reply before it said anything", Proof.UP)
        if is_empty(answer.message):
            raise LlmDownError("gave an empty answer")
        return answer

    async def _streamed(self, bound: Bound, deadline: float, on_token: Callable[[str], None]) -> Answer | None:
        """The streamed answer; None for one that is no stream, or breaks off before it says why it ends."""
        streamed, is_billed = StreamedAnswer(), True
        try:
            return await self._listen(bound, streamed, deadline, on_token)
        except (openai.APITimeoutError, openai.APIStatusError, _NotPaidError) as failed:
            is_billed = _may_be_billed(failed)
            raise
        except openai.APIConnectionError as failed:
            is_billed = streamed.begun or _may_be_billed(failed)
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
                characters, token = streamed.characters, streamed.add(piece)
                if streamed.characters > characters:
                    self._heard_at = time.monotonic()
                if token:
                    on_token(token)
        return streamed.answer() if streamed.ended else None

    async def _whole(self, bound: Bound) -> Answer:
        try:
            answer = whole_answer(await bound.ainvoke(self._messages))
        except BaseException as failed:
            if _may_be_billed(failed):
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


_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def _may_be_billed(failed: BaseException) -> bool:
    """Whether the vendor may have worked on a request that ended so: not one that it refused, or that never reached it."""
    raised = failed.__cause__  # by the client; what failed is LangChain's own error around it, or the same
    reasons = (failed, raised, None if raised is None else raised.__cause__)
    return not any(isinstance(why, (openai.APIStatusError, _NotPaidError, *_NEVER_SENT)) for why in reasons)


@cache
def _authorities() -> ssl.SSLContext:
    """Whom the machine trusts, read once: a client is made for every answer, and reading them takes as long as the rest."""
    return httpx2.create_ssl_context()


class _Client(openai.DefaultAsyncHttpxClient):
    """Sends requests, and has one paid for again that is sent once more after it got lost."""

    def __init__(self, deadline: float, pay_for_another: Callable[[], None]) -> None:
        super().__init__(event_hooks={"response": [self._refuse_long_waits]}, verify=_authorities())
        self._deadline = deadline
        self._pay_for_another = pay_for_another
        self._is_lost = False

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request; only the library calls this, also for its attempts after the first."""
        if self._is_lost:
            self._is_lost = False
            self._pay_for_another()
        try:
            return await super().send(request, **options)
        except httpx2.TransportError as failed:
            self._is_lost = not isinstance(failed, _NEVER_SENT)
            raise

    async def _refuse_long_waits(self, response: httpx2.Response) -> None:
        wait_seconds = retry_after_seconds(response.headers)
        if wait_seconds is not None and time.monotonic() + wait_seconds >= self._deadline:
            response.headers["x-should-retry"] = "false"


@asynccontextmanager
async def connected(
    settings: Settings, deadline: float, pay_for_another: Callable[[], None]
) -> AsyncIterator[BaseChatModel]:
    """The configured vendor, on connections of its own: those of another event loop cannot be used again.

    The client itself tries again, with growing and scattered waits, or as `Retry-After`
    tells it to; what would not be over by the deadline is not waited for.
    """
    async with _Client(deadline, pay_for_another) as client:
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
"""Statuses that blame this request: the next one may be answered, or fail; a gate before the llm gives them too."""


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
    return LlmDownError(words, Proof.NOTHING if status in _OF_THE_REQUEST else Proof.DOWN, wait_seconds=wait_seconds)


def _reason(failed: openai.OpenAIError) -> str | None:
    return next((words for kind, words in _REASONS if isinstance(failed, kind)), None)
