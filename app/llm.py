"""What answers the conversations: a vendor's language model while it can, within its limits, and the baseline otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from redis import Redis
from structlog import get_logger

from app.db.database import Database
from app.llm_answers import CUT_OFF, Answer, Usage, plain_text
from app.llm_breaker import Admitted, Breaker, BreakerRules, LeftAlone
from app.llm_usage import LimitReachedError, RunAccount, tariff
from app.llm_vendor import LATE, TEMPERATURE, Asking, Connect, LlmDownError, Proof, connected
from app.settings import Settings
from graphs.baseline import BaselineChatModel
from graphs.world import BASELINE, Opinion, Reply

BASELINE_NOTICE = "No language model is connected; the built-in baseline answers."
_NEXT_MESSAGE = "It is asked again with your next message."
_log = get_logger(__name__)


class Llm:
    """What answers the conversations of one service."""

    def __init__(
        self, settings: Settings, database: Database, redis: Redis, vendor: BaseChatModel | None = None
    ) -> None:
        self._settings = settings
        self._database = database
        self._baseline = BaselineChatModel()
        self._connect: Connect | None = None
        if vendor is not None:
            self._connect = lambda _deadline, _pay: nullcontext(vendor)
        elif settings.has_llm:
            self._connect = partial(connected, settings)
        rules = BreakerRules(
            settings.llm_breaker_failures_max, settings.llm_breaker_window_seconds, settings.llm_breaker_pause_seconds
        )
        installation = database.engine.url.render_as_string()  # it hides the password
        self._breaker = Breaker(redis, rules, installation, settings.openai_base_url or "", settings.openai_model)

    @property
    def name(self) -> str:
        """What answers: the vendor's model name, or `baseline`."""
        return self._settings.openai_model if self._connect is not None else BASELINE

    @property
    def left_alone(self) -> LeftAlone | None:
        """Whether the vendor is left alone for now, for how long and why."""
        return self._breaker.look()

    def for_run(self, run_id: UUID, user_id: str, on_token: Callable[[str], None]) -> RunLlm:
        """The language model for one run, on the account of one person; it remembers whether the vendor failed in it."""
        line = None
        if self._connect is not None:
            account = RunAccount(self._database, run_id, user_id, self.name, tariff(self._settings))
            line = Line(
                self.name, self._connect, self._breaker, account, self._settings.reply_tokens_max,
                self._settings.llm_timeout_seconds,
            )  # fmt: skip
        return RunLlm(line, self._baseline, self._settings.run_seconds_max, on_token)


@dataclass(frozen=True, slots=True)
class Line:
    """The way to the vendor in one run: how to connect, when not to, on whose account, and how long it may be silent."""

    name: str
    connect: Connect
    breaker: Breaker
    account: RunAccount
    reply_tokens_max: int
    patience_seconds: float


class NotAnsweredError(Exception):
    """The vendor was not asked, or failed. The words go on from "The language model"; `again` says when it is asked next."""

    def __init__(self, words: str, again: str, *, asked: bool) -> None:
        super().__init__(words)
        self.again = again
        self.asked = asked


class RunLlm:
    """Answers within one run. Once the vendor has failed, the baseline answers for the rest of the run."""

    def __init__(
        self,
        line: Line | None,
        baseline: BaselineChatModel,
        seconds_max: float,
        on_token: Callable[[str], None],
    ) -> None:
        self._line = line
        self._baseline = baseline
        self._deadline = time.monotonic() + seconds_max
        self._on_token = on_token
        self._notice: str | None = None if line is not None else BASELINE_NOTICE

    def reply(self, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]]) -> Reply:
        """The next message, and a notice when it is not the vendor's, or not all that it could have been."""
        if self._line is not None and self._notice is None:
            try:
                answer = _asked(self._line, messages, schemas, self._deadline, self._on_token)
            except NotAnsweredError as down:
                self._notice = f"The language model {down}; the built-in baseline answers. {down.again}"
            else:
                notice = _notice(answer, self._line.reply_tokens_max)
                return Reply(answer.message, notice, llm=self._line.name, temperature=TEMPERATURE)
        answered = self._baseline.invoke(list(messages))
        return Reply(answered.model_copy(update={"content": plain_text(answered.text)}), self._notice)

    def consult(self, messages: Sequence[BaseMessage], schema: dict[str, Any], seconds_max: float) -> Opinion:
        """One answer of the vendor's to a question beside the conversation.

        No baseline stands in, whoever watches hears nothing of it, and a failure does not
        turn the rest of the run over to the baseline.
        """
        if self._line is None or self._notice is not None:
            return Opinion(None)
        deadline = min(self._deadline, time.monotonic() + seconds_max)
        try:
            answer = _asked(self._line, messages, [schema], deadline, lambda _token: None)
        except NotAnsweredError as down:
            return Opinion(None, self._line.name, str(down)) if down.asked else Opinion(None)
        return Opinion(answer.message, self._line.name)


def _asked(
    line: Line, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]], deadline: float,
    on_token: Callable[[str], None],
) -> Answer:  # fmt: skip
    """The vendor's answer, on account. Raises NotAnsweredError."""
    if time.monotonic() >= deadline:
        raise NotAnsweredError(LATE, _NEXT_MESSAGE, asked=False)
    asking = Asking(messages, schemas, line.patience_seconds)
    most = Usage(asking.prompt_tokens, line.reply_tokens_max, is_estimate=True)
    try:
        call_id = line.account.reserve(most)
    except LimitReachedError as reached:
        raise NotAnsweredError(str(reached), reached.again, asked=False) from reached
    admission = line.breaker.admit()
    if isinstance(admission, LeftAlone):
        line.account.release(call_id)
        raise NotAnsweredError(f"is left alone for now: it {admission.why}", _again(admission), asked=False)
    try:
        answer = asking.answer(
            line.connect, deadline, on_token, lambda: line.account.reserve_again(call_id, asking.used, most)
        )
    except LlmDownError as down:
        _log.warning("llm_down", reason=str(down), cause=type(down.__cause__).__name__)
        raise NotAnsweredError(str(down), _again(_noted(line.breaker, admission, down)), asked=True) from down
    except LimitReachedError as reached:
        line.breaker.showed_nothing(admission)
        raise NotAnsweredError(str(reached), reached.again, asked=True) from reached
    except BaseException:  # the run is cancelled in between
        line.breaker.showed_nothing(admission)
        raise
    finally:
        line.account.settle(call_id, asking.used)
    line.breaker.succeeded()
    return answer


def _noted(breaker: Breaker, admission: Admitted, down: LlmDownError) -> LeftAlone | None:
    """Tell the breaker what an asking without an answer has shown; for how long the vendor is left alone, if it is."""
    if down.proof is Proof.DOWN:
        return breaker.failed(str(down), down.wait_seconds)
    if down.proof is Proof.UP:
        breaker.succeeded()
    else:
        breaker.showed_nothing(admission)
    return None


def _again(alone: LeftAlone | None) -> str:
    """When the vendor is asked again, for people."""
    if alone is None:
        return _NEXT_MESSAGE
    seconds = max(1, round(alone.seconds))
    return f"It is tried again in about {seconds} second{'s' if seconds > 1 else ''}."


def _notice(answer: Answer, reply_tokens_max: int) -> str | None:
    """What a person should know about an answer of the vendor's."""
    if answer.declined:
        return "The language model declined this request."
    if answer.ending == CUT_OFF:
        return f"The language model's answer was cut off at its limit of {reply_tokens_max:,} tokens."
    return None
