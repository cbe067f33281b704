"""Planning at scale: the fast path against named alternatives on the same instances, each row in one run.

CPU seconds include child processes. Objectives are the change against moving nothing,
in currency units: more negative is better. Gaps are (plan - bound) / |plan|.
"""

from __future__ import annotations

import math
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from scipy import sparse

from benchmarks.instance_rules import dropped_bad_lanes, largest_to_largest, nearest_surplus, textbook_model
from benchmarks.instances import SITES, Curves, arrays_of, curves, in_chunks, joined
from benchmarks.table import print_table
from tools.demand import FloatArray
from tools.planning.coupled import Coupled, SharedLimits
from tools.planning.coupled import Curves as Cumulative
from tools.planning.fast import FastPlan, plan_fast
from tools.planning.flow import Flows, IntArray
from tools.planning.repair import dropped
from tools.planning.replan import Standing

FoundT = TypeVar("FoundT")

MIP_BOUND_200 = -28_260.0
"""The bound of HiGHS 1.15 on the 200-SKU instance with lane fixed cost, after 200 s of branch and bound."""


@dataclass(frozen=True)
class Measured:
    """CPU seconds, elapsed seconds, and the process's peak memory."""

    cpu: float
    wall: float
    megabytes: int


def measured(work: Callable[[], FoundT]) -> tuple[FoundT, Measured]:
    """What the work returns, and what it took, child processes included."""
    children, own, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time(), time.perf_counter()
    found = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found, Measured(time.process_time() - own + spent, time.perf_counter() - wall, peak)


def problem_of(found: Curves, *, lanes: float = 1.0, capacity: float = math.inf) -> Coupled:
    """The coupled problem of an instance: lane fixed cost times `lanes`, and one capacity for every lane."""
    arrays = arrays_of(found)
    size = arrays.skus, arrays.sites
    return Coupled(
        arrays=arrays,
        gains=Cumulative.of(*size, arrays.receive_sku, arrays.receive_site, arrays.receive_gain),
        losses=Cumulative.of(*size, arrays.send_sku, arrays.send_site, arrays.send_loss),
        lane_cost=lanes * found.lane_cost.ravel(),
        lane_capacity=np.full(arrays.lanes, capacity),
        arc_volume=found.pack_volume[arrays.arc_sku],
        arc_least=np.ones(len(arrays.arc_sku), dtype=np.int64),
        line_cost=0.0,
        limits=SharedLimits.none(len(arrays.arc_sku), arrays.lanes),
    )


def all_together(skus: int, *, tight: bool = False) -> Coupled:
    """Everything at once: departures, capacities, docks, packs, least quantities of 2 packs, a budget.

    Docks take 85 % of what the flows without limits would use, and a lane 600 litres for
    2,000 SKUs; every fifth SKU has a least quantity. Tight: 70 %, 300 litres, every third.
    The budget pays 80 % of those flows.
    """
    share, litres, every = (0.7, 300.0, 3) if tight else (0.85, 600.0, 5)
    found = curves(skus)
    arrays = arrays_of(found, keep_segments=True)
    size = arrays.skus, arrays.sites
    free = Flows(arrays).solve().packs
    units = found.pack_size[arrays.arc_sku].astype(np.float64)
    rows: list[FloatArray] = []
    most: list[float] = []
    for site in range(SITES):
        for end in (arrays.arc_destination, arrays.arc_origin):
            weight = np.where(end == site, units, 0.0)
            rows.append(weight)
            most.append(math.floor(share * float(weight @ free)))
    used = np.zeros(arrays.lanes)
    used[arrays.arc_lane[free > 0]] = 1
    rows.append(arrays.arc_cost)
    most.append(0.8 * float(arrays.arc_cost @ free + used @ found.lane_cost.ravel()))
    departures = np.zeros((len(rows), arrays.lanes))
    departures[-1] = found.lane_cost.ravel()
    limits = SharedLimits(
        sparse.csr_array(np.stack(rows)), np.zeros(len(rows)), sparse.csr_array(departures), np.asarray(most)
    )
    least = np.where(arrays.arc_sku % every == 0, 2, 1)
    return replace(
        problem_of(found, capacity=litres * skus / 2_000),
        arrays=arrays,
        gains=Cumulative.of(*size, arrays.receive_sku, arrays.receive_site, arrays.receive_gain),
        losses=Cumulative.of(*size, arrays.send_sku, arrays.send_site, arrays.send_loss),
        arc_volume=found.pack_volume[arrays.arc_sku],
        arc_least=least,
        limits=limits,
    )


def _uncoupled_of_size(skus: int) -> tuple[float, Measured]:
    """Pruning and flows, from gains and losses on; in a process of its own, so that its peak memory is its own."""
    parts, spent = [], 0.0
    for chunk in in_chunks(skus):
        part, taken = measured(partial(arrays_of, chunk))
        parts.append(part)
        spent += taken.cpu
    arrays = joined(parts)
    result, taken = measured(lambda: float(Flows(arrays).solve().value.sum()))
    return result, replace(taken, cpu=taken.cpu + spent)


def _textbook_of_size(skus: int) -> tuple[float, Measured]:
    """The textbook model, in a process of its own for the same reason."""
    found = curves(skus)
    return measured(lambda: textbook_model(found))


def uncoupled(sizes: tuple[int, ...] = (200, 2_000, 10_000, 100_000), textbook: int = 2_000) -> None:
    """Min-cost flows alone, and the textbook model on the same instance."""
    rows = []
    context = multiprocessing.get_context("spawn")
    times: dict[int, float] = {}
    for skus in sizes:
        with context.Pool(1) as pool:
            objective, spent = pool.apply(_uncoupled_of_size, (skus,))
        times[skus] = spent.cpu
        rows.append((f"Evenkeel, {skus:,} SKUs", *_figures(objective, spent), ""))
    with context.Pool(1) as pool:
        objective, spent = pool.apply(_textbook_of_size, (textbook,))
    ratio = f"{spent.cpu / times[textbook]:,.0f} x CPU" if textbook in times else ""
    rows.append((f"textbook PuLP + CBC, {textbook:,} SKUs", *_figures(objective, spent), ratio))
    print_table(f"Uncoupled, {SITES} sites", ("", "objective", "CPU s", "wall s", "MB", "against ours"), rows)
    largest, smallest = max(times), min(times)
    if largest > smallest:
        exponent = math.log(times[largest] / times[smallest]) / math.log(largest / smallest)
        print(f"CPU grows with the number of SKUs to the power of {exponent:.3f}")


def _figures(objective: float, spent: Measured) -> tuple[str, str, str, str]:
    return f"{objective:,.2f}", f"{spent.cpu:.2f}", f"{spent.wall:.2f}", f"{spent.megabytes:,}"


def _against(ours: FastPlan, objective: float) -> str:
    return f"{objective / ours.objective:.3f} of ours"


def lane_fixed_cost(sizes: tuple[int, ...] = (200, 2_000, 10_000)) -> None:
    """Departures that cost money: where planners' rules lose it."""
    for skus in sizes:
        found = curves(skus)
        problem = problem_of(found)
        plan, spent = _planned(problem)
        rows = [_row("Evenkeel", plan, spent)]
        if skus == min(sizes) == 200:
            gap = (plan.objective - MIP_BOUND_200) / -plan.objective
            rows.append(("  against the bound of HiGHS", f"{MIP_BOUND_200:,.1f}", "", "", f"{gap * 100:.2f} %", ""))
        for name, rule in (("nearest surplus", nearest_surplus), ("largest to largest", largest_to_largest)):
            packs = rule(found, problem)
            rows.append(
                (f"{name}, all lanes paid", *_plain(problem, packs), "", _against(plan, problem.objective(packs)))
            )
        packs = dropped_bad_lanes(problem, nearest_surplus(found, problem))
        rows.append(
            (
                "nearest surplus, bad lanes dropped",
                *_plain(problem, packs),
                "",
                _against(plan, problem.objective(packs)),
            )
        )
        packs = Flows(problem.arrays).solve().packs
        rows.append(
            ("optimal flows, all lanes paid", *_plain(problem, packs), "", _against(plan, problem.objective(packs)))
        )
        print_table(f"Lane fixed cost, {skus:,} SKUs x {SITES} sites", _HEADINGS, rows)


def capacities(cases: tuple[tuple[int, float], ...] = ((2_000, 300.0), (10_000, 1_800.0))) -> None:
    """Binding lane capacities: prices and re-insertion against cutting what does not fit."""
    for skus, capacity in cases:
        problem = problem_of(curves(skus), lanes=0.0, capacity=capacity)
        plan, spent = _planned(problem)
        cut = dropped(problem, Flows(problem.arrays).solve().packs)
        rows = [
            _row("Evenkeel", plan, spent),
            ("optimal flows, cut to fit", *_plain(problem, cut), "", _against(plan, problem.objective(cut))),
        ]
        print_table(f"Lane capacity {capacity:,.0f}, {skus:,} SKUs x {SITES} sites", _HEADINGS, rows)


def everything(skus: int = 2_000) -> None:
    """All couplings at once, ordinary and tight."""
    for tight in (False, True):
        problem = all_together(skus, tight=tight)
        plan, spent = _planned(problem)
        free = Flows(problem.arrays).solve().packs
        cut = dropped(problem, np.where(free >= problem.arc_least, free, 0))
        rows = [
            _row("Evenkeel", plan, spent),
            ("optimal flows, cut to fit", *_plain(problem, cut), "", _against(plan, problem.objective(cut))),
        ]
        how = "tight" if tight else "ordinary"
        print_table(f"All couplings together, {how}, {skus:,} SKUs x {SITES} sites", _HEADINGS, rows)


def replanning(skus: int = 10_000, changes: int = 60) -> None:
    """One SKU planned again beside all others, against planning everything again."""
    problem = problem_of(curves(skus), capacity=1_800.0 * skus / 10_000)
    plan, spent = _planned(problem)
    standing, times = Standing(problem, plan.packs), []
    for sku in np.random.default_rng(5).integers(0, skus, changes).tolist():
        started = time.perf_counter()
        standing.replan(np.asarray([sku]))
        times.append(time.perf_counter() - started)
    rows = [
        ("Evenkeel, the SKU touched", f"{statistics.median(times) * 1e3:.1f}", f"{max(times) * 1e3:.1f}", "1"),
        ("everything again", f"{spent.wall * 1e3:,.0f}", "", f"{spent.wall / statistics.median(times):,.0f}"),
    ]
    print_table(f"After one decision, {skus:,} SKUs x {SITES} sites", ("", "median ms", "max ms", "x ours"), rows)


_HEADINGS = ("", "objective", "CPU s", "wall s", "gap", "share")


def _planned(problem: Coupled) -> tuple[FastPlan, Measured]:
    plan, spent = measured(lambda: plan_fast(problem))
    if not problem.fits(plan.packs):
        raise AssertionError("a plan exceeds a limit")
    return plan, spent


def _row(name: str, plan: FastPlan, spent: Measured) -> tuple[str, ...]:
    gap = f"{plan.gap * 100:.2f} %"
    return (name, f"{plan.objective:,.1f}", f"{spent.cpu:.1f}", f"{spent.wall:.1f}", gap, f"{spent.megabytes:,} MB")


def _plain(problem: Coupled, packs: IntArray) -> tuple[str, str, str]:
    return f"{problem.objective(packs):,.1f}", "", ""


def run() -> None:
    """Every table."""
    uncoupled()
    lane_fixed_cost()
    capacities()
    everything()
    replanning()
