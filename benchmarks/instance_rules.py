"""Planners' rules and the textbook model on the synthetic instances, in packs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pulp

from benchmarks.instances import PACKS_MAX, Curves
from tools.planning.coupled import Coupled
from tools.planning.flow import FloatArray, IntArray

Choice = Callable[[IntArray, IntArray, int], int]
"""From the surplus of every site, the donors that have some, and the receiver: the donor."""


def nearest_surplus(found: Curves, problem: Coupled) -> IntArray:
    """The largest need first, from the nearest site with a surplus."""
    return _served(found, problem, lambda _, donors, j: int(donors[np.argmin(found.distance[donors, j])]))


def largest_to_largest(found: Curves, problem: Coupled) -> IntArray:
    """The largest need first, from the site with the largest surplus."""
    return _served(found, problem, lambda surplus, donors, _: int(donors[np.argmax(surplus[donors])]))


def _served(found: Curves, problem: Coupled, choose: Choice) -> IntArray:
    """Packs by arc of the pruned problem. What a rule would send by an arc that never pays is left out, in its favour."""
    gap = (found.target - found.stock) / found.pack_size[:, None]
    need = np.minimum(np.floor(np.maximum(gap, 0) + 0.5), PACKS_MAX).astype(np.int64)
    surplus = np.minimum(np.floor(np.maximum(-gap, 0)), PACKS_MAX).astype(np.int64)
    a = problem.arrays
    arc = {
        key: n
        for n, key in enumerate(zip(a.arc_sku.tolist(), a.arc_origin.tolist(), a.arc_destination.tolist(), strict=True))
    }
    packs = np.zeros(len(a.arc_sku), dtype=np.int64)
    for sku in range(len(need)):
        wanted, spare = need[sku], surplus[sku]
        while wanted.any() and spare.any():
            j = int(np.argmax(wanted))
            i = choose(spare, np.flatnonzero(spare), j)
            moved = int(min(wanted[j], spare[i]))
            row = arc.get((sku, i, j))
            if row is not None:
                packs[row] += moved
            wanted[j] -= moved
            spare[i] -= moved
    return _within_curves(problem, packs)


def _within_curves(problem: Coupled, packs: IntArray) -> IntArray:
    """The packs as far as the pruned curves reach: a pack beyond them is worth less than nothing, and is left out."""
    a = problem.arrays
    packs = packs.copy()
    for ends, curves, counted in (
        (a.arc_origin, problem.losses, problem.sent),
        (a.arc_destination, problem.gains, problem.received),
    ):
        over = counted(packs) - curves.packs
        for sku, site in np.argwhere(over > 0).tolist():
            rows = np.flatnonzero((a.arc_sku == sku) & (ends == site) & (packs > 0))
            for row in rows[::-1].tolist():
                cut = min(int(packs[row]), int(over[sku, site]))
                packs[row] -= cut
                over[sku, site] -= cut
    return packs


def dropped_bad_lanes(problem: Coupled, packs: IntArray) -> IntArray:
    """Lanes by rising number of packs; a lane whose packs are worth less than its departure goes."""
    a = problem.arrays
    count = np.bincount(a.arc_lane, packs, a.lanes)
    for lane in np.argsort(count, kind="stable").tolist():
        rest = np.where(a.arc_lane == lane, 0, packs)
        if count[lane] and problem.objective(rest) < problem.objective(packs):
            packs = rest
    return packs


def textbook_model(found: Curves) -> float:
    """The objective of the model as a textbook writes it, solved by CBC: every arc and every segment a variable.

    Lanes cost nothing and have room for everything here, so the linear model is exact.
    """
    skus, sites = found.stock.shape
    problem = pulp.LpProblem("textbook", pulp.LpMinimize)
    pairs = [(k, i, j) for k in range(skus) for i in range(sites) for j in range(sites) if i != j]
    segments = [(k, i, n) for k in range(skus) for i in range(sites) for n in range(PACKS_MAX)]
    x = problem.add_variable_dicts("x", pairs, 0, PACKS_MAX)
    received = problem.add_variable_dicts("r", segments, 0, 1)
    there = [key for key in segments if np.isfinite(found.loss[key])]
    sent = problem.add_variable_dicts("d", there, 0, 1)
    cost: FloatArray = found.pack_cost
    problem += (
        pulp.lpSum(cost[key] * x[key] for key in pairs)
        - pulp.lpSum(found.gain[key] * received[key] for key in segments)
        + pulp.lpSum(found.loss[key] * sent[key] for key in there)
    )
    for k in range(skus):
        for i in range(sites):
            others = [j for j in range(sites) if j != i]
            problem += pulp.lpSum(x[k, j, i] for j in others) == pulp.lpSum(received[k, i, n] for n in range(PACKS_MAX))
            out = [sent[k, i, n] for n in range(PACKS_MAX) if np.isfinite(found.loss[k, i, n])]
            problem += pulp.lpSum(x[k, i, j] for j in others) == pulp.lpSum(out)
    problem.solve(pulp.PULP_CBC_CMD(msg=False, threads=1))
    if problem.sol_status != pulp.LpSolutionOptimal:
        raise ArithmeticError("CBC did not prove optimality")
    value: float = pulp.value(problem.objective)
    return value
