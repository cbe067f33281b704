"""One network's plan by shards: one process against 1, 2 and 4 workers on the embedded PostgreSQL.

The seconds are elapsed ones, from the problem to the plan; the workers run
already, as in a service. What the coordinator does by itself (steps of prices, repair,
ranking of lanes) is in all of them, and so is every round's way through the database.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

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
HEADINGS = ("", "wall s", "x one process", "objective", "worse than one process", "gap")


def run(cases: Sequence[tuple[int, float, float]] = CASES, workers: Sequence[int] = WORKERS) -> None:
    """A table for each instance. Raises AssertionError when numbers of workers make different plans."""
    with embedded_servers() as servers:
        for skus, lanes, capacity in cases:
            problem = problem_of(curves(skus), lanes=lanes, capacity=capacity)
            one, seconds = _timed(lambda problem=problem: plan_fast(problem))  # type: ignore[misc]
            rows = [_row("one process, no shards", one, seconds, (one, seconds))]
            sharded, spent = _timed(lambda problem=problem: plan_by_shards(problem, SHARDS, here))  # type: ignore[misc]
            rows.append(_row(f"one process, {SHARDS} shards", sharded, spent, (one, seconds)))
            for count in workers:
                plan, spent = _by_workers(servers, problem, count)
                if plan.packs.tobytes() != sharded.packs.tobytes():
                    raise AssertionError(
                        f"{count} workers make another plan than one process does from the same shards"
                    )
                name = f"{count} worker{'s' if count > 1 else ''}, {SHARDS} shards"
                rows.append(_row(name, plan, spent, (one, seconds)))
            title = (
                f"Scale-out: {skus:,} SKUs x {SITES} sites, {len(problem.arc_volume):,} arcs, {os.cpu_count()} cores"
            )
            print_table(title, HEADINGS, rows)
    print(
        f"More workers than the {os.cpu_count()} cores of this machine cannot be faster here; they only show the plan stays."
    )


def _by_workers(servers: Servers, problem: Coupled, count: int) -> tuple[FastPlan, float]:
    """The plan by so many workers on a new database, once all of them are there."""
    with servers.fresh_database() as url:
        database = Database(url)
        crew = ShardWorkers(database, count)
        try:
            with crew.at_work():
                crew.wait_for_all()
                return _timed(lambda: plan_by_shards(problem, SHARDS, crew))
        finally:
            crew.stop()
            database.close()


def _timed(work: Callable[[], FastPlan]) -> tuple[FastPlan, float]:
    started = time.perf_counter()
    plan = work()
    return plan, time.perf_counter() - started


def _row(name: str, plan: FastPlan, seconds: float, one: tuple[FastPlan, float]) -> tuple[str, ...]:
    worse = (plan.objective - one[0].objective) / -one[0].objective
    return (
        name, f"{seconds:.1f}", f"{seconds / one[1]:.2f}", f"{plan.objective:,.1f}", f"{worse * 100:+.3f} %",
        f"{plan.gap * 100:.2f} %",
    )  # fmt: skip
