"""Small cycles for tests of the simulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from tools.simulation import Cycle
from tools.simulation.cycle import Lanes, complete_lanes
from tools.simulation.view import View


def a_cycle(
    demand: Sequence[Sequence[int]],
    stock: Sequence[int],
    *,
    forecast: Sequence[Sequence[float]] | None = None,
    move_cost: float = 1.0,
    lead: int = 0,
    day_cost: float = 0.0,
    level_prior: float = float("inf"),
    lanes: Lanes | None = None,
    dispersion: float = 1.0,
) -> Cycle:
    """One SKU; demand by period and site. A lost unit costs 10, a unit left 1."""
    asked = np.array([demand], dtype=np.int64)
    sites = asked.shape[2]
    ways = lanes or complete_lanes(np.ones((sites, sites)), lead, np.full((sites, sites), day_cost))
    return Cycle(
        demand=asked, forecast=asked.astype(float) if forecast is None else np.array([forecast], dtype=float),
        dispersion=np.array([dispersion]), stock=np.array([stock], dtype=np.int64), lost_cost=np.array([10.0]),
        left_cost=np.array([1.0]), lanes=ways, move_cost=np.full((1, len(ways)), move_cost), level_prior=level_prior,
    )  # fmt: skip


def view_of(cycle: Cycle, period: int = 1, stock: Sequence[int] | None = None) -> View:
    """The state of the cycle's only SKU with this stock and nothing in transit."""
    return View.at(cycle, period, cycle.stock if stock is None else np.array([stock], dtype=np.int64))


@st.composite
def cycles(draw: st.DrawFn) -> Cycle:
    """Two or three SKUs at two to four sites over three to six periods."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    skus, sites, periods = draw(st.integers(2, 3)), draw(st.integers(2, 4)), draw(st.integers(3, 6))
    lead = draw(st.integers(0, 2))
    forecast = rng.uniform(0.0, 4.0, (skus, periods, sites))
    dispersion = np.ones(skus) if draw(st.booleans()) else rng.uniform(1.2, 3.0, skus)
    lanes = complete_lanes(np.ones((sites, sites)), lead)
    return Cycle(
        demand=rng.poisson(forecast * 1.1).astype(np.int64), forecast=forecast, dispersion=dispersion,
        stock=rng.integers(0, 14, (skus, sites)), lost_cost=rng.uniform(1, 20, skus),
        left_cost=rng.uniform(0, 2, skus), lanes=lanes, move_cost=rng.uniform(0.05, 3.0, (skus, len(lanes))),
        level_prior=draw(st.sampled_from([float("inf"), 8.0])),
    )  # fmt: skip
