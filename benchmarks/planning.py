"""The exact path against what planners do by hand and against a textbook model, on generated networks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from benchmarks.rules_of_thumb import ALTERNATIVES
from benchmarks.table import print_table
from policies.library import releases
from policies.limits import limits_of
from tools.forecast import forecast_network
from tools.generate import generate_network
from tools.inventory import Snapshot
from tools.planning import evaluate, solve
from tools.planning.instance import build_instance
from tools.transfers import PlanRequest

AS_OF = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
SIZES = ((8, 25), (16, 80))
SEED = 7


def run() -> None:
    """A table for each size: saving by the independent evaluator, limits broken, and seconds; ours as 1."""
    for sites, skus in SIZES:
        snapshot = _snapshot(sites, skus)
        limits = limits_of(releases()[0], snapshot, PlanRequest())
        started = time.process_time()
        solution = solve(snapshot, limits, PlanRequest())
        ours_seconds = time.process_time() - started
        ours = evaluate(snapshot, limits, PlanRequest(), solution.moves).saving
        gap = "" if solution.gap_ppm is None else f" (gap {solution.gap_ppm / 1e4:.2f} %)"
        rows = [(f"Evenkeel, exact{gap}", f"{ours / 100:,.2f}", "1.00", "0", f"{ours_seconds:.2f}", "1.00")]
        instance = build_instance(snapshot, limits, PlanRequest())
        for name, alternative in ALTERNATIVES.items():
            started, wall = time.process_time(), time.perf_counter()
            moves = alternative(instance, snapshot, limits)
            # CBC runs in a process of its own, so its wall time stands in for what this process did not use.
            seconds = max(time.process_time() - started, time.perf_counter() - wall)
            found = evaluate(snapshot, limits, PlanRequest(), moves)
            money = (f"{found.saving / 100:,.2f}", f"{found.saving / ours:.2f}", str(len(found.breaches)))
            rows.append((name, *money, f"{seconds:.2f}", f"{seconds / ours_seconds:.2f}"))
        title = f"Planning, {sites} sites x {skus} SKUs, {len(instance.arcs):,} arcs of {instance.arcs_considered:,}"
        print_table(title, ("", "saves", "of ours", "limits broken", "seconds", "x ours"), rows)


def _snapshot(sites: int, skus: int) -> Snapshot:
    network = generate_network(sites, skus, SEED, AS_OF)
    grain = network.sales_grain
    if grain is None:
        raise ValueError("a generated network has sales")
    forecasts = forecast_network(network.sales, grain.value, AS_OF.date())
    return Snapshot(
        as_of=AS_OF, currency=network.currency, sites=network.sites, skus=network.skus, lanes=network.lanes,
        positions=network.positions, supply=network.inbound, forecasts=tuple(forecasts),
        replenishments=network.replenishments,
    )  # fmt: skip
