"""Planning again after a decision or a change: only the SKUs that are touched are solved, beside all others as they stand.

What stands keeps its room on lanes, at docks and in totals; a departure that standing
lines use is paid for. A plan made so is as sound as any other, because the evaluator
checks it whole; what it lacks is a bound of its own. Where the change only forbids
things, the bound of the plan before it still holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from tools.inventory import SiteSku, Snapshot
from tools.planning.coupled import Coupled
from tools.planning.coupling import coupled_of, delivered_in_part, moves_of_packs
from tools.planning.evaluate import evaluate
from tools.planning.fast import Effort, plan_fast
from tools.planning.flow import VERSIONS, IntArray
from tools.planning.limits import Limits
from tools.planning.solution import Move, Solution
from tools.planning.table import tabulate
from tools.transfers import Overlays, PlanRequest, Scope, SolveStatus, TransferPlan
from tools.whatif import assumed

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

    `bound` is the lower bound of the plan before, given only where everything that has
    changed since is a restriction. The objective is the evaluator's. Standing moves that
    are no longer permitted show as breaches when the plan is made.
    """
    facts = assumed(snapshot, request.overlays)
    kept = tuple(move for move in standing if move.sku_id not in touched)
    asked = touched & frozenset(request.scope.skus) if request.scope.skus else touched
    known = tuple(sorted(sku_id for sku_id in asked if sku_id in snapshot.sku_by_id))
    moves = kept
    if known:
        narrowed = request.model_copy(update={"scope": Scope(**{**dict(request.scope), "skus": known})})
        table = tabulate(facts, limits, narrowed)
        problem = coupled_of(table, facts, limits, request, kept)
        found = plan_fast(problem, QUICK)
        if not delivered_in_part(table, limits, found.packs).any():
            moves = tuple(sorted((*kept, *moves_of_packs(table, found.packs))))
    objective = evaluate(facts, limits, request, moves).objective
    status = SolveStatus.FEASIBLE if moves else SolveStatus.NOTHING_TO_MOVE
    return Solution(status, moves, objective, bound if bound is None else min(bound, objective), "fast", VERSIONS)


def touched_by(plan: TransferPlan, after: Overlays, snapshot: Snapshot) -> frozenset[str] | None:
    """The SKUs whose moves may change when a plan's overlays become `after`; None when that could be any.

    What is newly forbidden touches the SKUs with a line in it. What is newly assumed
    about demand touches the SKUs named. Totals, delays and service levels touch everything.
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
    found |= set(after.excluded_skus) - set(before.excluded_skus)
    found |= {ref.sku_id for ref in set(after.excluded_lines) - set(before.excluded_lines)}
    for name in ("receive_caps", "send_caps"):
        found |= {cap.sku_id for cap in set(getattr(after, name)) - set(getattr(before, name))}
    sites, lanes = set(after.excluded_sites) - set(before.excluded_sites), set(after.excluded_lanes)
    for line in plan.lines:
        if {line.origin, line.destination} & sites or any(lane.covers(line.lane) for lane in lanes):
            found.add(line.sku_id)
    return frozenset(sku for sku in found if sku in snapshot.sku_by_id)


def only_forbids(before: Overlays, after: Overlays) -> bool:
    """Whether `after` assumes nothing new about the world, so that a bound found before still holds."""
    return before.demand_changes == after.demand_changes


def changed_skus(before: Snapshot, after: Snapshot) -> frozenset[str] | None:
    """The SKUs whose facts differ between two snapshots; None where facts differ that every SKU shares."""
    shared = ("currency", "sites", "lanes", "approval_latency_days", "merchandise", "booked")
    if before.as_of.date() != after.as_of.date() or any(getattr(before, n) != getattr(after, n) for n in shared):
        return None
    found: set[str] = {sku.sku_id for sku in set(before.skus) ^ set(after.skus)}
    for name in ("supply", "forecasts", "replenishments", "recent_moves", "holds"):
        old, new = getattr(before, name), getattr(after, name)
        if old is not new:
            found |= {row.sku_id for row in set(old) ^ set(new)}
    found |= {key.sku_id for key in _moved_positions(before, after)}
    return frozenset(found)


def _moved_positions(before: Snapshot, after: Snapshot) -> set[SiteSku]:
    """Site-SKUs whose stock differs; when it was counted does not matter."""
    old = {(p.key, p.on_hand_units, p.reserved_units) for p in before.positions}
    new = {(p.key, p.on_hand_units, p.reserved_units) for p in after.positions}
    return {row[0] for row in old ^ new}
