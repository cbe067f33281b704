"""What happens at one end of a line until its next regular supply: without the line, and with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.coverage import days_of_cover
from tools.demand import DemandView, expected_sales, survival
from tools.inventory import SiteSku, Snapshot
from tools.money import e4_per_minor
from tools.planning import Limits
from tools.positions import available_units, projected_units


@dataclass(frozen=True, slots=True)
class EndOfLine:
    """A site of a line: what it has, needs and risks.

    `with` is the whole plan, `without` the plan without this line. Lost units are the
    part of demand that is expected not to be served, in millionths of a unit, and what
    losing them costs.
    """

    site_id: str
    available_units: int
    projected_without_units: int
    projected_with_units: int
    expected_demand_e6: int
    days_until_supply: int
    days_of_cover: int | None
    stock_out_without_ppm: int
    stock_out_with_ppm: int
    lost_without_e6: int
    lost_with_e6: int
    lost_without_minor: int
    lost_with_minor: int


def end_of_line(
    facts: Snapshot, view: DemandView, limits: Limits, key: SiteSku, change_units: tuple[int, int]
) -> EndOfLine:
    """One end; `change_units` are what the plan without the line, and with it, adds to the site's position."""
    days = view.horizon_days(key)
    demand = view.window(key, 0, days)
    position = projected_units(facts, key, days)
    stock = np.asarray([position + change for change in change_units], dtype=np.int64)
    risks = survival(demand, stock)
    lost = np.maximum(demand.mean - expected_sales(demand, stock), 0.0)
    money = lost * limits.lost_e4(key) / e4_per_minor(facts.currency)
    return EndOfLine(
        site_id=key.site_id,
        available_units=available_units(facts, key),
        projected_without_units=int(stock[0]),
        projected_with_units=int(stock[1]),
        expected_demand_e6=round(demand.mean * 1e6),
        days_until_supply=days,
        days_of_cover=days_of_cover(view, key, available_units(facts, key)),
        stock_out_without_ppm=round(float(risks[0]) * 1e6),
        stock_out_with_ppm=round(float(risks[1]) * 1e6),
        lost_without_e6=round(float(lost[0]) * 1e6),
        lost_with_e6=round(float(lost[1]) * 1e6),
        lost_without_minor=round(float(money[0])),
        lost_with_minor=round(float(money[1])),
    )
