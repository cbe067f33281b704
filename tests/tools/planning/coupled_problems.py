"""Generated problems whose SKUs share lanes and limits, for tests of the fast path and its shards."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from benchmarks.instances import arrays_of, curves
from tools.planning.coupled import Coupled, Curves, SharedLimits
from tools.planning.flow import Flows


def a_problem(
    skus: int,
    *,
    sites: int = 10,
    seed: int = 1,
    lane_cost: bool = True,
    capacity: float = np.inf,
    intake_share: float | None = None,
    line_cost: float = 0.0,
) -> Coupled:
    """Departures with or without a fixed cost, all of one capacity in litres.

    With `intake_share` every site may receive that share of the units that would come to it if nothing were shared.
    """
    found = curves(skus, sites, seed)
    arrays = arrays_of(found)
    limits = SharedLimits.none(len(arrays.arc_sku), arrays.lanes)
    if intake_share is not None:
        units = found.pack_size[arrays.arc_sku].astype(np.float64)
        into = np.stack([np.where(arrays.arc_destination == site, units, 0.0) for site in range(sites)])
        most = np.floor(into @ Flows(arrays).solve().packs * intake_share) + 0.25
        none = sparse.csr_array((sites, arrays.lanes))
        limits = SharedLimits(sparse.csr_array(into), np.zeros(sites), none, most)
    return Coupled(
        arrays=arrays,
        gains=Curves.of(skus, sites, arrays.receive_sku, arrays.receive_site, arrays.receive_gain),
        losses=Curves.of(skus, sites, arrays.send_sku, arrays.send_site, arrays.send_loss),
        lane_cost=found.lane_cost.ravel() if lane_cost else np.zeros(arrays.lanes),
        lane_capacity=np.full(arrays.lanes, capacity),
        arc_volume=found.pack_volume[arrays.arc_sku],
        arc_least=np.ones(len(arrays.arc_sku), dtype=np.int64),
        line_cost=line_cost,
        limits=limits,
    )
