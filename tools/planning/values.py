"""What each further pack is worth to a site-SKU: the gain of receiving it, the loss of sending it.

Gains and losses are differences of the expected cost

    C(y) = p E[max(D - y, 0)] + h E[max(y - D, 0)]

which is convex in the position y, so gains fall and losses rise with every pack. A donor
counts all demand until its regular supply. A receiver looks ahead: a pack that is wanted
before the next decision could still help (arrival + review interval) counts in full, one
that is wanted only after that can wait for what is known then (`look_ahead`). Planning
with one long horizon at both ends churns stock; see docs/decisions/0004.

All money here is float in minor units; integers come back when the plan is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tools.demand import DemandView, FloatArray, expected_sales_of
from tools.demand_table import IntArray
from tools.inventory import SiteSku, Sku, Snapshot
from tools.money import e4_per_minor
from tools.planning.limits import Limits
from tools.planning.look_ahead import share_worth
from tools.positions import available_units_of, projected_units_of


class ValueOfPacks:
    """Gains and losses by pack for the site-SKUs of one snapshot. Rows are site-SKUs, columns are packs."""

    def __init__(self, snapshot: Snapshot, limits: Limits) -> None:
        self._snapshot = snapshot
        self._limits = limits
        self._view = DemandView(snapshot, limits.default_horizon_days)
        self._per_minor = e4_per_minor(snapshot.currency)

    def horizon_days(self, key: SiteSku) -> int:
        """Days until the regular supply."""
        return self._view.horizon_days(key)

    def horizons(self, keys: Sequence[SiteSku]) -> IntArray:
        """Days until the regular supply of every key."""
        return self._view.horizons(keys)

    def gains(self, key: SiteSku, sku: Sku, arrival_day: int, packs: int) -> tuple[float, ...]:
        """The gain of each of the first `packs` packs that arrive at one site-SKU on `arrival_day`."""
        size, day = np.asarray([sku.pack_size]), np.asarray([arrival_day])
        return tuple(self.gains_of([key], size, day, packs)[0].tolist())

    def losses(self, key: SiteSku, sku: Sku, first_gain: float, packs: int) -> tuple[float, ...]:
        """The loss of each of the first `packs` packs that one site-SKU sends."""
        return tuple(self.losses_of([key], np.asarray([sku.pack_size]), np.asarray([first_gain]), packs)[0].tolist())

    def gains_of(self, keys: Sequence[SiteSku], pack_size: IntArray, arrival_day: IntArray, packs: int) -> FloatArray:
        """Gains of the first `packs` packs: shape (keys, packs).

        A pack is decided on as a whole, so its chances of being wanted, soon and at all,
        are the mean of its units'. Both fall with every pack, and so does the gain.
        """
        supply = self.horizons(keys)
        soon = np.minimum(arrival_day + self._limits.review_interval_days, supply)
        served = self._served_in_time(keys, pack_size, arrival_day, soon, packs)
        waits = np.flatnonzero(soon < supply)
        if len(waits):
            those, size = [keys[row] for row in waits.tolist()], pack_size[waits]
            at_all = self._served_in_time(those, size, arrival_day[waits], supply[waits], packs)
            near, far = (np.clip(units / size[:, None], 0.0, 1.0) for units in (served[waits], at_all))
            served[waits] = size[:, None] * share_worth(near, far)
        lost, left = self._costs(keys)
        gains: FloatArray = (lost + left)[:, None] * served - (left * pack_size)[:, None]
        return self._with_displays(gains, keys, np.arange(packs + 1, dtype=np.int64) * pack_size[:, None])

    def losses_of(self, keys: Sequence[SiteSku], pack_size: IntArray, first_gain: FloatArray, packs: int) -> FloatArray:
        """Losses of the first `packs` packs sent: shape (keys, packs).

        A loss is never below the site's own first gain, else a site would both send and
        receive. What a unit earns by leaving in time comes off after that.
        """
        horizon = self.horizons(keys)
        steps = np.arange(packs + 1, dtype=np.int64) * pack_size[:, None]
        position = projected_units_of(self._snapshot, keys, horizon)
        missed = -self._served(keys, np.zeros_like(horizon), horizon, position[:, None] - steps)
        lost, left = self._costs(keys)
        loss: FloatArray = (lost + left)[:, None] * missed - (left * pack_size)[:, None]
        loss = np.maximum(-self._with_displays(-loss, keys, -steps), first_gain[:, None])
        if self._limits.leave_e4:
            leaving = np.asarray([self._limits.leave_e4.get(key, 0) for key in keys]) * pack_size / self._per_minor
            loss -= leaving[:, None]
        return loss

    def _served_in_time(
        self, keys: Sequence[SiteSku], pack_size: IntArray, arrival_day: IntArray, end: IntArray, packs: int
    ) -> FloatArray:
        """Expected sales of each of the first `packs` packs received, until the day before `end`.

        A pack that arrives after some demand has passed cannot serve it: it sells at most
        what it would against the demand from its arrival on.
        """
        steps = np.arange(packs + 1, dtype=np.int64) * pack_size[:, None]
        position = projected_units_of(self._snapshot, keys, end)
        served = self._served(keys, np.zeros_like(end), end, position[:, None] + steps)
        late = np.flatnonzero(arrival_day > 0)
        if len(late):
            those = [keys[row] for row in late.tolist()]
            after_arrival = self._served(those, arrival_day[late], end[late], steps[late])
            served[late] = np.minimum(served[late], after_arrival)
        return served

    def _served(self, keys: Sequence[SiteSku], first: IntArray, end: IntArray, units: IntArray) -> FloatArray:
        """Expected sales of every next step of `units` (keys, steps + 1) in the days first..end-1."""
        mean, variance = self._view.windows(keys, first, end)
        return np.diff(expected_sales_of(mean[:, None], variance[:, None], units), axis=1)

    def _costs(self, keys: Sequence[SiteSku]) -> tuple[FloatArray, FloatArray]:
        """What a lost and what a leftover unit costs at each key."""
        lost = np.asarray([self._limits.lost_e4(key) for key in keys], dtype=np.float64) / self._per_minor
        left = np.asarray([self._limits.leftover_e4(key) for key in keys], dtype=np.float64) / self._per_minor
        return lost, left

    def _with_displays(self, gains: FloatArray, keys: Sequence[SiteSku], steps: IntArray) -> FloatArray:
        """The gains, and what a soft minimum display saves as the available units change by `steps`."""
        shown = [row for row, key in enumerate(keys) if key in self._limits.displays] if self._limits.displays else []
        if shown:
            those = [keys[row] for row in shown]
            units = np.asarray([self._limits.displays[key].units for key in those])
            cost = np.asarray([self._limits.displays[key].shortfall_e4 for key in those]) / self._per_minor
            there = available_units_of(self._snapshot, those)
            short = np.maximum((units - there)[:, None] - steps[shown], 0)
            gains[shown] -= np.diff(short, axis=1) * cost[:, None]
        return gains


def while_useful(
    curve: Callable[[IntArray, int], FloatArray], most: IntArray, threshold: FloatArray, spare: IntArray
) -> tuple[IntArray, FloatArray]:
    """Of falling curves the values above `threshold`, and `spare` more; how many of each, and all of them end to end.

    `curve(rows, packs)` gives the first packs of some rows. Twice as many are looked at each time: only a value
    at or below the threshold shows that the useful ones have ended.
    """
    count = np.zeros(len(most), dtype=np.int64)
    found: list[tuple[IntArray, FloatArray]] = []
    rows, packs = np.flatnonzero(most > 0), 16
    while len(rows):
        values = curve(rows, packs)
        useful = (np.cumprod(values > threshold[rows, None] + 1e-9, axis=1)).sum(axis=1)
        done = (np.minimum(useful, most[rows]) + np.maximum(spare[rows], 1) <= packs) | (most[rows] <= packs)
        ready = rows[done]
        count[ready] = np.minimum(useful[done] + spare[ready], np.minimum(most[ready], packs))
        found.append((ready, values[done]))
        rows, packs = rows[~done], packs * 2
    start = np.concatenate(([0], np.cumsum(count)))
    flat = np.empty(int(start[-1]))
    for ready, values in found:
        inside = np.arange(values.shape[1]) < count[ready, None]
        places = start[ready, None] + np.arange(values.shape[1])
        flat[places[inside]] = values[inside]
    return count, flat
