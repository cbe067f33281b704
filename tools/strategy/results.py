"""What a strategy says: the curve, levels by class and site, and where in the network safety stock belongs.

Money is in minor units of the currency, shares are in millionths (`_ppm`) and service
levels in hundredths of a percent (`_bp`).
"""

from __future__ import annotations

from enum import StrEnum

from tools.inventory import SiteKind
from tools.targets import DemandClass
from tools.transfers import Value


class Aim(StrEnum):
    """What the proposed levels are for."""

    CHEAPEST = "cheapest"
    FILL_RATE = "fill_rate"
    BUDGET = "budget"


class Standing(Value):
    """Levels and what they mean: for a group of site-SKUs, or for all.

    `investment_minor` is what the order-up-to levels are worth at cost: stock on hand
    and on order right after a review. `daily_cost_minor` is the expected cost of
    holding and of lost sales. `service_level_bp` is the common level of the group, or
    the mean of its levels weighted by demand where each site-SKU has one of its own.
    """

    service_level_bp: int
    safety_stock_units: int
    order_up_to_units: int
    investment_minor: int
    fill_rate_ppm: int
    daily_cost_minor: int


class CurvePoint(Value):
    """The most expected sales that so much stock can buy."""

    investment_minor: int
    fill_rate_ppm: int
    safety_stock_units: int
    order_up_to_units: int


class LevelRow(Value):
    """The SKUs of one demand class at one site."""

    demand_class: DemandClass
    site_id: str
    skus: int
    present: Standing
    proposed: Standing


class LevelLine(Value):
    """One site-SKU whose order-up-to level changes. `protection_days` is lead time and review period."""

    site_id: str
    sku_id: str
    demand_class: DemandClass
    protection_days: int
    present_level_bp: int
    proposed_level_bp: int
    present_units: int
    proposed_units: int
    investment_change_minor: int


class EchelonRow(Value):
    """Safety stock of one demand class at one site, placed three ways.

    `placed_units`: as the network as a whole is served best. `alone_units`: every site
    answers at once from its own shelf. `unpooled_units`: centres hold nothing, and
    every site that has customers covers the whole way itself. `skus_held` of `skus`
    have safety stock here.
    """

    demand_class: DemandClass
    site_id: str
    kind: SiteKind
    skus: int
    skus_held: int
    placed_units: int
    alone_units: int
    unpooled_units: int
    placed_minor: int


class PlacementLine(Value):
    """One SKU at one site: how long the site lets others wait, and the days that its safety stock covers.

    `order_up_to_units` is the mean demand of `net_days` and the safety stock.
    """

    site_id: str
    sku_id: str
    promise_days: int
    net_days: int
    safety_stock_units: int
    alone_units: int
    unpooled_units: int
    order_up_to_units: int


class Placed(Value):
    """Safety stock of the network, placed one way."""

    safety_stock_units: int
    investment_minor: int
    daily_holding_minor: int


class Echelons(Value):
    """The network's safety stock, placed three ways, and what pooling the risk of sites saves.

    Savings are in holding cost per day: of the placement against every site by itself,
    and against centres that hold nothing. Neither is ever negative.
    """

    placed: Placed
    alone: Placed
    unpooled: Placed
    saving_to_alone_minor: int
    saving_to_unpooled_minor: int
    rows: tuple[EchelonRow, ...]
    lines: tuple[PlacementLine, ...]
    lines_not_shown: int


class Strategy(Value):
    """Levels for the weeks to come: where they are, what they could be, and where stock belongs. It changes nothing.

    `held_minor` is the stock on hand and on the way at cost. `same_fill_minor` is the
    least investment that reaches the present fill rate, `same_investment_fill_ppm` the
    best fill rate for the present investment.
    """

    snapshot_digest: str
    currency: str
    aim: Aim
    horizon_days: int
    site_skus: int
    held_minor: int
    present: Standing
    proposed: Standing
    same_fill_minor: int
    same_investment_fill_ppm: int
    curve: tuple[CurvePoint, ...]
    rows: tuple[LevelRow, ...]
    lines: tuple[LevelLine, ...]
    lines_not_shown: int
    echelons: Echelons
    notes: tuple[str, ...] = ()
