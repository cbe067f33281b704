"""Questions that only read: imbalances, coverage, policy, and why a line is in the plan."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from graphs.baseline.clauses import DAY, own_money
from graphs.baseline.fragments import CUT, OF, ORDINALS, days_in, number_in, words_of
from graphs.baseline.kinds import (
    COVER_MOST,
    IMBALANCE_KINDS,
    IMBALANCES,
    MONEY_MIN,
    NAME_FIRST,
    NOTHING_DONE,
    RANKS,
    ROWS,
    SHOWN_ONLY,
    SOON,
)
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
    r"(?:why|how come|why on earth)",
    r"for what reason",
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
SUBJECT_FIRST = r"^(?P<what>(?!(?:is|are|does|do|did|can|could|will|would|am|has|have|not)(?!\S))[^|{of}]+?) (?P<verb>is|are|has|have|gets?|runs?)(?: (?:still|so|always|again|constantly|forever|always))+"
"""What asks why without turning the sentence round: "how come S1 is still short"."""
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
    r"(?:are|is) (?:we|it|there|they)(?: all)? (?:ok|okay|good|fine|covered|all right|safe|set|well stocked) (?:for|on|with)",
    r"(?:do|did) (?:we|i|you) (?:still )?have(?: any| some)?",
)
LASTS = r"(?:last|lasts|enough|do|hold out|see us|make it|get us)"
UNTIL = rf"(?:for|until|till|through|to|up to|into|over)(?: (?:the|this|next|coming))* {DAY}"
"""How long stock is hoped to last; the answer says how long it does."""

POLICY = (
    r"(?:polic(?:y|ies)|governance)",
    r"who (?:has to|have to|must|needs to|can|may|should|is allowed to) (?:sign off|sign|approve|decide|release)[^|]*",
    r"who (?:signs off|signs|approves|decides)[^|]*",
    r"approval (?:rules?|limits?|thresholds?|levels?)",
    r"(?:the |our |what )?(?:rules?|limits)",
    r"(?:allowed|permitted|forbidden)",
    r"(?:approval )?tiers?",
    r"(?:approval (?:matrix|process|chain|flow)|four eyes|4 eyes|sign off (?:rules?|limits?|levels?|process))",
    r"(?:does|do|did) (?:this|that|it|the plan|my plan|i|we) (?:really )?need(?: an?| any| to get| somebody to| someone to)? (?:approval|sign off|signature|approve)[^|]*",
    r"how (?:many|much) (?:approvers|approvals|signatures|can (?:i|we) (?:approve|spend|move) (?:myself|ourselves|on my own|without)[^|]*)[^|]*",
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
    *EXPLAIN, *LINE, *THE_PLAN, *(form for forms in RANKS.values() for form in forms), *COVER_MOST, *MONEY_MIN, *NOT_SERVED, NOT_SERVED_ROUND, *UNITS_WANTED, DAYS_WANTED, *BLOCKED, *_KIND_FORMS, *IMBALANCES, *NOTHING_DONE,
    *ROWS, SHOWN_ONLY, SOON, SUBJECT_FIRST, UNTIL, *COVERAGE, *POLICY, *POLICY_ASIDES
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
        r"(?:suggest|propose|recommend|choose|choos|pick|prefer|select|mov|send|do)(?:ing|ed|s|e)?",
        r"(?:chosen|sent|moved|done)",
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
    utterance.rewrite(SUBJECT_FIRST, lambda match: f"{OF} {match['what']} {match['verb']}")
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
    utterance.rewrite(SHOWN_ONLY, lambda _: "show")
    at_stake = _money_min(utterance, memory.currency)
    if isinstance(at_stake, Ask):
        return at_stake
    ranks = [rank for rank, forms in RANKS.items() if utterance.take(*forms, leave=OF)]
    if len(ranks) > 1:
        return Ask("Which first: the most money, the most units, or the shortest cover?")
    kinds = [kind for kind, forms in IMBALANCE_KINDS.items() if utterance.take(*forms, leave=OF)]
    utterance.take(*NOTHING_DONE, *IMBALANCES, SOON, leave=OF)
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
    if utterance.has(LASTS):
        utterance.take(UNTIL)
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
