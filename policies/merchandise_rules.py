"""The rules about merchandise, read from the facts and the document again and not from the solver's limits.

A rule's docstring is the sentence that people see when they ask what the policy says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np

from policies.schema import Merchandise, Policy
from policies.violations import Facts, Violation, on_line
from tools.counted import counted
from tools.demand import DemandView, survival
from tools.inventory import SiteSku, Snapshot
from tools.merchandise.facts import EVERY_SITE, DisplayKind
from tools.merchandise.lots import lots_free
from tools.positions import available_units, projected_units
from tools.targets import BP
from tools.transfers import TransferPlan


def minimum_display(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """A donor keeps the units that it must show, unless the SKU has to leave it."""
    shown, leaving = facts.snapshot.merchandise.display_units(DisplayKind.HARD), _leaving(facts)
    for key, units in sorted(plan.sent_units.items()):
        row = shown.get(key)
        if row is None or key in leaving:
            continue
        left = available_units(facts.snapshot, key) - units
        if left < row.units:
            yield Violation(
                "minimum_display",
                f"{key.site_id} would keep {max(left, 0):,} {key.sku_id} and must show {row.units:,}.",
                {"left": left, "shown": row.units},
                _lines_from(plan, key),
            )


def whole_set(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """No plan breaks a set: a site that has all of it keeps one of each, one that has nothing of it gets all or nothing."""
    section = facts.policy.merchandise
    if section is None or not section.whole_sets:
        return
    snapshot, leaving = facts.snapshot, _leaving(facts)
    moved = {line.sku_id for line in plan.lines}
    for set_id, members in snapshot.merchandise.skus_by_set.items():
        for site_id in sorted(plan.sites) if moved & set(members) else ():
            keys = [SiteSku(site_id, sku_id) for sku_id in members]
            keys = [key for key in keys if _carried(snapshot, key) and key not in leaving]
            if len(keys) < 2 or site_id not in snapshot.site_by_id:
                continue
            before = [available_units(snapshot, key) for key in keys]
            sent = [plan.sent_units.get(key, 0) for key in keys]
            brought = [plan.received_units.get(key, 0) for key in keys]
            if all(before) and not _all_end(facts, members):
                broken = [key for key, had, gone in zip(keys, before, sent, strict=True) if had - gone < 1 and gone]
                yield from _broken(plan, set_id, site_id, broken)
            elif not any(before) and any(brought):
                coming = [key in snapshot.supply_by_key for key in keys]
                lacking = [key for key, more, due in zip(keys, brought, coming, strict=True) if not more and not due]
                yield from _broken(plan, set_id, site_id, lacking, [key for key in keys if key not in lacking])


def _broken(
    plan: TransferPlan, set_id: str, site_id: str, lacking: list[SiteSku], blamed: list[SiteSku] | None = None
) -> Iterator[Violation]:
    if lacking:
        skus = ", ".join(key.sku_id for key in lacking)
        numbers = tuple(
            line.line_no
            for line in plan.lines
            if {SiteSku(line.origin, line.sku_id), SiteSku(line.destination, line.sku_id)} & set(blamed or lacking)
        )
        words = f"The set {set_id} would be broken at {site_id}: it would lack {skus}."
        yield Violation("whole_set", words, {"lacking": len(lacking)}, numbers)


def lot_life(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Where stock is kept by lots, a line names lots that are there and that arrive with the life that the policy asks for."""
    left: dict[tuple[SiteSku, str], int] = {}
    expires: dict[tuple[SiteSku, str], date] = {}
    for key in plan.sent_units:
        for lot in lots_free(facts.snapshot, key):
            left[key, lot.lot_id], expires[key, lot.lot_id] = lot.units, lot.expires_on
    for line in plan.lines:
        key = SiteSku(line.origin, line.sku_id)
        if key not in facts.snapshot.merchandise.lots_by_key:
            if line.lots:
                yield on_line("lot_life", line, f"it names lots, and {line.origin} keeps none of {line.sku_id}")
            continue
        named = sum(pick.units for pick in line.lots)
        if named != line.units:
            words = f"it names lots for {named:,} units"
            yield on_line("lot_life", line, words, named=named, units=line.units)
        least = _least_life_days(facts.policy, facts.snapshot, line.sku_id)
        for pick in line.lots:
            there = left.get((key, pick.lot_id), 0)
            left[key, pick.lot_id] = there - pick.units
            if pick.units > there:
                words = f"lot {pick.lot_id} has {max(there, 0):,} units left to send, it takes {pick.units:,}"
                yield on_line("lot_life", line, words, found=pick.units, free=there)
                continue
            days = (expires[key, pick.lot_id] - line.arrive_on).days
            if days < least:
                words = (
                    f"lot {pick.lot_id} would arrive with {counted(days, 'day')} left; the policy asks for {least:,}"
                )
                yield on_line("lot_life", line, words, days=days, least=least)


def end_of_life(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Nothing of a SKU is sent to a site that it has to leave."""
    leaving = _leaving(facts)
    for line in plan.lines:
        leave_by = leaving.get(SiteSku(line.destination, line.sku_id))
        if leave_by is not None:
            yield on_line("end_of_life", line, f"it has to leave {line.destination} by {leave_by}")


def emergency_rescue(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """An emergency rescue needs a policy that provides for it, and serves only sites where a stock-out is that likely."""
    if not plan.request.overlays.emergency_rescue or not plan.lines:
        return
    section = facts.policy.merchandise
    emergency = None if section is None else section.emergency
    if emergency is None:
        yield Violation("emergency_rescue", "The policy does not provide for emergency rescues.")
        return
    view = DemandView.of(facts.snapshot, facts.policy.horizon.default_days)
    for line in plan.lines:
        key = SiteSku(line.destination, line.sku_id)
        days = view.horizon_days(key)
        counted_on = np.asarray([projected_units(facts.snapshot, key, days)], dtype=np.int64)
        found = int(survival(view.window(key, 0, days), counted_on)[0] * BP)
        if found < emergency.stock_out_bp:
            words = (
                f"{line.destination} runs out with {found / 100:g} %; an emergency begins at"
                f" {emergency.stock_out_bp / 100:g} %"
            )
            yield on_line("emergency_rescue", line, words, found=found, least=emergency.stock_out_bp)


MERCHANDISE_RULES = (minimum_display, whole_set, lot_life, end_of_life, emergency_rescue)


def _leaving(facts: Facts) -> dict[SiteSku, date]:
    """The date by which a SKU must have left a site, where it is near enough to count."""
    if facts.policy.merchandise is None:
        return {}
    last = facts.snapshot.as_of.date() + timedelta(days=facts.policy.merchandise.end_of_life_days)
    rows = facts.snapshot.merchandise.ends_of_life
    return {
        SiteSku(row.site_id, row.sku_id): row.leave_by
        for row in rows
        if row.site_id != EVERY_SITE and row.leave_by <= last
    }


def _all_end(facts: Facts, sku_ids: tuple[str, ...]) -> bool:
    section: Merchandise | None = facts.policy.merchandise
    last = facts.snapshot.as_of.date() + timedelta(days=section.end_of_life_days if section else 0)
    rows = facts.snapshot.merchandise.ends_of_life
    ending = {row.sku_id for row in rows if row.site_id == EVERY_SITE and row.leave_by <= last}
    return ending.issuperset(sku_ids)


def _carried(snapshot: Snapshot, key: SiteSku) -> bool:
    return key in snapshot.position_by_key or key in snapshot.forecast_by_key


def _least_life_days(policy: Policy, snapshot: Snapshot, sku_id: str) -> int:
    section = policy.merchandise
    if section is None:
        return 0
    share = (snapshot.sku_by_id[sku_id].shelf_life_days or 0) * section.least_life_share_bp / BP
    return max(section.least_life_days, int(share) + (share > int(share)))


def _lines_from(plan: TransferPlan, key: SiteSku) -> tuple[int, ...]:
    return tuple(line.line_no for line in plan.lines if (line.origin, line.sku_id) == key)
