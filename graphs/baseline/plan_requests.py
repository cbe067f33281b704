"""Plan requests: rebalance, move, restock, with limits, exclusions and "and submit".

A request is never wider than what was said: every word has to be understood, and the
whole network is meant only by words that say so, or by a bare "rebalance".
"""

from __future__ import annotations

from typing import Any

from graphs.baseline.clauses import AND, PLAN_LIMITS, take_closed_lanes, take_limits
from graphs.baseline.fragments import CUT, OF, number_in, words_of
from graphs.baseline.names import Cut, cut_names
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import POLITE, Role

_MAKE = r"(?:make|propose|create|draft|compute|calculate|suggest|prepare|build|find|work out|give me|show me|i want|i need|we need)"
_PLAN = r"(?: me| us)?(?: an?| another)?(?: new| good| better)?(?: transfer)? (?:plans?|transfers?|proposal)"

HEAD = (
    rf"{_MAKE}{_PLAN} to(?= (?:rebalance|balance|move|transfer|ship|send|restock|replenish|fix|clear|cover)(?!\S))",
    (
        r"(?:(?:i|we) (?:want|need|wish|would like|like)(?: you)? to|help (?:me|us)(?: to)?|try to|let us|let me"
        r"|go ahead and|you should|is it possible to)"
    ),
)
"""Beginnings that say nothing."""

REBALANCE = (
    rf"(?:{_MAKE}|do|run|start|plan)(?: me| us)?(?: an?| the)?(?: new)? (?:rebalancing plan|rebalance|rebalancing)",
    r"(?:rebalance|balance|level out|even out|equalise|equalize|redistribute|optimise|optimize|rebalancing)(?: out)?",
)
"""Means the whole network when nothing else is said."""

MOVE = (
    r"what (?:should|could|can|do) (?:we|i) (?:move|transfer|ship|send)",
    rf"{_MAKE}{_PLAN}",
    r"plan(?: the| some)? (?:transfers|moves)",
    r"plan(?= for(?!\S)| {name})",
    r"(?<!my )(?<!our )(?:move|transfer|ship|shift|relocate|reallocate|send|bring)(?! orders?(?!\S))",
)
"""Wants to be told what to move."""

HOW_MANY = (
    r"how (?:many|much)(?: (?:{units}|stock))?(?: of)? (?P<what>[^|]+?) (?:should|can|could|must|do) (?:we|i|you)"
    r" (?P<verb>move|transfer|ship|send|bring)"
)
"""Asks for what a plan says; the name stands before the verb."""

MOVE_UNITS = (r"(?:move|transfer|ship|shift|relocate|reallocate|send|bring) {number}(?: {units}(?: of)?|(?= {name}))",)
"""A quantity named as if the caller chose it: it is the most, and the solver says how much is worth moving."""

RESTOCK = (r"(?:restock|replenish|refill|top up|resupply)",)
"""Names a destination; after `with` comes what to bring."""

RESTOCK_AT = r"restock (?P<what>[^|]+?) (?:at|in) (?P<where>[^|]+)"

EMERGENCY = (
    r"(?:, )?(?:(?:because |since |as )?(?:this|it|that) is|as|in|for) an emergency(?: rescue)?",
    (
        r"emergency(?= (?:\||,|transfers?|plans?|moves?|proposals?|rebalance|rebalancing|restock|replenish|refill"
        r"|resupply|rescues?)(?!\S))"
    ),
)
"""Asks for a rescue at the donors' expense; whether there may be one is for the policy to say."""

RESCUE = (r"(?:(?:make|propose|plan|start) )?(?:an? |the )?rescues?",)
"""Names a destination, as a restock does, and is an emergency by itself."""

RESCUE_OF = r"restock (?P<role>of|for|at|in|to)"
RESCUE_FROM = r"restock(?= {name} (?:from|to)(?!\S)|$)"

COVER_SHORTAGES = (
    (
        r"(?:fix|solve|resolve|cover|cure|remove)(?: the| all| all the)?"
        r" (?:shortages?|stock outs?|stockouts?|gaps?|shortfalls?)"
    ),
)
CLEAR_SURPLUS = (
    r"(?:fix|solve|resolve|clear|reduce|remove|use up)(?: the| all| all the)? (?:surplus|surpluses|excess|overstock)",
)
"""What a site is short of comes to it; what it has too much of leaves it."""

SURPLUS = (r"(?:the |any |all )?(?:surplus|excess)(?: stock| inventory)?(?: of)?",)
"""As the object of a move this says nothing new: a plan moves only what its donor can spare."""

_IN = r"(?:(?:from|to|at|in|of|for|on|across|over|into|between|throughout) )?"
EVERYTHING = (
    rf"{_IN}(?:everything|everywhere)",
    rf"{_IN}(?:the )?(?:whole|entire|full|complete) (?:network|chain|company|range|assortment|stock|inventory)",
    (
        rf"{_IN}(?:all|every|any)(?: of)?(?: the| our| my)?"
        r" (?:skus?|products?|items?|sites?|locations?|categories|category|stock|inventory)"
    ),
    rf"{_IN}(?:the |our |my )?network",
    r"all(?: of)?",
)
"""Says that the whole network is meant, as far as nothing else narrows it."""

NOT_YET = (
    (
        r"(?:, )?(?:(?:and|but) )?(?:do not|without|not|never) (?:submit|submitting)(?: it| that| the plan)?(?: yet)?"
        r"(?: for approval| to the approvers?)?"
    ),
)
AND_SUBMIT = (
    (
        r"(?:, )?(?:and )?(?:then )?(?:also )?submit(?: it| that| this| them| the plan)?"
        r"(?: for approval| for a decision| to the approvers?)?"
    ),
    (
        r"(?:, )?(?:and )?(?:then )?(?:also )?send (?:it |that |this |them |the plan )?"
        r"(?:for approval|to the approvers?|for a decision)"
    ),
)
POSITIVE_LANE = r"(?:on |via |over |along )?(?:the )?(?:lane |route )?(?:from )?(?P<one>{name}) -> (?P<other>{name})"

COMMANDS = (*REBALANCE, *MOVE, *RESTOCK, *RESCUE, *COVER_SHORTAGES, *CLEAR_SURPLUS)
WORDS = words_of(
    *HEAD,
    *COMMANDS,
    HOW_MANY,
    *MOVE_UNITS,
    *SURPLUS,
    *EVERYTHING,
    RESTOCK_AT,
    *EMERGENCY,
    *NOT_YET,
    *AND_SUBMIT,
    POSITIVE_LANE,
    AND,
)

_WHAT = 'Name a SKU, a site or a category, or say "everything".'


def is_plan_request(utterance: Utterance) -> bool:
    """Whether some word asks for a plan."""
    return utterance.has(*COMMANDS)


def plan_request(utterance: Utterance) -> Call | Ask:
    """The plan request that an utterance makes, or a question."""
    submits_first = utterance.has(*(f"^(?:{form})" for form in AND_SUBMIT))
    closed = take_closed_lanes(utterance)
    arguments = take_limits(utterance, PLAN_LIMITS)
    if isinstance(arguments, Ask):
        return arguments
    stays, submits = utterance.take(*NOT_YET), utterance.take(*AND_SUBMIT)
    if stays and submits:
        return Ask("Do you want the plan to be submitted or not?")
    utterance.take(*HEAD, r"for (?:me|us)", r"some(?: of)?(?= {name})", leave="")
    if _take_emergency(utterance):
        arguments["emergency_rescue"] = True
    utterance.rewrite(HOW_MANY, lambda match: f"{match['verb']} {OF} {match['what']}")
    quantities = [number_in(match["number"]) for match in utterance.take(*MOVE_UNITS, leave=f"move {OF}")]
    utterance.rewrite(POSITIVE_LANE, lambda match: f"from {match['one']} to {match['other']}")
    commands, bare_is_whole = _take_command(utterance)
    whole = bool(utterance.take(*EVERYTHING, leave=OF)) or bare_is_whole
    utterance.rewrite(r"restock {of}", lambda _: OF)
    cut = cut_names(utterance, POLITE, strict=True)
    if cut.left:
        return not_understood(cut.left)
    if cut.pairs or commands != 1 or len(quantities) > 1 or submits_first:
        return Ask('That is more than one request. Please ask for one plan at a time, and say "submit" after that.')
    if quantities and not (cut.names[Role.MENTIONS] or whole):
        return Ask(f"Units of what? {_WHAT}")
    if quantities:
        arguments["units_max"] = min(quantities[0], arguments.get("units_max", quantities[0]))
    return _request(cut, arguments | {"closed_lanes": closed}, whole=whole, submits=bool(submits))


def _take_emergency(utterance: Utterance) -> bool:
    """Take out that it is an emergency; a rescue is said as the restock that it is."""
    said = bool(utterance.take(*EMERGENCY, leave=""))
    if not utterance.take(*RESCUE, leave="restock"):
        return said
    # "Rescue of P1 at S2" names the SKU first, "rescue for S2" the site.
    utterance.rewrite(RESCUE_OF, lambda match: f"move {OF}" if match["role"].lower() == "of" else f"move {OF} {CUT} to")
    utterance.rewrite(RESCUE_FROM, lambda _: f"move {OF}")
    utterance.rewrite(r"(?<={of} {name} )(?:at|in|for)", lambda _: "to")
    return True


def _take_command(utterance: Utterance) -> tuple[int, bool]:
    """Put in place of the command what it means for the names after it.

    Returns how many commands there were, and whether the command alone means the whole network.
    """
    start = f"{CUT} {OF}"
    if found := utterance.take(*COVER_SHORTAGES, leave=start):
        utterance.rewrite(r"(?:at|in)", lambda _: "to")
    elif found := utterance.take(*CLEAR_SURPLUS, leave=start):
        utterance.rewrite(r"(?:at|in)", lambda _: "from")
    elif found := utterance.take(*RESTOCK, leave=f"{CUT} restock"):
        utterance.rewrite(RESTOCK_AT, lambda match: f"{OF} {match['what']} to {match['where']}")
    else:
        rebalances = utterance.take(*REBALANCE, leave=start)
        found = rebalances or utterance.take(*MOVE, leave=start)
        surplus = utterance.take(*SURPLUS, leave=OF)
        if surplus:
            utterance.rewrite(r"(?:at|in)", lambda _: "from")
        return len(found), bool(rebalances) and not surplus
    return len(found), False


def _request(cut: Cut, arguments: dict[str, Any], *, whole: bool, submits: bool) -> Call | Ask:
    """The call, unless the request leaves open what it is about."""
    mentions, origins, destinations, between = (
        cut.names[role] for role in (Role.MENTIONS, Role.FROM, Role.TO, Role.BETWEEN)
    )
    if between and (len(between) < 2 or origins or destinations):
        return Ask("Between which sites? Name at least two, and no other origin or destination.")
    if not (mentions or origins or destinations or between or whole):
        return Ask(f"What should the plan be about? {_WHAT}")
    sites = {"from_sites": between or origins, "to_sites": between or destinations}
    names = {"mentions": mentions, "without": cut.names[Role.WITHOUT], **sites}
    return call("propose_plan", arguments | names, then_submit=submits)
