"""What-if questions: closed lanes and sites, other demand, late supply, another service level, a budget."""

from __future__ import annotations

import re
from typing import Any

from graphs.baseline.clauses import WHAT_IF_LIMITS, take_closed_lanes, take_limits
from graphs.baseline.fragments import CUT, OF, days_in, number_in, words_of
from graphs.baseline.names import cut_names
from graphs.baseline.plan_requests import EVERYTHING
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import SUPPOSING, Role

WHAT_IF = (
    r"(?:and )?what if",
    r"(?:and )?what (?:happens|would happen|will happen|changes|would change|does it cost) (?:if|when)",
    r"how would (?:it|things|the plan|this) (?:look|be|change|be different) (?:if|when)",
    r"how would (?:it|things|the plan|this) (?:look|be|change)(?= (?:without|with|leave)(?!\S))",
    r"(?:what (?:is|would be) )?(?:the )?(?:effect|impact|influence|consequences?) of",
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
CHANGE = (r"(?:{be} )?(?:by )?(?P<sign>[+-])?{number} {percent}",)
OF_FORECAST = (r"(?:{be} )?(?:at |to |only )?{number} {percent} of (?:the )?(?:forecast|plan|normal|usual)",)
FACTORS = {
    r"(?:{be} )?(?:double|doubles|doubled|doubling|twice as (?:much|high))": 200,
    r"(?:{be} )?(?:halve|halves|halved|halving|half as (?:much|high))": 50,
    r"(?:{be} )?(?:triple|triples|tripled|tripling)": 300,
}
"""Demand as a percentage of the forecast."""
HALF_OF = r"half(?: of)?(?: the| our| all)?(?= (?:the )?(?:demand|sales)(?!\S))"
GONE = (r"(?:disappears?|vanish(?:es)?|goes away|(?:is|are|was|were) (?:lost|gone)|falls away|breaks away)",)

SUPPLY = (
    (
        r"(?:the |our |all |regular )*(?:supply|supplies|suppliers?|delivery|deliveries|inbound|replenishments?"
        r"|purchase orders?|arrivals?|shipments?)"
    ),
)
LATE = (
    r"(?:{be} )?(?:delays?|delayed)(?: by)? {span}",
    r"(?:{be} )?(?:(?:arrives?|comes?|delivers?|shows up|show up) )?{span} (?:late|later|delayed)",
    r"(?:{be} )?late(?: by)? {span}",
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
    r"(?:we )?(?:close|closing|shut|shut down|lose|losing|drop|dropping|block)(?: the)?(?: {site}| {sku})? {names}",
    rf"(?:the )?(?:(?:{{site}}|{{sku}}) )?{{names}}(?: {{be}})? (?:{_SHUT}|(?:down|out)(?! by(?!\S)| [0-9]))",
    rf"(?<={OF} )(?!(?:for|of|in|at) )(?P<names>[a-z][a-z ]{{1,60}}?)(?: {{be}})? {_SHUT}",
)
"""Sites and SKUs that are left out; the last form reads a name of plain words right after the beginning."""

WORDS = words_of(
    *WHAT_IF, *DEMAND, *UP, *DOWN, *CHANGE, *OF_FORECAST, HALF_OF, *GONE, *FACTORS, *SUPPLY, *LATE, *SERVICE_LEVEL, *CLOSED_NAMES
)  # fmt: skip

CHANGES = (
    "closed_lanes", "without", "demand_percent", "supply_delay_days", "service_level_percent", "transport_budget"
)  # fmt: skip


_COMPARES = (
    "I can compare closed lanes, sites or SKUs left out, more or less demand, late supply, another service level, or a"
    " transport budget."
)


def is_what_if(utterance: Utterance) -> bool:
    """Whether an utterance asks what would be."""
    return utterance.has(*WHAT_IF)


def what_if(utterance: Utterance, currency: str = "") -> Call | Ask:
    """The comparison that an utterance asks for, or a question."""
    utterance.take(*WHAT_IF, leave=OF)
    closed = take_closed_lanes(utterance)
    arguments = take_limits(utterance, WHAT_IF_LIMITS, currency)
    if isinstance(arguments, Ask):
        return arguments
    for form in CLOSED_NAMES[:2]:
        utterance.rewrite(form, _without)
    for read in (_service_level, _delay, _demand):
        change = read(utterance)
        if isinstance(change, Ask):
            return change
        arguments |= change
    utterance.rewrite(CLOSED_NAMES[2], _without)
    utterance.take(*EVERYTHING)  # a comparison is about the whole network anyway, unless names narrow it
    utterance.rewrite(r", (?P<what>[^|,]+)$", lambda match: f"{OF} {match['what']}")
    cut = cut_names(utterance, SUPPOSING, strict=True)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.FROM] or cut.names[Role.TO] or cut.names[Role.BETWEEN]:
        return Ask(
            "A what-if compares plans for SKUs, sites or categories; it knows no origin or destination. What would be different?"
        )
    mentions = cut.names[Role.MENTIONS]
    arguments |= {"mentions": mentions, "without": cut.names[Role.WITHOUT], "closed_lanes": closed}
    if "demand_percent" in arguments:
        arguments["demand_of"] = mentions
    if not any(arguments.get(change) not in (None, []) for change in CHANGES):
        return Ask(f"What would be different? {_COMPARES}")
    return call("what_if", arguments)


def _without(match: re.Match[str]) -> str:
    return f"without {match['names']} {CUT}"


def _service_level(utterance: Utterance) -> dict[str, Any] | Ask:
    found = utterance.take(*SERVICE_LEVEL)
    if len(found) > 1:
        return Ask("Which service level? One at a time, please.")
    return {"service_level_percent": number_in(found[0]["number"])} if found else {}


def _delay(utterance: Utterance) -> dict[str, Any] | Ask:
    """By how many days supply is late. Supply that is not late is no change, and its word is left where it is."""
    if not (utterance.has(*SUPPLY) and utterance.has(*LATE)):
        return {}
    found = utterance.take(*LATE)
    utterance.take(*SUPPLY, leave=OF)
    if len(found) > 1:
        return Ask("How late is the supply? One delay at a time, please.")
    return {"supply_delay_days": days_in(found[0]["span"])}


def _demand(utterance: Utterance) -> dict[str, Any] | Ask:
    """Demand in percent of the forecast: a share of it, a factor, or one direction and one percentage."""
    if not utterance.has(*DEMAND):
        return {}
    found = [number_in(match["number"]) for match in utterance.take(*OF_FORECAST)]
    if utterance.has(*GONE) and utterance.take(HALF_OF, leave=""):
        utterance.take(*GONE)
        found.append(50)
    utterance.take(*DEMAND, leave=OF)
    found += [percent for form, percent in FACTORS.items() for _ in utterance.take(form)]
    found += _changes(utterance, is_share=bool(found))
    if len(found) != 1:
        return Ask("How does demand change? Say, for example, that demand doubles, or by how many percent it goes up.")
    return {"demand_percent": found[0]}


def _changes(utterance: Utterance, *, is_share: bool) -> list[int]:
    """What directions and percentages come to. Nothing clear is two answers, so that the caller asks.

    After a share or a factor a direction alone only repeats it: demand falls to so many percent of the forecast.
    """
    directions = ["+" for _ in utterance.take(*UP)] + ["-" for _ in utterance.take(*DOWN)]
    changes = utterance.take(*CHANGE)
    signs = {*directions, *(match["sign"] for match in changes if match["sign"])}
    if not changes:
        return [] if is_share or not signs else [0, 0]
    percents = [number_in(match["number"]) for match in changes]
    if len(percents) > 1 or len(signs) != 1:
        return [0, 0]
    return [100 + percents[0] if signs == {"+"} else 100 - percents[0]]
