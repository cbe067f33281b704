"""What a tool answered, as records: figures, and the SKUs, sites, lines and plans that they are about.

A record is an object of a JSON document with its own figures, or one sentence of a text
in it that names something itself. It is about

- what identifies it: values that are nothing but a name, `line_no`, `plan`, and lists of such names;
- what identifies the objects round it, and what the call that was answered named;
- what stands in its rows, because the figures above rows are those of all of them together;
- everything that the answer names, where none of this names a SKU or a site.

Rows know nothing of each other: 120 packs of one SKU are no source for another's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from graphs.grounding.numbers import Number
from graphs.grounding.reading import Code, Known, Said, read
from graphs.grounding.shares import Place, Share
from graphs.grounding.statements import Statement, kind_of, names_in, plan_name, statements
from graphs.grounding.vocabulary import Vocabulary

_NAME_CHARACTERS_MAX = 120


@dataclass(slots=True)
class Figures:
    """Numbers, and parts and multiples of something; grows while texts are read."""

    numbers: set[Decimal] = field(default_factory=set)
    shares: set[Decimal] = field(default_factory=set)
    words: set[str] = field(default_factory=set)

    def add(self, said: Iterable[Said]) -> None:
        """What was said."""
        for each in said:
            match each:
                case Number():
                    self._add_number(each)
                case Code(number=Number()) if each.number is not None:
                    self._add_number(each.number)
                case Known() if each.written.isdigit():
                    self.numbers.add(Decimal(each.written))
                case Place():
                    self.numbers.add(Decimal(each.number))
                case Share():
                    self.words.add(each.written.lower())
                    if not each.vague:
                        self.shares.add((each.least + each.most) / 2)

    def _add_number(self, number: Number) -> None:
        values = {reading.value for reading in number.readings}
        self.numbers |= values
        self.shares |= {value / 100 for value in values} if number.percent else {v for v in values if 0 < v < 1}
        for part in number.parts:
            self._add_number(part)

    def merge(self, other: Figures) -> None:
        """All of another's as well."""
        self.numbers |= other.numbers
        self.shares |= other.shares
        self.words |= other.words


@dataclass(slots=True)
class Record:
    """Figures, and what they are about."""

    about: frozenset[str]
    figures: Figures = field(default_factory=Figures)

    def concerns(self, about: frozenset[str]) -> bool:
        """Whether its figures may be said of these names: of no kind does it name only others, and it shares one at least.

        What is said of nothing, or of a plan alone, may come from anywhere else.
        """
        kinds = Counter(map(kind_of, about))
        for kind in kinds.keys() & set(map(kind_of, self.about)):
            said, own = ({name for name in names if kind_of(name) == kind} for names in (about, self.about))
            if said.isdisjoint(own):
                return False
            is_lane = kind == "site" and len(own) == 2 and kinds["sku"] < 2 and kinds["line"] < 2
            if is_lane and not (said <= own or own <= said):
                return False  # another lane from or to the same site
        stock = {name for name in about if kind_of(name) != "plan"}
        return not stock or not stock.isdisjoint(self.about)


@dataclass(slots=True)
class _Node:
    """An object of a document while it is read: what identifies it, what is below it, and its figures."""

    own: frozenset[str]
    figures: Figures
    inside: list[_Node] = field(default_factory=list)
    sentences: list[Statement] = field(default_factory=list)

    def below(self) -> frozenset[str]:
        """What identifies everything in it."""
        return self.own.union(*(each.below() for each in self.inside), *(each.about for each in self.sentences))


def records_of(document: Any, named: frozenset[str], vocabulary: Vocabulary) -> Iterator[Record]:
    """The records of an answer. `named` is what the call that was answered named."""
    root = _node(document if isinstance(document, dict) else {"answer": document}, vocabulary)
    whole = root.below() | named
    yield from _records(root, named, whole)


def _records(node: _Node, above: frozenset[str], whole: frozenset[str]) -> Iterator[Record]:
    known = above | node.own
    about = known | node.below()
    yield Record(about if _names_stock(about) else about | whole, node.figures)
    for statement in node.sentences:
        figures = Figures()
        figures.add(statement.said)
        yield Record(known | statement.about, figures)
    for inside in node.inside:
        yield from _records(inside, known, whole)


def _names_stock(about: frozenset[str]) -> bool:
    return any(kind_of(name) in ("sku", "site") for name in about)


def _node(document: dict[str, Any], vocabulary: Vocabulary) -> _Node:
    node, own = _Node(frozenset(), Figures()), set[str]()
    for key, value in document.items():
        if any(map(str.isdigit, key)):  # figures by a count: `1_to_3_days`
            node.figures.add(read(key.replace("_", " "), vocabulary))
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, dict):
                node.inside.append(_node(each, vocabulary))
            elif isinstance(each, list | tuple):
                node.inside.append(_node({key: each}, vocabulary))
            else:
                own |= _take(node, key, each, vocabulary)
        if isinstance(value, list | tuple):
            node.figures.numbers.add(Decimal(len(value)))
    node.own = frozenset(own)
    return node


def _take(node: _Node, key: str, value: Any, vocabulary: Vocabulary) -> frozenset[str]:
    """Take a plain value into a node; returns the names that it identifies the node by."""
    figures = node.figures
    if isinstance(value, bool) or value is None:
        return frozenset()
    if isinstance(value, int | float):
        figures.numbers.add(Decimal(str(value)))
        if isinstance(value, float) and 0 < value < 1:
            figures.shares.add(Decimal(str(value)))
        return frozenset({f"line {value}"}) if key == "line_no" else frozenset()
    text = str(value)
    if key == "plan" and text:
        return frozenset({plan_name(text)})
    name = _name_alone(text, vocabulary)
    if name:
        return name
    if key.endswith("_percent") and (share := _decimal(text)) is not None:
        figures.shares.add(share / 100)
    for statement in statements(text, vocabulary):
        if statement.about:
            node.sentences.append(statement)
        else:
            figures.add(statement.said)
    return frozenset()


def _name_alone(text: str, vocabulary: Vocabulary) -> frozenset[str]:
    """The names that a value stands for that is nothing else."""
    if not 0 < len(text) <= _NAME_CHARACTERS_MAX:
        return frozenset()
    found = next(vocabulary.find(text), None)
    if found is not None and (found.start, found.end) == (0, len(text)):
        return found.entities
    return names_in(read(text, vocabulary), vocabulary) if text.startswith("masked-") else frozenset()


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
