"""Follow-ups that change a limit of the plan before: take it off, double it, another number, an amount alone."""

from __future__ import annotations

from typing import Any

from graphs.baseline.clauses import own_money
from graphs.baseline.fragments import CUT, MONEY, number_in, words_of
from graphs.baseline.understood import Ask
from graphs.baseline.utterance import Utterance

_LIMIT_NAMES = {
    "lines_max": r"(?:line limit|limit (?:on|of|to|for) (?:the )?(?:number of )?(?:lines|transfers)|lines limit|maximum lines|max lines)",
    "units_max": r"(?:unit limit|units limit|limit (?:on|of|to|for) (?:the )?(?:number of )?units|max units)",
    "transport_budget": r"(?:transport |transfer )?(?:budget|cost limit|spending limit)",
    "within_days": r"(?:deadline|time limit|days limit|limit (?:on|of) days|date limit)",
}
DROP = {
    argument: (
        (
            r"(?:(?:and|but|ok|now|please) )*(?:(?:forget|drop|remove|lift|cancel|ignore|skip|scrap)(?: about)?|without|no)"
            rf" (?:the |any |a |that )?{name}(?: again)?"
        ),
    )
    for argument, name in _LIMIT_NAMES.items()
}
"""Takes a limit off again."""
SCALE = {
    argument: rf"(?:(?:and|but|ok|now|please) )*(?P<factor>double|halve|triple) (?:the |that )?{name}"
    for argument, name in _LIMIT_NAMES.items()
}
_FACTORS = {"double": (2, 1), "triple": (3, 1), "halve": (1, 2)}

SPAN = r"(?:make (?:it|that|this)|try|set (?:it|that) to|change (?:it|that) to)(?: (?:only|just))? {span}(?: (?:max|maximum|at most|tops|instead))*"
"""Another number of days."""
LINES = r"(?:make it|try|use|set it to|keep it at|keep it to|change it to|limit it to|cap it at)(?: (?:only|just))? {number} {lines}(?: (?:max|maximum|at most|at the most|tops|instead))*"
"""A number of lines, which is the most there may be, as in every request."""
CHANGING = r"(?:raise|increase|lower|reduce|change|set|cut|up)(?= (?:the |my )?(?:transport )?(?:budget|line limit|unit limit)(?!\S))"

TOO_DEAR = r"(?:(?:that|this|it) (?:is )?)?(?:(?:far|way|much|a bit|still) )*(?:too (?:expensive|pricey|dear|costly|much money)|over budget)"
MONEY_ONLY = rf"(?:(?:make|keep|cap|limit|hold|do|try|set|get) (?:it|that|this)(?: (?:to|at|for|down to))?|no more than|at most|max|maximum|up to|with) {{number}}(?: {MONEY})?(?: (?:max|maximum|tops|at most|instead|please))*"
"""An amount alone, where it is clear that money is spoken of: that is the budget."""

WORDS = words_of(
    *(form for forms in DROP.values() for form in forms), *SCALE.values(), SPAN, LINES, CHANGING, TOO_DEAR, MONEY_ONLY
)


def scaled(utterance: Utterance, arguments: dict[str, Any]) -> Ask | None:
    """Double or halve limits that are set; a question when one is not, or does not come out whole."""
    for argument, form in SCALE.items():
        for match in utterance.take(form):
            times, over = _FACTORS[match["factor"].lower()]
            now = arguments.get(argument)
            if now is None or now * times % over:
                return Ask(f"What should {argument.replace('_', ' ')} be? Please say the number.")
            arguments[argument] = now * times // over
    return None


def amount_alone(utterance: Utterance, currency: str) -> dict[str, Any] | Ask | None:
    """The budget that an amount alone sets, once it is said to be money; None for anything else."""
    if foreign := own_money(utterance, currency):
        return foreign
    dear = bool(utterance.take(TOO_DEAR, leave=""))
    if not utterance.is_only(MONEY_ONLY):
        return Ask("How much may moving cost at most?") if dear and not utterance.rest.strip(f"{CUT} ,") else None
    if not (dear or utterance.has(MONEY)):
        return Ask("At most that many what: lines, units, days, or how much money for moving?")
    return {"transport_budget": number_in(utterance.take(r"{number}")[0]["number"])}
