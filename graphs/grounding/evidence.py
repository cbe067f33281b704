"""What the llm was shown in a conversation: the only things that its answer may say."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Self

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graphs.grounding.numbers import Number, Reading, decimals
from graphs.grounding.reading import Clock, Code, Day, Known, Said, read
from graphs.grounding.vocabulary import TOKEN, Vocabulary

UNSOURCED = "unsourced"
"""Key of a message's metadata: what its answer said without a source."""
_PREFIX_MIN = 6
_ASSUMED = ("_percent", "_days")
"""Arguments that say what was assumed or asked for, not how much there is: an answer may repeat them."""
_SPANS = {"week": 7, "weeks": 7, "fortnight": 14, "month": 30, "months": 30}


@dataclass(slots=True)
class _Gathered:
    """Sets that grow while messages are read."""

    numbers: set[Decimal] = field(default_factory=set)
    days: set[tuple[int | None, int, int | None]] = field(default_factory=set)
    clocks: set[tuple[int, int]] = field(default_factory=set)
    entities: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)


class Evidence:
    """Numbers, dates, times, names and ids that a conversation holds."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._held = _Gathered()

    @classmethod
    def of(cls, messages: Sequence[BaseMessage], vocabulary: Vocabulary) -> Self:
        """What the messages hold: instructions, what the user wrote, what tools answered, and answers that were checked.

        What the llm said beside a tool call, and an answer with something in it that had
        no source, are no evidence. A refused call's own arguments are none either, so
        that no figure gets in by being asked for.
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
                case HumanMessage():
                    evidence._add_text(str(message.text))
                    evidence._add_spans(str(message.text))
                case AIMessage() | SystemMessage():
                    evidence._add_text(str(message.text))
        return evidence

    def holds(self, said: Said) -> bool:
        """Whether something that was said has a source."""
        match said:
            case Known():
                as_number = said.written.isdigit() and Decimal(said.written) in self._held.numbers
                return as_number or not said.entities.isdisjoint(self._held.entities)
            case Code():
                return self._holds_code(said)
            case Day():
                return any(_same_day(said, day) for day in self._held.days)
            case Clock():
                return (said.hour, said.minute) in self._held.clocks
            case Number():
                return self._holds_number(said)

    def _holds_code(self, said: Code) -> bool:
        code = said.written.lower()
        parts = code.split("-")  # `S1-S2` names two sites
        known = self._held.codes
        return (
            code in known
            or (len(code) >= _PREFIX_MIN and any(each.startswith(code) and len(each) > 30 for each in known))
            or (len(parts) > 1 and all(part in known for part in parts))
            or (said.number is not None and self._holds_number(said.number))
        )

    def _holds_number(self, said: Number) -> bool:
        if any(self._holds_reading(reading) for reading in said.readings):
            return True
        if said.percent and any(self._holds_reading(_as_share(reading), most=Decimal(1)) for reading in said.readings):
            return True
        if said.written.isdigit() and len(said.written) >= _PREFIX_MIN and self._holds_code(Code(said.written)):
            return True  # a digest may begin with digits only
        if said.written.isdigit() and len(said.written) == 4 and int(said.written) in self._years:
            return True
        return bool(said.parts) and all(self._holds_number(part) for part in said.parts)

    def _holds_reading(self, reading: Reading, most: Decimal | None = None) -> bool:
        """Whether a value is there, or one that it is a rounding of."""
        if most is None and reading.value in self._held.numbers:
            return True
        low, high = bisect_left(self._sorted, reading.least), bisect_right(self._sorted, reading.most)
        within = self._sorted[low:high]
        places = decimals(reading.value)
        return any(
            (reading.rough or decimals(value) > places or value == reading.value) and (most is None or value <= most)
            for value in within
        )

    @cached_property
    def _sorted(self) -> list[Decimal]:
        return sorted(self._held.numbers)

    @cached_property
    def _years(self) -> frozenset[int | None]:
        return frozenset(year for year, _, _ in self._held.days)

    def _add_result(self, message: ToolMessage, arguments: dict[str, Any]) -> None:
        """What a tool answered; numbers of rows count as said. Of a refusal, what it does not merely repeat."""
        try:
            document = json.loads(str(message.text))
        except ValueError:
            document = str(message.text)
        refused = message.status == "error" or (isinstance(document, dict) and "error" in document)
        texts = [str(value) for value in _scalars(document) if not isinstance(value, bool)]
        if not refused:
            self._add_text("; ".join(texts))
            self._held.numbers.update(Decimal(size) for size in _sizes(document))
            assumed = [v for name, v in arguments.items() if name.endswith(_ASSUMED) and type(v) is int]
            self._held.numbers.update(Decimal(value) for value in assumed)
            self._held.numbers.update(Decimal(value - 100) for value in assumed if value > 100)  # 120 %: 20 % more
            return
        repeated = list(read("; ".join(str(value) for value in _scalars(arguments)), self.vocabulary))
        own = [said for said in read("; ".join(texts), self.vocabulary) if _core(said) not in map(_core, repeated)]
        self._add(own)

    def _add_spans(self, text: str) -> None:
        """Spans of time that stand for a number of days: `within a week`."""
        words = [word.lower() for word in TOKEN.findall(text)]
        self._held.numbers.update(Decimal(_SPANS[word]) for word in words if word in _SPANS)
        for said in read(text, self.vocabulary):
            if isinstance(said, Number):
                values = [reading.value for reading in said.readings]
                self._held.numbers.update(value * 7 for value in values if "week" in words or "weeks" in words)

    def _add_text(self, text: str) -> None:
        self._add(read(text, self.vocabulary))

    def _add(self, found: Iterable[Said]) -> None:
        held = self._held
        for said in found:
            match said:
                case Known():
                    held.entities |= said.entities
                    held.codes.add(said.written.lower())
                    if said.written.isdigit():
                        held.numbers.add(Decimal(said.written))
                case Code():
                    held.codes.add(said.written.lower())
                    if said.number is not None:
                        self._add((said.number,))
                case Day():
                    held.days.add((said.year, said.month, said.day))
                    if said.clock is not None:
                        held.clocks.add((said.clock.hour, said.clock.minute))
                case Clock():
                    held.clocks.add((said.hour, said.minute))
                case Number():
                    held.numbers.update(reading.value for reading in said.readings)
                    self._add(said.parts)


def _core(said: Said) -> object:
    """What was said, whatever its spelling."""
    match said:
        case Known():
            return said.entities
        case Code():
            return said.written.lower()
        case Number():
            return tuple(reading.value for reading in said.readings)
        case Day():
            return (said.year, said.month, said.day)
        case Clock():
            return (said.hour, said.minute)


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
    elif document is not None:
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
