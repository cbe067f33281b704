"""How many of something, in words."""

from __future__ import annotations


def counted(number: float, one: str, several: str = "") -> str:
    """A number with what it counts: `1 day`, `1,234 days`. `several` where that is not `one` with an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
