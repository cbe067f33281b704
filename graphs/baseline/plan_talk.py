"""Questions about a plan as a whole, about two plans, about key figures, and about how good the signals are."""

from __future__ import annotations

from graphs.baseline.fragments import CUT, OF, words_of
from graphs.baseline.kinds import ROWS
from graphs.baseline.names import cut_names
from graphs.baseline.readings import COVERAGE, NOT_ALL_EXCEPT, limit_of, named
from graphs.baseline.understood import PLAN_ID, Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import CHATTY, Role

_PLAN = r"(?:(?:the|this|that|my|our|your) )?(?:current |whole |proposed |last |new |entire |latest )*(?:plan|proposal)"
_THIS_PLAN = rf"(?:{_PLAN}|it|this|that)"
ABOUT_THE_PLAN = (
    rf"(?:explain|justify|describe|summari[sz]e|sum up|recap|walk (?:me|us) through|take (?:me|us) through|go through)(?: (?:me|us))? {_PLAN}",
    rf"(?:summari[sz]e|describe|sum up|recap|walk (?:me|us) through|take (?:me|us) through|go through) {_THIS_PLAN}",
    rf"(?:give|show)(?: me| us)? (?:an? |the )?(?:summary|explanation|overview|recap) of {_THIS_PLAN}",
    rf"(?:summary|explanation|overview|recap) of {_PLAN}",
    rf"(?:what is|show|display|list|print|repeat|give|see)(?: me| us)? (?:in )?{_PLAN}(?: again)?",
    rf"why {_PLAN}",
    rf"(?:how good|any good|good enough|worth it) is {_PLAN}",
    rf"(?:how good is|is) {_THIS_PLAN}(?: any| really)? (?:good|worth it|worthwhile|sound|optimal|ok|okay)(?: enough)?",
    rf"should (?:i|we) (?:submit|send|approve|accept|take) {_THIS_PLAN}(?: for approval| to the approvers?)?",
    rf"what (?:is|does) {_PLAN} (?:cost|save|bring|do|worth|about)",
)
NEGOTIATED = (
    rf"how (?:was|is|has|did) (?:{_THIS_PLAN}|we|they|you)(?: been)? negotiated?",
    rf"(?:show|explain|describe|give|see|print|tell)(?: me| us)?(?: about)? the (?:negotiations?|bids|claims)(?: (?:of|behind|for) {_THIS_PLAN})?",
    rf"(?:what|who) (?:was|is|were) (?:contested|negotiated)(?: (?:in|for|over) {_THIS_PLAN})?",
    r"how (?:was|were|did|has|have) (?:the |this |that )?(?:negotiations?|bidding|claims?|contests?)(?: been)? (?:settled|resolved|decided|go|end|turn out)",
    rf"who (?:claimed|bid)(?: (?:what|for what))?(?: (?:in|for) {_THIS_PLAN})?",
)
PLAN_BY_NAME = r"(?:plan |number )?(?P<plan>{name})"

COMPARE = (
    rf"(?:compare|comparing|compared?)(?: {_THIS_PLAN})?(?: (?:with|to|against|and|versus|vs))?",
    r"(?:what (?:is|are|has) )?(?:the )?(?:differences?|different|changed|changes)(?: (?:from|to|between|since|versus|vs|with|compared to|in|against))?",
)
_PLANS = (
    r"(?:the |these |those |both |my |our |last |previous |earlier |latest |other |old |new |current |first |second |two |one )*"
    r"(?:plans?|proposals?|versions?|requests?)(?: before)?"
)
CHANGED = (
    r"(?:so |and )?what (?:did|has|does|have) (?:that|this|it|we)(?: just| now)? changed?(?: (?:about|in|to) the plan)?"
)
"""Asks what the last request made of the plan."""
COMPARED = (
    _PLANS,
    r"(?:the |last |previous |earlier |other |one |old |two |both |current )*(?:one|ones|two|both|before|previous|current)",
)

_DATA = r"(?:(?:stock |sales |inventory )?(?:counts?|stock counts?|data|signals?|feeds?|figures|numbers|readings|counts|records))"
_DOUBTFUL = r"(?:stale|outdated|doubtful|dodgy|suspicious|suspect|unreliable|incorrect|out of date|too old|held back)"
QUALITY = (
    r"(?:what (?:is|has)(?: been)? |which (?:stock )?(?:positions|figures) are )?held back(?: (?:because of|due to|for)(?: the| our)? (?:(?:bad|poor|stale|old|doubtful) )?(?:data|signals|figures|quality|counts))?",
    r"(?:data|signals?|feeds?|input) (?:quality|problems?|issues?|errors?|health)",
    r"quality (?:of )?(?:(?:the|our|my|all) )?(?:stock |sales )?(?:data|signals?|feeds?|figures|inputs?)",
    r"(?:(?:how )?(?:good|reliable|fresh|old|stale|clean|accurate|bad|up to date|trustworthy) (?:is|are) )(?:the |our |my )?(?:stock |sales |inventory )?(?:data|signals?|feeds?|figures|numbers|inputs?|readings)",
    r"(?:is|are) (?:the |our |my )?(?:stock |sales |inventory )?(?:data|signals?|feeds?|figures|numbers|readings)(?: from| of| at| in)? (?:good|reliable|fresh|old|stale|clean|accurate|bad|ok|okay|up to date|trustworthy)",
    r"(?:stale|bad|old|outdated|wrong|dirty|unreliable|suspicious|held back|late|poor)(?: stock| sales| inventory)? (?:data|feeds?|signals?|figures|readings|positions|numbers)",
    rf"(?:how|what) (?:is|are|does|do) (?:the |our |my )?{_DATA}(?: quality)? (?:look|looking|doing|like|look like)",
    rf"(?:is|are) (?:the |our |my )?{_DATA}(?= (?:from|of|at|in|for) [^|]+ (?:ok|okay|good|right|reliable|fresh|clean|up to date|fine)(?: |$))",
    rf"(?:can|may|should|do|could) (?:i|we|you) (?:trust|rely on|believe|count on|depend on) (?:the |our |these |those |this )?{_DATA}",
    rf"how (?:good|reliable|fresh|old|stale|clean|accurate|bad|up to date|trustworthy) (?:is|are) (?:the |our |my )?{_DATA}",
    rf"(?:which |any |are (?:the |our |my )?|is (?:the |our |my )?)?{_DATA}(?: (?:is|are))? {_DOUBTFUL}",
    rf"{_DOUBTFUL} {_DATA}",
    r"(?:can|may|should|do) (?:i|we|you) (?:trust|rely on|believe) (?:the |our |these |those |this )?(?:stock |sales |inventory )?(?:data|signals?|feeds?|figures|numbers|readings)",
)

KPIS = (
    r"(?:kpis?|key (?:performance )?(?:figures?|numbers?|indicators?|metrics)|metrics|scorecard|dashboard)",
    r"(?:(?:our |the |expected |current )*fill rates?)",
    r"(?:how are we (?:doing|performing)(?: overall| in general)?)(?! (?:on|with) (?!{of}))",
    r"how are we (?:doing|performing) (?:on|with)(?= {of})",
    r"(?:value in excess|excess value|(?:service|stock|overall) performance|performance figures)(?: of)?",
    r"(?:how much )?(?:money|capital|cash|value)(?: (?:is|do we have|have we got|we have))? tied up in(?: (?:excess|surplus|overstock|too much))?(?: stock| inventory)?",
)
_KPI_ASIDES = CHATTY | frozenset(["our", "overall", "performing", "general", "latest", "ok", "okay", "good", "fine"])

WORDS = words_of(*ABOUT_THE_PLAN, *NEGOTIATED, *COMPARE, CHANGED, *COMPARED, *QUALITY, *KPIS, "compare", "trust")


def is_about_the_plan(utterance: Utterance) -> bool:
    """Whether an utterance asks about a plan as a whole."""
    return utterance.has(*ABOUT_THE_PLAN)


def is_about_the_negotiation(utterance: Utterance) -> bool:
    """Whether an utterance asks how a plan was negotiated."""
    return utterance.has(*NEGOTIATED)


def about_the_negotiation(utterance: Utterance) -> Call | Ask:
    """How the current plan was negotiated, or the one whose id is named."""
    return _of_one_plan(utterance, "explain_negotiation", NEGOTIATED)


def about_the_plan(utterance: Utterance) -> Call | Ask:
    """The current plan explained, or the one whose id is named."""
    return _of_one_plan(utterance, "explain_plan", ABOUT_THE_PLAN)


def _of_one_plan(utterance: Utterance, tool: str, forms: tuple[str, ...]) -> Call | Ask:
    utterance.take(*forms, leave=OF)
    plans = [utterance.name(match["plan"]).lower() for match in utterance.take(PLAN_BY_NAME)]
    left = _left(utterance)
    if left:
        return not_understood(left)
    if len(plans) > 1 or not all(PLAN_ID.fullmatch(plan) for plan in plans):
        return Ask("Which plan? I can explain the current one, or one that you name by the first characters of its id.")
    return call(tool, {"plan": plans[0]} if plans else {})


def is_comparison(utterance: Utterance) -> bool:
    """Whether an utterance compares plans."""
    return utterance.is_only(CHANGED) or (utterance.has(*COMPARE) and utterance.has(*COMPARED, PLAN_BY_NAME))


def comparison(utterance: Utterance) -> Call | Ask:
    """The current plan and the one before it, or those whose ids are named."""
    utterance.take(CHANGED, *COMPARE, *COMPARED, leave=OF)
    plans = [utterance.name(match["plan"]).lower() for match in utterance.take(PLAN_BY_NAME)]
    left = _left(utterance)
    if left:
        return not_understood(left)
    if len(plans) > len(_PLAN_ARGUMENTS) or not all(PLAN_ID.fullmatch(plan) for plan in plans):
        return Ask(
            "Which plans? I can compare the current plan with the one before it, or two that you name by their ids."
        )
    named_plans = ["other"] if len(plans) == 1 else _PLAN_ARGUMENTS
    return call("compare_plans", dict(zip(named_plans, plans, strict=False)))


_PLAN_ARGUMENTS = ["plan", "other"]


def is_quality_question(utterance: Utterance) -> bool:
    """Whether an utterance asks how far the signals can be trusted."""
    return utterance.has(*QUALITY)


def quality_question(utterance: Utterance) -> Call | Ask:
    """What is held back or too old, of what is named."""
    return _about(utterance, "signal_quality", QUALITY, CHATTY)


def is_kpi_question(utterance: Utterance) -> bool:
    """Whether an utterance asks for key figures."""
    return utterance.has(*KPIS)


def kpi_question(utterance: Utterance) -> Call | Ask:
    """The key figures of what is named."""
    return _about(utterance, "kpis", KPIS, _KPI_ASIDES)


def _about(utterance: Utterance, tool: str, forms: tuple[str, ...], passed_over: frozenset[str]) -> Call | Ask:
    utterance.take(*forms, leave=OF)
    utterance.take(*COVERAGE[3:4], leave=OF)
    limit = limit_of(utterance.take(*ROWS, leave=OF)) if tool == "signal_quality" else {}
    cut = cut_names(utterance, passed_over, strict=False)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.WITHOUT]:
        return NOT_ALL_EXCEPT
    return call(tool, {"mentions": named(cut), **limit})


def _left(utterance: Utterance) -> list[str]:
    passed = CHATTY | {CUT, OF, "and", "with", "to"}
    return [utterance.spoken([token]) for token in utterance.rest.split() if token.lower() not in passed]
