"""What an utterance comes to: a tool call, or a question back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from tools.catalog import CATALOG

WORDS_SHOWN_MAX = 80
PLAN_ID = re.compile(r"[0-9a-f]{8,64}")
"""What the beginning of a plan's id looks like."""
EXAMPLES = (
    "what is short",
    "where do we have a surplus",
    'coverage of "name of a SKU"',
    'rebalance "name of a SKU" within a week',
    "rebalance everything and submit",
    "what if demand doubles",
    "why",
    "submit",
    "status",
    "what does the policy say",
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool of the catalogue with its arguments; `then_submit` asks for the plan to be sent on when it is sound."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    then_submit: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """What is said instead of a tool call. `is_open` when it is a question about what was asked for, that may be answered."""

    words: str
    is_open: bool = True


def call(tool: str, arguments: dict[str, Any], *, then_submit: bool = False) -> Call | Ask:
    """The call, with what is empty left out; a question when the catalogue would refuse the arguments."""
    schema = CATALOG[tool].arguments
    given = {name: arguments[name] for name in schema.model_fields if arguments.get(name) not in (None, [], ())}
    try:
        schema.model_validate_json(json.dumps(given))
    except ValidationError as refused:
        first = refused.errors()[0]
        if first["type"] == "string_pattern_mismatch":
            return Ask(
                "Names and ids that I can look up are written in Latin letters, digits and plain punctuation. What do you mean?"
            )
        what = str(first["loc"][0]).replace("_", " ") if first["loc"] else tool.replace("_", " ")
        return Ask(f"I cannot ask for that: {what}: {first['msg'][:1].lower()}{first['msg'][1:]}. What do you mean?")
    return Call(tool, given, then_submit)


def help_words() -> str:
    """What the baseline can do."""
    return (
        "No language model is connected right now, so I understand plain requests only. For example:"
        f" {'; '.join(EXAMPLES)}. Put names of several words in quotes."
    )


def not_understood(words: Iterable[str]) -> Ask:
    """The honest answer to words that mean nothing in a request of a known kind."""
    return Ask(
        f"I did not understand: {_shown(words)}. Please leave it out or say it in other words, with names in quotes;"
        ' "help" shows what I understand.'
    )


def unknown(words: Iterable[str]) -> Ask:
    """The honest answer to words that are no request of any kind."""
    return Ask(f"I did not understand: {_shown(words)}. {help_words()}")


def _shown(words: Iterable[str]) -> str:
    said = " ".join(" ".join(words).split())
    return said if len(said) <= WORDS_SHOWN_MAX else f"{said[:WORDS_SHOWN_MAX]}..."
