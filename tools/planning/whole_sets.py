"""Sets that are delivered in whole or not at all, on the fast path: what a flow brings in part is completed where that pays.

Flows know single SKUs. Where they bring some of a set to a site and not the rest, the
rest is added by the cheapest ways that fit, at least quantities, and the whole set is
kept if it is worth more than none of it.
"""

from __future__ import annotations

from itertools import chain

import numpy as np

from tools.planning.coupled import Coupled
from tools.planning.coupling import delivered_in_part
from tools.planning.flow import IntArray
from tools.planning.limits import Limits
from tools.planning.table import Table


def completed(table: Table, problem: Coupled, limits: Limits, packs: IntArray) -> IntArray:
    """The packs with every set that they bring in part completed, where that fits and pays; the others are as before."""
    if not delivered_in_part(table, limits, packs).any():
        return packs
    sku_number = {sku.sku_id: number for number, sku in enumerate(table.skus)}
    site_number = {site: number for number, site in enumerate(table.sites)}
    for whole in limits.whole_sets:
        site = site_number[whole.site_id]
        members = [sku_number[sku] for sku in whole.sku_ids if sku in sku_number]
        into = list(chain.from_iterable(_ways_into(problem, sku, site) for sku in members))
        brought = {table.skus[problem.arrays.arc_sku[arc]].sku_id for arc in into if packs[arc] > 0}
        missing = [sku for sku in whole.missing if sku not in brought]
        if not brought or not missing:
            continue
        without = packs.copy()
        without[into] = 0
        whole_set = packs
        for sku in missing:
            if sku not in sku_number:
                break
            added = _cheapest(problem, whole_set, sku_number[sku], site)
            if added is None:
                break
            whole_set = added
        else:
            if problem.objective(whole_set) < problem.objective(without):
                packs = whole_set
    return packs


def _ways_into(problem: Coupled, sku: int, site: int) -> list[int]:
    rows = problem.rows_of(sku)
    found = rows.start + np.flatnonzero(problem.arrays.arc_destination[rows] == site)
    return [int(arc) for arc in found]


def _cheapest(problem: Coupled, packs: IntArray, sku: int, site: int) -> IntArray | None:
    """The packs with the least quantity of the SKU brought to the site by the cheapest way that fits, if there is one."""
    a = problem.arrays
    best, best_cost = None, np.inf
    sent, received = problem.sent(packs)[sku], problem.received(packs)[sku]
    for arc in _ways_into(problem, sku, site):
        origin, count = int(a.arc_origin[arc]), max(int(problem.arc_least[arc]), 1)
        room = count <= a.arc_most[arc] and received[site] + count <= problem.gains.packs[sku, site]
        there = sent[origin] + count <= problem.losses.packs[sku, origin]
        if not (room and there) or received[origin] or sent[site]:
            continue
        trial = packs.copy()
        trial[arc] += count
        cost = problem.objective(trial)
        if cost < best_cost and problem.fits(trial):
            best, best_cost = trial, cost
    return best
