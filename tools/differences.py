"""Where two documents differ, place by place: for plans that are made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

MISSING = "(nothing)"
"""What stands for a value that only the other document has."""


class Difference(NamedTuple):
    """A place, such as `lines[3].units`, and what the two documents have there."""

    where: str
    one: Any
    other: Any


def differences(one: Any, other: Any, where: str = "") -> Iterator[Difference]:
    """Every place where two JSON documents differ, in the order of the first; nothing where they are equal.

    A whole number and a truth value are never the same, whatever Python says.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            place = f"{where}.{name}" if where else str(name)
            yield from differences(one.get(name, MISSING), other.get(name, MISSING), place)
    elif isinstance(one, list) and isinstance(other, list):
        for at in range(max(len(one), len(other))):
            yield from differences(_at(one, at), _at(other, at), f"{where}[{at}]")
    elif one != other or type(one) is not type(other):
        yield Difference(where, one, other)


def _at(values: list[Any], at: int) -> Any:
    return values[at] if at < len(values) else MISSING
