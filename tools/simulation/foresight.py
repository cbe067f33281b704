"""Perfect foresight: the least a cycle can cost anybody, because nobody knows demand beforehand.

What demand comes before the first transfer can arrive is served where the stock lies;
after that, stock left over its site's own demand moves to where demand is left over.
Exact for lanes of one lead time; a lower bound where lead times differ. Lanes are free
of charge by themselves here, so with lane costs it is a bound again.
"""

from __future__ import annotations

import numpy as np

from tools.demand import FloatArray
from tools.planning.flow import Flows
from tools.simulation.cycle import Cycle, IntArray
from tools.simulation.optimised import plain_transport
from tools.simulation.view import View


def foresight_moves(cycle: Cycle) -> IntArray:
    """(K, L): what somebody who knows all demand would send at the first decision."""
    short, spare = _ends(cycle)
    view = View.at(cycle, 1, spare)
    arrays = plain_transport(view, short, spare)
    moved = np.zeros((cycle.skus, len(cycle.lanes)), dtype=np.int64)
    moved[arrays.arc_sku, arrays.arc_lane] = Flows(arrays).solve().packs
    return moved


def foresight_cost(cycle: Cycle) -> FloatArray:
    """(K,): the least possible cost by SKU."""
    moved = foresight_moves(cycle)
    total = cycle.demand.sum(axis=(1, 2))
    _, spare = _ends(cycle)
    sold = cycle.stock.sum(axis=1) - spare.sum(axis=1) + moved.sum(axis=1)
    left = cycle.stock.sum(axis=1) - sold
    prices = np.where(moved > 0, cycle.move_cost, 0.0)
    cost: FloatArray = cycle.lost_cost * (total - sold) + cycle.left_cost * left + (moved * prices).sum(axis=1)
    return cost


def foresight_lost(cycle: Cycle) -> IntArray:
    """(K,): units of demand that even foresight cannot serve."""
    _, spare = _ends(cycle)
    sold = cycle.stock.sum(axis=1) - spare.sum(axis=1) + foresight_moves(cycle).sum(axis=1)
    lost: IntArray = cycle.demand.sum(axis=(1, 2)) - sold
    return lost


def _ends(cycle: Cycle) -> tuple[IntArray, IntArray]:
    """(K, S) each: demand that a transfer could still serve, and stock that its own site will not need.

    A site served only by a transfer in period 1 + lead time or later first uses up its stock.
    """
    arrival = np.minimum(cycle.site_lead_periods + 1, cycle.periods)
    cumulated = np.concatenate(
        (np.zeros((cycle.skus, 1, cycle.sites), dtype=np.int64), np.cumsum(cycle.demand, axis=1)), axis=1
    )
    before = cumulated[:, arrival, np.arange(cycle.sites)]
    kept = np.maximum(cycle.stock - before, 0)
    after = cumulated[:, -1] - before
    return np.maximum(after - kept, 0), np.maximum(kept - after, 0)
