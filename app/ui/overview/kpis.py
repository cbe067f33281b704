"""Key figures of the overview: what each is, what it was, what it means, and where to look behind it. Data in, data out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median

import numpy as np

from app.ui.network.stock_table import KINDS, NO_COVER, BoolArray, StockTable
from app.ui.rendering import ago_text, day_text, percent_text, span_text
from tools.coverage import PPM
from tools.imbalance import Imbalance, ImbalanceKind
from tools.kpis import COVER_BANDS_DAYS, LIKELY_PPM
from tools.money import e4_per_minor, money_text

BANDS = (
    "less than a day",
    "1 to 3 days",
    "4 to 7 days",
    "8 to 14 days",
    "15 to 28 days",
    "longer",
    "nobody asks for it",
)
"""The bands of cover in words: those of `COVER_BANDS_DAYS`, what lasts longer, and what has no demand."""
DAYS_BACK = 30
"""How far back trends look."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The stock of some site-SKUs in figures, as `tools.kpis` defines them. Money is in minor units."""

    site_skus: int
    asked_for: int
    out_of_stock: int
    likely_to_run_out: int
    fill_ppm: int | None
    by_cover: tuple[int, ...]
    value_minor: int
    shortage_minor: int
    excess_minor: int
    expiring_minor: int
    carrying_minor: int
    held: int

    @property
    def availability_ppm(self) -> int | None:
        """The share of what is asked for of which there is a unit at least."""
        return None if not self.asked_for else round((1 - self.out_of_stock / self.asked_for) * PPM)


def shelf_of(table: StockTable, wanted: BoolArray) -> Shelf:
    """The figures of some rows."""
    cover, per = table.cover_days[wanted], e4_per_minor(table.snapshot.currency)
    band = np.where(cover == NO_COVER, len(COVER_BANDS_DAYS) + 1, np.searchsorted(COVER_BANDS_DAYS, cover))
    rows, kinds, minor, units = table.imbalance_rows
    among = wanted[rows]
    money = np.bincount(kinds[among], minor[among].astype(np.float64), len(KINDS))
    too_many = among & (kinds != KINDS.index(ImbalanceKind.SHORTAGE)) & (kinds != KINDS.index(ImbalanceKind.EXPIRING))
    left_over = float((units[too_many] * table.leftover_e4[table.sku[rows[too_many]]]).sum())
    of = {kind: round(float(money[place])) for place, kind in enumerate(KINDS)}
    demand, served = (float(each[wanted].sum()) for each in table.fill)
    return Shelf(
        site_skus=int(wanted.sum()),
        asked_for=int((cover != NO_COVER).sum()),
        out_of_stock=int(((cover != NO_COVER) & (table.available[wanted] <= 0)).sum()),
        likely_to_run_out=int((table.risk_ppm[wanted] >= LIKELY_PPM).sum()),
        fill_ppm=None if demand <= 0 else round(min(max(served / demand, 0.0), 1.0) * PPM),
        by_cover=tuple(np.bincount(band, minlength=len(BANDS)).tolist()),
        value_minor=round(float(table.value_e4[wanted].sum()) / per),
        shortage_minor=of[ImbalanceKind.SHORTAGE],
        excess_minor=of[ImbalanceKind.SURPLUS] + of[ImbalanceKind.STRANDED],
        expiring_minor=of[ImbalanceKind.EXPIRING],
        carrying_minor=round(left_over / per),
        held=int(table.is_held[wanted].sum()),
    )


@dataclass(frozen=True, slots=True)
class Trend:
    """What a figure was: `points` in the order of time, and the same in words."""

    points: tuple[float, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Kpi:
    """A key figure on the overview. `level` is good, warn, bad or nothing; `level_words` says the same in words."""

    id: str
    name: str
    value: str
    note: str
    definition: str
    href: str
    behind: str
    trend: Trend = field(default_factory=Trend)
    level: str = ""
    level_words: str = ""


@dataclass(frozen=True, slots=True)
class Before:
    """The stock as it was at an earlier time."""

    at: datetime
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Work:
    """Transfers, decisions and signals of the last `DAYS_BACK` days. Lists have an entry for each day, the oldest first."""

    orders: tuple[int, ...]
    failed: tuple[int, ...]
    lead_hours: tuple[float, ...]
    requested: tuple[int, ...]
    waiting: int
    oldest_waiting_seconds: float | None
    quarantined: tuple[int, ...] | None
    """None for whoever may not see the signals."""
    signals: int
    oldest_count_hours: float | None
    too_old: int


def stock_kpis(now: Shelf, before: Sequence[Before], currency: str) -> list[Kpi]:
    """The figures of the stock."""
    return [_availability(now, before), _fill(now, before), _out(now, before), *_money(now, before, currency)]


def _availability(now: Shelf, before: Sequence[Before]) -> Kpi:
    level, words = _level(now.availability_ppm, good=970_000, fair=920_000)
    return Kpi(
        "availability", "On-shelf availability", percent_text(now.availability_ppm),
        f"{now.asked_for - now.out_of_stock:,} of {now.asked_for:,} have stock",
        "Of all SKUs at sites that somebody asks for: the share with at least one unit that is not promised elsewhere.",
        "/network/stock?show=out", "What is out of stock",
        _share_trend(before, [each.shelf.availability_ppm for each in before], now.availability_ppm), level, words,
    )  # fmt: skip


def _fill(now: Shelf, before: Sequence[Before]) -> Kpi:
    level, words = _level(now.fill_ppm, good=960_000, fair=900_000)
    return Kpi(
        "fill", "Expected fill rate", percent_text(now.fill_ppm), "until the next regular supply, if nothing moves",
        "The share of the demand until the next regular supply that stock and known deliveries are expected to serve "
        "if nobody moves anything.",
        "/network/stock?show=risk", "What is about to run out",
        _share_trend(before, [each.shelf.fill_ppm for each in before], now.fill_ppm), level, words,
    )  # fmt: skip


def _out(now: Shelf, before: Sequence[Before]) -> Kpi:
    return Kpi(
        "stock-outs", "Stock-outs", f"{now.out_of_stock:,} now",
        f"{now.likely_to_run_out:,} likely before the next supply",
        "Now: SKUs at sites with demand and no unit left. Likely: those that run out before their next regular supply "
        f"with a probability of {LIKELY_PPM // 10_000} % or more.",
        f"/network/stock?show={'out' if now.out_of_stock else 'risk'}", "Which they are",
        _count_trend(before, [each.shelf.likely_to_run_out for each in before], now.likely_to_run_out, "likely"),
        "bad" if now.out_of_stock else "", "some now" if now.out_of_stock else "",
    )  # fmt: skip


def _money(now: Shelf, before: Sequence[Before], currency: str) -> list[Kpi]:
    return [
        Kpi(
            "at-stake", "Sales at stake", money_text(now.shortage_minor, currency), "margin that shortages may cost",
            "The margin of the sales that are expected to be lost for lack of stock until the next regular supply.",
            "/network/stock?show=shortage", "The shortages",
            _money_trend(before, [each.shelf.shortage_minor for each in before], now.shortage_minor, currency),
        ),
        Kpi(
            "excess", "Value in excess", money_text(now.excess_minor, currency),
            f"of {money_text(now.value_minor, currency)} in stock; {money_text(now.expiring_minor, currency)} may expire",
            "What the units cost that lie beyond the level a site orders up to, or that hardly anybody asks for there.",
            "/network/stock?show=surplus", "The surpluses",
            _money_trend(before, [each.shelf.excess_minor for each in before], now.excess_minor, currency),
        ),
        Kpi(
            "carrying", "Carrying cost", money_text(now.carrying_minor, currency), "for the excess, if it stays",
            "What the policy in force charges for the units in excess if they are left where they are: keeping them, "
            "and for perishable goods mostly losing them.",
            "/network/stock?show=surplus", "What causes it",
            _money_trend(before, [each.shelf.carrying_minor for each in before], now.carrying_minor, currency),
        ),
    ]  # fmt: skip


def work_kpis(work: Work, held: int) -> list[Kpi]:
    """The figures of the work: transfers, decisions and data."""
    return [_failures(work), _lead_time(work), _waiting(work), _quality(work, held)]


def _failures(work: Work) -> Kpi:
    total, failed = sum(work.orders), sum(work.failed)
    rate = round(failed / total * PPM) if total else None
    shares = tuple(100 * bad / many for many, bad in zip(work.orders, work.failed, strict=True) if many)
    return Kpi(
        "failures", "Transfers that failed", percent_text(rate), f"{failed:,} of {total:,} in {DAYS_BACK} days",
        f"Transfer orders of the last {DAYS_BACK} days that the other system refused, that need a person's attention, "
        "or of which goods were lost or damaged.",
        "/orders", "The orders",
        Trend(shares, f"by day of release, {len(shares)} days") if len(shares) > 1 else Trend((), _none_yet(total)),
        "bad" if rate and rate > 50_000 else "", "above 5 %" if rate and rate > 50_000 else "",
    )  # fmt: skip


def _lead_time(work: Work) -> Kpi:
    hours = work.lead_hours
    return Kpi(
        "lead-time", "Transfer lead time", span_text(median(hours) * 3600) if hours else "–",
        f"half of {len(hours):,} transfers took less" if hours else "nothing was received yet",
        f"From the posting of a transfer to the last receipt of its goods, for what arrived in the last {DAYS_BACK} "
        "days. The figure is the middle one of all.",
        "/orders", "The orders",
        Trend(hours[-60:], f"the last {min(len(hours), 60)} receipts") if len(hours) > 1 else Trend((), _none_yet(len(hours))),
    )  # fmt: skip


def _waiting(work: Work) -> Kpi:
    age = work.oldest_waiting_seconds
    asked = tuple(float(each) for each in work.requested)
    is_old = age is not None and age > 24 * 3600
    return Kpi(
        "waiting", "Waiting for approval", f"{work.waiting:,}",
        "no plan waits" if age is None else f"the oldest came {ago_text(age)}",
        "Transfer plans that somebody has to decide on before anything moves, and how long the oldest has waited.",
        "/queue", "The queue",
        Trend(asked, f"{sum(work.requested):,} submitted in {DAYS_BACK} days") if any(asked) else Trend((), "no history yet"),
        "warn" if is_old else "", "more than a day" if is_old else "",
    )  # fmt: skip


def _quality(work: Work, held: int) -> Kpi:
    age = work.oldest_count_hours
    stated = "nothing was counted yet" if age is None else f"the oldest count was {ago_text(age * 3600)}"
    bad = work.quarantined
    trend = Trend((), "no history yet")
    if bad is not None and work.signals:
        trend = Trend(tuple(map(float, bad)), f"{sum(bad):,} of {work.signals:,} signals refused in {DAYS_BACK} days")
    return Kpi(
        "quality", "Data held back", f"{held:,}", stated,
        "SKUs at sites that are not planned on because what was reported of them cannot be right, and how old the "
        "oldest stock count is. Signals are the reports that other systems send; those that cannot be right are kept out.",
        "/network/stock?show=held", "What is held back", trend,
        "warn" if held or work.too_old else "good", "look at it" if held or work.too_old else "good",
    )  # fmt: skip


def _none_yet(count: int) -> str:
    return "no history yet" if count == 0 else "too little for a trend"


def _level(ppm: int | None, good: int, fair: int) -> tuple[str, str]:
    if ppm is None:
        return "", ""
    return ("good", "good") if ppm >= good else ("warn", "fair") if ppm >= fair else ("bad", "low")


def _since(before: Sequence[Before]) -> str:
    return f"since {before[0].at.day} {before[0].at:%b, %H:%M}"


def _share_trend(before: Sequence[Before], was: Sequence[int | None], now: int | None) -> Trend:
    known = [each for each in was if each is not None]
    if now is None or not known:
        return Trend((), "no history yet")
    change = (now - known[0]) / 10_000
    words = "unchanged" if abs(change) < 0.05 else f"{change:+.1f} points"
    return Trend((*map(float, known), float(now)), f"{words} {_since(before)}")


def _count_trend(before: Sequence[Before], was: Sequence[int], now: int, what: str) -> Trend:
    if not was:
        return Trend((), "no history yet")
    change = now - was[0]
    return Trend((*map(float, was), float(now)), f"{f'{change:+,} {what}' if change else 'unchanged'} {_since(before)}")


def _money_trend(before: Sequence[Before], was: Sequence[int], now: int, currency: str) -> Trend:
    if not was:
        return Trend((), "no history yet")
    change = now - was[0]
    words = f"{'+' if change > 0 else ''}{money_text(change, currency)}" if change else "unchanged"
    return Trend((*map(float, was), float(now)), f"{words} {_since(before)}")


def if_nothing(each: Imbalance, out_on: date | None, currency: str) -> str:
    """What happens to an imbalance that nobody does anything about, in a sentence."""
    money, until = money_text(each.severity_minor, currency), day_text(each.until)
    match each.kind:
        case ImbalanceKind.SHORTAGE:
            gone = "" if out_on is None or out_on > each.until else f"Runs out about {day_text(out_on)}. "
            return f"{gone}Sales with a margin of {money} are likely to be lost before the next supply on {until}."
        case ImbalanceKind.SURPLUS:
            return f"{each.units:,} units more than needed stay on the shelf past {until} and tie up {money}."
        case ImbalanceKind.EXPIRING:
            return (
                f"{each.units:,} units will not sell before they expire, by {until} at the latest: {money} written off."
            )
        case ImbalanceKind.STRANDED:
            return f"{each.units:,} units lie where hardly anybody asks for them: {money} that earns nothing."
