"""What planners do without an optimiser: rules of thumb, SKU by SKU, on the same facts.

With M the mean demand until the regular supply and Mn that of the next lead time + 1
periods. TBA (transshipment by availability) and TIE (transshipment for inventory
equalisation) follow Banerjee, Burton and Banerjee (2003), A simulation study of lateral
shipments in single supplier, multiple buyers supply chain networks, International
Journal of Production Economics 81-82, with the lead time put into the trigger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.demand import FloatArray
from tools.simulation.cycle import IntArray
from tools.simulation.view import EXACT_DECIMALS, View


@dataclass(frozen=True)
class _Sku:
    """One SKU as the rules see it; arrays by site (S,), `cost` (S, S) from row to column, infinite without a lane."""

    position: IntArray
    stock: IntArray
    mean: FloatArray
    mean_next: FloatArray
    cost: FloatArray

    @property
    def short(self) -> IntArray:
        """Sites that may run out before the next transfer could arrive, the emptiest first."""
        cover = self.position / np.maximum(self.mean_next, 1e-9)
        order = np.argsort(cover, kind="stable").astype(np.int64)
        return order[self.position[order] < self.mean_next[order]]


Lines = list[tuple[int, int, int]]
"""Origin, destination, units."""


def nearest_surplus(view: View) -> IntArray:
    """The planner's rule: the emptiest site first, up to its mean demand, from the cheapest sites with more than theirs."""
    return _by_sku(view, _nearest)


def largest_to_largest(view: View) -> IntArray:
    """The largest shortage first, each time from the site with the largest surplus."""
    return _by_sku(view, _largest)


def by_availability(view: View) -> IntArray:
    """TBA: whole shortages of sites below their next demand, the largest request from the largest offer."""
    return _by_sku(view, _tba)


def by_equalisation(view: View) -> IntArray:
    """TIE: once a site falls short, all sites are brought to the same cover, the largest request from the cheapest offer."""
    return _by_sku(view, _tie)


def _by_sku(view: View, lines_of: Callable[[_Sku], Lines]) -> IntArray:
    cycle = view.cycle
    mean = view.mean(0, view.remaining)
    mean_next = view.mean(0, (cycle.site_lead_periods + 1).astype(np.float64))
    sent = np.zeros((cycle.skus, len(cycle.lanes)), dtype=np.int64)
    usable = np.flatnonzero(cycle.usable_lanes(view.period))
    for sku in np.flatnonzero((view.position < mean_next).any(axis=1)):
        # Of several lanes between two sites the cheapest is written last and stays.
        lanes = usable[np.argsort(-cycle.move_cost[sku, usable], kind="stable")]
        ends = cycle.lanes.origin[lanes], cycle.lanes.destination[lanes]
        cost = np.full((cycle.sites, cycle.sites), np.inf)
        cost[ends] = cycle.move_cost[sku, lanes]
        lane_between = np.full((cycle.sites, cycle.sites), -1, dtype=np.int64)
        lane_between[ends] = lanes
        seen = _Sku(view.position[sku], view.stock[sku], mean[sku], mean_next[sku], cost)
        for start, end, units in lines_of(seen):
            sent[sku, lane_between[start, end]] += units
    return sent


def _nearest(seen: _Sku) -> Lines:
    spare = _surplus(seen)
    lines = []
    for site in seen.short:
        want = int(np.ceil(seen.mean[site] - seen.position[site]))
        for donor in np.argsort(seen.cost[:, site], kind="stable"):
            if want <= 0 or np.isinf(seen.cost[donor, site]):
                break
            units = min(want, int(spare[donor]))
            if units > 0:
                lines.append((int(donor), int(site), units))
                spare[donor] -= units
                want -= units
    return lines


def _largest(seen: _Sku) -> Lines:
    spare = _surplus(seen)
    want = {int(site): int(np.ceil(seen.mean[site] - seen.position[site])) for site in seen.short}
    lines = []
    for site in sorted(want, key=lambda each: (-want[each], each)):
        reachable = np.flatnonzero(np.isfinite(seen.cost[:, site]))
        for donor in reachable[np.argsort(-spare[reachable], kind="stable")]:
            units = min(want[site], int(spare[donor]))
            if units > 0:
                lines.append((int(donor), site, units))
                spare[donor] -= units
                want[site] -= units
    return lines


def _tba(seen: _Sku) -> Lines:
    floor_mean = np.floor(seen.mean).astype(np.int64)
    short = seen.position < np.floor(seen.mean_next)
    request = np.where(short, floor_mean - seen.position, 0)
    offer = np.minimum(seen.position - floor_mean, seen.stock)
    return _matched(seen, request, offer, lambda _, donors: donors[np.argmax(offer[donors])])


def _tie(seen: _Sku) -> Lines:
    total_mean = seen.mean.sum()
    if not len(seen.short) or total_mean <= 0:
        return []
    share = np.round(seen.position.sum() * seen.mean / total_mean, EXACT_DECIMALS)
    balance = np.floor(share).astype(np.int64)
    request = balance - seen.position
    offer = np.minimum(seen.position - balance, seen.stock)
    return _matched(seen, request, offer, lambda site, donors: donors[np.argmin(seen.cost[donors, site])])


def _matched(seen: _Sku, request: IntArray, offer: IntArray, choice: Callable[[int, IntArray], np.int64]) -> Lines:
    """The largest request first, each time from the donor of choice; changes both arrays."""
    lines = []
    while (request >= 1).any():
        site = int(np.argmax(request))
        donors = np.flatnonzero((offer >= 1) & np.isfinite(seen.cost[:, site]))
        if not len(donors):
            request[site] = 0
            continue
        donor = int(choice(site, donors))
        units = int(min(request[site], offer[donor]))
        lines.append((donor, site, units))
        request[site] -= units
        offer[donor] -= units
    return lines


def _surplus(seen: _Sku) -> IntArray:
    spare: IntArray = np.minimum(np.floor(seen.position - seen.mean).astype(np.int64), seen.stock)
    return np.maximum(spare, 0)
