"""Decisions over whole cycles: ours against planners' rules and other plans, on the same demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from app.cli.backtest import folder_cycles
from benchmarks.table import print_table
from policies.library import releases
from tools.simulation import (
    LANE_DAYS,
    NEAR_HORIZON,
    NEAR_HORIZONS,
    PLANNER_RULES,
    SOLVER_RULES,
    Cycle,
    Fold,
    Generator,
    Knobs,
    Ours,
    Rule,
    backtest,
    crossed,
    fit,
    generated,
    no_transfers,
    play,
)
from tools.simulation.cycle import IntArray
from tools.simulation.report import HEADINGS
from tools.simulation.two_sites import shares
from tools.simulation.view import View

FITTING_SEEDS = 3
NEAR = "asymmetric horizon, fitted"


def run(networks: Sequence[Path] = ()) -> None:
    """All tables; the networks' own sales as well, where their folders are there."""
    run_two_sites()
    for cost in (0.1, 0.5, 1.0):
        _compare(f"MS15, {cost} per unit and distance", generated(Generator.MS15, cost=cost, fitting_seeds=2))
    for lead in (0, 2):
        folds = generated(Generator.M5, lead_time_periods=lead, fitting_seeds=FITTING_SEEDS)
        _compare(f"Retail chain, lead time {lead}", folds)
    for cost in (3.0, 8.0):
        run_lane_costs(cost)
    if not networks:
        print("\nNo network folder was given, so no real sales are played again.")
    for directory in networks:
        run_network(directory)


def run_two_sites() -> None:
    """Share of the gap from no transfers to the exact optimum, over 18 instances."""
    rules: dict[str, Rule] = {"Evenkeel": Ours(), "asymmetric horizon": Ours(NEAR_HORIZON)}
    others: Mapping[str, Rule] = PLANNER_RULES | {name: SOLVER_RULES[name] for name in list(SOLVER_RULES)[:2]}
    found = shares(rules | dict(others))
    ours = sum(found["Evenkeel"]) / len(found["Evenkeel"])
    rows = [
        (name, f"{sum(each) / len(each):.4f}", f"{min(each):.4f}", f"{sum(each) / len(each) / ours:.3f}")
        for name, each in found.items()
    ]
    print_table(
        "Two sites, 18 instances, exact: share of the gap to the optimum", ("", "mean", "worst", "of ours"), rows
    )


def run_lane_costs(cost: float) -> None:
    """Total cost against doing nothing where every lane costs money by the day."""
    (fold,) = generated(Generator.LANE_COSTS, cost=cost, fitting_seeds=1)
    (cycle,) = fold.scored
    knobs = fit(fold.held_out, LANE_DAYS)
    free = replace(cycle, lanes=replace(cycle.lanes, day_cost=cycle.lanes.day_cost * 0))
    rules: dict[str, Rule] = {
        f"Evenkeel, {knobs}": Ours(knobs),
        "asymmetric horizon, every 3 days, slope scaling": Ours(Knobs(5.0, None, every_periods=3)),
        "asymmetric horizon, lanes ignored": _Ignoring(free),
    }
    nothing = play(cycle, no_transfers).total_cost
    ours = play(cycle, Ours(knobs)).total_cost
    rows = []
    for name, rule in (rules | PLANNER_RULES).items():
        found = play(cycle, rule)
        fill = 1.0 - found.lost.sum() / found.demanded.sum()
        rows.append(
            (name, f"{found.total_cost:,.0f}", f"{found.total_cost / nothing - 1:+.1%}", f"{found.total_cost / ours:.3f}",
             f"{fill:.2%}", f"{found.lane_days.sum():,}")
        )  # fmt: skip
    title = f"Lanes that cost {cost:g} a day and more: total of doing nothing {nothing:,.0f}"
    print_table(title, ("", "total cost", "against nothing", "of ours", "fill rate", "lane days"), rows)


class _Ignoring:
    """Our plan as if lanes cost nothing by themselves."""

    def __init__(self, free: Cycle) -> None:
        self._free = free

    def __call__(self, view: View) -> IntArray:
        return Ours(NEAR_HORIZON)(replace(view, cycle=self._free))


def run_network(directory: Path) -> None:
    """A folder's own sales, at once and with a period's lead time."""
    if not directory.is_dir():
        print(f"\n{directory} is not there, so its sales are not played again.")
        return
    for lead in (0, 1):
        _compare(
            f"Sales of {directory.name}, lead time {lead}",
            crossed(folder_cycles(directory, releases()[-1], lead_time=lead)),
        )


def _compare(title: str, folds: Sequence[Fold]) -> None:
    """Every rule on the scored cycles, our knobs and those of the plain asymmetric horizon fitted on others."""
    near = (
        Ours(fit([cycle for fold in folds for cycle in fold.held_out], NEAR_HORIZONS))
        if len(folds) == 1
        else Ours(NEAR_HORIZON)
    )
    name = NEAR if len(folds) == 1 else "asymmetric horizon, not fitted"
    report = backtest(title, folds, rules={name: near} | PLANNER_RULES | SOLVER_RULES)
    knobs = "; ".join(map(str, report.knobs))
    print_table(f"{title}: {report.instances:,} SKU cycles; {knobs}", HEADINGS, [*report.rows(), *report.stress_rows()])
