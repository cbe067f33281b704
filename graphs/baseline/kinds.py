"""How people speak of imbalances, of what comes first in an answer, and of how much of it they want to see."""

from __future__ import annotations

from graphs.baseline.fragments import MONEY

IMBALANCE_KINDS = {
    "shortage": (
        (
            r"(?:(?:run |runs |running )?out of stock|stock outs?|stockouts?|sold out|running low|run low|runs low|running out|running short|run short|too few"
            r"|runs short|too little|not enough|about to run out|going to run out|ran out|running dry|runs dry|running thin|low stocks?|low on"
            r"|empty shelves|empty shelf|light on|in short supply|undersupplied|under supplied|at risk(?: of running out)?)(?: stock)?(?: of| on)?"
        ),
        r"(?<=who is )(?:(?:nearly|almost|completely|already|totally|clean|all) )*out of",
        r"(?<=which site is )out of|(?<=which sites are )out of|(?<=which stores are )out of|(?<=which store is )out of",
        r"(?:short of|short on|short(?! (?:dated|life))|shortages?|shortfalls?|deficits?|gaps?|holes?|understocked|under stocked|understock|lacking|lacks?|missing)",
        r"needs? (?:more |new )?(?:stock|inventory|goods|replenishment|replenishing|restocking)(?: of)?",
        r"(?<=what )runs out",
    ),
    "surplus": (
        (
            r"(?:surplus|surpluses|excess|excesses|overstock|overstocks|overstocked|overstocking|over stocked|over stock|oversupply|oversupplied|glut|piling up|piled up|far too much|way too much|too much"
            r"|too many|over|superfluous)(?: stock| inventory| units)?"
        ),
    ),
    "expiring": (
        r"(?:about|close|near|going) to (?:expire|expiry|spoil)",
        r"(?:expire|expires|expiring|expiry|expiries|spoil|spoils|spoiling|perish|perishing|go off|goes off|going off|going bad|goes bad|short dated|short life|near expiry)",
        r"(?:out of date|best before|shelf life)",
        r"(?:about to |going to )?(?:go|goes|going|be|is) (?:past|beyond|over) (?:(?:its|their|the) )?(?:(?:sell by|use by|best before|expiry) )?dates?",
        r"(?:(?:we |i )?(?:will|would|going to|have to|has to|need to|to)(?: have to)?) (?:bin|throw away|throw out|write off|scrap|waste|go to waste)(?= (?:\||$)|$| soon| next| at| in)",
    ),
    "stranded": (
        r"(?:dead stocks?|dead inventory|not selling|not moving|does not sell|do not sell|unsold|sleeping stock|aged stock|ageing stock|aging stock)",
        r"(?:slow movers?|slow moving|non movers?|obsolete)(?: stock| inventory)?",
        r"(?:stranded|dead|stuck|unsellable|without demand|nobody asks for)(?: stock| inventory)?",
    ),
}
NAME_FIRST = r"^(?:{of} )?(?:when |where |why )?(?:is|are|does|do|will|any) (?P<what>[^|{of}]+?) {of}"
"""A question such as "is oat drink short": the name stands before the kind."""

IMBALANCES = (
    r"(?:out of (?:balance|whack|kilter|line)|off balance|in balance|imbalances?|imbalanced|unbalanced|balanced|problems?|trouble|wrong)",
    r"(?:needs? )?(?:my |our )?(?:attention|action)",
    r"(?:anything|something|what is|what else is|is there anything) (?:urgent|burning|critical|pressing)",
    r"(?:hot ?spots?|red flags?|sore points?|priorities|pain points?)",
    r"what (?:should|do|must) (?:i|we) (?:need to |have to )?(?:look at|look into|tackle|worry about|focus on|prioriti[sz]e|start with|deal with)(?: first)?",
    r"(?:anything|what) (?:i|we) (?:should|need to|have to) (?:know|worry|care|be worried)(?: about)?",
)
NOTHING_DONE = (
    (
        r"(?:what|how much) (?:(?:will|would|does|did|do|is going to) )?(?:it |this |that )?(?:happens?|happen to|goes wrong|go wrong|costs?|(?:do )?(?:we|i) (?:lose|risk))?"
        r" ?(?:if|when) (?:i|we|nobody|no one|they|one) (?:do|does|did|have done|has done|am doing) (?:nothing|anything|not do anything)(?: at all)?"
    ),
    r"(?:what (?:happens|will happen|would happen)|what) if nothing (?:is|gets|was|were) (?:done|moved|transferred)(?: at all)?",
    r"(?:what|how much) (?:does|will|would) (?:it )?cost (?:us |me )?to do nothing(?: at all)?",
    r"what (?:happens|will happen|would happen) if (?:i|we) (?:leave|left) (?:it|everything|things|all of it) (?:as (?:it|they) (?:is|are)|alone|be)",
    r"(?:the )?(?:cost|price) of doing nothing",
)
"""What is at stake as things are: each imbalance says it."""
COSTLIEST = (
    (
        r"(?:rebalance|balance|fix|solve|resolve|cover|cure|clear|remove|plan for|plan|sort out)(?: me| us)?"
        r" (?:the |our |my )?(?:top )?(?:(?:[0-9]+|two|three|few) )?(?:costliest|worst|biggest|largest|most expensive|most urgent|greatest)(?: (?:[0-9]+|two|three|few))?"
        r" (?:shortages?|stock outs?|stockouts?|gaps?|shortfalls?|surplus|surpluses|excess|overstock|imbalances?|problems?|ones?|cases?|skus?|sites?|stores?)"
    ),
)
"""Wants a plan for what a question would show first; which that is has to be seen before it is moved."""
SHOWN_ONLY = r"(?<=^)(?:please )?(?:show|list|give|see|display|i (?:want|need)(?: to see)?)(?: me| us)? (?:only|just)(?: the)?(?= )"
"""Asks for nothing else, which is how every question is understood."""
SOON = r"(?:coming up|upcoming|looming|imminent|brewing|on the horizon|ahead of us|about to happen|in sight|waiting to happen)"
"""As far ahead as the policy says, like every imbalance."""
RANKS = {
    "units": (
        r"(?:in|by|most|with most)(?: the)?(?: most)? (?:units|quantity|pieces)(?: first)?",
        r"most units(?: first)?",
    ),
    "days_of_cover": (
        (
            r"(?:by (?:the )?(?:shortest |lowest |least )?(?:days? of )?(?:cover|coverage)|(?:the )?(?:shortest|lowest|least)"
            r" (?:days? of )?(?:cover|coverage))(?: first)?"
        ),
    ),
    "at_stake": (
        r"(?:in|by) (?:money|value|cost)(?: at stake)?(?: first)?",
        r"(?:most )?(?:costly|costliest|expensive) first",
    ),
}
"""What comes first in the answer."""
COVER_MOST = (
    r"(?:at most|no more than|not more than|up to|max) {span}(?: of (?:cover|coverage|stock|supply))?",
    r"(?P<less>(?:less|fewer) than|under|below) {span}(?: of (?:cover|coverage|stock|supply))?",
)
"""Only what lasts so long."""
MONEY_MIN = (
    (
        r"(?:that (?:is|are) |which (?:is|are) )?(?:worth |with )?(?:(?P<more>more than|over|above|>)|at least|from) {number} "
        rf"{MONEY}(?: at stake| and more)?"
    ),
    r"(?:worth|with) (?:(?P<more>more than|over|above|>)|at least) {number}(?: at stake)?",
    r"(?:(?P<more>more than|over|above|>)|at least) (?P<number>[0-9]{1,9}(?:\.[0-9]{1,3})?k)(?: at stake)?(?! (?:units?|pieces?|pcs|of)(?!\S))",
)
"""Only what costs so much."""
ROWS = (
    r"(?:the )?(?:top|first|worst|biggest|largest|costliest) {number}",
    r"(?:the )?{number} (?:worst|biggest|largest|costliest|most expensive)",
    r"(?:at most|max|up to|only|limit) {number}(?: rows?| results?)?",
    r"{number}(?: {of}| rows| results)",
)
"""How many rows a question asks for; the last form stands before a word that was already understood."""
