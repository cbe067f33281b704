"""Questions that only read: imbalances, coverage, policy, and why a line is in the plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphs.baseline.fragments import CUT, OF, ORDINALS, days_in, number_in, words_of
from graphs.baseline.memory import NOTHING, Memory
from graphs.baseline.names import Cut, cut_names
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import CHATTY, Role

EXPLAIN = (r"why", r"(?:explain|justify)", r"(?:what (?:is|was) )?the reasons?(?: for| of| behind)?")
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
NOT_SERVED_ROUND = rf"(?:does|do|did|is|are|can|could|will|would|may|should) (?:not|no) (?P<what>[^|{{of}}]+?) (?:be )?(?:have|{_SERVED}){_SOME}"
"""The same round a name: "does not S1 get"."""
UNITS_WANTED = (
    r"{number} (?:{units}(?: of)?|of)",
    r"(?<= have ){number}(?= [^|{of}])",
    r"(?<= get ){number}(?= [^|{of}])",
)
BLOCKED = (
    r"what (?:is|was) (?:stopping|keeping|preventing|blocking|hindering)(?: us| me| you)? from (?:sending|moving|shipping|getting|bringing)",
    r"what (?:stops|keeps|prevents|blocks)(?: us| me| you)? from (?:sending|moving|shipping|getting|bringing)",
    r"what would (?:it take|we need|have to change|be needed|be necessary) to (?:get|send|bring|move|ship)",
)
"""Asks what stands in the way, with other words than why."""
DAYS_WANTED = r"(?:within|in) {span}"

IMBALANCE_KINDS = {
    "shortage": (
        (
            r"(?:(?:run |runs |running )?out of stock|stock outs?|stockouts?|sold out|running low|run low|runs low|running out|running short|run short"
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
    ),
    "stranded": (
        r"(?:slow movers?|slow moving|non movers?|obsolete)(?: stock| inventory)?",
        r"(?:stranded|dead|stuck|unsellable|without demand|nobody asks for)(?: stock| inventory)?",
    ),
}
NAME_FIRST = r"^(?:{of} )?(?:when |where |why )?(?:is|are|does|do|will) (?P<what>[^|{of}]+?) {of}"
"""A question such as "is oat drink short": the name stands before the kind."""

IMBALANCES = (
    r"(?:out of balance|off balance|in balance|imbalances?|imbalanced|unbalanced|balanced|problems?|trouble|wrong)",
    r"(?:needs? )?(?:my |our )?(?:attention|action)",
)
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
    *EXPLAIN, *LINE, *THE_PLAN, *NOT_SERVED, NOT_SERVED_ROUND, *UNITS_WANTED, DAYS_WANTED, *BLOCKED, *_KIND_FORMS, *IMBALANCES,
    *ROWS, *COVERAGE, *POLICY, *POLICY_ASIDES
)  # fmt: skip


def is_explanation(utterance: Utterance) -> bool:
    """Whether an utterance asks why."""
    return utterance.has(*EXPLAIN, *BLOCKED) and not utterance.has(*POLICY)


def explanation(utterance: Utterance) -> Call | Ask:
    """The line to explain; none means the most valuable one. Or why something is short, or in excess."""
    lines = utterance.take(*LINE)
    if not lines and utterance.has(*BLOCKED, *NOT_SERVED, NOT_SERVED_ROUND, *IMBALANCE_KINDS["shortage"], RUNS_OUT):
        return _not_served(utterance)
    if not lines and utterance.has(*_KIND_FORMS):
        utterance.take(*EXPLAIN, leave="")
        utterance.take(*_KIND_FORMS, leave=OF)
        return _coverage(utterance, {})
    utterance.take(*EXPLAIN)
    utterance.take(*THE_PLAN)
    utterance.take(
        r"(?:suggest|propose|recommend|choose|choos|mov|send|do)(?:ing|ed|s|e)?", r"(?:chosen|sent|moved|done)"
    )
    left = _left(utterance)
    if len(lines) > 1:
        return Ask("One line at a time, please. Which one first?")
    if left:
        return Ask(
            f"I did not understand: {' '.join(left)}. I can explain a line of the current plan by its number,"
            " or the most valuable one: just ask why."
        )
    if not lines:
        return call("explain_line", {})
    match = lines[0].groupdict()
    ordinal = match.get("ordinal")
    return call("explain_line", {"line_no": ORDINALS[ordinal.lower()] if ordinal else number_in(match["number"])})


def _not_served(utterance: Utterance) -> Call | Ask:
    """What keeps a site from getting a SKU."""
    utterance.take(*EXPLAIN, leave="")
    utterance.take(*BLOCKED, leave=OF)
    units = utterance.take(*UNITS_WANTED, leave=OF)
    spans = utterance.take(DAYS_WANTED)
    utterance.rewrite(NOT_SERVED_ROUND, lambda match: f"{OF} {match['what']} {OF}")
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
    return call("find_imbalances", {"kinds": kinds, "mentions": mentions, **limit_of(rows)})


def is_coverage_question(utterance: Utterance) -> bool:
    """Whether an utterance asks about stock and how long it lasts."""
    return utterance.has(*COVERAGE)


def coverage_question(utterance: Utterance) -> Call | Ask:
    """Stock and cover of what is named."""
    runs_out = utterance.has(RUNS_OUT)
    utterance.take(*COVERAGE, leave=OF)
    limit = limit_of(utterance.take(*ROWS, leave=OF))
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
