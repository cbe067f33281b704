"""The door to the optimiser: against another solver on the whole formulation, and what its words may claim."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import optimize, sparse, stats

from tests.builders import (
    a_forecast,
    a_lane,
    a_needy_network,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tools.inventory import Snapshot
from tools.planning import Limits, Solution, exact, make_plan, solve
from tools.planning.solve import better_of
from tools.transfers import Overlays, PlanRequest, SolveStatus, UnitCap

REQUEST = PlanRequest()


def a_region(seed: int, sites: int, skus: int) -> tuple[Snapshot, Limits]:
    """A van of one day between all sites, a few of which have plenty of a SKU; Poisson demand; several limits at once."""
    rng = np.random.default_rng(seed)
    names, goods = [f"S{n}" for n in range(sites)], [f"P{n}" for n in range(skus)]
    keys = [(site, sku) for site in names for sku in goods]
    plenty = {key: rng.random() < 0.4 for key in keys}
    snapshot = a_snapshot(
        sites=[a_site(site, inbound_units_per_day=int(rng.integers(10, 40))) for site in names],
        skus=[
            a_sku(sku, pack_size=int(rng.integers(1, 4)), min_transfer_units=int(rng.integers(1, 8))) for sku in goods
        ],
        lanes=[
            a_lane(
                origin,
                destination,
                cost_fixed_e4=int(rng.integers(20_000, 150_000)),
                cost_per_unit_e4=int(rng.integers(0, 8_000)),
                capacity_microlitres_per_departure=int(rng.integers(4, 20)) * 1_000_000,
            )
            for origin in names
            for destination in names
            if origin != destination
        ],
        positions=[
            a_position(*key, int(rng.integers(10, 30)) if plenty[key] else int(rng.integers(0, 3))) for key in keys
        ],
        forecasts=[
            a_forecast(*key, daily_units=float(rng.uniform(0, 0.4) if plenty[key] else rng.uniform(0.3, 2)))
            for key in keys
        ],
        replenishments=[a_replenishment(*key, days=7) for key in keys],
    )
    limits = limits_for(
        *goods, line_charge_minor=40, line_hurdle_minor=60, lane_hurdle_minor=100, lines_max=9, review_interval_days=7
    )
    return snapshot, limits


@dataclass
class Rows:
    """Rows of a mixed-integer program as they are added, in the order of its columns."""

    columns: int
    entries: list[tuple[int, int, float]]
    lower: list[float]
    upper: list[float]

    def add(self, terms: list[tuple[int, float]], lower: float, upper: float) -> None:
        self.entries.extend((len(self.lower), column, weight) for column, weight in terms)
        self.lower.append(lower)
        self.upper.append(upper)

    def constraint(self) -> optimize.LinearConstraint:
        rows, columns, weights = zip(*self.entries, strict=True)
        matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(len(self.lower), self.columns))
        return optimize.LinearConstraint(matrix, self.lower, self.upper)


def optimum_of_everything(snapshot: Snapshot, limits: Limits) -> float:
    """The least objective by scipy's solver: nothing pruned, every count whole, values from scipy's own Poisson."""
    lost, leftover = 600.0, 8.0
    lines = [(lane, sku) for lane in snapshot.lanes for sku in snapshot.skus]
    keys = [position.key for position in snapshot.positions]
    packs_max = 40
    x = {(lane.key, sku.sku_id): n for n, (lane, sku) in enumerate(lines)}
    w = {key: len(lines) + n for n, key in enumerate(x)}
    z = {lane.key: 2 * len(lines) + n for n, lane in enumerate(snapshot.lanes)}
    first = 2 * len(lines) + len(snapshot.lanes)
    r = {(key, n): first + i * packs_max + n for i, key in enumerate(keys) for n in range(packs_max)}
    d = {pair: column + len(keys) * packs_max for pair, column in r.items()}
    s = {key: first + 2 * len(keys) * packs_max + i for i, key in enumerate(keys)}
    columns = first + 2 * len(keys) * packs_max + len(keys)
    cost, upper, rows = np.zeros(columns), np.ones(columns), Rows(columns, [], [], [])
    for key in keys:
        sku, stock = snapshot.sku_by_id[key.sku_id], snapshot.position_by_key[key].available_units
        mean = snapshot.forecast_by_key[key].mean_e6[0] / 1e6
        sellable = [stats.poisson(7 * mean), stats.poisson(6 * mean)]
        for n in range(packs_max):
            units = np.arange(n * sku.pack_size, (n + 1) * sku.pack_size)
            sold = min(sellable[0].sf(stock + units).sum(), sellable[1].sf(units).sum())
            missed = np.where(stock - units - 1 < 0, 1.0, sellable[0].sf(stock - units - 1)).sum()
            cost[r[key, n]] = -((lost + leftover) * sold - leftover * sku.pack_size)
            cost[d[key, n]] = (lost + leftover) * missed - leftover * sku.pack_size
        into = [x[lane.key, sku.sku_id] for lane in snapshot.lanes if lane.destination == key.site_id]
        out = [x[lane.key, sku.sku_id] for lane in snapshot.lanes if lane.origin == key.site_id]
        received, sent = [r[key, n] for n in range(packs_max)], [d[key, n] for n in range(packs_max)]
        rows.add([*((c, 1) for c in into), *((c, -1) for c in received)], 0, 0)
        rows.add([*((c, 1) for c in out), *((c, -1) for c in sent)], 0, 0)
        rows.add([(c, sku.pack_size) for c in out], 0, stock)
        rows.add([*((c, 1) for c in received), (s[key], packs_max)], 0, packs_max)
        rows.add([*((c, 1) for c in sent), (s[key], -packs_max)], -np.inf, 0)
    for lane, sku in lines:
        key = (lane.key, sku.sku_id)
        cost[x[key]], cost[w[key]] = sku.pack_size * lane.cost_per_unit_e4 / 100, 100
        upper[x[key]] = packs_max
        least = -(-sku.min_transfer_units // sku.pack_size)
        rows.add([(x[key], 1), (w[key], -packs_max)], -np.inf, 0)
        rows.add([(x[key], 1), (w[key], -least)], 0, np.inf)
        rows.add([(w[key], 1), (z[lane.key], -1)], -np.inf, 0)
    for lane in snapshot.lanes:
        cost[z[lane.key]] = lane.cost_fixed_e4 / 100 + 100
        capacity = lane.capacity_microlitres_per_departure / 1e6
        rows.add([(x[lane.key, sku.sku_id], sku.pack_size) for sku in snapshot.skus], 0, capacity)
    for site in snapshot.sites:
        terms = [(x[lane.key, sku.sku_id], sku.pack_size) for lane, sku in lines if lane.destination == site.site_id]
        rows.add(terms, 0, site.inbound_units_per_day)
    rows.add([(column, 1) for column in w.values()], 0, limits.lines_max)
    whole = np.ones(columns)
    whole[first : first + 2 * len(keys) * packs_max] = 0
    found = optimize.milp(
        cost,
        integrality=whole,
        bounds=optimize.Bounds(0, upper),
        constraints=rows.constraint(),
        options={"mip_rel_gap": 0},
    )
    assert found.status == 0
    return float(found.fun)


@pytest.mark.parametrize(("seed", "sites", "skus"), [(1, 3, 4), (2, 4, 3), (3, 4, 5), (9, 6, 4)])
def test_another_solver_finds_the_same_optimum_of_the_whole_formulation(seed, sites, skus):
    snapshot, limits = a_region(seed, sites, skus)
    solution = solve(snapshot, limits, REQUEST, gap_ppm=0)
    assert solution.status is SolveStatus.OPTIMAL
    assert len(solution.moves) > 2
    assert solution.objective == pytest.approx(optimum_of_everything(snapshot, limits), rel=1e-6)
    assert make_plan(snapshot, limits, REQUEST, solution).lines


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_a_plan_within_the_gap_is_no_further_from_the_optimum_than_it_says(seed):
    snapshot, limits = a_region(seed, 4, 3)
    best = solve(snapshot, limits, REQUEST, gap_ppm=0)
    loose = solve(snapshot, limits, REQUEST, gap_ppm=100_000)
    assert loose.bound - 1e-6 <= best.objective <= loose.objective + 1e-6
    assert loose.gap_ppm <= 100_000
    assert (best.objective - loose.objective) >= -loose.gap_ppm / 1e6 * abs(loose.objective) - 1e-3
    assert loose.status is (SolveStatus.OPTIMAL if loose.gap_ppm == 0 else SolveStatus.WITHIN_GAP)


@pytest.mark.parametrize("seed", range(4_000, 4_012))
def test_the_order_in_which_facts_come_changes_no_move(seed):
    case = random_case(seed)
    facts = case.snapshot
    turned = replace(
        facts,
        **{
            name: tuple(reversed(getattr(facts, name)))
            for name in ("sites", "skus", "lanes", "positions", "supply", "forecasts", "replenishments")
        },
    )
    assert solve(turned, case.limits, case.request) == solve(facts, case.limits, case.request)


@pytest.mark.parametrize("seed", range(8, 12))
def test_another_site_never_makes_the_best_plan_worse(seed):
    snapshot, limits = a_region(seed, 4, 2)
    fewer = replace(
        snapshot,
        sites=snapshot.sites[:-1],
        lanes=tuple(lane for lane in snapshot.lanes if "S3" not in (lane.origin, lane.destination)),
        positions=tuple(position for position in snapshot.positions if position.site_id != "S3"),
        forecasts=tuple(forecast for forecast in snapshot.forecasts if forecast.site_id != "S3"),
    )
    more = solve(snapshot, limits, REQUEST, gap_ppm=0).objective
    assert more <= solve(fewer, limits, REQUEST, gap_ppm=0).objective + 1e-6


def test_a_van_that_is_a_hair_too_small_for_a_pack_does_not_take_it():
    # Three units of a third of a litre each, rounded up to a microlitre: 1,000,002 of 1,000,000.
    snapshot = a_needy_network(
        skus=(a_sku(unit_volume_microlitres=333_334),), lanes=(a_lane(capacity_microlitres_per_departure=1_000_000),)
    )
    solution = solve(snapshot, limits_for(), REQUEST, gap_ppm=0)
    assert [move.packs for move in solution.moves] == [2]
    assert make_plan(snapshot, limits_for(), REQUEST, solution).units == 2


def test_goods_that_are_a_hair_too_dear_for_the_policy_stay():
    snapshot = a_needy_network(skus=(a_sku(unit_cost_e4=333_334),))
    limits = limits_for(goods_value_max_minor=10_000)
    assert make_plan(snapshot, limits, REQUEST, solve(snapshot, limits, REQUEST, gap_ppm=0)).units == 2


def test_a_budget_is_kept_to_the_ten_thousandth():
    # Three units cost 3 x 3,333.67 + 5.00 = 10,006.01.
    lanes = (a_lane(cost_per_unit_e4=33_336_700),)
    limits = limits_for(lost_unit_e4={"P1": 90_000_000})
    for budget_minor, units in ((1_000_601, 3), (1_000_600, 2)):
        request = PlanRequest(overlays=Overlays(transport_budget_minor=budget_minor))
        snapshot = a_needy_network(lanes=lanes)
        assert make_plan(snapshot, limits, request, solve(snapshot, limits, request, gap_ppm=0)).units == units


def test_goods_without_volume_fill_no_van():
    snapshot = a_needy_network(
        skus=(a_sku(unit_volume_microlitres=0),), lanes=(a_lane(capacity_microlitres_per_departure=1),)
    )
    assert solve(snapshot, limits_for(), REQUEST).moves[0].packs == 100


def test_limits_of_nothing_leave_a_plan_of_nothing_and_never_an_infeasible_one():
    # Moving nothing keeps every constraint, because each is an upper limit; so no request can be infeasible.
    nothing = limits_for(units_max=0, lines_max=0, goods_value_max_minor=0, line_units_max=0)
    caps = (UnitCap(site_id="S2", sku_id="P1", units=0),)
    closed = PlanRequest(overlays=Overlays(max_units=0, max_lines=0, transport_budget_minor=0, receive_caps=caps))
    sites = (
        a_site("S1", outbound_units_per_day=0),
        a_site("S2", inbound_units_per_day=0, storage_capacity_microlitres=0),
    )
    lanes = (a_lane(capacity_microlitres_per_departure=0),)
    for limits, request, fields in (
        (nothing, REQUEST, {}),
        (limits_for(units_max=0), REQUEST, {}),
        (limits_for(), closed, {}),
        (limits_for(), REQUEST, {"sites": sites}),
        (limits_for(), REQUEST, {"lanes": lanes}),
        (nothing, closed, {"sites": sites, "lanes": lanes}),
    ):
        assert solve(a_needy_network(**fields), limits, request).status is SolveStatus.NOTHING_TO_MOVE


@pytest.mark.parametrize(
    ("outcome", "sol_status", "gap", "status"),
    [
        ("kOptimal", 1, 0.0, SolveStatus.OPTIMAL),
        ("kOptimal", 1, 0.004, SolveStatus.WITHIN_GAP),
        ("kOptimal", 1, float("inf"), SolveStatus.WITHIN_GAP),
        ("kOptimal", 2, 0.0, SolveStatus.STOPPED),
        ("kSolutionLimit", 2, 0.2, SolveStatus.FEASIBLE),
        ("kSolutionLimit", 2, float("inf"), SolveStatus.STOPPED),
        ("kInfeasible", -1, 0.0, SolveStatus.INFEASIBLE),
        ("kUnboundedOrInfeasible", -1, 0.0, SolveStatus.INFEASIBLE),
        ("kTimeLimit", 1, 0.0, SolveStatus.STOPPED),
        ("kUnbounded", 1, 0.0, SolveStatus.STOPPED),
        ("kInterrupt", 1, 0.0, SolveStatus.STOPPED),
        ("kUnknown", 1, 0.0, SolveStatus.STOPPED),
    ],
)
def test_only_a_proof_is_called_optimal(outcome, sol_status, gap, status):
    assert exact._status(outcome, sol_status, gap) is status


def test_a_solve_that_stops_at_its_first_node_says_feasible_with_its_gap(monkeypatch):
    snapshot, limits = a_region(3, 4, 5)
    best = solve(snapshot, limits, REQUEST, gap_ppm=0)
    monkeypatch.setattr(exact, "NODES_MAX", 1)
    stopped = solve(snapshot, limits, REQUEST, gap_ppm=0)
    assert stopped.status is SolveStatus.FEASIBLE
    assert stopped.gap_ppm > 0
    assert stopped.bound - 1e-6 <= best.objective <= stopped.objective + 1e-6
    plan = make_plan(snapshot, limits, REQUEST, stopped)
    assert (plan.solver.status, plan.solver.gap_ppm) == (SolveStatus.FEASIBLE, stopped.gap_ppm)


def test_a_request_too_large_for_the_exact_formulation_is_told_to_narrow(monkeypatch):
    snapshot, limits = a_region(3, 4, 5)
    monkeypatch.setattr(exact, "VARIABLES_MAX", 50)
    refused = solve(snapshot, limits, REQUEST)
    assert (refused.status, refused.moves, refused.bound) == (SolveStatus.TOO_LARGE, (), None)
    assert "the exact formulation takes 50. Narrow the request" in refused.note


def test_a_solution_names_the_solver_that_found_it():
    versions = solve(a_needy_network(), limits_for(), REQUEST).versions
    assert [name.split()[0] for name in versions] == ["pulp", "highspy"]


def test_two_ways_prove_together_what_neither_proves_alone():
    # The fast path found the better plan, the exact model the higher bound: 1,000 against 1,004 is within 0.5 %.
    fast = Solution(SolveStatus.FEASIBLE, objective=-1_000.0, bound=-1_100.0, path="fast")
    exactly = Solution(SolveStatus.FEASIBLE, objective=-990.0, bound=-1_004.0, path="exact")
    best = better_of(fast, exactly, 5_000)
    assert (best.path, best.bound, best.status) == ("fast", -1_004.0, SolveStatus.WITHIN_GAP)
    assert better_of(fast, exactly, 3_000).status is SolveStatus.FEASIBLE
    assert better_of(fast, replace(exactly, bound=None), 5_000) is fast
