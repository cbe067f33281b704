"""A generated network is sound, realistic, out of balance on purpose, and the same for the same seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest
from numpy.random import default_rng

from tools.generate import generate_network
from tools.generate.assortment import draw_assortment
from tools.generate.goods import draw_goods
from tools.generate.imbalance import draw_conditions
from tools.generate.lanes import draw_lanes
from tools.generate.places import draw_places
from tools.generate.stock import draw_stock
from tools.inventory import Lane, Replenishment, SalesObservation, SiteKind, SiteSku, Temperature
from tools.merchandise.facts import DisplayKind
from tools.network_folder import NetworkFolder, SalesGrain, read_network, write_network

AS_OF = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


@cache
def network(sites: int, skus: int, seed: int = 7) -> NetworkFolder:
    return generate_network(sites, skus, seed, AS_OF)


def demo() -> NetworkFolder:
    return network(16, 80)


def sales_by_pair(of: NetworkFolder) -> dict[SiteSku, list[SalesObservation]]:
    sales: dict[SiteSku, list[SalesObservation]] = defaultdict(list)
    for observation in of.sales:
        sales[SiteSku(observation.site_id, observation.sku_id)].append(observation)
    return sales


def replenishment_by_pair(of: NetworkFolder) -> dict[SiteSku, Replenishment]:
    return {SiteSku(row.site_id, row.sku_id): row for row in of.replenishments}


@pytest.mark.parametrize(("sites", "skus", "seed"), [(2, 1, 0), (2, 40, 1), (3, 2, 5), (16, 80, 7), (70, 8, 11)])
def test_a_generated_network_is_read_back_without_a_fault_or_a_warning(sites: int, skus: int, seed: int):
    made = network(sites, skus, seed)
    read = read_network(write_network(made), AS_OF + timedelta(minutes=1), timedelta(days=1))
    assert read == made
    assert isinstance(read, NetworkFolder)
    assert read.warnings == ()
    assert (len(read.sites), len(read.skus)) == (sites, skus)
    assert read.sales_grain is SalesGrain.WEEK
    assert read.as_of == AS_OF


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others():
    made = write_network(network(5, 20))
    assert write_network(generate_network(5, 20, 7, AS_OF)) == made
    assert write_network(generate_network(5, 20, 8, AS_OF)) != made


def test_another_instant_moves_dates_and_nothing_else():
    now, later = network(5, 20), generate_network(5, 20, 7, AS_OF + timedelta(days=7))
    assert [row.units for row in later.sales] == [row.units for row in now.sales]
    assert later.sales[0].on - now.sales[0].on == timedelta(days=7)
    assert (later.sites, later.skus, later.lanes) == (now.sites, now.skus, now.lanes)


@pytest.mark.parametrize("arguments", [(1, 10, 0), (2_001, 10, 0), (2, 0, 0), (2, 100_001, 0), (2, 1, -1)])
def test_sizes_out_of_bounds_and_negative_seeds_are_refused(arguments: tuple[int, int, int]):
    with pytest.raises(ValueError, match=r"sites|SKUs|non-negative"):
        generate_network(*arguments, AS_OF)


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        generate_network(2, 1, 0, datetime(2026, 11, 23))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(("sites", "centres"), [(2, 1), (16, 1), (24, 2), (70, 5)])
def test_about_one_site_in_thirteen_is_a_distribution_centre(sites: int, centres: int):
    kinds = Counter(site.kind for site in network(sites, 8).sites)
    assert kinds[SiteKind.DC] == centres
    assert kinds[SiteKind.WAREHOUSE] == sites // 40
    assert kinds[SiteKind.CROSS_DOCK] == sites // 60
    assert len({site.region for site in network(sites, 8).sites}) == centres


def test_sites_have_names_and_ids_of_their_own_and_lie_in_one_time_zone():
    sites = network(70, 8).sites
    assert len({site.name for site in sites}) == len(sites)
    assert [site.site_id for site in sites if site.kind is SiteKind.STORE][:2] == ["S001", "S002"]
    for site in sites:
        assert 30_000_000 < (site.latitude_e6 or 0) < 48_000_000
        assert -101_000_000 < (site.longitude_e6 or 0) < -86_000_000
        assert site.timezone == "America/Chicago"


def test_towns_of_the_largest_networks_still_have_names_of_their_own():
    sites = network(2_000, 1).sites
    assert len({site.name for site in sites}) == len(sites)
    assert any(site.name.startswith("New ") for site in sites)
    assert len({site.region for site in sites}) == 154


def test_a_network_of_twenty_sites_has_two_legal_entities_and_a_smaller_one_has_one():
    assert {site.legal_entity for site in network(24, 12).sites} == {"RETAIL-1", "RETAIL-2"}
    assert {site.legal_entity for site in network(19, 12).sites} == {"RETAIL-1"}


def test_stores_are_served_from_their_region_and_from_their_neighbours():
    made = network(24, 120)
    region = {site.site_id: site.region for site in made.sites}
    kind = {site.site_id: site.kind for site in made.sites}
    from_centre: set[str] = set()
    neighbours: Counter[str] = Counter()
    for lane in made.lanes:
        if kind[lane.origin] is SiteKind.DC and kind[lane.destination] is SiteKind.STORE and lane.mode == "truck":
            from_centre.add(lane.destination)
        if lane.mode == "van":
            assert region[lane.origin] == region[lane.destination]
            assert lane.lead_time_days == 1
            neighbours[lane.origin] += 1
    assert from_centre == {site_id for site_id, of_kind in kind.items() if of_kind is SiteKind.STORE}
    assert set(neighbours.values()) == {7}
    between = {
        (lane.origin, lane.destination) for lane in made.lanes if kind[lane.origin] == kind[lane.destination] == "dc"
    }
    assert between == {("DC01", "DC02"), ("DC02", "DC01")}
    returns = [
        lane for lane in made.lanes if kind[lane.origin] is SiteKind.STORE and kind[lane.destination] is SiteKind.DC
    ]
    assert 0 < len(returns) < len(from_centre)
    assert sum(bool(lane.allowed_categories) for lane in returns) == 2


def test_the_cold_travels_by_reefer():
    made = network(24, 120)
    cold = {sku.category for sku in made.skus if sku.temperature is not Temperature.AMBIENT}
    reefers = [lane for lane in made.lanes if lane.mode == "reefer"]
    assert cold
    assert reefers
    assert all(set(lane.allowed_categories) == cold for lane in reefers)


def test_a_departure_costs_between_7_and_66_and_longer_lanes_cost_more():
    made = network(24, 120)
    assert all(70_000 <= lane.cost_fixed_e4 <= 660_000 for lane in made.lanes)
    assert all(lane.cost_per_unit_e4 <= 1_000 for lane in made.lanes)
    spot = {site.site_id: (site.latitude_e6 or 0, site.longitude_e6 or 0) for site in made.sites}

    def length(lane: Lane) -> int:
        return sum(abs(one - other) for one, other in zip(spot[lane.origin], spot[lane.destination], strict=True))

    vans = sorted((lane for lane in made.lanes if lane.mode == "van"), key=length)
    third = len(vans) // 3
    assert sum(lane.cost_fixed_e4 for lane in vans[:third]) < 0.8 * sum(lane.cost_fixed_e4 for lane in vans[-third:])


def test_warehouses_and_cross_docks_can_be_reached_and_left():
    made = network(70, 8)
    others = {site.site_id for site in made.sites if site.kind in (SiteKind.WAREHOUSE, SiteKind.CROSS_DOCK)}
    assert others <= {lane.origin for lane in made.lanes}
    assert others <= {lane.destination for lane in made.lanes}
    store_ids = {site.site_id for site in made.sites if site.kind is SiteKind.STORE}
    assert any(lane.origin.startswith("XD") and lane.destination in store_ids for lane in made.lanes)
    assert any(position.site_id.startswith("WH") for position in network(40, 20).positions)


def test_a_few_skus_are_cold_dangerous_or_sensitive_and_packs_follow_popularity():
    made = network(24, 120)
    assert 0 < sum(sku.hazmat for sku in made.skus) < 25
    assert 0 < sum(sku.sensitive for sku in made.skus) < 25
    assert all(sku.shelf_life_days for sku in made.skus if sku.temperature is not Temperature.AMBIENT)
    assert all(0 < sku.unit_cost_e4 < sku.unit_price_e4 for sku in made.skus)
    assert all(sku.min_transfer_units % sku.pack_size == 0 for sku in made.skus)
    sold: Counter[int] = Counter()
    count: Counter[int] = Counter()
    pack = {sku.sku_id: sku.pack_size for sku in made.skus}
    for sku in made.skus:
        count[sku.pack_size] += 1
    for row in made.sales:
        sold[pack[row.sku_id]] += row.units
    assert set(count) == {1, 6, 12}
    assert sold[1] / count[1] < sold[6] / count[6] < sold[12] / count[12]


def test_a_fifth_of_the_skus_makes_most_of_the_sales_and_many_weeks_of_others_have_none():
    sold: Counter[str] = Counter()
    for row in demo().sales:
        sold[row.sku_id] += row.units
    by_units = sorted(sold.values(), reverse=True)
    assert sum(by_units[:16]) > 0.6 * sum(by_units)
    empty_weeks = sum(row.units == 0 for row in demo().sales) / len(demo().sales)
    assert 0.2 < empty_weeks < 0.6


def test_a_store_of_twice_the_size_sells_twice_as_much_of_what_it_carries():
    places, goods = draw_places(default_rng(1), 24), draw_goods(default_rng(2), 400)
    assortment = draw_assortment(default_rng(3), places, goods)
    for store in places.of_kind(SiteKind.STORE):
        here = assortment.site == store
        rate = (assortment.weekly_units[here] / goods.weekly_units[assortment.sku[here]]).mean()
        assert rate == pytest.approx(places.size[store], rel=0.15)  # about 300 tastes with a mean of 1


def test_each_shortage_made_on_purpose_has_nothing_on_hand_and_a_neighbour_with_half_a_year_of_it():
    places, goods = draw_places(default_rng(1), 24), draw_goods(default_rng(2), 60)
    assortment = draw_assortment(default_rng(3), places, goods)
    conditions = draw_conditions(default_rng(4), places, goods, assortment)
    stock = draw_stock(default_rng(5), places, goods, assortment, conditions, AS_OF)
    held = {position.key: position.on_hand_units for position in stock.positions}
    lanes = {
        (lane.origin, lane.destination) for lane in draw_lanes(default_rng(6), places, goods) if lane.mode == "van"
    }
    centre = {site.region: site.site_id for site in places.sites if site.kind is SiteKind.DC}
    assert len(conditions.pairs) == 22 // 3
    for pair in conditions.pairs:
        store, donor = places.sites[assortment.site[pair.short]], places.sites[assortment.site[pair.surplus]]
        sku_id = goods.skus[assortment.sku[pair.short]].sku_id
        assert (donor.site_id, store.site_id) in lanes
        assert held[SiteSku(store.site_id, sku_id)] == held[SiteSku(centre[store.region], sku_id)] == 0
        assert held[SiteSku(donor.site_id, sku_id)] >= 26 * assortment.weekly_units[pair.surplus]


def test_history_has_26_full_weeks_up_to_the_week_of_the_count():
    for observations in sales_by_pair(demo()).values():
        dates = [row.on for row in observations]
        assert len(dates) == 26
        assert dates[-1] == AS_OF.date() - timedelta(days=7)
        assert {later - earlier for earlier, later in pairwise(dates)} == {timedelta(days=7)}


def test_less_is_sold_in_weeks_with_a_stock_out():
    stocked = [row.units for row in demo().sales if row.in_stock]
    out = [row.units for row in demo().sales if not row.in_stock]
    assert 0.02 < len(out) / len(demo().sales) < 0.1
    assert sum(out) / len(out) < 0.6 * sum(stocked) / len(stocked)


def test_some_site_skus_are_clearly_short_some_have_far_too_much_and_a_few_are_stranded():
    sales, regular = sales_by_pair(demo()), replenishment_by_pair(demo())
    held = {position.key: position for position in demo().positions}
    found: Counter[str] = Counter()
    for key, rows in sales.items():
        weekly = sum(row.units for row in rows) / len(rows)
        on_hand = held[key].on_hand_units
        if key not in regular:
            assert all(row.units == 0 for row in rows[-13:])
            assert on_hand > 0
            found["stranded"] += 1
            continue
        needed = weekly * (regular[key].next_arrival_on - AS_OF.date()).days / 7
        found["short"] += needed >= 1 and on_hand < needed / 2
        found["surplus"] += weekly > 0 and on_hand > 8 * weekly
        found["six months"] += weekly > 0 and on_hand > 26 * weekly
    share = {name: count / len(sales) for name, count in found.items()}
    assert 0.05 < share["short"] < 0.2
    assert 0.1 < share["surplus"] < 0.3
    assert 0 < share["stranded"] < 0.06
    assert found["six months"] > 10


def test_some_perishables_will_expire_before_they_are_sold():
    made = network(24, 120)
    shelf_life = {sku.sku_id: sku.shelf_life_days for sku in made.skus if (sku.shelf_life_days or 999) < 60}
    held = {position.key: position.on_hand_units for position in made.positions}
    expiring = 0
    for key, rows in sales_by_pair(made).items():
        weekly = sum(row.units for row in rows) / len(rows)
        life = shelf_life.get(key.sku_id)
        expiring += life is not None and weekly > 1 and 7 * held[key] / weekly > life
    assert expiring >= 3


def test_regular_supply_comes_in_3_to_14_days_and_orders_come_in_whole_packs():
    made = network(24, 120)
    pack = {sku.sku_id: sku.pack_size for sku in made.skus}
    for row in made.replenishments:
        assert 3 <= (row.next_arrival_on - AS_OF.date()).days <= 14
        assert row.review_period_days in (7, 14)
    assert made.inbound
    assert all(row.units > 0 and row.units % pack[row.sku_id] == 0 for row in made.inbound)
    assert all(row.expected_on > AS_OF.date() for row in made.inbound)


def test_every_site_has_room_for_what_it_holds():
    made = network(24, 120)
    volume = {sku.sku_id: sku.unit_volume_microlitres for sku in made.skus}
    held: Counter[str] = Counter()
    for position in made.positions:
        assert 0 <= position.reserved_units <= position.on_hand_units
        held[position.site_id] += position.on_hand_units * volume[position.sku_id]
    assert any(position.reserved_units for position in made.positions)
    for site in made.sites:
        assert (site.storage_capacity_microlitres or 0) > 1.2 * held[site.site_id]


def test_in_the_demo_network_a_lateral_transfer_clearly_pays_in_several_places():
    """A store that runs out, a neighbour with a quarter's cover to spare, an empty centre, and a van that costs little."""
    sales, regular = sales_by_pair(demo()), replenishment_by_pair(demo())
    held = {position.key: position.available_units for position in demo().positions}
    margin_e4 = {sku.sku_id: sku.unit_price_e4 - sku.unit_cost_e4 for sku in demo().skus}
    weekly = {key: sum(row.units for row in rows) / len(rows) for key, rows in sales.items()}
    paying: set[SiteSku] = set()
    for lane in demo().lanes:
        if lane.mode != "van":
            continue
        for key in (SiteSku(lane.destination, sku.sku_id) for sku in demo().skus):
            donor = SiteSku(lane.origin, key.sku_id)
            if key not in regular or key not in weekly or donor not in weekly or held[SiteSku("DC01", key.sku_id)]:
                continue
            days = (regular[key].next_arrival_on - AS_OF.date()).days - lane.lead_time_days
            lost = weekly[key] * days / 7 - held[key]
            spare = held[donor] - 13 * weekly[donor]
            if spare >= lost > 0 and lost * margin_e4[key.sku_id] > 3 * lane.cost_fixed_e4:
                paying.add(key)
    assert len({key.sku_id for key in paying}) >= 3
    assert len({key.site_id for key in paying}) >= 4


@pytest.mark.parametrize(("sites", "skus", "seed"), [(2, 1, 0), (2, 40, 1), (16, 80, 7)])
def test_merchandise_is_stated_on_top_of_the_same_network_and_read_back_without_a_fault(
    sites: int, skus: int, seed: int
):
    plain, made = network(sites, skus, seed), generate_network(sites, skus, seed, AS_OF, merchandise=True)
    assert not plain.merchandise
    assert {name: made_of for name, made_of in write_network(made).items() if name in write_network(plain)} == (
        write_network(plain)
    )
    assert read_network(write_network(made), AS_OF + timedelta(minutes=1), timedelta(days=1)) == made
    assert generate_network(sites, skus, seed, AS_OF, merchandise=True) == made


def test_a_network_with_merchandise_has_something_of_everything():
    made = generate_network(16, 80, 7, AS_OF, merchandise=True)
    stated, shelf_life = made.merchandise, {sku.sku_id: sku.shelf_life_days for sku in made.skus}
    assert all(len(members) == 3 for members in stated.skus_by_set.values())
    assert {row.kind for row in stated.displays} == set(DisplayKind)
    assert {row.site_id == "" for row in stated.ends_of_life} == {True, False}
    assert stated.markdowns
    assert stated.substitutes
    for lot in stated.lots:
        assert AS_OF.date() < lot.expires_on <= AS_OF.date() + timedelta(days=shelf_life[lot.sku_id])
    held = {row.key: row.on_hand_units for row in made.positions}
    for key, lots in stated.lots_by_key.items():
        assert sum(lot.units for lot in lots) == held[SiteSku(*key)]
