"""A plan in the drawer: its figures and lines, what is uncertain about it, and a line explained, in words for whoever decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from app.explanations import ExplanationView
from app.ui.plan_words import URGENCY_KIND, URGENCY_WORDS
from app.ui.rendering import percent_text
from app.views import LineView, PlanView
from tools.inventory import SiteSku, Snapshot
from tools.money import money_text
from tools.transfers import TransferPlan


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the drawer shows it. `pack_units`: what a pack holds. `what_for` in short, and the `kind` of its mark."""

    view: LineView
    pack_units: int
    explained: bool
    what_for: str
    kind: str


def lines_of(plan: PlanView, covers: Callable[[tuple[str, ...]], bool]) -> list[Line]:
    """The lines of a plan, the greatest saving first, and which can be explained: those of which the reader sees both ends."""
    known: dict[tuple[str, str], bool] = {}
    found = []
    for line in sorted(plan.lines, key=lambda line: (-line.saving_minor, line.line_no)):
        ends = (line.origin, line.destination)
        if ends not in known:
            known[ends] = covers(ends)
        what_for, kind = URGENCY_WORDS.get(line.urgency, ""), URGENCY_KIND.get(line.urgency, "")
        found.append(Line(line, line.units // line.packs, known[ends], what_for, kind))
    return found


def uncertain(plan: PlanView) -> Iterator[str]:
    """What is uncertain about the plan itself, in sentences."""
    gap = plan.gap_ppm
    if gap == 0:
        yield "There is no better plan within the limits: this is the best one."
    elif gap is None:
        yield "It is not known how much better the best plan would be: this one was edited, or found quickly."
    else:
        yield f"A better plan could save at most {percent_text(gap)} more."
    later = plan.whole_horizon_saving_minor
    if later < plan.expected_saving_minor:
        yield (
            f"The saving counts what a receiver gains until it can be helped again. Until its regular supply it would be"
            f" {money_text(later, plan.currency)}."
        )
    yield "The saving is an expectation: demand may come out higher or lower than the forecast."


def data_words(
    plan: TransferPlan, snapshot: Snapshot, now: datetime, covers: Callable[[tuple[str, ...]], bool]
) -> Iterator[str]:
    """How good the facts are that the plan rests on, as far as the reader's sites go."""
    ends = {
        SiteSku(site, line.sku_id) for line in plan.lines for site in (line.origin, line.destination) if covers((site,))
    }
    counted = [snapshot.position_by_key[key].as_of for key in ends if key in snapshot.position_by_key]
    if counted:
        hours = max((now - as_of).total_seconds() for as_of in counted) / 3600
        yield f"The oldest stock count at an end of a line is {hours:,.0f} hours old."
    held = sum(key in snapshot.hold_by_key for key in ends)
    yield (
        f"{held} of its {len(ends):,} stock figures are held back for bad data."
        if held
        else f"None of its {len(ends):,} stock figures is held back for bad data."
    )
    if snapshot.holds:
        yield f"In the whole network {len(snapshot.holds):,} of {len(snapshot.positions):,} stock figures are held back."


@dataclass(frozen=True, slots=True)
class Changed:
    """Stock at an end of some lines that is not what it was when the plan was made."""

    site: str
    sku: str
    then: int
    now: int
    lines: tuple[int, ...]


def stock_changes(
    plan: TransferPlan, then: Snapshot, now: Snapshot, covers: Callable[[tuple[str, ...]], bool]
) -> list[Changed]:
    """What has changed of the available stock that the plan rests on, at the reader's sites."""
    numbers: dict[SiteSku, list[int]] = {}
    for line in plan.lines:
        for site in (line.origin, line.destination):
            if covers((site,)):
                numbers.setdefault(SiteSku(site, line.sku_id), []).append(line.line_no)
    found = []
    for key, lines in numbers.items():
        before, after = _available(then, key), _available(now, key)
        if before != after:
            found.append(Changed(key.site_id, key.sku_id, before, after, tuple(lines)))
    return sorted(found, key=lambda each: (each.lines, each.site))


def _available(snapshot: Snapshot, key: SiteSku) -> int:
    position = snapshot.position_by_key.get(key)
    return 0 if position is None else position.available_units


def explanation_facts(view: ExplanationView) -> Iterator[tuple[str, str]]:
    """A line explained: what a reader asks, and the answer."""
    to, at = view.destination, view.origin
    risk, risk_with = percent_text(view.receiver_stock_out_without_ppm), percent_text(view.receiver_stock_out_with_ppm)
    lost, lost_with = (
        money_text(amount, view.currency)
        for amount in (view.receiver_lost_without_minor, view.receiver_lost_with_minor)
    )
    donor, donor_with = percent_text(view.donor_stock_out_without_ppm), percent_text(view.donor_stock_out_with_ppm)
    yield (
        "Without it",
        f"{to} runs out with a chance of {risk} before its regular supply and loses sales that the policy prices at {lost}.",
    )
    yield (
        "With it",
        f"{to} runs out with {risk_with} and loses {lost_with}; {at} runs out with {donor_with} instead of {donor}.",
    )
    saving, departure = (money_text(amount, view.currency) for amount in (view.saving_minor, view.departure_cost_minor))
    yield "It saves", f"{saving} after its own cost. Its departure costs {departure}, shared by all that travels on it."
    yield from _parts(view.words)


_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_LIMITS = ("What binds it", "No limit keeps")
_CHANGES = ("It stops paying", "It pays whatever", "By itself it does not pay")


def _parts(words: str) -> Iterator[tuple[str, str]]:
    """The end of an explanation: what limits the line, what else could have sent it, and what would change it."""
    sentences = _SENTENCE.split(words)
    limits = next((no for no, each in enumerate(sentences) if each.startswith(_LIMITS)), len(sentences))
    changes = next((no for no, each in enumerate(sentences) if each.startswith(_CHANGES)), len(sentences))
    for name, found in (
        ("What limits it", sentences[limits : limits + 1]), ("Next best source", sentences[limits + 1 : changes]),
        ("What would change it", sentences[changes:]),
    ):  # fmt: skip
        if found:
            yield name, " ".join(found).removeprefix("What binds it: ")
