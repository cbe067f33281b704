"""From a tool's result to plain sentences. Every number in them is read from the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from graphs.baseline.memory import NEAREST, is_about_a_name
from graphs.baseline.plan_answers import comparison_words, plan_words
from graphs.baseline.results import (
    BlockedExplained,
    Comparison,
    CoverageFound,
    CoverageRow,
    DecidedRow,
    FiguresFound,
    HeldRow,
    ImbalanceRow,
    ImbalancesFound,
    LineExplained,
    NegotiationExplained,
    NoPlan,
    NotSubmitted,
    OrderRow,
    PlanExplained,
    PlanProposed,
    PlansCompared,
    PolicyFound,
    Refusal,
    Result,
    SignalsFound,
    StatusFound,
    Submitted,
    WaitingRow,
)
from graphs.baseline.sentences import ROWS_SAID, instant, listed, more, rows_of, sentence
from tools.counted import counted

UNREADABLE = "I got an answer that I cannot read. Please try again."
_MORE = 'Say "more" for the rows that follow, or name a SKU, a site or a category to see fewer.'
_PLAN: TypeAdapter[PlanProposed | NoPlan] = TypeAdapter(PlanProposed | NoPlan)
_SUBMISSION: TypeAdapter[Submitted | NotSubmitted] = TypeAdapter(Submitted | NotSubmitted)
R = TypeVar("R", bound=Result)


def answer(tool: str, content: str, arguments: Mapping[str, Any] | None = None) -> str:
    """What a tool has found, in words; `arguments` are those it was called with.

    A refusal is told with what comes nearest. A result that cannot be read is said to be one.
    """
    try:
        words = _refusal(Refusal.model_validate_json(content))
    except ValidationError:
        try:
            words = _ANSWERS[tool](content, arguments or {}) if tool in _ANSWERS else UNREADABLE
        except ValidationError:
            words = UNREADABLE
    return "\n".join(filter(None, (" ".join(line.split()) for line in words.split("\n"))))


def is_sound_plan(content: str) -> bool:
    """Whether a proposed plan moves something and breaks no rule: what may be submitted."""
    try:
        found = PlanProposed.model_validate_json(content)
    except ValidationError:
        return False
    return found.outcome == "permitted" and found.lines > 0 and not found.violations


def _refusal(found: Refusal) -> str:
    what, nearest, names = found.error.partition(NEAREST)
    if not nearest:
        return f"{sentence(what)} Which one do you mean?" if is_about_a_name(what) else sentence(what)
    return f"{sentence(what)} Did you mean {listed(names.split(', '), 'or')}?"


def _imbalances(found: ImbalancesFound, most: int) -> str:
    held = found.held_back_for_bad_data
    bad = f" {counted(held, 'stock position')} {'is' if held == 1 else 'are'} held back for bad data." if held else ""
    if not found.imbalances:
        return f"As of {instant(found.as_of)} nothing is out of balance there.{bad}"
    totals = listed([_kind_count(number, kind) for kind, number in found.counts.items()])
    rows = rows_of((_imbalance(row) for row in found.imbalances), most)
    rest = more(len(found.imbalances), found.not_shown, _MORE, most)
    return f"As of {instant(found.as_of)} there {_are(found.counts)} {totals}. The costliest first: {rows}{rest}{bad}"


def _are(counts: Mapping[str, int]) -> str:
    return "is" if next(iter(counts.values()), 0) == 1 else "are"


def _kind_count(number: int, kind: str) -> str:
    plain = {"shortage": "shortage", "surplus": "surplus"}.get(kind, f"{kind} position")
    return counted(number, plain, f"{plain}es" if plain.endswith("s") else f"{plain}s")


def _imbalance(row: ImbalanceRow) -> str:
    units = counted(row.units, "unit")
    cover = "no demand" if row.days_of_cover is None else f"{counted(row.days_of_cover, 'day')} of cover"
    match row.kind:
        case "shortage":
            what = f"{row.sku} at {row.site} is short of {units} until {row.until}"
        case "surplus":
            what = f"{row.sku} at {row.site} has {units} too many until {row.until}"
        case "expiring":
            what = f"{units} of {row.sku} at {row.site} will expire unsold by {row.until}"
        case kind:
            what = f"{units} of {row.sku} at {row.site} {'is' if row.units == 1 else 'are'} {kind}"
    return f"{what}: {row.at_stake} at stake, {cover}, stock-out risk {row.stock_out_percent} %"


def _coverage(found: CoverageFound, most: int) -> str:
    if not found.rows:
        return f"As of {instant(found.as_of)} neither stock nor demand is known there."
    rows = rows_of((_cover(row) for row in found.rows), most)
    rest = more(len(found.rows), found.not_shown, _MORE, most)
    return f"As of {instant(found.as_of)}, the shortest cover first: {rows}{rest}"


def _cover(row: CoverageRow) -> str:
    cover = "no demand" if row.days_of_cover is None else f"{counted(row.days_of_cover, 'day')} of cover"
    out = f", runs out on {row.runs_out_on}" if row.runs_out_on else ""
    return (
        f"{row.sku} at {row.site}: {row.available_units:,} available, {row.demand_a_day} a day, {cover}{out}; it needs"
        f" {row.needs_units:,} until its regular supply in {counted(row.days_until_supply, 'day')} and should have"
        f" {row.order_up_to_units:,}; stock-out risk {row.stock_out_percent} %"
    )


def _explanation(found: LineExplained) -> str:
    return (
        f"Line {found.line_no} moves {counted(found.units, 'unit')} of {found.sku} from {found.origin} to"
        f" {found.destination}, as of {instant(found.as_of)}. {found.words}"
    )


def _plan_explained(found: PlanExplained) -> str:
    lines = "\n".join(f"Line {line.line_no}: {sentence(line.words)}" for line in found.why_lines)
    return f"As of {instant(found.as_of)}, plan {found.plan[:12]}: {found.words}\n{lines}"


def _negotiation(found: NegotiationExplained) -> str:
    return f"As of {instant(found.as_of)}, plan {found.plan[:12]}: {found.words}"


def _compared(found: PlansCompared) -> str:
    same, changed = found.lines_the_same, found.lines_changed.count
    ours, theirs = found.lines_only_in_plan.count, found.lines_only_in_other.count
    return (
        f"As of {instant(found.as_of)}: {found.words} {counted(same, 'line')} {'is' if same == 1 else 'are'} in both as"
        f" they are, {changed:,} in both with other numbers, {ours:,} only in the first, {theirs:,} only in the other."
    )


def _signals(found: SignalsFound, most: int) -> str:
    rows = rows_of((_held(row) for row in found.held), most)
    rest = more(len(found.held), found.not_shown, _MORE, most)
    return f"As of {instant(found.as_of)}: {found.words} {f'Held back: {rows}{rest}' if rows else ''}"


def _held(row: HeldRow) -> str:
    return f"{row.sku} at {row.site}: {row.reason.rstrip('.')}"


def _figures(found: FiguresFound) -> str:
    return f"As of {instant(found.as_of)}: {found.words}"


def _blocked(found: BlockedExplained) -> str:
    return f"As of {instant(found.as_of)}: {found.words}"


def _status(found: StatusFound, most: int, about: str) -> str:
    waiting = rows_of((_waiting(row) for row in found.waiting), most)
    orders = rows_of((_order(row) for row in found.orders), most)
    waits = (
        f"Waiting for a decision: {waiting}{more(len(found.waiting), 0, most=most)}"
        if waiting
        else "No plan waits for a decision."
    )
    moves = (
        f"The newest transfer orders: {orders}{more(len(found.orders), 0, most=most)}"
        if orders
        else "There are no transfer orders yet."
    )
    decided = rows_of((_decided(row) for row in found.decided), most)
    return " ".join(
        part
        for part in (
            waits if about != "orders" else "",
            f"Decided or over: {decided}" if decided else "",
            moves if about != "approvals" else "",
        )
        if part
    )


def _waiting(row: WaitingRow) -> str:
    return (
        f"plan {row.plan} of {row.requested_by} with {counted(row.lines, 'line')} and {counted(row.units, 'unit')}, saves"
        f" {row.saves}, expires {instant(row.expires_at)}"
    )


def _decided(row: DecidedRow) -> str:
    return f"plan {row.plan} of {row.requested_by}: {row.status}"


def _order(row: OrderRow) -> str:
    return (
        f"{counted(row.units, 'unit')} of {row.sku} from {row.origin} to {row.destination}: {row.state.replace('_', ' ')},"
        f" arriving {row.arrives}"
    )


def _policy(found: PolicyFound) -> str:
    lines = "\n".join(sentence(line) for line in found.policy.splitlines())
    rules = (
        f" Every plan is checked for: {listed([name.replace('_', ' ') for name in found.rules])}."
        if found.rules
        else ""
    )
    engaged = found.kill_switch_engaged
    switch = f"The kill switch is {'engaged: nothing may be approved or posted' if engaged else 'not engaged'}."
    stopped = f" Stopped: {listed(found.stopped)}." if found.stopped and not engaged else ""
    return f"{switch}{stopped}\n{lines}\n{rules}"


def _submitted(found: Submitted) -> str:
    return (
        f"The plan waits for a decision until {instant(found.expires_at)}, approval request {found.approval}."
        " Somebody else has to decide."
    )


def _not_submitted(found: NotSubmitted) -> str:
    return f"The plan was not submitted. {sentence(found.note)}"


def _of(model: type[R], say: Callable[[R], str]) -> Callable[[str, Mapping[str, Any]], str]:
    """An answer that needs the result only."""
    return lambda content, _: say(model.model_validate_json(content))


def _rows(model: type[R], say: Callable[[R, int], str]) -> Callable[[str, Mapping[str, Any]], str]:
    """An answer in rows: as many as were asked for."""
    return lambda content, arguments: say(model.model_validate_json(content), arguments.get("limit", ROWS_SAID))


def _submission(content: str, _: Mapping[str, Any]) -> str:
    found = _SUBMISSION.validate_json(content)
    return _submitted(found) if isinstance(found, Submitted) else _not_submitted(found)


_ANSWERS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "find_imbalances": _rows(ImbalancesFound, _imbalances),
    "coverage": _rows(CoverageFound, _coverage),
    "explain_line": _of(LineExplained, _explanation),
    "explain_blocked": _of(BlockedExplained, _blocked),
    "status": lambda content, arguments: _status(
        StatusFound.model_validate_json(content), arguments.get("limit", ROWS_SAID), arguments.get("about", "all")
    ),
    "explain_plan": _of(PlanExplained, _plan_explained),
    "explain_negotiation": _of(NegotiationExplained, _negotiation),
    "compare_plans": _of(PlansCompared, _compared),
    "signal_quality": _rows(SignalsFound, _signals),
    "kpis": _of(FiguresFound, _figures),
    "policy": _of(PolicyFound, _policy),
    "what_if": lambda content, arguments: comparison_words(Comparison.model_validate_json(content), arguments),
    "propose_plan": lambda content, arguments: plan_words(_PLAN.validate_json(content), arguments),
    "submit_plan": _submission,
}
