"""The fast path over shards: the same search as in one process, worked out SKU by SKU by whoever is asked.

The coordinator sets prices, opens and closes lanes and repairs plans; the flows of all
SKUs, trials of lanes, and polishing within an allotment of what is left of lanes and
limits go to the shards (`tools.planning.shards`). Prices and bound are those of
`tools.planning.bound` over all SKUs, so the bound is as valid, and the plan as good, as
from one process. Lanes are tried several at a time: those up to the first that pays
count, the rest is asked again, so the search goes the same way as lane after lane.

What comes out depends on the problem and the number of shards, never on who computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from tools.planning.bound import Prices, limit_charge
from tools.planning.coupled import Coupled
from tools.planning.fast import Effort, FastPlan, Search, plan_fast, without_losers
from tools.planning.flow import BoolArray, FloatArray, FlowResult, Flows, IntArray
from tools.planning.lanes import BETTER, OpenLanes, adds, drops
from tools.planning.repair import polished, with_new_departures
from tools.planning.shards import AllotOrder, FlowOrder, Order, Shard, ShardAnswer, TrialOrder, shard_round, split

TRIED_FIRST = 8
TRIED_MOST = 32
"""Lanes tried in one round: few after one that paid, twice as many after each round without any."""

ARCS_PER_SHARD = 50_000
SHARDS_LEAST, SHARDS_MOST = 2, 16
POLISHED_HERE = 200
"""SKUs with most at stake that are solved once more in all the room at once, where no allotment is in their way."""

Ask = Callable[[Sequence[Order]], Sequence[ShardAnswer]]
"""Puts one order to each shard, and brings the answers in the order of the shards."""


class Crew(Protocol):
    """Whoever works out the answers of shards: this process, or workers elsewhere."""

    def __call__(self, parts: Sequence[Coupled]) -> Ask:
        """Take the shards' problems, and say how to ask about them."""


def here(parts: Sequence[Coupled]) -> Ask:
    """A crew of nobody else: every answer is worked out in this process, one after the other."""
    flows = [Flows(part.levelled) for part in parts]

    def ask(orders: Sequence[Order]) -> list[ShardAnswer]:
        return [shard_round(*of) for of in zip(parts, flows, orders, strict=True)]

    return ask


def shards_of(problem: Coupled) -> int:
    """Into how many shards a problem is dealt, by its size alone: a plan does not depend on how many workers there are."""
    return int(np.clip(-(-len(problem.arc_volume) // ARCS_PER_SHARD), SHARDS_LEAST, SHARDS_MOST))


def plan_by_shards(problem: Coupled, shards: int, crew: Crew = here, effort: Effort | None = None) -> FastPlan:
    """The plan for the problem and its certificate, worked out in so many shards by the crew.

    The same for the same problem and number of shards, whoever the crew is. Raises ValueError for less than one shard.
    """
    effort = effort or Effort.of(problem)
    if not len(problem.arrays.arc_sku):
        return plan_fast(problem, effort)
    dealt = split(problem, shards)
    desk = Desk(problem, dealt, crew([shard.part for shard in dealt]))
    plan = _ShardedSearch(problem, desk, effort).plan() if problem.couples else plan_fast(problem, effort, desk)
    return replace(plan, versions=(f"shards {len(dealt)}",))


class Desk(Flows):
    """Flows of the whole problem that shards work out, and the other questions that only they are asked."""

    def __init__(self, problem: Coupled, shards: Sequence[Shard], ask: Ask) -> None:
        super().__init__(problem.levelled)
        self.shards = shards
        self.ask = ask

    def solve(
        self,
        *,
        extra: FloatArray | None = None,
        usable: BoolArray | None = None,
        most: IntArray | None = None,
        skus: Sequence[int] | IntArray | None = None,
        taken: tuple[IntArray, IntArray] | None = None,
    ) -> FlowResult:
        """As `Flows.solve`. A question about some SKUs, or with other capacities, is small and answered here."""
        if most is not None or skus is not None or taken is not None:
            return super().solve(extra=extra, usable=usable, most=most, skus=skus, taken=taken)
        arcs = len(self.arrays.arc_sku)
        extra = np.zeros(arcs) if extra is None else extra
        usable = np.ones(arcs, dtype=np.bool_) if usable is None else usable
        answers = self.ask([FlowOrder(extra[shard.arcs], usable[shard.arcs]) for shard in self.shards])
        value, priced = np.zeros(self.arrays.skus), np.zeros(self.arrays.skus)
        for shard, answer in zip(self.shards, answers, strict=True):
            value[shard.skus], priced[shard.skus] = answer.value, answer.priced
        return FlowResult(self.together(answers), value, priced)

    def together(self, answers: Iterable[ShardAnswer]) -> IntArray:
        """The packs of all shards by arc of the whole problem."""
        packs = np.zeros(len(self.arrays.arc_sku), dtype=np.int64)
        for shard, answer in zip(self.shards, answers, strict=True):
            packs[shard.arcs] = answer.packs
        return packs


class _ShardedSearch(Search):
    """The search of the fast path with its flows at the desk; trials of lanes and polishing are put to the shards too."""

    def __init__(self, problem: Coupled, desk: Desk, effort: Effort) -> None:
        super().__init__(problem, desk, effort, desk.solve())
        self._desk = desk

    def _improved(self, state: OpenLanes) -> IntArray:
        return _LaneSearch(self._desk, state, self._effort).packs()

    def _finish(self, prices: Prices) -> None:
        problem, desk = self._problem, self._desk
        if not (self._limited or problem.line_cost or (problem.arc_least > 1).any()):
            return
        if self._limited and problem.lane_cost.any():
            price = limit_charge(problem, prices), problem.line_price(prices.limit)
            self._keep(with_new_departures(problem, self._packs, price, self._effort.trials // 4))
        stake = -problem.sku_cost(self._packs) + 1e-9 * (self._first.value < 0)
        skus = np.argsort(-stake, kind="stable")[: self._effort.polished]
        skus = skus[stake[skus] > 0]
        for turn in range(len(desk.shards) if self._limited else 1):
            packs = desk.together(desk.ask(self._allotments(skus, turn)))
            if problem.fits(packs):
                self._keep(without_losers(problem, packs))
        if self._limited:
            self._keep(without_losers(problem, polished(problem, self._packs, skus[:POLISHED_HERE])))

    def _allotments(self, skus: IntArray, turn: int) -> list[AllotOrder]:
        """What is left of every lane and limit goes to one shard, and in the next turn to the next: packs come in lumps."""
        problem, packs, shards = self._problem, self._packs, self._desk.shards
        opened = problem.used(packs) | (problem.lane_cost <= 0)
        capped = np.isfinite(problem.lane_capacity)
        room = np.where(capped, np.maximum(problem.lane_capacity - problem.volume(packs), 0.0), np.inf)
        left = np.maximum(problem.limits.most - problem.usage(packs), 0.0)
        lanes, limits = ((np.arange(len(of)) + turn) % len(shards) for of in (room, left))
        return [
            AllotOrder(
                packs[shard.arcs],
                np.searchsorted(shard.skus, skus[np.isin(skus, shard.skus)]),
                opened,
                np.where(capped & (lanes != number), 0.0, room),
                np.where(limits == number, left, 0.0),
            )
            for number, shard in enumerate(shards)
        ]


class _LaneSearch:
    """`tools.planning.lanes.improve_lanes`, with several lanes tried in one round."""

    def __init__(self, desk: Desk, state: OpenLanes, effort: Effort) -> None:
        self._desk, self._state, self._effort = desk, state, effort
        self._accepted: list[int] = []

    def packs(self) -> IntArray:
        """Rounds of drops and adds until one changes nothing, or so many trials were made."""
        while self._state.trials < self._effort.trials:
            dropped = self._try(drops(self._state))
            added = self._try(adds(self._state))
            if not dropped and not added:
                break
        return self._state.packs

    def _try(self, lanes: IntArray) -> int:
        state, most = self._state, self._effort.failures
        position = failures = flipped = 0
        size = TRIED_FIRST
        while position < len(lanes) and failures < most and state.trials < self._effort.trials:
            tried = lanes[position:][: min(size, most - failures, self._effort.trials - state.trials)]
            fixed = np.where(state.opened[tried], -1.0, 1.0) * state.problem.lane_cost[tried]
            pays = np.flatnonzero(self._changes(tried) + fixed < -BETTER)
            count = int(pays[0]) + 1 if len(pays) else len(tried)
            position, state.trials = position + count, state.trials + count
            if len(pays):
                self._accepted.append(int(tried[count - 1]))
                state.opened[tried[count - 1]] = not state.opened[tried[count - 1]]
                flipped, failures, size = flipped + 1, 0, TRIED_FIRST
            else:
                failures, size = failures + count, min(2 * size, TRIED_MOST)
        if self._accepted:
            self._changes(lanes[:0])
        return flipped

    def _changes(self, tried: IntArray) -> FloatArray:
        """By how much each lane would change the SKUs' worth; what was accepted before is carried out first."""
        state, desk = self._state, self._desk
        before, accepted = state.opened.copy(), np.asarray(self._accepted, dtype=np.int64)
        before[accepted] = ~before[accepted]
        self._accepted = []
        answers = desk.ask(
            [
                TrialOrder(state.extra[s.arcs], before, state.packs[s.arcs], state.value[s.skus], accepted, tried)
                for s in desk.shards
            ]
        )
        state.packs = desk.together(answers)
        for shard, answer in zip(desk.shards, answers, strict=True):
            state.value[shard.skus] = answer.value
        changes: FloatArray = np.sum([answer.changes for answer in answers], axis=0)
        return changes
