"""Concessions: what policy costs a plan, rule by rule, priced by planning without the rule.

A priced concession is information for the people who govern. It never goes into a
plan by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tools.money import money_text
from tools.transfers import Minor, TransferPlan, Value


class Concession(Value):
    """A priced way to relax: what would be given up, and how much more the plan would save."""

    code: str
    rule: str
    words: str
    extra_saving_minor: Minor
    extra_units: int
    negotiable: bool
    changes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What is relaxed, in the words of its code: it names no place and no SKU."""
        return self.code.replace("_", " ")


_WORDS = {
    "plan_units": "move more units in one plan",
    "plan_lines": "put more lines into one plan",
    "plan_goods_value": "move goods of more value in one plan",
    "source_protection": "let donors give away stock that policy makes them keep",
    "cool_down": "move SKUs again that a transfer moved lately",
}


def price_concessions(
    plan: TransferPlan, rules: Sequence[str], plan_without: Callable[[str], TransferPlan | None]
) -> tuple[Concession, ...]:
    """What lifting each rule alone would add to the plan, the most valuable first; rules that cost nothing are left out.

    `plan_without` makes the plan with one rule lifted, or None where that has no answer.
    """
    found = []
    for rule in rules:
        other = plan_without(rule)
        if other is None or other.saving_minor <= plan.saving_minor:
            continue
        extra = other.saving_minor - plan.saving_minor
        what = _WORDS.get(rule, f"lift the rule {rule.replace('_', ' ')}")
        found.append(
            Concession(
                code=f"lift_{rule}",
                rule=rule,
                words=f"{what[0].upper()}{what[1:]}: saves {money_text(extra, plan.currency)} more.",
                extra_saving_minor=extra,
                extra_units=other.units - plan.units,
                negotiable=True,
            )
        )
    return tuple(sorted(found, key=lambda concession: (-concession.extra_saving_minor, concession.rule)))
