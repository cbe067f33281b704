"""Late supply in a what-if: by how many days, and whose. What the data does not know, such as the supplier, is asked about."""

from __future__ import annotations

from typing import Any

from graphs.baseline.fragments import OF, days_in, pattern, words_of
from graphs.baseline.names import Cut, cut_names
from graphs.baseline.plan_requests import EVERYTHING
from graphs.baseline.understood import Ask, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import SUPPOSING, Role

SUPPLY = (
    (
        r"(?:the |our |all |regular |open |of |next |coming |incoming |expected )*(?:supply|supplies|suppliers?|delivery|deliveries|inbound|replenishments?"
        r"|purchase orders?|pos?|arrivals?|shipments?)"
    ),
)
ARRIVES_LATE = (
    r"(?:arrives?|comes?|gets? (?:here|there|in)) {span} (?:late|later)(?: than (?:planned|expected|promised))?",
)
"""Says by itself that supply is late."""
LATE = (
    *ARRIVES_LATE,
    r"(?:{be} )?(?:delays?|delayed|postponed|pushed back|pushed out|held up|slip|slips|slipped|slipping|run late|runs late|running late|overdue)(?: back)?(?: by)? {span}",
    r"(?:{be} )?(?:(?:delivers?|shows up|show up|running|runs?) )?{span} (?:late|later|delayed|behind(?: schedule)?)",
    r"(?:{be} )?late(?: by)? {span}",
    r"(?:(?:has|have|with) )?(?:a )?delay(?: of)? {span}",
    r"(?:an? )?{span} delay",
)
WORDS = words_of(*SUPPLY, *LATE)

_BOUNDARY = r"(?:[,|] )*(?:and|but|while|[,|])(?: [,|])*"
_NO_SUPPLIER = Ask(
    "What is known of open purchase orders is the SKU, the site and the day, and not who or which lane they come by."
    " Name SKUs or sites whose supply is late."
)
_ONE_AT_A_TIME = Ask("I cannot tell what is late from what else changes. One assumption at a time, please.")


def late_supply(utterance: Utterance, beside: tuple[str, ...]) -> dict[str, Any] | Ask:
    """The delay, the names whose supply is late, and what is left out beside it; nothing where no supply is late.

    What is said about supply is taken out with its names. `beside` are the words of
    another assumption, which has names of its own.
    """
    if not (utterance.has(*LATE) and utterance.has(*SUPPLY, *ARRIVES_LATE)):
        return {}
    clause = _clause(utterance, beside)
    if clause is None:
        return _ONE_AT_A_TIME
    found = clause.take(*LATE)
    clause.take(*SUPPLY, leave=OF)
    if len(found) != 1:
        return Ask("How late is the supply? One delay at a time, please.")
    cut = supposed_names(clause)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.FROM] or cut.names[Role.BETWEEN] or cut.pairs:
        return _NO_SUPPLIER
    names = [*cut.names[Role.MENTIONS], *(name for name in cut.names[Role.TO] if name not in cut.names[Role.MENTIONS])]
    return {
        "supply_delay_days": days_in(found[0]["span"]),
        "supply_delay_of": names,
        "without": cut.names[Role.WITHOUT],
    }


def supposed_names(utterance: Utterance) -> Cut:
    """The names of a what-if once its changes have been taken out; it is about the whole network unless they narrow it."""
    utterance.take(*EVERYTHING)
    utterance.rewrite(r", (?P<what>[^|,]+)$", lambda match: f"{OF} {match['what']}")
    return cut_names(utterance, SUPPOSING, strict=True)


def _clause(utterance: Utterance, beside: tuple[str, ...]) -> Utterance | None:
    """What is said about supply, taken out of the rest: all of it, unless it stands beside something else.

    None where it cannot be told where the one ends and the other begins.
    """
    clause = utterance.again()
    other = utterance.span(*beside)
    if other is None:
        utterance.rest = ""
        return clause
    start, end = utterance.span(*SUPPLY, *LATE) or (0, 0)
    first, last = (end, other[0]) if end <= other[0] else (other[1], start)
    bounds = list(pattern(_BOUNDARY).finditer(utterance.rest, first, last))
    if first > last or len(bounds) != 1:
        return None
    parts = utterance.rest[: bounds[0].start()], utterance.rest[bounds[0].end() :]
    clause.rest, utterance.rest = parts if end <= other[0] else parts[::-1]
    return clause
