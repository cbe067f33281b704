"""The service: everything it is made of, opened in order and closed in reverse."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde import _msgpack as strictness
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlmodel import Session
from structlog import get_logger

from app.approvals.latency import LATENCY_SET
from app.approvals.reminders import remind_and_escalate
from app.approvals.requests import expire_overdue
from app.auth.directory import directory_of
from app.auth.forgetting import forget_what_is_over
from app.auth.people import DIRECTORY
from app.db.database import Database, connecting
from app.db.migrate import migrate_schema
from app.durable.draining import Drain
from app.durable.planning_shards import ShardPlanner, ShardWorkers
from app.durable.runner import Runner, migrate
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from app.erp.connecting import erp_of
from app.erp.limits import LimitedErp
from app.errors import EvenkeelError, SetUpError
from app.events.relay import Relay
from app.forgetting import forget_old_words
from app.ledger.anchoring import LastFailure
from app.ledger.checkpoints import make_checkpoint
from app.ledger.keys import master_key, signer
from app.ledger.sealing import MASTER_KEY
from app.llm import Llm
from app.orders.books import OrderBooks
from app.orders.carrying import Carrier
from app.orders.reconciling import follow, reconcile
from app.orders.release import release_orders, take_up_idle
from app.orders.transit import note_overdue
from app.outbound import Outbound
from app.settings import Settings
from app.threads.driver import HELD_MS_MAX, Driver
from app.threads.lost_questions import report_lost_questions
from app.threads.retention import Retention
from app.threads.stream import RunStream
from app.threads.taking_up import take_up_runs
from graphs.rebalance import build_graph
from tools.planning import Planner
from tools.planning.fast import plan_fast
from tools.ports import ErpPort, ErpUncertainError

IDLE_SECONDS = 1.0
_log = get_logger(__name__)


@dataclass(frozen=True)
class Service:
    """An open service. It implements `durable.runner.Work` for its own runner."""

    settings: Settings
    database: Database
    redis: Redis
    llm: Llm
    driver: Driver
    stream: RunStream
    carrier: Carrier
    retention: Retention
    anchoring: LastFailure = field(default_factory=LastFailure)

    @property
    def attempts_max(self) -> int:
        """How often the ERP is asked in a row before people are told."""
        return self.settings.erp_attempts_max

    @property
    def retry_seconds(self) -> float:
        """The first wait between two attempts."""
        return self.settings.erp_retry_seconds

    def run_thread(self, run_id: UUID) -> None:
        """Drive a run to its end or pause."""
        self.driver.run(run_id, HELD_MS_MAX)

    def resume_thread(self, approval_id: UUID) -> None:
        """Wake the graph that waits for a request."""
        self.driver.ring(approval_id, HELD_MS_MAX)

    def release(self, approval_id: UUID) -> int:
        """Set going what an approval released, if the graph has not done so."""
        with self.database.transaction() as session:
            return len(release_orders(session, approval_id))

    def post(self, transfer_id: UUID) -> str:
        """Ask the ERP for the transfer."""
        return self.carrier.post(transfer_id)

    def look(self, transfer_id: UUID) -> str:
        """Ask the ERP whether the goods have left."""
        return self.carrier.look(transfer_id)

    def note_doubt(self, transfer_id: UUID, why: str) -> None:
        """Tell people that the ERP gives no certain answer about the order."""
        self.carrier.books.doubt(transfer_id, why)

    def tick(self) -> None:
        """Sign the ledger, close what is over, take up what nobody carries, and see what the ERP has done.

        Each part is done whatever becomes of the others: a plan that somebody has damaged must
        not keep the ledger from being signed. Raises what failed, at the end.
        """
        self._anchor()
        of_the_database = (expire_overdue, take_up_idle, take_up_runs)
        parts: list[Callable[[], object]] = [
            *(partial(self._in_a_transaction, part) for part in of_the_database),
            partial(remind_and_escalate, self.database),
            lambda: note_overdue(self.database, self.settings.overdue_days),
            partial(self._ask_the_erp, "not_followed", lambda: follow(self.database, self.carrier)),
        ]
        failures: list[Exception] = []
        for part in parts:
            try:
                part()
            except Exception as failure:  # noqa: BLE001  raised once the rest is done
                failures.append(failure)
        if failures:
            raise ExceptionGroup("not everything that is done every minute could be done", failures)

    def _in_a_transaction(self, part: Callable[[Session], object]) -> None:
        with self.database.transaction() as session:
            part(session)

    def _anchor(self) -> None:
        """Sign the ledger as it stands. What stops that is for people, and stops nothing else."""
        try:
            make_checkpoint(self.database, signer(self.settings), self.settings.checkpoint_path)
        except (EvenkeelError, OSError) as failed:
            self.anchoring.note(failed)
            _log.exception("no_checkpoint")
        else:
            self.anchoring.clear()

    def _ask_the_erp(self, failure: str, ask: Callable[[], object]) -> None:
        """What the ERP is asked from time to time: when it does not answer, it is asked the next time."""
        try:
            ask()
        except ErpUncertainError as doubt:
            _log.warning(failure, reason=str(doubt))

    def take_up(self) -> None:
        """Take up runs that nobody carries, and report conversations that lost their question."""
        with self.database.transaction() as session:
            take_up_runs(session)
        report_lost_questions(self.database, self.driver.state)

    def tidy(self) -> None:
        """Remove checkpoints that nobody needs any more, and lay the ERP and the books side by side."""
        self.retention.tidy()
        with self.database.transaction() as session:
            forget_what_is_over(session)
        if self.settings.words_days is not None:
            forget_old_words(self.database, self.settings.words_days)
        self._ask_the_erp("not_reconciled", lambda: reconcile(self.database, self.carrier.erp))

    @property
    def drain(self) -> Drain:
        """What stops the runs of this process when it closes."""
        return self.driver.drain


@contextmanager
def open_service(
    settings: Settings, erp: ErpPort | None = None, vendor: BaseChatModel | None = None
) -> Iterator[Service]:
    """Open the service on its databases, starting embedded ones where none are configured.

    `erp` is where transfers are posted (the built-in one by default); `vendor` answers
    conversations in place of the configured vendor.

    Raises SetUpError when something that is needed cannot be had.
    """
    _require_strict_checkpoints()
    with ExitStack() as stack:
        database = stack.enter_context(_database(settings))
        database.session_info[LATENCY_SET] = settings.approval_latency_days
        database.session_info[DIRECTORY] = directory_of(
            settings, Outbound(private_hosts=settings.outbound_private_hosts)
        )
        database.session_info[MASTER_KEY] = partial(master_key, settings)
        redis_url = stack.enter_context(_redis_url(settings))
        redis = stack.enter_context(_redis(redis_url))
        migrate_schema(database)
        migrate(database)
        saver = stack.enter_context(_checkpoints(database))
        llm, stream = Llm(settings, database, redis, vendor), RunStream(redis, redis_url)
        planner = stack.enter_context(_planner(database, settings))
        graph = build_graph(saver)
        driver = Driver(database, graph, llm, stream, settings, planner)
        carrier = _carrier(OrderBooks(database), erp or erp_of(settings, database), settings.erp_settle_seconds)
        yield Service(settings, database, redis, llm, driver, stream, carrier, Retention(database, graph, settings))


def _carrier(books: OrderBooks, erp: ErpPort, settle_seconds: float) -> Carrier:
    """A post waits for its turn with a limited ERP before its intention is recorded, so a stop need not wait for that."""
    return Carrier(books, erp, settle_seconds, erp.turn if isinstance(erp, LimitedErp) else nullcontext)


@contextmanager
def running(service: Service) -> Iterator[Runner]:
    """Carry out durable work in this process, as soon as no other one does."""
    runner = Runner(service.database, service, service.settings.workers)
    outbound = Outbound(private_hosts=service.settings.outbound_private_hosts)
    relay = Relay(service.database, service.redis, outbound)
    runner.start_when_free()
    relay.start(runner.is_on_duty)
    try:
        yield runner
    finally:
        relay.stop()
        runner.stop()


@contextmanager
def _planner(database: Database, settings: Settings) -> Iterator[Planner]:
    """Large requests in this process, or by workers that start when the first one is made."""
    if settings.planning_workers == 1:
        yield plan_fast
        return
    workers = ShardWorkers(database, settings.planning_workers)
    try:
        yield ShardPlanner(workers, settings.planning_shards_arcs_min)
    finally:
        workers.stop()


def _require_strict_checkpoints() -> None:
    if os.environ.get("LANGGRAPH_STRICT_MSGPACK") != "true" or not strictness.STRICT_MSGPACK_ENABLED:
        raise SetUpError(
            "lax_checkpoints", "LangGraph was imported without strict checkpoints: a stored row could run code",
            "set LANGGRAPH_STRICT_MSGPACK=true in the environment before anything is imported",
        )  # fmt: skip


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    with ExitStack() as stack:
        if settings.database_url is not None:
            url = _with_psycopg(settings.database_url.get_secret_value())
        else:
            embedded = EmbeddedPostgres(settings.data_dir)
            url = embedded.enter()
            stack.callback(embedded.leave)
        yield stack.enter_context(_answering(url))


@contextmanager
def _answering(url: str) -> Iterator[Database]:
    """The database at an address, once it has answered."""
    try:
        database = Database(url)
    except (ArgumentError, ValueError) as wrong:
        raise SetUpError("database_url", "DATABASE_URL is not an address", "use postgresql://…") from wrong
    try:
        with database.engine.connect():
            pass
    except OperationalError as refused:
        raise SetUpError(
            "database", f"the PostgreSQL at {database.engine.url.render_as_string()} does not answer: {refused.orig}",
            "start it, or leave DATABASE_URL unset for an embedded one",
        ) from refused  # fmt: skip
    try:
        yield database
    finally:
        database.close()


def _with_psycopg(url: str) -> str:
    """The address with the driver that the service uses, however it was written."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    if not url.startswith("postgresql+psycopg://"):
        raise SetUpError("database_url", "DATABASE_URL is not the address of a PostgreSQL", "use postgresql://…")
    return url


@contextmanager
def _redis_url(settings: Settings) -> Iterator[str]:
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
        return
    embedded = EmbeddedValkey(settings.data_dir)
    try:
        yield embedded.enter()
    finally:
        embedded.leave()


@contextmanager
def _redis(url: str) -> Iterator[Redis]:
    """Redis carries news, not truth: a short retry, then the service goes on without it."""
    try:
        client = Redis.from_url(url, socket_timeout=15, socket_connect_timeout=2, retry=Retry(ExponentialBackoff(), 1))
    except ValueError as wrong:
        raise SetUpError("redis_url", "REDIS_URL is not the address of a Redis", "use redis://…") from wrong
    with client:
        yield client


class _IdleCheck:
    """Looks whether a connection still lives, if it has lain idle: the database may have been restarted since."""

    def __init__(self) -> None:
        self._used: WeakKeyDictionary[Connection[Any], float] = WeakKeyDictionary()

    def __call__(self, connection: Connection[Any]) -> None:
        now = time.monotonic()
        if now - self._used.get(connection, -math.inf) > IDLE_SECONDS:
            ConnectionPool.check_connection(connection)
        self._used[connection] = now


@contextmanager
def _checkpoints(database: Database) -> Iterator[PostgresSaver]:
    """LangGraph's own tables in our database. Autocommit and dict rows are what its saver asks for."""
    plain = database.url.replace("postgresql+psycopg://", "postgresql://", 1)
    options = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0} | connecting(database.url)
    with ConnectionPool(plain, min_size=1, max_size=8, kwargs=options, check=_IdleCheck(), open=True) as pool:
        saver = PostgresSaver(pool)
        saver.setup()
        yield saver
