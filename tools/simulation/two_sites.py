"""Two sites, solved exactly: how good a rule is where the optimum is known.

Backward recursion over both stocks (dynamic programming). No lead time, lost sales, a
transfer of any size at the start of every period but the first. Every rule is evaluated
by the same recursion, without sampling. Money is the margin of what is sold less moves
and less what is left at the end, so more is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
from scipy import special, stats

from tools.demand import POISSON_BELOW, FloatArray
from tools.simulation.cycle import Cycle, IntArray, complete_lanes
from tools.simulation.model import Rule
from tools.simulation.view import View

Point = tuple[int, int]


@dataclass(frozen=True)
class TwoSites:
    """An instance: mean demand of a period at both sites, its variance-to-mean ratio, and what moving a unit costs."""

    mean: tuple[float, float]
    dispersion: float
    move_cost: float
    periods: int = 7
    lost_cost: float = 60.0
    left_cost: float = 8.0

    @cached_property
    def start(self) -> Point:
        """Stock at the start: mean demand of all periods and one standard deviation."""
        means = [mean * self.periods for mean in self.mean]
        first, second = (round(mean + float(np.sqrt(self.dispersion * mean))) for mean in means)
        return first, second

    @property
    def total(self) -> int:
        """Units at both sites at the start: there are never more."""
        return sum(self.start)

    @cached_property
    def demand(self) -> tuple[FloatArray, FloatArray]:
        """Probabilities of 0, 1, ... units in a period at each site; the thin tail lies on the last."""
        widest = max(self.mean)
        points = int(widest + 10 * np.sqrt(self.dispersion * widest)) + 3
        first, second = (_probabilities(mean, self.dispersion, points) for mean in self.mean)
        return first, second

    def cycle(self) -> Cycle:
        """The same instance as rules see it; nobody looks at its demand."""
        shape = (1, self.periods, 2)
        return Cycle(
            demand=np.zeros(shape, dtype=np.int64), forecast=np.broadcast_to(np.asarray(self.mean), shape).copy(),
            dispersion=np.array([self.dispersion]), stock=np.array([self.start]), lost_cost=np.array([self.lost_cost]),
            left_cost=np.array([self.left_cost]), lanes=complete_lanes(np.ones((2, 2)), 0),
            move_cost=np.full((1, 2), self.move_cost),
        )  # fmt: skip


@dataclass(frozen=True)
class TwoSiteResult:
    """Expected money of doing nothing, of the optimum, and of knowing all demand beforehand."""

    instance: TwoSites
    nothing: float
    optimum: float
    foresight: float

    @property
    def optimum_share(self) -> float:
        """How much of the gap to foresight the optimum closes: what is beyond anybody."""
        return (self.optimum - self.nothing) / (self.foresight - self.nothing)

    def share(self, money: float) -> float:
        """How much of the gap from nothing to the optimum a rule with this expected money closes."""
        return (money - self.nothing) / (self.optimum - self.nothing)


SUITE = tuple(
    TwoSites(mean, dispersion, cost)
    for mean, dispersion, cost in product(((2.0, 2.0), (1.0, 3.0), (4.0, 4.0)), (1.0, 2.0), (2.0, 10.0, 25.0))
)
"""18 instances: even and uneven, small and larger, Poisson and overdispersed, cheap and dear moves."""


def solve(instance: TwoSites) -> TwoSiteResult:
    """The optimum by dynamic programming, and what frames it."""
    recursion = _Recursion(instance)
    return TwoSiteResult(
        instance,
        nothing=recursion.value_of(lambda _, values: values),
        optimum=recursion.value_of(lambda _, values: recursion.best_after(values)),
        foresight=_foresight(instance),
    )


def evaluate(instance: TwoSites, rule: Rule) -> float:
    """Expected money of the rule from the start, exactly. All reachable stocks of a period are decided at once."""
    recursion = _Recursion(instance)

    def after(period: int, values: FloatArray) -> FloatArray:
        moved = _decisions(instance, rule, period)
        first, second = np.meshgrid(np.arange(instance.total + 1), np.arange(instance.total + 1), indexing="ij")
        reachable = first + second <= instance.total
        found = values.copy()
        units = moved[first[reachable], second[reachable]]
        found[reachable] = (
            values[first[reachable] - units, second[reachable] + units] - np.abs(units) * instance.move_cost
        )
        return found

    return recursion.value_of(after)


@dataclass(frozen=True)
class _Recursion:
    instance: TwoSites
    sales: tuple[FloatArray, FloatArray] = field(init=False)
    """For each site, by stock (n + 1, n + 1): the probability of every stock left after a period."""

    def __post_init__(self) -> None:
        tables = tuple(_left_after(probabilities, self.instance.total) for probabilities in self.instance.demand)
        object.__setattr__(self, "sales", tables)

    def value_of(self, decide: Callable[[int, FloatArray], FloatArray]) -> float:
        """Expected money from the start, where `decide` turns values after a decision into values before it."""
        instance = self.instance
        stock = np.arange(instance.total + 1)
        values = -instance.left_cost * (stock[:, None] + stock[None, :]).astype(np.float64)
        sold = [stock - left @ stock for left in self.sales]
        for period in reversed(range(instance.periods)):
            later = self.sales[0] @ values @ self.sales[1].T
            values = instance.lost_cost * (sold[0][:, None] + sold[1][None, :]) + later
            if period >= 1:
                values = decide(period, values)
        return float(values[instance.start])

    def best_after(self, values: FloatArray) -> FloatArray:
        """The best over all transfers: along each line of equal total, the dearest way is by the unit."""
        best = values.copy()
        for total in range(self.instance.total + 1):
            first = np.arange(total + 1)
            line = values[first, total - first]
            apart = np.abs(first[:, None] - first[None, :])
            best[first, total - first] = (line[None, :] - apart * self.instance.move_cost).max(axis=1)
        return best


def _decisions(instance: TwoSites, rule: Rule, period: int) -> IntArray:
    """(n + 1, n + 1): units that the rule sends from the first site to the second, negative the other way."""
    total = instance.total
    first, second = (side.ravel() for side in np.meshgrid(np.arange(total + 1), np.arange(total + 1), indexing="ij"))
    reachable = first + second <= total
    stock = np.stack((first[reachable], second[reachable]), axis=1)
    cycle = instance.cycle().only(np.zeros(len(stock), dtype=np.int64))
    sent = rule(View.at(cycle, period, stock))
    forth = cycle.lanes.origin == 0
    moved = np.zeros((total + 1, total + 1), dtype=np.int64)
    moved[stock[:, 0], stock[:, 1]] = (sent[:, forth] - sent[:, ~forth]).sum(axis=1)
    return moved


def _left_after(probabilities: FloatArray, total: int) -> FloatArray:
    table = np.zeros((total + 1, total + 1))
    for stock in range(total + 1):
        for asked, probability in enumerate(probabilities):
            table[stock, max(stock - asked, 0)] += probability
    return table


def _probabilities(mean: float, dispersion: float, points: int) -> FloatArray:
    asked = np.arange(points)
    if dispersion <= POISSON_BELOW:
        found = stats.poisson.pmf(asked, mean)
        tail = float(special.gammainc(points, mean))
    else:
        found = stats.nbinom.pmf(asked, mean / (dispersion - 1.0), 1.0 / dispersion)
        tail = float(stats.nbinom.sf(points - 1, mean / (dispersion - 1.0), 1.0 / dispersion))
    probabilities = np.asarray(found, dtype=np.float64)
    probabilities[-1] += tail
    return probabilities


def _foresight(instance: TwoSites) -> float:
    """Expected money when all demand is known: the first period is served locally, then stock left over is moved once."""
    value = 0.0
    ends = [_local(instance, site) for site in (0, 1)]
    for (own, spare, short, chance), (own2, spare2, short2, chance2) in product(*ends):
        moved = min(spare, short2) + min(spare2, short)
        sold = own + own2 + moved
        money = instance.lost_cost * sold - instance.move_cost * moved - instance.left_cost * (instance.total - sold)
        value += chance * chance2 * money
    return value


def _local(instance: TwoSites, site: int) -> list[tuple[int, int, int, float]]:
    """Units sold of a site's own stock, units never needed there, demand that a transfer could serve, and the chance."""
    rest: FloatArray = np.array([1.0])
    for _ in range(instance.periods - 1):
        rest = np.convolve(rest, instance.demand[site]).astype(np.float64)
    joined: dict[tuple[int, int, int], float] = {}
    stock = instance.start[site]
    for asked, probability in enumerate(instance.demand[site]):
        kept = max(stock - asked, 0)
        for later, chance in enumerate(rest):
            end = (stock - kept + min(kept, later), max(kept - later, 0), max(later - kept, 0))
            joined[end] = joined.get(end, 0.0) + float(probability * chance)
    return [(*end, chance) for end, chance in joined.items() if chance > 1e-15]


def shares(rules: Mapping[str, Rule], suite: Sequence[TwoSites] = SUITE) -> dict[str, tuple[float, ...]]:
    """For every rule its share of the gap from nothing to the optimum, in the order of the suite."""
    results = [solve(instance) for instance in suite]
    return {
        name: tuple(result.share(evaluate(result.instance, rule)) for result in results) for name, rule in rules.items()
    }
