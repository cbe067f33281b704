"""What an llm answered in a negotiation, checked: a position that points only to what is on the list, or why it is ignored.

An answer is taken whole or not at all, but for its sentences, which are checked one by
one. Nothing of it is a number, a line or an outcome.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from langchain_core.messages import AIMessage
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graphs.negotiation.brief import HANDLE, TOOL, WORDS_CHARACTERS_MAX, Brief
from graphs.negotiation.quoting import Quoted, quoted
from graphs.negotiation.record import Argument

_Handle = Annotated[str, Field(max_length=40)]
_Words = Annotated[str, Field(max_length=WORDS_CHARACTERS_MAX)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _ArgumentSaid(_Strict):
    claim: _Handle
    words: _Words


class _Said(_Strict):
    arguments: Annotated[tuple[_ArgumentSaid, ...], Field(max_length=26)]
    recommended: Annotated[tuple[_Handle, ...], Field(max_length=26)]
    reason: _Words
    another_round: bool


@dataclass(frozen=True, slots=True)
class Position:
    """A checked answer. `recommended` are the words of concessions, `reason` and arguments the llm's own."""

    arguments: tuple[Argument, ...]
    recommended: tuple[str, ...]
    reason: str
    another_round: bool
    sentences_dropped: int


class IgnoredError(ValueError):
    """An answer that is none to the question. The words say why, without any of its own."""


def position_of(message: AIMessage, brief: Brief) -> Position:
    """The position that a message takes. Raises IgnoredError."""
    said = _said(message)
    spoken_for = [each.claim for each in said.arguments]
    if not set(spoken_for) <= set(brief.claims) or not set(said.recommended) <= set(brief.concessions):
        raise IgnoredError("it pointed to something that is not on the list")
    if len(set(spoken_for)) < len(spoken_for) or len(set(said.recommended)) < len(said.recommended):
        raise IgnoredError("it pointed to the same thing twice")
    heard = [(brief.claims[each.claim], _argument(brief, each)) for each in said.arguments]
    reason = quoted(said.reason, brief.numbers, brief.concessions, HANDLE)
    kinds = {handle: f'"{concession.kind}"' for handle, concession in brief.concessions.items()}
    return Position(
        arguments=tuple(
            Argument(site=claimed.site, pool=claimed.pool, words=_named(kept.words, brief.sites))
            for claimed, kept in heard
            if kept.words
        ),
        recommended=tuple(brief.concessions[handle].words for handle in said.recommended),
        reason=_named(reason.words, kinds),
        another_round=said.another_round and brief.may_ask_again,
        sentences_dropped=reason.dropped + sum(kept.dropped for _, kept in heard),
    )


def _said(message: AIMessage) -> _Said:
    """The one call that answers. Raises IgnoredError for anything beside it: who asks for more gets nothing."""
    if message.invalid_tool_calls or [call["name"] for call in message.tool_calls] != [TOOL]:
        raise IgnoredError("it did not answer in the form that was asked for")
    try:
        return _Said.model_validate_json(json.dumps(message.tool_calls[0]["args"]))
    except ValidationError as wrong:
        raise IgnoredError("its answer did not fit the schema") from wrong


def _argument(brief: Brief, said: _ArgumentSaid) -> Quoted:
    return quoted(said.words, brief.claims[said.claim].numbers, brief.sites, HANDLE)


def _named(words: str, names: Mapping[str, str]) -> str:
    """Words with what their handles stand for."""
    return HANDLE.sub(lambda found: names[found[0].lower()], words)
