from __future__ import annotations

from tests.builders import a_line, a_needy_network, a_plan, a_position, limits_for
from tools.concessions import price_concessions
from tools.inventory import SiteSku
from tools.planning import make_plan, solve
from tools.transfers import PlanRequest

RULES = ("plan_units", "plan_lines", "source_protection", "cool_down")


def priced(**without):
    """Concessions of the plan of 5 units, where lifting a rule makes a plan of so many units, or none."""

    def plan_without(rule):
        units = without.get(rule, 5)
        return None if units is None else a_plan(a_line(units=units))

    return price_concessions(a_plan(), RULES, plan_without)


def test_a_concession_costs_the_difference_of_two_plans():
    (found,) = priced(plan_units=8)
    # Three units more at 7.28.
    assert (found.extra_saving_minor, found.extra_units) == (2_184, 3)
    assert (found.code, found.rule, found.negotiable) == ("lift_plan_units", "plan_units", True)
    assert found.words == "Move more units in one plan: saves 21.84 USD more."


def test_rules_that_cost_nothing_are_left_out():
    assert priced() == ()
    assert priced(plan_units=4) == ()


def test_a_rule_without_which_there_is_no_answer_is_left_out():
    assert [each.rule for each in priced(plan_units=None, cool_down=6)] == ["cool_down"]


def test_the_most_valuable_concession_comes_first_and_ties_go_by_name():
    found = priced(plan_units=6, source_protection=9, cool_down=6, plan_lines=6)
    assert [each.rule for each in found] == ["source_protection", "cool_down", "plan_lines", "plan_units"]


def test_a_rule_without_words_of_its_own_is_named():
    (found,) = price_concessions(a_plan(), ("odd_rule",), lambda _: a_plan(a_line(units=6)))
    assert found.words.startswith("Lift the rule odd rule: saves ")


def test_only_the_rules_asked_about_are_priced():
    asked = []

    def plan_without(rule):
        asked.append(rule)

    assert price_concessions(a_plan(), ("plan_units",), plan_without) == ()
    assert asked == ["plan_units"]


def test_what_donors_keep_is_priced_by_planning_without_it():
    # S1 must keep 60 of its 100 units, each of which would save 6.08 at S2.
    snapshot = a_needy_network(positions=(a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=0)))

    def plan(limits):
        return make_plan(snapshot, limits, PlanRequest(), solve(snapshot, limits, PlanRequest(), gap_ppm=0))

    kept = plan(limits_for(protected_units={SiteSku("S1", "P1"): 60}))
    (found,) = price_concessions(kept, ("source_protection",), lambda _: plan(limits_for()))
    assert (found.extra_units, found.extra_saving_minor) == (60, 60 * 608)
