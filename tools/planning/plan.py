"""From a solution to a transfer plan: integers, dates, shares of the saving, and the evaluator's own figures."""

from __future__ import annotations

import math
from math import fsum
from typing import NamedTuple

import numpy as np

from tools.demand import DemandView, FloatArray, expected_sales_of
from tools.demand_table import IntArray
from tools.inventory import SiteSku, Snapshot
from tools.merchandise.lots import Travel, picks
from tools.money import e4_per_minor, minor_from_e4, rounded_to_total
from tools.planning.breaches import Breach, departure_label, departure_of
from tools.planning.calendar import DepartureKey, offered_departures
from tools.planning.evaluate import Evaluation, evaluate
from tools.planning.limits import Limits
from tools.planning.solution import Move, Solution
from tools.positions import projected_units_of
from tools.transfers import FillRate, LaneLoad, LotPick, PlanRequest, SolverRecord, TransferLine, TransferPlan
from tools.whatif import assumed

AGREEMENT = 1e-6
"""How far the evaluator's objective may be from the solver's, relative to its size."""


class UnsoundSolutionError(RuntimeError):
    """The evaluator does not confirm the solver's answer: no plan is made of it."""

    def __init__(self, problem: str, breaches: tuple[Breach, ...] = ()) -> None:
        super().__init__("; ".join([problem, *(breach.words for breach in breaches)]))
        self.breaches = breaches


def moves_of(plan: TransferPlan) -> tuple[Move, ...]:
    """The plan's moves, for the evaluator, each on the departure that its line names."""
    return tuple(Move(line.lane, line.sku_id, line.packs, line.depart_on) for line in plan.lines)


def make_plan(snapshot: Snapshot, limits: Limits, request: PlanRequest, solution: Solution) -> TransferPlan:
    """The transfer plan for a solution, after the evaluator has confirmed it.

    Raises UnsoundSolutionError when a constraint is broken or the solver's objective
    is not what its moves are worth, and ValueError when the solution has no plan.
    """
    if not solution.status.has_plan:
        raise ValueError(f"a solution with status {solution.status} has no plan")
    facts = assumed(snapshot, request.overlays)
    evaluation = evaluate(facts, limits, request, solution.moves)
    if evaluation.breaches:
        raise UnsoundSolutionError("the solver's moves break constraints", evaluation.breaches)
    difference = abs(evaluation.objective - solution.objective)
    if difference > AGREEMENT * max(1.0, abs(evaluation.objective)):
        raise UnsoundSolutionError(
            f"the solver's objective is {solution.objective:.6f}, its moves are worth {evaluation.objective:.6f}"
        )
    if solution.path != "none":  # what is only valued anew keeps its departures: the wait for a decision may be over
        _require_offered(facts, limits, solution.moves)
    return _assemble(snapshot, facts, limits, request, (solution, evaluation))


def _require_offered(facts: Snapshot, limits: Limits, moves: tuple[Move, ...]) -> None:
    """Raise UnsoundSolutionError unless a solver has kept to departures that an approval can still catch."""
    for move in moves:
        offered = offered_departures(facts, limits, facts.lane_by_key[move.lane])
        if departure_of(facts, limits, move.lane, move.depart_on) not in offered:
            label = departure_label(facts, limits, DepartureKey(move.lane, move.depart_on))
            raise UnsoundSolutionError(f"{label} is not a departure that a plan may use")


def _assemble(
    snapshot: Snapshot, facts: Snapshot, limits: Limits, request: PlanRequest, found: tuple[Solution, Evaluation]
) -> TransferPlan:
    solution, evaluation = found
    fixed = {key: round(cost) for key, cost in evaluation.fixed_costs.items()}
    savings = [value.saving for value in evaluation.moves]
    line_savings = rounded_to_total(savings, round(fsum(savings)))
    goods_values, lots = _goods_values_minor(facts, solution.moves), lots_of(facts, limits, solution.moves)
    lines = tuple(
        _line(facts, limits, number, move, (saving, value.move_cost, goods_value)).model_copy(update={"lots": taken})
        for number, (move, saving, value, goods_value, taken) in enumerate(
            zip(solution.moves, line_savings, evaluation.moves, goods_values, lots, strict=True), start=1
        )
    )
    move_cost = sum(line.move_cost_minor for line in lines)
    fixed_cost = sum(fixed.values())
    return TransferPlan(
        snapshot_digest=snapshot.digest,
        policy_digest=limits.policy_digest,
        request=request,
        currency=facts.currency,
        planned_on=facts.as_of.date(),
        lines=lines,
        lanes=tuple(_load(facts, lines, key, cost) for key, cost in sorted(fixed.items())),
        saving_minor=sum(line_savings) - fixed_cost,
        whole_horizon_saving_minor=round(evaluation.whole_horizon_saving),
        move_cost_minor=move_cost,
        fixed_cost_minor=fixed_cost,
        goods_value_minor=sum(line.goods_value_minor for line in lines),
        fill_rate=fill_rate(facts, limits, solution.moves),
        solver=SolverRecord(
            path="exact" if solution.path == "exact" else "fast" if solution.path == "fast" else "none",
            status=solution.status,
            objective_minor=round(evaluation.objective),
            bound_minor=None if solution.bound is None else math.floor(solution.bound + 1e-6),
            gap_ppm=solution.gap_ppm,
            versions=solution.versions,
        ),
    )


def lots_of(facts: Snapshot, limits: Limits, moves: tuple[Move, ...]) -> list[tuple[LotPick, ...]]:
    """The lots that each move takes, first expired first; none where its origin keeps no lots. The moves can be made."""
    travels = []
    for move in moves:
        departure = departure_of(facts, limits, move.lane, move.depart_on)
        arrive_on = facts.as_of.date() if departure is None else departure.arrive_on
        travels.append(Travel(move.lane, move.sku_id, move.packs * facts.sku_by_id[move.sku_id].pack_size, arrive_on))
    found = picks(facts, travels, limits.least_life_days)
    return [tuple(LotPick(lot_id=lot_id, units=units) for lot_id, units in taken) for taken in found]


def _goods_values_minor(facts: Snapshot, moves: tuple[Move, ...]) -> list[int]:
    """What the goods of each move cost. The total is rounded once, so that it keeps to a limit the exact total keeps to."""
    skus = [(move.packs, facts.sku_by_id[move.sku_id]) for move in moves]
    exact_e4 = [packs * sku.pack_size * sku.unit_cost_e4 for packs, sku in skus]
    per_minor = e4_per_minor(facts.currency)
    return rounded_to_total([value / per_minor for value in exact_e4], minor_from_e4(sum(exact_e4), facts.currency))


def _line(facts: Snapshot, limits: Limits, number: int, move: Move, money: tuple[int, float, int]) -> TransferLine:
    sku = facts.sku_by_id[move.sku_id]
    departure = departure_of(facts, limits, move.lane, move.depart_on)
    if departure is None:
        label = departure_label(facts, limits, DepartureKey(move.lane, move.depart_on))
        raise UnsoundSolutionError(f"{label} is no departure any more")
    units = move.packs * sku.pack_size
    return TransferLine(
        line_no=number,
        sku_id=move.sku_id,
        origin=move.lane.origin,
        destination=move.lane.destination,
        mode=move.lane.mode,
        units=units,
        packs=move.packs,
        depart_on=departure.depart_on,
        arrive_on=departure.arrive_on,
        saving_minor=money[0],
        move_cost_minor=round(money[1]),
        goods_value_minor=money[2],
    )


def _load(facts: Snapshot, lines: tuple[TransferLine, ...], key: DepartureKey, fixed_cost_minor: int) -> LaneLoad:
    on_board = [line for line in lines if (line.lane, line.depart_on) == key]
    return LaneLoad(
        origin=key.lane.origin,
        destination=key.lane.destination,
        mode=key.lane.mode,
        depart_on=key.depart_on,
        arrive_on=on_board[0].arrive_on,
        volume_microlitres=sum(line.units * facts.sku_by_id[line.sku_id].unit_volume_microlitres for line in on_board),
        fixed_cost_minor=fixed_cost_minor,
        line_nos=tuple(line.line_no for line in on_board),
    )


def fill_rate(facts: Snapshot, limits: Limits, moves: tuple[Move, ...]) -> FillRate:
    """Expected share of demand served until the regular supply, over every site-SKU of the network with demand."""
    change: dict[SiteSku, int] = {}
    for move in moves:
        units = move.packs * facts.sku_by_id[move.sku_id].pack_size
        origin, destination = SiteSku(move.lane.origin, move.sku_id), SiteSku(move.lane.destination, move.sku_id)
        change[origin] = change.get(origin, 0) - units
        change[destination] = change.get(destination, 0) + units
    without = without_moves(facts, limits.default_horizon_days)
    wanted = fsum(without.mean.tolist())
    if wanted <= 0:
        return FillRate(before_ppm=1_000_000, after_ppm=1_000_000)
    moved = [row for row, key in enumerate(facts.forecast_by_key) if key in change]
    position = without.position[moved] + np.asarray([change[facts.forecasts[row].key] for row in moved], dtype=np.int64)
    served = without.served.copy()
    served[moved] = np.maximum(expected_sales_of(without.mean[moved], without.variance[moved], position), 0.0)
    before, after = fsum(without.served.tolist()), fsum(served.tolist())
    return FillRate(before_ppm=_ppm(before / wanted), after_ppm=_ppm(after / wanted))


class WithoutMoves(NamedTuple):
    """Demand until the regular supply, projected units and expected sales of every forecast, while nothing moves."""

    mean: FloatArray
    variance: FloatArray
    position: IntArray
    served: FloatArray


def without_moves(facts: Snapshot, default_horizon_days: int) -> WithoutMoves:
    """Worked out once for the same facts: each plan and each check of one asks for it."""
    found: WithoutMoves | None = facts.worked_out.get((WithoutMoves, default_horizon_days))
    if found is None:
        view, keys = DemandView.of(facts, default_horizon_days), list(facts.forecast_by_key)
        days = view.horizons(keys)
        mean, variance = view.windows(keys, np.asarray(0), days)
        position = projected_units_of(facts, keys, days)
        found = WithoutMoves(mean, variance, position, np.maximum(expected_sales_of(mean, variance, position), 0.0))
        facts.worked_out[WithoutMoves, default_horizon_days] = found
    return found


def _ppm(share: float) -> int:
    return min(max(round(share * 1e6), 0), 1_000_000)
