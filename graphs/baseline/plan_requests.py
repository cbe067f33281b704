"""Plan requests: rebalance, move, restock, with limits, exclusions and "and submit".

A request is never wider than what was said: every word has to be understood, and the
whole network is meant only by words that say so, or by a bare "rebalance".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from graphs.baseline.clauses import AND, DEADLINE, PLAN_LIMITS, take_closed_lanes, take_limits
from graphs.baseline.emergencies import EMERGENCY, MAKE, NO_EMERGENCY, RESCUE, take_emergency
from graphs.baseline.fragments import CUT, OF, number_in, words_of
from graphs.baseline.names import Cut, cut_names
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import MARKERS, POLITE, Role

_ADJECTIVE = r"(?:new|good|better|cheapest|cheap|best|optimal|economical|lowest cost|most economical|most valuable)"
_PLAN = rf"(?: me| us)?(?: an?| another| the| some)?(?: {_ADJECTIVE})*(?: transfer)? (?:plans?|transfers?|proposals?)"

_THING = (
    r"(?!(?:is|was|does|did|has|had|will|would|can|to|be|status|approved|rejected|submitted|and|or|it|that|this|them|again|the"
    r"|all|out|for|with|what|everything)(?!\S))[^|,]"
)
"""The beginning of a name, rather than of something else that a plan or a fix may be about."""

HEAD = (
    r"(?<=[|,] )(?:in order )?to(?= (?:fix|solve|resolve|cover|cure|clear|reduce)(?!\S))",
    rf"{MAKE}{_PLAN} to(?= (?:rebalance|balance|move|transfer|ship|send|restock|replenish|fix|clear|cover)(?!\S))",
    (
        r"(?:(?:i|we) (?:want|need|wish|would like|like)(?: you)? to|help (?:me|us)(?: to)?|try to|let us|let me"
        r"|go ahead and|you should|is it possible to)"
    ),
    rf"(?:(?:what is|find|show|give me|find me) )?(?:the |a )?{_ADJECTIVE} (?:way|possible way|option) to",
    rf"(?:the |a )?{_ADJECTIVE}(?= (?:plans?|transfers?|proposals?|rebalancing)(?!\S))",
    r"(?:, )?(?:and )?nothing else",
    r"(?:as )?(?:cheaply|economically)(?: as possible)?",
    r"(?:at|for|with) (?:the )?(?:lowest|least|minimum|minimal) (?:possible )?(?:cost|costs|price)",
    r"(?:, )?(?:(?:this|it|that) is |because (?:this|it|that) is )?(?:very )?(?:urgent|urgently)",
    r"from (?:wherever|anywhere|whoever|whichever site)(?: (?:has|have|there is) (?:it|them|some|stock))?(?: you can| possible)?",
)
"""Beginnings and asides that say nothing: the solver looks for what saves most after cost, and takes it from anywhere."""

SOME = (
    r"(?:some(?: of)?(?= {name})|(?:some|a bit|a few|a little|a couple|a load|loads|plenty)(?: of)?(?: the| our| my)?(?= (?!(?:stock|inventory|stuff"
    r"|things?|units?|pieces|items?|skus?|products?|sites?|stores?|shops?|of|from|to|at|in|for|more|with|within)(?!\S))[a-z]))"
)
"""A quantity that says nothing: how much is worth moving is for the solver to say."""

REBALANCE = (
    rf"(?:{MAKE}|do|run|start|plan)(?: me| us)?(?: an?| the)?(?: {_ADJECTIVE})* (?:rebalancing plan|rebalance|rebalancing)",
    r"what (?:should|could|can|do) (?:we|i) (?:move|transfer|ship)(?= (?:\||$)|$)",
    r"(?:replan|plan again)",
    r"(?<=^)(?:please )?(?:level|even|smooth)(?! (?:out|off|up)(?!\S))(?= (?:the |our |all )?(?!(?:if|with|without|of|for|at|in)(?!\S))[^|,])",
    (
        r"(?:rebalance|balance|level out|level off|level up|even out|even up|equalise|equalize|redistribute|reshuffle|optimise"
        r"|optimize|rebalancing|solve(?: it)? for|sort out|smooth out|spread out|share out|swap|exchange)(?: out| around)?"
    ),
)
"""Means the whole network when nothing else is said."""

A_PLAN = (
    rf"{MAKE}{_PLAN}",
    r"(?:do|run) (?:an?|another) (?:transfer )?plan",
    rf"(?<=^)(?:an? )?(?:{_ADJECTIVE} )*(?:transfer |rebalancing )?(?:plan|proposal)(?: please)?(?= (?:,|\||with|within|under|at most|max|no more|up to|below)(?!\S))",
)
"""A plan of everything, where it says only what limits it or stays out of it."""
MOVE = (
    r"what (?:should|could|can|do) (?:we|i) (?:move|transfer|ship|send)",
    *A_PLAN,
    r"plan(?: the| some)? (?:transfers|moves)",
    r"plan(?= for(?!\S)| {name})",
    (
        r"(?<=^)(?:(?:please|now|ok|okay|and|then|can you|could you) )*plan(?! (?:is|was|does|did|has|had|will|would|can|to|be"
        r"|status|approved|rejected|submitted|and|or|it|that|this|them|again)(?!\S))(?= [^\W\d])"
    ),
    r"get(?! (?:me|us|rid|it|them|approval|decision|an?|the (?:approval|decision|plan))(?!\S))(?= [^|]+ (?:to|into|out of|over to) )",
    r"(?:pull|draw|take|offload|unload)(?! (?:it|them|that|this|back)(?!\S))(?= [^|]+ (?:out of|from) (?!(?:(?:it|this|that)|(?:the|this) plan)(?!\S)))",
    rf"(?<=^)(?:(?:please|now|ok|okay|and|can you|could you) )*(?:fix|sort)(?= {_THING})",
    rf"(?<=[|,] )plan(?= {_THING})",
    r"(?:distribute|allocate|spread)(?= [^|]+ (?:to|from|across|between|among) )",
    r"(?:deliver|divert|redirect|reroute|redeploy|dispatch|haul|reposition)(?: (?:over|across|back|on))?(?= [^|]+ (?:to|into|from) )",
    r"(?<=^)transfers(?= (?:into|to|from|out of) )",
    r"(?<!my )(?<!our )(?:move|transfer|ship|shift|relocate|reallocate|send|bring|push)(?: out(?= ))?(?! orders?(?!\S))",
)
"""Wants to be told what to move."""

HOW_MANY = (
    r"how (?:many|much)(?: (?:{units}|stock))?(?: of)? (?P<what>[^|]+?) (?:should|can|could|must|do) (?:we|i|you)"
    r" (?P<verb>move|transfer|ship|send|bring)"
)
"""Asks for what a plan says; the name stands before the verb."""

_CONTAINERS = (
    r"(?:cases?|pallets?|boxes|box|packs?|cartons?|crates?|trays?|bags?|sets?|kg|kilos?|g|grams?|tons?|tonnes?|litres?|liters?|l"
    r"|trucks?|vans?|loads?|truckloads?|lines?|transfers|orders?|days?|weeks?|hours?|more|less|fewer|percent|%|of|or|to|and|per|each"
    r"|x|times|k|skus?|products?|items?|sites?|stores?|from|in|at|by|for|euros?|dollars?|eur|usd|gbp|¤)"
)
"""What follows a number that counts no units."""
_NUMBERED = rf"{{number}}(?: {{units}}(?: of)?|(?= {{name}})|(?= (?!{_CONTAINERS}(?!\S)|[^ |,]+ of )[a-z]))"
MOVE_UNITS = (
    rf"(?:move|transfer|ship|shift|relocate|reallocate|send|bring|push)(?: (?:at most|no more than|not more than|up to|max|maximum))? {_NUMBERED}",
)
"""A quantity named as if the caller chose it: it is the most, and the solver says how much is worth moving."""

RESTOCK = (r"(?:restock|replenish|refill|top up|fill up|stock up|resupply|boost|backfill)",)
"""Names a destination; after `with` comes what to bring."""

RESTOCK_AT = r"restock (?P<what>[^|]+?) (?:at|in) (?P<where>[^|]+)"

COVER_SHORTAGES = (
    (
        r"(?:fix|solve|resolve|cover|cure|remove)(?: the| all| all the)?"
        r" (?:shortages?|stock outs?|stockouts?|gaps?|shortfalls?)"
    ),
)
CLEAR_SURPLUS = (
    r"(?:fix|solve|resolve|clear|clear out|reduce|remove|use up|get rid of|offload|run down)(?: the| all| all the)? (?:surplus|surpluses|excess|overstock)",
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

ALL_OF_A_KIND = {
    "all stores": r"(?:stores?|shops?|branch|branches|outlets?)",
    "all warehouses": r"(?:warehouses?|depots?)",
    "all dcs": r"(?:dcs?|distribution (?:centres?|centers?))",
}
"""What the desk takes for every site of a kind."""

IN_DAYS = Ask("I do not know what day it is today. In how many days does it have to be there at the latest?")

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
_SHORT_OF = r"(?:is|are|gets?|has|have|runs?)(?: (?:nearly|almost|completely|already|totally|now|really|very|clean|all|about to (?:be|run)))* (?:short of|short on|out of stock of|out of|running out of|running low on|low on|lacking|too little|not enough|desperate for|in need of|crying out for)"
_FIX_IT = (
    r"(?:please )?(?:(?P<verb>sort|fix|solve|help|rescue|resolve|plan|rebalance|balance|save)(?: (?:it|that|this|them|there|out))*"
    r"|(?:pull|get|take|bring|send|move) (?:it|them|some)(?: there| over)? from (?:wherever|anywhere|whoever|whichever site)(?: you can| has it| has some)?)"
    r"(?: please| asap| now)*"
)
_URGENT = r"(?P<urgent>(?: [|,])+(?: (?:this|it) is)?(?: an?)? emergency)?"
REWORDED: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (
        rf"^(?:(?:i|we) )?need (?P<units>{_NUMBERED}) (?P<what>[^|,]+?) (?:in|at|to|into) (?P<where>[^|,]+)",
        lambda match: f"move {match['number']} units of {match['what']} to {match['where']}",
    ),
    (
        r"^from (?P<origins>[^|]+?) to (?P<where>[^|]+?) \| (?P<what>[^|]+?)(?= \||$)",
        lambda match: f"move {OF} {match['what']} {CUT} from {match['origins']} to {match['where']}",
    ),
    (
        rf"(?<!\S)(?P<who>[^|,]+?) {_SHORT_OF} (?P<what>[^|,]+?){_URGENT}(?: [|,])+(?: and)? {_FIX_IT}(?= \||$)",
        lambda match: (
            f"{'rescue' if match['urgent'] or (match['verb'] or '').lower() == 'rescue' else 'restock'} {match['who']}"
            f" with {match['what']}"
        ),
    ),
    (
        r"what (?:could|can|should|might) (?P<who>[^|]+?) (?:give|send|ship|spare|donate|supply)(?: up)? (?:to )(?P<whom>[^|]+)",
        lambda match: f"move stock from {match['who']} to {match['whom']}",
    ),
    (
        r"what (?:could|can|should|might) (?!we |i |you |they )(?P<who>[^|]+?) (?:give|send|ship|spare|donate|supply)(?: up| away)?",
        lambda match: f"move stock from {match['who']}",
    ),
    (
        rf"(?<!\S)(?P<who>[^|,]+?) {_SHORT_OF} (?P<what>[^|,]+?)(?: [|,])+(?: and)? (?:please )?{MAKE} (?:an? |some )?(?:plan|transfers?|proposal)(?= (?:which|that|arriving|within|with|spending|for at most|,|\|)(?!\S)|$)",
        lambda match: f"restock {match['who']} with {match['what']} ,",
    ),
    (r"[,|] (?:and )?(?:take|get|bring) (?:them|it|those|this|these|that) from", lambda _: "from"),
    (r"leave (?P<what>[^|,]+?) out(?: of (?:it|this|that|the plan))?", lambda match: f"without {match['what']} |"),
    (r"leave (?P<what>[^|,]+?) alone", lambda match: f"without {match['what']} |"),
    (
        r"do not (?:touch|use|include|involve|consider)(?! (?:lanes?|routes?|roads?|the)(?!\S))(?! {arrows}) (?P<what>[^|,]+)",
        lambda match: f"without {match['what']} |",
    ),
    (
        r"^(?P<all>[^|]+?)(?: ,| \|) (?:please )?(?:plan|sort|fix|solve) (?:it|that|this|them)(?: out)?(?: please)?(?: \|)?$",
        lambda match: f"rebalance {match['all']}",
    ),
    (r"(?:, )?(?P<what>[^|,]+?) only(?= ,| \||$)", lambda match: _only(match["what"])),
    (r"only(?= (?:for|at|in|from|to|into)(?!\S))", lambda _: ""),
    (r"the (?P<what>[^|,]{1,40}?) situation", lambda match: match["what"]),
)
"""Ways to put a request that come to a plainer one."""
REST = (r"(?:the )?(?:rest|others|remainder|everything else|all others|all the rest|remaining sites)",)
"""Everything but what is left out."""

POSITIVE_LANE = r"(?:on |via |over |along )?(?:the )?(?:lane |route )?(?:from )?(?P<one>{name}) -> (?P<other>{name})"

COMMANDS = (*REBALANCE, *MOVE, *RESTOCK, *RESCUE, *COVER_SHORTAGES, *CLEAR_SURPLUS)
WORDS = words_of(
    *HEAD,
    SOME,
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
    *NO_EMERGENCY,
    *REST,
    *(form for form, _ in REWORDED),
)

_WHAT = 'Name a SKU, a site or a category, or say "everything".'


def _only(what: str) -> str:
    """A part of a sentence that said of its end that nothing else is meant, which is how it is understood anyway."""
    return f"{what} |" if set(what.lower().split()) & (MARKERS.keys() | {"plan", "rebalance"}) else f"| {OF} {what} |"


def reworded(utterance: Utterance) -> None:
    """Say the same in plainer words, where there are some."""
    for form, plain in REWORDED:
        utterance.rewrite(form, plain)


def hide_kinds(utterance: Utterance) -> None:
    """Make one name of every site of a kind, as the desk knows it."""
    for name, nouns in ALL_OF_A_KIND.items():
        utterance.hide(rf"(?:all|every|each)(?: of)?(?: the| our| my)? {nouns}", name)


def implied(utterance: Utterance) -> bool:
    """Whether an utterance without a command can only be a plan request: it sets a limit, or says between which sites."""
    limits = utterance.has(*(clause.form for clause in PLAN_LIMITS if clause.argument != "within_days"))
    between = utterance.has(r"between [^|,]+ and [^|,]+")
    whole = utterance.has(*EVERYTHING[:2]) or utterance.has(r"all(?: the| our)? (?:skus?|sites?)")
    narrowed = limits or utterance.has(*(clause.form for clause in PLAN_LIMITS))
    return (
        limits
        or (narrowed and between)
        or (whole and utterance.has(r"(?:but not|except|apart from|without|excluding)"))
    )


def is_plan_request(utterance: Utterance) -> bool:
    """Whether some word asks for a plan."""
    return utterance.has(*COMMANDS)


def plan_request(utterance: Utterance, currency: str = "", *, is_implied: bool = False) -> Call | Ask:
    """The plan request that an utterance makes, or a question. One that is implied has no command of its own."""
    submits_first = utterance.has(*(f"^(?:{form})" for form in AND_SUBMIT))
    closed = take_closed_lanes(utterance)
    hide_kinds(utterance)
    arguments = plan_limits(utterance, currency)
    if isinstance(arguments, Ask):
        return arguments
    if is_implied:
        utterance.rest = f"rebalance {utterance.rest.strip(f'{CUT}, ')}"
    stays, submits = utterance.take(*NOT_YET), utterance.take(*AND_SUBMIT)
    if stays and submits:
        return Ask("Do you want the plan to be submitted or not?")
    utterance.take(*HEAD, r"for (?:me|us)", SOME, leave="")
    if take_emergency(utterance):
        arguments["emergency_rescue"] = True
    utterance.rewrite(HOW_MANY, lambda match: f"{match['verb']} {OF} {match['what']}")
    quantities = [number_in(match["number"]) for match in utterance.take(*MOVE_UNITS, leave=f"move {OF}")]
    utterance.rewrite(POSITIVE_LANE, lambda match: f"from {match['one']} to {match['other']}")
    is_a_plan = utterance.has(*A_PLAN)
    commands, bare_is_whole = _take_command(utterance)
    whole = bool(utterance.take(*EVERYTHING, leave=OF)) or bare_is_whole
    if utterance.has(r"(?:without|except|but not|leave out|excluding|ignoring|ignore)"):
        whole |= bool(utterance.take(*REST, leave=OF))
    utterance.rewrite(r"restock {of}", lambda _: OF)
    cut = cut_names(utterance, POLITE, strict=True)
    if cut.left:
        return not_understood(cut.left)
    whole |= is_a_plan and bool(cut.names[Role.WITHOUT] or arguments.keys() - {"emergency_rescue"})
    if cut.pairs or commands != 1 or len(quantities) > 1 or submits_first:
        return Ask('That is more than one request. Please ask for one plan at a time, and say "submit" after that.')
    if quantities and not (cut.names[Role.MENTIONS] or whole):
        return Ask(f"Units of what? {_WHAT}")
    if quantities:
        arguments["units_max"] = min(quantities[0], arguments.get("units_max", quantities[0]))
    return _request(cut, arguments | {"closed_lanes": closed}, whole=whole, submits=bool(submits))


def plan_limits(utterance: Utterance, currency: str) -> dict[str, Any] | Ask:
    """The limits of a plan; a question where one is a day of the calendar."""
    limits = take_limits(utterance, PLAN_LIMITS, currency)
    return IN_DAYS if not isinstance(limits, Ask) and utterance.has(DEADLINE) else limits


def _take_command(utterance: Utterance) -> tuple[int, bool]:
    """Put in place of the command what it means for the names after it.

    Returns how many commands there were, and whether the command alone means the whole network.
    """
    start = f"{CUT} {OF}"
    utterance.take(r"(?:over|across|back|on)(?= (?:to|into|from)(?!\S))", leave="")
    if found := utterance.take(*COVER_SHORTAGES, leave=start):
        utterance.rewrite(r"(?:at|in)", lambda _: "to")
        return len(found), " all" in found[0][0].lower()
    if found := utterance.take(*CLEAR_SURPLUS, leave=start):
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
    if origins and destinations and {each.casefold() for each in origins} == {each.casefold() for each in destinations}:
        return Ask("Origin and destination are the same. From where to where?")
    several = len(between) > 1 or ALL_OF_A_KIND.keys() & set(between)
    if between and (not several or origins or destinations):
        return Ask("Between which sites? Name at least two, and no other origin or destination.")
    if not (mentions or origins or destinations or between or whole):
        return Ask(f"What should the plan be about? {_WHAT}")
    sites = {"from_sites": between or origins, "to_sites": between or destinations}
    without = cut.names[Role.WITHOUT]
    if {each.casefold() for each in without} & {
        each.casefold() for each in (*mentions, *origins, *destinations, *between)
    }:
        return Ask("You named the same thing to plan for and to leave out. Which of the two?")
    names = {"mentions": mentions, "without": without, **sites}
    return call("propose_plan", arguments | names, then_submit=submits)
