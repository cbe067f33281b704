"""From an utterance to a tool call: which kind of request it is, and what it asks for.

The kinds are tried in a fixed order, the more telling words first. Each kind takes
out of the utterance what it understands; a word that is left over means that the
whole was not understood, and then the answer is a question.
"""

from __future__ import annotations

from collections.abc import Callable

from graphs.baseline import (
    asides,
    clauses,
    follow_ups,
    kinds,
    plan_requests,
    plan_talk,
    readings,
    status,
    vocabulary,
    what_ifs,
)
from graphs.baseline.fragments import CUT, words_of
from graphs.baseline.memory import NOTHING, UNDO, Memory
from graphs.baseline.understood import Ask, Call, help_words, unknown
from graphs.baseline.utterance import CHARACTERS_MAX, Utterance

GREETING = (
    r"(?:hi|hello|hey|(?:good )?(?:morning|afternoon|evening)|ok|okay)(?: (?:there|all|evenkeel|team))?",
    r"(?:help|help me|commands|examples|how does this work)",
    r"(?:what can you do|what do you do|who are you|what are you|what can i (?:say|ask))",
)
FAREWELL = (
    r"(?:(?:ok|okay|great|good|perfect) )?(?:thanks|thank you|many thanks|bye|goodbye)(?: (?:a lot|very much|all|for your help))?",
)
SHOW_PLAN = (
    (
        r"(?:(?:please|can you|could you) )*(?:what is|show|display|list|print|repeat|give)(?: me| us)?"
        r" (?:the|my|our|this|that)(?: (?:current|last|whole|proposed))? (?:plan|proposal)(?: again)?(?: please)?"
    ),
)
_POLITE = (
    r"(?:(?:please|can you|could you|would you|will you|go ahead and|now|ok|okay|yes|good|great|perfect|fine|then|and"
    r"|(?:(?:that|it|this) )?looks (?:good|fine|great|ok|okay)|go ahead|do it|all right|alright|let us|i want to|i would like to) )*"
)
_THANKS = r"(?: (?:please|now|thanks|then))*"
_THE_PLAN = r"(?: (?:it|that|this|them|the plan|this plan|that plan|the proposal|the current plan))?"
_TO_APPROVERS = r"(?: (?:for|to|into|in)(?: an?| the)? (?:approval|approvers?|decision|queue))"
SUBMIT = (
    rf"{_POLITE}(?:submit|forward|hand in){_THE_PLAN}{_TO_APPROVERS}?{_THANKS}",
    rf"{_POLITE}(?:send|put|hand|pass|bring){_THE_PLAN}(?: on| in| over)?{_TO_APPROVERS}{_THANKS}",
    rf"{_POLITE}(?:ask for|request|get)(?: an?| the)? (?:approval|decision)(?: for| of)?{_THE_PLAN}{_THANKS}",
    r"(?:go ahead|do it|looks good|looks fine|fine)(?: and)? submit(?: it| the plan)?",
)
CONSENT = (r"(?:yes|yep|sure|do it|go|go ahead|go for it|proceed|confirm|confirmed|fine|looks good|good|great)",)
BEYOND = (
    rf"{_POLITE}(?:approve|reject|decline|cancel|withdraw|undo|revert|post|execute|release|delete|override)(?: .*)?",
)
"""What people decide or the service does by itself; no tool of a conversation can."""

VOCABULARY = (
    vocabulary.WORDS
    | clauses.WORDS
    | plan_requests.WORDS
    | what_ifs.WORDS
    | readings.WORDS
    | plan_talk.WORDS
    | follow_ups.WORDS
    | asides.WORDS
    | words_of(*GREETING, *FAREWELL, *SHOW_PLAN, *SUBMIT, *CONSENT, *BEYOND)
)

_NAME_IT = Ask(
    'I plan for SKUs and sites by their names, so that nothing moves that you have not seen. Say "what is short" or'
    ' "what is out of balance" for the costliest first, and then "rebalance" with the name of the SKU.'
)
_KINDS: tuple[tuple[Callable[[Utterance], bool], Callable[[Utterance, Memory], Call | Ask]], ...] = (
    (lambda utterance: utterance.has(*kinds.NOTHING_DONE), readings.imbalance_question),
    (lambda utterance: utterance.has(*kinds.COSTLIEST), lambda _, __: _NAME_IT),
    (what_ifs.is_what_if, what_ifs.what_if),
    (plan_talk.is_comparison, lambda utterance, _: plan_talk.comparison(utterance)),
    (plan_talk.is_about_the_negotiation, lambda utterance, _: plan_talk.about_the_negotiation(utterance)),
    (plan_talk.is_about_the_plan, lambda utterance, _: plan_talk.about_the_plan(utterance)),
    (plan_talk.is_quality_question, lambda utterance, _: plan_talk.quality_question(utterance)),
    (plan_talk.is_kpi_question, lambda utterance, _: plan_talk.kpi_question(utterance)),
    (readings.is_explanation, readings.explanation),
    (readings.is_policy_question, lambda utterance, _: readings.policy_question(utterance)),
    (lambda utterance: utterance.has(*kinds.IMBALANCES), readings.imbalance_question),
    (plan_requests.is_plan_request, lambda utterance, memory: plan_requests.plan_request(utterance, memory.currency)),
    (status.is_status_question, lambda utterance, _: status.status_question(utterance)),
    (readings.is_imbalance_question, readings.imbalance_question),
    (readings.is_coverage_question, lambda utterance, _: readings.coverage_question(utterance)),
)
"""Kinds of request in the order in which they are tried. `out of balance` is a question although `balance` is not."""


_SENTENCES: tuple[tuple[tuple[str, ...], Call | Ask], ...] = (
    (GREETING, Ask(help_words())),
    (FAREWELL, Ask("You are welcome.")),
    (SUBMIT, Call("submit_plan")),
    (CONSENT, Ask('If you want the current plan to go to the approvers, say "submit".')),
    (
        SHOW_PLAN,
        Ask(
            'I can explain the lines of the current plan: say "why", or "why line" with a number. Asking for the plan'
            " again makes the same plan, as long as nothing has changed."
        ),
    ),
    (
        BEYOND,
        Ask(
            "I cannot approve, reject, cancel, post or change anything; people decide, in the approvers' queue. I can"
            ' send the current plan there: say "submit".'
        ),
    ),
)
"""Utterances that are answered as a whole, before anything is looked for in them."""


def understand(text: str, memory: Memory = NOTHING) -> Call | Ask:
    """The tool call that an utterance asks for, given what came before it, or what to ask back."""
    if len(text) > CHARACTERS_MAX:
        return Ask(f"That is too long for me. {help_words()}")
    said = _plain(text)
    if memory.asked and said.is_only(*follow_ups.YES):
        together = follow_ups.confirmed(_plain(memory.asked), memory)
        if together is not None:
            return together
    found = _alone(text, said, memory)
    if found is not None:
        return found
    if memory.asked and (together := _with_the_question(text, memory)) is not None:
        return together
    if not memory.asked and memory.unclear is None:
        changed = follow_ups.follow_up(said.again(), memory)
        if changed is not None:
            return changed
    return _unknown(said)


def _plain(text: str) -> Utterance:
    """What was said, without what is only said around it."""
    said = Utterance(text, VOCABULARY)
    asides.plain(said)
    return said


def _alone(text: str, said: Utterance, memory: Memory) -> Call | Ask | None:
    """What an utterance of a known kind asks for, or an answer to a question about a name; None for anything else."""
    if memory.unclear is not None and _kind(said) is None:
        answered = follow_ups.answered(said.again(), memory.unclear)
        if answered is not None:
            return answered
    whole = _whole(text, said, memory)
    if whole is not None:
        return whole
    utterance = said.again()
    plan_requests.reworded(utterance)
    utterance.rewrite(_LEADING, lambda _: "")
    if memory.plans and utterance.take(_REPLAN):
        again = None if utterance.rest.strip("| ,") else memory.plans[-1]
        return again or follow_ups.follow_up(utterance, memory)
    if (implied := _implied_plan(said, utterance, memory)) is not None:
        return implied
    read = _kind(utterance)
    return None if read is None else read(utterance, memory)


def _whole(text: str, said: Utterance, memory: Memory) -> Call | Ask | None:
    """The answer to an utterance that means one thing as a whole."""
    if UNDO.fullmatch(text.strip()):
        return follow_ups.undone(memory)
    if said.is_only(*follow_ups.MORE):
        return follow_ups.more(memory)
    if said.is_only(*follow_ups.PLAN_IT):
        return follow_ups.planned(memory)
    return _short_answer(said)


def _kind(utterance: Utterance) -> Callable[[Utterance, Memory], Call | Ask] | None:
    """What reads an utterance of this kind."""
    return next((read for is_kind, read in _KINDS if is_kind(utterance)), None)


def _implied_plan(said: Utterance, utterance: Utterance, memory: Memory) -> Call | None:
    """The plan that limits or a "between" ask for without a command; None when there is a command, or it is no plan."""
    if plan_requests.is_plan_request(utterance) or utterance.has(_ASKS) or not plan_requests.implied(utterance):
        return None
    if memory.plans and not utterance.has(*plan_requests.EVERYTHING):
        return None  # rather a change of the plan before
    fresh = said.again()
    plan_requests.reworded(fresh)
    found = plan_requests.plan_request(fresh, memory.currency, is_implied=True)
    named = isinstance(found, Call) and any(name in found.arguments for name in _ABOUT)
    return found if isinstance(found, Call) and (named or utterance.has(*plan_requests.EVERYTHING)) else None


_ABOUT = ("mentions", "from_sites", "to_sites")
_ASKS = (
    r"^(?:what|which|who|why|how|where|when|show|list|tell|is|are|do|does|did|can|could|should|status|explain|compare|suppose"
    r"|simulate|imagine|assume|submit|cancel|approve)(?!\S)"
)
"""How something begins that is no plan request without a command."""
_REPLAN = (
    r"(?:, )?(?:and )?(?:please )?(?:replan|plan again|redo (?:it|the plan)|update the plan|recalculate|solve again)"
)
_LEADING = rf"^(?:(?:{GREETING[0]}|(?:very )?urgent(?:ly)?)(?: [,|])*(?= \S))"
"""A greeting before a request."""


def _with_the_question(text: str, memory: Memory) -> Call | None:
    """What was said before and was asked about, together with what is said now; None when that is no request either."""
    before = _plain(memory.asked)
    if _short_answer(before) is not None:
        return None
    if before.has(clauses.DEADLINE):
        return _within(before, _plain(text), memory)
    asked, alone = memory.asked.rstrip(" .!?"), Memory(currency=memory.currency)
    joined = [f"{asked}. {text}", f"{asked} of {text}"]
    found = [_alone(each, _plain(each), alone) for each in joined]
    calls = [each for each in found if isinstance(each, Call)]
    return calls[0] if calls and all(each == calls[0] for each in calls) else None


def _within(before: Utterance, said: Utterance, memory: Memory) -> Call | None:
    """A request by a day of the calendar, once it is said in how many days that is; alone it changes the plan before."""
    days = said.take(r"(?:{span}|(?P<number>[0-9]{1,3}))")
    left = said.rest.replace(CUT, " ").split()
    if len(days) != 1 or not {word.lower() for word in left} <= _IN_DAYS_ASIDES:
        return None
    span = days[0]["span"] or f"{days[0]['number']} days"
    before.take(clauses.DEADLINE, leave="")
    before.rest = f"{before.rest.rstrip(f'{CUT} ,')} within {span}"
    changes = before.is_only(r"(?:(?:and|but|ok|make|it|please|now) )*within {span}")
    read = None if changes else _kind(before)
    found = read(before, memory) if read else follow_ups.follow_up(before, memory) if changes else None
    return found if isinstance(found, Call) else None


_IN_DAYS_ASIDES = frozenset(
    ["in", "within", "that", "is", "it", "at", "the", "latest", "please", "say", "make", "from", "now", "most"]
)


def _unknown(utterance: Utterance) -> Ask:
    """What to ask about an utterance of no known kind."""
    tokens = utterance.rest.split()
    said = utterance.spoken(tokens)
    if all(utterance.is_name(token) or token in vocabulary.SEPARATORS for token in tokens):
        return Ask(
            f"What about {said}? Say, for example, coverage of it, what is short there, or rebalance it by its name."
        )
    return unknown([said])


def _short_answer(utterance: Utterance) -> Call | Ask | None:
    """The answer to an utterance that is one of a few sentences as a whole."""
    if not utterance.rest.strip("| ,"):
        return Ask(help_words(), is_open=False)
    return next((answer for forms, answer in _SENTENCES if utterance.is_only(*forms)), None)
