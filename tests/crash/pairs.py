"""Two kills in one scenario: `make crash-all`, or `python -m tests.crash.pairs --pairs 2500 --seed 0`.

The first worker is killed at one point, and the one that recovers at another, counted
from its first breath; single writes are points too. Where the square of all points is
larger than what is asked for, the pairs are drawn from the seed. What is done lies in a
file, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import app

# isort: split
from evals.databases import embedded_servers
from tests.crash.matrix import ERPS, Matrix, matrix

assert app.__doc__
FAILURES_SHOWN = 5
REPORT_SECONDS = 30
AFTERWARDS = 1.3
"""A worker that recovers passes what its start-up writes as well: its points are counted that much further."""
Pair = tuple[str, int, int]


def chosen(points: dict[str, int], wanted: int, seed: int) -> list[Pair]:
    """So many ordered pairs, each ERP's in turn; all there are, where that is fewer."""
    luck = random.Random(seed)
    by_erp = []
    for erp, count in sorted(points.items()):
        square = [(erp, first, second) for first, second in product(_upto(count), _upto(int(count * AFTERWARDS)))]
        by_erp.append(luck.sample(square, min(len(square), -(-wanted // len(points)))))
    return [pair for group in zip(*by_erp, strict=True) for pair in group] if len(by_erp) > 1 else by_erp[0]


def _upto(count: int) -> range:
    return range(1, count + 1)


class Record:
    """What came of each pair, a line of a file each."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        self.outcomes: dict[Pair, dict[str, Any]] = {}
        for line in lines:
            outcome = json.loads(line)
            self.outcomes[outcome["erp"], *outcome["kills"]] = outcome

    def add(self, pair: Pair, killed: int, failure: str) -> None:
        erp, *kills = pair
        outcome = {"erp": erp, "kills": kills, "killed": killed, "failure": failure}
        self.outcomes[pair] = outcome
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(outcome) + "\n")

    def failures(self, pairs: Iterable[Pair]) -> list[dict[str, Any]]:
        return [self.outcomes[pair] for pair in pairs if self.outcomes.get(pair, {}).get("failure")]

    def words(self, pairs: Sequence[Pair]) -> str:
        done = [self.outcomes[pair] for pair in pairs if pair in self.outcomes]
        kills, failed = sum(outcome["killed"] for outcome in done), len(self.failures(pairs))
        return f"{len(done):,} of {len(pairs):,} pairs, {kills:,} kills, {failed:,} failures"


def run(lanes: Sequence[Matrix], pairs: Sequence[Pair], record: Record) -> None:
    """Every pair that is not on record yet, in as many lanes as there are."""
    free: SimpleQueue[Matrix] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def one(pair: Pair) -> tuple[Pair, int, str]:
        lane = free.get()
        try:
            return pair, lane.kill(pair[0], pair[1:], writes=True), ""
        except Exception as failed:  # noqa: BLE001  whatever went wrong is the outcome of the pair
            return pair, 0, f"{type(failed).__name__}: {failed}"[:1_000]
        finally:
            free.put(lane)

    told = time.monotonic()
    with ThreadPoolExecutor(len(lanes)) as pool:
        for pair, killed, failure in pool.map(one, [pair for pair in pairs if pair not in record.outcomes]):
            record.add(pair, killed, failure)
            if failure or time.monotonic() - told > REPORT_SECONDS:
                told = time.monotonic()
                _say(record.words(pairs))


def _lanes(stack: ExitStack, count: int, seed: int) -> Iterator[Matrix]:
    """Matrices on servers of their own, so that they do not wait for each other."""
    for number in range(count):
        servers = stack.enter_context(embedded_servers())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evenkeel-crash-")))
        yield stack.enter_context(matrix(servers, directory, f"{seed}/{number}"))


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> int:
    """Kill pair after pair; the exit status says whether anything was lost, doubled or leaked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2_500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--record", type=Path, default=Path("build/crash-pairs.jsonl"))
    parser.add_argument("--afresh", action="store_true", help="forget what an earlier run has done")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers of ours end with us
    if given.afresh:
        given.record.unlink(missing_ok=True)
    record = Record(given.record)
    with ExitStack() as stack:
        lanes = list(_lanes(stack, given.lanes, given.seed))
        points = {erp: len(lanes[0].trace(erp, writes=True)) for erp in ERPS}
        pairs = chosen(points, given.pairs, given.seed)
        _say(f"points: {points}; already done: {record.words(pairs)}")
        run(lanes, pairs, record)
    _say(record.words(pairs))
    for failure in record.failures(pairs)[:FAILURES_SHOWN]:
        _say(json.dumps(failure))
    return 1 if record.failures(pairs) else 0


if __name__ == "__main__":
    sys.exit(main())
