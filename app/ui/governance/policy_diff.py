"""What differs between two released policies: sentence by sentence, and number by number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any

from policies.brief import brief
from policies.schema import Policy
from tools.money import money_text

_NOT_THERE = "not there"
_ABOUT_ITSELF = ("name", "release", "summary")
_SECTIONS = {
    "economics": "What things cost",
    "service_levels": "Service levels",
    "source_protection": "What donors keep",
    "lanes": "Lanes",
    "cool_down": "Moving back",
    "benefit": "What a transfer must earn",
    "size": "Sizes",
    "horizon": "Time",
    "imbalance": "What counts as an imbalance",
    "data_quality": "Data quality",
    "tiers": "Approval tiers",
    "negotiation": "Competing claims",
    "merchandise": "Merchandise",
    "departures": "Departures",
    "approvals": "Approvals",
}
_LEVELS = ("service_levels", "source_protection")
"""Sections whose bare A, B and C are in hundredths of a percent."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that only one of the two has. `added`: the second one."""

    words: str
    added: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs."""

    section: str
    what: str
    before: str
    after: str


def changed_sentences(before: Policy, after: Policy, currency: str) -> list[Sentence]:
    """The sentences that only one of the two has, in the order of the documents. The summaries are left out."""
    old, new = brief(before, currency).splitlines()[1:], brief(after, currency).splitlines()[1:]
    found = []
    for tag, first, last, first_new, last_new in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            found += [Sentence(words, added=False) for words in old[first:last]]
            found += [Sentence(words, added=True) for words in new[first_new:last_new]]
    return found


def changed_values(before: Policy, after: Policy, currency: str) -> list[Change]:
    """The values that differ, in the order of the documents. A new part's conditions that ask for nothing are left out."""
    old = dict(_leaves(before.model_dump(mode="json")))
    new = dict(_leaves(after.model_dump(mode="json")))
    found = []
    for path in dict.fromkeys((*old, *new)):
        was, now = old.get(path, _NOT_THERE), new.get(path, _NOT_THERE)
        says_nothing = _NOT_THERE in (was, now) and not (now if was == _NOT_THERE else was)
        if path[0] not in _ABOUT_ITSELF and was != now and not says_nothing:
            shown = [_NOT_THERE if value is _NOT_THERE else value_words(path, value, currency) for value in (was, now)]
            found.append(Change(_SECTIONS.get(path[0], path[0]), what_words(path), *shown))
    return found


def _leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with the way to it. Of lists of named things each is looked into by its name."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, str(name)))
    elif isinstance(value, list) and value and all(isinstance(each, Mapping) and "name" in each for each in value):
        for each in value:
            yield from _leaves({name: inner for name, inner in each.items() if name != "name"}, (*path, each["name"]))
    else:
        yield path, value


def what_words(path: Sequence[str]) -> str:
    """What a value is, in words: `tiers/standard/units_max` is `standard: units, at most`."""
    *within, last = path[1:] or path
    words = [part for part in last.split("_") if part not in ("minor", "bp", "e6")]
    ends = {"max": ", at most", "min": ", at least"}
    bound = ends.get(words[-1], "") if len(words) > 1 else ""
    name = " ".join(words[:-1] if bound else words) + bound
    return f"{', '.join(part.replace('_', ' ') for part in within)}: {name}" if within else name


def value_words(path: Sequence[str], value: object, currency: str) -> str:
    """A value for people, in the unit that its name says."""
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case int():
            return _number_words(path, value, currency)
        case list():
            return ", ".join(_listed(each) for each in value) or "none"
        case _:
            return str(value).replace("_", " ")


def _number_words(path: Sequence[str], value: int, currency: str) -> str:
    name = path[-1]
    if name.endswith("_minor"):
        return money_text(value, currency)
    if name.endswith("_bp") or "_bp_" in name or (path[0] in _LEVELS and len(name) == 1):
        return f"{value / 100:g} %"
    if "_e6" in name:
        return f"{Decimal(value).scaleb(-6):,f}".rstrip("0").rstrip(".")
    return f"{value:,}"


def _listed(each: object) -> str:
    if isinstance(each, Mapping):
        return " → ".join(str(inner) for inner in each.values() if inner is not None)
    return str(each).replace("_", " ")
