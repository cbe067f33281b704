"""Everything that bounds a plan besides the facts: what policy permits, charges and protects, in the solver's terms.

`policies.limits` derives this from a released policy; the solver and the
evaluator only read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.inventory import Lane, LaneKey, SiteSku, Sku, Temperature


@dataclass(frozen=True)
class Limits:
    """What a plan may do and what it costs beyond freight.

    Money: `lost_unit_e4` is the cost of one unit of demand not served and
    `leftover_unit_e4` of one unit left at the end of the horizon, by SKU.
    `line_charge_minor` is paid for every line (pick, pack, papers). Hurdles are not
    paid; a line or lane must earn that much more than it costs to be planned.

    Closures and blocks map to the name of the policy rule that made them.
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

    def closed_because(self, sku: Sku, lane: Lane) -> str | None:
        """The rule that forbids `sku` on `lane`, or None."""
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
