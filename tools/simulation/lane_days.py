"""Which lanes to use in a period when each costs something by itself, all its SKUs together.

Slope scaling finds a set of lanes (Kim and Pardalos, 1999, A solution approach to the
fixed charge network flow problem using a dynamic slope scaling procedure, Operations
Research Letters 24(4)): the fixed cost is spread over the units that used the lane last
time, until lanes and units agree. Local search then closes and opens single lanes, and
solves only the SKUs that could use them again, until nothing helps. The best plan, or no
transfer at all, is taken. Effort is counted in sweeps and rounds, never in seconds.
"""

from __future__ import annotations

import numpy as np

from tools.demand import FloatArray
from tools.planning.flow import FlowArrays, Flows
from tools.simulation.cycle import BoolArray, IntArray

SWEEPS = 8
ROUNDS = 4
UNUSED_SHARE = 1.0 / 3.0
"""What a lane that nobody used in the first sweep costs a unit, as a share of its cost."""
BETTER = 1e-9


def ship_by_lane_days(arrays: FlowArrays, day_cost: FloatArray) -> IntArray:
    """Units by arc of the best plan found; `day_cost` (L,) is paid for each lane used."""
    if not len(arrays.arc_lane):
        return np.zeros(0, dtype=np.int64)
    flows = Flows(arrays)
    best = _Plan(flows, day_cost, np.zeros(arrays.lanes, dtype=np.bool_))
    rate: FloatArray | None = None
    for _ in range(SWEEPS):
        swept = flows.solve(extra=None if rate is None else rate[arrays.arc_lane])
        if not swept.packs.any():
            break
        units = _lane_units(arrays, swept.packs)
        plan = _Plan(flows, day_cost, units > 0)
        if plan.total < best.total - BETTER:
            best = plan
        unused = day_cost * UNUSED_SHARE if rate is None else rate
        rate = np.where(units > 0, day_cost / np.maximum(units, 1), unused)
    best.search()
    return flows.solve(usable=best.lanes[arrays.arc_lane]).packs


class _Plan:
    """The best flows over a set of open lanes at true cost, by SKU, and what it comes to with the lanes' own cost.

    Lanes that no flow uses are closed again.
    """

    def __init__(self, flows: Flows, day_cost: FloatArray, lanes: BoolArray) -> None:
        self._flows, self._day_cost = flows, day_cost
        solved = flows.solve(usable=lanes[flows.arrays.arc_lane])
        self.lanes = _lane_units(flows.arrays, solved.packs) > 0
        self._values = solved.value
        self.total = float(self._values.sum() + day_cost[self.lanes].sum())

    def search(self) -> None:
        """Close and open lanes one at a time while that helps; the emptiest for their money are tried first."""
        arrays = self._flows.arrays
        earning = np.zeros(arrays.lanes)
        np.add.at(earning, arrays.arc_lane, np.maximum(arrays.arc_margin, 0.0))
        known = np.unique(arrays.arc_lane)
        rank = earning / np.maximum(self._day_cost, 1e-9)
        for _ in range(ROUNDS):
            # Open lanes first; a stable order makes the plan the same every time.
            order = known[np.lexsort((rank[known], ~self.lanes[known]))]
            helped = [self._flip(int(lane)) for lane in order]
            if not any(helped):
                return

    def _flip(self, lane: int) -> bool:
        """Open a closed lane or close an open one, if that helps."""
        arrays = self._flows.arrays
        skus = np.unique(arrays.arc_sku[arrays.arc_lane == lane])
        lanes = self.lanes.copy()
        lanes[lane] = not lanes[lane]
        solved = self._flows.solve(usable=lanes[arrays.arc_lane], skus=skus)
        change = float(solved.value[skus].sum() - self._values[skus].sum())
        change += self._day_cost[lane] if lanes[lane] else -self._day_cost[lane]
        if change > -BETTER:
            return False
        self.lanes = lanes
        self._values[skus] = solved.value[skus]
        self.total += change
        return True


def _lane_units(arrays: FlowArrays, packs: IntArray) -> IntArray:
    units = np.zeros(arrays.lanes, dtype=np.int64)
    np.add.at(units, arrays.arc_lane, packs)
    return units
