"""Why a site cannot get a SKU, or get rid of it: an irreducible set of obstacles that are in conflict with the wish.

Whether a wish can be met is decided exactly: the least cost of so many whole packs on
the ways that are open, within every cap and the number of lines, by a mixed-integer
problem of one SKU (scipy's HiGHS), with the budget compared in exact integers. For the
other SKUs of a set that is delivered in whole, see `tools.planning.mates`.

A deletion filter (Chinneck and Dravnieks, Locating minimal infeasible constraint sets
in linear programs, ORSA Journal on Computing 3, 1991) then leaves out one obstacle
after the other for good wherever the wish cannot be met all the same. What is left is
infeasible with the wish, and no longer so without any one of its members. Obstacles
that somebody can take away go first: what stays are facts where facts alone suffice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from tools.inventory import Snapshot
from tools.planning.limits import Limits
from tools.planning.mates import setting_with_mates
from tools.planning.obstacles import Cap, Kind, Obstacle, Setting, Wanted, Way
from tools.planning.solution import Move
from tools.transfers import PlanRequest
from tools.whatif import assumed


@dataclass(frozen=True, slots=True)
class Blocked:
    """What came of asking why. `conflict` is empty for a wish that can be met.

    `possible_units` are the most (up to the wish) that can be moved beside the plan's
    other lines, `alone_units` the most if the plan had no other lines. `beside_plan`
    says that the conflict holds only because of the plan's other lines.
    """

    wanted: Wanted
    possible_units: int
    alone_units: int
    conflict: tuple[Obstacle, ...]
    beside_plan: bool


class UnknownWishError(ValueError):
    """The wish names a site or a SKU that the facts do not know."""


def find_conflict(
    snapshot: Snapshot, limits: Limits, request: PlanRequest, wanted: Wanted, moves: Sequence[Move] = ()
) -> Blocked:
    """Whether a wish can be met, and if not, an irreducible set of obstacles to it.

    `moves` are those of a plan; its lines of the wanted SKU at the wanted end are
    planned anew, and all others stay. Raises UnknownWishError.
    """
    facts = assumed(snapshot, request.overlays)
    if wanted.site_id not in facts.site_by_id or wanted.sku_id not in facts.sku_by_id:
        raise UnknownWishError(f"there is no SKU {wanted.sku_id} or no site {wanted.site_id} in these facts")
    others = other_moves(moves, wanted)
    alone = Feasibility(setting_with_mates(facts, limits, request, wanted, ()))
    alone_units = alone.most_units()
    if alone_units < wanted.units or not others:
        return Blocked(wanted, alone_units, alone_units, _irreducible(alone, alone_units), beside_plan=False)
    beside = Feasibility(setting_with_mates(facts, limits, request, wanted, others))
    possible = beside.most_units()
    return Blocked(wanted, possible, alone_units, _irreducible(beside, possible), beside_plan=possible < wanted.units)


def other_moves(moves: Sequence[Move], wanted: Wanted) -> tuple[Move, ...]:
    """The moves of a plan that are not about the wish."""

    def about(move: Move) -> bool:
        end = move.lane.destination if wanted.direction == "in" else move.lane.origin
        return (move.sku_id, end) == (wanted.sku_id, wanted.site_id)

    return tuple(move for move in moves if not about(move))


def _irreducible(feasibility: Feasibility, possible: int) -> tuple[Obstacle, ...]:
    if possible >= feasibility.setting.wanted.units:
        return ()
    return feasibility.irreducible(feasibility.setting.obstacles)


class Feasibility:
    """Decides whether a wish can be met under some of its obstacles."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self._mates = tuple((mate, Feasibility(mate.setting)) for mate in setting.mates)
        self._known: dict[tuple[frozenset[Obstacle], int], tuple[int, ...] | None] = {}

    def most_units(self) -> int:
        """The most units, up to the wish, that all obstacles together let through. They come in whole packs."""
        setting = self.setting
        everything = setting.obstacles
        if self.loads(everything, setting.wanted.units) is not None:
            return setting.wanted.units
        good, bad = 0, setting.wanted.units
        while bad - good > 1:
            middle = (good + bad) // 2
            if self.loads(everything, middle) is not None:
                good = middle
            else:
                bad = middle
        return good

    def irreducible(self, obstacles: Collection[Obstacle]) -> tuple[Obstacle, ...]:
        """An irreducible part of obstacles that block the wish: it blocks it, and without any member it does not."""
        active, units = frozenset(obstacles) - self.without_effect(), self.setting.wanted.units
        for obstacle in sorted(active, key=lambda obstacle: (_rank(obstacle), obstacle)):
            if self.loads(active - {obstacle}, units) is None:
                active -= {obstacle}
        return tuple(sorted(active, key=lambda obstacle: (-_rank(obstacle), obstacle)))

    def loads(self, active: frozenset[Obstacle], units: int) -> tuple[int, ...] | None:
        """Packs by way that move at least so many units under the active obstacles, or None where nothing does.

        With the budget active they are the cheapest.
        """
        key = (active, units)
        if key not in self._known:
            self._known[key] = self._loads(active, units)
        return self._known[key]

    def least_raise(self, obstacle: Obstacle) -> tuple[int, tuple[int, ...]] | None:
        """By how much an obstacle alone must give way for the wish to be met, and packs by way that then meet it.

        In the unit in which the setting counts it, 0 for one that is there or not; None where it is not enough.
        """
        setting, units = self.setting, self.setting.wanted.units
        without = self.loads(setting.obstacles - {obstacle}, units)
        counted = {cap.obstacle for cap in setting.caps} | {each for each, _ in setting.lines}
        if setting.budget is not None:
            counted.add(setting.budget[0])
        if without is None or obstacle not in counted:
            return None if without is None else (0, without)
        low, high, loads = 0, 1, self._raised(obstacle, 1)
        while loads is None:
            low, high = high, high * 2
            loads = self._raised(obstacle, high)
        while high - low > 1:
            middle = (low + high) // 2
            found = self._raised(obstacle, middle)
            low, high, loads = (middle, high, loads) if found is None else (low, middle, found)
        return high, loads

    def _raised(self, obstacle: Obstacle, by: int) -> tuple[int, ...] | None:
        setting = self.setting
        budget = setting.budget
        raised = replace(
            setting,
            caps=tuple(replace(c, room=c.room + by) if c.obstacle == obstacle else c for c in setting.caps),
            lines=tuple((each, left + by if each == obstacle else left) for each, left in setting.lines),
            budget=(budget[0], budget[1] + by) if budget is not None and budget[0] == obstacle else budget,
        )
        return Feasibility(raised).loads(raised.obstacles, setting.wanted.units)

    def without_effect(self) -> frozenset[Obstacle]:
        """Obstacles that no answer to the wish comes near: an answer needs at most a least quantity more than the wish."""
        setting = self.setting
        most = setting.wanted.units + setting.pack_size + setting.least_units
        caps: dict[Obstacle, list[Cap]] = {}
        for cap in setting.caps:
            caps.setdefault(cap.obstacle, []).append(cap)
        wide = {each for each, of in caps.items() if all(cap.room >= cap.weight * most for cap in of)}
        wide |= {obstacle for obstacle, left in setting.lines if left >= len(setting.ways)}
        felt = setting.own - wide
        for mate, coming in self._mates:
            felt |= {mate.obstacle} | (mate.setting.own - coming.without_effect())
        return setting.obstacles - felt

    def _closed(self, active: frozenset[Obstacle]) -> frozenset[int]:
        """Ways to a site where a set would stay in part, because another SKU of it cannot come."""
        closed: set[int] = set()
        for mate, coming in self._mates:
            whole = mate.obstacle in active and not closed.issuperset(mate.ways)
            if whole and coming.loads(active & mate.setting.own, 1) is None:
                closed.update(mate.ways)
        return frozenset(closed)

    def _loads(self, active: frozenset[Obstacle], units: int) -> tuple[int, ...] | None:
        setting = self.setting
        pack = setting.pack_size if setting.pack in active else 1
        least = -(-setting.least_units // pack) if setting.least in active else 1
        need = -(-units // pack)
        problem = _Problem(setting, active, pack, least, need, self._closed(active))
        if not problem.may_be_enough:
            return None
        return problem.by_hand() or problem.solved()


class _Problem:
    """One feasibility question in packs. `closed` are ways that are not open, whatever forbids the others."""

    def __init__(
        self, setting: Setting, active: frozenset[Obstacle], pack: int, least: int, need: int, closed: frozenset[int]
    ) -> None:
        self._setting, self._pack, self._least, self._need = setting, pack, least, need
        caps = [(cap, cap.room // (cap.weight * pack)) for cap in setting.caps if cap.obstacle in active]
        ways = [(n, way) for n, way in enumerate(setting.ways) if n not in closed]
        upper = {n: need + least - 1 for n, way in ways if not way.forbidden_by & active}
        for cap, packs in caps:
            for number in cap.ways:
                if number in upper:
                    upper[number] = min(upper[number], packs)
        self._upper = {number: most for number, most in upper.items() if most >= least}
        groups = [([n for n in cap.ways if n in self._upper], packs) for cap, packs in caps]
        self._groups = [(members, packs) for members, packs in groups if sum(self._upper[n] for n in members) > packs]
        lefts = [max(left, 0) for obstacle, left in setting.lines if obstacle in active]
        self._lines = min([len(self._upper), *lefts])
        budget = setting.budget
        self._budget = budget[1] if budget is not None and budget[0] in active else None

    @property
    def may_be_enough(self) -> bool:
        """Whether the ways could carry the wish if nothing but their own limits counted."""
        widest = sorted(self._upper.values(), reverse=True)
        return sum(widest[: self._lines]) >= self._need

    def by_hand(self) -> tuple[int, ...] | None:
        """The wish filled way by way, the cheapest first; None where that does not work out, which proves nothing."""
        packs, left = dict.fromkeys(self._upper, 0), [room for _, room in self._groups]
        missing, lines = self._need, 0
        for number in sorted(self._upper, key=lambda n: (self._cost(n, 1), n)):
            rooms = [left[at] for at, (members, _) in enumerate(self._groups) if number in members]
            take = min([max(missing, self._least), self._upper[number], *rooms])
            if missing <= 0 or lines == self._lines or take < self._least:
                continue
            for at, (members, _) in enumerate(self._groups):
                left[at] -= take if number in members else 0
            packs[number], missing, lines = take, missing - take, lines + 1
        return self._answer(packs) if missing <= 0 else None

    def solved(self) -> tuple[int, ...] | None:
        """The cheapest way to meet the wish, or None where there is none."""
        numbers = sorted(self._upper)
        count = len(numbers)
        upper = np.asarray([self._upper[n] for n in numbers], dtype=np.float64)
        one = np.eye(count)
        rows = [np.hstack([one, -np.diag(upper)]), np.hstack([-one, self._least * one])]
        limits = [np.zeros(count), np.zeros(count)]
        for members, packs in self._groups:
            rows.append(np.asarray([[float(n in members) for n in numbers] + [0.0] * count]))
            limits.append(np.asarray([float(packs)]))
        rows.append(np.asarray([[0.0] * count + [1.0] * count, [-1.0] * count + [0.0] * count]))
        limits.append(np.asarray([float(self._lines), -float(self._need)]))
        costs = np.zeros(2 * count)
        if self._budget is not None:
            ways = [self._setting.ways[n] for n in numbers]
            costs = np.asarray([float(self._pack * way.unit_cost) for way in ways] + [float(w.line_cost) for w in ways])
            costs /= max(float(costs.max()), 1.0)
        found = milp(
            costs,
            integrality=np.ones(2 * count, dtype=np.int64),
            bounds=Bounds(0, np.concatenate([upper, np.ones(count)])),
            constraints=LinearConstraint(np.vstack(rows), -np.inf, np.concatenate(limits)),
            options={"mip_rel_gap": 0.0},
        )
        if found.status == _INFEASIBLE:
            return None
        if found.status != 0:
            raise RuntimeError(f"the test whether a wish can be met ended without an answer: {found.message}")
        return self._answer({n: round(packs) for n, packs in zip(numbers, found.x[:count], strict=True)})

    def _answer(self, packs: dict[int, int]) -> tuple[int, ...] | None:
        """The packs by way if they keep to the budget."""
        cost = sum(self._cost(number, count) for number, count in packs.items() if count)
        if self._budget is not None and cost > self._budget:
            return None
        return tuple(packs.get(number, 0) for number in range(len(self._setting.ways)))

    def _cost(self, number: int, packs: int) -> int:
        way: Way = self._setting.ways[number]
        return packs * self._pack * way.unit_cost + way.line_cost


_INFEASIBLE = 2
_STRUCTURE = {"pack_size": 0, "least_quantity": 1, "not_stocked": 8, "no_lane": 9}
_BY_KIND = {Kind.REQUEST: 2, Kind.POLICY: 3, Kind.FACT: 4}
_RESCUE_REFUSED = 6
"""That policy refuses a rescue is what has to be said before any rule about quantities."""
_STOCK = frozenset(("available_stock", "not_carried"))


def _rank(obstacle: Obstacle) -> int:
    """When the filter tries to leave an obstacle out: what is easily taken away first, stock and missing lanes last."""
    rank = _STRUCTURE.get(obstacle.code, _BY_KIND[obstacle.kind])
    if obstacle.rule == "not_an_emergency":
        return _RESCUE_REFUSED
    return 7 if obstacle.code in _STOCK else rank
