"""The check itself: what in an answer has no source, what the llm is told about it, and what the user is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, combinations

from graphs.grounding.evidence import Evidence
from graphs.grounding.numbers import Number
from graphs.grounding.reading import Known, Said, plain
from graphs.grounding.sentences import sentences
from graphs.grounding.shares import Share, ways
from graphs.grounding.statements import Statement, Statements, kind_of

NAMED_MAX = 5
"""So many things without a source are named in a sentence."""
OPERANDS_MAX = 6
"""With more figures than that in a sentence nearly everything would follow from two of them."""


class Check:
    """Checks one answer, sentence by sentence."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._statements = Statements(evidence.vocabulary)

    def missing(self, sentence: str) -> tuple[str, ...]:
        """The numbers, dates, names and ids of the next sentence that nothing the llm was shown holds, in their order."""
        statement = self._statements.read(sentence)
        source = self._evidence.source_for(statement)
        held = [self._evidence.holds(said, source) for said in statement.said]
        sourced = [said for said, is_held in zip(statement.said, held, strict=True) if is_held]
        values = list(_values(sourced))
        missing = {
            said.written
            for said, is_held in zip(statement.said, held, strict=True)
            if not is_held and not _follows(said, values, statement)
        }
        text = plain(sentence)
        return tuple(sorted(missing, key=lambda written: (text.find(written), written)))


def unsourced(answer: str, evidence: Evidence) -> tuple[str, ...]:
    """Everything in an answer that has no source, in the order of the answer."""
    check = Check(evidence)
    return tuple(dict.fromkeys(chain.from_iterable(map(check.missing, sentences(answer)))))


def sourced_beginning(text: str, evidence: Evidence) -> str:
    """The text as far as all of it has a source: up to the first sentence with something in it that has none."""
    check, kept = Check(evidence), []
    for sentence in sentences(text):
        if check.missing(sentence):
            break
        kept.append(sentence)
    return "".join(kept)


def repair_request(missing: Sequence[str]) -> str:
    """What the llm is told once about an answer with something in it that has no source."""
    return (
        f"This comes from the service, not from the user. Your answer says what no tool result of this conversation"
        f" holds, or not of the SKU, site or line that you said it of: {_named(missing)}. Write the whole answer again,"
        " with what tools have told you only; call a tool if you need another fact, and leave out what none can give."
    )


def flagged(answer: str, missing: Sequence[str]) -> str:
    """The answer as the user sees it, with a sentence at its end that names what could not be traced."""
    # Cutting the sentence out instead could turn the rest around, and would hide that something was made up.
    said = f"Not confirmed by any tool, so please do not rely on it: {_named(missing)}."
    return f"{answer.rstrip()}\n{said}"


def _named(missing: Sequence[str]) -> str:
    more = f" and {len(missing) - NAMED_MAX} more" if len(missing) > NAMED_MAX else ""
    return f"{', '.join(missing[:NAMED_MAX])}{more}"


def _follows(said: Said, values: Sequence[Decimal], statement: Statement) -> bool:
    """Whether something follows from what the same sentence says with a source, for everyone to see.

    That is the sum, the difference, or the percentage of two figures, the sum of all of
    them, and how many SKUs or sites are named.
    """
    known = values[:OPERANDS_MAX] if len(values) <= OPERANDS_MAX else ()
    if isinstance(said, Share):
        return any(map(said.fits, ways(iter(known))))
    if not isinstance(said, Number):
        return False
    if any(reading.value in _counts(statement) for reading in said.readings):
        return True
    made = [share * 100 for share in ways(iter(known))] if said.percent else _sums(known)
    return any(
        reading.least <= value <= reading.most if said.percent else value == reading.value
        for reading in said.readings
        for value in made
    )


def _sums(values: Sequence[Decimal]) -> list[Decimal]:
    pairs = list(combinations(values, 2))
    return [
        sum(values, Decimal(0)),
        *(one + other for one, other in pairs),
        *(abs(one - other) for one, other in pairs),
    ]


def _counts(statement: Statement) -> set[Decimal]:
    """How many SKUs, and how many sites, a sentence names itself; one is no count."""
    named = [each.written for each in statement.said if isinstance(each, Known)]
    kinds = [kind_of(next(iter(each.entities))) for each in statement.said if isinstance(each, Known)]
    counts = (len({name for name, of in zip(named, kinds, strict=True) if of == kind}) for kind in ("sku", "site"))
    return {Decimal(count) for count in counts if count > 1}


def _values(sourced: Iterable[Said]) -> Iterator[Decimal]:
    """The figures of a sentence that have a source, each as it is most likely meant."""
    for said in sourced:
        if isinstance(said, Number) and not said.percent:
            yield said.readings[0].value
