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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.demand import DemandSources, DemandView, FloatArray, expected_sales_of
from tools.demand_table import IntArray
from tools.inventory import SiteSku, Sku, Snapshot
from tools.money import e4_per_minor
from tools.planning.limits import Limits
from tools.planning.look_ahead import share_worth
from tools.positions import Projection

LOOKED_AT_FIRST = 4
"""Packs of a curve that are looked at before twice as many: most site-SKUs want one or two."""


@dataclass(frozen=True)
class SiteSkuFacts:
    """What packs are valued by at site-SKUs: shape (keys,) throughout. Looked up once, and asked for many times.

    `lost` and `left` are what a lost and a leftover unit cost, in minor units; `leave` is
    what a unit earns by leaving.
    """

    keys: NDArray[np.object_]
    horizon: IntArray
    demand: DemandSources
    stock: Projection
    lost: FloatArray
    left: FloatArray
    leave: FloatArray

    def at(self, rows: IntArray) -> SiteSkuFacts:
        """Those of some of the keys, by their numbers."""
        return SiteSkuFacts(
            self.keys[rows], self.horizon[rows], self.demand.at(rows), self.stock.at(rows),
            self.lost[rows], self.left[rows], self.leave[rows],
        )  # fmt: skip


class ValueOfPacks:
    """Gains and losses by pack for the site-SKUs of one snapshot. Rows are site-SKUs, columns are packs."""

    def __init__(self, snapshot: Snapshot, limits: Limits) -> None:
        self._snapshot = snapshot
        self._limits = limits
        self._view = DemandView(snapshot, limits.default_horizon_days)
        self._per_minor = e4_per_minor(snapshot.currency)

    def facts(self, keys: Sequence[SiteSku]) -> SiteSkuFacts:
        """What the packs of these site-SKUs are valued by. What is neither stocked nor sold somewhere costs nothing there."""
        limits, count = self._limits, len(keys)
        held, sold = self._snapshot.position_by_key, self._snapshot.forecast_by_key
        lost, left, leave = np.zeros((3, count))
        for row, key in enumerate(keys):
            if key in held or key in sold:
                lost[row], left[row] = limits.lost_e4(key), limits.leftover_e4(key)
        if limits.leave_e4:
            leave[:] = [limits.leave_e4.get(key, 0) for key in keys]
        return SiteSkuFacts(
            np.fromiter(keys, dtype=np.object_, count=count), self._view.horizons(keys), self._view.sources(keys),
            Projection.of(self._snapshot, keys), lost / self._per_minor, left / self._per_minor, leave / self._per_minor,
        )  # fmt: skip

    def gains(self, key: SiteSku, sku: Sku, arrival_day: int, packs: int) -> tuple[float, ...]:
        """The gain of each of the first `packs` packs that arrive at one site-SKU on `arrival_day`."""
        size, day = np.asarray([sku.pack_size]), np.asarray([arrival_day])
        return tuple(self.gains_of(self.facts([key]), size, day, range(packs))[0].tolist())

    def losses(self, key: SiteSku, sku: Sku, first_gain: float, packs: int) -> tuple[float, ...]:
        """The loss of each of the first `packs` packs that one site-SKU sends."""
        size, gain = np.asarray([sku.pack_size]), np.asarray([first_gain])
        return tuple(self.losses_of(self.facts([key]), size, gain, range(packs))[0].tolist())

    def gains_of(self, facts: SiteSkuFacts, pack_size: IntArray, arrival_day: IntArray, packs: range) -> FloatArray:
        """Gains of these packs, numbered from 0 in the order received: shape (keys, packs).

        A pack is decided on as a whole, so its chances of being wanted, soon and at all,
        are the mean of its units'. Both fall with every pack, and so does the gain.
        """
        supply = facts.horizon
        soon = np.minimum(arrival_day + self._limits.review_interval_days, supply)
        steps = _steps(packs, pack_size)
        served = self._served_in_time(facts, arrival_day, soon, steps)
        waits = np.flatnonzero(soon < supply)
        if len(waits):
            size = pack_size[waits, None]
            at_all = self._served_in_time(facts.at(waits), arrival_day[waits], supply[waits], steps[waits])
            near, far = (np.clip(units / size, 0.0, 1.0) for units in (served[waits], at_all))
            served[waits] = size * share_worth(near, far)
        gains: FloatArray = (facts.lost + facts.left)[:, None] * served - (facts.left * pack_size)[:, None]
        return self._with_displays(gains, facts, steps)

    def losses_of(self, facts: SiteSkuFacts, pack_size: IntArray, first_gain: FloatArray, packs: range) -> FloatArray:
        """Losses of these packs, numbered from 0 in the order sent: shape (keys, packs).

        A loss is never below the site's own first gain, else a site would both send and
        receive. What a unit earns by leaving in time comes off after that.
        """
        steps = _steps(packs, pack_size)
        position = facts.stock.units(facts.horizon)
        missed = -self._served(facts, np.zeros_like(facts.horizon), facts.horizon, position[:, None] - steps)
        loss: FloatArray = (facts.lost + facts.left)[:, None] * missed - (facts.left * pack_size)[:, None]
        loss = np.maximum(-self._with_displays(-loss, facts, -steps), first_gain[:, None])
        return loss - (facts.leave * pack_size)[:, None]

    def _served_in_time(self, facts: SiteSkuFacts, arrival_day: IntArray, end: IntArray, steps: IntArray) -> FloatArray:
        """Expected sales of each pack received, which make `steps` units, until the day before `end`.

        A pack that arrives after some demand has passed cannot serve it: it sells at most
        what it would against the demand from its arrival on.
        """
        served = self._served(facts, np.zeros_like(end), end, facts.stock.units(end)[:, None] + steps)
        late = np.flatnonzero(arrival_day > 0)
        if len(late):
            after_arrival = self._served(facts.at(late), arrival_day[late], end[late], steps[late])
            served[late] = np.minimum(served[late], after_arrival)
        return served

    def _served(self, facts: SiteSkuFacts, first: IntArray, end: IntArray, units: IntArray) -> FloatArray:
        """Expected sales of every next step of `units` (keys, steps + 1) in the days first..end-1."""
        mean, variance = self._view.windows_of(facts.demand, first, end)
        return np.diff(expected_sales_of(mean[:, None], variance[:, None], units), axis=1)

    def _with_displays(self, gains: FloatArray, facts: SiteSkuFacts, steps: IntArray) -> FloatArray:
        """The gains, and what a soft minimum display saves as the available units change by `steps`."""
        displays = self._limits.displays
        shown = [row for row, key in enumerate(facts.keys) if key in displays] if displays else []
        if shown:
            asked = [displays[facts.keys[row]] for row in shown]
            cost = np.asarray([display.shortfall_e4 for display in asked]) / self._per_minor
            missing = np.asarray([display.units for display in asked]) - facts.stock.available[shown]
            short = np.maximum(missing[:, None] - steps[shown], 0)
            gains[shown] -= np.diff(short, axis=1) * cost[:, None]
        return gains


def _steps(packs: range, pack_size: IntArray) -> IntArray:
    """Units before each of the packs and after the last: shape (keys, packs + 1)."""
    return np.arange(packs.start, packs.stop + 1, dtype=np.int64) * pack_size[:, None]


def while_useful(
    curve: Callable[[IntArray, range], FloatArray], most: IntArray, threshold: FloatArray, spare: IntArray
) -> tuple[IntArray, FloatArray]:
    """Of falling curves the values above `threshold`, and `spare` more; how many of each, and all of them end to end.

    `curve(rows, packs)` gives these packs of some rows. As many again are looked at each time: only a value
    at or below the threshold shows that the useful ones have ended.
    """
    count, useful = np.zeros(len(most), dtype=np.int64), np.zeros(len(most), dtype=np.int64)
    found: list[tuple[IntArray, range, FloatArray]] = []
    rows, packs = np.flatnonzero(most > 0), range(LOOKED_AT_FIRST)
    while len(rows):
        values = curve(rows, packs)
        going_on = useful[rows] == packs.start
        useful[rows] += going_on * np.cumprod(values > threshold[rows, None] + 1e-9, axis=1).sum(axis=1)
        count[rows] = np.minimum(useful[rows] + spare[rows], np.minimum(most[rows], packs.stop))
        found.append((rows, packs, values))
        ended = (np.minimum(useful[rows], most[rows]) + np.maximum(spare[rows], 1) <= packs.stop) | (
            most[rows] <= packs.stop
        )
        rows, packs = rows[~ended], range(packs.stop, 2 * packs.stop)
    start = np.cumsum(count) - count
    flat = np.empty(int(count.sum()))
    for rows, packs, values in found:
        number = np.asarray(packs)
        inside = number < count[rows, None]
        flat[(start[rows, None] + number)[inside]] = values[inside]
    return count, flat
