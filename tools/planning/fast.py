"""The fast path: per-SKU flows, coupled by prices, with a certificate.

1. Flows without any charge. Where SKUs share nothing and no rule of a SKU bites, that is the optimum.
2. Slope scaling for departures and lines, then local search over lanes.
3. A lower bound by prices; plans are made from its iterates on the way, by repair.
4. Slope scaling and lane search again, steered by the final prices, then repair and
   each SKU solved once more in the room that is left.

All limits are counts that follow from the size of the problem alone, never from a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.planning.bound import Prices, departure_cost_left, first_prices, limit_charge, lower_bound, tightened
from tools.planning.checks import check_problem
from tools.planning.coupled import Coupled
from tools.planning.flow import FloatArray, FlowResult, Flows, IntArray
from tools.planning.lanes import OpenLanes, improve_lanes
from tools.planning.repair import line_charge, polished, repaired, with_new_departures
from tools.planning.sku_rules import SkuProblems, best_of_skus, rule_breakers
from tools.planning.slope import slope_scaled

EXACT = 1e-9
CROWDED = 2.0
"""A total is crowded where packs that pay by themselves would use so many times what it admits."""
NODES = 20
"""Nodes of branch and bound for a SKU whose flows break a rule of its own."""


@dataclass(frozen=True)
class Effort:
    """How much is tried: iterations of the bound, repairs on the way, lane trials, failures in a row, SKUs polished.

    `nodes` of branch and bound tighten every SKU's part of the bound at the end.
    """

    iterations: int
    repairs: int
    trials: int
    failures: int
    polished: int
    nodes: int = 0

    @classmethod
    def of(cls, problem: Coupled) -> Effort:
        """What about half a minute on an ordinary core allows for a problem of this many rows."""
        a = problem.arrays
        rows = max(len(a.arc_sku) + len(a.send_sku) + len(a.receive_sku), 1)
        share, least = 300_000 / rows, 26
        if len(problem.limits.most):  # every repair and every price costs more where much is limited
            share, least = share / 1.45, 12
        return cls(
            iterations=int(np.clip(60 * share, least, 80)),
            repairs=int(np.clip(6.4 * share, 2, 12)),
            trials=int(np.clip(280 * share, 2 * least, 1_500)),
            failures=int(np.clip(24 * share, 8, 400)),
            polished=int(np.clip(1_600 * share, 150, 4_000)),
            nodes=int(np.clip(16 * share, 4, 40)),
        )


@dataclass(frozen=True)
class FastPlan:
    """Packs by arc that keep every limit and rule, what they are worth, and what no plan can be better than."""

    packs: IntArray
    objective: float
    bound: float
    prices: Prices
    versions: tuple[str, ...] = ()
    """What else than the libraries a plan depends on, as it goes into its record."""

    @property
    def gap(self) -> float:
        """(objective - bound) / |objective|; infinite for a plan that moves nothing under a bound below 0."""
        if self.objective >= -EXACT:
            return 0.0 if self.bound >= -EXACT else np.inf
        return max(self.objective - self.bound, 0.0) / -self.objective


def plan_fast(problem: Coupled, effort: Effort | None = None, flows: Flows | None = None) -> FastPlan:
    """The plan for the problem, and its certificate."""
    check_problem(problem)
    if not len(problem.arrays.arc_sku):
        return FastPlan(np.zeros(0, dtype=np.int64), 0.0, 0.0, first_prices(problem, problem.arrays.arc_sku))
    flows = flows or Flows(problem.levelled)
    effort = effort or Effort.of(problem)
    first = flows.solve()
    if not problem.couples:
        return _uncoupled(problem, first)
    return Search(problem, flows, effort, first).plan()


def _uncoupled(problem: Coupled, first: FlowResult) -> FastPlan:
    """Every SKU by itself: its flow, or branch and bound where a rule of the SKU bites."""
    a = problem.arrays
    packs, bound = first.packs.copy(), first.priced.copy()
    skus = np.unique(a.arc_sku) if problem.line_cost else rule_breakers(problem, packs)
    if len(skus):
        of_those = np.isin(a.arc_sku, skus)
        part = SkuProblems.of(problem, skus, np.zeros(np.count_nonzero(of_those)))
        packs[of_those] = 0
        packs[part.rows], bound[skus] = best_of_skus(part)
    objective = problem.objective(packs)
    prices = Prices(np.zeros(len(problem.limits.most)), np.zeros(a.lanes), np.zeros(len(a.arc_sku)))
    return FastPlan(packs, objective, min(float(bound.sum()), objective), prices)


class Search:
    """The best plan known, made better step by step."""

    def __init__(self, problem: Coupled, flows: Flows, effort: Effort, first: FlowResult) -> None:
        self._problem, self._flows, self._effort, self._first = problem, flows, effort, first
        self._limited = bool(np.isfinite(problem.lane_capacity).any() or len(problem.limits.most))
        self._packs = np.zeros_like(first.packs)
        self._objective = 0.0

    def plan(self) -> FastPlan:
        """The whole search."""
        problem = self._problem
        none = first_prices(problem, self._first.packs)
        start = self._slope_scaled(self._first.packs, none)
        # Which departures to open is not the question where most lines have to go.
        crowded = problem.excess(self._first.packs) > CROWDED
        if not crowded:
            start = self._lanes_searched(start, none)
        self._offer(start, none)
        spacing = max(self._effort.iterations // max(self._effort.repairs, 1), 1)

        def watch(iteration: int, prices: Prices, found: FlowResult, _: float) -> float:
            if self._limited and iteration % spacing == spacing - 1:
                self._offer(self._on_lanes(found.packs, prices), prices)
            return self._objective

        bound = lower_bound(
            problem, self._flows, first_prices(problem, start), self._objective, self._effort.iterations, watch
        )
        if self._limited and self._effort.iterations and not crowded:
            line_price = problem.line_price(bound.prices.limit)
            charge = limit_charge(problem, bound.prices) + line_price / problem.worth_moving
            packs = self._slope_scaled(self._flows.solve(extra=charge).packs, bound.prices)
            self._offer(self._lanes_searched(packs, bound.prices), bound.prices)
        packs, value = tightened(problem, self._flows, bound, self._effort.nodes)
        if self._limited:
            self._offer(packs, bound.prices)
        self._finish(bound.prices)
        return FastPlan(self._packs, self._objective, min(value, self._objective), bound.prices)

    def _steered(self, prices: Prices) -> Coupled:
        """The problem with what these prices leave of the departures' cost.

        A full departure earns its capacity's price, so only the rest of its cost is still to be recovered.
        """
        return replace(self._problem, lane_cost=departure_cost_left(self._problem, prices))

    def _slope_scaled(self, packs: IntArray, prices: Prices) -> IntArray:
        """Packs whose departures and lines pay at these prices, by slope scaling from the flows' packs on."""
        steered, line_price = self._steered(prices), self._problem.line_price(prices.limit)
        if not steered.lane_cost.any() and not line_price:
            return packs
        return slope_scaled(steered, self._flows, packs, limit_charge(self._problem, prices), line_price).packs

    def _lanes_searched(self, packs: IntArray, prices: Prices) -> IntArray:
        """The packs, or better ones that local search over lanes finds at these prices."""
        problem, steered = self._problem, self._steered(prices)
        if not steered.lane_cost.any():
            return packs
        charge, line_price = limit_charge(problem, prices), problem.line_price(prices.limit)
        found = self._improved(
            OpenLanes.at(steered, self._flows, packs, charge + line_charge(problem, packs, line_price))
        )

        def worth(packs: IntArray) -> float:
            lines = (line_price - problem.line_cost) * np.count_nonzero(packs)
            return steered.objective(packs) + float(charge @ packs) + lines

        return found if worth(found) < worth(packs) else packs

    def _improved(self, state: OpenLanes) -> IntArray:
        """The packs of the lane search from this state on."""
        improve_lanes(state, self._effort.trials, self._effort.failures)
        return state.packs

    def _on_lanes(self, packs: IntArray, prices: Prices) -> IntArray:
        """The flows of an iterate again without the share of fixed costs, on lanes that are in use or earn their cost."""
        problem = self._problem
        if not problem.lane_cost.any():
            return packs
        lanes = problem.used(self._packs if self._packs.any() else packs) | (departure_cost_left(problem, prices) <= 0)
        charge = limit_charge(problem, prices)
        charge += line_charge(problem, self._packs, problem.line_price(prices.limit))
        return self._flows.solve(extra=charge, usable=lanes[problem.arrays.arc_lane]).packs

    def _offer(self, packs: IntArray, prices: Prices) -> None:
        """Make the packs keep every rule and limit, and keep them if they are the best."""
        problem = self._problem
        charge, line_price = limit_charge(problem, prices), problem.line_price(prices.limit)
        packs = ruled(problem, packs, charge, line_price)
        if self._limited:
            packs = repaired(problem, packs, charge, line_price)
            if not problem.fits(packs):
                raise ArithmeticError("a repaired plan exceeds what SKUs share")
        self._keep(without_losers(problem, packs))

    def _keep(self, packs: IntArray) -> bool:
        """Keep the packs if they are the best so far."""
        objective = self._problem.objective(packs)
        if objective >= self._objective - EXACT:
            return False
        self._packs, self._objective = packs, objective
        return True

    def _finish(self, prices: Prices) -> None:
        """New departures where what is left over fills one, and each SKU once more in the room that is left."""
        problem = self._problem
        if not (self._limited or problem.line_cost or (problem.arc_least > 1).any()):
            return
        if self._limited and problem.lane_cost.any():
            price = limit_charge(problem, prices), problem.line_price(prices.limit)
            self._keep(with_new_departures(problem, self._packs, price, self._effort.trials // 5))
        stake = -problem.sku_cost(self._packs) + 1e-9 * (self._first.value < 0)
        skus = np.argsort(-stake, kind="stable")[: self._effort.polished]
        self._keep(without_losers(problem, polished(problem, self._packs, skus[stake[skus] > 0])))


def ruled(problem: Coupled, packs: IntArray, charge: FloatArray, line_price: float) -> IntArray:
    """The packs with every SKU that breaks a rule of its own solved again by branch and bound, on the lanes in use.

    `charge` is what a pack on each arc pays for what SKUs share, `line_price` what a line costs then.
    """
    a = problem.arrays
    skus = rule_breakers(problem, packs)
    if not len(skus):
        return packs
    lanes = problem.used(packs) | (problem.lane_cost <= 0)
    rows = np.isin(a.arc_sku, skus)
    part = SkuProblems.of(
        problem, skus, charge[rows], usable=lanes[a.arc_lane[rows]],
        line_charge=np.full(np.count_nonzero(rows), line_price),
    )  # fmt: skip
    packs = np.where(rows, 0, packs)
    packs[part.rows] = best_of_skus(part, NODES)[0]
    return packs


def without_losers(problem: Coupled, packs: IntArray) -> IntArray:
    """The packs without departures that cost more than all they carry is worth; each is tried once, the worst first."""
    a = problem.arrays
    used = np.flatnonzero(packs)
    worth = problem.taken_worth(packs, used, packs[used]) - problem.line_cost
    by_lane = np.bincount(a.arc_lane[used], worth, a.lanes)
    suspects = np.flatnonzero(problem.used(packs) & (by_lane < problem.lane_cost - 1e-9))
    if not len(suspects):
        return packs
    packs = packs.copy()
    for lane in suspects[np.argsort((by_lane - problem.lane_cost)[suspects], kind="stable")].tolist():
        on_lane = used[(a.arc_lane[used] == lane) & (packs[used] > 0)]
        missed = problem.taken_worth(packs, on_lane, packs[on_lane]) - problem.line_cost
        if float(missed.sum()) < problem.lane_cost[lane] - 1e-9:
            packs[on_lane] = 0
    return packs
