"""What somebody may ask next: sentences that the rule-based planner understands as well as a language model does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from app.views import ImbalanceView, LineView
from graphs.names import ELSEWHERE

SUGGESTED_MAX = 6
_PLAIN = re.compile(r"[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*")
ALWAYS = ("Rebalance everything within a week", "Can I trust the data?", "What waits for a decision?")
"""What can be asked of any network."""
_BY_KIND = {"expiring": "What is expiring?", "surplus": "Where is a surplus?", "stranded": "What is stranded?"}


def first_questions(found: Sequence[ImbalanceView], masked: Iterable[str] = ()) -> list[str]:
    """What to begin with, from what is out of balance at the caller's sites; `found` begins with the costliest.

    SKUs that are masked for the caller are not named.
    """
    hidden = frozenset(masked)
    short = next((row for row in found if row.kind == "shortage" and row.sku_id not in hidden), None)
    asked: list[str] = []
    if short is not None:
        sku, site = named(short.sku_id), named(short.site_id)
        asked += [
            f"Rebalance {sku}", f"Why is {sku} short at {site}?", f"How long will {sku} last at {site}?",
        ]  # fmt: skip
    worst = _worst_site(found)
    if worst is not None:
        asked.append(f"What is wrong at {named(worst)}?")
    kinds = dict.fromkeys(row.kind for row in found)
    asked += [words for kind, words in _BY_KIND.items() if kind in kinds]
    return [*asked[: SUGGESTED_MAX - 1], ALWAYS[0]] if asked else list(ALWAYS)


def questions_about_a_plan(lines: Sequence[LineView], *, has_one_before: bool) -> list[str]:
    """What to ask once there is a plan."""
    if not lines:
        return ["What is short?", ALWAYS[0]]
    best = max(lines, key=lambda line: (line.saving_minor, -line.line_no))
    asked = [f"Why line {best.line_no}?", "Explain the plan", "What if demand rises by 20 %?"]
    origins = [line.origin for line in lines if line.origin != ELSEWHERE]
    if origins:
        busiest = max(dict.fromkeys(origins), key=origins.count)
        asked.append(f"What if {named(busiest)} is closed?")
    if has_one_before:
        asked.append("Compare with the plan before")
    return asked[:SUGGESTED_MAX]


def questions_while_it_waits() -> list[str]:
    """What to ask in another conversation while the plan of this one waits."""
    return ["What waits for a decision?", "What is short?", "Can I trust the data?"]


def named(name: str) -> str:
    """A name as the planner reads it: in quotes when it is more than one plain word."""
    return name if _PLAIN.fullmatch(name) else f'"{name}"'


def _worst_site(found: Sequence[ImbalanceView]) -> str | None:
    at_stake: dict[str, int] = {}
    for row in found:
        at_stake[row.site_id] = at_stake.get(row.site_id, 0) + row.severity_minor
    return max(at_stake, key=lambda site_id: (at_stake[site_id], site_id)) if at_stake else None
