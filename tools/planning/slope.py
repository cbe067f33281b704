"""Plans that pay for their departures and lines: slope scaling over the SKUs' flows.

A fixed cost is replaced by a charge per unit, set so that it would be recovered exactly
if the same volume moved again; the flows are solved under that charge, and once more at
true cost on the lanes they chose (Kim and Pardalos 1999, Operations Research Letters
24, p. 195-203). Later sweeps drift, so the best plan of all sweeps is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.planning.coupled import Coupled
from tools.planning.flow import BoolArray, FloatArray, Flows, IntArray

SWEEPS_MAX = 12
WITHOUT_BETTER_MAX = 3


@dataclass(frozen=True)
class Sweep:
    """A plan that ignores capacities and shared limits, and its objective."""

    packs: IntArray
    objective: float


def slope_scaled(problem: Coupled, flows: Flows, first: IntArray, charge: FloatArray, line_price: float) -> Sweep:
    """The best plan of up to 12 sweeps. `first` are the packs of the flows without charges.

    `charge` is money per pack and arc that the plan is steered by but does not pay (prices of limits); so is
    what `line_price` exceeds the line's charge by.
    """
    a = problem.arrays
    rate = _rates(problem, first, np.zeros(a.lanes))
    rate = np.where(problem.volume(first) > 0, rate, problem.lane_cost)
    line = line_price / problem.worth_moving
    best = Sweep(np.zeros_like(first), 0.0)
    since = 0
    for _ in range(SWEEPS_MAX):
        chosen = flows.solve(extra=charge + rate[a.arc_lane] * problem.arc_volume + line)
        again = at_true_cost(problem, flows, problem.used(chosen.packs), charge + line)
        since += 1
        for packs in (chosen.packs, again):
            lines = (line_price - problem.line_cost) * np.count_nonzero(packs)
            objective = problem.objective(packs) + float(charge @ packs) + lines
            if objective < best.objective - 1e-6:
                best, since = Sweep(packs, objective), 0
        if since >= WITHOUT_BETTER_MAX:
            break
        rate, line = _rates(problem, chosen.packs, rate), _line_rates(line_price, chosen.packs, line)
    return best


def at_true_cost(problem: Coupled, flows: Flows, lanes: BoolArray, charge: FloatArray) -> IntArray:
    """The flows on these lanes alone, departures being paid for already."""
    return flows.solve(extra=charge, usable=lanes[problem.arrays.arc_lane]).packs


def _rates(problem: Coupled, packs: IntArray, before: FloatArray) -> FloatArray:
    """Money per volume that recovers the departure; a lane not used keeps its rate."""
    volume = problem.volume(packs)
    return np.where(volume > 0, problem.lane_cost / np.where(volume > 0, volume, 1.0), before)


def _line_rates(line_price: float, packs: IntArray, before: FloatArray) -> FloatArray:
    """Money per pack that recovers the line's price; an arc not used keeps its rate."""
    return np.where(packs > 0, line_price / np.maximum(packs, 1), before)
