"""A plan as a card shows it: how good it is in words, its fill rate as bars, and where it stands after it was submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.approvals.views import ApprovalView
from app.orders.tables import TransferOrder
from app.ui.plan_words import REASON_WORDS
from app.ui.status_words import status_kind, status_words
from app.views import LineView, PlanView
from graphs.names import ELSEWHERE
from tools.counted import counted
from tools.execution import OrderState
from tools.money import money_text
from tools.rejections import RejectionCode

_PPM = 1_000_000
LINES_FIRST = 10
LINES_MAX = 100
"""So many lines are shown at most; the downloads have all of them."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A fill rate as a bar: its label, how many of a million parts, and the words for it."""

    label: str
    ppm: int


@dataclass(frozen=True, slots=True)
class Column:
    """A plan's figures beside another's."""

    title: str
    lines: int
    units: int
    lanes: int
    saving_minor: int
    cost_minor: int
    goods_minor: int
    bars: tuple[Bar, Bar]


@dataclass(frozen=True, slots=True)
class Count:
    """So many orders are in a state."""

    state: str
    orders: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a plan stands on its way from the conversation to the dock: in a word, and in sentences."""

    word: str
    kind: str
    sentences: tuple[str, ...] = ()
    until: datetime | None = None
    counts: tuple[Count, ...] = ()
    units: int = 0
    shipped: int = 0
    received: int = 0


NOT_SUBMITTED = Standing("proposed", "info")


def quality_of(plan: PlanView) -> str:
    """How good the plan is, in words that claim no more than is proved."""
    match plan.status, plan.gap_ppm:
        case "nothing_to_move", _:
            return "No transfer was found that earns more than it costs."
        case "optimal", _:
            return "No better plan exists for this request: that is proved."
        case _, None:
            return "The plan keeps every limit; how far it is from the best possible is not known."
        case _, 0:
            return "No better plan exists for this request, but for less than a millionth."
        case _, int(gap):
            return f"No other plan for this request can save over {gap / 1e4:.2f} % more: that is proved."
    raise AssertionError(plan.gap_ppm)


def nothing_words(plan: PlanView, note: str) -> tuple[str, ...]:
    """For a plan without lines: that nothing is proposed, why as the solver says it, and how well the stock serves as it is."""
    why = note.strip().rstrip(".") or "No transfer was found that earns more than it costs"
    served = plan.fill_rate_before_ppm * 100 / _PPM
    words = [
        "No transfer is proposed.",
        f"{why[:1].upper()}{why[1:]}.",
        f"The stock that is there is expected to meet {served:.1f} % of the demand until the regular supply.",
    ]
    asked = [
        f"{name} {', '.join(values)}"
        for name, key in (("SKUs", "skus"), ("categories", "categories"), ("sites", "sites"), ("from", "origins"), ("to", "destinations"))
        if (values := plan.request.get("scope", {}).get(key))
    ]  # fmt: skip
    if asked:
        words.append(f"The request was only about {'; '.join(asked)}.")
    return tuple(words)


def bars_of(plan: PlanView) -> tuple[Bar, Bar]:
    """The expected fill rate without the plan and with it."""
    return Bar("Without the plan", plan.fill_rate_before_ppm), Bar("With the plan", plan.fill_rate_after_ppm)


def column_of(title: str, plan: PlanView) -> Column:
    """A plan's figures, to be set beside another's."""
    return Column(
        title, len(plan.lines) + plan.lines_hidden, plan.units, plan.lanes, plan.expected_saving_minor,
        plan.transfer_cost_minor, plan.goods_value_minor, bars_of(plan),
    )  # fmt: skip


def lines_that_differ(plan: PlanView, other: PlanView) -> str:
    """How many lines two plans share, in a sentence."""
    here, there = ({_way(line): line.units for line in each.lines} for each in (plan, other))
    both = here.keys() & there.keys()
    same = sum(here[way] == there[way] for way in both)
    return (
        f"{counted(same, 'line')} {'is' if same == 1 else 'are'} in both as they are, {len(both) - same:,} in both with other"
        f" units, {len(here.keys() - both):,} only in the first and {len(there.keys() - both):,} only in the second."
    )


def _way(line: LineView) -> tuple[str, str, str, str]:
    return line.sku_id, line.origin, line.destination, line.mode


def is_explained(line: LineView) -> bool:
    """Whether the caller sees both ends of a line: then they may ask why it is in the plan."""
    return ELSEWHERE not in (line.origin, line.destination)


def standing_of(
    request: ApprovalView | None, orders: Sequence[TransferOrder], names: Mapping[str, str], edited: bool = False
) -> Standing:
    """Where a plan stands, by its newest request and the orders that this one released. `edited`: somebody changed it since."""
    if request is None:
        return NOT_SUBMITTED
    changed = ("An approver changed the plan; what follows is about the changed plan.",) if edited else ()
    who = names.get(request.decided_by or "", request.decided_by or "somebody")
    match request.status:
        case "pending":
            return Standing("waiting for a decision", "info", (*changed, *_waiting(request, names)), request.expires_at)
        case "approved":
            return _moving(orders, (*changed, f"Approved by {who}."))
        case "rejected":
            return Standing("rejected", "bad", (*changed, *rejected_words(request, who), "Nothing was moved."))
        case status:
            return Standing(
                status_words(status), status_kind(status), (*changed, _OVER.get(status, "Nothing was moved."))
            )


def rejected_words(request: ApprovalView, who: str) -> Iterator[str]:
    """Who rejected a plan, for which of the reasons that there are, what that is about, and what they wrote."""
    found = request.rejection
    if not found:
        yield f"Rejected by {who}."
        return
    reason = REASON_WORDS[found["code"]]
    parts = [
        f"{name} {', '.join(map(str, found.get(key) or ()))}"
        for name, key in (("line", "line_nos"), ("site", "sites"), ("SKU", "skus"))
        if found.get(key)
    ]
    if found.get("limit") is not None:
        is_money = found["code"] == RejectionCode.TOO_EXPENSIVE
        parts.append(
            f"at most {money_text(found['limit'], request.currency) if is_money else format(found['limit'], ',')}"
        )
    about = f" ({'; '.join(parts)})" if parts else ""
    yield f"Rejected by {who}. Reason: {reason[:1].lower()}{reason[1:]}{about}."
    yield f"{who} wrote: “{found['words']}”"


_OVER = {
    "expired": "Nobody decided in time. Nothing was moved; ask again if it is still wanted.",
    "withdrawn": "It was taken back before anybody decided. Nothing was moved.",
    "outrun": "The world moved on before it was carried out, so it was not forced. Nothing was moved.",
    "superseded": "Another plan took its place.",
}


def _waiting(request: ApprovalView, names: Mapping[str, str]) -> tuple[str, ...]:
    said = [request.signing.words] if request.signing.words else ["Somebody other than its author has to decide."]
    signed = [names.get(each.signed_by, each.signed_by) for each in request.signing.signed if each.counts]
    if signed:
        said.append(f"Signed so far: {', '.join(signed)}.")
    if request.signing.may_sign is not None:
        people = [names.get(each, each) for each in request.signing.may_sign]
        said.append(f"Can sign: {', '.join(people)}." if people else "Nobody who may sign is here at present.")
    if request.claimed_by:
        said.append(f"{names.get(request.claimed_by, request.claimed_by)} is looking at it.")
    if request.stopped:
        said.append(f"{request.stopped} is stopped: until that is released nothing can be approved.")
    return tuple(said)


def _moving(orders: Sequence[TransferOrder], before: tuple[str, ...]) -> Standing:
    if not orders:
        return Standing("approved", "good", (*before, "Its orders are being released."))
    found = [order.state for order in orders]
    counts = tuple(Count(state.value, found.count(state)) for state in OrderState if state in found)
    units, received = sum(order.units for order in orders), sum(order.received_units for order in orders)
    if OrderState.NEEDS_ATTENTION in found:
        word, kind = "needs attention", "bad"
    elif all(state.is_final or state is OrderState.RECEIVED for state in found):
        word, kind = ("received", "good") if received else ("over", "warn")
    elif any(state is not OrderState.RELEASED for state in found):
        word, kind = "on its way", "good"
    else:
        word, kind = "approved", "good"
    shipped = sum(order.shipped_units for order in orders)
    return Standing(word, kind, before, None, counts, units, shipped, received)
