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


def slope_scaled(problem: Coupled, flows: Flows, first: IntArray, charge: FloatArray | None = None) -> Sweep:
    """The best plan of up to 12 sweeps. `first` are the packs of the flows without charges.

    `charge` is money per pack and arc that the plan is steered by but does not pay (prices of limits).
    """
    a = problem.arrays
    extra = np.zeros(len(a.arc_sku)) if charge is None else charge
    rate = _rates(problem, first, np.zeros(a.lanes))
    rate = np.where(problem.volume(first) > 0, rate, problem.lane_cost)
    line = _line_rates(problem, first, np.full(len(a.arc_sku), problem.line_cost))
    best = Sweep(np.zeros_like(first), 0.0)
    since = 0
    for _ in range(SWEEPS_MAX):
        chosen = flows.solve(extra=extra + rate[a.arc_lane] * problem.arc_volume + line)
        again = at_true_cost(problem, flows, problem.used(chosen.packs), extra, line)
        since += 1
        for packs in (chosen.packs, again):
            objective = problem.objective(packs) + float(extra @ packs)
            if objective < best.objective - 1e-6:
                best, since = Sweep(packs, objective), 0
        if since >= WITHOUT_BETTER_MAX:
            break
        rate, line = _rates(problem, chosen.packs, rate), _line_rates(problem, chosen.packs, line)
    return best


def at_true_cost(
    problem: Coupled, flows: Flows, lanes: BoolArray, extra: FloatArray | None, line: FloatArray | None
) -> IntArray:
    """The flows on these lanes alone, departures being paid for already."""
    a = problem.arrays
    total = None if extra is None and line is None else (0.0 if extra is None else extra) + (0.0 if line is None else line)
    return flows.solve(extra=None if total is None else np.asarray(total), usable=lanes[a.arc_lane]).packs


def _rates(problem: Coupled, packs: IntArray, before: FloatArray) -> FloatArray:
    """Money per volume that recovers the departure; a lane not used keeps its rate."""
    volume = problem.volume(packs)
    return np.where(volume > 0, problem.lane_cost / np.where(volume > 0, volume, 1.0), before)


def _line_rates(problem: Coupled, packs: IntArray, before: FloatArray) -> FloatArray:
    """Money per pack that recovers the line's charge; an arc not used keeps its rate."""
    return np.where(packs > 0, problem.line_cost / np.maximum(packs, 1), before)
