"""Clauses: parts of a sentence that set one argument to one number, or close lanes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from graphs.baseline.fragments import MONEY, alternatives, days_in, number_in, words_of
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


AND = r"(?:, )?(?:(?:and|but|with|using|having|in|for|costing|at a cost of|at the cost of) )?"
"""How a clause may be joined to what stands before it."""

_MOST = alternatives(
    "at most", "at the most", "no more than", "not more than", "up to", "max", "maximum", "a maximum of", "maximum of",
    "only", "just", "limited to", "capped at", "<=", "not over", "not above", "no greater than", "no higher than", "not exceeding",
    "without exceeding", "(?:not|must not|should not|may not) exceed", "a cap of", "a limit of", "restricted to", "nothing over", "nothing above",
    "(?:keep|hold|cap|limit) (?:it|this|that|them|everything|the plan) (?:to|at)", "stick to",
)  # fmt: skip
_FEWER = alternatives(
    "fewer than",
    "less than",
    "under",
    "below",
    "<",
    "(?:keep|hold) (?:it|this|that|everything|the plan) (?:under|below)",
)
_AFTER = alternatives("at most", "at the most", "max", "maximum", "or fewer", "or less", "tops", "or under")
_TOTAL = "(?: in total| in all| altogether| overall)?"
_ARRIVES = (
    "(?:arriving |arrive |to arrive |(?:that |which )arrives? |arrives "
    "|(?:(?:it|everything|all) )?(?:there|here) "
    "|(?:(?:that|which|it|they) )?(?:gets?|getting|is|are|be|being|turns? up|lands?|shows? up)(?: (?:there|here|delivered|in store)) "
    "|(?:(?:needed|wanted|due|required|delivered|done) )"
    "|(?:(?:it|everything|all|which|that|they) )?(?:has|have|must|needs?|should)(?: all)?(?: to)? (?:arrive|be there|get there) )?"
)
_WITHIN = rf"{_ARRIVES}(?:by )?(?:within|in|inside|over|during)(?: the)?(?: next)?"
_SPEND = r"(?:we |i |you |it )?(?:can |may |must |should )?(?:(?:had|has|have|needs?) to )?(?:spend|spending|pay|paying|cost|costs|costing|use|using)"
_NOT_SPEND = r"(?:(?:we |i |you )?(?:do|can|must|should|may) not|not|without|never) (?:spend|spending|pay|paying)"
_COSTS = r"(?:keep |keeping )?(?:the )?(?:transport|freight|transfer|shipping|moving)(?:ation)?(?: (?:costs?|spend|spending|bill))?(?: of)?"
_ON_MOVING = r"(?:(?:on|for|in) )?(?:the )?(?:transports?|transportation|freight|moving|shipping|transfers|haulage|trucking)(?: (?:costs?|spend))?"
_BUDGET = r"(?:transport |transfer |freight )?budget"

BUDGETS = (
    Clause(
        "transport_budget",
        rf"{AND}(?:an? |the )?{_BUDGET}(?: (?:of|is|at|was|to|at most|up to|max|maximum|(?:can|may|could) (?:go|be|rise)(?: up)?))* {{number}}{{money}}",
        _number,
    ),
    Clause("transport_budget", rf"{AND}(?:an? )?{{number}}{{money}} {_BUDGET}", _number),
    Clause("transport_budget", rf"{AND}{_SPEND} {_MOST} {{number}}{{money}}(?: {_ON_MOVING})?", _number),
    Clause(
        "transport_budget", rf"{AND}(?:we |i )?only (?:spend|pay|have|had) {{number}}{{money}} {_ON_MOVING}", _number
    ),
    Clause("transport_budget", rf"{AND}(?:we |i )?only (?:spend|pay) {{number}}{{money}}", _number),
    Clause("transport_budget", rf"{AND}{_SPEND} {_FEWER} {{number}}{{money}}(?: {_ON_MOVING})?", _one_less),
    Clause(
        "transport_budget",
        rf"{AND}{_NOT_SPEND} (?:more than|over|above) {{number}}{{money}}(?: {_ON_MOVING})?",
        _number,
    ),
    Clause("transport_budget", rf"{AND}{_MOST} {{number}}{{money}} {_ON_MOVING}", _number),
    Clause("transport_budget", rf"{AND}{_MOST} {{number}} {MONEY}", _number),
    Clause("transport_budget", rf"{AND}{{number}} {MONEY} {_AFTER}", _number),
    Clause("transport_budget", rf"{AND}{_FEWER} {{number}} {MONEY}(?: {_ON_MOVING})?", _one_less),
    Clause("transport_budget", rf"(?:for|with) (?:a total of )?{{number}} {MONEY}(?: {_ON_MOVING})?", _number),
    Clause("transport_budget", rf"{AND}{_COSTS} {_MOST} {{number}}{{money}}", _number),
    Clause("transport_budget", rf"{AND}(?:cap|limit|keep|hold) {_COSTS} (?:at|to) {{number}}{{money}}", _number),
    Clause(
        "transport_budget",
        rf"{AND}(?:we |i )?(?:only )?(?:had|have|have got|got|get) {{number}}{{money}} to (?:spend|play with)(?: {_ON_MOVING})?",
        _number,
    ),
    Clause("transport_budget", rf"{AND}{_COSTS} {_FEWER} {{number}}{{money}}", _one_less),
)

PLAN_LIMITS = (
    Clause("within_days", rf"{AND}{_WITHIN} (?:at most |max )?{{span}}(?: or (?:less|sooner|faster|earlier))?", _days),
    Clause("within_days", rf"{AND}{_WITHIN} {_FEWER} {{span}}", lambda match: _days(match) - 1),
    Clause("within_days", rf"{AND}{_ARRIVES}(?:no|not) later than(?: in)? {{span}}", _days),
    Clause("within_days", rf"{AND}{{span}} (?:at most|at the most|max|maximum|tops)", _days),
    Clause("within_days", rf"{AND}{_ARRIVES}{{span}} or (?:less|sooner|faster|earlier)", _days),
    Clause("within_days", rf"{AND}{_ARRIVES}(?:by|until) tomorrow", lambda _: 1),
    Clause("lines_max", rf"{AND}(?:keep|limit|cap|cut) (?:it )?(?:to|at) {{number}} {{lines}}(?: {_AFTER})?", _number),
    Clause("lines_max", rf"{AND}{_MOST} {{number}} {{lines}}{_TOTAL}", _number),
    Clause(
        "lines_max", rf"{AND}(?:keep|limit|cap|hold) (?:the )?(?:number of )?{{lines}} (?:to|at) {{number}}", _number
    ),
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

DAY = alternatives(
    "mon(?:day)?", "tue(?:s|sday)?", "wed(?:nesday)?", "thu(?:rs|rsday)?", "fri(?:day)?", "sat(?:urday)?", "sun(?:day)?", "weekend", "week end", "month end",
    "end of (?:the |this |next )?(?:day|week|month|weekend|working week)", "close of business", "cob", "eod", "eow", "eom",
    "[0-9]{1,2}(?:st|nd|rd|th)(?: of)?(?: [a-z]+)?",
)  # fmt: skip
DEADLINE = rf"{AND}{_ARRIVES}(?:(?:by|before|until|till|no later than|not later than|at the latest by|at the latest on)(?: the)?|on|by the|next|this|coming) (?:(?:this|next|coming|following|the) )?{DAY}(?: (?:at the latest|latest|please|morning|evening|noon|night|afternoon))*"
"""A day of the calendar. Which one it is today is not known here, so it has to be said in days."""

WHAT_IF_LIMITS = tuple(clause for clause in PLAN_LIMITS if clause.argument != "within_days")

_VEHICLES = {
    "truck": "truck",
    "lorry": "truck",
    "trucks": "truck",
    "lorries": "truck",
    "van": "van",
    "vans": "van",
    "reefer": "reefer",
    "reefers": "reefer",
}
_NOUN = r"(?:(?P<mode>trucks?|lorry|lorries|vans?|reefers?)|lanes?|routes?|roads?|connections?|links?|way)"
_CLOSED = (
    r"(?:out of service|out of use|(?:can |will |does |do )?not (?:run|running|operate|operating|go|going)|suspended|on strike|flooded|snowed in|not available|can not be used|not running|out of action|out of order|broken down|closed|closes|close|shut|shuts|down|out"
    r"|off|blocked|unavailable|broken|breaks down|broke down|breaks|fails|cancelled|canceled|dead)"
)
_AVOID = (
    r"(?:without using|without|avoid|avoiding|except|excluding|not using|do not use|never use|not via|close|closing|block|no"
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
"""Lanes that cannot be used. `without S1 to S2` is none and is asked about: it may leave out a site on the way to another."""

_BOTH_WAYS = "(?: (?:in )?both (?:ways|directions))?"
BOTH_LANES_CLOSED = (
    rf"{AND}(?:the )?{_NOUN} between {{names}}(?: {{be}})?(?: (?:now|currently))? {_CLOSED}{_BOTH_WAYS}",
    rf"{AND}{_AVOID}(?: the)? {_NOUN} between {{names}}",
)

_CURRENCY_WORDS = {
    "eur euro euros €": "EUR", "gbp pound pounds £ quid": "GBP", "chf": "CHF", "franc francs": "CHF", "jpy yen": "JPY",
    "dollar dollars $ bucks": "USD CAD AUD NZD SGD HKD MXN", "krona kronor": "SEK", "krone kroner": "NOK DKK",
    **{code.lower(): code for code in ["USD", "CNY", "SEK", "NOK", "DKK", "PLN", "CZK", "CAD", "AUD", "NZD", "INR", "BRL", "MXN", "ZAR"]},
}  # fmt: skip
_CURRENCY_CODES = {word: codes.split() for words, codes in _CURRENCY_WORDS.items() for word in words.split()}
"""The currencies that a word may mean."""
_ANY_CURRENCY = alternatives(*(re.escape(word) for word in _CURRENCY_CODES))
CURRENCIES = (rf"{{number}} (?P<currency>{_ANY_CURRENCY})", rf"(?P<currency>{_ANY_CURRENCY}) {{number}}")
"""An amount in a currency, which may not be the network's."""

WORDS = words_of(
    *(clause.form for clause in PLAN_LIMITS),
    DEADLINE,
    *LANE_CLOSURES,
    *BOTH_LANES_CLOSED,
    *CURRENCIES,
    "units pieces pcs",
)


def take_limits(utterance: Utterance, clauses: Iterable[Clause], currency: str = "") -> dict[str, Any] | Ask:
    """The arguments that the clauses set. Two different numbers for one argument are a question.

    Amounts count in the network's own currency; one in another, or in any while it is not known, is a question.
    """
    if foreign := own_money(utterance, currency):
        return foreign
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


def own_money(utterance: Utterance, currency: str) -> Ask | None:
    """Mark amounts in the network's own currency as money; a question where one is in another, or none is known."""
    for form in CURRENCIES:
        utterance.rewrite(form, lambda match: _own_money(match, currency))
    if not utterance.has(*CURRENCIES):
        return None
    own = f"; that is {currency}" if currency else ""
    return Ask(
        f"Please say the amount without a currency: it counts in the currency that the network keeps its costs in{own}."
    )


def _own_money(match: re.Match[str], currency: str) -> str:
    """The amount marked as money when it is in the network's own currency, else as it was said."""
    own = currency in _CURRENCY_CODES[match["currency"].lower()]
    return f"{match['number']} {MONEY}" if own else match[0]


def take_closed_lanes(utterance: Utterance) -> list[str]:
    """The lanes that cannot be used, each as ORIGIN->DESTINATION with the names as they were said."""
    lanes: list[str] = []
    for form, both in ((BOTH_LANES_CLOSED, True), (LANE_CLOSURES, False)):
        for match in utterance.take(*form):
            ends = [utterance.name(token) for token in match[0].split() if utterance.is_name(token)]
            pairs = list(permutations(ends, 2)) if both else list(zip(ends[::2], ends[1::2], strict=True))
            mode = _VEHICLES.get((match.groupdict().get("mode") or "").lower())
            by = f" by {mode}" if mode else ""
            lanes += [f"{a}->{b}{by}" for a, b in pairs if a != b]
    if lanes:
        utterance.take(r"(?:without|avoiding|not using) (?:it|that|them|those)")
    return list(dict.fromkeys(lanes))
