"""A worker of plans by shards: `python -m app.durable.planning_worker <executor id>`, started by `planning_shards`.

It reads the database's address from its standard input, which stays open as long as
whoever started it lives, and ends when that is gone. While it lives it holds an
advisory lock named after its executor id: work of an executor without its lock is work
that nobody does any more.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Any

from dbos import DBOS, DBOSPortableJSONSerializer
from sqlalchemy import text

from app.db.database import Database
from app.durable.shard_store import ShardStore, written
from tools.planning.coupled import Coupled
from tools.planning.flow import Flows
from tools.planning.shards import shard_round

APPLICATION = "evenkeel-planning"
APPLICATION_VERSION = "1"
"""Kept by hand, as the runner's. It is part of what names a task, so no answer of another version is ever taken."""
SCHEMA = "dbos_planning"
"""DBOS' tables for shards, apart from the runner's: no runner takes this work, and no worker takes the runner's."""
QUEUE = "evenkeel_shards"
SHARD_ROUND = "shard_round"
PARTS_KEPT = 8


def main() -> None:
    """Work until standard input ends."""
    executor_id, url = sys.argv[1], sys.stdin.readline().strip()
    database = Database(url)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as lock:
        lock.execute(text("select pg_advisory_lock(hashtextextended(:id, 0))"), {"id": executor_id})
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": url,
                "dbos_system_schema": SCHEMA,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": APPLICATION_VERSION,
                "executor_id": executor_id,
                "log_level": "WARNING",
            }
        )
        store = ShardStore(database)
        _register(Parts(store))
        DBOS.listen_queues([QUEUE])
        DBOS.launch()
        sys.stdin.read()
        DBOS.destroy(workflow_completion_timeout_sec=0)
        store.close()
    database.close()


class Parts:
    """The shards' problems that this process has met last, their flows ready."""

    def __init__(self, store: ShardStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, tuple[Coupled, Flows]] = OrderedDict()

    def answer(self, task: str, name: str, part: Any, order: Any) -> None:
        """Work out the answer to an order and keep it under the task's name. `name` stands for the part's document."""
        if name not in self._kept:
            problem: Coupled = self._store.read(part)
            self._kept[name] = problem, Flows(problem.arrays)
            while len(self._kept) > PARTS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        bodies: dict[str, bytes] = {}
        document = written(shard_round(*self._kept[name], self._store.read(order)), bodies)
        self._store.put_answer(task, document, bodies)


def _register(parts: Parts) -> None:
    # No step inside: the whole workflow is one, and doing it twice keeps the same answer.
    @DBOS.workflow(name=SHARD_ROUND)
    def round_of_shard(task: str, name: str, part: Any, order: Any) -> None:
        parts.answer(task, name, part, order)

    del round_of_shard


if __name__ == "__main__":
    main()
