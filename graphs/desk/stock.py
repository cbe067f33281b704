"""Answers about stock: imbalances, coverage, and how good the figures are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from graphs.desk.seen import Seen
from policies.limits import targets_of, view_of
from tools.catalog import Coverage, Imbalances, SignalQuality
from tools.coverage import days_of_cover_of, stock_out_on, stock_out_ppm_of
from tools.demand import DemandView
from tools.imbalance import Imbalance
from tools.inventory import SiteSku
from tools.kpis import LIKELY_PPM
from tools.money import money_text
from tools.positions import available_units_of, projected_units
from tools.signal_quality import SiteFigures, figures_by_site
from tools.targets import Target

SITES_SHOWN = 20
REASON_CHARACTERS_MAX = 200

Row = TypeVar("Row")
Rank = Literal["at_stake", "days_of_cover", "units"]
_RANKS: dict[Rank, Callable[[Imbalance], tuple[Any, ...]]] = {
    "at_stake": lambda each: (-each.severity_minor,),
    "days_of_cover": lambda each: (each.days_of_cover is None, each.days_of_cover or 0, -each.severity_minor),
    "units": lambda each: (-each.units, -each.severity_minor),
}


def page(rows: Sequence[Row], offset: int, limit: int) -> tuple[Sequence[Row], dict[str, Any]]:
    """The rows to show, and what says how many there are and where the next ones begin."""
    shown = rows[offset : offset + limit]
    end = offset + len(shown)
    more = end < len(rows) and bool(shown)
    return shown, {
        "total": len(rows),
        "offset": offset,
        "not_shown": len(rows) - len(shown),
        "next_offset": end if more else None,
    }


class StockAnswers:
    """What is where, what is missing or too much, and what is known too badly."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def imbalances(self, arguments: Imbalances) -> dict[str, Any]:
        """Imbalances, ranked as asked."""
        seen, snapshot = self._seen, self._seen.facts.snapshot
        meant, at_stake = seen.names.meant(arguments.mentions), seen.minor(arguments.at_stake_min) or 0
        found = [
            each
            for each in seen.imbalances
            if (not arguments.kinds or each.kind in arguments.kinds)
            and each.severity_minor >= at_stake
            and seen.covers(meant, each.key)
        ]
        found.sort(key=_RANKS[arguments.rank_by])
        rows, counted = page(found, arguments.offset, arguments.limit)
        return seen.dated(
            {
                "counts": dict(sorted(Counter(str(each.kind) for each in found).items())),
                "at_stake_in_all": money_text(sum(each.severity_minor for each in found), snapshot.currency),
                "imbalances": [self._imbalance(each) for each in rows],
                **counted,
                "held_back_for_bad_data": sum(seen.covers(meant, key) for key in snapshot.hold_by_key),
            }
        )

    def _imbalance(self, each: Imbalance) -> dict[str, Any]:
        return {
            "kind": each.kind,
            "sku": self._seen.names.sku(each.sku_id),
            "site": each.site_id,
            "units": each.units,
            "at_stake": money_text(each.severity_minor, self._seen.facts.snapshot.currency),
            "days_of_cover": each.days_of_cover,
            "stock_out_percent": f"{each.stock_out_ppm / 1e4:.1f}",
            "until": each.until.isoformat(),
        }

    def coverage(self, arguments: Coverage) -> dict[str, Any]:
        """Stock against demand and target, the shortest cover first."""
        seen, snapshot = self._seen, self._seen.facts.snapshot
        meant, view = seen.names.meant(arguments.mentions), view_of(seen.facts.policy, snapshot)
        targets = [each for each in targets_of(seen.facts.policy, snapshot) if seen.covers(meant, each.key)]
        keys = [target.key for target in targets]
        units = available_units_of(snapshot, keys)
        cover = days_of_cover_of(view, keys, units)
        risk = stock_out_ppm_of(snapshot, view, keys).tolist() if keys else []
        found = [
            each
            for each in zip(targets, units.tolist(), cover, risk, strict=True)
            if arguments.days_of_cover_max is None or (each[2] is not None and each[2] <= arguments.days_of_cover_max)
        ]
        found.sort(key=lambda each: (each[2] is None, each[2] or 0, each[0].sku_id, each[0].site_id))
        rows, counted = page(found, arguments.offset, arguments.limit)
        return seen.dated(
            {
                "rows": [self._cover(view, *row) for row in rows],
                **counted,
                "together": {
                    "site_skus": len(found),
                    "available_units": sum(each[1] for each in found),
                    "run_out_before_supply": sum(each[3] >= LIKELY_PPM for each in found),
                    "without_demand": sum(each[2] is None for each in found),
                },
            }
        )

    def _cover(self, view: DemandView, target: Target, units: int, days: int | None, risk_ppm: int) -> dict[str, Any]:
        snapshot, key = self._seen.facts.snapshot, target.key
        out_on = stock_out_on(snapshot, view, key)
        return {
            "sku": self._seen.names.sku(key.sku_id),
            "site": key.site_id,
            "available_units": units,
            "projected_units": projected_units(snapshot, key, target.horizon_days),
            "demand_a_day": f"{view.daily_mean(key):.2f}",
            "days_of_cover": days,
            "runs_out_on": out_on.isoformat() if out_on else None,
            "stock_out_percent": f"{risk_ppm / 1e4:.1f}",
            "needs_units": target.need_units,
            "order_up_to_units": target.order_up_to_units,
            "days_until_supply": target.horizon_days,
            "held_back": key in snapshot.hold_by_key,
        }

    def signal_quality(self, arguments: SignalQuality) -> dict[str, Any]:
        """What is held back and why, and how old the counts of each site are."""
        seen, facts = self._seen, self._seen.facts
        meant = seen.names.meant(arguments.mentions)
        held = [hold for key, hold in sorted(facts.snapshot.hold_by_key.items()) if seen.covers(meant, key)]
        rows, counted = page(held, arguments.offset, arguments.limit)
        stale_after = facts.policy.data_quality.stale_after_hours
        keys = {*seen.keys_of(meant), *(SiteSku(hold.site_id, hold.sku_id) for hold in held)}
        sites = figures_by_site(facts.snapshot, facts.now, stale_after, keys)
        return seen.dated(
            {
                "held": [
                    {
                        "sku": seen.names.sku(hold.sku_id),
                        "site": hold.site_id,
                        "check": hold.check,
                        "reason": seen.words(hold.reason)[:REASON_CHARACTERS_MAX],
                    }
                    for hold in rows
                ],
                **counted,
                "too_old_after_hours": stale_after,
                "sites": [_site(each) for each in sites[:SITES_SHOWN]],
                "sites_not_shown": max(len(sites) - SITES_SHOWN, 0),
                "words": _quality_words(len(held), sites, stale_after),
            }
        )


def _site(each: SiteFigures) -> dict[str, Any]:
    return {
        "site": each.site_id,
        "positions": each.positions,
        "held": each.held,
        "too_old": each.too_old,
        "oldest_hours": each.oldest_hours,
    }


def _quality_words(held: int, sites: Sequence[SiteFigures], stale_after: int) -> str:
    counted, old = sum(each.positions for each in sites), sum(each.too_old for each in sites)
    if not held and not old:
        return f"Nothing is held back, and all {counted:,} stock figures are at most {stale_after:,} hours old."
    return (
        f"{held:,} SKUs at sites are held back for bad data, so that no plan touches them, and {old:,} of {counted:,}"
        f" stock figures are more than {stale_after:,} hours old."
    )
