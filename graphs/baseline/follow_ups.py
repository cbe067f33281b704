"""What only makes sense after what came before: undo, more, the same for something else, another limit, one more exclusion.

A follow-up changes the last request by exactly what was said. Where it would have to be known whether a name is a SKU
or a site, or whether a name comes in place of another or beside it, the answer is a question.
"""

from __future__ import annotations

import re
from typing import Any

from graphs.baseline import limit_changes
from graphs.baseline.clauses import DEADLINE, PLAN_LIMITS, take_closed_lanes
from graphs.baseline.fragments import CUT, OF, ORDINALS, number_in, words_of
from graphs.baseline.memory import Memory, Unclear, renamed
from graphs.baseline.names import Cut, cut_names
from graphs.baseline.plan_requests import hide_kinds, plan_limits
from graphs.baseline.sentences import ROWS_SAID, listed
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import POLITE, Role

_SO = r"(?:(?:and|ok|okay|now|then|please|show|give|tell|see|me|us|can|could|you|i|want|to|is|are|there|any|some|the|list) )*"
MORE = (
    rf"{_SO}more(?: (?:rows|results|please|of (?:them|those|these|it)))*",
    rf"{_SO}(?:next|following)(?: (?:page|rows|ones|results|few|please))*",
    rf"{_SO}(?:rest|remaining(?: ones| rows)?)(?: of (?:them|those|these|it))?(?: please)?",
    r"(?:go on|continue|what else|anything else)(?: please)?",
)
"""The rows that follow those shown last."""
PAGED = ("find_imbalances", "coverage", "signal_quality")

PLAN_IT = (
    (
        rf"{_SO}(?:plan|fix|solve|rebalance|balance|sort out|resolve|even out)"
        r" (?:it|that|them|those|this|these)(?: (?:out|please|then|now|for me))*"
    ),
    rf"{_SO}(?:make|propose|suggest)(?: me| us)? a plan for (?:it|that|them|those|this|these)(?: please)?",
    rf"{_SO}sort (?:it|that|them|those|this|these) out(?: please)?",
)
"""A plan for what was looked at last."""

SAME = (
    r"(?:and |now |then |ok |do |make |give me )*(?:the )?same(?: again| thing| plan| limits?| request| question)?(?: but)?(?= for(?!\S))",
)

BACK_IN = (
    r"(?:(?:and|but|ok|now|please) )*(?:put|take|bring|add|let|allow) (?P<names>[^|]+?) (?:back in|back|in again|again)",
    r"(?:(?:and|but|ok|now|please) )*(?:include|allow) (?P<names>[^|]+?)(?: (?:again|after all))",
)
"""Takes an exclusion back."""

_FROM_IT = r" (?:of|from|out of) (?:it|this|that|(?:the|this) plan)"
REMOVE = (
    rf"(?:(?:and|but|ok|now|please) )*leave (?P<what>[^|,]+?) (?:out|alone)(?:{_FROM_IT})?(?= \||$)",
    rf"(?:(?:and|but|ok|now|please) )*(?:drop|remove|exclude|take out|leave out) (?P<what>[^|,]+?)(?:{_FROM_IT})?(?= \||$)",
    rf"(?:(?:and|but|ok|now|please) )*take (?P<what>[^|,]+?){_FROM_IT}(?= \||$)",
)
"""One more exclusion."""
SWAP = (
    r"instead of (?P<old>[^|,]+?)(?: ,)? (?:(?:take|send|ship|move|bring) )?(?:(?:it|them|that) )?(?P<role>to|into|from) (?P<new>[^|,]+)",
    r"(?P<role>to|into|from) (?P<new>[^|,]+?) (?:instead of|rather than) (?:(?:to|into|from) )?(?P<old>[^|,]+)",
)
"""Another origin or destination in place of one that was named."""
NOT_WIDER = (
    *REMOVE, *BACK_IN, *SWAP, DEADLINE, *(clause.form for clause in PLAN_LIMITS),
    *(form for forms in limit_changes.DROP.values() for form in forms), *limit_changes.SCALE.values(),
)  # fmt: skip
"""Other changes, which may be added to a request with the same words as a name."""
PER_CENT = r"(?:(?:and|what about|how about|or|by|with|at|then|now|only) )*{number}(?: {percent})?(?: then| instead)?"
"""Another percentage for the demand of the what-if before."""
ALSO = (
    r"(?:^|(?<=[|,] ))(?:(?:and|ok|okay|oh|now|then) )*(?:also|plus|add|additionally|in addition|and also)(?: (?:add|include|do|plan|for|take))*(?= (?!(?:without|except|only|at|to|from|within)(?!\S)))",
    r"(?:too|as well|in addition|on top)(?: please)?(?= (?:\||,)|$)",
)
"""Widens what the request before is about."""
INSTEAD = (r"(?:instead|rather|this time|after all)",)
ONLY = r"(?:only|just)(?= (?:to|into|from)(?!\S))"
ASIDES = POLITE | frozenset(
    [
        "make",
        "it",
        "that",
        "but",
        "do",
        "with",
        "use",
        "try",
        "set",
        "keep",
        "change",
        "same",
        "plan",
        "and",
        "now",
        "again",
        "what",
        "about",
        "how",
        "too",
        "request",
    ]
)
"""Words that may be passed over in a follow-up, once its changes have been taken out of it."""
BOTH = (r"(?:i mean |i meant )?(?:both|all of them|all|both of them)(?: please)?",)
ORDINAL = (r"(?:i mean |i meant )?(?:the )?(?P<ordinal>first|second|third|fourth|fifth)(?: one)?(?: please)?",)
YES = (r"(?:yes|yep|yeah|sure|right|correct|exactly)(?: (?:please|thanks|that one|it is))*",)
_ANSWER_ASIDES = frozenset(
    [
        "the",
        "one",
        "ones",
        "those",
        "these",
        "i",
        "mean",
        "meant",
        "it",
        "is",
        "was",
        "in",
        "at",
        "of",
        "for",
        "from",
        "to",
        "please",
        "ok",
        "okay",
        "sorry",
        "no",
        "yes",
        "that",
        "site",
        "sku",
        "store",
        "product",
    ]
)

WORDS = words_of(
    *ALSO, *MORE, *PLAN_IT, *SAME, *BACK_IN, *INSTEAD, ONLY, *REMOVE, *SWAP, PER_CENT, *BOTH, *ORDINAL, *YES
) | limit_changes.WORDS | ASIDES  # fmt: skip

_READS = ("find_imbalances", "coverage", "signal_quality", "kpis")
_AS_FORECAST = 100
_NOTHING_TO_UNDO = Ask(
    "There is no earlier plan request in this conversation to go back to. Nothing has been moved by asking."
)
_SUBMITTED = Ask(
    "The plan has been sent to the approvers, and I cannot take it back; people decide there. Nothing moves before they do."
)


def undone(memory: Memory) -> Call | Ask:
    """The plan request before the current one, asked for again."""
    if memory.request is not None and memory.request.tool == "submit_plan":
        return _SUBMITTED
    return memory.plans[-2] if len(memory.plans) > 1 else _NOTHING_TO_UNDO


def more(memory: Memory) -> Call | Ask:
    """The rows after those that were said last."""
    last = memory.request
    if last is None or last.tool not in PAGED:
        return Ask("More of what? I can show more rows of imbalances, coverage or signal quality.")
    said = last.arguments.get("limit", ROWS_SAID)
    return call(last.tool, last.arguments | {"offset": last.arguments.get("offset", 0) + said})


def answered(utterance: Utterance, unclear: Unclear) -> Call | None:
    """The call that was refused for a name, with what the planner now says it is; None when this is no such answer."""
    near = unclear.nearest
    if utterance.is_only(*BOTH) and len(near) > 1:
        return renamed(unclear.call, unclear.written, near)
    if utterance.is_only(*YES):
        return renamed(unclear.call, unclear.written, near) if len(near) == 1 else None
    if ordinal := utterance.take(*ORDINAL):
        at = ORDINALS[ordinal[0]["ordinal"].lower()]
        return renamed(unclear.call, unclear.written, near[at - 1 : at]) if at <= len(near) else None
    said = [token for token in utterance.rest.split() if token not in (CUT, OF, ",")]
    words = [utterance.spoken([token]) for token in said if token.lower() not in _ANSWER_ASIDES]
    name = " ".join(words)
    if not words or len(words) > _NAME_WORDS_MAX:
        return None
    known = {each.casefold() for each in near}
    if (
        name.casefold() not in known
        and near
        and not set(unclear.written.casefold().split()) <= set(name.casefold().split())
    ):
        name = f"{unclear.written} {name}"  # "the barista one" says more about the oat milk that was asked about
    return renamed(unclear.call, unclear.written, [name])


_NAME_WORDS_MAX = 6


def follow_up(utterance: Utterance, memory: Memory) -> Call | Ask | None:
    """The last request, changed by what was said; None when this changes nothing about it."""
    last = memory.request
    if last is None:
        return None
    if (wider := _also(utterance.again(), last)) is not None:
        return wider
    if last.tool in _READS:
        return _of_a_question(utterance, last, memory.said)
    if last.tool == "what_if":
        return _of_a_what_if(utterance, last)
    if last.tool == "submit_plan" and memory.plans:
        last = memory.plans[-1]
    return _of_a_plan(utterance, last, memory) if last.tool == "propose_plan" else None


def planned(memory: Memory) -> Call | Ask:
    """A plan for what the last question was about."""
    last = memory.request
    mentions = last.arguments.get("mentions") if last is not None and last.tool in _READS else None
    if not mentions:
        return Ask('A plan for what? Name a SKU, a site or a category, or say "rebalance everything".')
    return call("propose_plan", {"mentions": mentions})


def _of_a_what_if(utterance: Utterance, last: Call) -> Call | None:
    """The last what-if with another percentage in the same direction, if it was about more or less demand."""
    before, changed = last.arguments.get("demand_percent", _AS_FORECAST), utterance.is_only(PER_CENT)
    if not changed or before == _AS_FORECAST or {"service_level_percent", "supply_delay_days"} & last.arguments.keys():
        return None
    number = number_in(utterance.take(r"{number}")[0]["number"])
    percent = _AS_FORECAST + number if before > _AS_FORECAST else _AS_FORECAST - number
    changed_call = call("what_if", last.arguments | {"demand_percent": percent}) if percent >= 0 else None
    return changed_call if isinstance(changed_call, Call) else None


def confirmed(asked: Utterance, memory: Memory) -> Call | Ask | None:
    """The last request with what was asked about as well, once that was said to be meant so."""
    return None if memory.request is None else _also(asked, memory.request, is_sure=True)


def _also(utterance: Utterance, last: Call, *, is_sure: bool = False) -> Call | Ask | None:
    """The last request about more: what is named as well, and nothing else about it changes.

    SKUs and categories add up, but a site beside them narrows, and which one a word is nobody here knows. Ids that are
    written in one form are of one kind; of anything else it is asked first.
    """
    if last.tool not in (*_READS, "propose_plan"):
        return None
    if utterance.has(*NOT_WIDER) or not utterance.take(*ALSO, leave=OF):
        return None
    cut = cut_names(utterance, ASIDES, strict=False)
    names, before = cut.names[Role.MENTIONS], last.arguments.get("mentions", [])
    if cut.left or not names or any(cut.names[role] for role in Role if role is not Role.MENTIONS):
        return None
    if not before:
        return Ask(f"{listed(names)} as well as what? Please say the whole request.")
    if not is_sure and len({_form(name) for name in (*before, *names)}) > 1:
        together = listed([*before, *names])
        return Ask(
            f"{together} together? SKUs and categories add up, and a site narrows them to that site. Say yes, or the whole"
            " request again."
        )
    arguments = {name: value for name, value in last.arguments.items() if name != "offset"}
    return call(last.tool, arguments | {"mentions": list(dict.fromkeys([*before, *names]))})


def _form(name: str) -> str:
    """The form of an id, its digits alike; a name without digits has none but its own."""
    return re.sub(r"[0-9]", "0", name.upper())


def _of_a_question(utterance: Utterance, last: Call, said: str) -> Call | Ask | None:
    """The last question about something else: what it was about must have been one name, or none.

    Of several, "at" says which one comes in place of which: what stood after "at" in the question.
    """
    place = utterance.has(r"at(?= (?!all(?!\S)|least(?!\S)|most(?!\S)|the moment))")
    utterance.take(r"only(?= (?:\||$)|$)", r"only(?= (?:in|at|for)(?!\S))")
    same = utterance.take(*SAME)
    cut = cut_names(utterance, ASIDES, strict=False)
    names = cut.names[Role.MENTIONS]
    if cut.left or not names or any(cut.names[role] for role in Role if role is not Role.MENTIONS):
        return None
    before = last.arguments.get("mentions", [])
    arguments = {name: value for name, value in last.arguments.items() if name != "offset"}
    if not before or (same and len(before) == 1):
        return call(last.tool, arguments | {"mentions": names})
    places = [name for name in before if re.search(rf"\bat (?:the )?['\"]?{re.escape(name)}\b", said, re.IGNORECASE)]
    if place and len(names) == 1 and len(places) == 1 and len(before) > 1:
        return call(last.tool, arguments | {"mentions": [*(each for each in before if each not in places), *names]})
    return Ask(f"{listed(names)} in place of {listed(before, 'or')}, or as well? Please ask the whole question again.")


def _of_a_plan(utterance: Utterance, last: Call, memory: Memory) -> Call | Ask | None:
    """The last plan request with other limits, exclusions, origins or destinations, or for something else."""
    arguments: dict[str, Any] = dict(last.arguments)
    instead = not utterance.has(*SWAP) and bool(utterance.take(*INSTEAD))
    for argument, forms in limit_changes.DROP.items():
        if utterance.take(*forms):
            arguments.pop(argument, None)
    asked = (
        limit_changes.scaled(utterance, arguments)
        or _take_back(utterance, arguments, memory)
        or _swapped(utterance, arguments)
    )
    if asked is not None:
        return asked
    if (amount := limit_changes.amount_alone(utterance, memory.currency)) is not None:
        return amount if isinstance(amount, Ask) else call(last.tool, arguments | amount)
    _reworded(utterance)
    hide_kinds(utterance)
    same = bool(utterance.take(*SAME))
    closed = take_closed_lanes(utterance)
    limits = plan_limits(utterance, memory.currency)
    if isinstance(limits, Ask):
        return limits
    only = bool(utterance.take(ONLY))
    cut = cut_names(utterance, ASIDES, strict=True)
    if cut.left:
        return None if arguments == last.arguments and not limits and not closed else not_understood(cut.left)
    named = _named(cut, arguments, replaces=only or instead, same=same)
    if isinstance(named, Ask):
        return named
    arguments |= limits | named
    if closed:
        arguments["closed_lanes"] = [*arguments.get("closed_lanes", []), *closed]
    return call(last.tool, arguments) if arguments != last.arguments else None


def _named(cut: Cut, before: dict[str, Any], *, replaces: bool, same: bool) -> dict[str, Any] | Ask:
    """The arguments that names change."""
    changed: dict[str, Any] = {}
    mentions = cut.names[Role.MENTIONS]
    if mentions:
        old = before.get("mentions", [])
        if not same or len(old) > 1:
            return Ask(
                f"{listed(mentions)} in place of {listed(old, 'or') or 'everything'}, or as well? Please say the whole request."
            )
        changed["mentions"] = mentions
    if cut.names[Role.BETWEEN]:
        return Ask("Between which sites should what move? Please say the whole request.")
    for role in (Role.FROM, Role.TO):
        if cut.names[role] and before.get(role.value) and not replaces:
            return Ask(f"In place of {listed(before[role.value])}, or as well? Please say the whole request.")
        if cut.names[role]:
            changed[role.value] = cut.names[role]
    if cut.names[Role.WITHOUT]:
        kept = [] if replaces else before.get("without", [])
        changed["without"] = list(dict.fromkeys([*kept, *cut.names[Role.WITHOUT]]))
    return changed


def _reworded(utterance: Utterance) -> None:
    """Say exclusions and limits as a whole request says them."""
    for form in REMOVE:
        utterance.rewrite(form, lambda match: f"without {match['what']}")
    utterance.rewrite(limit_changes.SPAN, lambda match: f"within {match['span']}")
    utterance.take(limit_changes.CHANGING, leave="")
    utterance.rewrite(limit_changes.LINES, lambda match: f"at most {match['number']} lines")


def _swapped(utterance: Utterance, arguments: dict[str, Any]) -> Ask | None:
    """Put another origin or destination in place of the one that is named; a question where that was none."""
    for match in utterance.take(*SWAP):
        role = Role.FROM.value if match["role"].lower() == "from" else Role.TO.value
        old, new = (utterance.spoken(match[part].split()) for part in ("old", "new"))
        named = arguments.get(role, [])
        if old.casefold() not in [name.casefold() for name in named] or len(match["new"].split()) > _NAME_WORDS_MAX:
            return Ask(f"In place of {old}? The plan before named {listed(named, 'or') or 'no such site'} there.")
        arguments[role] = [new if name.casefold() == old.casefold() else name for name in named]
    return None


def _take_back(utterance: Utterance, arguments: dict[str, Any], memory: Memory) -> Ask | None:
    """Take names out of the exclusions; a question about a name that is not among them."""
    for match in utterance.take(*BACK_IN):
        said = utterance.spoken(match["names"].split())
        left_out = arguments.get("without", [])
        kept = [
            name
            for name in left_out
            if name.casefold() not in (said.casefold(), memory.called.get(said.casefold(), "").casefold())
        ]
        if len(kept) == len(left_out):
            return Ask(
                f"{said} is not among what was left out: {listed(left_out) or 'nothing was'}. What should change?"
            )
        if kept:
            arguments["without"] = kept
        else:
            arguments.pop("without")
    return None
