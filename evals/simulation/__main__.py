"""`python -m evals.simulation --seeds 200000`: many seeds on all cores, and the first that break, to be run again."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from app.logs import set_up_logs
from evals.simulation.run import Outcome, simulate

BLOCK = 500
SHOWN_MAX = 10


def block(first: int) -> tuple[int, list[Outcome]]:
    """How many orders a block of seeds had, and its broken seeds."""
    outcomes = [simulate(seed) for seed in range(first, first + BLOCK)]
    return sum(outcome.orders for outcome in outcomes), [outcome for outcome in outcomes if outcome.broken]


def main() -> int:
    """Run the seeds. Ends with 1 when a rule was broken."""
    set_up_logs(least=logging.ERROR)
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=5_000)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--seed", type=int, help="only this one")
    chosen = options.parse_args()
    if chosen.seed is not None:
        outcome = simulate(chosen.seed)
        print(f"seed {outcome.seed}: {outcome.broken or 'all rules held'}, {outcome.orders} orders")  # noqa: T201
        return int(outcome.broken is not None)
    began, orders, broken = time.monotonic(), 0, list[Outcome]()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for count, found in pool.map(block, range(chosen.first, chosen.first + chosen.seeds, BLOCK)):
            orders, broken = orders + count, broken + found
    seconds = time.monotonic() - began
    print(f"{chosen.seeds:,} seeds, {orders:,} orders, {len(broken)} broken, {seconds:.0f} s")  # noqa: T201
    for outcome in broken[:SHOWN_MAX]:
        print(f"  seed {outcome.seed}: {outcome.broken}")  # noqa: T201
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
