"""Clauses: parts of a sentence that set one argument to one number, or close lanes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from graphs.baseline.fragments import alternatives, days_in, number_in, words_of
from graphs.baseline.understood import Ask
from graphs.baseline.utterance import Utterance


@dataclass(frozen=True, slots=True)
class Clause:
    """One way to say one argument."""

    argument: str
    form: str
    reads: Callable[[re.Match[str]], int]


def _number(match: re.Match[str]) -> int:
    return number_in(match["number"])


def _one_less(match: re.Match[str]) -> int:
    return number_in(match["number"]) - 1


def _days(match: re.Match[str]) -> int:
    return days_in(match["span"])


AND = r"(?:, )?(?:(?:and|but|with|using|having|in) )?"
"""How a clause may be joined to what stands before it."""

_MOST = alternatives(
    "at most", "at the most", "no more than", "not more than", "up to", "max", "maximum", "a maximum of", "maximum of",
    "only", "just", "limited to", "capped at", "<=",
)  # fmt: skip
_FEWER = alternatives("fewer than", "less than", "under", "below", "<")
_AFTER = alternatives("at most", "at the most", "max", "maximum", "or fewer", "or less", "tops")
_TOTAL = "(?: in total| in all| altogether| overall)?"
_WITHIN = "(?:arriving |arrive |to arrive |(?:that |which )?arrives |that arrive )?(?:by )?(?:within|in|inside|over)(?: the next)?"
_SPEND = r"(?:we |i )?(?:can |may )?(?:spend|spending|pay|paying|cost|costs|costing)"
_ON_MOVING = r"(?:on|for) (?:transports?|freight|moving|shipping|transfers|the transfers)"
_BUDGET = r"(?:transport |transfer |freight )?budget"

BUDGETS = (
    Clause(
        "transport_budget", rf"{AND}(?:an? |the )?{_BUDGET}(?: (?:of|is|at|was|at most|up to))* {{number}}", _number
    ),
    Clause("transport_budget", rf"{AND}(?:an? )?{{number}} {_BUDGET}", _number),
    Clause("transport_budget", rf"{AND}{_SPEND} {_MOST} {{number}}(?: {_ON_MOVING})?", _number),
    Clause("transport_budget", rf"{AND}(?:we |i )?only (?:spend|pay) {{number}}(?: {_ON_MOVING})?", _number),
    Clause("transport_budget", rf"{AND}{_SPEND} {_FEWER} {{number}}(?: {_ON_MOVING})?", _one_less),
    Clause("transport_budget", rf"{AND}(?:do not|not|without) (?:spend|spending) more than {{number}}", _number),
    Clause("transport_budget", rf"{AND}{_MOST} {{number}} {_ON_MOVING}", _number),
    Clause("transport_budget", rf"{AND}(?:transport|freight) costs?(?: of)? {_MOST} {{number}}", _number),
)

PLAN_LIMITS = (
    Clause("within_days", rf"{AND}{_WITHIN} (?:at most |max )?{{span}}", _days),
    Clause("within_days", rf"{AND}{_WITHIN} {_FEWER} {{span}}", lambda match: _days(match) - 1),
    Clause("within_days", rf"{AND}{{span}} (?:at most|max|maximum)", _days),
    Clause("within_days", rf"{AND}(?:by|until) tomorrow", lambda _: 1),
    Clause("lines_max", rf"{AND}{_MOST} {{number}} {{lines}}{_TOTAL}", _number),
    Clause("lines_max", rf"{AND}{{number}} {{lines}} {_AFTER}", _number),
    Clause("lines_max", rf"{AND}(?:max|maximum) {{lines}}(?: of| is)? {{number}}", _number),
    Clause("lines_max", rf"{AND}(?:a )?line limit(?: of| is)? {{number}}", _number),
    Clause("lines_max", rf"{AND}{_FEWER} {{number}} {{lines}}", _one_less),
    Clause("units_max", rf"{AND}{_MOST} {{number}} {{units}}{_TOTAL}", _number),
    Clause("units_max", rf"{AND}{{number}} {{units}} {_AFTER}", _number),
    Clause("units_max", rf"{AND}(?:max|maximum) {{units}}(?: of| is)? {{number}}", _number),
    Clause("units_max", rf"{AND}(?:a )?unit limit(?: of| is)? {{number}}", _number),
    Clause("units_max", rf"{AND}{_FEWER} {{number}} {{units}}", _one_less),
    *BUDGETS,
)

_NOUN = r"(?:lanes?|routes?|roads?)"
_CLOSED = (
    r"(?:closed|closes|close|shut|shuts|down|out|out of service|blocked|unavailable|broken|fails|not available"
    r"|can not be used)"
)
_AVOID = (
    r"(?:without|avoid|avoiding|except|excluding|not using|do not use|never use|not via|close|closing|block|no"
    r"|(?:an? |the )?closed)"
)
_REASON = rf"{AND}(?:because |since |while |as )?(?:the )?"
LANE_CLOSURES = (
    rf"{_REASON}{_NOUN} {{lanes}}(?: {{be}})?(?: (?:now|currently))? {_CLOSED}",
    rf"{_REASON}{{arrows}}(?: {{be}})?(?: (?:now|currently))? {_CLOSED}",
    rf"{_REASON}{{lanes}} {{be}}(?: (?:now|currently))? {_CLOSED}",
    rf"{AND}{_AVOID}(?: the)? {_NOUN} {{lanes}}",
    rf"{AND}{_AVOID} {{arrows}}",
)
"""Lanes that cannot be used. `without S1 to S2` is none: it may leave out a site on the way to another."""

BOTH_LANES_CLOSED = (rf"{AND}(?:the )?{_NOUN} between {{names}}(?: {{be}})? {_CLOSED}",)

CURRENCIES = (
    (
        r"{number} (?:usd|eur|gbp|chf|jpy|cny|sek|nok|dkk|pln|czk|cad|aud|nzd|inr|brl|mxn|zar|dollars?|euros?|pounds?"
        r"|francs?|yen|\$|€|£)"
    ),
    r"(?:usd|eur|gbp|chf|jpy|\$|€|£) {number}",
)
"""An amount in a currency, which may not be the network's."""

WORDS = words_of(
    *(clause.form for clause in PLAN_LIMITS), *LANE_CLOSURES, *BOTH_LANES_CLOSED, *CURRENCIES, "units pieces pcs"
)


def take_limits(utterance: Utterance, clauses: Iterable[Clause]) -> dict[str, Any] | Ask:
    """The arguments that the clauses set. Two different numbers for one argument are a question."""
    if utterance.has(*CURRENCIES):
        return Ask(
            "Please say the amount without a currency: it counts in the currency that the network keeps its costs in."
        )
    found: dict[str, Any] = {}
    for clause in clauses:
        for match in utterance.take(clause.form):
            value = clause.reads(match)
            if found.setdefault(clause.argument, value) != value:
                what = clause.argument.replace("_", " ")
                return Ask(
                    f"You gave two different numbers for {what}: {found[clause.argument]} and {value}. Which one?"
                )
    return found


def take_closed_lanes(utterance: Utterance) -> list[str]:
    """The lanes that cannot be used, each as ORIGIN->DESTINATION with the names as they were said."""
    lanes: list[str] = []
    for match in utterance.take(*BOTH_LANES_CLOSED):
        ends = [token for token in match["names"].split() if utterance.is_name(token)]
        lanes += [f"{utterance.name(a)}->{utterance.name(b)}" for a in ends for b in ends if a != b]
    for match in utterance.take(*LANE_CLOSURES):
        ends = [token for token in match[0].split() if utterance.is_name(token)]
        lanes += [f"{utterance.name(a)}->{utterance.name(b)}" for a, b in zip(ends[::2], ends[1::2], strict=True)]
    return list(dict.fromkeys(lanes))
