"""A backtest on a page: past sales of the network played again without transfers and with ours, within a bound of work.

`evenkeel backtest` compares more rules, on all SKUs and with knobs fitted on other cycles;
this one answers one question in a moment: what would it have been worth to let the planner move stock?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.ui.exports import Cell
from app.ui.rendering import percent_text
from policies.limits import leftover_unit_e4, lost_unit_e4
from policies.schema import Policy
from tools.network_folder import NetworkFolder
from tools.simulation import PLANNER_RULES, Cycle, Ours, Outcome, Rule, SkuCosts, cycles_of, no_transfers, play
from tools.simulation.history import SITES_MIN

_PPM = 1_000_000
CYCLE_DAYS = {"week": 42, "day": 14}
"""How long one order cycle is, by what one record of sales covers."""
HISTORY_DAYS = {"week": 91, "day": 56}
"""How much of the past before a cycle its forecasts are made of."""
SKUS_CHOICES = (10, 20, 40)
CYCLES_MAX = 2
SITES_MAX = 20
NOTHING, THUMB, OURS = "No transfers", "Rule of thumb", "Evenkeel's transfers"
_RULES: tuple[tuple[str, str, Rule], ...] = (
    (NOTHING, "Everything stays where it is until the regular supply comes.", no_transfers),
    (THUMB, "Each shortage is filled from the nearest site with a surplus.", PLANNER_RULES["nearest surplus"]),
    (OURS, "The planner weighs what a unit brings where it goes, loses where it leaves, and costs to move.", Ours()),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """How much is played again: the SKUs that sell for most, over the last order cycles."""

    skus: int = 20
    cycles: int = 1

    def days_of(self, grain: str) -> int:
        """How many days one cycle has."""
        return CYCLE_DAYS[grain]


@dataclass(frozen=True, slots=True)
class Played:
    """What a rule came to. Money in units of the currency, as floats: a simulation has no cents."""

    name: str
    words: str
    demanded_units: int
    lost_units: int
    left_units: int
    moved_units: int
    lost_cost: float
    left_cost: float
    transfer_cost: float

    @property
    def fill_rate(self) -> float:
        """The share of demand that was served."""
        return 1.0 - self.lost_units / self.demanded_units if self.demanded_units else 1.0

    @property
    def availability(self) -> str:
        """The same as people read it."""
        return percent_text(round(self.fill_rate * _PPM))

    @property
    def total_cost(self) -> float:
        """Lost sales, stock left over, and moving."""
        return self.lost_cost + self.left_cost + self.transfer_cost


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same demand under each rule; the first did nothing, the last is ours."""

    currency: str
    sites: int
    skus: int
    cycles: int
    days: int
    grain: str
    rules: tuple[Played, ...]
    left_out: int = 0
    """SKUs that were chosen and not played: they sell at too few sites."""

    @property
    def nothing(self) -> Played:
        """What would have been without a transfer."""
        return self.rules[0]

    @property
    def ours(self) -> Played:
        """What would have been with ours."""
        return self.rules[-1]

    @property
    def words(self) -> str:
        """What came out, in a few sentences."""
        ours, nothing = self.ours, self.nothing
        fewer, cheaper = nothing.lost_units - ours.lost_units, nothing.total_cost - ours.total_cost
        first = (
            f"Of {nothing.demanded_units:,} units that customers asked for, {nothing.lost_units:,} would have been lost "
            f"without transfers and {ours.lost_units:,} with ours"
        )
        lost = f": {fewer:,} fewer." if fewer > 0 else ": not fewer."
        moved = f" For that {ours.moved_units:,} units would have moved, for {ours.transfer_cost:,.0f} {self.currency}."
        total = " All in all the transfers would not have paid."
        if cheaper > 0 and nothing.total_cost:
            share = percent_text(round(cheaper / nothing.total_cost * _PPM), 0)
            total = (
                f" All in all the transfers would have been worth {cheaper:,.0f} {self.currency} ({share} of the cost)."
            )
        return first + lost + moved + total

    def fewer(self, asked: int) -> list[str]:
        """Why fewer SKUs were played than were asked for, where they were."""
        chosen, said = self.skus + self.left_out, []
        if chosen < asked:
            said.append(f"No more than {chosen:,} SKUs sold anything in that time.")
        if self.left_out:
            one = self.left_out == 1
            said.append(
                f"{self.left_out:,} of the {chosen:,} SKUs that sell for most {'is' if one else 'are'} not played: "
                f"{'it' if one else 'they'} sold regularly at fewer than {SITES_MIN} of these sites, "
                "too few to balance anything between."
            )
        return said


def replayed(network: NetworkFolder, policy: Policy, asked: Asked) -> Replayed:
    """Play the last cycles under each rule. Raises ValueError, in words for people, where there is nothing to play."""
    costs = {sku.sku_id: SkuCosts(lost_unit_e4(policy, sku), leftover_unit_e4(policy, sku)) for sku in network.skus}
    cycles = cycles_of(network, costs)[-asked.cycles :]
    grain = "week" if network.sales_grain is None else network.sales_grain.value
    days = sum(cycle.periods for cycle in cycles) * (7 if grain == "week" else 1)
    skus = max(cycle.skus for cycle in cycles)
    return Replayed(
        currency=network.currency, sites=cycles[0].sites, skus=skus, cycles=len(cycles), days=days, grain=grain,
        rules=tuple(_played(name, words, rule, cycles) for name, words, rule in _RULES),
        left_out=len(network.skus) - skus,
    )  # fmt: skip


def _played(name: str, words: str, rule: Rule, cycles: tuple[Cycle, ...]) -> Played:
    ended = [(cycle, play(cycle, rule)) for cycle in cycles]

    def total(of: Callable[[Cycle, Outcome], float]) -> float:
        return float(sum(of(cycle, outcome) for cycle, outcome in ended))

    return Played(
        name, words,
        demanded_units=int(total(lambda _, outcome: outcome.demanded.sum())),
        lost_units=int(total(lambda _, outcome: outcome.lost.sum())),
        left_units=int(total(lambda _, outcome: outcome.left.sum())),
        moved_units=int(total(lambda _, outcome: outcome.moved.sum())),
        lost_cost=total(lambda cycle, outcome: float((cycle.lost_cost * outcome.lost).sum())),
        left_cost=total(lambda cycle, outcome: float((cycle.left_cost * outcome.left).sum())),
        transfer_cost=total(lambda _, outcome: float(outcome.move_cost.sum()) + outcome.lane_cost),
    )  # fmt: skip


def heads(currency: str) -> tuple[str, ...]:
    """The columns of the table as a file."""
    return (
        "Rule", "Units asked for", "Units lost", "Availability (%)", "Units moved", "Units left over",
        f"Lost sales ({currency})", f"Left over ({currency})", f"Moving ({currency})", f"Total cost ({currency})",
    )  # fmt: skip


def cells(found: Replayed) -> list[tuple[Cell, ...]]:
    """The table as a file."""
    return [
        (
            rule.name, rule.demanded_units, rule.lost_units, round(100 * rule.fill_rate, 2), rule.moved_units, rule.left_units,
            round(rule.lost_cost, 2), round(rule.left_cost, 2), round(rule.transfer_cost, 2), round(rule.total_cost, 2),
        )
        for rule in found.rules
    ]  # fmt: skip
