"""From an utterance to a tool call: which kind of request it is, and what it asks for.

The kinds are tried in a fixed order, the more telling words first. Each kind takes
out of the utterance what it understands; a word that is left over means that the
whole was not understood, and then the answer is a question.
"""

from __future__ import annotations

from collections.abc import Callable

from graphs.baseline import clauses, plan_requests, readings, vocabulary, what_ifs
from graphs.baseline.fragments import words_of
from graphs.baseline.understood import Ask, Call, call, help_words, not_understood
from graphs.baseline.utterance import CHARACTERS_MAX, Utterance

GREETING = (
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening)|thanks|thank you|ok|okay|bye)(?: (?:there|all|evenkeel|team))?",
    r"(?:help|help me|what can you do|what do you do|who are you|commands|examples|how does this work|what can i (?:say|ask))",
)
SUBMIT = (
    (
        r"(?:please )?(?:submit|send|forward|put|hand)(?: it| that| this| them| the plan| the proposal| the current plan| in)*"
        r"(?: (?:for|to|into|in)(?: an?| the)? (?:approval|approvers?|decision|queue))?(?: please| now)*"
    ),
    r"(?:please )?(?:ask for|request|get)(?: an?| the)? (?:approval|decision)(?: for it| of it| for the plan)?",
    r"(?:go ahead|do it|looks good|looks fine|fine)(?: ,)? (?:and )?submit(?: it| the plan)?",
)
SUBMIT_NEEDS = r"(?:submit|approval|approvers?|decision|queue|forward|hand)"
"""A bare "send" or "put it" could mean anything."""

VOCABULARY = (
    vocabulary.WORDS
    | clauses.WORDS
    | plan_requests.WORDS
    | what_ifs.WORDS
    | readings.WORDS
    | words_of(*GREETING, *SUBMIT)
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


def understand(text: str) -> Call | Ask:
    """The tool call that an utterance asks for, or what to ask back."""
    if len(text) > CHARACTERS_MAX:
        return Ask(f"That is too long for me. {help_words()}")
    utterance = Utterance(text, VOCABULARY)
    if utterance.too_long:
        return Ask(f"Those are too many names at once. {help_words()}")
    if not utterance.rest.strip("| ,") or utterance.is_only(*GREETING):
        return Ask(help_words())
    if utterance.is_only(*SUBMIT) and utterance.has(SUBMIT_NEEDS):
        return call("submit_plan", {})
    for is_kind, read in _KINDS:
        if is_kind(utterance):
            return read(utterance)
    return not_understood([utterance.spoken(utterance.rest.split())])
