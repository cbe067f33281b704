"""The part of a policy on approvals, in words: who signs what, and what happens without anybody."""

from __future__ import annotations

from collections.abc import Iterator

from policies.approvals import Approvals, Automatic, SigningRule, When
from tools.money import money_text


def approvals_in_words(section: Approvals | None, currency: str) -> Iterator[str]:
    """One sentence for each rule; nothing where the document says nothing."""
    if section is None:
        return
    yield from (_signing(rule, currency) for rule in section.signing)
    if section.automatic is None:
        yield "Nothing is released without a person."
    else:
        yield _automatic(section.automatic, currency)
    if section.transport_daily_max_minor is not None:
        yield f"What is approved in a day costs {money_text(section.transport_daily_max_minor, currency)} to move at most."
    yield from _people(section)
    if section.bulk is not None:
        yield (
            f"Plans of tier {' or '.join(section.bulk.tiers)} that need one signature may be decided on together:"
            f" {section.bulk.requests_max:,} at most, worth {money_text(section.bulk.goods_value_max_minor, currency)}."
        )
    if section.drift is not None:
        drift = section.drift
        yield (
            f"Where the world has moved since a plan was made, a line may lose {_percent(drift.line_shrink_max_bp)} of its"
            f" units, the plan {_percent(drift.plan_shrink_max_bp)} of its units and {_percent(drift.saving_drop_max_bp)} of"
            " its saving; beyond that it goes back."
        )


def _signing(rule: SigningRule, currency: str) -> str:
    who = f" of {', '.join(rule.panel)}" if rule.panel else ""
    people = "1 signature" if rule.approvals == 1 else f"{rule.approvals} signatures"
    ends = ", sending and receiving sites signed for by different people" if rule.both_ends else ""
    return f"Signing rule {rule.name}: {people}{who}{ends}, where {_when(rule.when, currency)}."


def _when(when: When, currency: str) -> str:
    return " and ".join(_conditions(when, currency)) or "there is a plan"


def _conditions(when: When, currency: str) -> Iterator[str]:
    value, units = when.goods_value_above_minor, when.units_above
    hours, held_bp = when.count_older_than_hours, when.held_share_above_bp
    stated = (
        (value is not None, f"the goods are worth more than {money_text(value or 0, currency)}"),
        (units is not None, f"more than {units or 0:,} units move"),
        (bool(when.modes), f"something travels by {' or '.join(when.modes)}"),
        (bool(when.site_kinds), f"a site is a {' or '.join(when.site_kinds)}"),
        (bool(when.legal_entities), f"a site belongs to {' or '.join(when.legal_entities)}"),
        (bool(when.sku_classes), f"a SKU is {' or '.join(when.sku_classes)}"),
        (when.cross_entity, "stock passes between legal entities"),
        (when.novel, "a SKU has never travelled on its lane"),
        (hours is not None, f"a count is more than {hours or 0:,} hours old"),
        (held_bp is not None, f"more than {_percent(held_bp or 0)} of the stock positions are held back"),
    )
    return (words for is_stated, words in stated if is_stated)


def _automatic(rule: Automatic, currency: str) -> str:
    return (
        f"Released without a person, and never with sensitive SKUs or where a signing rule asks for people: plans up to"
        f" {money_text(rule.goods_value_max_minor, currency)} and {rule.units_max:,} units, of SKUs that are"
        f" {' or '.join(rule.sku_classes) or 'of no class'}, by {' or '.join(rule.modes) or 'no mode'},"
        f" {'also' if rule.cross_entity else 'not'} between legal entities, {'also' if rule.novel else 'not'} on lanes that"
        f" a SKU has never travelled, on counts at most {rule.count_hours_max:,} hours old; in a day"
        f" {money_text(rule.daily_goods_value_max_minor, currency)} and {rule.daily_units_max:,} units at most."
    )


def _people(section: Approvals) -> Iterator[str]:
    if section.delegations is not None:
        lent_on = section.delegations.steps_max - 1
        yield (
            f"Approvers may lend their sites and limit for {section.delegations.days_max:,} days;"
            f" what was lent may be lent on {lent_on} times."
        )
    if section.reminders is not None:
        yield (
            f"Who may decide is reminded after {section.reminders.remind_after_hours:,} hours; after"
            f" {section.reminders.escalate_after_hours:,} hours the request is escalated."
        )
    yield f"A reason for which a plan was rejected stands in its conversation for {section.reasons_stand_days:,} days."


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"
