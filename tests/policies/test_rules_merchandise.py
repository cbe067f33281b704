"""The rules about merchandise at their boundaries: what is just kept is permitted, what is just not is said and blamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.rules import Facts, Violation, check
from policies.schema import Policy
from tests.builders import (
    a_forecast,
    a_line,
    a_move,
    a_needy_network,
    a_policy,
    a_position,
    a_replenishment,
    a_sku,
    a_snapshot,
    a_supply,
    in_days,
    with_merchandise,
)
from tests.policies.checking import a_needy_pair, facts_of, plan_on, planned, served
from tools.merchandise.facts import (
    EVERY_SITE,
    DisplayKind,
    EndOfLife,
    Lot,
    Merchandise,
    MinimumDisplay,
    SetMember,
)
from tools.transfers import LotPick, Overlays, PlanRequest

A_SET = (SetMember("SHIRT", "P1"), SetMember("SHIRT", "P2"))
EMERGENCY = PlanRequest(overlays=Overlays(emergency_rescue=True))


def facts_with(policy: Policy | None = None, **stated: Any) -> Facts:
    """The needy network that states these facts, under a policy with a section on merchandise."""
    return facts_of(a_needy_network(merchandise=Merchandise(**stated)), policy or with_merchandise())


def said(facts: Facts, *lines: Any, rule: str = "", **fields: Any) -> list[Violation]:
    """The violations of a rule (or all) by the plan of these lines."""
    found = check(plan_on(facts, *lines, **fields), facts)
    return [violation for violation in found if violation.rule == rule or not rule]


# --- displays ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shown", "broken"), [(95, False), (96, True)])
@pytest.mark.parametrize("policy", [a_policy(), with_merchandise()])
def test_a_donor_may_send_down_to_its_hard_display(policy: Policy, shown: int, broken: bool) -> None:
    facts = facts_with(policy, displays=(MinimumDisplay("S1", "P1", DisplayKind.HARD, shown),))
    found = said(facts)
    assert bool(found) is broken
    if broken:
        assert found[0].words == "S1 would keep 95 P1 and must show 96."
        assert (dict(found[0].numbers), found[0].line_nos) == ({"left": 95, "shown": 96}, (1,))


def test_a_soft_display_and_one_elsewhere_forbid_nothing() -> None:
    shown = (MinimumDisplay("S1", "P1", DisplayKind.SOFT, 99, 5), MinimumDisplay("S2", "P1", DisplayKind.HARD, 99))
    assert said(facts_with(displays=shown), rule="minimum_display") == []


def test_what_has_to_leave_is_not_shown_any_more() -> None:
    shown = (MinimumDisplay("S1", "P1", DisplayKind.HARD, 99),)
    ends = (EndOfLife("P1", "S1", in_days(20)),)
    assert said(facts_with(displays=shown, ends_of_life=ends), rule="minimum_display") == []
    assert said(facts_with(a_policy(), displays=shown, ends_of_life=ends), rule="minimum_display") != []


# --- sets -------------------------------------------------------------------------------------------------------


def a_pair(**units: int) -> Facts:
    """The needy pair with a set of both SKUs, and so many units at S1 of each."""
    snapshot = a_needy_pair(merchandise=Merchandise(set_members=A_SET))
    positions = tuple(
        replace(row, on_hand_units=units.get(row.sku_id, 100)) if row.site_id == "S1" else row
        for row in snapshot.positions
    )
    return facts_of(replace(snapshot, positions=positions), with_merchandise())


def two_lines(first: int, second: int) -> tuple[Any, ...]:
    return a_line(1, first), a_line(2, second, sku_id="P2")


def test_a_set_that_comes_whole_to_a_site_without_it_is_permitted() -> None:
    assert said(a_pair(), *two_lines(5, 5), fill_rate=served(10, 1_400)) == []


def test_a_part_of_a_set_is_blamed_on_the_lines_that_bring_it() -> None:
    (found,) = said(a_pair(), rule="whole_set")
    assert found.words == "The set SHIRT would be broken at S2: it would lack P2."
    assert found.line_nos == (1,)


def test_a_donor_keeps_one_of_each_of_its_set() -> None:
    assert said(a_pair(P1=6), *two_lines(5, 5), rule="whole_set") == []
    (found,) = said(a_pair(P1=5), *two_lines(5, 5), rule="whole_set")
    assert found.words == "The set SHIRT would be broken at S1: it would lack P1."
    assert found.line_nos == (1,)


def test_a_set_that_is_broken_already_may_be_given_away() -> None:
    facts = a_pair(P1=5, P2=0)
    assert [v.words for v in said(facts, rule="whole_set")] == [
        "The set SHIRT would be broken at S2: it would lack P2."
    ]


def test_sets_are_free_under_a_policy_that_does_not_look_at_them() -> None:
    facts = a_pair()
    assert said(replace(facts, policy=with_merchandise(whole_sets=False)), rule="whole_set") == []
    assert said(replace(facts, policy=a_policy()), rule="whole_set") == []


def test_what_is_on_its_way_completes_a_set() -> None:
    facts = a_pair()
    coming = replace(facts.snapshot, supply=(a_supply("S2", "P2"),))
    assert said(replace(facts, snapshot=coming), rule="whole_set") == []


def test_a_set_that_ends_everywhere_may_be_broken_by_its_donor() -> None:
    facts = a_pair(P1=5)
    ends = tuple(EndOfLife(sku_id, EVERY_SITE, in_days(5)) for sku_id in ("P1", "P2"))
    ending = replace(facts.snapshot, merchandise=Merchandise(set_members=A_SET, ends_of_life=ends))
    assert said(replace(facts, snapshot=ending), *two_lines(5, 5), rule="whole_set") == []


# --- lots -------------------------------------------------------------------------------------------------------


def lots(*rows: tuple[str, int, int]) -> tuple[Lot, ...]:
    return tuple(Lot("S1", "P1", lot_id, units, in_days(days)) for lot_id, units, days in rows)


def picked(**units: int) -> Any:
    """A line of five units that takes so many of each lot. It arrives on day two."""
    return a_line(lots=tuple(LotPick(lot_id=lot_id, units=count) for lot_id, count in units.items()))


def test_a_line_that_names_the_first_lots_that_last_is_permitted() -> None:
    facts = facts_with(lots=lots(("A", 10, 4), ("B", 2, 5), ("C", 88, 9)))
    assert said(facts, picked(B=2, C=3)) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (picked(A=5), "lot A would arrive with 2 days left; the policy asks for 3"),
        (picked(B=3, C=2), "lot B has 2 units left to send, it takes 3"),
        (picked(B=2, C=2), "it names lots for 4 units"),
        (picked(B=2, D=3), "lot D has 0 units left to send, it takes 3"),
        (a_line(), "it names lots for 0 units"),
    ],
)
def test_a_line_with_other_lots_says_what_is_wrong(line: Any, words: str) -> None:
    facts = facts_with(lots=lots(("A", 10, 4), ("B", 2, 5), ("C", 88, 9)))
    assert [v.words for v in said(facts, line, rule="lot_life")] == [f"Line 1 (5 P1 S1→S2 by van): {words}."]


def test_without_the_section_a_lot_must_only_arrive_by_its_last_day() -> None:
    for days, permitted in ((2, True), (1, False)):
        facts = facts_with(a_policy(), lots=lots(("A", 100, days)))
        assert (said(facts, picked(A=5), rule="lot_life") == []) is permitted


def test_a_line_that_passes_over_a_lot_that_lasts_does_not_add_up() -> None:
    facts = facts_with(lots=lots(("A", 10, 4), ("B", 2, 5), ("C", 88, 9)))
    (found,) = said(facts, picked(C=5))
    assert (found.rule, found.words, found.line_nos) == (
        "adds_up", "Line 1 takes 5 of C; first expired first it takes 2 of B, 3 of C.", (1,)
    )  # fmt: skip


def test_lots_are_named_only_where_stock_is_kept_by_them() -> None:
    (found, _) = said(facts_with(), picked(A=5))
    assert found.words == "Line 1 (5 P1 S1→S2 by van): it names lots, and S1 keeps none of P1."


def test_a_plan_that_was_made_is_permitted_and_names_its_lots() -> None:
    facts = facts_with(lots=lots(("A", 10, 4), ("B", 2, 5), ("C", 88, 9)))
    plan = planned(facts, a_move(7))
    assert plan.lines[0].lots == (LotPick(lot_id="B", units=2), LotPick(lot_id="C", units=5))
    assert check(plan, facts) == ()


# --- ends of life and emergencies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "broken"), [(28, True), (29, False)])
def test_nothing_comes_to_where_the_sku_must_soon_leave(days: int, broken: bool) -> None:
    facts = facts_with(ends_of_life=(EndOfLife("P1", "S2", in_days(days)),))
    found = said(facts)
    assert [v.rule for v in found] == (["end_of_life"] if broken else [])
    if broken:
        assert found[0].words == f"Line 1 (5 P1 S1→S2 by van): it has to leave S2 by {in_days(days)}."


def test_what_must_leave_with_this_plan_is_not_protected() -> None:
    """S1 sells half of its stock before its supply and would keep that for itself."""
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=7), a_forecast("S2", daily_units=100)))
    facts = facts_of(snapshot, with_merchandise())
    plan = planned(facts, a_move(90), lifted=frozenset(("source_protection",)))
    assert "source_protection" in [v.rule for v in check(plan, facts)]
    ends = Merchandise(ends_of_life=(EndOfLife("P1", "S1", in_days(3)),))
    leaving = facts_of(replace(snapshot, merchandise=ends), with_merchandise())
    assert check(planned(leaving, a_move(90)), leaving) == ()


def in_need(units: int) -> Facts:
    """S1 has 12 and sells one a day, S2 has so many and sells one a day."""
    return facts_of(
        a_snapshot(
            positions=(a_position("S1", on_hand_units=12), a_position("S2", on_hand_units=units)),
            skus=(a_sku(),),
            replenishments=(a_replenishment("S1"), a_replenishment("S2")),
        ),
        with_merchandise(),
    )


def test_an_emergency_serves_a_likely_stock_out_below_the_donors_keep_and_nothing_else() -> None:
    facts = in_need(1)
    plan = planned(facts, a_move(5), request=EMERGENCY)
    assert check(plan, facts) == ()
    ordinary = plan.model_copy(update={"request": PlanRequest()})
    assert [v.rule for v in check(ordinary, facts)] == ["source_protection"]


def test_an_emergency_rescue_to_where_a_stock_out_is_not_likely_is_refused() -> None:
    facts = in_need(4)
    plan = plan_on(facts, a_line(units=5), request=EMERGENCY)
    (found,) = [v for v in check(plan, facts) if v.rule == "emergency_rescue"]
    assert found.words == ("Line 1 (5 P1 S1→S2 by van): S2 runs out with 82.7 %; an emergency begins at 95 %.")
    assert (dict(found.numbers), found.line_nos) == ({"found": 8_270, "least": 9_500}, (1,))


def test_an_emergency_that_the_policy_does_not_provide_for_is_refused_as_a_whole() -> None:
    facts = replace(in_need(1), policy=with_merchandise(emergency=None))
    found = [v for v in check(plan_on(facts, request=EMERGENCY), facts) if v.rule == "emergency_rescue"]
    assert [(v.words, v.line_nos) for v in found] == [("The policy does not provide for emergency rescues.", ())]
