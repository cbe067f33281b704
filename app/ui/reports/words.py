"""A plan in words, and its tables as files. Data in, words out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.approvals.tables import ApprovalRequest
from app.approvals.views import ApprovalView
from app.ui.exports import Cell
from app.ui.plan_words import served_less, what_for
from app.ui.status_words import state_words, status_words
from app.views import OrderView, PlanView
from tools.counted import counted
from tools.money import minor_digits, money_text

_BECAME = {
    "pending": "The plan waits for a decision.", "approved": "The plan is approved.", "rejected": "The plan is rejected.",
    "expired": "The plan is expired: nobody decided in time.",
    "outrun": "The plan is out of date: the world had moved on when it was decided on, so it went back.",
    "withdrawn": "The plan is withdrawn: its author took it back.", "superseded": "The plan is replaced by an edit.",
}  # fmt: skip
SOLVE_WORDS = {
    "optimal": "No better plan exists for these facts and this policy",
    "within_gap": "The best possible plan saves {gap} more at most",
    "feasible": "A plan that keeps every rule; how much better one could be is not known",
    "nothing_to_move": "Nothing is worth moving",
    "infeasible": "No plan keeps every rule",
}
_PPM = 1_000_000


def fingerprint(digest: str) -> str:
    """The short form by which people tell plans apart: `1f6c 28e7 d1d9`."""
    return " ".join(digest[at : at + 4] for at in range(0, 12, 4))


def money_number(amount_minor: int, currency: str) -> float:
    """An amount in units of its currency, for a file."""
    digits = minor_digits(currency)
    return round(amount_minor / float(10**digits), digits)


def summary(plan: PlanView) -> list[str]:
    """What the plan does and what it is worth, a sentence each."""
    return list(_summary(plan))


def _summary(plan: PlanView) -> Iterator[str]:
    currency = plan.currency
    number = len(plan.lines) + plan.lines_hidden
    if not number:
        yield "The plan moves nothing: no transfer is worth its cost."
        return
    yield (
        f"The plan moves {counted(plan.units, 'unit')} worth {money_text(plan.goods_value_minor, currency)}, "
        f"in {counted(number, 'line')} on {counted(plan.lanes, 'departure')}."
    )
    if lines := what_for(plan):
        yield lines
    cost, saving = plan.transfer_cost_minor, plan.expected_saving_minor
    yield (
        f"Moving costs {money_text(cost, currency)}. After that it is expected to save {money_text(saving, currency)} "
        "in sales that would be lost and stock that would be left over."
    )
    before, after = plan.fill_rate_before_ppm, plan.fill_rate_after_ppm
    yield (
        f"Of the demand until the regular supply {before * 100 / _PPM:.1f} % would be served without it "
        f"and {after * 100 / _PPM:.1f} % with it."
    )
    if less := served_less(plan):
        yield less
    if plan.lines_hidden:
        verb = "lies" if plan.lines_hidden == 1 else "lie"
        yield f"{counted(plan.lines_hidden, 'line')} of it {verb} wholly outside your sites and {'is' if plan.lines_hidden == 1 else 'are'} not listed."
    units_left = sum(each.left_units for each in plan.left_behind)
    if units_left:
        yield f"{counted(units_left, 'unit')} that should leave a site by a date stay there."


def solve_words(plan: PlanView) -> str:
    """What the solver says of the plan."""
    gap = abs(plan.expected_saving_minor) * (plan.gap_ppm or 0) // _PPM
    about = f"about {money_text(gap, plan.currency)} ({(plan.gap_ppm or 0) * 100 / _PPM:.2f} %)"
    return SOLVE_WORDS.get(plan.status, plan.status.replace("_", " ")).format(gap=about) + "."


def outcome(asked: Sequence[ApprovalView], orders: Sequence[OrderView]) -> str:
    """What became of the plan, in a sentence."""
    if not asked:
        return "It was not put to a decision."
    words = _BECAME[asked[0].status]
    if not orders:
        return words
    states: dict[str, int] = {}
    for order in orders:
        state = state_words(order.state)
        states[state] = states.get(state, 0) + 1
    told = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    return f"{words} It became {counted(len(orders), 'transfer order')}: {told}."


def index_heads(currency: str) -> tuple[str, ...]:
    """The columns of the index as a file."""
    return (
        "Asked for at",
        "By",
        "Status",
        "Lines",
        "Units",
        f"Goods ({currency})",
        f"Saving ({currency})",
        "Tier",
        "Fingerprint",
    )


def index_cells(row: ApprovalRequest) -> tuple[Cell, ...]:
    """A row of the index as a file."""
    return (
        row.requested_at, row.requested_by, status_words(row.status), row.lines, row.units,
        money_number(row.goods_value_minor, row.currency), money_number(row.saving_minor, row.currency), row.tier, row.plan_digest,
    )  # fmt: skip


ORDER_HEADS = (
    "Transfer", "Line", "SKU", "From", "To", "By", "Units", "State", "Since", "Departs", "Arrives", "Units shipped",
    "Units received", "Units damaged", "Units lost", "ERP reference",
)  # fmt: skip


def order_cells(order: OrderView) -> tuple[Cell, ...]:
    """An order as a file."""
    return (
        str(order.transfer_id), order.line_no, order.sku_id, order.origin, order.destination, order.mode, order.units,
        state_words(order.state), order.state_at, order.depart_on, order.arrive_on, order.shipped_units, order.received_units,
        order.damaged_units, order.lost_units, order.erp_id,
    )  # fmt: skip
