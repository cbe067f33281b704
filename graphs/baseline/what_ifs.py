"""What-if questions: closed lanes and sites, other demand, late supply, another service level, a budget."""

from __future__ import annotations

import re
from typing import Any

from graphs.baseline import late_supply
from graphs.baseline.clauses import WHAT_IF_LIMITS, take_closed_lanes, take_limits
from graphs.baseline.fragments import CUT, OF, number_in, words_of
from graphs.baseline.memory import NOTHING, Memory
from graphs.baseline.names import Cut
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import Role

WHAT_IF = (
    r"(?:and )?what if",
    r"(?:and )?what (?:happens|would happen|will happen|changes|would change|does it cost) (?:if|when)",
    r"how would (?:it|things|the plan|this) (?:look|be|change|be different) (?:if|when)",
    r"how would (?:it|things|the plan|this) (?:look|be|change)(?= (?:without|with|leave)(?!\S))",
    r"(?:what (?:is|would be) )?(?:the )?(?:effect|impact|influence|consequences?) of",
    r"what would (?:it|things|the plan|this) (?:look like|be like|be) (?:if|when)",
    r"what would (?:it|things|the plan|this) look like(?: with)?(?= )",
    r"what would(?= [^|]+ (?:do|mean|change) (?:to|for) (?:us|me|it|the plan|our plan|things)(?!\S))",
    r"what (?:could|can|would) (?:we|i) (?:do|achieve|move)(?= (?:with|for|on|if) [^|]*{number})",
    r"(?:suppose|assume|assuming|imagine)(?: that)?",
    r"simulate",
)

OF_THE_PLAN = r"(?:how|what) would (?:it|things|the plan|this) (?:look|be|change)"
"""Asks about the plan before."""
SELLS = r"(?:sells?|sold|selling) (?P<share>{number} {percent}) (?P<how>more|less)(?= (?:\||,|in|at|there)|$)"
SOLD = r"(?:we |they |i )?(?:sell|sold|shift|needs?|needed|wants?) (?P<share>{number} {percent}|an? (?:half|quarter|fifth|tenth)) (?P<how>more|less|fewer)(?: of)?"
"""Sales say what demand does."""
ALLOWED = r"(?:{be} )?(?:allowed|permitted|possible)(?= (?:\||,|for|in|at)|$)"
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
CHANGE = (
    r"(?:{be} )?(?:by )?(?P<sign>[+-])?{number} {percent}",
    r"(?:{be} )?by (?P<share>half|a (?:half|quarter|fifth|tenth))",
)
SHARES = {"half": 50, "quarter": 25, "fifth": 20, "tenth": 10}
OF_FORECAST = (r"(?:{be} )?(?:at |to |only )?{number} {percent} of (?:the )?(?:forecast|plan|normal|usual)",)
FACTORS = {
    r"(?:{be} )?(?:double|doubles|doubled|doubling|twice as (?:much|high))": 200,
    r"(?:{be} )?(?:halve|halves|halved|halving|half as (?:much|high))": 50,
    r"(?:{be} )?(?:triple|triples|tripled|tripling)": 300,
}
"""Demand as a percentage of the forecast."""
HALF_OF = r"half(?: of)?(?: the| our| all)?(?= (?:the )?(?:demand|sales)(?!\S))"
GONE = (r"(?:disappears?|vanish(?:es)?|goes away|(?:is|are|was|were) (?:lost|gone)|falls away|breaks away)",)

SERVICE_LEVEL = (
    (
        r"(?:an? |the )?service levels?(?: (?:of|at|is|were|was|to|goes to|rises to|falls to|becomes))?(?: only)? {number}"
        r"(?: {percent})?"
    ),
    r"(?:an? )?{number} {percent} service(?: levels?)?",
)
_SHUT = r"(?:closed|closes|close|shut|shuts|frozen|unavailable|left out|excluded|blocked)"
HANDS_OFF = r"(?:we |i )?(?:keep|kept|leave|left|keeping)(?: our| my)? hands off (?P<names>[^|]+?)(?= \||$)"
ASIDES = (
    r"(?:, )?(?:and )?what (?:happens|would happen|will happen)(?: then)?(?: (?:to|with) (?:the|our|my) plan)?(?= \||$)",
    r"for (?:an? |the )?(?:stocktake|stocktaking|inventory count|refit|refurbishment|maintenance|repairs?)(?= [|,]|$)",
    r"(?:do|mean|change) (?:to|for) (?:us|me|it|the plan|our plan|things)(?= \||$)",
    r"(?:the |our |my )?plan(?= for(?!\S))",
)
"""Says nothing of what would be different."""
MAY_MOVE = (
    r"(?:(?:we|i|you) )?(?:(?:can|could|may|might|are|were|allowed|to|only) )*(?:move|ship|transfer|send)"
    r"(?= (?:only|just|at most|no more|not more|up to|max|maximum|fewer|less|under)(?!\S))"
)
CLOSED_NAMES = (
    r"(?:we )?(?:close|closing|shut|shut down|lose|losing|drop|dropping|block)(?: the)?(?: {site}| {sku})? {names}",
    rf"(?:the )?(?:(?:{{site}}|{{sku}}) )?{{names}}(?: {{be}})? (?:{_SHUT}|(?:down|out)(?! by(?!\S)| [0-9]))",
    rf"(?<={OF} )(?!(?:for|of|in|at) )(?P<names>[a-z][a-z ]{{1,60}}?)(?: {{be}})? {_SHUT}",
)
"""Sites and SKUs that are left out; the last form reads a name of plain words right after the beginning."""

WORDS = words_of(
    *WHAT_IF, *DEMAND, *UP, *DOWN, *CHANGE, *OF_FORECAST, HALF_OF, *GONE, *FACTORS, *SERVICE_LEVEL, *CLOSED_NAMES,
    HANDS_OFF, *ASIDES, MAY_MOVE, SOLD, SELLS, ALLOWED
) | late_supply.WORDS  # fmt: skip

CHANGES = (
    "closed_lanes", "without", "demand_percent", "supply_delay_days", "service_level_percent", "transport_budget",
    "lines_max", "units_max",
)  # fmt: skip


_COMPARES = (
    "I can compare closed lanes, sites or SKUs left out, more or less demand, late supply, another service level, a"
    " transport budget, or a limit on lines or units."
)


_NO_ORIGIN = Ask(
    "A what-if compares plans for SKUs, sites or categories; it knows no origin or destination. What would be different?"
)
_PLAN_HAS_MORE = Ask(
    "A what-if knows no origins, destinations or days, as the plan before has them. Please say the whole question."
)


def is_what_if(utterance: Utterance) -> bool:
    """Whether an utterance asks what would be."""
    return utterance.has(*WHAT_IF)


def what_if(utterance: Utterance, memory: Memory = NOTHING) -> Call | Ask:
    """The comparison that an utterance asks for, or a question. "It" is what the plan before was about."""
    about = _before(memory) if utterance.has(OF_THE_PLAN) else {}
    if about is None:
        return _PLAN_HAS_MORE
    utterance.take(*WHAT_IF, leave=OF)
    closed = take_closed_lanes(utterance)
    utterance.take(*ASIDES)
    utterance.take(MAY_MOVE, leave="")
    utterance.take(ALLOWED, leave="")
    utterance.rewrite(SELLS, lambda match: f"demand {match['how']} by {match['share']} {CUT}")
    utterance.rewrite(
        SOLD,
        lambda match: f"demand {'more' if match['how'].lower() == 'more' else 'less'} by {match['share']} {CUT} for",
    )
    utterance.rewrite(HANDS_OFF, _without)
    arguments = _changes_of(utterance, memory.currency)
    if isinstance(arguments, Ask):
        return arguments
    cut = late_supply.supposed_names(utterance)
    if cut.left:
        return not_understood(cut.left)
    arguments["closed_lanes"] = closed
    return _compared(cut, arguments, about)


def _compared(cut: Cut, arguments: dict[str, Any], about: dict[str, Any]) -> Call | Ask:
    """The comparison of what changes for the names that are left; `about` is what the plan before was about."""
    if cut.names[Role.FROM] or cut.names[Role.TO] or cut.names[Role.BETWEEN]:
        return _NO_ORIGIN
    arguments["without"] = [*arguments.get("without", []), *cut.names[Role.WITHOUT]]
    changes = [change for change in CHANGES if arguments.get(change) not in (None, [])]
    if not changes:
        return Ask(f"What would be different? {_COMPARES}")
    mentions, late = cut.names[Role.MENTIONS], arguments.get("supply_delay_of", [])
    if "demand_percent" in changes:
        arguments["demand_of"] = mentions
    # Where one thing changes for one name and another for another, the whole network is compared.
    apart = late and mentions != late and changes != ["supply_delay_days"]
    if about and (mentions or late):
        return Ask("Compared for what is named, or for what the plan before was about? Please say the whole question.")
    mentions = [] if apart else mentions or late or about.get("mentions", [])
    return call("what_if", about | arguments | {"mentions": mentions})


def _changes_of(utterance: Utterance, currency: str) -> dict[str, Any] | Ask:
    """What would be different, in limits, demand, supply and service; what is closed is said as left out."""
    arguments = take_limits(utterance, WHAT_IF_LIMITS, currency)
    if isinstance(arguments, Ask):
        return arguments
    for form in CLOSED_NAMES[:2]:
        utterance.rewrite(form, _without)
    for read in (_service_level, _late_supply, _demand):
        change = read(utterance)
        if isinstance(change, Ask):
            return change
        arguments |= change
    utterance.rewrite(CLOSED_NAMES[2], _without)
    return arguments


def _before(memory: Memory) -> dict[str, Any] | None:
    """What the plan before was about, as far as a what-if can say it; None when it cannot."""
    last = memory.request
    if last is None or last.tool != "propose_plan":
        return {}
    return last.arguments if last.arguments.keys() <= {"mentions", *CHANGES} - {"without", "closed_lanes"} else None


def _late_supply(utterance: Utterance) -> dict[str, Any] | Ask:
    return late_supply.late_supply(utterance, DEMAND)


def _without(match: re.Match[str]) -> str:
    return f"without {match['names']} {CUT}"


def _service_level(utterance: Utterance) -> dict[str, Any] | Ask:
    found = utterance.take(*SERVICE_LEVEL)
    if len(found) > 1:
        return Ask("Which service level? One at a time, please.")
    return {"service_level_percent": number_in(found[0]["number"])} if found else {}


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
    signs = {*directions, *(sign for match in changes if (sign := match.groupdict().get("sign")))}
    if not changes:
        return [] if is_share or not signs else [0, 0]
    percents = [
        SHARES[share.rsplit(" ", 1)[-1].lower()]
        if (share := match.groupdict().get("share"))
        else number_in(match["number"])
        for match in changes
    ]
    if len(percents) > 1 or len(signs) != 1:
        return [0, 0]
    return [100 + percents[0] if signs == {"+"} else 100 - percents[0]]
