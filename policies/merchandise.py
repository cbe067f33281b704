"""From facts about merchandise and the policy's section on it to the limits that the solver and the evaluator read.

Lots and hard displays are facts and hold under every policy. Everything else is off
where the policy has no section on merchandise. All of it is worked out once, from the
facts before the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from policies.latency import approval_latency_days
from policies.schema import Merchandise, Policy
from tools.demand import DemandView, expected_sales
from tools.inventory import LaneKey, SiteSku, Sku, Snapshot
from tools.merchandise.facts import EVERY_SITE, DisplayKind, EndOfLife
from tools.merchandise.lots import lasting_units, lots_free
from tools.merchandise.risk import PPM, one_left_ppm, stock_outs_bp
from tools.planning.calendar import Departure
from tools.planning.limits import Display, Limits, WholeSet
from tools.planning.scope import Reach
from tools.positions import available_units
from tools.targets import BP
from tools.transfers import PlanRequest


def with_merchandise(limits: Limits, policy: Policy, snapshot: Snapshot, request: PlanRequest) -> Limits:
    """The limits with everything that facts and policy say about merchandise added; unchanged where they say nothing."""
    if not snapshot.merchandise and not request.overlays.emergency_rescue:
        return limits
    blocked = dict(limits.no_receive)
    if request.overlays.emergency_rescue:
        blocked = dict.fromkeys(not_emergencies(policy, snapshot), "not_an_emergency") | blocked
    if not snapshot.merchandise:
        return replace(limits, no_receive=blocked)
    leaving = leaving_rows(policy, snapshot)
    due = must_leave_units(policy, snapshot)
    kept = {key: units for key, units in limits.protected_units.items() if key not in due}
    raised = _merged(hard_displays(policy, snapshot), set_members_kept(policy, snapshot))
    limits = replace(
        limits,
        protected_units=_merged(kept, raised),
        no_receive=dict.fromkeys(leaving, "end_of_life") | blocked,
        lost_at_e4=_lost_at_e4(limits, policy, snapshot),
        leftover_at_e4=_leftover_at_e4(limits, policy, snapshot),
        displays=_soft_displays(policy, snapshot),
        leave_e4=_leave_e4(policy, snapshot, leaving),
        must_leave=due,
        depart_by={key: row.leave_by for key, row in sorted(leaving.items())},
        least_life_days=least_life_days(policy, snapshot),
        whole_sets=whole_sets(policy, snapshot),
    )
    return _with_lots(limits, snapshot, request)


def _merged(first: Mapping[SiteSku, int], second: Mapping[SiteSku, int]) -> dict[SiteSku, int]:
    """The larger of both, by site and SKU."""
    return {key: max(first.get(key, 0), second.get(key, 0)) for key in sorted(first.keys() | second.keys())}


# --- displays ---------------------------------------------------------------------------------------------------


def hard_displays(policy: Policy, snapshot: Snapshot) -> dict[SiteSku, int]:
    """Units that donors keep for show, whatever the policy; none where the SKU has to leave."""
    leaving = leaving_rows(policy, snapshot)
    rows = snapshot.merchandise.display_units(DisplayKind.HARD)
    keys = ((SiteSku(*key), row.units) for key, row in rows.items())
    return {key: units for key, units in keys if units > 0 and key not in leaving}


def _soft_displays(policy: Policy, snapshot: Snapshot) -> dict[SiteSku, Display]:
    if policy.merchandise is None or not policy.merchandise.soft_displays:
        return {}
    leaving = leaving_rows(policy, snapshot)
    rows = snapshot.merchandise.display_units(DisplayKind.SOFT)
    keys = ((SiteSku(*key), row) for key, row in rows.items())
    return {
        key: Display(row.units, row.shortfall_e4)
        for key, row in keys
        if row.units > 0 and row.shortfall_e4 > 0 and key not in leaving
    }


# --- sets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetAtSite:
    """A set as a site carries it: the SKUs of it that it carries, those of which a unit is available, and those coming."""

    set_id: str
    site_id: str
    sku_ids: tuple[str, ...]
    there: tuple[str, ...]
    coming: tuple[str, ...]


def sets_at_sites(policy: Policy, snapshot: Snapshot) -> Iterator[SetAtSite]:
    """Every set at every site that carries two or more of its SKUs, by set and site; SKUs that must leave do not count.

    One SKU alone cannot be broken.
    """
    carried = snapshot.position_by_key.keys() | snapshot.forecast_by_key.keys()
    carried -= leaving_rows(policy, snapshot).keys()
    sites_of: dict[str, set[str]] = {member.sku_id: set() for member in snapshot.merchandise.set_members}
    for site_id, sku_id in carried:
        if sku_id in sites_of:
            sites_of[sku_id].add(site_id)
    for set_id, members in snapshot.merchandise.skus_by_set.items():
        for site_id in sorted(set().union(*(sites_of[sku_id] for sku_id in members))):
            sku_ids = tuple(sku_id for sku_id in members if SiteSku(site_id, sku_id) in carried)
            if len(sku_ids) > 1:
                keys = [SiteSku(site_id, sku_id) for sku_id in sku_ids]
                there = tuple(key.sku_id for key in keys if available_units(snapshot, key) > 0)
                coming = tuple(
                    key.sku_id for key in keys if any(row.units > 0 for row in snapshot.supply_by_key.get(key, ()))
                )
                yield SetAtSite(set_id, site_id, sku_ids, there, coming)


def set_members_kept(policy: Policy, snapshot: Snapshot) -> dict[SiteSku, int]:
    """One unit of every SKU of a set that is complete at a site, unless all of the set is at the end of its life."""
    if policy.merchandise is None or not policy.merchandise.whole_sets:
        return {}
    ending = _ending_everywhere(policy, snapshot).keys()
    kept: dict[SiteSku, int] = {}
    for one in sets_at_sites(policy, snapshot):
        if one.there == one.sku_ids and not ending >= set(one.sku_ids):
            kept |= {SiteSku(one.site_id, sku_id): 1 for sku_id in one.sku_ids}
    return kept


def whole_sets(policy: Policy, snapshot: Snapshot) -> tuple[WholeSet, ...]:
    """Sets of which a site has nothing: they come whole or not at all. What is on its way already is not missing."""
    if policy.merchandise is None or not policy.merchandise.whole_sets:
        return ()
    return tuple(
        WholeSet(one.site_id, one.sku_ids, missing)
        for one in sets_at_sites(policy, snapshot)
        if not one.there and (missing := tuple(sku_id for sku_id in one.sku_ids if sku_id not in one.coming))
    )


# --- ends of life and markdowns ---------------------------------------------------------------------------------


def _rows_in_effect(policy: Policy, snapshot: Snapshot) -> Iterator[EndOfLife]:
    if policy.merchandise is not None:
        last = snapshot.as_of.date() + timedelta(days=policy.merchandise.end_of_life_days)
        yield from (row for row in snapshot.merchandise.ends_of_life if row.leave_by <= last)


def leaving_rows(policy: Policy, snapshot: Snapshot) -> dict[SiteSku, EndOfLife]:
    """Site-SKUs that have to be empty by a date that is near enough to count."""
    rows = _rows_in_effect(policy, snapshot)
    return {SiteSku(row.site_id, row.sku_id): row for row in rows if row.site_id != EVERY_SITE}


def _ending_everywhere(policy: Policy, snapshot: Snapshot) -> dict[str, EndOfLife]:
    return {row.sku_id: row for row in _rows_in_effect(policy, snapshot) if row.site_id == EVERY_SITE}


def must_leave_units(policy: Policy, snapshot: Snapshot) -> dict[SiteSku, int]:
    """Whole packs that leave with this plan or not at all: the next plan's goods would depart after the date."""
    wait = policy.horizon.review_interval_days + approval_latency_days(policy, snapshot)
    next_departure_on = snapshot.as_of.date() + timedelta(days=wait)
    due: dict[SiteSku, int] = {}
    for key, row in sorted(leaving_rows(policy, snapshot).items()):
        pack = snapshot.sku_by_id[key.sku_id].pack_size
        units = available_units(snapshot, key) // pack * pack
        if units > 0 and row.leave_by < next_departure_on:
            due[key] = units
    return due


def _loss_e4(policy: Policy, snapshot: Snapshot, row: EndOfLife, key: SiteSku) -> int:
    """What a unit that is not sold at the site costs in the end: its write-off, or less where marking it down brings more."""
    sku = snapshot.sku_by_id[key.sku_id]
    loss = sku.unit_cost_e4 if row.write_off_e4 is None else row.write_off_e4
    return _marked_down_e4(policy, snapshot, key, sku, loss)


def _marked_down_e4(policy: Policy, snapshot: Snapshot, key: SiteSku, sku: Sku, loss_e4: int) -> int:
    proceeds = snapshot.merchandise.proceeds_by_key.get(key)
    if proceeds is None or policy.merchandise is None or not policy.merchandise.markdowns:
        return loss_e4
    return min(loss_e4, max(sku.unit_cost_e4 - proceeds, 0))


def _leave_e4(policy: Policy, snapshot: Snapshot, leaving: Mapping[SiteSku, EndOfLife]) -> dict[SiteSku, int]:
    """What a unit earns by leaving in time: the loss on it, times the share of the units there that would not sell by then.

    One figure for every unit, so that it can be added to each; which unit would have
    been sold is not told apart.
    """
    view = DemandView.of(snapshot, policy.horizon.default_days)
    earned: dict[SiteSku, int] = {}
    for key, row in sorted(leaving.items()):
        units = available_units(snapshot, key)
        if units == 0:
            continue
        days = max((row.leave_by - snapshot.as_of.date()).days, 0)
        sold = float(expected_sales(view.window(key, 0, days), np.asarray([units], dtype=np.int64))[0])
        left_ppm = min(max(int((units - sold) / units * PPM), 0), PPM)
        value = _loss_e4(policy, snapshot, row, key) * left_ppm // PPM
        if value > 0:
            earned[key] = value
    return earned


def _leftover_at_e4(limits: Limits, policy: Policy, snapshot: Snapshot) -> dict[SiteSku, int]:
    """What a unit left over costs where that differs from elsewhere.

    A SKU that ends everywhere is written off and not held; a markdown costs what it
    does not bring back, if that is less.
    """
    everywhere = _ending_everywhere(policy, snapshot)
    marked = {SiteSku(*key) for key in snapshot.merchandise.proceeds_by_key}
    carried = snapshot.position_by_key.keys() | snapshot.forecast_by_key.keys()
    changed: dict[SiteSku, int] = {}
    for key in sorted(key for key in carried if key.sku_id in everywhere or key in marked):
        sku, ordinary = snapshot.sku_by_id[key.sku_id], limits.leftover_unit_e4[key.sku_id]
        row = everywhere.get(key.sku_id)
        cost = ordinary
        if row is not None:
            cost = max(cost, sku.unit_cost_e4 if row.write_off_e4 is None else row.write_off_e4)
        cost = _marked_down_e4(policy, snapshot, key, sku, cost)
        if cost != ordinary:
            changed[key] = cost
    return changed


# --- substitution -----------------------------------------------------------------------------------------------


def _lost_at_e4(limits: Limits, policy: Policy, snapshot: Snapshot) -> dict[SiteSku, int]:
    """What a lost unit costs where customers find a substitute: p (1 - sum of share * P(a unit of it is left)).

    One step only: the stock of the substitute is that before the plan, and the demand
    that it takes over is not added to its own.
    """
    if policy.merchandise is None or not policy.merchandise.substitution:
        return {}
    sites = sorted(snapshot.site_by_id)
    pairs = [
        (SiteSku(site_id, row.sku_id), SiteSku(site_id, row.substitute_id), row.share_bp)
        for row in snapshot.merchandise.substitutes
        for site_id in sites
        if SiteSku(site_id, row.sku_id) in snapshot.forecast_by_key
        and SiteSku(site_id, row.substitute_id) in snapshot.position_by_key
    ]
    view = DemandView.of(snapshot, policy.horizon.default_days)
    left_ppm = one_left_ppm(view, [substitute for _, substitute, _ in pairs])
    kept: dict[SiteSku, int] = {}
    for (key, _, share_bp), ppm in zip(pairs, left_ppm.tolist(), strict=True):
        kept[key] = kept.get(key, 0) + share_bp * ppm
    lost = {
        key: max(limits.lost_unit_e4[key.sku_id] * (BP * PPM - share) // (BP * PPM), 0) for key, share in kept.items()
    }
    return {key: cost for key, cost in sorted(lost.items()) if cost != limits.lost_unit_e4[key.sku_id]}


# --- lots -------------------------------------------------------------------------------------------------------


def least_life_days(policy: Policy, snapshot: Snapshot) -> dict[str, int]:
    """Days that a lot must have left on arrival, for SKUs that are kept by lots; SKUs with none to ask for are left out."""
    section = policy.merchandise
    if section is None:
        return {}
    days: dict[str, int] = {}
    for sku_id in sorted({lot.sku_id for lot in snapshot.merchandise.lots}):
        least = _least_life_days(section, snapshot.sku_by_id[sku_id])
        if least > 0:
            days[sku_id] = least
    return days


def _least_life_days(section: Merchandise, sku: Sku) -> int:
    share = -(-(sku.shelf_life_days or 0) * section.least_life_share_bp // BP)
    return max(section.least_life_days, share)


def _with_lots(limits: Limits, snapshot: Snapshot, request: PlanRequest) -> Limits:
    """Lanes and late departures closed and units kept so that however a plan splits what may leave, lots are found for it.

    Of the lanes that a donor could use, those stay on which the most units arrive with
    life enough; a later arrival would leave some behind. What cannot travel on them is
    kept, and stands in for what the donor keeps for itself as far as it may be sold.
    """
    reach = Reach(snapshot, limits, request)
    leaving_from: dict[str, list[tuple[LaneKey, Departure]]] = {}
    for lane, departure in reach.departures.items():
        leaving_from.setdefault(lane.origin, []).append((lane, departure))
    arrivals_from: dict[str, list[tuple[LaneKey, date]]] = {}
    for (lane, _), departure in reach.offered.items():
        arrivals_from.setdefault(lane.origin, []).append((lane, departure.arrive_on))
    closed: dict[tuple[LaneKey, str], str] = {}
    arrive_by: dict[SiteSku, date] = {}
    kept = dict(limits.protected_units)
    for key in sorted(SiteSku(*pair) for pair in snapshot.merchandise.lots_by_key):
        sku, lots = snapshot.sku_by_id[key.sku_id], lots_free(snapshot, key)
        least, today = limits.least_life_days.get(key.sku_id, 0), snapshot.as_of.date()
        fit = {
            lane: lasting_units(lots, departure.arrive_on, least)
            for lane, departure in leaving_from.get(key.site_id, ())
            if reach.why_not(sku, snapshot.lane_by_key[lane]) is None
        }
        most = max(fit.values(), default=0)
        closed |= {(lane, key.sku_id): "lot_life" for lane, units in fit.items() if units < max(most, 1)}
        arrivals = {day for lane, day in arrivals_from.get(key.site_id, ()) if lane in fit}
        lasting = [day for day in arrivals if lasting_units(lots, day, least) == most]
        if limits.lane_departures > 1 and lasting:
            arrive_by[key] = max(lasting)
        expired = sum(lot.units for lot in lots) - lasting_units(lots, today, 0)
        own = kept.get(key, 0)
        kept[key] = max(own + (expired if own else 0), available_units(snapshot, key) - most)
    protected = {key: units for key, units in kept.items() if units}
    return replace(limits, closed_lines=closed, arrive_by=arrive_by, protected_units=protected)


# --- emergencies ------------------------------------------------------------------------------------------------


def keep_level_bp(policy: Policy, request: PlanRequest, ordinary_bp: int) -> int:
    """The level at which a donor keeps its own demand: the ordinary one, or less in an emergency that policy provides for."""
    section = policy.merchandise
    if not request.overlays.emergency_rescue or section is None or section.emergency is None:
        return ordinary_bp
    return min(ordinary_bp, section.emergency.keep_level_bp)


def not_emergencies(policy: Policy, snapshot: Snapshot) -> tuple[SiteSku, ...]:
    """Site-SKUs that an emergency rescue may not serve: all, unless policy provides for it and a stock-out is likely.

    It is judged by the facts, never by what a request assumes.
    """
    keys = sorted(snapshot.position_by_key.keys() | snapshot.forecast_by_key.keys())
    section = policy.merchandise
    if section is None or section.emergency is None:
        return tuple(keys)
    likely = stock_outs_bp(DemandView.of(snapshot, policy.horizon.default_days), keys)
    threshold = section.emergency.stock_out_bp
    return tuple(key for key, found in zip(keys, likely.tolist(), strict=True) if found < threshold)
