"""Planning by shards in several processes, on DBOS: each answer of a shard is one durable workflow.

The coordinator (`tools.planning.sharded`) runs where the plan is asked for. Every
order it puts to a shard becomes a workflow on a queue of its own, named by the digest
of everything the answer depends on. So an order that was answered before, by a
coordinator that has crashed since, is not worked out again; and work of a worker that
died is taken up by another one, with the same answer.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.db.database import Database
from app.durable.planning_worker import APPLICATION, APPLICATION_VERSION, QUEUE, SCHEMA, SHARD_ROUND
from app.durable.shard_store import KEPT_HOURS, ShardStore, written
from tools.planning.coupled import Coupled
from tools.planning.fast import FastPlan, plan_fast
from tools.planning.flow import VERSIONS
from tools.planning.sharded import Ask, plan_by_shards, shards_of
from tools.planning.shards import Order, ShardAnswer

BUSY_POLLING_SECONDS = 0.01
IDLE_POLLING_SECONDS = 0.5
"""How often workers look for work while a plan is being made here, and else."""
ANSWERS_POLLING_SECONDS = 0.004
LOOK_AFTER_SECONDS = 0.5
"""How often it is seen whether all workers live and all work is done by somebody."""

_ENQUEUE = text("""
    select dbos_planning.enqueue_workflow(
        workflow_name => :workflow, queue_name => :queue,
        positional_args => array[cast(:task as json), cast(:name as json), cast(:part as json), cast(:order as json)],
        workflow_id => :workflow_id, app_version => :version)
""")
_TASK = {"workflow": SHARD_ROUND, "queue": QUEUE, "version": APPLICATION_VERSION}
_FAILED = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_ORPHANS = text("""
    select workflow_uuid from dbos_planning.workflow_status
    where status = 'PENDING' and queue_name = :queue and not exists (
        select 1 from pg_locks
        where locktype = 'advisory' and granted and objsubid = 1
          and database = (select oid from pg_database where datname = current_database())
          and ((classid::bigint << 32) | objid::bigint) = hashtextextended(executor_id, 0))
""")
_WAITING = text("""
    select count(*) from unnest(cast(:ids as text[])) as id where exists (
        select 1 from pg_locks
        where locktype = 'advisory' and granted and objsubid = 1
          and database = (select oid from pg_database where datname = current_database())
          and ((classid::bigint << 32) | objid::bigint) = hashtextextended(id, 0))
""")
_log = get_logger(__name__)


class ShardWorkers:
    """Worker processes, and the crew that puts orders to them. Use it as `crew` of `plan_by_shards`."""

    def __init__(self, database: Database, workers: int) -> None:
        self.database, self._workers = database, workers
        self._store = ShardStore(database)
        self._client: DBOSClient | None = None
        self.processes: list[subprocess.Popen[str]] = []
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None
        self._starting = threading.Lock()
        self._busy = 0

    def start(self) -> None:
        """Start the workers, unless they have been."""
        with self._starting:
            if self._client is not None:
                return
            self._store.create()
            DBOS.migrate(system_database_url=self.database.url, schema=SCHEMA)
            self._client = DBOSClient(
                system_database_url=self.database.url, dbos_system_schema=SCHEMA, application_name=APPLICATION,
                serializer=DBOSPortableJSONSerializer(),
            )  # fmt: skip
            self._client.register_queue(
                QUEUE, worker_concurrency=1, polling_interval_sec=IDLE_POLLING_SECONDS, application_name=APPLICATION
            )
            self.processes = [self._started() for _ in range(self._workers)]
            self._keeper = threading.Thread(target=self._keep, name="evenkeel-shards-keeper", daemon=True)
            self._keeper.start()

    def wait_for_all(self, seconds_max: float = 60.0) -> None:
        """Wait until every worker has started. Raises TimeoutError when one has not in time."""
        self.start()
        deadline = time.monotonic() + seconds_max
        while True:
            ids = [str(process.args[-1]) for process in self.processes]  # type: ignore[index]  # args is a list here: we made it
            with self._store.engine.connect() as connection:
                if connection.execute(_WAITING, {"ids": ids}).scalar_one() == len(ids):
                    return
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"not all of the {len(ids)} workers of shards have started in {seconds_max:.0f} seconds"
                )
            time.sleep(ANSWERS_POLLING_SECONDS)

    def stop(self) -> None:
        """End the workers. What they have not finished is taken up when it is asked for again."""
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.communicate()
        if self._client is not None:
            self._client.destroy()
        self._store.close()

    def __call__(self, parts: Sequence[Coupled]) -> Ask:
        """Keep the shards' problems where workers find them, and say how to ask about them."""
        self.start()
        self._forget_old()
        bodies: dict[str, bytes] = {}
        documents = [json.dumps(written(part, bodies)) for part in parts]
        self._store.put(bodies)
        names = [_digest(document) for document in documents]
        known: set[str] = set(bodies)

        def ask(orders: Sequence[Order]) -> list[ShardAnswer]:
            return self._asked(list(zip(names, documents, orders, strict=True)), known)

        return ask

    @contextmanager
    def at_work(self) -> Iterator[ShardWorkers]:
        """While a plan is made: workers look for work more often."""
        self.start()
        self._poll(+1)
        try:
            yield self
        finally:
            self._poll(-1)

    def _poll(self, change: int) -> None:
        with self._starting:
            self._busy += change
            queue = self._at(self._client).retrieve_queue(QUEUE)
            if queue is not None:
                queue.set_polling_interval_sec(BUSY_POLLING_SECONDS if self._busy else IDLE_POLLING_SECONDS)

    @staticmethod
    def _at(client: DBOSClient | None) -> DBOSClient:
        if client is None:
            raise RuntimeError("the workers of shards have not been started")
        return client

    def _asked(self, orders: list[tuple[str, str, Order]], known: set[str]) -> list[ShardAnswer]:
        bodies: dict[str, bytes] = {}
        tasks: dict[str, dict[str, str]] = {}
        for name, part, order in orders:
            document = json.dumps(written(order, bodies))
            task = f"shard/{_digest(name, document)}"
            tasks[task] = {"task": json.dumps(task), "name": json.dumps(name), "part": part, "order": document}
        answers = self._store.answers(tasks)
        missing = [task for task in tasks if task not in answers]
        if missing:
            self._store.put({digest: body for digest, body in bodies.items() if digest not in known})
            known |= bodies.keys()
            with self._store.engine.connect() as connection:
                rows = [tasks[task] | _TASK | {"workflow_id": task} for task in missing]
                connection.execute(_ENQUEUE, rows)
        answers |= self._awaited(set(missing))
        return [self._store.read(answers[task]) for task in tasks]

    def _awaited(self, tasks: set[str]) -> dict[str, Any]:
        """The answers to the tasks, once they are all there. Raises RuntimeError with the reason when one failed."""
        found: dict[str, Any] = {}
        looked = time.monotonic()
        while tasks:
            time.sleep(ANSWERS_POLLING_SECONDS)
            arrived = self._store.answers(tasks)
            found |= arrived
            tasks = tasks - arrived.keys()
            if tasks and time.monotonic() - looked > LOOK_AFTER_SECONDS:
                looked = time.monotonic()
                self._refuse_failed(tasks)
        return found

    def _refuse_failed(self, tasks: set[str]) -> None:
        """A task that failed is forgotten, so that it is tried again when it is asked for again."""
        client = self._at(self._client)
        ended = client.list_workflows(workflow_ids=sorted(tasks), status=_FAILED, load_input=False)
        if ended:
            client.delete_workflows([workflow.workflow_id for workflow in ended])
            raise RuntimeError(f"a shard of the plan could not be worked out: {ended[0].error}")

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            (sys.executable, "-m", "app.durable.planning_worker", f"planning-{uuid4().hex}"),
            stdin=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert process.stdin is not None  # noqa: S101  it was asked for
        process.stdin.write(f"{self.database.url}\n")
        process.stdin.flush()
        return process

    def _keep(self) -> None:
        """Replace workers that died, and hand on what they had begun."""
        while not self._stopping.wait(LOOK_AFTER_SECONDS):
            for number, process in enumerate(self.processes):
                if process.poll() is not None:
                    _log.warning("shard_worker_replaced", status=process.returncode)
                    process.communicate()
                    self.processes[number] = self._started()
            try:
                with self.database.engine.connect() as connection:
                    orphans = list(connection.execute(_ORPHANS, {"queue": QUEUE}).scalars())
                if orphans:
                    _log.warning("shards_taken_up_again", count=len(orphans))
                    self._at(self._client).resume_workflows(orphans, queue_name=QUEUE)
            except SQLAlchemyError:
                _log.warning("shards_cannot_be_seen_to", exc_info=True)

    def _forget_old(self) -> None:
        """Answers go an hour before the arrays that they name."""
        client = self._at(self._client)
        before = (datetime.now(UTC) - timedelta(hours=KEPT_HOURS - 1)).isoformat()
        old = client.list_workflows(
            queue_name=QUEUE, status=["SUCCESS", "ERROR"], end_time=before, load_input=False, load_output=False
        )
        if old:
            client.delete_workflows([workflow.workflow_id for workflow in old])
        self._store.forget_old()


class ShardPlanner:
    """Makes the fast path's plans: of large problems by shards, of all others here."""

    def __init__(self, workers: ShardWorkers, arcs_min: int) -> None:
        self._workers, self._arcs_min = workers, arcs_min

    def __call__(self, problem: Coupled) -> FastPlan:
        """The plan for the problem. The same for the same problem, however many workers there are."""
        if len(problem.arc_volume) < self._arcs_min:
            return plan_fast(problem)
        with self._workers.at_work():
            return plan_by_shards(problem, shards_of(problem), self._workers)


def _digest(*parts: str) -> str:
    """What names an answer: the problem, the order, and the versions of what works it out."""
    return hashlib.blake2b("\n".join((APPLICATION_VERSION, *VERSIONS, *parts)).encode(), digest_size=20).hexdigest()
