"""The check itself: what in an answer has no source, what the llm is told about it, and what the user is told."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.grounding.evidence import Evidence
from graphs.grounding.reading import plain, read

NAMED_MAX = 5
"""So many things without a source are named in a sentence."""


def unsourced(answer: str, evidence: Evidence) -> tuple[str, ...]:
    """The numbers, dates, names and ids of an answer that nothing the llm was shown holds, in the order of the answer."""
    missing = {said.written for said in read(answer, evidence.vocabulary) if not evidence.holds(said)}
    text = plain(answer)
    return tuple(sorted(missing, key=lambda written: (text.find(written), written)))


def repair_request(missing: Sequence[str]) -> str:
    """What the llm is told once about an answer with something in it that has no source."""
    return (
        f"This comes from the service, not from the user. Your answer names what no tool result of this conversation"
        f" holds: {_named(missing)}. Write the whole answer again, with what tools have told you only; call a tool if"
        " you need another fact, and leave out what none can give."
    )


def flagged(answer: str, missing: Sequence[str]) -> str:
    """The answer as the user sees it, with a sentence at its end that names what could not be traced."""
    # Cutting the sentence out instead could turn the rest around, and would hide that something was made up.
    said = f"Not confirmed by any tool, so please do not rely on it: {_named(missing)}."
    return f"{answer.rstrip()}\n{said}"


def _named(missing: Sequence[str]) -> str:
    more = f" and {len(missing) - NAMED_MAX} more" if len(missing) > NAMED_MAX else ""
    return f"{', '.join(missing[:NAMED_MAX])}{more}"
