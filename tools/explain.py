"""Why a line is in a plan, in numbers and then in words. Every number in the words is one of the numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.coverage import days_of_cover
from tools.demand import DemandView, survival
from tools.inventory import SiteSku, Snapshot
from tools.money import money_text
from tools.positions import available_units, projected_units
from tools.transfers import TransferLine, TransferPlan
from tools.whatif import assumed


@dataclass(frozen=True, slots=True)
class EndOfLine:
    """One end of a line: what the site has, needs and risks, without the plan and with it."""

    site_id: str
    available_units: int
    projected_before_units: int
    projected_after_units: int
    expected_demand_e6: int
    days_until_supply: int
    days_of_cover: int | None
    stock_out_before_ppm: int
    stock_out_after_ppm: int


@dataclass(frozen=True, slots=True)
class LineExplanation:
    """A line with both ends and its money, in minor units."""

    line_no: int
    sku_id: str
    units: int
    donor: EndOfLine
    receiver: EndOfLine
    saving_minor: int
    move_cost_minor: int
    departure_cost_minor: int
    lines_on_departure: int
    currency: str

    @property
    def words(self) -> str:
        """Three sentences for people."""
        to, at = self.receiver, self.donor
        share = f", shared by {self.lines_on_departure} lines" if self.lines_on_departure > 1 else ""
        return (
            f"{to.site_id} has {to.available_units:,} available and expects to need {to.expected_demand_e6 / 1e6:,.1f}"
            f" in the {to.days_until_supply} days until its regular supply: it would run out with a probability of"
            f" {to.stock_out_before_ppm / 1e4:.1f} %, and {to.stock_out_after_ppm / 1e4:.1f} % after receiving"
            f" {self.units:,}. "
            f"{at.site_id} has {at.available_units:,} available for an expected {at.expected_demand_e6 / 1e6:,.1f} in"
            f" {at.days_until_supply} days; sending {self.units:,} takes its risk from"
            f" {at.stock_out_before_ppm / 1e4:.1f} % to {at.stock_out_after_ppm / 1e4:.1f} %. "
            f"The line saves {money_text(self.saving_minor, self.currency)} after"
            f" {money_text(self.move_cost_minor, self.currency)} of its own cost; its departure costs"
            f" {money_text(self.departure_cost_minor, self.currency)}{share}."
        )


def explain_line(snapshot: Snapshot, plan: TransferPlan, line_no: int, default_horizon_days: int) -> LineExplanation:
    """Explain one line of a plan made on this snapshot. Raises IndexError when the plan has no such line."""
    if not 1 <= line_no <= len(plan.lines):
        raise IndexError(f"the plan has {len(plan.lines)} lines; there is no line {line_no}")
    line = plan.lines[line_no - 1]
    facts = assumed(snapshot, plan.request.overlays)
    view = DemandView(facts, default_horizon_days)
    load = next(load for load in plan.lanes if load.lane == line.lane)
    return LineExplanation(
        line_no=line_no,
        sku_id=line.sku_id,
        units=line.units,
        donor=_end(facts, view, plan, line, line.origin),
        receiver=_end(facts, view, plan, line, line.destination),
        saving_minor=line.saving_minor,
        move_cost_minor=line.move_cost_minor,
        departure_cost_minor=load.fixed_cost_minor,
        lines_on_departure=len(load.line_nos),
        currency=plan.currency,
    )


def _end(facts: Snapshot, view: DemandView, plan: TransferPlan, line: TransferLine, site_id: str) -> EndOfLine:
    key = SiteSku(site_id, line.sku_id)
    days = view.horizon_days(key)
    demand = view.window(key, 0, days)
    before = projected_units(facts, key, days)
    after = before + plan.received_units.get(key, 0) - plan.sent_units.get(key, 0)
    risks = survival(demand, np.asarray([before, after], dtype=np.int64))
    return EndOfLine(
        site_id=site_id,
        available_units=available_units(facts, key),
        projected_before_units=before,
        projected_after_units=after,
        expected_demand_e6=round(demand.mean * 1e6),
        days_until_supply=days,
        days_of_cover=days_of_cover(view, key, available_units(facts, key)),
        stock_out_before_ppm=round(float(risks[0]) * 1e6),
        stock_out_after_ppm=round(float(risks[1]) * 1e6),
    )
