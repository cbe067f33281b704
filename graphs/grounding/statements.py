"""A text as statements: what each sentence says, what it speaks of, and whether it tells a fact or repeats what was asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphs.grounding.reading import Code, Known, Said, plain, read, without_numbering
from graphs.grounding.sentences import sentences
from graphs.grounding.vocabulary import Vocabulary

KINDS = ("sku", "site", "line", "plan")
"""What names stand for: the first word of each of `Statement.about`."""
_REFERS_BACK = re.compile(r"[\s\-*•(]*(?:it|its|they|their|them|that|this|both)\b", re.IGNORECASE)
_IN_A_LIST = re.compile(r"\s*(?:[-*•]|\(?\d{1,2}[.)])")
_ASKED = re.compile(
    r"\b(?:you (?:have )?(?:want|ask|wish|name|said|wr[io]te|need|mention|set|gave|suppose|assume)\w*"
    r"|your (?:request|question|limit|budget|wish|condition)\w*|as (?:asked|requested|you))\b",
    re.IGNORECASE,
)
_BOUNDS = re.compile(
    r"\b(?:at most|at least|no more than|not more than|no less than|up to|maximum|minimum|within|in \w+ (?:days?|weeks?)"
    r"|if|suppos\w+|assum\w+|with demand|may|must|should|would|shall|can|cannot|allowed|permitted|do you|requested"
    r"|polic(?:y|ies)|rules?|tiers?|thresholds?|service levels?|limits?|budget|approvals?)\b",
    re.IGNORECASE,
)
_TELLS = re.compile(
    r"\b(?:has|have|had|holds?|there (?:is|are)|in stock|on hand|available|short of|is short|are short|needs?|saves?"
    r"|moves?|moved|sends?|gets?|costs|runs? out|lost|loses|stocks?|carr(?:y|ies))\b",
    re.IGNORECASE,
)
_PLAN_CHARACTERS = 8
_PLAN = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence. `about` are the SKUs, sites, lines and plans it speaks of; `repeats` when it may repeat the question."""

    text: str
    said: tuple[Said, ...]
    about: frozenset[str]
    repeats: bool


class Statements:
    """Reads a text sentence by sentence: `it`, and the lines of a list, speak of what was named before them."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._place = 0
        self._heading: frozenset[str] = frozenset()
        self._before: frozenset[str] = frozenset()
        self._is_new_line = True

    def read(self, sentence: str) -> Statement:
        """The next sentence of the text."""
        text, self._place = without_numbering(plain(sentence), self._place)
        said = tuple(read(text, self._vocabulary))
        about = names_in(said, self._vocabulary)
        if self._is_new_line and text.strip() and not _IN_A_LIST.match(sentence):
            self._heading = frozenset()
        if not about and _REFERS_BACK.match(text):
            about = self._before
        about |= {name for name in self._heading if kind_of(name) not in set(map(kind_of, about))}
        if text.rstrip().endswith(":"):
            self._heading = about
        self._is_new_line = sentence.endswith("\n")
        self._before = about
        asked = bool(_ASKED.search(text))
        return Statement(sentence, said, about, asked or bool(_BOUNDS.search(text) and not _TELLS.search(text)))


def statements(text: str, vocabulary: Vocabulary) -> Iterator[Statement]:
    """The statements of a text."""
    reading = Statements(vocabulary)
    yield from map(reading.read, sentences(text))


def names_in(said: Iterable[Said], vocabulary: Vocabulary) -> frozenset[str]:
    """The SKUs, sites, lines and plans that are named. Digits alone are rather a number."""
    names: set[str] = set()
    for each in said:
        if isinstance(each, Known) and not each.written.isdigit():
            names |= each.entities
        elif isinstance(each, Code):
            names |= _of_code(each.written, vocabulary)
    return frozenset(names)


def plan_name(digest: str) -> str:
    """What a plan goes by: people write the beginning of its id."""
    return f"plan {digest[:_PLAN_CHARACTERS].lower()}"


def kind_of(name: str) -> str:
    """What a name stands for, one of `KINDS`."""
    return name.partition(" ")[0]


def _of_code(code: str, vocabulary: Vocabulary) -> set[str]:
    """`S1-S2` names two sites; digits and letters to f may be the id of a plan."""
    names = {entity for part in code.split("-") for found in vocabulary.find(part) for entity in found.entities}
    return names | ({plan_name(code)} if _PLAN.fullmatch(code.lower()) else set())
