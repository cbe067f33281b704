"""What pages say of a plan in words for planners: the same ones wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.ui.rendering import percent_text
from app.views import PlanView
from tools.merchandise.urgency import Urgency

URGENCY_WORDS: Mapping[str, str] = MappingProxyType({
    Urgency.BALANCE: "evens out stock", Urgency.STOCK_OUT_RESCUE: "stock-out likely",
    Urgency.EMERGENCY_RESCUE: "emergency",
})  # fmt: skip
"""What a line is for, in short."""
URGENCY_KIND: Mapping[str, str] = MappingProxyType({Urgency.STOCK_OUT_RESCUE: "warn", Urgency.EMERGENCY_RESCUE: "bad"})
REASONS = (
    ("lane_unavailable", "A lane cannot be used", "lines"),
    ("site_frozen", "A site takes part in nothing", "sites"),
    ("sku_frozen", "A SKU must not move", "skus"),
    ("line_unwanted", "Some lines are not wanted", "lines"),
    ("site_keeps_sku", "The sender keeps what it has", "lines"),
    ("too_small", "Some lines are too small", "lines"),
    ("too_many_units", "It moves too many units", "limit"),
    ("too_many_lines", "It has too many lines", "limit"),
    ("too_expensive", "Moving costs too much", "limit"),
    ("data_doubtful", "The data is doubtful", "any"),
    ("other", "Something else", ""),
)
"""The coded reasons of a rejection, in words, and what each has to name."""
REASON_WORDS: Mapping[str, str] = MappingProxyType({code: words for code, words, _ in REASONS})
_DO: Mapping[str, tuple[str, str]] = MappingProxyType({
    Urgency.BALANCE: ("evens out stock between sites", "even out stock between sites"),
    Urgency.STOCK_OUT_RESCUE: (
        "helps a site that is likely to run out before its regular supply",
        "help sites that are likely to run out before their regular supply",
    ),
    Urgency.EMERGENCY_RESCUE: (
        "is an emergency, which leaves its sender less than it ordinarily keeps",
        "are emergencies, which leave their senders less than they ordinarily keep",
    ),
})  # fmt: skip


def what_for(plan: PlanView) -> str:
    """What the lines of a plan are for, in a sentence; nothing for a plan without lines."""
    counts = {urgency: sum(line.urgency == urgency for line in plan.lines) for urgency in _DO}
    told = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    parts = [f"{counts[name]:,} {_DO[name][counts[name] != 1]}" for name in told]
    if not parts:
        return ""
    number, _, rest = parts[0].partition(" ")
    parts[0] = f"{number} {'line' if counts[told[0]] == 1 else 'lines'} {rest}"
    return f"{'; '.join(parts)}."


def served_less(plan: PlanView) -> str:
    """Why a plan that saves money serves a smaller share of the demand; nothing where no smaller one is shown."""
    before, after = percent_text(plan.fill_rate_before_ppm), percent_text(plan.fill_rate_after_ppm)
    if plan.fill_rate_after_ppm >= plan.fill_rate_before_ppm or before == after or plan.expected_saving_minor <= 0:
        return ""
    return (
        "The share falls although the plan saves money, because they count differently. The share counts every unit that"
        " is asked for alike: the sending sites are expected to sell more units less than the receiving sites sell more."
        " The saving counts what sales are worth and what stock that is left over costs: by that the plan gains more than"
        " it gives up, after the cost of moving."
    )
