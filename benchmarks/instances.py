"""Synthetic transport problems of any size: the instances on which planning is measured.

Sites lie on a square; demand is negative binomial and differs by SKU and site; 15 % of
the positions are short and 15 % hold far more than they will sell. Lanes join every
ordered pair of sites. Money is in currency units, volume in litres.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy import stats

from tools.planning.flow import FloatArray, FlowArrays, IntArray

PACKS_MAX = 10
SITES = 20
SEED = 1
CHUNK = 2_000


@dataclass(frozen=True)
class Curves:
    """Everything about the SKUs that does not depend on which arcs pay: what each pack gains, loses and weighs.

    `gain` and `loss` have the shape (SKUs, sites, packs); a loss is infinite where the pack is not there.
    """

    gain: FloatArray
    loss: FloatArray
    pack_size: IntArray
    pack_volume: FloatArray
    pack_cost: FloatArray
    target: FloatArray
    stock: FloatArray
    distance: FloatArray

    @property
    def lane_cost(self) -> FloatArray:
        """The fixed cost of a departure, by origin and destination."""
        return 45.0 + 1.1 * self.distance


def curves(skus: int, sites: int = SITES, seed: int = SEED, imbalance: float = 0.30) -> Curves:
    """The curves of one instance; the same seed gives the same instance on every machine."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 100, (sites, 2))
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    size = rng.lognormal(0, 0.4, sites)
    size /= size.mean()
    popularity = np.clip(np.exp(rng.normal(np.log(8), 1.1, skus)), 0.3, 400)
    mu = np.maximum(popularity[:, None] * size * rng.lognormal(0, 0.25, (skus, sites)), 0.05)
    phi = rng.uniform(1.3, 3.0, skus)
    price = np.clip(np.exp(rng.normal(np.log(15), 0.7, skus)), 2, 200)
    volume = rng.lognormal(0, 0.5, skus)
    u, v = rng.uniform(size=(skus, sites)), rng.uniform(size=(skus, sites))
    lost, left = 0.45 * price, 0.04 * price
    pack = np.where(popularity < 10, 1, np.where(popularity < 40, 6, 12)).astype(np.int64)
    spread = mu / (phi[:, None] - 1)
    target = stats.nbinom.ppf((lost / (lost + left))[:, None], spread, (1 / phi)[:, None])
    stock = target * (0.95 + 0.15 * v)
    stock = np.where(u < imbalance / 2, 0.6 * mu * v, stock)
    stock = np.where(u > 1 - imbalance / 2, target + mu * (0.8 + 2.2 * v), stock).round()
    gain, loss = np.empty((skus, sites, PACKS_MAX)), np.empty((skus, sites, PACKS_MAX))
    for first in range(0, skus, CHUNK):
        part = slice(first, first + CHUNK)
        gain[part], loss[part] = _blocks(mu[part], phi[part], stock[part], pack[part], (lost[part], left[part]))
    per_pack = (0.35 + 0.012 * distance) * (volume * pack)[:, None, None] + (0.25 * pack)[:, None, None]
    return Curves(gain, loss, pack, volume * pack, per_pack, target, stock, distance)


def _blocks(
    mu: FloatArray, phi: FloatArray, stock: FloatArray, pack: IntArray, money: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Gains and losses by pack: sums of (p + h) P(D > y) - h over the units of the pack."""
    lost, left = money
    gain, loss = np.zeros((*mu.shape, PACKS_MAX)), np.zeros((*mu.shape, PACKS_MAX))
    worth, keep = (lost + left)[:, None], left[:, None]
    size, chance = mu / (phi[:, None] - 1), (1 / phi)[:, None]
    for packs in np.unique(pack):
        rows = np.flatnonzero(pack == packs)
        steps = np.arange(PACKS_MAX * packs)
        up = stats.nbinom.sf(stock[rows][..., None] + steps, size[rows][..., None], chance[rows][..., None])
        down = stats.nbinom.sf(stock[rows][..., None] - steps - 1, size[rows][..., None], chance[rows][..., None])
        shape = (len(rows), mu.shape[1], PACKS_MAX, packs)
        gain[rows] = (worth[rows, :, None, None] * up.reshape(shape) - keep[rows, :, None, None]).sum(axis=3)
        loss[rows] = (worth[rows, :, None, None] * down.reshape(shape) - keep[rows, :, None, None]).sum(axis=3)
    there = np.arange(1, PACKS_MAX + 1) * pack[:, None, None] <= stock[..., None]
    return gain, np.where(there, loss, np.inf)


def arrays_of(found: Curves, *, keep_segments: bool = False) -> FlowArrays:
    """The pruned transport problems: arcs whose first pack pays, and the packs that could ever be moved."""
    skus, sites = found.stock.shape
    sku, origin, destination = _paying_arcs(found)
    cost = found.pack_cost[sku, origin, destination]
    cheapest = np.full((skus, sites), np.inf)
    np.minimum.at(cheapest, (sku, destination), found.loss[sku, origin, 0] + cost)
    dearest = np.full((skus, sites), -np.inf)
    np.maximum.at(dearest, (sku, origin), found.gain[sku, destination, 0] - cost)
    if keep_segments:
        receives = np.isfinite(cheapest)[..., None] & np.ones(PACKS_MAX, dtype=np.bool_)
        sends = np.isfinite(dearest)[..., None] & np.isfinite(found.loss)
    else:
        receives, sends = found.gain > cheapest[..., None] + 1e-9, found.loss < dearest[..., None] - 1e-9
    r, s = np.nonzero(receives), np.nonzero(sends)
    return FlowArrays(
        skus=skus, sites=sites, lanes=sites * sites,
        arc_sku=sku, arc_origin=origin, arc_destination=destination, arc_lane=origin * sites + destination,
        arc_most=np.full(len(sku), PACKS_MAX, dtype=np.int64), arc_cost=cost,
        send_sku=s[0], send_site=s[1], send_packs=np.ones(len(s[0]), dtype=np.int64), send_loss=found.loss[s],
        receive_sku=r[0], receive_site=r[1], receive_packs=np.ones(len(r[0]), dtype=np.int64),
        receive_gain=found.gain[r],
    )  # fmt: skip


def _paying_arcs(found: Curves) -> tuple[IntArray, IntArray, IntArray]:
    parts = []
    for first in range(0, len(found.stock), CHUNK):
        part = slice(first, first + CHUNK)
        margin = found.gain[part, None, :, 0] - found.loss[part, :, None, 0] - found.pack_cost[part]
        margin[:, np.arange(margin.shape[1]), np.arange(margin.shape[1])] = -np.inf
        sku, origin, destination = np.nonzero(margin > 1e-9)
        parts.append((sku + first, origin, destination))
    sku, origin, destination = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return sku, origin, destination


def in_chunks(skus: int, chunk: int = 10_000) -> Iterator[Curves]:
    """Instances that together have so many SKUs, with a seed each, so that memory stays within bounds."""
    for number, first in enumerate(range(0, skus, chunk)):
        yield curves(min(chunk, skus - first), seed=SEED + number)


def joined(parts: Sequence[FlowArrays]) -> FlowArrays:
    """The SKUs of all parts in one."""
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(part.skus for part in parts)])
    columns: dict[str, IntArray | FloatArray] = {}
    for column in fields(FlowArrays):
        if "_" in column.name:
            shift = before if column.name.endswith("_sku") else np.zeros(len(parts), dtype=np.int64)
            columns[column.name] = np.concatenate(
                [getattr(part, column.name) + shift[n] for n, part in enumerate(parts)]
            )
    return FlowArrays(skus=int(before[-1]), sites=parts[0].sites, lanes=parts[0].lanes, **columns)  # type: ignore[arg-type]  # the columns are named by the class itself
