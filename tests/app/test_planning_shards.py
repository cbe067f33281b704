"""Planning by shards in worker processes: the plan of one process, through the death of a worker, and nothing done twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from sqlalchemy import text

from app.db.database import Database
from app.durable.planning_shards import ShardWorkers
from app.durable.shard_store import ShardStore, written
from evals.databases import Servers
from tests.installation import until
from tests.tools.planning.coupled_problems import a_problem
from tools.planning.coupled import Coupled
from tools.planning.fast import Effort, FastPlan
from tools.planning.sharded import Ask, plan_by_shards
from tools.planning.shards import FlowOrder, Order, ShardAnswer, split

EFFORT = Effort(iterations=6, repairs=1, trials=12, failures=8, polished=10)
SHARDS = 3


@pytest.fixture(scope="module")
def workers(servers: Servers) -> Iterator[ShardWorkers]:
    """Two workers on a database of their own."""
    with servers.fresh_database() as url:
        database = Database(url)
        started = ShardWorkers(database, 2)
        try:
            with started.at_work():
                yield started
        finally:
            started.stop()
            database.close()


def tasks(workers: ShardWorkers) -> dict[str, tuple[str, str]]:
    """Status and executor of every task."""
    query = text("select workflow_uuid, status, executor_id from dbos_planning.workflow_status")
    with workers.database.engine.connect() as connection:
        return {row.workflow_uuid: (row.status, row.executor_id) for row in connection.execute(query)}


def same(one: FastPlan, other: FastPlan) -> bool:
    """Whether two plans are the same to the last bit."""
    figures = (one.objective, one.bound) == (other.objective, other.bound)
    return figures and one.packs.tobytes() == other.packs.tobytes()


def test_a_worker_that_dies_over_its_work_changes_nothing_in_the_plan(workers: ShardWorkers) -> None:
    problem = a_problem(30, capacity=60.0)
    victim = workers.processes[0]
    executor = str(victim.args[-1])  # type: ignore[index]
    at_its_death: list[str] = []

    def kill() -> None:
        """Stop the worker while it has a task in hand, and kill it then."""
        while not at_its_death:
            victim.send_signal(19)
            at_its_death.extend(task for task, state in tasks(workers).items() if state == ("PENDING", executor))
            if not at_its_death:
                victim.send_signal(18)
                time.sleep(0.02)
        victim.kill()

    killer = threading.Thread(target=kill)

    def crew(parts: Sequence[Coupled]) -> Ask:
        ask = workers(parts)

        def asked(orders: Sequence[Order]) -> Sequence[ShardAnswer]:
            if killer.ident is None and any(executor in state for state in tasks(workers).values()):
                killer.start()
            return ask(orders)

        return asked

    workers.wait_for_all()
    plan = plan_by_shards(problem, SHARDS, crew, EFFORT)
    killer.join()
    assert same(plan, plan_by_shards(problem, SHARDS, effort=EFFORT))
    ended = tasks(workers)
    for task in at_its_death:
        status, by = ended[task]
        assert status == "SUCCESS"
        assert by != executor
    until("another worker in its place", lambda: workers.processes[0] is not victim)
    before = len(ended)
    assert same(plan, plan_by_shards(problem, SHARDS, workers, EFFORT))
    assert len(tasks(workers)) == before, "what was answered before was asked again"


def test_a_shard_that_cannot_be_worked_out_is_told_and_tried_again(workers: ShardWorkers) -> None:
    (shard,) = split(a_problem(5), 1)
    ask = workers([shard.part])
    broken = FlowOrder(np.zeros(1), np.ones(1, dtype=np.bool_))
    before = tasks(workers)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="could not be worked out"):
            ask([broken])
        assert tasks(workers) == before


def test_a_problem_comes_back_from_the_store_as_it_was(workers: ShardWorkers) -> None:
    problem = a_problem(20, intake_share=0.6, capacity=60.0)
    bodies: dict[str, bytes] = {}
    document = written(problem, bodies)
    store = ShardStore(workers.database)
    with pytest.raises(KeyError, match="not in the store"):
        store.read({"digest": "0" * 40})
    store.put(bodies)
    again = store.read(document)
    store.close()
    packs = np.arange(len(problem.arc_volume))
    assert (again.limits.per_pack @ packs == problem.limits.per_pack @ packs).all()
    for whole, found in ((problem.arrays, again.arrays), (problem.gains, again.gains), (problem, again)):
        for name, value in vars(whole).items():
            if isinstance(value, np.ndarray):
                assert getattr(found, name).dtype == value.dtype
                assert getattr(found, name).tobytes() == value.tobytes(), name
    with pytest.raises(TypeError, match="numbers and arrays"):
        written({"anything": "else"}, bodies)
