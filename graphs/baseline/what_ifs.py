"""What-if questions: closed lanes and sites, other demand, late supply, another service level, a budget."""

from __future__ import annotations

from typing import Any

from graphs.baseline.clauses import BUDGETS, take_closed_lanes, take_limits
from graphs.baseline.fragments import OF, days_in, number_in, words_of
from graphs.baseline.names import cut_names
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import POLITE, Role

WHAT_IF = (
    r"(?:and )?what if",
    r"(?:and )?what (?:happens|would happen|will happen|changes|would change|does it cost) (?:if|when)",
    r"how would (?:it|things|the plan|this) (?:look|be|change|be different) (?:if|when)",
    r"(?:suppose|assume|assuming|imagine)(?: that)?",
    r"simulate",
)

DEMAND = (r"(?:the |our |all )?(?:demand|sales|forecast|forecasts)",)
UP = (
    (
        r"(?:{be} )?(?:go up|goes up|going up|went up|up|rise|rises|rose|grow|grows|grew|increase|increases|increased|jump"
        r"|jumps|climb|climbs|surge|surges|higher|more|raise|raised)"
    ),
)
DOWN = (
    (
        r"(?:{be} )?(?:go down|goes down|going down|went down|down|fall|falls|fell|drop|drops|dropped|decrease|decreases"
        r"|decreased|decline|declines|shrink|shrinks|lower|less|reduce|reduced|cut)"
    ),
)
SHARE = (r"(?:{be} )?(?:by )?(?P<sign>[+-])?{number} {percent}",)
OF_FORECAST = (r"(?:{be} )?(?:at |to |only )?{number} {percent} of (?:the )?(?:forecast|plan|normal|usual)",)
FACTORS = {
    r"(?:{be} )?(?:double|doubles|doubled|doubling|twice as (?:much|high))": 200,
    r"(?:{be} )?(?:halve|halves|halved|halving|half as (?:much|high))": 50,
    r"(?:{be} )?(?:triple|triples|tripled|tripling)": 300,
}
"""Demand as a percentage of the forecast."""

SUPPLY = (
    (
        r"(?:the |our |all |regular )*(?:supply|supplies|suppliers?|delivery|deliveries|inbound|replenishments?"
        r"|purchase orders?|arrivals?|shipments?)"
    ),
)
LATE = (
    r"(?:{be} )?(?:(?:arrive|arrives|come|comes) )?{span} (?:late|later|delayed)",
    r"(?:{be} )?(?:late|delayed)(?: by)? {span}",
    r"(?:(?:has|have|with) )?(?:a )?delay(?: of)? {span}",
    r"(?:an? )?{span} delay",
)
SERVICE_LEVEL = (
    (
        r"(?:an? |the )?service levels?(?: (?:of|at|is|were|was|to|goes to|rises to|falls to|becomes))?(?: only)? {number}"
        r"(?: {percent})?"
    ),
    r"(?:an? )?{number} {percent} service(?: levels?)?",
)
_SHUT = r"(?:closed|closes|close|shut|shuts|frozen|unavailable|left out|excluded|blocked)"
CLOSED_NAMES = (
    rf"(?:the )?(?:(?:sites?|stores?|shops?|warehouses?|skus?) )?{{names}}(?: {{be}})? (?:{_SHUT}|(?:down|out)(?! by(?!\S)| [0-9]))",
    rf"(?<={OF} )(?P<names>[a-z][a-z ]{{1,60}}?)(?: {{be}})? {_SHUT}",
    r"(?:we )?(?:close|shut|shut down|lose|drop|block)(?: the)?(?: sites?| stores?| shops?| warehouses?| skus?)? {names}",
)

WORDS = words_of(
    *WHAT_IF, *DEMAND, *UP, *DOWN, *SHARE, *OF_FORECAST, *FACTORS, *SUPPLY, *LATE, *SERVICE_LEVEL, *CLOSED_NAMES
)  # fmt: skip

CHANGES = (
    "closed_lanes", "without", "demand_percent", "supply_delay_days", "service_level_percent", "transport_budget"
)  # fmt: skip


def is_what_if(utterance: Utterance) -> bool:
    """Whether an utterance asks what would be."""
    return utterance.has(*WHAT_IF)


def what_if(utterance: Utterance) -> Call | Ask:
    """The comparison that an utterance asks for, or a question."""
    utterance.take(*WHAT_IF, leave=OF)
    closed = take_closed_lanes(utterance)
    arguments = take_limits(utterance, BUDGETS)
    if isinstance(arguments, Ask):
        return arguments
    arguments |= _taken_number(utterance, "service_level_percent", SERVICE_LEVEL)
    arguments |= _taken_delay(utterance)
    demand = _demand_percent(utterance)
    for form in CLOSED_NAMES:
        utterance.rewrite(form, lambda match: f"without {match['names']} |")
    cut = cut_names(utterance, POLITE, strict=True)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.FROM] or cut.names[Role.TO] or cut.names[Role.BETWEEN]:
        return Ask("A what-if compares plans for SKUs, sites or categories; it knows no origin or destination.")
    names = {"mentions": cut.names[Role.MENTIONS], "without": cut.names[Role.WITHOUT], "closed_lanes": closed}
    arguments |= names | ({} if demand is None else {"demand_percent": demand})
    if not any(arguments.get(change) not in (None, []) for change in CHANGES):
        return Ask(
            "What would be different? I can compare closed lanes, sites or SKUs left out, more or less demand,"
            " late supply, another service level, or a transport budget."
        )
    return call("what_if", arguments)


def _taken_number(utterance: Utterance, argument: str, forms: tuple[str, ...]) -> dict[str, Any]:
    found = utterance.take(*forms)
    return {argument: number_in(found[0]["number"])} if len(found) == 1 else {}


def _taken_delay(utterance: Utterance) -> dict[str, Any]:
    if not (utterance.has(*SUPPLY) and utterance.has(*LATE)):
        return {}
    found = utterance.take(*LATE)
    utterance.take(*SUPPLY, leave=OF)
    return {"supply_delay_days": days_in(found[0]["span"])} if len(found) == 1 else {}


def _demand_percent(utterance: Utterance) -> int | None:
    """Demand in percent of the forecast: a factor, a share of it, or one direction and one percentage."""
    if not utterance.has(*DEMAND):
        return None
    share = utterance.take(*OF_FORECAST)
    utterance.take(*DEMAND, leave=OF)
    if share:
        utterance.take(*UP, *DOWN)
        return number_in(share[0]["number"])
    for form, percent in FACTORS.items():
        if utterance.take(form):
            return percent
    return _changed_by(utterance)


def _changed_by(utterance: Utterance) -> int | None:
    """What one direction and one percentage make of the forecast; None when that is not what was said."""
    ups, downs, shares = utterance.take(*UP), utterance.take(*DOWN), utterance.take(*SHARE)
    signs = [match["sign"] for match in shares if match["sign"]] + ["+"] * len(ups) + ["-"] * len(downs)
    if len(shares) != 1 or len(set(signs)) != 1:
        return None
    percent = number_in(shares[0]["number"])
    return 100 + percent if signs[0] == "+" else 100 - percent
