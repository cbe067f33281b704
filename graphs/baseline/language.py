"""From an utterance to a tool call: which kind of request it is, and what it asks for.

The kinds are tried in a fixed order, the more telling words first. Each kind takes
out of the utterance what it understands; a word that is left over means that the
whole was not understood, and then the answer is a question.
"""

from __future__ import annotations

from collections.abc import Callable

from graphs.baseline import clauses, plan_requests, readings, vocabulary, what_ifs
from graphs.baseline.fragments import words_of
from graphs.baseline.understood import Ask, Call, help_words, unknown
from graphs.baseline.utterance import CHARACTERS_MAX, Utterance

GREETING = (
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening)|ok|okay)(?: (?:there|all|evenkeel|team))?",
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
_POLITE = r"(?:(?:please|can you|could you|would you|will you|go ahead and|now|ok|okay|yes) )*"
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
    | words_of(*GREETING, *FAREWELL, *SHOW_PLAN, *SUBMIT, *CONSENT, *BEYOND)
)

_KINDS: tuple[tuple[Callable[[Utterance], bool], Callable[[Utterance], Call | Ask]], ...] = (
    (what_ifs.is_what_if, what_ifs.what_if),
    (readings.is_explanation, readings.explanation),
    (readings.is_policy_question, readings.policy_question),
    (lambda utterance: utterance.has(*readings.IMBALANCES), readings.imbalance_question),
    (plan_requests.is_plan_request, plan_requests.plan_request),
    (readings.is_status_question, readings.status_question),
    (readings.is_imbalance_question, readings.imbalance_question),
    (readings.is_coverage_question, readings.coverage_question),
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


def understand(text: str) -> Call | Ask:
    """The tool call that an utterance asks for, or what to ask back."""
    if len(text) > CHARACTERS_MAX:
        return Ask(f"That is too long for me. {help_words()}")
    utterance = Utterance(text, VOCABULARY)
    whole = _short_answer(utterance)
    if whole is not None:
        return whole
    for is_kind, read in _KINDS:
        if is_kind(utterance):
            return read(utterance)
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
        return Ask(help_words())
    return next((answer for forms, answer in _SENTENCES if utterance.is_only(*forms)), None)
