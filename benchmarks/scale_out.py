"""One network's plan by shards: one process against 1, 2 and 4 workers on the embedded PostgreSQL.

The workers run already when the clock starts, as in a service. Elapsed seconds depend
on what else the machine does; the processor seconds of the coordinator and of the
busiest worker do not, and their sum is about what a machine with a core for each would
take. Every round's way through the database is in both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial

import psutil

from app.db.database import Database
from app.durable.planning_shards import ShardWorkers
from benchmarks.fast_path import problem_of
from benchmarks.instances import SITES, curves
from benchmarks.table import print_table
from evals.databases import Servers, embedded_servers
from tools.planning.coupled import Coupled
from tools.planning.fast import FastPlan, plan_fast
from tools.planning.sharded import here, plan_by_shards

SHARDS = 4
WORKERS = (1, 2, 4)
CASES = ((2_000, 1.0, 300.0),)
"""SKUs, what departures cost against the instance's own figure, and litres on each lane."""
HEADINGS = ("", "wall s", "x one", "CPU here", "CPU busiest worker", "objective", "worse than one", "gap")


def run(cases: Sequence[tuple[int, float, float]] = CASES, workers: Sequence[int] = WORKERS) -> None:
    """A table for each instance. Raises AssertionError when numbers of workers make different plans."""
    cores = os.cpu_count()
    with embedded_servers() as servers:
        for skus, lanes, capacity in cases:
            problem = problem_of(curves(skus), lanes=lanes, capacity=capacity)
            bench = _Bench(partial(plan_fast, problem))
            sharded = bench.add(f"one process, {SHARDS} shards", partial(plan_by_shards, problem, SHARDS, here))
            for count in workers:
                plan = _by_workers(servers, problem, count, bench)
                if plan.packs.tobytes() != sharded.packs.tobytes():
                    raise AssertionError(
                        f"{count} workers make another plan than one process does from the same shards"
                    )
            title = f"Scale-out: {skus:,} SKUs x {SITES} sites, {len(problem.arc_volume):,} arcs, {cores} cores"
            print_table(title, HEADINGS, bench.rows)
    print(
        f"This machine has {cores} cores: more workers than that cannot be faster here, they show that the plan stays."
    )


class _Bench:
    """Rows that are compared with the first of them."""

    def __init__(self, one: Callable[[], FastPlan]) -> None:
        self.rows: list[tuple[str, ...]] = []
        self._one: tuple[FastPlan, float] | None = None
        self.add("one process, no shards", one)

    def add(self, name: str, work: Callable[[], FastPlan], workers: Sequence[int] = ()) -> FastPlan:
        """Make a plan and note what it took here and in the workers with these process ids."""
        started, own, theirs = time.perf_counter(), time.process_time(), [_cpu(pid) for pid in workers]
        plan = work()
        wall, own = time.perf_counter() - started, time.process_time() - own
        busiest = max((_cpu(pid) - before for pid, before in zip(workers, theirs, strict=True)), default=0.0)
        self._one = self._one or (plan, wall)
        worse = (plan.objective - self._one[0].objective) / -self._one[0].objective
        self.rows.append(
            (
                name, f"{wall:.1f}", f"{wall / self._one[1]:.2f}", f"{own:.1f}", f"{busiest:.1f}",
                f"{plan.objective:,.1f}", f"{worse * 100:+.3f} %", f"{plan.gap * 100:.2f} %",
            )
        )  # fmt: skip
        print("  ".join(self.rows[-1]), flush=True)
        return plan


def _cpu(pid: int) -> float:
    spent = psutil.Process(pid).cpu_times()
    return float(spent.user + spent.system)


def _by_workers(servers: Servers, problem: Coupled, count: int, bench: _Bench) -> FastPlan:
    """The plan by so many workers on a new database, once all of them are there."""
    with servers.fresh_database() as url:
        database = Database(url)
        crew = ShardWorkers(database, count)
        try:
            with crew.at_work():
                crew.wait_for_all()
                name = f"{count} worker{'s' if count > 1 else ''}, {SHARDS} shards"
                pids = [process.pid for process in crew.processes]
                return bench.add(name, partial(plan_by_shards, problem, SHARDS, crew), pids)
        finally:
            crew.stop()
            database.close()


if __name__ == "__main__":
    run()
