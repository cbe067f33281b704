"""Asking an llm to argue: once for a plan, with what it says checked, and the choice by rule standing where it says nothing usable."""

from __future__ import annotations

from typing import NamedTuple

from graphs.negotiation.brief import TOOL, Brief, brief_of
from graphs.negotiation.position import IgnoredError, Position, position_of
from graphs.negotiation.record import Advice, Choice, Record
from graphs.world import World
from tools.concessions import Concession


class Counsel(NamedTuple):
    """What came of asking: the advice and the choice for the record, and whether the llm was asked just now."""

    advice: Advice | None
    choice: Choice | None
    asked: bool = False


def by_rule(concessions: tuple[Concession, ...]) -> Choice | None:
    """The choice without an llm: what people could relax, the most valuable first."""
    worth = tuple(each.words for each in concessions if each.negotiable and each.extra_saving_minor > 0)
    return Choice(by="rule", concessions=worth) if worth else None


def question_of(record: Record, currency: str, *, may_ask_again: bool) -> Brief:
    """What there is to argue about in the last round and the priced concessions."""
    settlements = record.rounds[-1].settlements if record.rounds else ()
    return brief_of(settlements, record.concessions, currency, may_ask_again=may_ask_again)


def counsel(world: World, brief: Brief, before: Record, by_rule: Choice | None, *, may_ask: bool) -> Counsel:
    """What an llm says to the question, or said before when the same was asked about this plan. Never an error of its own."""
    if before.advice is not None and before.advice.given == brief.digest:
        kept = before.choice if before.choice is not None and before.choice.by == "llm" else by_rule
        return Counsel(before.advice, kept)
    if brief.is_empty or not may_ask:
        return Counsel(None, by_rule)
    opinion = world.consult(brief.messages(), brief.schema())
    if not opinion.llm:
        return Counsel(None, by_rule)
    world.tell(TOOL, opinion.llm)
    if opinion.message is None:
        return Counsel(_ignored(opinion.llm, brief, f"it {opinion.failure or 'gave none'}"), by_rule, asked=True)
    try:
        position = position_of(opinion.message, brief)
    except IgnoredError as ignored:
        return Counsel(_ignored(opinion.llm, brief, str(ignored)), by_rule, asked=True)
    return Counsel(_taken(opinion.llm, brief, position), _chosen(position) or by_rule, asked=True)


def _ignored(llm: str, brief: Brief, why: str) -> Advice:
    return Advice(llm=llm, given=brief.digest, taken=False, ignored_because=why)


def _taken(llm: str, brief: Brief, position: Position) -> Advice:
    return Advice(
        llm=llm,
        given=brief.digest,
        taken=True,
        arguments=position.arguments,
        sentences_dropped=position.sentences_dropped,
        asked_for_another_round=position.another_round,
    )


def _chosen(position: Position) -> Choice | None:
    if not position.recommended:
        return None
    return Choice(by="llm", concessions=position.recommended, reason=position.reason)
