"""Key figures of stock and of work: counted from facts, each with the words that say what it is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import fsum

import numpy as np

from tools.coverage import PPM, days_of_cover_of, stock_out_ppm_of
from tools.demand import DemandView
from tools.imbalance import Imbalance, ImbalanceKind
from tools.inventory import SiteSku, Snapshot
from tools.money import money_text
from tools.planning.plan import without_moves
from tools.positions import available_units_of

COVER_BANDS_DAYS = (0, 3, 7, 14, 28)
"""The last day of each band of cover; what lasts longer is a band of its own."""
LIKELY_PPM = PPM // 2
"""A stock-out is called likely from this probability on."""


@dataclass(frozen=True, slots=True)
class StockFigures:
    """Counts of site-SKUs and their money, in minor units of the snapshot's currency.

    `fill_rate_ppm` is None where nothing is asked for. `by_cover` has a count for each
    of `COVER_BANDS_DAYS`, one for what lasts longer, and at last one for what nobody asks for.
    """

    site_skus: int
    fill_rate_ppm: int | None
    out_of_stock: int
    likely_to_run_out: int
    by_cover: tuple[int, ...]
    shortage_minor: int
    excess_minor: int
    expiring_minor: int
    held: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What people have to do: requests that wait, and transfer orders that are under way."""

    approvals_waiting: int
    oldest_waiting_hours: int | None
    orders_open: int
    orders_overdue: int
    orders_need_attention: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure as people read it, and what it means."""

    name: str
    value: str
    definition: str


def stock_figures(
    snapshot: Snapshot, view: DemandView, keys: Iterable[SiteSku], imbalances: Iterable[Imbalance]
) -> StockFigures:
    """The figures of these site-SKUs; imbalances of others are passed over."""
    wanted = sorted(set(keys))
    units = available_units_of(snapshot, wanted)
    cover = days_of_cover_of(view, wanted, units)
    bands = [0] * (len(COVER_BANDS_DAYS) + 2)
    for days in cover:
        bands[-1 if days is None else bisect_left(COVER_BANDS_DAYS, days)] += 1
    asked_for = np.asarray([days is not None for days in cover], dtype=bool)
    likely = stock_out_ppm_of(snapshot, view, wanted) >= LIKELY_PPM
    money: dict[ImbalanceKind, int] = dict.fromkeys(ImbalanceKind, 0)
    among = frozenset(wanted)
    for each in imbalances:
        if each.key in among:
            money[each.kind] += each.severity_minor
    return StockFigures(
        site_skus=len(wanted),
        fill_rate_ppm=_fill_rate_ppm(snapshot, view, among),
        out_of_stock=int(np.count_nonzero(asked_for & (units <= 0))),
        likely_to_run_out=int(np.count_nonzero(likely)),
        by_cover=tuple(bands),
        shortage_minor=money[ImbalanceKind.SHORTAGE],
        excess_minor=money[ImbalanceKind.SURPLUS] + money[ImbalanceKind.STRANDED],
        expiring_minor=money[ImbalanceKind.EXPIRING],
        held=sum(key in among for key in snapshot.hold_by_key),
    )


def _fill_rate_ppm(snapshot: Snapshot, view: DemandView, among: Collection[SiteSku]) -> int | None:
    """The expected share of demand served until the regular supply, as a plan's fill rate before any transfer."""
    still = without_moves(snapshot, view.default_horizon_days)
    rows = [row for row, key in enumerate(snapshot.forecast_by_key) if key in among]
    wanted = fsum(still.mean[rows].tolist())
    if wanted <= 0:
        return None
    return round(min(max(fsum(still.served[rows].tolist()) / wanted, 0.0), 1.0) * PPM)


def figures_of_stock(found: StockFigures, currency: str) -> tuple[Figure, ...]:
    """The figures in words."""
    rate = "nothing is asked for" if found.fill_rate_ppm is None else f"{found.fill_rate_ppm / 1e4:.2f} %"
    bands = ", ".join(f"{name}: {count:,}" for name, count in zip(_band_names(), found.by_cover, strict=True))
    return (
        Figure("site_skus", f"{found.site_skus:,}", "SKUs at sites that have stock or a forecast"),
        Figure(
            "fill_rate_expected", rate,
            "expected share of demand that is served from stock and known supply until the regular supply, if nothing moves",
        ),
        Figure("out_of_stock", f"{found.out_of_stock:,}", "SKUs at sites with demand and no unit available now"),
        Figure(
            "likely_to_run_out", f"{found.likely_to_run_out:,}",
            f"SKUs at sites that run out before their regular supply with {LIKELY_PPM / 1e4:.0f} % or more",
        ),
        Figure("coverage", bands, "SKUs at sites by the days that their available units serve the mean demand"),
        Figure(
            "sales_at_stake", money_text(found.shortage_minor, currency),
            "margin of the sales that are expected to be lost for shortages until the regular supply",
        ),
        Figure(
            "value_in_excess", money_text(found.excess_minor, currency),
            "cost of the units beyond the order-up-to level, and of stranded stock that hardly anybody asks for",
        ),
        Figure(
            "value_expiring", money_text(found.expiring_minor, currency),
            "cost of the units that will expire before they sell; some of them may count as excess too",
        ),
        Figure("held_for_bad_data", f"{found.held:,}", "SKUs at sites whose data is too bad to plan on"),
    )  # fmt: skip


def figures_of_work(found: Workload) -> tuple[Figure, ...]:
    """What people have to do, in words."""
    oldest = "none waits" if found.oldest_waiting_hours is None else f"{found.oldest_waiting_hours:,} hours"
    return (
        Figure("approvals_waiting", f"{found.approvals_waiting:,}", "plans that wait for a decision"),
        Figure("oldest_approval", oldest, "whole hours since the plan that waits longest was submitted"),
        Figure("orders_open", f"{found.orders_open:,}", "transfer orders that are released and not yet received or over"),
        Figure("orders_overdue", f"{found.orders_overdue:,}", "open transfer orders whose day of arrival is past"),
        Figure(
            "orders_needing_attention", f"{found.orders_need_attention:,}",
            "transfer orders of which nobody knows what the ERP did, or that it would not take, until a person looks",
        ),
    )  # fmt: skip


def _band_names() -> list[str]:
    names, first = [], 0
    for last in COVER_BANDS_DAYS:
        names.append("under 1 day" if last == 0 else f"{first} to {last} days")
        first = last + 1
    return [*names, f"{first} days or more", "no demand"]
