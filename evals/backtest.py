"""`python -m evals.backtest`: is our rule still as good as it claims to be? Small, quick cycles; exit status 1 when not."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.cli.backtest import folder_cycles
from policies.library import releases
from tools.simulation import (
    HEADINGS,
    PLANNER_RULES,
    Backtest,
    Cycle,
    Generator,
    Ours,
    backtest,
    cost_against_fill,
    crossed,
    generated,
)
from tools.simulation.two_sites import SUITE, TwoSites, shares

TWO_SITE_SUITE: tuple[TwoSites, ...] = tuple(replace(each, periods=4) for each in SUITE[:6])
"""Even, slow sites over four periods: solved exactly within a second or two."""
TWO_SITE_MEAN_MIN, TWO_SITE_WORST_MIN = 0.96, 0.90
BELOW_PLANNER_MIN = 0.03
"""Our total cost lies so far below that of the best planner's rule, at least."""
REVERSED_MAX = 0.01


@dataclass(frozen=True)
class Floor:
    """A figure, the bound it must keep, and whether it does."""

    name: str
    found: float
    bound: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its bound."""
        return self.found <= self.bound if self.at_most else self.found >= self.bound

    def words(self) -> str:
        """The figure as a line."""
        return (
            f"{'holds' if self.holds else 'BROKEN':6}  {self.name}: {self.found:.4f},"
            f" {'at most' if self.at_most else 'at least'} {self.bound:.4f}"
        )


@dataclass(frozen=True)
class Verdict:
    """The reports and what they had to show."""

    reports: tuple[Backtest, ...]
    floors: tuple[Floor, ...]

    @property
    def passed(self) -> bool:
        """Whether every figure keeps its bound."""
        return bool(self.floors) and all(floor.holds for floor in self.floors)

    def to_document(self) -> dict[str, Any]:
        """The verdict as plain JSON."""
        return {
            "passed": self.passed,
            "floors": [
                {"name": each.name, "found": round(each.found, 6), "bound": each.bound, "holds": each.holds}
                for each in self.floors
            ],
            "reports": [report.to_document() for report in self.reports],
        }

    def words(self) -> str:
        """The verdict for people."""
        lines = []
        for report in self.reports:
            lines += ["", f"{report.title}: {report.instances:,} SKU cycles", *_aligned([HEADINGS, *report.rows()])]
        return "\n".join([*lines, "", *(floor.words() for floor in self.floors)])


def run_quick(networks: Sequence[Path] = ()) -> Verdict:
    """Small cycles of every kind, and the sales of the networks given. Raises what `folder_cycles` raises."""
    reports = [
        backtest(
            f"Made-up cycles, {generator.value}", generated(generator, cycles=size, fitting_seeds=1), stressed=False
        )
        for generator, size in ((Generator.MS15, 8), (Generator.M5, 40))
    ]
    reports += [played_again(directory) for directory in networks]
    found = shares({"Evenkeel": Ours()}, TWO_SITE_SUITE)["Evenkeel"]
    floors = [
        Floor("two sites, mean share of the optimum", sum(found) / len(found), TWO_SITE_MEAN_MIN),
        Floor("two sites, worst share of the optimum", min(found), TWO_SITE_WORST_MIN),
    ]
    for report in reports:
        floors += floors_of(report)
    return Verdict(tuple(reports), tuple(floors))


def played_again(directory: Path, lead_time: int | None = None) -> Backtest:
    """The backtest of a network folder's own sales, under the latest released policy."""
    cycles: tuple[Cycle, ...] = folder_cycles(directory, releases()[-1], lead_time=lead_time)
    return backtest(f"Sales of {directory.name} played again", crossed(cycles), stressed=False)


def floors_of(report: Backtest) -> tuple[Floor, ...]:
    """What a backtest must show: cheaper than every planner's rule, no lower service, and nothing sent to and fro."""
    planners = [report.of(name) for name in PLANNER_RULES]
    best = min(score.total_cost for score in planners)
    below = 1.0 - report.ours.total_cost / best if best else 0.0
    return (
        Floor(f"{report.title}, cost below the best planner's rule", below, BELOW_PLANNER_MIN),
        Floor(f"{report.title}, fill rate", report.ours.fill_rate, report.of("nearest surplus").fill_rate),
        Floor(f"{report.title}, units sent back", report.ours.reversed_share, REVERSED_MAX, at_most=True),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, and return 1 when a figure is below its floor."""
    parser = argparse.ArgumentParser(prog="python -m evals.backtest", description="Judge the rule by simulation.")
    parser.add_argument("network", nargs="*", type=Path, help="network folders whose sales are played again as well")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw every report into this folder")
    given = parser.parse_args(arguments)
    verdict = run_quick(given.network)
    if given.plot:
        given.plot.mkdir(parents=True, exist_ok=True)
        for number, report in enumerate(verdict.reports, start=1):
            (given.plot / f"backtest-{number}.svg").write_text(cost_against_fill(report), encoding="utf-8")
    sys.stdout.write((json.dumps(verdict.to_document(), indent=2) if given.json else verdict.words()) + "\n")
    return 0 if verdict.passed else 1


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


if __name__ == "__main__":
    sys.exit(main())
