"""A call of a tool, answered: arguments checked, the answer bounded, and a refusal in words instead of an exception."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from graphs.desk.desk import AtDesk
from graphs.names import UnclearError
from graphs.shortfalls import NothingToExplainError
from tools.catalog import CATALOG, Arguments

ANSWER_CHARACTERS_MAX = 20_000
ARGUMENT_CHARACTERS_MAX = 20_000


class UnreadableError(ValueError):
    """Arguments that are too long, or nested too deep to be read at all."""


REFUSALS = (ValidationError, UnclearError, NothingToExplainError, UnreadableError)
"""What a call may be refused for: its arguments, a name that is not known, or nothing to answer about."""

ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)
_SAID: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "string_pattern_mismatch": lambda _: "holds characters that no name here has; write the id, in plain letters",
    "extra_forbidden": lambda _: "is no argument of this tool",
    "value_error": lambda wrong: str(wrong["ctx"]["error"]),
}


class Answered(NamedTuple):
    """The answer as JSON text, and whether it is a refusal: then the text says why."""

    text: str
    refused: bool


def answer_text(desk: AtDesk, name: str, arguments: object) -> Answered:
    """What a tool that reads or asks what-if answers to arguments as they came. The text is bounded in size."""
    tool = CATALOG.get(name)
    if tool is None or tool.answer is None:
        answering = ", ".join(each.name for each in CATALOG.values() if each.answer is not None)
        return refusal(f"there is no such tool; there are {answering}")
    try:
        answer = tool.answer(desk, checked(tool.arguments, arguments))
    except REFUSALS as refused:
        return refusal(refusal_words(refused))
    text = as_text(answer)
    if len(text) > ANSWER_CHARACTERS_MAX:
        return refusal(f"the answer has {len(text):,} characters; ask for fewer rows")
    return Answered(text, refused=False)


def checked(kind: type[ArgumentsT], arguments: object) -> ArgumentsT:
    """The arguments, if they fit the schema. Raises ValidationError and UnreadableError."""
    try:
        text = json.dumps(arguments)
    except RecursionError as deep:
        raise UnreadableError(
            "the arguments are nested too deep to be read; a list of names is the most there is"
        ) from deep
    if len(text) > ARGUMENT_CHARACTERS_MAX:
        raise UnreadableError(
            f"the arguments have {len(text):,} characters, at most {ARGUMENT_CHARACTERS_MAX:,} are read; name less at a time"
        )
    return kind.model_validate_json(text)


def refusal_words(refused: Exception) -> str:
    """Why a call was refused, for people."""
    if not isinstance(refused, ValidationError):
        return str(refused)
    first = refused.errors(include_url=False)[0]
    where = ".".join(str(part)[:80] for part in first["loc"]) or "the arguments"
    said = _SAID.get(first["type"])
    return f"{where}: {first['msg'] if said is None else said(dict(first))}"


def refusal(words: str) -> Answered:
    """A refusal in words."""
    return Answered(as_text({"error": words}), refused=True)


def as_text(answer: object) -> str:
    """An answer as JSON, the same for the same answer."""
    return json.dumps(answer, ensure_ascii=True, sort_keys=True)
