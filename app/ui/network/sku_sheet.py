"""One SKU at every site of somebody's: stock, forecast, target, what is on its way, and what plans that wait would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from app.ui.charts import BandChart, Series, band_chart
from app.ui.network.pending import Planned
from app.ui.network.stock_table import Seen
from policies.limits import view_of
from policies.schema import Policy
from tools.coverage import days_of_cover_of, expected_lost_units_of, stock_out_on, stock_out_ppm_of
from tools.demand import DemandView, quantiles
from tools.inventory import InboundSupply, SiteSku, Snapshot, SupplyKind
from tools.positions import available_units_of, projected_units_of
from tools.targets import DemandClass, Target, targets

LOW, HIGH = 0.1, 0.9
"""The edges of the bands: eight of ten outcomes lie between them."""
DAYS_MIN, DAYS_MAX = 14, 42
CHARTS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a site can expect of a SKU until its regular supply."""

    cover_days: int | None
    risk_ppm: int
    projected_units: int
    lost_units: float


@dataclass(frozen=True, slots=True)
class Changed:
    """A site that plans that wait would change: before and after."""

    key: SiteSku
    sent: int
    received: int
    before: Outlook
    after: Outlook


@dataclass(frozen=True, slots=True)
class SiteCharts:
    """The charts of a site, and what they say in words."""

    site_id: str
    stock: BandChart
    stock_words: str
    demand: BandChart
    demand_words: str


@dataclass(frozen=True)
class SkuSheet:
    """The facts of one SKU alone, and the same as if the plans that wait were carried out."""

    policy: Policy
    before: Snapshot
    after: Snapshot
    keys: tuple[SiteSku, ...]
    targets: dict[SiteSku, Target]
    changed: tuple[Changed, ...]

    @classmethod
    def of(cls, seen: Seen, sku_id: str, planned: Sequence[Planned]) -> SkuSheet:
        """The sheet of a SKU at the caller's sites."""
        policy, before = seen.facts.policy, of_one_sku(seen.snapshot, sku_id)
        after = with_plans(before, planned)
        known = {position.key for position in before.positions} | {forecast.key for forecast in before.forecasts}
        keys = tuple(sorted(key for key in known | _touched(planned) if seen.sees_site(key.site_id)))
        place = [sku.sku_id for sku in seen.snapshot.skus].index(sku_id)
        level = policy.service_levels.of(DemandClass(seen.table.classes[place]))
        found = targets(before, view_of(policy, before), lambda _: level, policy.horizon.review_interval_days)
        changed = _changed(policy, before, after, keys, planned)
        return cls(policy, before, after, keys, {each.key: each for each in found}, changed)

    @property
    def view(self) -> DemandView:
        """Demand under the policy."""
        return view_of(self.policy, self.before)

    def charts(self, site_id: str) -> SiteCharts:
        """The charts of a site."""
        (key,) = (key for key in self.keys if key.site_id == site_id)
        target = self.targets.get(key)
        until = 0 if target is None else target.horizon_days + target.review_days
        count = min(max(until, DAYS_MIN), DAYS_MAX)
        today = self.before.as_of.date()
        days = [f"{on.day} {on:%b}" for on in (today + timedelta(days=day) for day in range(count + 1))]
        stock, stock_words = self._stock(key, target, count, days)
        demand, demand_words = self._demand(key, count, days)
        return SiteCharts(site_id, stock, stock_words, demand, demand_words)

    def _stock(self, key: SiteSku, target: Target | None, count: int, days: list[str]) -> tuple[BandChart, str]:
        ends, keys = np.arange(count + 1), [key] * (count + 1)
        mean, variance = self.view.windows(keys, np.asarray(0), ends)
        coming = projected_units_of(self.before, keys, ends + 1)
        low, high = coming - quantiles(mean, variance, HIGH), coming - quantiles(mean, variance, LOW)
        second: list[float] = []
        if any(each.key == key for each in self.changed):
            second = (projected_units_of(self.after, keys, ends + 1) - mean).tolist()
        levels = [] if target is None else [(float(target.order_up_to_units), f"target {target.order_up_to_units:,}")]
        today = self.before.as_of.date()
        arrivals = [
            ((row.expected_on - today).days, f"+{row.units:,}") for row in self.before.supply_by_key.get(key, ())
        ]
        series = Series(low.tolist(), (coming - mean).tolist(), high.tolist(), second)
        out_on = stock_out_on(self.before, self.view, key)
        last = float(coming[-1] - mean[-1])
        words = (
            f"Expected stock at {key.site_id} over {count} days: from {int(coming[0]):,} to {max(last, 0):,.0f} units"
        )
        words += (
            f"; runs out about {out_on.day} {out_on:%b}"
            if out_on is not None and out_on <= today + timedelta(days=count)
            else ""
        )
        words += f"; {target.order_up_to_units:,} is the target" if target is not None else ""
        return band_chart(series, days, levels, arrivals), f"{words}."

    def _demand(self, key: SiteSku, count: int, days: list[str]) -> tuple[BandChart, str]:
        first, keys = np.arange(count), [key] * count
        mean, variance = self.view.windows(keys, first, first + 1)
        series = Series(
            quantiles(mean, variance, LOW).tolist(), mean.tolist(), quantiles(mean, variance, HIGH).tolist()
        )
        words = f"Expected demand at {key.site_id}: {mean.mean():.2f} units a day on average, {mean.sum():,.0f} in {count} days."
        return band_chart(series, days[:count], size=(440, 110)), words


def of_one_sku(snapshot: Snapshot, sku_id: str) -> Snapshot:
    """The facts about one SKU: whatever is worked out of it comes out as from all facts."""
    keys = [SiteSku(site.site_id, sku_id) for site in snapshot.sites]
    return replace(
        snapshot,
        positions=tuple(snapshot.position_by_key[key] for key in keys if key in snapshot.position_by_key),
        supply=tuple(row for key in keys for row in snapshot.supply_by_key.get(key, ())),
        forecasts=tuple(snapshot.forecast_by_key[key] for key in keys if key in snapshot.forecast_by_key),
        replenishments=tuple(
            snapshot.replenishment_by_key[key] for key in keys if key in snapshot.replenishment_by_key
        ),
    )


def with_plans(facts: Snapshot, planned: Sequence[Planned]) -> Snapshot:
    """The facts as if these lines had been approved: promised at their origins, on their way to their destinations."""
    sent: dict[SiteSku, int] = {}
    for line in planned:
        sent[line.ends[0]] = sent.get(line.ends[0], 0) + line.units
    coming = tuple(
        InboundSupply(line.destination, line.sku_id, line.units, line.arrive_on, SupplyKind.TRANSFER, str(number))
        for number, line in enumerate(planned)
    )
    positions = tuple(
        replace(each, reserved_units=each.reserved_units + sent.get(each.key, 0)) for each in facts.positions
    )
    return replace(facts, positions=positions, supply=facts.supply + coming)


def _touched(planned: Sequence[Planned]) -> set[SiteSku]:
    return {key for line in planned for key in line.ends}


def _changed(
    policy: Policy, before: Snapshot, after: Snapshot, keys: Sequence[SiteSku], planned: Sequence[Planned]
) -> tuple[Changed, ...]:
    concerned = [key for key in keys if key in _touched(planned)]
    if not concerned:
        return ()
    was, becomes = _outlooks(policy, before, concerned), _outlooks(policy, after, concerned)
    return tuple(
        Changed(
            key, sum(line.units for line in planned if line.ends[0] == key),
            sum(line.units for line in planned if line.ends[1] == key), one, other,
        )
        for key, one, other in zip(concerned, was, becomes, strict=True)
    )  # fmt: skip


def _outlooks(policy: Policy, facts: Snapshot, keys: Sequence[SiteSku]) -> list[Outlook]:
    view, horizons = view_of(policy, facts), view_of(policy, facts).horizons(keys)
    projected = projected_units_of(facts, keys, horizons)
    # What arrives in time serves demand as well as what is there: cover counts both.
    cover = days_of_cover_of(view, keys, np.maximum(projected, available_units_of(facts, keys)))
    return [
        Outlook(days, risk, units, lost)
        for days, risk, units, lost in zip(
            cover, stock_out_ppm_of(facts, view, keys).tolist(), projected.tolist(),
            expected_lost_units_of(facts, view, keys).tolist(), strict=True,
        )
    ]  # fmt: skip
