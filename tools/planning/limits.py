"""Everything that bounds a plan besides the facts: what policy permits, charges and protects, in the solver's terms.

`policies.limits` derives this from a released policy; the solver and the
evaluator only read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from tools.inventory import Lane, LaneKey, SiteSku, Sku, Temperature


@dataclass(frozen=True, slots=True)
class Display:
    """A soft minimum display: each unit that the position lies below `units` costs `shortfall_e4`."""

    units: int
    shortfall_e4: int


@dataclass(frozen=True, slots=True)
class WholeSet:
    """A set that a site has none of, or part of: if the plan brings any of it, every SKU must be there afterwards.

    `missing` are the SKUs of the set that the site has no available unit of; a plan that
    brings any SKU of the set must bring at least one unit of each of these.
    """

    site_id: str
    sku_ids: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """What a plan may do and what it costs beyond freight.

    Money: `lost_unit_e4` is the cost of one unit of demand not served and
    `leftover_unit_e4` of one unit left at the end of the horizon, by SKU.
    `line_charge_minor` is paid for every line (pick, pack, papers). Hurdles are not
    paid; a line or lane must earn that much more than it costs to be planned.

    `lane_departures` is how many departures of a lane, the next one first, a plan may choose from.
    Closures and blocks map to the name of the policy rule that made them.

    Merchandise rules, all absent unless facts and policy ask for them:
    `lost_at_e4` and `leftover_at_e4` stand in for the SKU's own costs at one site;
    `displays` add a convex cost of standing below a display; `leave_e4` is what every
    unit sent away from there earns on top; `must_leave` are units that have to leave
    with this plan; `closed_lines` are SKUs that may not travel on a lane, with the
    rule; of the departures after a lane's next one, `depart_by` forbids those on which
    what ends at a donor would leave too late, and `arrive_by` those on which its lots
    would arrive with too little life; `least_life_days` is what a lot of a SKU must have left on arrival (a SKU that
    is not named must arrive on its last day at the latest); `whole_sets` may not be
    delivered in part.
    """

    policy_digest: str
    lost_unit_e4: Mapping[str, int]
    leftover_unit_e4: Mapping[str, int]
    protected_units: Mapping[SiteSku, int] = field(default_factory=dict)
    closed_lanes: Mapping[LaneKey, str] = field(default_factory=dict)
    temperature_modes: Mapping[Temperature, frozenset[str]] = field(default_factory=dict)
    hazmat_modes: frozenset[str] | None = None
    no_send: Mapping[SiteSku, str] = field(default_factory=dict)
    no_receive: Mapping[SiteSku, str] = field(default_factory=dict)
    line_charge_minor: int = 0
    line_hurdle_minor: int = 0
    lane_hurdle_minor: int = 0
    line_units_max: int | None = None
    lines_max: int | None = None
    units_max: int | None = None
    goods_value_max_minor: int | None = None
    review_interval_days: int = 7
    approval_latency_days: int = 0
    default_horizon_days: int = 14
    lane_departures: int = 1
    lost_at_e4: Mapping[SiteSku, int] = field(default_factory=dict)
    leftover_at_e4: Mapping[SiteSku, int] = field(default_factory=dict)
    displays: Mapping[SiteSku, Display] = field(default_factory=dict)
    leave_e4: Mapping[SiteSku, int] = field(default_factory=dict)
    must_leave: Mapping[SiteSku, int] = field(default_factory=dict)
    closed_lines: Mapping[tuple[LaneKey, str], str] = field(default_factory=dict)
    depart_by: Mapping[SiteSku, date] = field(default_factory=dict)
    arrive_by: Mapping[SiteSku, date] = field(default_factory=dict)
    least_life_days: Mapping[str, int] = field(default_factory=dict)
    whole_sets: tuple[WholeSet, ...] = ()

    def lost_e4(self, key: SiteSku) -> int:
        """What one unit of demand not served at a site costs."""
        at_site = self.lost_at_e4.get(key)
        return self.lost_unit_e4[key.sku_id] if at_site is None else at_site

    def leftover_e4(self, key: SiteSku) -> int:
        """What one unit left at a site at the end of its horizon costs."""
        at_site = self.leftover_at_e4.get(key)
        return self.leftover_unit_e4[key.sku_id] if at_site is None else at_site

    def closed_because(self, sku: Sku, lane: Lane) -> str | None:
        """The rule that forbids `sku` on `lane`, or None."""
        if lane.key in self.closed_lanes:
            return self.closed_lanes[lane.key]
        if self.closed_lines and (lane.key, sku.sku_id) in self.closed_lines:
            return self.closed_lines[lane.key, sku.sku_id]
        return self.carriage_refused(sku, lane)

    def carriage_refused(self, sku: Sku, lane: Lane) -> str | None:
        """The condition of carriage that keeps a SKU of this kind off the lane, or the rule that closes it, or None."""
        if lane.key in self.closed_lanes:
            return self.closed_lanes[lane.key]
        if lane.allowed_categories and sku.category not in lane.allowed_categories:
            return "lane_categories"
        modes = self.temperature_modes.get(sku.temperature)
        if modes is not None and lane.mode not in modes:
            return "temperature"
        if sku.hazmat and self.hazmat_modes is not None and lane.mode not in self.hazmat_modes:
            return "hazmat"
        return None
