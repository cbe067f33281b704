"""Every cell of who x act x scope x value x clearance x authorship x kill switch is decided as the oracle says, and by its rule."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from uuid import UUID

import pytest

from app.auth.authorise import OrderResource, PlanResource, Resource, authorise, released_rules
from app.auth.roles import Act, Kind, Principal, Role
from app.errors import EvenkeelError
from tests.app.auth.oracle import ACTS, DECISIONS, ROLES, Asking, OnOrder, OnPlan, why_not

Cell = tuple[Asking, str, OnPlan | OnOrder | None, bool]
TRANSFER = UUID(int=7)
NEAR, PLAN_SITES = frozenset(("S1",)), frozenset(("S1", "S2"))
SCOPES = (None, PLAN_SITES, NEAR | {"S9"}, frozenset(("S9",)))
LIMITS = (None, 500, 499)
ROLE_SETS: tuple[tuple[str, ...], ...] = (
    (), *((role,) for role in ROLES), ("planner", "approver"), ("operator", "admin"), ROLES,
)  # fmt: skip
KEY_ACTS: tuple[tuple[str, ...], ...] = ((), ("read",), ("plan", "scan"), ("receive", "resolve"), ACTS)


def cells() -> Iterator[Cell]:
    """All that is asked. Each dimension is crossed with every other that it may depend on."""
    for kind, roles, act in product(("person", "local"), ROLE_SETS, ACTS):
        yield Asking("ada", kind, roles), act, None, False
    for acts, act in product(KEY_ACTS, ACTS):
        yield Asking("key.1", "key", acts=acts), act, None, False
    people = [Asking("ada", kind, roles) for kind, roles in product(("person", "local"), ROLE_SETS)]
    keys = [Asking("key.1", "key", acts=acts) for acts in KEY_ACTS]
    for asking, sites, act in product((*people, *keys), SCOPES, ("receive", "resolve")):
        for order in (OnOrder("S1", "S2"), OnOrder("S2", "S1"), OnOrder("S9", "S8")):
            yield replace(asking, sites=sites), act, order, False
    bands = product(SCOPES, LIMITS, (True, False), (True, False), (frozenset(("paula",)), frozenset(("ada", "paula"))))
    for (sites, limit, cleared, sensitive, authors), act, stopped in product(bands, DECISIONS, (True, False)):
        plan = OnPlan(PLAN_SITES, 500, sensitive, authors)
        for roles in ROLE_SETS:
            yield Asking("ada", "person", roles, sites=sites, cleared=cleared, limit=limit), act, plan, stopped
        yield Asking("ada", "local", ROLES, sites=sites, cleared=cleared, limit=limit), act, plan, stopped
        yield Asking("key.1", "key", acts=ACTS, sites=sites, cleared=cleared), act, plan, stopped
    for automatic, stopped, sensitive in product((True, False), repeat=3):
        plan = OnPlan(PLAN_SITES, 500, sensitive, frozenset(("system",)), automatic)
        yield Asking("policy", "release"), "approve", plan, stopped


def principal_of(asking: Asking) -> Principal:
    """The principal of the service that the oracle's asking stands for."""
    kind = {"person": Kind.PERSON, "local": Kind.LOCAL, "key": Kind.KEY, "release": Kind.RELEASE}[asking.kind]
    return Principal(
        asking.name, asking.name.title(), frozenset(map(Role, asking.roles)), asking.sites,
        sees_sensitive=asking.cleared, value_limit_minor=asking.limit, kind=kind,
        acts=frozenset(map(Act, asking.acts)) if kind is Kind.KEY else None,
    )  # fmt: skip


def resource_of(on: OnPlan | OnOrder | None) -> Resource:
    """The resource of the service that the oracle's stands for."""
    match on:
        case OnPlan():
            return PlanResource("d" * 64, on.sites, on.value, on.sensitive, on.authors, on.automatic)
        case OnOrder():
            return OrderResource(TRANSFER, on.origin, on.destination)
        case None:
            return None


def refusal_of(cell: Cell) -> str:
    """What the service says."""
    asking, act, on, stopped = cell
    try:
        authorise(principal_of(asking), Act(act), resource_of(on), stopped=stopped)
    except EvenkeelError as refused:
        return refused.code
    return ""


def test_every_cell_of_the_matrix_is_decided_as_the_oracle_says() -> None:
    asked = list(cells())
    assert len(set(asked)) >= 4_000
    wrong = [
        (cell, why_not(*cell[:3], stopped=cell[3]), said)
        for cell in asked
        if (said := refusal_of(cell)) != why_not(*cell[:3], stopped=cell[3])
    ]
    assert wrong == []
    told = Counter(why_not(*cell[:3], stopped=cell[3]) for cell in asked)
    assert set(told) == {"", "role", "unknown_order", "scope", "four_eyes", "value_limit", "clearance", "kill_switch"}
    assert told[""] >= 200


def test_the_oracle_knows_the_roles_and_acts_that_there_are() -> None:
    assert set(ROLES) == set(Role)
    assert set(ACTS) == set(Act)


@pytest.mark.parametrize("seed", range(3))
def test_random_questions_are_decided_as_the_oracle_says(seed: int) -> None:
    drawn = random.Random(seed)
    sites = [f"S{number}" for number in range(6)]

    def some(of: list[str], least: int = 0) -> frozenset[str]:
        return frozenset(drawn.sample(of, drawn.randint(least, len(of))))

    for _ in range(300):
        kind = drawn.choice(("person", "person", "local", "key"))
        asking = Asking(
            drawn.choice(("ada", "bob", "paula")), kind, tuple(sorted(some(list(ROLES)))) if kind != "key" else (), tuple(sorted(some(list(ACTS)))),
            drawn.choice((None, some(sites))), drawn.random() < 0.5, drawn.choice((None, drawn.randint(0, 2**40))),
        )  # fmt: skip
        on: OnPlan | OnOrder
        if drawn.random() < 0.7:
            act = drawn.choice(DECISIONS)
            people = some(["ada", "bob", "paula", "shell", "key.1"], 1)
            on = OnPlan(some(sites, 1), drawn.randint(0, 2**40), drawn.random() < 0.5, people)
        else:
            act, on = drawn.choice(("receive", "resolve")), OnOrder(*drawn.sample(sites, 2))
        cell = (asking, act, on, drawn.random() < 0.3)
        assert refusal_of(cell) == why_not(*cell[:3], stopped=cell[3]), cell


def test_every_rule_that_forbids_says_so_in_words_of_its_own() -> None:
    forbidding = [rule for rule in released_rules().by_position.values() if rule.forbids]
    assert len(forbidding) == len({rule.rule_id for rule in forbidding}) >= 10
    for rule in forbidding:
        assert len(rule.words) > 10, rule.rule_id
        assert rule.remedy, rule.rule_id
        assert rule.code != "forbidden", rule.rule_id
