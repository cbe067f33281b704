"""Named sources of cycles for a backtest, with the cycles that knobs are fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tools.simulation.cycle import Cycle
from tools.simulation.generators import meissner_senicheva, retail
from tools.simulation.knobs import Fold

FITTING_SEEDS = 2
FITTING_SEED_DISTANCE = 1_000
"""Knobs are fitted on seeds this far from the scored one, so that neighbouring seeds share no cycle."""


class Generator(StrEnum):
    """What can be made up from a seed."""

    MS15 = "ms15"
    MS45 = "ms45"
    M5 = "m5"
    LANE_COSTS = "lane-costs"


@dataclass(frozen=True)
class _Default:
    cost: float
    lead_time_periods: int
    seed: int
    cycles: int


DEFAULTS = {
    Generator.MS15: _Default(cost=0.5, lead_time_periods=0, seed=3, cycles=40),
    Generator.MS45: _Default(cost=0.1, lead_time_periods=0, seed=3, cycles=12),
    Generator.M5: _Default(cost=1.0, lead_time_periods=0, seed=7, cycles=150),
    Generator.LANE_COSTS: _Default(cost=3.0, lead_time_periods=1, seed=7, cycles=200),
}
LANE_COST_FACTOR = 0.5
"""In the lane-cost instances moving a unit is cheap and the lane is dear."""


def generated(
    generator: Generator,
    *,
    cost: float | None = None,
    lead_time_periods: int | None = None,
    seed: int | None = None,
    cycles: int | None = None,
    fitting_seeds: int = FITTING_SEEDS,
) -> tuple[Fold, ...]:
    """One fold: the cycles of a seed, knobs held out to other seeds.

    `cost` is money per unit and distance for ms15 and ms45, a factor on prices for m5,
    and what a lane costs a day for lane-costs; `cycles` counts SKU instances. What is not
    given is the generator's own.
    """
    own = DEFAULTS[generator]
    first = own.seed if seed is None else seed

    def made(number: int) -> Cycle:
        lead = own.lead_time_periods if lead_time_periods is None else lead_time_periods
        money, size = own.cost if cost is None else cost, own.cycles if cycles is None else cycles
        if generator is Generator.M5:
            return retail(size, money, number, lead)
        if generator is Generator.LANE_COSTS:
            return retail(size, LANE_COST_FACTOR, number, lead, lane_day_cost=money)
        return meissner_senicheva(15 if generator is Generator.MS15 else 45, size, money, number, lead)

    held_out = tuple(made(first + FITTING_SEED_DISTANCE + each) for each in range(fitting_seeds))
    return (Fold((made(first),), held_out),)
