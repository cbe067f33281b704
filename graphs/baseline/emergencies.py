"""Requests in an emergency: a rescue at the donors' expense, said as the plan request that it is."""

from __future__ import annotations

from graphs.baseline.fragments import CUT, OF
from graphs.baseline.utterance import Utterance

MAKE = r"(?:make|propose|create|draft|compute|calculate|suggest|recommend|prepare|build|find|work out|come up with|draw up|set up|put together|produce|generate|get me|get us|let me have|let us have|give me|show me|i want|i need|we need|i would like|we would like|i like|we want)"
"""How a plan is asked for."""
EMERGENCY = (
    r"(?:, )?(?:(?:because |since |as )?(?:this|it|that) is|as|in|for) an emergency(?: rescue)?",
    (
        r"emergency(?= (?:\||,|transfers?|plans?|moves?|proposals?|rebalance|rebalancing|restock|replenish|refill"
        r"|resupply|rescues?)(?!\S))"
    ),
)
"""Asks for a rescue at the donors' expense; whether there may be one is for the policy to say."""

NO_EMERGENCY = (
    (
        r"(?:, )?(?:(?:and|but) )?(?:(?:this|it|that) is )?(?:not|no|without)(?: as)?(?: an?| any)? emergency"
        r"(?: rescues?| measures?| mode| plans?| transfers?)?"
    ),
)
"""Says that it is none, which is how plans are made anyway."""

RESCUE = (rf"(?:(?:{MAKE}|plan|start) )?(?:an? |the )?rescues?(?: plans?| transfers?)?",)
"""Names a destination, as a restock does, and is an emergency by itself."""

RESCUE_FOR_AT = r"restock for (?P<what>[^|]+?) (?:at|in) (?P<where>[^|]+)"
RESCUE_OF = r"restock (?P<role>of|for|at|in|to)"
RESCUE_FROM = r"restock(?= {name} (?:from|to)(?!\S)|$)"


def take_emergency(utterance: Utterance) -> bool:
    """Take out that it is an emergency; a rescue is said as the restock that it is."""
    utterance.take(*NO_EMERGENCY)
    said = bool(utterance.take(*EMERGENCY, leave=""))
    if not utterance.take(*RESCUE, leave="restock"):
        return said
    utterance.rewrite(RESCUE_FOR_AT, lambda match: f"move {OF} {match['what']} {CUT} to {match['where']}")
    # "Rescue of P1 at S2" names the SKU first, "rescue for S2" the site.
    utterance.rewrite(RESCUE_OF, lambda match: f"move {OF}" if match["role"].lower() == "of" else f"move {OF} {CUT} to")
    utterance.rewrite(RESCUE_FROM, lambda _: f"move {OF}")
    utterance.rewrite(r"(?<={of} {name} )(?:at|in|for)", lambda _: "to")
    return True
