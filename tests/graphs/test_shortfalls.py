"""Which wish a question about a shortage means, and which shortages a plan leaves."""

from __future__ import annotations

import pytest

from graphs.names import Meant
from graphs.planning import draft, nothing_moved
from graphs.shortfalls import NothingToExplainError, shortfall_of, wish_of, worst_shortages
from policies.rules import Facts
from tests.builders import NOW, a_needy_network, a_policy, a_site
from tools.catalog import ExplainBlocked
from tools.planning.obstacles import Wanted
from tools.transfers import Overlays, PlanRequest, Scope


def facts(**fields: object) -> Facts:
    return Facts(a_needy_network(**fields), a_policy(), NOW)


def asked(**fields: object) -> ExplainBlocked:
    return ExplainBlocked.model_validate({"mentions": ("P1",), **fields})


def test_a_sku_alone_means_its_costliest_shortage() -> None:
    wish = wish_of(facts(), None, Meant(skus=("P1",)), asked())
    assert (wish.site_id, wish.sku_id, wish.direction) == ("S2", "P1", "in")
    assert wish.units > 100
    assert wish_of(facts(), None, Meant(sites=("S2",)), asked()) == wish


def test_units_and_days_that_were_named_are_the_wish() -> None:
    meant = Meant(skus=("P1",), sites=("S2",))
    assert wish_of(facts(), None, meant, asked(units_wanted=40, within_days=5)) == Wanted("S2", "P1", 40, within_days=5)


def test_a_site_that_is_not_short_wants_a_pack_and_without_both_names_there_is_nothing_to_explain() -> None:
    assert wish_of(facts(), None, Meant(skus=("P1",), sites=("S1",)), asked()).units == 1
    with pytest.raises(NothingToExplainError, match="nothing is short there"):
        wish_of(facts(), None, Meant(sites=("S1",)), asked())
    with pytest.raises(NothingToExplainError, match="nothing is short there"):
        wish_of(facts(), frozenset(("S1",)), Meant(skus=("P1",)), asked())


def test_without_a_plan_the_best_one_for_the_sku_is_asked() -> None:
    tight = facts(sites=(a_site("S1"), a_site("S2", storage_capacity_microlitres=7_000_000)))
    found = shortfall_of(tight, None, Wanted("S2", "P1", 40), None)
    assert (found.planned_units, found.blocked.possible_units) == (7, 7)
    assert "S2 has room for 7.0 l" in found.words
    assert "Find room at S2 by" in found.words


def test_shortages_that_a_plan_serves_are_not_left() -> None:
    world = facts()
    nothing = nothing_moved(world, PlanRequest())
    assert (nothing.lines, nothing.saving_minor) == ((), 0)
    assert [(wish.site_id, wish.sku_id) for wish in worst_shortages(world, PlanRequest(), nothing, 3)] == [("S2", "P1")]
    plan = draft(world, PlanRequest()).plan
    assert plan is not None
    assert worst_shortages(world, PlanRequest(), plan, 3) == []
    elsewhere = PlanRequest(scope=Scope(destinations=("S1",)), overlays=Overlays())
    assert worst_shortages(world, elsewhere, nothing, 3) == []
