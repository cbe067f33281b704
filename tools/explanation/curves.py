"""A quick guide to what packs are worth: where to look. What is said is priced by the evaluator, never by this.

The formulas are those of the evaluator in closed form, without displays and the
like. Where the guide is wrong, the evaluator finds out and the search is done with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from tools.demand import DemandView, FloatArray, expected_sales
from tools.inventory import Lane, SiteSku, Sku, Snapshot
from tools.money import e4_per_minor
from tools.planning import Limits
from tools.planning.calendar import NEXT, departure_at
from tools.planning.instance import pack_move_cost
from tools.planning.look_ahead import share_worth
from tools.positions import projected_units


class Curves:
    """Gains, losses and freight of one SKU's packs, in minor units. `soonest` is the first day a site can be helped."""

    def __init__(self, facts: Snapshot, limits: Limits, sku: Sku, soonest: Mapping[str, int]) -> None:
        self._facts, self._limits, self._sku = facts, limits, sku
        self._view = DemandView(facts, limits.default_horizon_days)
        self._per_minor = e4_per_minor(facts.currency)
        self._soonest = soonest

    def received(self, lane: Lane, before: int, packs: int, depart_on: date = NEXT) -> float:
        """What packs that arrive by the lane's departure save at its end when so many packs arrive there already."""
        today, wait = self._facts.as_of.date(), self._limits.approval_latency_days
        departure = departure_at(lane, today, wait, depart_on)
        if departure is None:
            return -np.inf
        key, day = SiteSku(lane.destination, self._sku.sku_id), departure.days_until_arrival
        first = min(day, self._soonest_before_supply(key, day))
        gain = float(self._gains(key, first, before, packs).sum())
        if day > first:
            gain -= packs * max(0.0, float((self._gains(key, first, 0, 1) - self._gains(key, day, 0, 1))[0]))
        return gain

    def sent(self, lane: Lane, before: int, packs: int) -> float:
        """What packs that leave by the lane cost: what its start loses when so many packs leave already, and freight."""
        key = SiteSku(lane.origin, self._sku.sku_id)
        freight = packs * pack_move_cost(self._sku, lane, self._facts.currency) + self._limits.line_charge_minor
        return float(self._losses(key, before, packs).sum()) + freight

    def _soonest_before_supply(self, key: SiteSku, otherwise: int) -> int:
        day = self._soonest.get(key.site_id, otherwise)
        return day if day < self._view.horizon_days(key) else otherwise

    def _gains(self, key: SiteSku, day: int, before: int, packs: int) -> FloatArray:
        supply = self._view.horizon_days(key)
        soon = min(day + self._limits.review_interval_days, supply)
        served = self._served(key, day, soon, before, packs)
        if soon < supply:
            at_all = self._served(key, day, supply, before, packs)
            near, far = (np.clip(units / self._sku.pack_size, 0.0, 1.0) for units in (served, at_all))
            served = self._sku.pack_size * share_worth(near, far)
        return self._money(key, served)

    def _served(self, key: SiteSku, day: int, end: int, before: int, packs: int) -> FloatArray:
        steps = np.arange(before, before + packs + 1, dtype=np.int64) * self._sku.pack_size
        position = projected_units(self._facts, key, end)
        served = np.diff(expected_sales(self._view.window(key, 0, end), position + steps))
        if day > 0:
            served = np.minimum(served, np.diff(expected_sales(self._view.window(key, day, end), steps)))
        return served

    def _losses(self, key: SiteSku, before: int, packs: int) -> FloatArray:
        end = self._view.horizon_days(key)
        steps = np.arange(before, before + packs + 1, dtype=np.int64) * self._sku.pack_size
        position = projected_units(self._facts, key, end)
        losses = self._money(key, -np.diff(expected_sales(self._view.window(key, 0, end), position - steps)))
        day = self._soonest_before_supply(key, -1)
        return losses if day < 0 else np.maximum(losses, self._gains(key, day, 0, 1))

    def _money(self, key: SiteSku, served: FloatArray) -> FloatArray:
        lost, left = self._limits.lost_e4(key), self._limits.leftover_e4(key)
        worth: FloatArray = ((lost + left) * served - left * self._sku.pack_size) / self._per_minor
        return worth
