"""The exact formulation in PuLP, solved by HiGHS: the audited reference for every plan.

    min   sum c x  -  sum g r  +  sum l d  +  sum f z  +  sum e w
    s.t.  packs into a site-SKU   = its gain segments taken          (r in [0, 1] each)
          packs out of a site-SKU = its loss segments taken          (d in [0, 1] each)
          volume on a departure  <= capacity * z                     (z: the departure is used)
          x <= M w,  x >= packs_min w,  w <= z                       (w: the line is used)
          a site does not send and receive the same SKU
          handling limits by site and day, storage, and the totals of policy and request

Segments need no order of their own: gains fall and losses rise, so a cheaper one
is always taken first. With lines and departures fixed the rest is a network, so x
comes out whole by itself unless a coupling limit binds; only the SKUs where it does
not are made integer, and the problem is solved again. The answer is the same as with
every x integer from the start, in a fraction of the time.

This is the only module that knows the solver libraries.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version

import highspy
import pulp

from tools.inventory import MICROLITRES_PER_LITRE, SiteSku, Snapshot
from tools.money import e4_per_minor
from tools.planning.calendar import DepartureKey, free_microlitres, free_outbound_units
from tools.planning.instance import Arc, Instance, fixed_cost
from tools.planning.limits import Limits
from tools.planning.polish import Pruner
from tools.planning.solution import Move, Solution
from tools.planning.table import Table
from tools.transfers import PlanRequest, SolveStatus

VARIABLES_MAX = 15_000
"""Beyond this the exact formulation would not answer in a conversation; the fast path plans the request alone."""
NODES_MAX = 20_000
"""Branch-and-bound stops after so many nodes: a count, so that a plan does not depend on the machine's speed."""
SECONDS_MAX = 300.0
"""A safety valve only. A solve that hits it returns no plan."""
WHOLE = 1e-5
"""How far from a whole number a count of packs may be and still be that number."""
PROVEN = 1e-9
"""A relative gap up to this is a proof of optimality; anything above is said as a gap."""
COEFFICIENT_MAX = 1e6
"""Limits are scaled down to this, so that even one unit too many is far more than the solver's tolerance of 1e-6."""

ArcKey = tuple[DepartureKey, str]
WholeTerms = list[tuple[pulp.LpVariable, int]]
VERSIONS = (f"pulp {version('pulp')}", f"highspy {version('highspy')}")


def solve_exactly(
    instance: Instance, snapshot: Snapshot, limits: Limits, request: PlanRequest, gap_ppm: int
) -> Solution:
    """The best moves of the instance, to within `gap_ppm` of the bound."""
    if not instance.arcs:
        return Solution(SolveStatus.NOTHING_TO_MOVE, (), 0.0, 0.0, "exact", VERSIONS, _why_nothing(instance))
    size = 2 * len(instance.arcs) + sum(len(n.gains) + len(n.losses) for n in instance.nodes.values())
    if size > VARIABLES_MAX:
        note = (
            f"{len(instance.arcs):,} possible lines make {size:,} variables; the exact formulation takes"
            f" {VARIABLES_MAX:,}. Narrow the request to fewer SKUs, categories or sites."
        )
        return Solution(SolveStatus.TOO_LARGE, note=note, versions=VERSIONS)
    whole: frozenset[str] = frozenset()
    while True:
        found = _Formulation(instance, snapshot, limits, request, whole).solve(gap_ppm)
        if not found.fractional:
            return found.solution
        rounded = _Formulation(_only(instance, found.used), snapshot, limits, request, found.skus).solve(0).solution
        if (repaired := _with_bound(rounded, found.solution.bound, gap_ppm)) is not None:
            return repaired
        whole |= found.fractional


def formulation_size(table: Table) -> int:
    """How many variables the exact formulation of a table has, but for those of sites and lanes."""
    return 2 * len(table.arc_sku) + len(table.gain) + len(table.loss)


@dataclass(frozen=True)
class _Found:
    """What one solve found: a solution, or why it is none yet; `used` are its lines, by arc."""

    solution: Solution
    fractional: frozenset[str] = frozenset()
    used: frozenset[ArcKey] = frozenset()

    @property
    def skus(self) -> frozenset[str]:
        """The SKUs of the lines."""
        return frozenset(sku_id for _, sku_id in self.used)


def _only(instance: Instance, used: frozenset[ArcKey]) -> Instance:
    """The instance with the lines of a fractional solution and no others: small enough to be solved in whole packs."""
    arcs = tuple(arc for arc in instance.arcs if arc.key in used)
    senders, receivers = {arc.origin for arc in arcs}, {arc.destination for arc in arcs}
    nodes = {
        key: replace(
            node,
            gains=node.gains if key in receivers else (),
            losses=node.losses if key in senders else (),
        )
        for key, node in instance.nodes.items()
        if key in senders | receivers
    }
    return replace(instance, arcs=arcs, nodes=nodes)


def _with_bound(solution: Solution, bound: float | None, gap_ppm: int) -> Solution | None:
    """A solution of the small problem under the bound of the whole one; None when that proves too little."""
    if not solution.moves or bound is None:
        return None
    bounded = replace(solution, bound=min(bound, solution.objective))
    if bounded.gap_ppm is None or bounded.gap_ppm > gap_ppm:
        return None
    proven = (bounded.objective - bound) <= PROVEN * abs(bounded.objective)
    return replace(bounded, status=SolveStatus.OPTIMAL if proven else SolveStatus.WITHIN_GAP)


def _why_nothing(instance: Instance) -> str:
    if instance.arcs_considered == 0:
        return "no lane is open for any SKU of this request"
    return f"none of the {instance.arcs_considered:,} possible lines earns more than it costs"


class _CountLimitedHighs(pulp.HiGHS):  # type: ignore[misc]  # PuLP carries no types
    """PuLP 3.3 has no word for a HiGHS run that ended at its node limit: a solution without the last proof."""

    def findSolutionValues(self, lp: pulp.LpProblem) -> tuple[int, int]:  # noqa: N802  PuLP's name
        """Variable values into `lp`, and PuLP's two status words."""
        if lp.solverModel.getModelStatus() != highspy.HighsModelStatus.kSolutionLimit:
            words: tuple[int, int] = super().findSolutionValues(lp)
            return words
        found = lp.solverModel.getSolution()
        if not found.value_valid:
            return pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound
        for variable in lp.variables():
            variable.varValue = found.col_value[variable.index]
        return pulp.LpStatusOptimal, pulp.LpSolutionIntegerFeasible


class _Formulation:
    """One PuLP problem and the map from its variables back to moves."""

    def __init__(
        self, instance: Instance, snapshot: Snapshot, limits: Limits, request: PlanRequest, whole: frozenset[str]
    ) -> None:
        self._whole = whole
        self._instance = instance
        self._snapshot = snapshot
        self._limits = limits
        self._request = request
        self._problem = pulp.LpProblem("transfer_plan", pulp.LpMinimize)
        self._cost: list[tuple[pulp.LpVariable, float]] = []
        self._packs: list[tuple[Arc, pulp.LpVariable]] = []
        self._lines: list[pulp.LpVariable] = []
        self._departures: dict[DepartureKey, pulp.LpVariable] = {}
        self._limited: list[tuple[WholeTerms, int]] = []
        self._add_arcs()
        self._add_nodes()
        self._add_departures()
        self._add_handling_limits()
        self._add_storage()
        self._add_sets()
        self._add_totals()
        self._problem.setObjective(pulp.LpAffineExpression(self._cost))

    def _add_arcs(self) -> None:
        line_cost = self._limits.line_charge_minor + self._limits.line_hurdle_minor
        for number, arc in enumerate(self._instance.arcs):
            most = min(arc.packs_max, self._packs_worth_moving(arc))
            kind = pulp.LpInteger if arc.sku.sku_id in self._whole else pulp.LpContinuous
            x = self._problem.add_variable(f"x{number}", 0, most, kind)
            w = self._problem.add_variable(f"w{number}", 0, 1, pulp.LpInteger)
            self._packs.append((arc, x))
            self._lines.append(w)
            self._cost.append((x, arc.move_cost + arc.late))
            self._cost.append((w, float(line_cost)))
            self._at_most([(x, 1), (w, -most)], 0)
            if arc.packs_min > 1 or self._limits.whole_sets:
                self._at_most([(w, arc.packs_min), (x, -1)], 0)

    def _packs_worth_moving(self, arc: Arc) -> int:
        nodes = self._instance.nodes
        return min(len(nodes[arc.origin].losses), len(nodes[arc.destination].gains))

    def _add_nodes(self) -> None:
        into: dict[SiteSku, list[pulp.LpVariable]] = defaultdict(list)
        out: dict[SiteSku, list[pulp.LpVariable]] = defaultdict(list)
        for arc, x in self._packs:
            into[arc.destination].append(x)
            out[arc.origin].append(x)
        for number, (key, node) in enumerate(self._instance.nodes.items()):
            received = self._segments(f"r{number}", [-gain for gain in node.gains])
            sent = self._segments(f"d{number}", list(node.losses))
            self._balance(into[key], received)
            self._balance(out[key], sent)
            if received and sent:
                sends = self._problem.add_variable(f"s{number}", 0, 1, pulp.LpInteger)
                self._at_most([*((r, 1) for r in received), (sends, len(received))], len(received))
                self._at_most([*((d, 1) for d in sent), (sends, -len(sent))], 0)

    def _segments(self, name: str, costs: list[float]) -> list[pulp.LpVariable]:
        segments = [self._problem.add_variable(f"{name}_{n}", 0, 1) for n in range(len(costs))]
        self._cost.extend(zip(segments, costs, strict=True))
        return segments

    def _balance(self, packs: list[pulp.LpVariable], segments: list[pulp.LpVariable]) -> None:
        if packs:
            terms = [*((x, 1) for x in packs), *((segment, -1) for segment in segments)]
            self._problem += pulp.LpAffineExpression(terms) == 0

    def _add_departures(self) -> None:
        loads: dict[DepartureKey, list[tuple[Arc, pulp.LpVariable, pulp.LpVariable]]] = defaultdict(list)
        for (arc, x), w in zip(self._packs, self._lines, strict=True):
            loads[arc.travels].append((arc, x, w))
        for number, (key, loaded) in enumerate(loads.items()):
            z = self._problem.add_variable(f"z{number}", 0, 1, pulp.LpInteger)
            self._departures[key] = z
            lane, departure = loaded[0][0].lane, loaded[0][0].departure
            self._cost.append((z, fixed_cost(lane, self._snapshot.currency) + self._limits.lane_hurdle_minor))
            for _, _, w in loaded:
                self._at_most([(w, 1), (z, -1)], 0)
            free = free_microlitres(self._snapshot, lane, departure.depart_on)
            if free is not None:
                self._limit([(x, arc.volume_microlitres) for arc, x, _ in loaded], free, z)

    def _add_handling_limits(self) -> None:
        """Units in and out of a site on one day, less what other supply already takes up on that day."""
        arriving: dict[tuple[str, date], WholeTerms] = defaultdict(list)
        leaving: dict[tuple[str, date], WholeTerms] = defaultdict(list)
        for arc, x in self._packs:
            term = (x, arc.sku.pack_size)
            arriving[arc.lane.destination, arc.departure.arrive_on].append(term)
            leaving[arc.lane.origin, arc.departure.depart_on].append(term)
        taken: dict[tuple[str, date], int] = defaultdict(int)
        for row in self._snapshot.supply:
            taken[row.site_id, row.expected_on] += row.units
        for (site_id, day), terms in arriving.items():
            limit = self._snapshot.site_by_id[site_id].inbound_units_per_day
            if limit is not None:
                self._limit(terms, max(limit - taken[site_id, day], 0))
        for (site_id, day), terms in leaving.items():
            limit = free_outbound_units(self._snapshot, site_id, day)
            if limit is not None:
                self._limit(terms, limit)

    def _add_storage(self) -> None:
        """What arrives must fit beside what is there and what is on its way; room that donors free is not counted."""
        arriving: dict[str, WholeTerms] = defaultdict(list)
        for arc, x in self._packs:
            arriving[arc.lane.destination].append((x, arc.volume_microlitres))
        room = {
            site.site_id: site.storage_capacity_microlitres
            for site in self._snapshot.sites
            if site.storage_capacity_microlitres is not None and site.site_id in arriving
        }
        held = [(position.site_id, position.sku_id, position.on_hand_units) for position in self._snapshot.positions]
        coming = [(row.site_id, row.sku_id, row.units) for row in self._snapshot.supply]
        for site_id, sku_id, units in (*held, *coming):
            if site_id in room:
                room[site_id] -= units * self._snapshot.sku_by_id[sku_id].unit_volume_microlitres
        for site_id in sorted(room):
            self._limit(arriving[site_id], max(room[site_id], 0))

    def _add_sets(self) -> None:
        """Where a set is not complete: if any of it comes, at least a pack of everything that is missing comes."""
        for number, whole in enumerate(self._limits.whole_sets):
            coming = [
                (arc, w)
                for (arc, _), w in zip(self._packs, self._lines, strict=True)
                if arc.lane.destination == whole.site_id and arc.sku.sku_id in whole.sku_ids
            ]
            if not coming:
                continue
            delivered = self._problem.add_variable(f"u{number}", 0, 1, pulp.LpInteger)
            for _, w in coming:
                self._at_most([(w, 1), (delivered, -1)], 0)
            for sku_id in whole.missing:
                lines = [(w, -1) for arc, w in coming if arc.sku.sku_id == sku_id]
                self._at_most([(delivered, 1), *lines], 0)

    def _add_totals(self) -> None:
        limits, overlays = self._limits, self._request.overlays
        per_minor = e4_per_minor(self._snapshot.currency)
        for most in (limits.units_max, overlays.max_units):
            if most is not None:
                self._limit([(x, arc.sku.pack_size) for arc, x in self._packs], most)
        for most in (limits.lines_max, overlays.max_lines):
            if most is not None:
                self._limit([(w, 1) for w in self._lines], most)
        if limits.goods_value_max_minor is not None:
            value = [(x, arc.sku.pack_size * arc.sku.unit_cost_e4) for arc, x in self._packs]
            self._limit(value, limits.goods_value_max_minor * per_minor)
        if overlays.transport_budget_minor is not None:
            # In millionths of a ten-thousandth: a rate for a litre on a volume in microlitres stays exact.
            freight = [
                (
                    x,
                    arc.sku.pack_size * arc.lane.cost_per_unit_e4 * MICROLITRES_PER_LITRE
                    + arc.volume_microlitres * arc.lane.cost_per_litre_e4,
                )
                for arc, x in self._packs
            ]
            line = limits.line_charge_minor * per_minor * MICROLITRES_PER_LITRE
            lanes = [
                (z, self._snapshot.lane_by_key[key.lane].cost_fixed_e4 * MICROLITRES_PER_LITRE)
                for key, z in self._departures.items()
            ]
            budget = overlays.transport_budget_minor * per_minor * MICROLITRES_PER_LITRE
            self._limit([*freight, *((w, line) for w in self._lines), *lanes], budget)

    def _limit(self, terms: WholeTerms, most: int, used: pulp.LpVariable | None = None) -> None:
        """A limit on whole packs, lines and departures, in its exact integers; with `used`, none without that departure.

        Dividing by what all coefficients have in common and rounding the limit down
        changes no whole solution and cuts off fractional ones.
        """
        common = math.gcd(*(weight for _, weight in terms))
        if common == 0:
            return
        reduced, most = [(variable, weight // common) for variable, weight in terms], most // common
        self._limited.append((reduced, most))
        scale = max(1.0, max(weight for _, weight in reduced) / COEFFICIENT_MAX)
        scaled = [(variable, weight / scale) for variable, weight in reduced]
        if used is None:
            self._at_most(scaled, most / scale)
        else:
            self._at_most([*scaled, (used, -most / scale)], 0)

    def _at_most(self, terms: Iterable[tuple[pulp.LpVariable, float]], most: float) -> None:
        self._problem += pulp.LpAffineExpression(list(terms)) <= most

    def solve(self, gap_ppm: int) -> _Found:
        """The solution, or the SKUs whose packs came out fractional: then it is none yet, and only its bound counts."""
        # The presolve of HiGHS 1.14.0 loses optima and says "optimal" all the same (ERGO-Code/HiGHS#3094); a restart runs
        # it again. The instance is pruned already, so that it gained nothing here.
        solver = _CountLimitedHighs(
            msg=False, threads=1, gapRel=gap_ppm / 1e6, gapAbs=1e-6, timeLimit=SECONDS_MAX,
            random_seed=0, mip_max_nodes=NODES_MAX, presolve="off", mip_allow_restart=False,
        )  # fmt: skip
        self._problem.solve(solver)
        highs = self._problem.solverModel
        outcome, info = highs.getModelStatus().name, highs.getInfo()
        status = _status(outcome, self._problem.sol_status, info.mip_gap)
        if not status.has_plan:
            return _Found(Solution(status, path="exact", versions=VERSIONS, note=f"HiGHS ended with {outcome}"))
        packs = [(arc, x.varValue) for arc, x in self._packs if x.varValue > WHOLE]
        bound = info.mip_dual_bound if math.isfinite(info.mip_dual_bound) else None
        fractional = self._not_whole()
        if fractional:
            return _Found(Solution(status, bound=bound), fractional, frozenset(arc.key for arc, _ in packs))
        found = {arc.key: round(value) for arc, value in packs}
        polished = Pruner(self._instance, self._limits, self._snapshot.currency).polished(found)
        moves = tuple(sorted(Move(lane, sku, n, day) for ((lane, day), sku), n in polished.packs.items()))
        if not moves and status is SolveStatus.FEASIBLE:
            note = "HiGHS stopped before it had found anything that pays, or a proof that nothing does"
            return _Found(Solution(SolveStatus.STOPPED, path="exact", versions=VERSIONS, note=note))
        solution = Solution(
            status if moves else SolveStatus.NOTHING_TO_MOVE,
            moves,
            polished.objective,
            bound,
            "exact",
            VERSIONS,
            "" if moves else "every possible line costs more than it earns once departures and lines are paid",
        )
        return _Found(solution)

    def _not_whole(self) -> frozenset[str]:
        """The SKUs still to be made integer: packs that are not whole, or break a limit once they are rounded."""
        sku_of = {x.name: arc.sku.sku_id for arc, x in self._packs}
        found = {sku_of[x.name] for _, x in self._packs if abs(x.varValue - round(x.varValue)) > WHOLE}
        for terms, most in self._limited:
            if sum(weight * round(variable.varValue) for variable, weight in terms) > most:
                found |= {sku_of[variable.name] for variable, _ in terms if variable.name in sku_of}
        return frozenset(found) - self._whole


def _status(outcome: str, sol_status: int, gap: float) -> SolveStatus:
    """The word for what HiGHS did. PuLP calls a stopped solve optimal, so its own word alone decides nothing."""
    match outcome:
        case "kOptimal" if sol_status == pulp.LpSolutionOptimal:
            return SolveStatus.OPTIMAL if gap <= PROVEN else SolveStatus.WITHIN_GAP
        case "kSolutionLimit" if math.isfinite(gap):
            return SolveStatus.FEASIBLE
        case "kInfeasible" | "kUnboundedOrInfeasible":
            return SolveStatus.INFEASIBLE
        case _:
            return SolveStatus.STOPPED
