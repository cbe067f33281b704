"""The strategic horizon over HTTP: within the caller's own sites, with masked SKUs masked, and without changing anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.auth.roles import Role
from app.service import open_service
from evals.databases import Servers
from graphs.names import alias_of
from tests.app.web.door import Door, door_to, problem_of, tokens_of, written
from tests.builders import a_dc, a_lane, a_site, a_sku
from tests.installation import VERA, a_network, person, settings_on, settle_in

SECRET = "VX-77"
NEAR = person("nell", Role.VIEWER, sites=frozenset({"S1"}), sees_sensitive=False)
NOBODY_HOME = person("nils", Role.VIEWER, sites=frozenset({"S9"}))
WIDE = person("wanda", Role.VIEWER)


@pytest.fixture(scope="module")
def region(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A centre with two stores, a SKU that is kept from most, and people who see parts of it."""
    stores = [(site, sku) for site in ("S1", "S2") for sku in ("P1", SECRET)]
    network = a_network(
        {("DC1", "P1"): 100, ("DC1", SECRET): 100} | dict.fromkeys(stores, 20),
        dict.fromkeys(stores, 3.0),
        skus=(
            a_sku("P1", category="drinks"),
            a_sku(SECRET, name="Midnight Elixir", category="elixirs", sensitive=True),
        ),
        sites=(a_dc("DC1"), a_site("S1"), a_site("S2")),
        lanes=(a_lane("DC1", "S1", lead_time_days=2), a_lane("DC1", "S2", lead_time_days=3)),
    )
    with (
        servers.fresh_database() as url,
        open_service(settings_on(servers, url, tmp_path_factory.mktemp("region"))) as service,
    ):
        settle_in(service, network, VERA, NEAR, WIDE, NOBODY_HOME)
        yield door_to(service, tokens_of(service, "vera", "nell", "wanda", "nils"))


def test_levels_the_curve_and_the_echelons_are_told(region: Door) -> None:
    found = region.get("/v1/strategy", "wanda").json()
    assert (found["aim"], found["site_skus"], found["currency"]) == ("cheapest", 4, "USD")
    assert {row["site_id"] for row in found["rows"]} == {"S1", "S2"}
    assert {(row["site_id"], row["kind"]) for row in found["echelons"]["rows"]} == {
        ("DC1", "dc"), ("S1", "store"), ("S2", "store"),
    }  # fmt: skip
    curve = [(point["investment_minor"], point["fill_rate_ppm"]) for point in found["curve"]]
    assert curve == sorted(curve)
    assert curve[-1][1] > 999_000
    assert found["proposed"]["daily_cost_minor"] <= found["present"]["daily_cost_minor"]


def test_a_fill_rate_and_a_budget_are_kept_to(region: Door) -> None:
    goal = region.get("/v1/strategy", "wanda", params={"fill_rate_ppm": 970_000}).json()
    assert goal["aim"] == "fill_rate"
    assert goal["proposed"]["fill_rate_ppm"] >= 970_000
    money = goal["proposed"]["investment_minor"]
    bought = region.get("/v1/strategy", "wanda", params={"budget_minor": money}).json()
    assert (bought["aim"], bought["proposed"]["investment_minor"]) == ("budget", money)
    less = region.get("/v1/strategy", "wanda", params={"budget_minor": money - 1}).json()["proposed"]
    assert less["investment_minor"] < money
    assert less["fill_rate_ppm"] < goal["proposed"]["fill_rate_ppm"]


def test_a_caller_sees_their_own_sites_and_the_rest_goes_into_no_figure(region: Door) -> None:
    seen = region.get("/v1/strategy", "nell", params={"limit": 1000})
    assert "S2" not in seen.text
    assert "DC1" not in seen.text
    found = seen.json()
    assert found["site_skus"] == 2
    own = [row for row in region.get("/v1/strategy", "wanda").json()["rows"] if row["site_id"] == "S1"]
    assert [row["present"] for row in found["rows"]] == [row["present"] for row in own]
    assert found["present"]["investment_minor"] == sum(row["present"]["investment_minor"] for row in own)


def test_whoever_has_only_a_site_that_sells_nothing_sees_no_figure(region: Door) -> None:
    found = region.get("/v1/strategy", "nils").json()
    assert (found["site_skus"], found["held_minor"], found["curve"], found["rows"]) == (0, 0, [], [])


@pytest.mark.parametrize("by", ["vera", "nell"])
def test_a_masked_sku_goes_by_its_alias_and_can_be_asked_for_by_it_alone(region: Door, by: str) -> None:
    seen = region.get("/v1/strategy", by, params={"limit": 1000})
    assert SECRET not in seen.text
    assert "Midnight" not in seen.text
    alias = alias_of(SECRET)
    assert alias in {line["sku_id"] for line in seen.json()["echelons"]["lines"]}
    by_alias = region.get("/v1/strategy", by, params={"sku": alias}).json()
    assert {line["sku_id"] for line in by_alias["echelons"]["lines"]} == {alias}
    for guess in (SECRET, "Midnight Elixir"):
        document = problem_of(region.get("/v1/strategy", by, params={"sku": guess}), 422, "unclear_name")
        assert alias not in document["detail"]


@pytest.mark.parametrize("query", [{"site": "S2"}, {"site": "DC1"}, {"site": "S9"}])
def test_a_site_outside_the_callers_own_is_as_unknown_as_one_that_there_is_none_of(
    region: Door, query: dict[str, str]
) -> None:
    document = problem_of(region.get("/v1/strategy", "nell", params=query), 422, "unclear_name")
    assert document["detail"].count(query["site"]) == 1


def test_a_part_can_be_asked_for(region: Door) -> None:
    skus = region.get("/v1/strategy", "wanda", params={"category": "drinks", "limit": 9}).json()
    assert {line["sku_id"] for line in skus["echelons"]["lines"]} == {"P1"}
    centre = region.get("/v1/strategy", "wanda", params={"site": "DC1"}).json()
    assert {row["site_id"] for row in centre["rows"]} == {"S1", "S2"}
    one = region.get("/v1/strategy", "wanda", params={"site": "S2"}).json()
    assert {row["site_id"] for row in one["rows"]} == {"S2"}
    assert problem_of(region.get("/v1/strategy", "wanda", params={"category": "P1"}), 422, "unclear_name")


@pytest.mark.parametrize("query", ["fill_rate_ppm=0", "fill_rate_ppm=1000000", "budget_minor=-1", "limit=1001", "horizon_days=6", "supply_days=366"])  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(region: Door, query: str) -> None:
    answer = region.get(f"/v1/strategy?{query}", "wanda")
    assert problem_of(answer, 422, "invalid_request")["where"] == {"field": "query." + query.partition("=")[0]}


def test_asking_writes_nothing(region: Door) -> None:
    region.get("/v1/strategy", "wanda")
    before = written(region.service)
    first = region.get("/v1/strategy", "wanda", params={"fill_rate_ppm": 900_000})
    assert region.get("/v1/strategy", "wanda", params={"fill_rate_ppm": 900_000}).text == first.text
    assert written(region.service) == before
