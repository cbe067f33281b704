"""Small parts of sentences: counts, lists, dates, ends. Nothing here makes up a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from tools.counted import counted

ROWS_SAID = 5
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?(?:Z|\+00:00)")


def listed(parts: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    head, last = ", ".join(parts[:-1]), "".join(parts[-1:])
    return f"{head} {word} {last}" if head else last


def instant(text: str) -> str:
    """An instant in UTC for people, to the minute: `2026-03-02 06:00 UTC`. Dates and anything else stay as they are."""
    found = _INSTANT.fullmatch(text)
    return f"{found[1]} {found[2]} UTC" if found else text


def rows_of(rows: Iterable[str], most: int = ROWS_SAID) -> str:
    """The first rows, one in its sentence, several a line each; nothing where there is no row."""
    said = [" ".join(row.split()) for row in islice(rows, most)]
    if len(said) > 1:
        return "".join(f"\n- {row}" for row in said) + "\n"
    return f"{said[0]}." if said else ""


def sentence(text: str) -> str:
    """The text with a full stop at its end, and a capital at its beginning unless that is a name or an id."""
    plain = " ".join(text.split())
    if not plain:
        return ""
    first = plain.split()[0].rstrip(",:;")
    beginning = plain[0].upper() if first.isalpha() and first.islower() else plain[0]
    return f"{beginning}{plain[1:]}{'' if plain[-1] in '.!?' else '.'}"


def more(rows: int, not_shown: int, hint: str = "", most: int = ROWS_SAID) -> str:
    """A sentence when there are more rows than are said, with the number only where the result gives it."""
    if rows > most:
        return f" There are more. {hint}".rstrip()
    return (
        f" {counted(not_shown, 'more row')} {'is' if not_shown == 1 else 'are'} not shown. {hint}".rstrip()
        if not_shown
        else ""
    )
