"""Where things stand: what waits for a decision, what was decided, and where the transfer orders are."""

from __future__ import annotations

import re
from typing import Any, get_args

from graphs.baseline.fragments import OF, words_of
from graphs.baseline.names import cut_names
from graphs.baseline.readings import NOT_ALL_EXCEPT, ROWS, limit_of, named
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import CHATTY, Role
from tools.catalog import Status
from tools.execution import OrderState

APPROVALS = (
    r"(?:needs?|need) (?:an? )?(?:approval|decision|to be approved|to be decided)",
    r"(?:waits?|waiting|pending|undecided|outstanding)(?: for)?(?: an?| the| my)? (?:approval|approvals|decision|decisions|approvers?)",
    r"(?:the )?(?:approval |approver |approvers )queue",
    r"(?:approvals?|requests?|decisions?|approvers?)",
)
DECIDED = (r"(?:approved|rejected|decided|turned down|accepted|expired)(?: yet)?",)
ORDERS = (
    r"(?:transfer )?orders?",
    r"(?:my|our|the|open|all) (?:transfers?|shipments?|deliveries)",
    r"transfers",
)
STUCK = r"(?:stuck|hanging|need(?:s|ing)? attention)"
"""Of orders: somebody has to look at them."""
ALL_THAT_WERE = r"^(?:please )?(?:list|show|which|what|everything|all|give)(?!\S)[^|]* (?P<state>approved|rejected|expired)(?: (?:plans?|requests?))?(?= (?:\||$|,)|$)"
"""Asks for those in one state, and not whether something is in it."""
OPEN_ORDERS = r"(?:open|running|unfinished|outstanding|pending|current) (?:transfer )?orders?"
STATUS = (
    *APPROVALS,
    *DECIDED,
    r"(?:status|state)",
    r"(?:waits?|waiting|pending|open|outstanding|undecided)(?: for)?(?: an?| the| my)?",
    r"(?:the )?queue",
    OPEN_ORDERS,
    *ORDERS,
    r"(?:shipped)(?: yet)?",
    r"(?:under way|underway|on the way|on its way|on their way|in transit)",
)
"""`plans` and the like are passed over beside these."""
_ID_OR_NAME = re.compile(r"[A-Z0-9]")
"""What only sites look like among the plain words of such a question."""
LAST = r"(?:the )?(?:last|latest|newest|most recent) {number}"
ASIDES = CHATTY | frozenset(["stuck", "newest", "latest", "last", "gone", "through", "been"])

WORDS = words_of(*STATUS, LAST)

_ANY_DECISION = list(get_args(get_args(Status.model_fields["approval_statuses"].annotation)[0]))
_OPEN = [state.value for state in OrderState if not state.is_final]


def is_status_question(utterance: Utterance) -> bool:
    """Whether an utterance asks what waits, or where transfers are."""
    return utterance.has(*STATUS)


def status_question(utterance: Utterance) -> Call | Ask:
    """The queue and the orders, or one of them; of the planner's own when they say so. Names are sites."""
    arguments = _what(utterance)
    utterance.take(*STATUS, leave=OF)
    utterance.take(r"(?:transfer )?plans?")
    arguments |= limit_of(utterance.take(LAST, *ROWS))
    cut = cut_names(utterance, ASIDES, strict=False)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.WITHOUT]:
        return NOT_ALL_EXCEPT
    sites = named(cut)
    if not all(_ID_OR_NAME.search(site) for site in sites):
        return Ask(
            "I can show what waits and where the transfer orders are as a whole, or for sites: name them by their ids."
        )
    return call("status", arguments | {"sites": sites})


def _what(utterance: Utterance) -> dict[str, Any]:
    """Which part is asked for: nothing means all of it."""
    mine = {"mine": True} if utterance.has(r"my(?: own)? (?:plans?|requests?|approvals?|orders?|transfers?)") else {}
    one_state = utterance.again().take(ALL_THAT_WERE)
    if one_state:
        return mine | {"about": "approvals", "approval_statuses": [one_state[0]["state"].lower()]}
    if utterance.has(*DECIDED):
        return mine | {"about": "approvals", "approval_statuses": _ANY_DECISION}
    approvals, orders = utterance.has(*APPROVALS), utterance.has(*ORDERS)
    if orders and not approvals:
        states = (
            [OrderState.NEEDS_ATTENTION.value] if utterance.has(STUCK) else _OPEN if utterance.has(OPEN_ORDERS) else []
        )
        return mine | {"about": "orders"} | ({"order_states": states} if states else {})
    return mine | ({"about": "approvals"} if approvals and not orders else {})
