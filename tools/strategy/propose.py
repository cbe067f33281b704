"""The door: from facts and what policy says to a strategy. It proposes, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from tools.demand import DemandView
from tools.money import e4_per_minor, minor_from_e4
from tools.strategy.curve import PPM, Trace, ppm
from tools.strategy.echelon_rows import echelons
from tools.strategy.ladder import Ladder
from tools.strategy.levels import Groups, Levels, Sums, cheapest_levels, levels_at, levels_of
from tools.strategy.network import SafetyStockPlacer, SafetyStocks
from tools.strategy.requests import StrategyRequest, StrategyRules
from tools.strategy.results import Aim, LevelLine, LevelRow, Standing, Strategy
from tools.strategy.site_skus import CLASSES, SiteSkus, Supply, site_skus
from tools.targets import BP


def propose(view: DemandView, rules: StrategyRules, request: StrategyRequest) -> Strategy:
    """Levels by demand class and site for the weeks to come, the curve behind them, and where safety stock belongs.

    Everything is calculated on the part of the snapshot that the request admits; a scope
    in which nobody asks for anything gives a strategy without rows.
    """
    supply = Supply(view.snapshot, rules.supply_days, request.supply_days)
    rows = site_skus(view, supply, rules, request)
    desk = _Desk(view, rules, request, supply, rows, Ladder.of(rows))
    return desk.strategy()


@dataclass(frozen=True)
class _Desk:
    view: DemandView
    rules: StrategyRules
    request: StrategyRequest
    supply: Supply
    rows: SiteSkus
    ladder: Ladder

    @property
    def currency(self) -> str:
        return self.view.snapshot.currency

    def strategy(self) -> Strategy:
        """All of it together."""
        ladder, groups = self.ladder, Groups.of(self.ladder)
        trace = Trace(ladder, self.currency)
        present = levels_of(ladder, self.rows.level_bp)
        aim, proposed, notes = self._proposed(trace, groups)
        sums = {"present": Sums.of(ladder, groups, present), "proposed": Sums.of(ladder, groups, proposed)}
        everything = np.arange(len(groups))
        standing = {name: each.standing(everything, self.currency) for name, each in sums.items()}
        lines, not_shown = self._lines(present, proposed)
        members = np.bincount(groups.of_row, minlength=len(groups))
        return Strategy(
            snapshot_digest=self.view.snapshot.digest,
            currency=self.currency,
            aim=aim,
            horizon_days=self.request.horizon_days,
            site_skus=len(self.rows),
            held_minor=minor_from_e4(int((self.rows.held_units * self.rows.cost_e4).sum()), self.currency),
            present=standing["present"],
            proposed=standing["proposed"],
            **self._same_as(trace, standing["present"], present),
            curve=trace.points() if len(self.rows) else (),
            rows=tuple(
                LevelRow(
                    demand_class=CLASSES[int(groups.demand_class[group])],
                    site_id=self.rows.site_ids[int(groups.site[group])],
                    skus=int(members[group]),
                    **{name: each.standing(np.array([group]), self.currency) for name, each in sums.items()},
                )
                for group in everything
            ),
            lines=lines,
            lines_not_shown=not_shown,
            echelons=echelons(self.view.snapshot, self._safety_stocks(), self.rules, self.request.lines_max),
            notes=notes,
        )

    def _proposed(self, trace: Trace, groups: Groups) -> tuple[Aim, Levels, tuple[str, ...]]:
        request = self.request
        if not len(self.rows):
            return Aim.CHEAPEST, levels_of(self.ladder, self.rows.level_bp), ("Nobody asks for anything here.",)
        if request.fill_rate_ppm is None and request.budget_minor is None:
            return Aim.CHEAPEST, cheapest_levels(self.ladder, groups), ()
        top = len(trace.fill) - 1
        notes: list[str] = []
        paid = top
        if request.budget_minor is not None:
            paid = trace.rank_of_cost(request.budget_minor * e4_per_minor(self.currency))
        if request.fill_rate_ppm is None:
            return Aim.BUDGET, levels_at(self.ladder, paid), ()
        wanted = trace.rank_of_fill(request.fill_rate_ppm / PPM)
        if wanted is None:
            notes.append("The fill rate is beyond a service level of 99.99 % for every SKU; that is where it ends.")
        elif wanted > paid:
            notes.append("The budget ends before the fill rate is reached.")
        return Aim.FILL_RATE, levels_at(self.ladder, min(top if wanted is None else wanted, paid)), tuple(notes)

    def _same_as(self, trace: Trace, standing: Standing, present: Levels) -> dict[str, int]:
        """The curve at the present fill rate, and at the present investment.

        Steps are whole, so that the present levels may lie up to one step above the curve; then they are the answer.
        """
        if not len(self.rows):
            return {"same_fill_minor": 0, "same_investment_fill_ppm": PPM}
        spent = int((self.ladder.units(present.steps) * self.rows.cost_e4).sum())
        rank = trace.rank_of_fill(standing.fill_rate_ppm / PPM)
        least = standing.investment_minor if rank is None else trace.investment_minor(rank)
        best = ppm(float(trace.fill[trace.rank_of_cost(spent)]))
        return {
            "same_fill_minor": min(least, standing.investment_minor),
            "same_investment_fill_ppm": max(best, standing.fill_rate_ppm),
        }

    def _safety_stocks(self) -> SafetyStocks:
        """The placement, with demand guarded against as surely as policy has it: its level, as normal demand has it."""
        factor = special.ndtri(self.rows.level_bp / BP)
        return SafetyStockPlacer(self.view.snapshot, self.rows, self.supply, self.rules, factor).place()

    def _lines(self, present: Levels, proposed: Levels) -> tuple[tuple[LevelLine, ...], int]:
        """The site-SKUs whose levels change, most money first, as many as may be shown, and how many are not."""
        units = {"before": self.ladder.units(present.steps), "after": self.ladder.units(proposed.steps)}
        change = (units["after"] - units["before"]) * self.rows.cost_e4
        order = np.argsort(-np.abs(change), kind="stable")
        changed = order[change[order] != 0]
        shown = changed[: self.request.lines_max]
        level = [np.rint(self.ladder.level_at(each.steps, shown) * BP) for each in (present, proposed)]
        lines = tuple(
            LevelLine(
                site_id=self.rows.keys[row].site_id,
                sku_id=self.rows.keys[row].sku_id,
                demand_class=CLASSES[int(self.rows.demand_class[row])],
                protection_days=int(self.rows.protection_days[row]),
                present_level_bp=int(level[0][line]),
                proposed_level_bp=int(level[1][line]),
                present_units=int(units["before"][row]),
                proposed_units=int(units["after"][row]),
                investment_change_minor=minor_from_e4(int(change[row]), self.currency),
            )
            for line, row in enumerate(shown.tolist())
        )
        return lines, len(changed) - len(lines)
