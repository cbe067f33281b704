"""Approval tiers: the first that admits a plan decides who may approve it; above the last nobody may."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.schema import Policy
from policies.tiers import tier_of
from tests.builders import a_lane, a_line, a_needy_network, a_plan, a_policy, a_site
from tools.inventory import Snapshot
from tools.transfers import TransferPlan

ONE_ENTITY = a_needy_network()
TWO_ENTITIES = a_needy_network(sites=(a_site("S1", legal_entity="EAST"), a_site("S2", legal_entity="WEST")))


def a_tier(name: str, goods_value_max_minor: int, units_max: int, *, cross_entity: bool = False) -> dict[str, Any]:
    most = {"goods_value_max_minor": goods_value_max_minor, "units_max": units_max, "cross_entity": cross_entity}
    return {"name": name, "approvals": 1, "expires_hours": 24} | most


POLICY = a_policy(
    tiers=[a_tier("small", 1_000, 10), a_tier("wide", 1_000, 50, cross_entity=True), a_tier("large", 5_000, 20)]
)


def plan_of(units: int, goods_value_minor: int) -> TransferPlan:
    return a_plan(a_line(units=units), goods_value_minor=goods_value_minor)


def name_of(policy: Policy, plan: TransferPlan, snapshot: Snapshot = ONE_ENTITY) -> str | None:
    tier = tier_of(policy, plan, snapshot)
    return tier.name if tier else None


@pytest.mark.parametrize(
    ("units", "goods_value_minor", "name"),
    [
        (1, 0, "small"),
        (10, 1_000, "small"),
        (11, 1_000, "wide"),
        (50, 1_000, "wide"),
        (51, 1_000, None),
        (10, 1_001, "large"),
        (20, 5_000, "large"),
        (21, 5_000, None),
        (20, 5_001, None),
    ],
)
def test_the_first_tier_that_admits_value_and_units_is_the_plans(
    units: int, goods_value_minor: int, name: str | None
) -> None:
    assert name_of(POLICY, plan_of(units, goods_value_minor)) == name


@pytest.mark.parametrize(
    ("units", "goods_value_minor", "name"), [(10, 1_000, "wide"), (50, 1_000, "wide"), (20, 5_000, None)]
)
def test_a_plan_between_legal_entities_needs_a_tier_that_says_so(
    units: int, goods_value_minor: int, name: str | None
) -> None:
    assert name_of(POLICY, plan_of(units, goods_value_minor), TWO_ENTITIES) == name


def test_one_line_between_legal_entities_makes_the_whole_plan_one() -> None:
    sites = (a_site("S1", legal_entity="EAST"), a_site("S2", legal_entity="EAST"), a_site("S3", legal_entity="WEST"))
    snapshot = a_needy_network(sites=sites, lanes=(a_lane("S1", "S2"), a_lane("S1", "S3")))
    inside, across = a_line(1, units=5), a_line(2, units=5, destination="S3")
    assert name_of(POLICY, a_plan(inside, goods_value_minor=0), snapshot) == "small"
    assert name_of(POLICY, a_plan(inside, across, goods_value_minor=0), snapshot) == "wide"


def test_a_lane_that_is_not_known_crosses_nothing() -> None:
    """Another rule speaks of it."""
    assert name_of(POLICY, a_plan(a_line(destination="S9"), goods_value_minor=0), TWO_ENTITIES) == "small"


def test_splitting_lines_changes_nothing() -> None:
    whole = plan_of(20, 5_000)
    split = a_plan(a_line(1, units=10), a_line(2, units=10), goods_value_minor=5_000)
    assert name_of(POLICY, whole) == name_of(POLICY, split) == "large"


def test_a_plan_of_nothing_fits_the_first_tier() -> None:
    nothing = a_plan().model_copy(update={"lines": (), "lanes": (), "goods_value_minor": 0})
    assert name_of(POLICY, nothing) == "small"


def rank(policy: Policy, units: int, goods_value_minor: int, snapshot: Snapshot) -> int:
    """The place of the plan's tier; beyond the last where nobody may approve it."""
    tier = tier_of(policy, plan_of(units, goods_value_minor), snapshot)
    return policy.tiers.index(tier) if tier else len(policy.tiers)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    values = sorted(draw(st.lists(st.integers(0, 60), min_size=1, max_size=5)))
    return a_policy(
        tiers=[
            a_tier(f"tier {number}", value, draw(st.integers(1, 60)), cross_entity=draw(st.booleans()))
            for number, value in enumerate(values)
        ]
    )


SIZES = st.tuples(st.integers(1, 60), st.integers(0, 60), st.booleans())


@given(policy=policies(), one=SIZES, other=SIZES)
def test_more_value_more_units_or_a_border_never_lead_to_an_earlier_tier(
    policy: Policy, one: tuple[int, int, bool], other: tuple[int, int, bool]
) -> None:
    least, most = zip(*((min(pair), max(pair)) for pair in zip(one, other, strict=True)), strict=True)
    ranks = [rank(policy, size[0], size[1], TWO_ENTITIES if size[2] else ONE_ENTITY) for size in (least, most)]
    assert ranks[0] <= ranks[1]


@given(policy=policies(), size=SIZES)
def test_the_tier_admits_the_plan_and_no_earlier_one_does(policy: Policy, size: tuple[int, int, bool]) -> None:
    units, value, crosses = size
    admits = [
        value <= tier.goods_value_max_minor and units <= tier.units_max and (tier.cross_entity or not crosses)
        for tier in policy.tiers
    ]
    found = rank(policy, units, value, TWO_ENTITIES if crosses else ONE_ENTITY)
    assert admits[:found] == [False] * found
    assert admits[found : found + 1] in ([True], [])
    assert any(admits) == (found < len(admits))
