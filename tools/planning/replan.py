"""Planning again after a decision or a change: only the SKUs that are touched are solved, beside all others as they stand.

What stands keeps its room on lanes, at docks and in totals; a departure that standing
lines use is paid for. A plan made so is as sound as any other, because the evaluator
checks it whole; what it lacks is a bound of its own. The bound of the plan before it
holds only where the change takes plans away and values none of them anew: a lane, site
or line that is excluded can change when a SKU arrives soonest at a site, which changes
what packs are worth there, so that the best plan may be worth more than before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from tools.inventory import LaneKey, SiteSku, Snapshot
from tools.planning.coupled import Coupled
from tools.planning.coupling import coupled_of, delivered_in_part, moves_of_packs
from tools.planning.evaluate import evaluate
from tools.planning.fast import Effort, plan_fast
from tools.planning.flow import VERSIONS, IntArray
from tools.planning.limits import Limits
from tools.planning.solution import Move, Solution
from tools.planning.table import Table, tabulate
from tools.transfers import Overlays, PlanRequest, Scope, SolveStatus, TransferPlan
from tools.whatif import assumed, is_said_of

QUICK = Effort(iterations=0, repairs=0, trials=40, failures=8, polished=500)
"""No bound and few trials: the answer is wanted while somebody waits."""


class Standing:
    """A plan's packs and the load they make, kept up to date while single SKUs are planned again."""

    def __init__(self, problem: Coupled, packs: IntArray) -> None:
        self.problem = problem
        self.packs = packs.copy()
        self._load = problem.load(packs)

    def replan(self, skus: IntArray) -> None:
        """Solve these SKUs (sorted, without doubles) again in what all others leave."""
        problem = self.problem
        for sku in skus.tolist():
            self._load = self._load.minus(problem.load_of(sku, self.packs[problem.rows_of(sku)]))
        found = plan_fast(problem.part(skus, self._load), QUICK).packs
        start = 0
        for sku in skus.tolist():
            rows = problem.rows_of(sku)
            end = start + rows.stop - rows.start
            self.packs[rows] = found[start:end]
            self._load = self._load.plus(problem.load_of(sku, found[start:end]))
            start = end


def replan(
    snapshot: Snapshot,
    limits: Limits,
    request: PlanRequest,
    standing: Sequence[Move],
    touched: frozenset[str],
    bound: float | None = None,
) -> Solution:
    """Moves for a request when all but the touched SKUs keep their standing moves.

    `bound` is the lower bound of the plan before, given only where it still holds (see
    `bound_holds`). The objective is the evaluator's. What shares a set with a touched SKU
    is touched. Standing moves that are no longer permitted show as breaches when the plan
    is made.
    """
    touched = with_sets(touched, limits)
    facts = assumed(snapshot, request.overlays)
    kept = tuple(move for move in standing if move.sku_id not in touched)
    asked = touched & frozenset(request.scope.skus) if request.scope.skus else touched
    known = tuple(sorted(sku_id for sku_id in asked if sku_id in snapshot.sku_by_id))
    moves = kept
    if known:
        narrowed = request.model_copy(update={"scope": Scope(**{**dict(request.scope), "skus": known})})
        table = tabulate(facts, limits, narrowed)
        problem = coupled_of(table, facts, limits, request, kept)
        moves = tuple(sorted((*kept, *moves_of_packs(table, _whole_sets_only(problem, table, limits)))))
    objective = evaluate(facts, limits, request, moves).objective
    status = SolveStatus.FEASIBLE if moves else SolveStatus.NOTHING_TO_MOVE
    return Solution(status, moves, objective, bound if bound is None else min(bound, objective), "fast", VERSIONS)


def _whole_sets_only(problem: Coupled, table: Table, limits: Limits) -> IntArray:
    """Packs that bring no set in part. Sets are touched whole, so no standing move is of one that the table holds."""
    packs = plan_fast(problem, QUICK).packs
    while (refused := delivered_in_part(table, limits, packs)).any():
        arc_most = np.where(refused, 0, problem.arrays.arc_most)
        problem = replace(problem, arrays=replace(problem.arrays, arc_most=arc_most))
        packs = plan_fast(problem, QUICK).packs
    return packs


def with_sets(skus: frozenset[str], limits: Limits) -> frozenset[str]:
    """The SKUs and all that come with them in whole or not at all, by way of however many sets."""
    sets = [frozenset(whole.sku_ids) for whole in limits.whole_sets]
    found = skus
    while joined := [members for members in sets if members & found and not members <= found]:
        found = found.union(*joined)
    return found


def touched_by(plan: TransferPlan, after: Overlays, snapshot: Snapshot) -> frozenset[str] | None:
    """The SKUs whose moves or their worth may change when a plan's overlays become `after`; None when that could be any.

    A lane or site that is newly forbidden touches every SKU that could travel on it, used
    or not, because another soonest arrival changes what packs are worth. What is newly
    assumed about demand touches the SKUs named, a delay of some supply the SKUs of the
    orders that it delays. Totals, delays of all supply and service levels touch everything.
    """
    before = plan.request.overlays
    everywhere = ("supply_delay_days", "service_level_bp", "transport_budget_minor", "max_units", "max_lines")
    if any(getattr(before, name) != getattr(after, name) for name in (*everywhere, "emergency_rescue")):
        return None
    given_up = [
        name
        for name in ("excluded_lanes", "excluded_sites", "excluded_skus", "excluded_lines", "receive_caps", "send_caps")
        if not set(getattr(before, name)) <= set(getattr(after, name))
    ]
    changes = set(before.demand_changes) ^ set(after.demand_changes)
    if given_up or any(not change.skus for change in changes):
        return None
    found = {sku for change in changes for sku in change.skus}
    delays = set(before.supply_delays) ^ set(after.supply_delays)
    found |= {
        row.sku_id for row in snapshot.supply if any(is_said_of(each, row.site_id, row.sku_id) for each in delays)
    }
    found |= set(after.excluded_skus) - set(before.excluded_skus)
    found |= {ref.sku_id for ref in set(after.excluded_lines) - set(before.excluded_lines)}
    for name in ("receive_caps", "send_caps"):
        found |= {cap.sku_id for cap in set(getattr(after, name)) - set(getattr(before, name))}
    sites = set(after.excluded_sites) - set(before.excluded_sites)
    refs = set(after.excluded_lanes) - set(before.excluded_lanes)
    closed = [
        lane.key
        for lane in snapshot.lanes
        if {lane.origin, lane.destination} & sites or any(ref.covers(lane.key) for ref in refs)
    ]
    found |= _travelling(snapshot, closed)
    return frozenset(sku for sku in found if sku in snapshot.sku_by_id)


def _travelling(snapshot: Snapshot, lanes: Iterable[LaneKey]) -> set[str]:
    """SKUs that have a position where one of the lanes begins and a position or a forecast where it ends."""
    ends = {(lane.origin, lane.destination) for lane in lanes}
    if not ends:
        return set()
    held: dict[str, set[str]] = {}
    carried: dict[str, set[str]] = {}
    for position in snapshot.positions:
        held.setdefault(position.site_id, set()).add(position.sku_id)
        carried.setdefault(position.site_id, set()).add(position.sku_id)
    for forecast in snapshot.forecasts:
        carried.setdefault(forecast.site_id, set()).add(forecast.sku_id)
    none: set[str] = set()
    return none.union(*(held.get(origin, none) & carried.get(destination, none) for origin, destination in ends))


def bound_holds(before: Overlays, after: Overlays) -> bool:
    """Whether no plan under `after` can be worth more than the bound found under `before` says.

    So where only SKUs are excluded or units capped: caps do not count for the soonest
    arrival at a site, and a SKU that is excluded leaves those of the others as they are.
    """
    restricting = ("excluded_skus", "receive_caps", "send_caps")
    same = all(
        getattr(before, name) == getattr(after, name) for name in Overlays.model_fields if name not in restricting
    )
    return same and all(set(getattr(before, name)) <= set(getattr(after, name)) for name in restricting)


def changed_skus(before: Snapshot, after: Snapshot) -> frozenset[str] | None:
    """The SKUs whose facts differ between two snapshots; None where facts differ that every SKU shares.

    What approved transfers have on a truck or at a dock touches what could travel there.
    """
    shared = ("currency", "sites", "lanes", "approval_latency_days", "merchandise")
    if before.as_of.date() != after.as_of.date() or any(getattr(before, n) != getattr(after, n) for n in shared):
        return None
    found: set[str] = {sku.sku_id for sku in set(before.skus) ^ set(after.skus)}
    for name in ("supply", "forecasts", "replenishments", "recent_moves", "holds"):
        old, new = getattr(before, name), getattr(after, name)
        if old is not new:
            found |= {row.sku_id for row in set(old) ^ set(new)}
    found |= {key.sku_id for key in _moved_positions(before, after)}
    return frozenset(found | _travelling(after, _with_other_room(before, after)))


def _with_other_room(before: Snapshot, after: Snapshot) -> set[LaneKey]:
    """Lanes whose truck, or the dock that they leave from, has other room because other loads are booked."""
    loads = set(before.booked) ^ set(after.booked)
    filled = {load.lane for load in loads}
    docks = {load.origin for load in loads if after.site_by_id[load.origin].outbound_units_per_day is not None}
    return {
        lane.key
        for lane in after.lanes
        if lane.origin in docks or (lane.key in filled and lane.capacity_microlitres_per_departure is not None)
    }


def _moved_positions(before: Snapshot, after: Snapshot) -> set[SiteSku]:
    """Site-SKUs whose stock differs; when it was counted does not matter."""
    old = {(p.key, p.on_hand_units, p.reserved_units) for p in before.positions}
    new = {(p.key, p.on_hand_units, p.reserved_units) for p in after.positions}
    return {row[0] for row in old ^ new}
