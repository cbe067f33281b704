"""From a policy document to the numbers that calculators work with: solver limits, thresholds, targets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np

from policies.latency import approval_latency_days
from policies.merchandise import keep_level_bp, with_merchandise
from policies.schema import Policy, StaleStock
from tools.demand import DemandView, quantiles
from tools.findings import QualityRules
from tools.imbalance import ImbalanceRules
from tools.inventory import Lane, LaneKey, SiteSku, Sku, Snapshot
from tools.planning.limits import Limits
from tools.positions import available_units_of, projected_units_of
from tools.targets import BP, DemandClass, Target, abc_classes, targets
from tools.transfers import Overlays, PlanRequest
from tools.whatif import assumed


def view_of(policy: Policy, snapshot: Snapshot) -> DemandView:
    """Demand and horizons under the policy's default horizon."""
    return DemandView.of(snapshot, policy.horizon.default_days)


def demand_classes(policy: Policy, snapshot: Snapshot) -> dict[str, DemandClass]:
    """The demand class of every SKU under the policy's cut-offs."""
    levels = policy.service_levels
    return abc_classes(snapshot, view_of(policy, snapshot), levels.a_share_bp, levels.b_share_bp)


def targets_of(policy: Policy, snapshot: Snapshot, request: PlanRequest | None = None) -> tuple[Target, ...]:
    """The target of every site-SKU, at the policy's service levels or at the one that the request assumes."""
    classes = demand_classes(policy, snapshot)
    assumed = request.overlays.service_level_bp if request else None

    def level(key: SiteSku) -> int:
        return assumed or policy.service_levels.of(classes[key.sku_id])

    return targets(snapshot, view_of(policy, snapshot), level, policy.horizon.review_interval_days)


def imbalance_rules(policy: Policy) -> ImbalanceRules:
    """The policy's thresholds for the detectors."""
    return ImbalanceRules(**policy.imbalance.model_dump())


def quality_rules(policy: Policy) -> QualityRules:
    """The policy's thresholds for the quality checks."""
    return QualityRules(**policy.data_quality.model_dump(exclude={"stale_stock", "held_share_max_bp"}))


def stale_stock_blocks(policy: Policy) -> bool:
    """Whether a plan on stock figures that are too old is forbidden, and not only warned about."""
    return policy.data_quality.stale_stock is StaleStock.BLOCK


def limits_of(
    policy: Policy, snapshot: Snapshot, request: PlanRequest, relaxed: frozenset[str] = frozenset()
) -> Limits:
    """What the policy permits, charges and protects for this request, in the solver's terms.

    `relaxed` names rules that are lifted to price a concession; a plan made with them
    breaks policy and is never put forward.
    """
    size = policy.size
    no_send, no_receive = blocked_site_skus(policy, snapshot, relaxed)
    limits = Limits(
        policy_digest=policy.digest,
        lost_unit_e4={sku.sku_id: lost_unit_e4(policy, sku) for sku in snapshot.skus},
        leftover_unit_e4={sku.sku_id: leftover_unit_e4(policy, sku) for sku in snapshot.skus},
        protected_units={} if "source_protection" in relaxed else kept_units(policy, snapshot, request),
        closed_lanes={
            lane.key: rule for lane in snapshot.lanes if (rule := closed_by(policy, snapshot, lane)) is not None
        },
        temperature_modes=policy.lanes.temperature_modes,
        hazmat_modes=frozenset(policy.lanes.hazmat_modes),
        no_send=no_send,
        no_receive=no_receive,
        line_charge_minor=policy.economics.line_charge_minor,
        line_hurdle_minor=policy.benefit.line_min_minor,
        lane_hurdle_minor=policy.benefit.lane_min_minor,
        line_units_max=size.line_units_max,
        lines_max=None if "plan_lines" in relaxed else size.plan_lines_max,
        units_max=None if "plan_units" in relaxed else size.plan_units_max,
        goods_value_max_minor=None if "plan_goods_value" in relaxed else size.plan_goods_value_max_minor,
        review_interval_days=policy.horizon.review_interval_days,
        approval_latency_days=approval_latency_days(policy, snapshot),
        default_horizon_days=policy.horizon.default_days,
        lane_departures=1 if policy.departures is None else policy.departures.per_lane_max,
    )
    return with_merchandise(limits, policy, snapshot, request)


def lost_unit_e4(policy: Policy, sku: Sku) -> int:
    """What one unit of demand that is not served costs: its margin, but at least a share of its price."""
    margin = max(sku.unit_price_e4 - sku.unit_cost_e4, 0) * policy.economics.lost_sale_margin_bp // BP
    return max(margin, sku.unit_price_e4 * policy.economics.lost_sale_price_floor_bp // BP)


def leftover_unit_e4(policy: Policy, sku: Sku) -> int:
    """What one unit left at the end of the horizon costs: holding it, or for perishables mostly losing it."""
    economics = policy.economics
    perishable = sku.shelf_life_days is not None and sku.shelf_life_days <= economics.perishable_shelf_life_days
    share = economics.perishable_leftover_cost_bp if perishable else economics.leftover_cost_bp
    return sku.unit_cost_e4 * share // BP


def closed_by(policy: Policy, snapshot: Snapshot, lane: Lane) -> str | None:
    """The rule that closes a lane for every SKU, or None."""
    if any(ref.covers(lane.key) for ref in policy.lanes.forbidden):
        return "forbidden_lane"
    if crosses_entities(snapshot, lane.key) and not _entities_may(policy, snapshot, lane.key):
        return "cross_entity"
    return None


def closed_for(policy: Policy, snapshot: Snapshot, sku: Sku, lane: Lane) -> str | None:
    """The rule that keeps the SKU off the lane, or None."""
    rule = closed_by(policy, snapshot, lane)
    limits = Limits(
        policy_digest=policy.digest,
        lost_unit_e4={},
        leftover_unit_e4={},
        closed_lanes={} if rule is None else {lane.key: rule},
        temperature_modes=policy.lanes.temperature_modes,
        hazmat_modes=frozenset(policy.lanes.hazmat_modes),
    )
    return limits.closed_because(sku, lane)


def crosses_entities(snapshot: Snapshot, key: LaneKey) -> bool:
    """Whether the two ends belong to different legal entities."""
    return snapshot.site_by_id[key.origin].legal_entity != snapshot.site_by_id[key.destination].legal_entity


def _entities_may(policy: Policy, snapshot: Snapshot, key: LaneKey) -> bool:
    if policy.lanes.cross_entity == "allowed":
        return True
    ends = (snapshot.site_by_id[key.origin].legal_entity, snapshot.site_by_id[key.destination].legal_entity)
    return policy.lanes.cross_entity == "listed" and any(
        (pair.origin, pair.destination) == ends for pair in policy.lanes.cross_entity_pairs
    )


def protected_units(policy: Policy, snapshot: Snapshot, request: PlanRequest) -> dict[SiteSku, int]:
    """Available units that a site must keep: its protected quantile of demand until the regular supply.

    Supply that arrives before then covers part of it. Only positions with a positive
    amount are listed.
    """
    assumed = request.overlays.service_level_bp
    level = {
        each: keep_level_bp(policy, request, policy.source_protection.of(each)) if assumed is None else assumed
        for each in DemandClass
    }
    known = snapshot.worked_out.get(("protected_units", policy.digest, *level.values()))
    if known is None:
        known = _protected_units(policy, snapshot, level)
        snapshot.worked_out["protected_units", policy.digest, *level.values()] = known
    return dict(known)


def _protected_units(policy: Policy, snapshot: Snapshot, level: dict[DemandClass, int]) -> dict[SiteSku, int]:
    classes = demand_classes(policy, snapshot)
    view = view_of(policy, snapshot)
    keys = list(snapshot.position_by_key)
    levels = np.asarray([level[classes[key.sku_id]] for key in keys], dtype=np.int64)
    days = view.horizons(keys)
    need = quantiles(*view.windows(keys, np.asarray(0), days), levels / BP)
    keep = need - (projected_units_of(snapshot, keys, days) - available_units_of(snapshot, keys))
    return {key: units for key, units in zip(keys, keep.tolist(), strict=True) if units > 0}


def asking_nothing(request: PlanRequest) -> PlanRequest:
    """A request without assumptions, in an emergency if `request` is one."""
    return PlanRequest(overlays=Overlays(emergency_rescue=request.overlays.emergency_rescue))


def kept_units(policy: Policy, snapshot: Snapshot, request: PlanRequest) -> dict[SiteSku, int]:
    """What donors keep whatever a request assumes: its assumptions can raise their protected units, never lower them."""
    known, world = protected_units(policy, snapshot, asking_nothing(request)), assumed(snapshot, request.overlays)
    if world is snapshot and request.overlays.service_level_bp is None:
        return known
    supposed = protected_units(policy, world, request)
    return {key: max(known.get(key, 0), supposed.get(key, 0)) for key in known.keys() | supposed.keys()}


def blocked_site_skus(
    policy: Policy, snapshot: Snapshot, relaxed: frozenset[str] = frozenset()
) -> tuple[Mapping[SiteSku, str], Mapping[SiteSku, str]]:
    """Site-SKUs that may not send, and those that may not receive, each with the rule that says so."""
    no_send: dict[SiteSku, str] = {}
    no_receive: dict[SiteSku, str] = {}
    if "cool_down" not in relaxed:
        since = snapshot.as_of.date() - timedelta(days=policy.cool_down.days)
        for move in snapshot.recent_moves:
            if move.moved_on > since:
                (no_receive if move.sent else no_send)[SiteSku(move.site_id, move.sku_id)] = "cool_down"
    for key in snapshot.hold_by_key:
        no_send[key] = no_receive[key] = "data_quality"
    return no_send, no_receive
