"""What pages say of a plan in words for planners: the same ones wherever it is shown."""

from __future__ import annotations

from app.ui.rendering import percent_text
from app.views import PlanView


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
