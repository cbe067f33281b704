"""What the llm was shown in a conversation: the only things that its answer may say.

Facts are what tools answered, as records (see `records`), and earlier answers that were
checked. What the user wrote and what the instructions say, the policy among it, is no
fact: its numbers may be repeated only in sentences that speak of what was asked or of
what is permitted.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Self

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graphs.grounding.numbers import Number, Reading, decimals
from graphs.grounding.reading import Clock, Code, Day, Known, Said, read
from graphs.grounding.records import Figures, Record, records_of
from graphs.grounding.shares import Place, Share
from graphs.grounding.statements import Statement, kind_of, names_in, statements
from graphs.grounding.vocabulary import TOKEN, Vocabulary

UNSOURCED = "unsourced"
"""Key of a message's metadata: what its answer said without a source."""
_PREFIX_MIN = 6
_SPANS = {"week": 7, "weeks": 7, "fortnight": 14, "month": 30, "months": 30}


@dataclass(slots=True)
class _Named:
    """Names, ids, dates and times that were shown, whatever they are about."""

    days: set[tuple[int | None, int, int | None]] = field(default_factory=set)
    clocks: set[tuple[int, int]] = field(default_factory=set)
    entities: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    rows_max: int = 0


class Source:
    """Where the numbers of one sentence may come from."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._sorted = sorted(figures.numbers)

    def has(self, said: Number) -> bool:
        """Whether a number is there, or one that it is a rounding of; a percentage also as a share of one."""
        if any(self._has_reading(reading) for reading in said.readings):
            return True
        return said.percent and any(self._has_reading(_as_share(each), most=Decimal(1)) for each in said.readings)

    def has_value(self, value: Decimal) -> bool:
        """Whether exactly this number is there."""
        return value in self._figures.numbers

    def has_share(self, said: Share) -> bool:
        """Whether a part or a multiple is there: as a percentage, or in the same words."""
        by_value = not said.vague and any(map(said.fits, self._figures.shares))
        return by_value or said.written.lower() in self._figures.words

    def _has_reading(self, reading: Reading, most: Decimal | None = None) -> bool:
        if most is None and reading.value in self._figures.numbers:
            return True
        low, high = bisect_left(self._sorted, reading.least), bisect_right(self._sorted, reading.most)
        places = decimals(reading.value)
        return any(
            (reading.rough or decimals(value) > places or value == reading.value) and (most is None or value <= most)
            for value in self._sorted[low:high]
        )


class Evidence:
    """Numbers by what they are about, and the dates, times, names and ids, that a conversation holds."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._named = _Named()
        self._records: list[Record] = []
        self._asked = Figures()
        self._assumed = Figures()
        self._sources: dict[tuple[frozenset[str], bool], Source] = {}

    @classmethod
    def of(cls, messages: Sequence[BaseMessage], vocabulary: Vocabulary) -> Self:
        """What the messages hold: instructions, what the user wrote, what tools answered, and answers that were checked.

        What the llm said beside a tool call, and an answer with something in it that had
        no source, are no evidence. A call's own arguments are none either, so that no
        figure gets in by being asked for; but what was assumed may be said as such.
        """
        evidence = cls(vocabulary)
        asked: dict[str, dict[str, Any]] = {}
        for message in messages:
            match message:
                case ToolMessage():
                    evidence._add_result(message, asked.get(message.tool_call_id, {}))
                case AIMessage() if message.tool_calls or message.invalid_tool_calls:
                    asked |= {str(call["id"]): call["args"] for call in message.tool_calls}
                case AIMessage() if message.response_metadata.get(UNSOURCED):
                    continue
                case AIMessage():
                    evidence._add_told(str(message.text))
                case HumanMessage():
                    evidence._add_asked(str(message.text))
                    evidence._add_spans(str(message.text))
                case SystemMessage():
                    evidence._add_asked(str(message.text))
        return evidence

    def source_for(self, statement: Statement) -> Source:
        """Where the numbers of a sentence may come from: records that concern what it is about.

        A SKU or site that is not known here says nothing about where a number comes
        from, and neither does a line that no record names.
        """
        lines = frozenset[str]().union(*(record.about for record in self._records))
        about = frozenset(
            name
            for name in statement.about
            if name in (self._named.entities if kind_of(name) in ("sku", "site") else lines)
        )
        key = (about, statement.repeats)
        if key not in self._sources:
            figures = Figures()
            for record in self._records:
                if record.concerns(about):
                    figures.merge(record.figures)
            if statement.repeats:
                figures.merge(self._asked)
            self._sources[key] = Source(figures)
        return self._sources[key]

    def holds(self, said: Said, source: Source) -> bool:
        """Whether something that was said has a source."""
        named = self._named
        match said:
            case Known():
                as_number = said.written.isdigit() and source.has_value(Decimal(said.written))
                held = as_number or not said.entities.isdisjoint(named.entities) or _is_line(said, source)
            case Code():
                held = self._holds_code(said, source)
            case Day():
                held = any(_same_day(said, day) for day in named.days)
            case Clock():
                held = (said.hour, said.minute) in named.clocks
            case Place():
                held = said.number <= named.rows_max or source.has_value(Decimal(said.number))
            case Share():
                held = source.has_share(said) or any(map(said.fits, self._assumed.shares))
            case Number():
                held = self._holds_number(said, source)
        return held

    def _holds_code(self, said: Code, source: Source) -> bool:
        code = said.written.lower()
        parts = code.split("-")  # `S1-S2` names two sites
        known = self._named.codes
        return (
            code in known
            or (len(code) >= _PREFIX_MIN and any(each.startswith(code) and len(each) > 30 for each in known))
            or (len(parts) > 1 and all(part in known for part in parts))
            or (said.number is not None and self._holds_number(said.number, source))
        )

    def _holds_number(self, said: Number, source: Source) -> bool:
        if source.has(said) or (said.percent and any(r.value in self._assumed.numbers for r in said.readings)):
            return True
        if said.written.isdigit() and len(said.written) >= _PREFIX_MIN and self._holds_code(Code(said.written), source):
            return True  # a digest may begin with digits only
        if (
            said.written.isdigit()
            and len(said.written) == 4
            and int(said.written) in {y for y, _, _ in self._named.days}
        ):
            return True
        return bool(said.parts) and all(self._holds_number(part, source) for part in said.parts)

    def _add_result(self, message: ToolMessage, arguments: dict[str, Any]) -> None:
        """What a tool answered, as records. Of a refusal, what it does not merely repeat."""
        try:
            document = json.loads(str(message.text))
        except ValueError:
            document = str(message.text)
        refused = message.status == "error" or (isinstance(document, dict) and "error" in document)
        repeated = list(read("; ".join(str(value) for value in _scalars(arguments)), self.vocabulary))
        said = list(read("; ".join(map(str, _scalars(document))), self.vocabulary))
        if refused:
            spoken = set(map(_core, repeated))
            own = [each for each in said if _core(each) not in spoken]
            self._add_names(own)
            figures = Figures()
            figures.add(own)
            self._records.append(Record(names_in(own, self.vocabulary), figures))
            return
        self._add_names(said)
        self._records += records_of(document, names_in(repeated, self.vocabulary), self.vocabulary)
        self._named.rows_max = max([self._named.rows_max, *_sizes(document)])
        self._add_assumed(arguments)

    def _add_assumed(self, arguments: dict[str, Any]) -> None:
        """Arguments that say what was assumed or asked for, not how much there is: an answer may repeat them as that."""
        for name, value in arguments.items():
            if type(value) is not int:
                continue
            if name.endswith("_days"):
                self._asked.numbers.add(Decimal(value))
            if name.endswith("_percent"):
                change = abs(value - 100)  # 120 %: 20 % more
                self._assumed.numbers |= {Decimal(value), Decimal(change)}
                self._assumed.shares |= {Decimal(value) / 100, Decimal(change) / 100}

    def _add_told(self, text: str) -> None:
        """An earlier answer, sentence by sentence. What it repeated of the question is still no fact."""
        for statement in statements(text, self.vocabulary):
            self._add_names(statement.said)
            figures = self._asked if statement.repeats else Figures()
            figures.add(statement.said)
            if not statement.repeats:
                self._records.append(Record(statement.about, figures))

    def _add_asked(self, text: str) -> None:
        for statement in statements(text, self.vocabulary):
            self._add_names(statement.said)
            self._asked.add(statement.said)

    def _add_spans(self, text: str) -> None:
        """Spans of time that stand for a number of days: `within a week`."""
        words = [word.lower() for word in TOKEN.findall(text)]
        self._asked.numbers.update(Decimal(_SPANS[word]) for word in words if word in _SPANS)
        for said in read(text, self.vocabulary):
            if isinstance(said, Number):
                values = [reading.value for reading in said.readings]
                self._asked.numbers.update(value * 7 for value in values if "week" in words or "weeks" in words)

    def _add_names(self, found: Iterable[Said]) -> None:
        named = self._named
        for said in found:
            match said:
                case Known():
                    named.entities |= said.entities
                    named.codes.add(said.written.lower())
                case Code(number=None):
                    named.codes.add(said.written.lower())
                case Day():
                    named.days.add((said.year, said.month, said.day))
                    if said.clock is not None:
                        named.clocks.add((said.clock.hour, said.clock.minute))
                case Clock():
                    named.clocks.add((said.hour, said.minute))


def _is_line(said: Known, source: Source) -> bool:
    """Whether a line of a plan is one by its number alone: not every line of a plan is shown."""
    return any(kind_of(name) == "line" and source.has_value(Decimal(name.split()[1])) for name in said.entities)


def _core(said: Said) -> object:
    """What was said, whatever its spelling."""
    match said:
        case Known():
            return said.entities
        case Code():
            return said.written.lower()
        case Number():
            return tuple(reading.value for reading in said.readings)
        case Place():
            return (Decimal(said.number),)
    return replace(said, written="")


def _same_day(said: Day, day: tuple[int | None, int, int | None]) -> bool:
    """Whether a date is as much of a known date as was said. Where both may be the month, either will do."""
    year, month, number = day
    if said.year not in (None, year):
        return False
    if (said.month, said.day) in ((month, number), (month, None)):
        return True
    slashed = "/" in said.written or "." in said.written
    return slashed and (said.day, said.month) == (month, number)


def _as_share(reading: Reading) -> Reading:
    """The same percentage as a share of one."""
    return Reading(reading.value / 100, reading.least / 100, reading.most / 100, reading.rough)


def _scalars(document: Any) -> Iterator[Any]:
    """Every value of a JSON document that holds no others, and the names that counts go by."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield str(name).replace("_", " ")
            yield from _scalars(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from _scalars(value)
    elif document is not None and not isinstance(document, bool):
        yield document


def _sizes(document: Any) -> Iterator[int]:
    """How many rows each list of a JSON document has."""
    if isinstance(document, dict):
        for value in document.values():
            yield from _sizes(value)
    elif isinstance(document, list | tuple):
        yield len(document)
        for value in document:
            yield from _sizes(value)
