"""Planning by shards in worker processes: the plan of one process, through the death of a worker, and nothing done twice."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from sqlalchemy import text

from app.db.database import Database
from app.durable.planning_shards import ShardPlanner, ShardWorkers
from app.durable.shard_store import ShardStore, written
from evals.databases import Servers
from tests.installation import until
from tests.tools.planning.coupled_problems import a_problem
from tools.planning.coupled import Coupled
from tools.planning.fast import Effort, FastPlan, plan_fast
from tools.planning.flow import Flows
from tools.planning.sharded import Ask, plan_by_shards
from tools.planning.shards import FlowOrder, Order, ShardAnswer, TrialOrder, shard_round, split

EFFORT = Effort(iterations=10, repairs=2, trials=10, failures=5, polished=20)
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


class Killing:
    """A crew whose first worker is killed over a task; until then the second one is stopped, so that it gets some."""

    def __init__(self, workers: ShardWorkers) -> None:
        self._workers = workers
        self._thread = threading.Thread(target=self._kill)
        self._over = threading.Event()
        self.victim, self._other = workers.processes
        self.executor = str(self.victim.args[-1])  # type: ignore[index]
        self.in_hand: list[str] = []

    def __call__(self, parts: Sequence[Coupled]) -> Ask:
        ask = self._workers(parts)

        def asked(orders: Sequence[Order]) -> Sequence[ShardAnswer]:
            if self._thread.ident is None:
                self._other.send_signal(signal.SIGSTOP)
                self._thread.start()
            return ask(orders)

        return asked

    def _kill(self) -> None:
        """Stop the victim while it has a task in hand, and kill it then."""
        while not self.in_hand and not self._over.is_set():
            self.victim.send_signal(signal.SIGSTOP)
            if self._pending():
                time.sleep(0.3)  # what it had told the database already may still arrive
                self.in_hand = self._pending()
            if not self.in_hand:
                self.victim.send_signal(signal.SIGCONT)
                time.sleep(0.01)
        self.victim.kill()
        self._other.send_signal(signal.SIGCONT)

    def _pending(self) -> list[str]:
        return [task for task, state in tasks(self._workers).items() if state == ("PENDING", self.executor)]

    def end(self) -> None:
        """Wait until it is done."""
        self._over.set()
        self._thread.join()


def test_a_worker_that_dies_over_its_work_changes_nothing_in_the_plan(workers: ShardWorkers) -> None:
    problem = a_problem(30, lane_cost=False, capacity=40.0)
    workers.wait_for_all()
    crew = Killing(workers)
    plan = plan_by_shards(problem, SHARDS, crew, EFFORT)
    crew.end()
    assert same(plan, plan_by_shards(problem, SHARDS, effort=EFFORT))
    ended = tasks(workers)
    assert crew.in_hand
    for task in crew.in_hand:
        status, by = ended[task]
        assert status == "SUCCESS"
        assert by != crew.executor
    until("another worker in its place", lambda: workers.processes[0] is not crew.victim)
    assert same(plan, plan_by_shards(problem, SHARDS, workers, EFFORT))
    assert tasks(workers).keys() == ended.keys(), "what was answered before was asked again"


def test_lanes_are_tried_by_workers_as_they_are_here(workers: ShardWorkers) -> None:
    (shard,) = split(a_problem(12), 1)
    a, flows = shard.part.arrays, Flows(shard.part.arrays)
    opened, extra = np.ones(a.lanes, dtype=np.bool_), np.linspace(0.0, 1.0, len(a.arc_sku))
    start = flows.solve(extra=extra)
    lanes = np.unique(a.arc_lane)
    order = TrialOrder(extra, opened, start.packs, start.value, lanes[:1], lanes[1:6])
    (answer,), expected = workers([shard.part])([order]), shard_round(shard.part, flows, order)
    for name, value in vars(expected).items():
        assert getattr(answer, name).tobytes() == value.tobytes(), name


def test_large_problems_are_planned_by_shards_and_small_ones_here(workers: ShardWorkers) -> None:
    problem = a_problem(12, lane_cost=False)
    arcs = len(problem.arc_volume)
    by_shards, alone = ShardPlanner(workers, arcs)(problem), ShardPlanner(workers, arcs + 1)(problem)
    assert (by_shards.versions, alone.versions) == (("shards 2",), ())
    assert same(by_shards, plan_by_shards(problem, 2))
    assert same(alone, plan_fast(problem))


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
