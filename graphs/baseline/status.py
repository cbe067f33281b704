"""Where things stand: what waits for a decision, what was decided, and where the transfer orders are."""

from __future__ import annotations

import re
from typing import Any, get_args

from graphs.baseline.fragments import OF, words_of
from graphs.baseline.kinds import ROWS
from graphs.baseline.names import cut_names
from graphs.baseline.readings import NOT_ALL_EXCEPT, limit_of, named
from graphs.baseline.understood import Ask, Call, call, not_understood
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import CHATTY, Role
from tools.catalog import Status
from tools.execution import OrderState

APPROVALS = (
    r"(?:(?:that |what )?(?:i|we) (?:need|have|must|should|can)(?: to)?|for (?:me|us) to|left to) (?:approve|decide(?: on)?|sign(?: off)?)",
    r"(?:needs?|need) (?:an? )?(?:approval|decision|to be approved|to be decided)",
    (
        r"(?:waits?|waiting|pending|undecided|outstanding|sitting|sat|stuck|queued|due)(?: (?:on|for|with|in|at))?(?: an?| the| my| some| any)?"
        r" (?:approvals?|decisions?|approvers?|sign off|signature|signing|green light|go ahead|authori[sz]ation|to be (?:approved|signed off|signed|decided))"
    ),
    r"(?:the )?(?:approval |approver |approvers )queue",
    r"(?:approvals?|requests?|decisions?|approvers?)",
)
_WHO = r"(?:anyone|anybody|someone|somebody|they|he|she|it|that|the approvers?|my (?:boss|manager|request|plan)|the (?:request|plan))"
_DECIDE = r"(?:approved?|reject(?:ed)?|decided?(?: on)?|sign(?:ed)?(?: (?:it|that))?(?: off)?(?: on)?|accept(?:ed)?|turn(?:ed)? (?:(?:it|that) )?down)"
DID_DECIDE = rf"(?:did|has|have)(?: (?:already|yet|actually))* {_WHO}(?: (?:already|yet|actually))* {_DECIDE}(?: or {_DECIDE})?(?: yet)?"
"""Asks for a decision, whichever it is; without one there is nothing to show."""
DECIDED = (r"(?:approved|rejected|decided|turned down|accepted|expired|signed off|knocked back)(?: yet)?",)
ORDERS = (
    r"(?:transfer orders?|orders|transfers|shipments|deliveries)(?= (?:that |which |(?:that |which )?(?:are|were|is|have been|got|still) )?(?:cancelled|canceled|refused|shipped|received|confirmed|closed|on the|in transit|under ?way))",
    r"(?:transfer )?orders?",
    r"(?:my|our|the|open|all) (?:transfers?|shipments?|deliveries)",
    r"transfers",
)
STUCK = r"(?:stuck|hanging|need(?:s|ing)? attention)"
"""Of orders: somebody has to look at them."""
STATES = {
    OrderState.CANCELLED: r"(?:cancelled|canceled)",
    OrderState.REFUSED: r"(?:refused|turned away)",
    OrderState.SHIPPED: r"(?:shipped|dispatched|sent out)",
    OrderState.PARTIALLY_RECEIVED: r"(?:partially|partly|part) (?:received|delivered)",
    OrderState.RECEIVED: r"(?<!partially )(?<!partly )(?<!part )(?:received|arrived)",
    OrderState.CONFIRMED: r"confirmed",
    OrderState.CLOSED: r"(?:closed|completed|finished)",
    OrderState.COMPENSATING: r"(?:compensating|being compensated)",
    OrderState.NEEDS_ATTENTION: STUCK,
}
"""How people say where an order stands."""
ON_THE_WAY = r"(?:under way|underway|on the way|on its way|on their way|in transit|on the road|en route)"
_ON_THE_WAY = (OrderState.SHIPPED, OrderState.PARTIALLY_RECEIVED)
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
    ON_THE_WAY,
)
"""`plans` and the like are passed over beside these."""
_ID_OR_NAME = re.compile(r"[A-Z0-9]")
"""What only sites look like among the plain words of such a question."""
LAST = r"(?:the )?(?:last|latest|newest|most recent) {number}"
MINE = (
    r"my(?: own)? (?:plans?|requests?|approvals?|orders?|transfers?|shipments?|deliver(?:y|ies)|proposals?|submissions?)",
    r"(?:of )?mine",
    r"(?:have|did|had) i (?:already |just )?(?:submitted|submit|sent|send|requested|request|raised|raise|proposed|propose)",
    (
        r"(?:that |which )?i (?:have |had )?(?:just )?(?:submitted|sent|requested|raised|asked for|put in|handed in|proposed)(?: in| off)?"
        r"(?: (?:for approval|to the approvers?))?(?: (?:this|last|yesterday|today|earlier) ?(?:morning|afternoon|evening|night|week)?)?"
    ),
)
ASIDES = CHATTY | frozenset(
    ["stuck", "newest", "latest", "last", "gone", "through", "been", "already", "plan", "plans", "proposal"]
)

WORDS = words_of(*STATUS, LAST, *MINE, DID_DECIDE, *STATES.values())

_ANY_DECISION = list(get_args(get_args(Status.model_fields["approval_statuses"].annotation)[0]))
_OPEN = [state.value for state in OrderState if not state.is_final]


def is_status_question(utterance: Utterance) -> bool:
    """Whether an utterance asks what waits, or where transfers are."""
    return utterance.has(*STATUS, DID_DECIDE, *MINE[2:])


def status_question(utterance: Utterance) -> Call | Ask:
    """The queue and the orders, or one of them; of the planner's own when they say so. Names are sites."""
    arguments = _what(utterance)
    explicit = utterance.has(*ORDERS, *APPROVALS)
    utterance.take(DID_DECIDE, *MINE[1:], leave="")
    utterance.take(*STATUS, leave=OF)
    if arguments.get("order_states"):
        utterance.take(*STATES.values(), leave="")
    utterance.take(r"(?:transfer )?plans?")
    arguments |= limit_of(utterance.take(LAST, *ROWS))
    cut = cut_names(utterance, ASIDES, strict=False)
    if cut.left:
        return not_understood(cut.left)
    if cut.names[Role.WITHOUT]:
        return NOT_ALL_EXCEPT
    sites = named(cut)
    if not explicit and not all(_ID_OR_NAME.search(site) for site in sites):
        return Ask(
            "I can show what waits and where the transfer orders are as a whole, or for sites: name them by their ids."
        )
    return call("status", arguments | {"sites": sites})


def _what(utterance: Utterance) -> dict[str, Any]:
    """Which part is asked for: nothing means all of it."""
    mine = {"mine": True} if utterance.has(*MINE) else {}
    if utterance.has(DID_DECIDE):
        return mine | {"about": "approvals", "approval_statuses": ["approved", "rejected"]}
    one_state = utterance.again().take(ALL_THAT_WERE)
    if one_state:
        return mine | {"about": "approvals", "approval_statuses": [one_state[0]["state"].lower()]}
    if utterance.has(*DECIDED):
        return mine | {"about": "approvals", "approval_statuses": _ANY_DECISION}
    approvals, orders = utterance.has(*APPROVALS), utterance.has(*ORDERS)
    if orders and not approvals:
        states = _states(utterance)
        return mine | {"about": "orders"} | ({"order_states": states} if states else {})
    return mine | ({"about": "approvals"} if approvals and not orders else {})


def _states(utterance: Utterance) -> list[str]:
    """Where the orders that are asked for stand; nothing means anywhere."""
    found = {state for state, form in STATES.items() if utterance.has(form)}
    found |= set(_ON_THE_WAY) if utterance.has(ON_THE_WAY) else set()
    named = [state.value for state in OrderState if state in found]
    return named or (_OPEN if utterance.has(OPEN_ORDERS) else [])
