"""Fitting knobs by simulation, always on other cycles than those that are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.simulation.cycle import Cycle
from tools.simulation.model import play
from tools.simulation.optimised import Knobs, Ours

AS_PLANNED = (Knobs(),)
"""The planner's own rule: there is nothing to fit."""
NEAR_HORIZONS = tuple(
    Knobs(near, None, caution) for near in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0) for caution in (0.0, 0.15, 0.3)
)
LANE_DAYS = (Knobs(lane_caution=0.5), Knobs(lane_caution=1.0))
"""Where lanes cost money the question is how long goods should wait for each other: what hurdle a departure must clear."""


@dataclass(frozen=True)
class Fold:
    """Cycles to score, and the cycles that their knobs are fitted on."""

    scored: tuple[Cycle, ...]
    held_out: tuple[Cycle, ...]


def fit(cycles: Sequence[Cycle], grid: Sequence[Knobs]) -> Knobs:
    """The knobs with the least total cost over the cycles; of equal ones the first. Raises ValueError without a choice."""
    if not cycles or not grid:
        raise ValueError("knobs are fitted on at least one cycle, from at least one choice")
    costs = [sum(play(cycle, Ours(knobs)).total_cost for cycle in cycles) for knobs in grid]
    return grid[int(np.argmin(costs))]


def crossed(cycles: Sequence[Cycle]) -> tuple[Fold, ...]:
    """Two folds, so that every cycle is scored once, with knobs fitted on the others.

    Cycles are dealt out in turn, neighbours apart. A single cycle is split by its SKUs.
    Raises ValueError where there is only one SKU in one cycle.
    """
    if len(cycles) > 1:
        parts = [tuple(cycles[first::2]) for first in (0, 1)]
    elif cycles and cycles[0].skus > 1:
        parts = [(cycles[0].only(np.arange(first, cycles[0].skus, 2)),) for first in (0, 1)]
    else:
        raise ValueError("one SKU in one cycle cannot be both fitted on and scored")
    return (Fold(parts[0], parts[1]), Fold(parts[1], parts[0]))
