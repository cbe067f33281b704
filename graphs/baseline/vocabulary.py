"""The words of the language that are no patterns: what may be passed over, what opens a name, what no name holds."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a name is in a request; the values are the arguments of the catalogue's tools, but for `between`."""

    MENTIONS = "mentions"
    FROM = "from_sites"
    TO = "to_sites"
    BETWEEN = "between"
    WITHOUT = "without"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPENERS: dict[Role, str] = {
    Role.MENTIONS: "for/of/at/in/on/with/about/throughout",
    Role.FROM: "from/out of/leaving",
    Role.TO: "to/into/towards/restock",
    Role.BETWEEN: "between/among/across",
    Role.WITHOUT: "without/except/except for/except at/except in/excluding/exclude/but not/and not/but without/other than/apart from"
    "/aside from/leaving out/leave out/ignore/ignoring/skip/skipping/freeze/freezing",
}
MARKERS: dict[str, Role] = {marker: role for role, markers in _OPENERS.items() for marker in markers.split("/")}
"""Words that open a name, one or two of them."""

TELLING = _words(
    "rebalance rebalancing shortage shortages surplus coverage transfer transfers emergency replenish restock"
    " redistribute inventory imbalances between without within excluding expiring submit"
)
"""Words that say what is asked for. They are known with one slip of the keyboard in them, too."""

PLACE_MARKERS = _words("at in")
"""Markers that say where. Two of them in one request would pair SKUs with sites, which no plan request can."""

SKU_NOUNS = _words("sku skus product products item items article articles category categories")
SITE_NOUNS = _words("site sites store stores shop shops location locations warehouse warehouses")
SEPARATORS = _words(", and or & + plus")

ARTICLES = _words("a an the our my")
"""An article alone is a name that was broken off."""

POLITE = ARTICLES | _words(
    "please kindly just now ok okay well hi hello hey thanks thank you then so also again could can would will i we me"
    " us asap stock inventory and or ,"
)
"""Words that may be passed over in a request: leaving them out makes no request wider."""

SUPPOSING = POLITE | _words("is are was were be there have had has got get gets if")
"""Words that may be passed over in a what-if, once what would be different has been taken out of it."""

CHATTY = (
    POLITE
    | SKU_NOUNS
    | SITE_NOUNS
    | _words(
        "is are was were be am being been do does did has have had there here what which where who how when much many"
        " some show list give tell see find get look display print let need know want like your at in by for of but to"
        " today currently right moment present tonight actually exactly still already yet report overview summary"
        " table figures situation stuff things anything something everything all any every position positions place"
        " places network units unit pieces most mean called too it that this they them going getting long first soon"
        " anywhere everywhere biggest worst top largest costliest got lately total altogether overall sitting lying located"
    )
)
"""Words that may be passed over in a question, which only reads."""

ENDS_OF_NAME = _words(
    "is are was were be do does did has have had can could will would should shall may might there i we you it"
    " anywhere everywhere"
)
"""Verbs, pronouns and the like: the name before them is complete."""

NOT_IN_NAMES = _words(
    "use using not no never none nor nothing nobody if unless because since as that this these those it them they which who whose"
    " when while until till before after than so but only except both either neither more less least most much many by"
    " within between about like such same other others another every each rest some what where why how whether there"
    " here something somewhere someone whatever whichever any enough too very via through using per next last day days"
    " week weeks month months year years hour hours monday tuesday wednesday thursday friday saturday sunday tomorrow"
    " yesterday today show list give tell status submit submitting rebalance rebalancing move moving explain policy"
    " approve send short shortage shortages surplus surpluses expiring stranded coverage cover line lines unit units"
    " piece pieces budget emergency emergencies rescue rescues closed doubles doubled halves halved triples quickly fast sure make do does keep"
)
"""Words that show that what looks like a name is a part of a sentence that was not understood."""

PLACE_WORDS = _words(
    "lane road street store shop market centre center site warehouse hub depot way old new good best great last big small"
    " high low upper lower fine clean fresh head first second one two"
)
"""Words that the capitalised name of a site may go on with, though they mean something in the language."""

WORDS = (
    frozenset(word for marker in MARKERS for word in marker.split())
    | SEPARATORS
    | SUPPOSING
    | CHATTY
    | ENDS_OF_NAME
    | NOT_IN_NAMES
)
"""All of them together: none becomes a name by being written in capitals."""

NAME_WORDS_MAX = 8
