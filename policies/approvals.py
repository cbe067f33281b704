"""The part of a policy document on approvals: whose signatures a plan needs, and what may happen without asking anybody.

A document without it asks for one signature, releases nothing by itself, and knows no delegations.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from policies.numbers import Amount, BasisPoints, Count, absent
from tools.inventory import SiteKind
from tools.transfers import Mode, Value

Hours = Annotated[int, Field(ge=1, le=720)]
PersonId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,39}$")]
SIGNATURES_MAX = 5


class SkuClass(StrEnum):
    """What a SKU is to an approver: its demand class, and what has to be handled with care."""

    A = "A"
    B = "B"
    C = "C"
    SENSITIVE = "sensitive"
    HAZMAT = "hazmat"
    CHILLED = "chilled"
    FROZEN = "frozen"


class When(Value):
    """The plans that a rule is about: everything that is stated has to hold; where nothing is, every plan.

    `novel`: some line moves its SKU on a lane that has never moved it. `count_older_than_hours`: the oldest count at
    an end of a line.
    """

    goods_value_above_minor: Annotated[Amount | None, Field(exclude_if=absent)] = None
    units_above: Annotated[Count | None, Field(exclude_if=absent)] = None
    modes: tuple[Mode, ...] = ()
    site_kinds: tuple[SiteKind, ...] = ()
    legal_entities: tuple[Annotated[str, Field(max_length=80)], ...] = ()
    sku_classes: tuple[SkuClass, ...] = ()
    cross_entity: bool = False
    novel: bool = False
    count_older_than_hours: Annotated[Hours | None, Field(exclude_if=absent)] = None
    held_share_above_bp: Annotated[BasisPoints | None, Field(exclude_if=absent)] = None


class SigningRule(Value):
    """So many different people have to sign such a plan, of the panel if one is named.

    `both_ends`: the sending sites are signed for by one side and the receiving sites by the other, and nobody is on
    both sides. Then a signer needs the sites of a side only.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    when: When
    approvals: Annotated[int, Field(ge=1, le=SIGNATURES_MAX)]
    both_ends: bool
    panel: tuple[PersonId, ...] = ()

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.panel and len(set(self.panel)) < self.approvals:
            raise ValueError(f"{self.approvals} of {len(set(self.panel))} can never sign")
        return self


class Automatic(Value):
    """What is released without a person: small plans, within a day's budget. Never a sensitive SKU or a signing rule's plan.

    The day is that of the clock in UTC. `sku_classes` and `modes` are those that a plan may hold.
    """

    goods_value_max_minor: Amount
    units_max: Count
    daily_goods_value_max_minor: Amount
    daily_units_max: Count
    sku_classes: tuple[SkuClass, ...]
    modes: tuple[Mode, ...]
    cross_entity: bool
    novel: bool
    count_hours_max: Hours


class Delegations(Value):
    """People may lend their sites and limit for a while. `steps_max` 1: what was lent is not lent on."""

    days_max: Annotated[int, Field(ge=1, le=365)]
    steps_max: Annotated[int, Field(ge=1, le=3)]


class Reminders(Value):
    """Hours after which those who may decide are reminded, and after which the request is escalated."""

    remind_after_hours: Hours
    escalate_after_hours: Hours

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.escalate_after_hours < self.remind_after_hours:
            raise ValueError(f"nobody is escalated to before the reminder after {self.remind_after_hours} hours")
        return self


class Bulk(Value):
    """Plans of these tiers may be decided on together, if each needs one signature and all are worth so much at most."""

    tiers: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...]
    requests_max: Annotated[int, Field(ge=2, le=200)]
    goods_value_max_minor: Amount


class Drift(Value):
    """How far the world may move before a plan goes back: less is carried out then, and never more than was decided.

    `line_shrink_max_bp` is the share that a line may lose, `plan_shrink_max_bp` the share of the plan's units, and
    `saving_drop_max_bp` the share of its saving.
    """

    line_shrink_max_bp: BasisPoints
    plan_shrink_max_bp: BasisPoints
    saving_drop_max_bp: BasisPoints


class Approvals(Value):
    """How plans are signed for. `transport_daily_max_minor` is what all plans that are approved in a day may cost to move."""

    signing: tuple[SigningRule, ...]
    automatic: Annotated[Automatic | None, Field(exclude_if=absent)] = None
    delegations: Annotated[Delegations | None, Field(exclude_if=absent)] = None
    reminders: Annotated[Reminders | None, Field(exclude_if=absent)] = None
    bulk: Annotated[Bulk | None, Field(exclude_if=absent)] = None
    drift: Annotated[Drift | None, Field(exclude_if=absent)] = None
    transport_daily_max_minor: Annotated[Amount | None, Field(exclude_if=absent)] = None
    reasons_stand_days: Annotated[int, Field(ge=0, le=90)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.signing]
        if len(set(names)) < len(names):
            raise ValueError("two signing rules have the same name")
        return self
