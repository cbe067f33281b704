"""A question about a plan, taken apart: which lines it is about, and which part of the plan's record answers it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.views import LineView

LINES_MAX = 3
_LINE = re.compile(r"\blines?\s*(?:no\.?\s*|number\s*|#\s*)?(\d{1,6})", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]{3,}")
_ASKS = re.compile(r"\?|^\s*(?:why|what|how|which|where|when|explain)\b", re.IGNORECASE)
_SUBJECTS = (
    ("now", ("changed", "still", "fresh", "now", "today", "outdated")),
    ("risk", ("risk", "sure", "certain", "uncertain", "wrong", "doubt", "data", "quality")),
    ("others", ("alternative", "alternatives", "instead", "else", "other", "lost", "negotiated", "negotiation", "claimed")),
    ("rules", ("rule", "rules", "policy", "allowed", "permitted")),
)  # fmt: skip


def is_question(words: str) -> bool:
    """Whether something is asked, and not only remarked."""
    return _ASKS.search(words) is not None


def lines_meant(words: str, lines: Sequence[LineView]) -> list[int]:
    """The lines that a question names: by number, or by SKU and site. The most valuable of several."""
    by_number = {int(number) for number in _LINE.findall(words)}
    named = [line for line in lines if line.line_no in by_number]
    if not named:
        asked = set(_WORD.findall(words.lower()))
        scored = [(_score(line, asked, words.lower()), line) for line in lines]
        best = max((score for score, _ in scored), default=0)
        named = [line for score, line in scored if score == best and best > 0]
    return [line.line_no for line in sorted(named, key=lambda each: -each.saving_minor)[:LINES_MAX]]


def subjects_of(words: str) -> list[str]:
    """Which parts of the record a question is about."""
    asked = set(_WORD.findall(words.lower()))
    return [name for name, signs in _SUBJECTS if asked & set(signs)]


def _score(line: LineView, asked: set[str], words: str) -> int:
    """How much of a line a question names; a SKU says more than a site."""
    sku = 4 * (line.sku_id.lower() in words) + 4 * (line.sku_name.lower() in words)
    sites = (line.origin.lower() in words) + (line.destination.lower() in words)
    return sku + sites + len(asked & set(_WORD.findall(line.sku_name.lower())))
