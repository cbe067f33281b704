"""What people say around a request: politeness, who asked them, what kind of day it is. None of it changes the request.

Only closed forms are passed over, made of words that name nothing: an unknown word in one of them is still asked about.
"""

from __future__ import annotations

from graphs.baseline.fragments import CUT, alternatives, words_of
from graphs.baseline.utterance import Utterance

_TIME = (
    r"(?: (?:(?:again )?(?:this|last|yesterday|tomorrow|on|over the) (?:morning|afternoon|evening|night|week|weekend|month)"
    r"|yesterday|today|tonight|earlier|recently|lately|again|just now|at the moment|right now|overnight))*"
)
_SOMEBODY = alternatives(
    "(?:my|our|the|a|some) (?:boss|bosses|manager|managers|director|store manager|store managers|regional manager|team|colleague"
    "|colleagues|customer|customers|buyer|buyers|board|cfo|ceo|coo|finance team|ops team|chief)",
    "customers|store managers|buyers|people|everybody|everyone",
    "finance|ops|operations|sales|purchasing|logistics|management|head office|hq|marketing",
)  # fmt: skip
_OCCASION = (
    r"(?:(?:a|an|the|my|our|this|tomorrow) )*(?:(?:weekly|monthly|daily|quarterly|morning|team|board|ops|planning|management) )*"
    r"(?:meeting|review|report|call|presentation|standup|handover)"
)
_MISHAP = (
    r"(?:(?:a|an|another|some|the) )*(?:(?:big|bad|small|huge|sudden|little|delivery|supplier|system|power|fridge|freezer|cooling"
    r"|transport|warehouse|it|stock|customer) )*(?:failure|failures|problem|problems|breakdown|outage|mix up|mess|rush|issue|issues"
    r"|complaints|trouble|hiccup|incident)"
)
_STARTS = r"(?<=^)(?:[|,] )*"
_JOINED = r"(?= (?:\||,|and|so|but)(?!\S)|$)(?: (?:[|,]|and|so|but)(?!\S))*"
"""Where a sentence about the day ends, and how it is joined to the request after it."""

_LEFT_BEFORE = r"(?<=^)(?:[|,]|but|so|and)(?: (?:[|,]|but|so|and)(?!\S))*(?= \S)"
SENTENCES = (
    rf"(?:we|i|they|there)(?: (?:just|have|has))* (?:had|got|was|were|been) {_MISHAP}{_TIME}{_JOINED}",
    rf"{_SOMEBODY} (?:is|are|keep|have been|has been) (?:complaining|shouting|waiting|nervous|worried|unhappy|chasing(?: me| us)?){_TIME}{_JOINED}",
    rf"(?:it|things|today) (?:is been|is|are|was|were|has been|have been|gets?|got)(?: (?:so|very|really|a bit|pretty|rather))* (?:busy|hectic|chaotic|quiet|crazy|mad|a mess|stressful){_TIME}{_JOINED}",
    rf"(?:i |we )?hope (?:you are|all is|everything is|you had|this finds you|you have)(?: (?:a|an|well|good|fine|great|okay|ok|nice|lovely|weekend|day|week|had|all))*{_JOINED}",
    rf"(?:as|like) (?:discussed|agreed|mentioned|promised|usual|always)(?: (?:on the phone|in the meeting)){{0,1}}{_TIME}{_JOINED}",
    rf"(?:following up on|further to|after) (?:our|my|the|your) (?:call|chat|mail|email|meeting|message|conversation){_TIME}{_JOINED}",
    rf"(?:i|we)(?: (?:am|are|have|will))*(?: (?:have|be|got|getting|preparing|doing|going|writing|ready|into|for|in|to)){{1,4}} {_OCCASION}{_TIME}(?: in (?:\w+ ){{1,2}}(?:minutes?|mins?|hours?|hour))?{_JOINED}",
)
"""Sentences about the day, taken out whole."""

AROUND = (
    r"(?:many |very |with )*(?:thanks|thank you|cheers|ta|regards|kind regards|best regards|much appreciated|appreciated|appreciate it)(?: (?:so much|a lot|a million|a bunch|in advance|very much|again|all|team|mate|for your help|for that))*(?= (?:\||,)|$)",
    r"(?:sorry|apologies|excuse me|pardon)(?: (?:me|again|but|to bother you|to disturb you|to bug you|for the trouble|for all the questions|for another one))*(?: [,|])?",
    rf"{_STARTS}(?:just )?(?:(?:a|one|another|quick|last|more|final|small|little) )+(?:question|request|favou?r|thing|one|check)(?: (?:for you|please))*(?: [,|])",
    r"(?:whenever|when|if|once|as soon as) you (?:have|get|find|can spare|could spare|have got)(?: (?:a|an|some|the|spare|free))* (?:minute|moment|second|sec|chance|time)(?: [,|])?",
    r"if (?:(?:it|that) is (?:possible|ok|okay|all right|no trouble|not too much trouble)|possible|you (?:can|could|would|please|do not mind|would not mind|would be so kind|like))(?: [,|])?(?! (?:be|the|lane|demand|we|only)(?!\S))",
    r"(?:at your (?:earliest )?convenience|as soon as (?:possible|you can)|at your leisure|no rush|no hurry)(?: (?:though|but))?",
    r"(?:in short(?! supply)|in brief|briefly|in a nutshell|in a few words|in plain english|in simple terms)",
    rf"(?:for|ahead of|before|in time for) {_OCCASION}{_TIME}",
    rf"{_SOMEBODY}(?: (?:has|have|just|is|are|was))* (?:asked|ask|asks|asking|wants|want|wanted|needs|would like)(?: (?:me|us|you))?(?: (?:to (?:know|see|hear|have)|for|about|to))?",
    rf"(?:i|we) (?:have|was|were|had)(?: been)? (?:asked|told)(?: by {_SOMEBODY})? (?:to|for|about)",
)
"""Parts of sentences that are passed over."""

_VERBS = {
    "rebalancing": "rebalance", "moving": "move", "sending": "send", "shipping": "ship", "transferring": "transfer",
    "shifting": "shift", "showing": "show", "telling": "tell", "giving": "give", "listing": "list", "checking": "show",
    "explaining": "explain", "planning": "plan", "making": "make", "restocking": "restock", "replenishing": "replenish",
    "submitting": "submit", "comparing": "compare",
}  # fmt: skip
_GERUND = rf"(?:would|do) you mind (?P<verb>{'|'.join(_VERBS)})"
FRAMES = (
    rf"{_STARTS}(?:would|is|will) (?:it|there)(?: be)?(?: at all)? (?:possible|a way|any chance|a chance)(?: (?:for you|of you))?(?: to)(?= )",
    (
        r"(?:i (?:was |am )?(?:just )?(?:wonder|wondered|wondering)|any chance|is there any chance|i would (?:be grateful|appreciate it|be glad|love it)|it would be (?:great|good|nice|lovely|helpful|useful|brilliant|super))"
        r"(?: that)?(?: (?:if|whether))? (?:you|we) (?:could|can|would|might|may)(?: possibly| please)*"
    ),
    r"(?:i (?:need|want|would like) you|(?:can|could|may|might) i (?:ask|get|trouble|bother) you|be so (?:kind|good) as) to",
    r"(?:can|could|would|will|might)(?: (?:you|u))(?: (?:possibly|perhaps|maybe|kindly|please|just|quickly|also|then))+",
    rf"{_STARTS}(?:i guess|i think|i suppose|basically|honestly|actually|anyway|by the way|btw|fyi|well|right|listen|look|alright|all right|hmm+|um+|uh+|er+m?)(?: [,|])",
)
"""Ways to ask for something that come to asking for it."""
_LOOK = r"(?:please )?(?:(?:have|take|get)(?: (?:a|another))?(?: (?:quick|closer|good))? look (?:at|into)|look into|look up|check(?: out)?|find out|figure out|dig out|pull up|bring up|run me)(?= )"
"""Asks to be shown something."""

WORDS = words_of(*FRAMES, *AROUND, *SENTENCES, _GERUND, _LOOK) - frozenset(
    ["name", "s", "w", "er", "st", "it", "ta", "u"]
)


def plain(utterance: Utterance) -> None:
    """Take out what is said around the request; nothing where nothing else was said."""
    whole = utterance.rest
    utterance.take(*SENTENCES)
    utterance.take(*FRAMES, *AROUND, leave="")
    utterance.rewrite(_GERUND, lambda match: _VERBS[match["verb"].lower()])
    utterance.rewrite(_LOOK, lambda _: "show")
    utterance.rest = " ".join(utterance.rest.split())
    if utterance.rest != whole:
        utterance.rewrite(_LEFT_BEFORE, lambda _: "")
    if not utterance.rest.strip(f"{CUT} ,"):
        utterance.rest = whole
