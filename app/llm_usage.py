"""What the language model uses: tokens and money by run, person and day, and the limits that hold for them.

A call is put on account before it is made, at the most that it can take, and brought
down to what it took afterwards. So calls that run at the same time cannot go over a
limit together, and a process that dies in between leaves a bill and no gap. A call
that takes a further request is put on account again before that one is made; to hold
the most of all that it could ever take would keep people from half of their limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index, delete, func, or_, select, text, update
from sqlmodel import Field, Session, SQLModel, col

from app.db.columns import big_integer, instant
from app.db.database import Database, database_now
from app.llm_answers import Usage
from app.settings import Settings


class LlmUsage(SQLModel, table=True):
    """One call of the language model. Money is in millionths of a unit of the vendor's currency."""

    __tablename__ = "llm_usage"
    __table_args__ = (
        Index("llm_usage_user_day", "user_id", "day"),
        CheckConstraint("prompt_tokens >= 0 and completion_tokens >= 0 and cost_e6 >= 0", name="llm_usage_amounts"),
    )

    call_id: UUID = Field(primary_key=True)
    run_id: UUID = Field(index=True)
    user_id: str
    day: date = Field(index=True)
    llm: str
    asked_at: datetime = Field(sa_column=instant())
    prompt_tokens: int = Field(sa_column=big_integer())
    completion_tokens: int = Field(sa_column=big_integer())
    cost_e6: int = Field(sa_column=big_integer())
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class Prices:
    """Ten-thousandths of a currency unit for a million tokens."""

    prompt_e4: int
    completion_e4: int

    def cost_e6(self, usage: Usage) -> int:
        """What the tokens cost, in millionths of a currency unit, rounded up."""
        return -(-(usage.prompt_tokens * self.prompt_e4 + usage.completion_tokens * self.completion_e4) // 10_000)


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens, and what they cost in millionths of a currency unit."""

    tokens: int
    cost_e6: int

    def __add__(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(self.tokens + other.tokens, self.cost_e6 + other.cost_e6)


@dataclass(frozen=True, slots=True)
class Limit:
    """The most tokens and money, in ten-thousandths of a currency unit."""

    tokens_max: int
    money_e4_max: int

    def exceeded_by(self, spent: Spent, currency: str) -> str | None:
        """The limit that this is over, in words; None when it is within."""
        if spent.tokens > self.tokens_max:
            return f"{self.tokens_max:,} tokens"
        if spent.cost_e6 > self.money_e4_max * 100:
            return money_words(self.money_e4_max * 100, currency)
        return None


class LimitReachedError(Exception):
    """The next call could go over a limit. The words go on from "The language model"; `again` says when it may be asked."""

    def __init__(self, words: str, again: str) -> None:
        super().__init__(words)
        self.again = again


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices and limits of an installation."""

    prices: Prices
    run: Limit
    user_day: Limit
    currency: str


def tariff(settings: Settings) -> Tariff:
    """Prices and limits as they are set."""
    return Tariff(
        Prices(settings.llm_prompt_price_e4, settings.llm_completion_price_e4),
        Limit(settings.run_tokens_max, settings.run_money_e4_max),
        Limit(settings.user_day_tokens_max, settings.user_day_money_e4_max),
        settings.llm_currency,
    )


def money_words(cost_e6: int, currency: str) -> str:
    """An amount in millionths for people: two digits after the point, or as many as it takes."""
    units, millionths = divmod(cost_e6, 1_000_000)
    digits = f"{millionths:06d}".rstrip("0").ljust(2, "0")
    return f"{units:,}.{digits} {currency}"


class RunAccount:
    """The account of one run, in the name of one person."""

    def __init__(self, database: Database, run_id: UUID, user_id: str, llm: str, terms: Tariff) -> None:
        self._database = database
        self._run_id = run_id
        self._user_id = user_id
        self._llm = llm
        self._terms = terms

    def reserve(self, most: Usage) -> UUID:
        """Put a call on account at the most that it can take. Raises LimitReachedError, and then nothing is on account."""
        with self._alone() as session:
            now = database_now(session)
            cost_e6 = self._terms.prices.cost_e6(most)
            self._require_room(session, now.astimezone(UTC).date(), Spent(most.tokens, cost_e6))
            row = LlmUsage(
                call_id=uuid4(), run_id=self._run_id, user_id=self._user_id, day=now.astimezone(UTC).date(),
                llm=self._llm, asked_at=now, prompt_tokens=most.prompt_tokens,
                completion_tokens=most.completion_tokens, cost_e6=cost_e6, is_estimate=True,
            )  # fmt: skip
            session.add(row)
            return row.call_id

    def reserve_again(self, call_id: UUID, used: Usage, most: Usage) -> None:
        """Put a further request of a call on account, at the most that it can take, beside what the call has used so far.

        Raises LimitReachedError, and then the call stays on account as it was.
        """
        with self._alone() as session:
            day = session.get_one(LlmUsage, call_id).day
            self._set(session, call_id, used)
            self._require_room(session, day, Spent(most.tokens, self._terms.prices.cost_e6(most)))
            self._set(session, call_id, used + most)

    def settle(self, call_id: UUID, used: Usage) -> None:
        """Bring a call down (or up) to what it took."""
        with self._database.transaction() as session:
            self._set(session, call_id, used)

    def release(self, call_id: UUID) -> None:
        """Take a call off the account that was not made."""
        with self._database.transaction() as session:
            session.connection().execute(delete(LlmUsage).where(col(LlmUsage.call_id) == call_id))

    @contextmanager
    def _alone(self) -> Iterator[Session]:
        """A transaction, one at a time per person: what others have put on account has to be seen."""
        with self._database.transaction() as session:
            lock = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")
            session.connection().execute(lock, {"key": f"llm_usage/{self._user_id}"})
            yield session

    def _set(self, session: Session, call_id: UUID, used: Usage) -> None:
        session.connection().execute(
            update(LlmUsage)
            .where(col(LlmUsage.call_id) == call_id)
            .values(
                prompt_tokens=used.prompt_tokens,
                completion_tokens=used.completion_tokens,
                cost_e6=self._terms.prices.cost_e6(used),
                is_estimate=used.is_estimate,
            )
        )

    def _require_room(self, session: Session, day: date, call: Spent) -> None:
        of_run = col(LlmUsage.run_id) == self._run_id
        of_day = (col(LlmUsage.user_id) == self._user_id) & (col(LlmUsage.day) == day)
        tokens = func.sum(col(LlmUsage.prompt_tokens) + col(LlmUsage.completion_tokens))
        cost = func.sum(col(LlmUsage.cost_e6))
        found = session.connection().execute(
            select(tokens.filter(of_run), cost.filter(of_run), tokens.filter(of_day), cost.filter(of_day)).where(
                or_(of_run, of_day)
            )
        )
        run_tokens, run_cost, day_tokens, day_cost = (int(value or 0) for value in found.one())
        currency = self._terms.currency
        if over := self._terms.user_day.exceeded_by(Spent(day_tokens, day_cost) + call, currency):
            words = f"is not asked: another answer could take {self._user_id} over the limit of {over} a day"
            raise LimitReachedError(words, "It is asked again from 00:00 UTC.")
        if over := self._terms.run.exceeded_by(Spent(run_tokens, run_cost) + call, currency):
            words = f"is not asked: another answer could take this run over its limit of {over}"
            raise LimitReachedError(words, "It is asked again with your next message.")


@dataclass(frozen=True, slots=True)
class UsageOfDay:
    """What one person's runs took of one language model on one day (UTC).

    Money is in millionths of a unit of the vendor's currency. `estimated_calls` counts
    the calls whose tokens the vendor did not say, or that are under way.
    """

    day: date
    user_id: str
    llm: str
    calls: int
    estimated_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_e6: int


def usage_by_day(session: Session, since: date | None = None, limit: int = 100) -> Sequence[UsageOfDay]:
    """What was used, by day, person and language model, the newest day and the most expensive first."""
    by = (col(LlmUsage.day), col(LlmUsage.user_id), col(LlmUsage.llm))
    prompt, completion = func.sum(col(LlmUsage.prompt_tokens)), func.sum(col(LlmUsage.completion_tokens))
    cost = func.sum(col(LlmUsage.cost_e6))
    estimated = func.count().filter(col(LlmUsage.is_estimate))
    query = (
        select(*by, func.count(), estimated, prompt, completion, cost)
        .group_by(*by)
        .order_by(by[0].desc(), cost.desc(), (prompt + completion).desc(), by[1], by[2])
        .limit(limit)
    )
    if since is not None:
        query = query.where(by[0] >= since)
    rows = session.connection().execute(query).all()
    return [UsageOfDay(*row[:3], *(int(value) for value in row[3:])) for row in rows]
