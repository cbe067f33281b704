"""What holds for every network and policy: the planner's own plan is permitted, and any change to it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.rules import Facts, check
from policies.stops import Stop
from tests.policies.random_policies import random_facts, solved
from tools.transfers import LotPick, TransferPlan

SEEDS = st.integers(0, 20_000)
NEAR = st.integers(0, 80)
"""Seeds of plans that many tests look at, so that each is made once."""


@cache
def permitted(seed: int) -> tuple[TransferPlan, Facts]:
    """The first plan with lines from this seed on, and the facts it was made on."""
    while True:
        facts, request = random_facts(seed)
        plan = solved(facts, request)
        if plan.lines:
            return plan, facts
        seed += 1


@settings(max_examples=100)
@given(seed=SEEDS)
def test_the_planners_own_plan_is_permitted(seed: int) -> None:
    facts, request = random_facts(seed)
    assert check(solved(facts, request), facts) == ()


@settings(max_examples=30)
@given(seed=NEAR)
def test_while_the_kill_switch_is_engaged_every_plan_with_lines_is_stopped(seed: int) -> None:
    plan, facts = permitted(seed)
    assert [violation.rule for violation in check(plan, replace(facts, stops=(Stop(),)))] == ["kill_switch"]


@settings(max_examples=30)
@given(seed=NEAR, hours=st.integers(49, 10_000))
def test_every_plan_ages(seed: int, hours: int) -> None:
    plan, facts = permitted(seed)
    stale = check(plan, replace(facts, now=facts.now + timedelta(hours=hours)))
    assert {violation.rule for violation in stale} == {"fresh_stock"}
    blamed = {number for violation in stale for number in violation.line_nos}
    assert blamed == {line.line_no for line in plan.lines}


Tamper = Callable[[TransferPlan, int], TransferPlan]


def of_plan(change: Callable[[TransferPlan, int], dict[str, Any]]) -> Tamper:
    return lambda plan, by: plan.model_copy(update=change(plan, by))


def of_line(change: Callable[[Any, int], dict[str, Any]]) -> Tamper:
    """A change of one line: which one depends on by how much it is changed."""

    def tampered(plan: TransferPlan, by: int) -> TransferPlan:
        at = abs(by) % len(plan.lines)
        line = plan.lines[at].model_copy(update=change(plan.lines[at], by))
        return plan.model_copy(update={"lines": (*plan.lines[:at], line, *plan.lines[at + 1 :])})

    return tampered


def of_load(change: Callable[[Any, int], dict[str, Any]]) -> Tamper:
    """A change of one departure."""

    def tampered(plan: TransferPlan, by: int) -> TransferPlan:
        at = abs(by) % len(plan.lanes)
        load = plan.lanes[at].model_copy(update=change(plan.lanes[at], by))
        return plan.model_copy(update={"lanes": (*plan.lanes[:at], load, *plan.lanes[at + 1 :])})

    return tampered


def number(name: str) -> Callable[[Any, int], dict[str, Any]]:
    return lambda of, by: {name: getattr(of, name) + by}


def count(name: str) -> Callable[[Any, int], dict[str, Any]]:
    """Another count, which is never below one."""
    return lambda of, by: {name: getattr(of, name) + (by if getattr(of, name) + by >= 1 else abs(by))}


def day(name: str) -> Callable[[Any, int], dict[str, Any]]:
    return lambda of, by: {name: getattr(of, name) + timedelta(days=by)}


def rounded(name: str) -> Callable[[Any, int], dict[str, Any]]:
    """Another amount that is rounded only once, so that a difference of one may be its rounding."""
    return lambda of, by: {name: getattr(of, name) + by + (1 if by > 0 else -1)}


def fill_rate(name: str) -> Callable[[Any, int], dict[str, Any]]:
    return lambda plan, by: {"fill_rate": plan.fill_rate.model_copy(update=rounded(name)(plan.fill_rate, by))}


def other(name: str, values: tuple[str, ...]) -> Callable[[Any, int], dict[str, Any]]:
    """Another name than the one that stands there."""
    return lambda of, by: {name: [each for each in values if each != getattr(of, name)][abs(by) % (len(values) - 1)]}


SITES, SKUS, MODES = ("S0", "S1", "S2", "S3", "S9"), ("P0", "P1", "P9"), ("van", "truck", "rail")
TAMPERS: dict[str, Tamper] = {
    **{f"line {name}": of_line(count(name)) for name in ("units", "packs", "line_no")},
    **{f"line {name}": of_line(number(name)) for name in ("saving_minor", "move_cost_minor", "goods_value_minor")},
    **{f"line {name}": of_line(day(name)) for name in ("depart_on", "arrive_on")},
    **{f"line {name}": of_line(other(name, SITES)) for name in ("origin", "destination")},
    "line sku_id": of_line(other("sku_id", SKUS)),
    "line mode": of_line(other("mode", MODES)),
    "line lots": of_line(lambda line, by: {"lots": (*line.lots, LotPick(lot_id="L1", units=abs(by)))}),
    **{f"load {name}": of_load(number(name)) for name in ("volume_microlitres", "fixed_cost_minor")},
    **{f"load {name}": of_load(day(name)) for name in ("depart_on", "arrive_on")},
    **{f"load {name}": of_load(other(name, SITES)) for name in ("origin", "destination")},
    "load mode": of_load(other("mode", MODES)),
    "load line_nos": of_load(lambda load, by: {"line_nos": (*load.line_nos, abs(by) + 100)}),
    "load line_nos left out": of_load(lambda load, by: {"line_nos": load.line_nos[1:]}),
    **{
        f"plan {name}": of_plan(number(name))
        for name in ("saving_minor", "move_cost_minor", "fixed_cost_minor", "goods_value_minor")
    },
    "plan whole_horizon_saving_minor": of_plan(rounded("whole_horizon_saving_minor")),
    **{f"plan {name}": of_plan(fill_rate(name)) for name in ("before_ppm", "after_ppm")},
    "plan planned_on": of_plan(day("planned_on")),
    "plan currency": of_plan(other("currency", ("USD", "JPY", "KWD", "EUR"))),
    "plan policy_digest": of_plan(lambda plan, by: {"policy_digest": f"{abs(by):064x}"}),
    "line left out": of_plan(lambda plan, by: {"lines": plan.lines[1:]}),
    "line twice": of_plan(lambda plan, by: {"lines": (*plan.lines, plan.lines[0])}),
    "departure left out": of_plan(lambda plan, by: {"lanes": plan.lanes[1:]}),
    "departure twice": of_plan(lambda plan, by: {"lanes": (*plan.lanes, plan.lanes[0])}),
}
"""One figure, name or date of a plan changed, by name; the number says by how much, and which line it is."""
SIZES = st.integers(-1_000, 1_000).filter(bool)


@pytest.mark.parametrize("what", TAMPERS)
@settings(max_examples=15)
@given(seed=NEAR, by=SIZES)
def test_a_plan_that_was_changed_is_found_out(what: str, seed: int, by: int) -> None:
    plan, facts = permitted(seed)
    tampered = TAMPERS[what](plan, by)
    assert tampered != plan
    violations = check(tampered, facts)
    assert violations
    lines = {line.line_no for line in tampered.lines}
    assert all(set(violation.line_nos) <= lines for violation in violations)


def test_every_field_of_a_plan_is_changed_in_some_test() -> None:
    plan, _ = permitted(0)
    fields = {f"line {name}" for name in type(plan.lines[0]).model_fields}
    fields |= {f"load {name}" for name in type(plan.lanes[0]).model_fields}
    fields |= {f"plan {name}" for name in (*type(plan).model_fields, *type(plan.fill_rate).model_fields)}
    # Lines, departures and fill rate are changed inside. What stays is said by others: the facts' digest says which
    # facts the money belongs to, the request is what the planner was asked, and only a solver knows its own bound.
    inside, said_by_others = {"lines", "lanes", "fill_rate"}, {"plan_schema", "snapshot_digest", "request", "solver"}
    assert fields - TAMPERS.keys() == {f"plan {name}" for name in inside | said_by_others}


@settings(max_examples=50)
@given(seed=NEAR, by=st.integers(1, 50))
def test_units_that_are_added_with_all_their_figures_are_found_out_by_what_they_save(seed: int, by: int) -> None:
    plan, facts = permitted(seed)
    line, load = plan.lines[0], next(load for load in plan.lanes if 1 in load.line_nos)
    sku = facts.snapshot.sku_by_id[line.sku_id]
    more = round(line.goods_value_minor / line.units * sku.pack_size * by)
    packed = {
        "packs": line.packs + by,
        "units": line.units + by * sku.pack_size,
        "goods_value_minor": line.goods_value_minor + more,
    }
    loaded = {"volume_microlitres": load.volume_microlitres + by * sku.pack_size * sku.unit_volume_microlitres}
    tampered = plan.model_copy(
        update={
            "lines": (line.model_copy(update=packed), *plan.lines[1:]),
            "lanes": tuple(each.model_copy(update=loaded) if each == load else each for each in plan.lanes),
            "goods_value_minor": plan.goods_value_minor + more,
        }
    )
    assert check(tampered, facts)
