"""The lines of a plan as a file: the same one wherever it is offered."""

from __future__ import annotations

from app.ui.exports import Table
from app.ui.plan_words import URGENCY_WORDS
from app.views import PlanView
from tools.money import minor_digits


def plan_lines(plan: PlanView) -> Table:
    """A plan's lines in their own order. Money in units of the currency."""
    unit, currency = 10 ** minor_digits(plan.currency), plan.currency
    heads = (
        "Line", "SKU", "SKU name", "From", "To", "By", "Units", "Packs", "Departs", "Arrives", f"Saving ({currency})",
        f"Cost of moving ({currency})", f"Value of goods ({currency})", "What for", "Why", "Transfer",
    )  # fmt: skip
    rows = (
        (
            line.line_no, line.sku_id, line.sku_name, line.origin, line.destination, line.mode, line.units, line.packs,
            line.depart_on, line.arrive_on, line.saving_minor / unit, line.move_cost_minor / unit,
            line.goods_value_minor / unit, URGENCY_WORDS.get(line.urgency, ""), line.urgency_words, str(line.transfer_id),
        )
        for line in plan.lines
    )  # fmt: skip
    return Table(f"plan-{plan.digest[:12]}-lines", heads, rows)
