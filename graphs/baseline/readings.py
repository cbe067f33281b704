"""Questions that only read: imbalances, coverage, policy, and why a line is in the plan."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from graphs.baseline.clauses import own_money
from graphs.baseline.fragments import CUT, MONEY, OF, ORDINALS, days_in, number_in, words_of
from graphs.baseline.memory import NOTHING, Memory
from graphs.baseline.names import Cut, cut_names
from graphs.baseline.understood import PLAN_ID, Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import CHATTY, Role

WITHOUT_LINE = (
    (
        r"(?:(?:what (?:is|would be|are) )?(?:the |any )*risks?|what happens) (?:if (?:we|i) (?:(?:do not|skip|drop|leave out|left out)(?: (?:do|make|run))?)"
        r"|of (?:skipping|dropping|not (?:doing|making))|without)(?= (?:the )?(?:line|transfer|first|second|third|fourth|fifth|[0-9]))"
    ),
)
"""Asks what a line is good for by asking what would be without it."""
EXPLAIN = (
    r"why",
    r"(?:explain|justify)",
    r"(?:what (?:is|was) )?the reasons?(?: for| of| behind)?",
    *WITHOUT_LINE,
    r"what is (?:that|this|it)(?: line)? (?:about|for)",
)
LINE = (
    r"(?:the )?(?:transfer line|line|transfer)(?: no| number)? {number}",
    r"(?:the )?(?P<number>[0-9]{1,6})(?:st|nd|rd|th) (?:line|transfer)",
    r"(?:the )?(?P<ordinal>first|second|third|fourth|fifth) (?:line|transfer)",
)
THE_PLAN = (
    (
        r"(?:in |for |of )?(?:the |this |that |a |my |our )?(?:current |whole |best |most valuable )?"
        r"(?:plan|line|transfer|proposal)"
    ),
)

_SERVED = r"(?:get|gets|getting|receive|receives|receiving|given|sent|served|supplied|helped)"
_SOME = r"(?: any| enough| more| stock| units)*(?: of)?"
NOT_SERVED = (
    rf"(?:(?:can|could|will|would|may) )?not (?:be )?{_SERVED}{_SOME}",
    rf"(?:only )?{_SERVED}(?: only)?(?: so| too| very)? (?:no|nothing|none|little|few|less){_SOME}",
    rf"(?:(?:is|are|does) )?nothing (?:sent|go|goes|going|moved|coming|planned){_SOME}",
    r"(?:nothing|no (?:transfers?|lines?|stock|units|supply))(?: planned| coming| going| sent| moved)? (?:for|to|at|in)",
    rf"(?:is |are )?there no (?:transfers?|lines?|stock|units|supply){_SOME}(?: for)?",
)
"""That a site does not get what it wants."""
_CAN = "(?:does|do|did|is|are|can|could|will|would|may|should)"
NOT_SERVED_ROUND = (
    rf"{_CAN} (?:(?:not|no) (?P<what>[^|{{of}}]+?)|(?P<who>[^|{{of}} ]+) not) (?:be )?(?:have|{_SERVED}){_SOME}"
)
"""The same round a name: "does not S1 get"."""
UNITS_WANTED = (
    r"{number} (?:{units}(?: of)?|of)",
    r"(?<= have ){number}(?= [^|{of}])",
    r"(?<= get ){number}(?= [^|{of}])",
    r"(?<={of} ){number}(?= (?!(?:of|%|percent|days?|weeks?|lines?)(?!\S))[^|{of}])",
)
BLOCKED = (
    r"what (?:is|was) (?:stopping|keeping|preventing|blocking|hindering)(?: us| me| you)? from (?:sending|moving|shipping|getting|bringing)",
    r"what (?:stops|keeps|prevents|blocks)(?: us| me| you)? from (?:sending|moving|shipping|getting|bringing)",
    r"what (?:is )?(?:stopping|stops|preventing|prevents|blocking|blocks) (?:it|that|this)",
    r"what would (?:it take|we need|have to change|be needed|be necessary) to (?:get|send|bring|move|ship)",
)
"""Asks what stands in the way, with other words than why."""
DAYS_WANTED = r"(?:within|in) {span}"

IMBALANCE_KINDS = {
    "shortage": (
        (
            r"(?:(?:run |runs |running )?out of stock|stock outs?|stockouts?|sold out|running low|run low|runs low|running out|running short|run short|too few"
            r"|runs short|too little|not enough|about to run out)(?: stock)?(?: of| on)?"
        ),
        r"(?:short of|short on|short|shortages?|shortfalls?|gaps?|understocked|under stocked|understock|lacking|lacks?|missing)",
        r"needs? (?:more |new )?(?:stock|inventory|goods|replenishment|replenishing|restocking)(?: of)?",
        r"(?<=what )runs out",
    ),
    "surplus": (
        (
            r"(?:surplus|surpluses|excess|excesses|overstock|overstocks|overstocked|over stocked|over stock|too much"
            r"|too many|over|superfluous)(?: stock| inventory| units)?"
        ),
    ),
    "expiring": (
        r"(?:about|close|near|going) to (?:expire|expiry|spoil)",
        r"(?:expire|expires|expiring|expiry|expiries|spoil|spoils|spoiling|perish|perishing|go off|goes off|going off)",
        r"(?:out of date|best before|shelf life)",
        r"(?:about to |going to )?(?:go|goes|going|be|is) (?:past|beyond|over) (?:(?:its|their|the) )?(?:(?:sell by|use by|best before|expiry) )?dates?",
        r"(?:(?:we |i )?(?:will|would|going to|have to|has to|need to|to)(?: have to)?) (?:bin|throw away|throw out|write off|scrap|waste|go to waste)(?= (?:\||$)|$| soon| next| at| in)",
    ),
    "stranded": (
        r"(?:slow movers?|slow moving|non movers?|obsolete)(?: stock| inventory)?",
        r"(?:stranded|dead|stuck|unsellable|without demand|nobody asks for)(?: stock| inventory)?",
    ),
}
NAME_FIRST = r"^(?:{of} )?(?:when |where |why )?(?:is|are|does|do|will|any) (?P<what>[^|{of}]+?) {of}"
"""A question such as "is oat drink short": the name stands before the kind."""

IMBALANCES = (
    r"(?:out of (?:balance|whack|kilter|line)|off balance|in balance|imbalances?|imbalanced|unbalanced|balanced|problems?|trouble|wrong)",
    r"(?:needs? )?(?:my |our )?(?:attention|action)",
)
RANKS = {
    "units": (
        r"(?:in|by|most|with most)(?: the)?(?: most)? (?:units|quantity|pieces)(?: first)?",
        r"most units(?: first)?",
    ),
    "days_of_cover": (
        (
            r"(?:by (?:the )?(?:shortest |lowest |least )?(?:days? of )?(?:cover|coverage)|(?:the )?(?:shortest|lowest|least)"
            r" (?:days? of )?(?:cover|coverage))(?: first)?"
        ),
    ),
    "at_stake": (
        r"(?:in|by) (?:money|value|cost)(?: at stake)?(?: first)?",
        r"(?:most )?(?:costly|costliest|expensive) first",
    ),
}
"""What comes first in the answer."""
COVER_MOST = (
    r"(?:at most|no more than|not more than|up to|max) {span}(?: of (?:cover|coverage|stock|supply))?",
    r"(?P<less>(?:less|fewer) than|under|below) {span}(?: of (?:cover|coverage|stock|supply))?",
)
"""Only what lasts so long."""
MONEY_MIN = (
    (
        r"(?:that (?:is|are) |which (?:is|are) )?(?:worth |with )?(?:(?P<more>more than|over|above|>)|at least|from) {number} "
        rf"{MONEY}(?: at stake| and more)?"
    ),
    r"(?:worth|with) (?:(?P<more>more than|over|above|>)|at least) {number}(?: at stake)?",
)
"""Only what costs so much."""
ROWS = (
    r"(?:the )?(?:top|first|worst|biggest|largest|costliest) {number}",
    r"(?:the )?{number} (?:worst|biggest|largest|costliest|most expensive)",
    r"(?:at most|max|up to|only|limit) {number}(?: rows?| results?)?",
    r"{number}(?: {of}| rows| results)",
)
"""How many rows a question asks for; the last form stands before a word that was already understood."""

RUNS_OUT = r"(?:run|runs|running) out(?: of)?(?: stock)?"
COVERAGE = (
    r"(?:days?|weeks?) of (?:cover|coverage|stock|supply)",
    r"(?:stock |demand )?(?:coverage|cover)",
    RUNS_OUT,
    r"(?:stock|inventory)(?: levels?| positions?| on hand)?",
    r"(?:on hand|in stock|on stock|available|availability|left)",
    r"(?:levels?|targets?|safety stock|demand|order up to level|forecast)",
    r"how (?:much|many|long)(?: {units} of| {units}| days)?",
    r"(?:last|lasts|doing|enough|looking)",
    r"(?:do|did) (?:we|i|you) (?:still )?have(?: any| some)?",
)

POLICY = (
    r"(?:polic(?:y|ies)|governance)",
    r"who (?:has to|have to|must|needs to|can|may|should|is allowed to) (?:sign off|sign|approve|decide|release)[^|]*",
    r"who (?:signs off|signs|approves|decides)[^|]*",
    r"approval (?:rules?|limits?|thresholds?|levels?)",
    r"(?:the |our |what )?(?:rules?|limits)",
    r"(?:allowed|permitted|forbidden)",
    r"(?:approval )?tiers?",
    r"kill switch",
)
QUESTION = r"^(?:and |so )?(?:what|which|show|tell|remind|is|are|am|does|do|how|where|who|explain|give|the|our|can|may|please)(?!\S)"
"""How a question about policy begins; a command that mentions a rule is still a command."""
POLICY_ASIDES = (
    r"(?:about|on|regarding|concerning|for|to) [^|]+",
    r"(?:remind|reminder)(?: me| us)?(?: of| about)?",
    r"(?:say|says|said|state|states|in force|current|engaged|apply|applies|on|off|valid|demand|demands|move|transfer|explain)",
)
"""Passed over: the answer is the whole policy, whatever part of it was asked about."""

_WHO_IS_SHORT = Ask("Why is what short? Name a SKU, a site or both.")
_OF_WHAT = Ask("Coverage of what? Name a SKU, a site or a category.")
NOT_ALL_EXCEPT = Ask("I can look at SKUs, sites and categories that you name, but not at all except some. Which ones?")
_KIND_FORMS = [form for forms in IMBALANCE_KINDS.values() for form in forms]
WORDS = words_of(
    *EXPLAIN, *LINE, *THE_PLAN, *(form for forms in RANKS.values() for form in forms), *COVER_MOST, *MONEY_MIN, *NOT_SERVED, NOT_SERVED_ROUND, *UNITS_WANTED, DAYS_WANTED, *BLOCKED, *_KIND_FORMS, *IMBALANCES,
    *ROWS, *COVERAGE, *POLICY, *POLICY_ASIDES
)  # fmt: skip


def is_explanation(utterance: Utterance) -> bool:
    """Whether an utterance asks why."""
    return utterance.has(*EXPLAIN, *BLOCKED) and not utterance.has(*POLICY)


def explanation(utterance: Utterance, memory: Memory = NOTHING) -> Call | Ask:
    """The line to explain; none means the most valuable one. Or why something is short, or in excess."""
    without_line = bool(utterance.take(*WITHOUT_LINE, leave="why"))
    plans = [
        utterance.name(match["plan"]).lower() for match in utterance.take(r"(?:of |in |from )?plan (?P<plan>{name})")
    ]
    if len(plans) > 1 or not all(PLAN_ID.fullmatch(plan) for plan in plans):
        return Ask("Which plan? Name it by the first characters of its id.")
    lines = utterance.take(*LINE)
    if not lines and utterance.has(*BLOCKED, *NOT_SERVED, NOT_SERVED_ROUND, *IMBALANCE_KINDS["shortage"], RUNS_OUT):
        return _not_served(utterance, memory)
    if not lines and utterance.has(*_KIND_FORMS):
        utterance.take(*EXPLAIN, leave="")
        utterance.take(*_KIND_FORMS, leave=OF)
        return _coverage(utterance, {})
    return _line(utterance, lines, {"plan": plans[0]} if plans else {}, is_optional=not without_line)


def _line(utterance: Utterance, lines: list[re.Match[str]], plan: dict[str, str], *, is_optional: bool) -> Call | Ask:
    """The line of a plan that was named; the most valuable one where none need be."""
    utterance.take(*EXPLAIN)
    utterance.take(*THE_PLAN)
    utterance.take(
        r"(?:suggest|propose|recommend|choose|choos|mov|send|do)(?:ing|ed|s|e)?", r"(?:chosen|sent|moved|done)"
    )
    left = _left(utterance)
    if len(lines) > 1 or not (lines or is_optional):
        return Ask("One line at a time, please, by its number. Which one?")
    if left:
        return Ask(
            f"I did not understand: {' '.join(left)}. I can explain a line of the current plan by its number,"
            " or the most valuable one: just ask why."
        )
    if not lines:
        return call("explain_line", plan)
    match = lines[0].groupdict()
    ordinal = match.get("ordinal")
    line_no = ORDINALS[ordinal.lower()] if ordinal else number_in(match["number"])
    return call("explain_line", {"line_no": line_no, **plan})


def _not_served(utterance: Utterance, memory: Memory) -> Call | Ask:
    """What keeps a site from getting a SKU. "Any" and "it" are what the plan before was about, where that is one thing."""
    refers_back = utterance.has(r"(?:any|some|enough|it|them)(?= (?:\||$)|$)")
    utterance.take(*EXPLAIN, leave="")
    utterance.take(*BLOCKED, leave=OF)
    units = utterance.take(*UNITS_WANTED, leave=OF)
    spans = utterance.take(DAYS_WANTED)
    utterance.rewrite(NOT_SERVED_ROUND, lambda match: f"{OF} {match['what'] or match['who']} {OF}")
    utterance.take(*NOT_SERVED, *IMBALANCE_KINDS["shortage"], RUNS_OUT, leave=OF)
    utterance.rewrite(NAME_FIRST, lambda match: f"{OF} {match['what']} {OF}")
    cut = cut_names(utterance, CHATTY, strict=False)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.WITHOUT]:
        return NOT_ALL_EXCEPT
    mentions = named(cut)
    if not mentions:
        return _WHO_IS_SHORT
    if refers_back and len(mentions) == 1 and memory.request is not None and memory.request.tool == "propose_plan":
        about = memory.request.arguments.get("mentions", [])
        mentions = [*about, *mentions] if len(about) == 1 and about != mentions else mentions
    if len(units) > 1 or len(spans) > 1:
        return Ask("One number of units and one number of days, please. Which?")
    wanted = {"units_wanted": number_in(units[0]["number"])} if units else {}
    within = {"within_days": days_in(spans[0]["span"])} if spans else {}
    return call("explain_blocked", {"mentions": mentions, **wanted, **within})


def is_policy_question(utterance: Utterance) -> bool:
    """Whether an utterance asks what is allowed."""
    return utterance.has(*POLICY) and (utterance.has(QUESTION) or utterance.is_only(*POLICY))


def policy_question(utterance: Utterance) -> Call | Ask:
    """The whole policy, whatever part of it was asked about."""
    utterance.take(*POLICY)
    utterance.take(*POLICY_ASIDES)
    left = _left(utterance)
    return not_understood(left) if left else call("policy", {})


def is_imbalance_question(utterance: Utterance) -> bool:
    """Whether an utterance asks what is wrong with the stock."""
    return utterance.has(*IMBALANCES, *_KIND_FORMS)


def imbalance_question(utterance: Utterance, memory: Memory = NOTHING) -> Call | Ask:
    """Imbalances of the kinds, SKUs, sites and categories named; without any, all of them.

    "And surpluses?" after a question about something is about that too.
    """
    goes_on = utterance.has(r"^(?:and|also|what about|how about|and what about)")
    at_stake = _money_min(utterance, memory.currency)
    if isinstance(at_stake, Ask):
        return at_stake
    ranks = [rank for rank, forms in RANKS.items() if utterance.take(*forms, leave=OF)]
    if len(ranks) > 1:
        return Ask("Which first: the most money, the most units, or the shortest cover?")
    kinds = [kind for kind, forms in IMBALANCE_KINDS.items() if utterance.take(*forms, leave=OF)]
    utterance.take(*IMBALANCES, leave=OF)
    utterance.take(*COVERAGE[3:4], leave=OF)
    rows = utterance.take(*ROWS, leave=OF)
    utterance.rewrite(NAME_FIRST, lambda match: f"{OF} {match['what']} {OF}")
    cut = cut_names(utterance, CHATTY, strict=False)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.WITHOUT]:
        return NOT_ALL_EXCEPT
    mentions = named(cut)
    if (
        goes_on
        and not mentions
        and memory.request is not None
        and memory.request.tool in ("find_imbalances", "coverage")
    ):
        mentions = memory.request.arguments.get("mentions", [])
    ranked = {"rank_by": ranks[0]} if ranks and ranks[0] != "at_stake" else {}
    return call("find_imbalances", {"kinds": kinds, "mentions": mentions, **at_stake, **ranked, **limit_of(rows)})


def _money_min(utterance: Utterance, currency: str) -> dict[str, Any] | Ask:
    """The least money at stake, in whole units of the network's own currency."""
    if foreign := own_money(utterance, currency):
        return foreign
    found = {number_in(match["number"]) + bool(match["more"]) for match in utterance.take(*MONEY_MIN, leave="")}
    if len(found) > 1:
        return Ask("At least how much money at stake? One amount, please.")
    return {"at_stake_min": found.pop()} if found else {}


def is_coverage_question(utterance: Utterance) -> bool:
    """Whether an utterance asks about stock and how long it lasts."""
    return utterance.has(*COVERAGE)


def coverage_question(utterance: Utterance) -> Call | Ask:
    """Stock and cover of what is named."""
    runs_out = utterance.has(RUNS_OUT)
    most = [days_in(match["span"]) - ("less" in match.groupdict()) for match in utterance.take(*COVER_MOST)]
    if len(set(most)) > 1:
        return Ask("Cover of at most how many days? One number, please.")
    utterance.take(*COVERAGE, leave=OF)
    limit: dict[str, int] = {"days_of_cover_max": most[0]} if most else {}
    limit |= limit_of(utterance.take(*ROWS, leave=OF))
    found = _coverage(utterance, limit)
    return call("find_imbalances", {"kinds": ["shortage"], **limit}) if found == _OF_WHAT and runs_out else found


def _coverage(utterance: Utterance, limit: dict[str, int]) -> Call | Ask:
    """Coverage of the names that are left."""
    utterance.rewrite(NAME_FIRST, lambda match: f"{OF} {match['what']} {OF}")
    cut = cut_names(utterance, CHATTY, strict=False)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.WITHOUT]:
        return NOT_ALL_EXCEPT
    mentions = named(cut)
    if not mentions:
        return _OF_WHAT
    return call("coverage", {"mentions": mentions, **limit})


def named(cut: Cut) -> list[str]:
    """Every name of a question, whatever preposition it came with: a question has no origins and destinations."""
    roles = (Role.MENTIONS, Role.FROM, Role.TO, Role.BETWEEN)
    return list(dict.fromkeys(name for role in roles for name in cut.names[role]))


def limit_of(rows: Iterable[Any]) -> dict[str, int]:
    """How many rows were asked for, if one number was."""
    numbers = {number_in(match["number"]) for match in rows}
    return {"limit": numbers.pop()} if len(numbers) == 1 else {}


def _left(utterance: Utterance) -> list[str]:
    """What is left that is neither chat nor the end of a sentence."""
    tokens = utterance.rest.split()
    return [utterance.spoken([token]) for token in tokens if token.lower() not in CHATTY | {CUT, OF}]
