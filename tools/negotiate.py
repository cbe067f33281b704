"""Competing claims on one pool of stock, and how they are settled.

A pool is what one donor can send of one SKU. A claim is what one receiver bids for
its packs: the gain of each further pack after freight. The donor has a reserve
price for each pack, its own loss. Both come from the planner's value curves, so
nobody can bid more than the stock is worth to them.

Two mechanisms settle a pool. The market gives each pack to the highest bid above
the reserve price; all winners face one price, the highest bid that lost (or the
reserve price): a uniform-price auction (Krishna, Auction Theory, 2nd ed., ch. 12).
Priority serves the sites that policy ranks first, in that order, and then the others
by bid. Both are deterministic; ties go to the earlier site id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tools.demand import FloatArray
from tools.demand_table import IntArray
from tools.inventory import SiteSku, Snapshot
from tools.planning.limits import Limits
from tools.planning.table import Table, tabulate
from tools.transfers import PlanRequest, TransferPlan, UnitCap
from tools.whatif import assumed

WORTH_CLAIMING = 1.0
"""What a pack must be worth to a claimant beyond the donor's first reserve price, in minor units: less is no quarrel."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one receiver bids for packs of a pool: falling, in minor units a pack, net of freight."""

    site_id: str
    bids: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Contest:
    """A pool that cannot serve every claim. `reserve_prices` are the donor's losses, rising."""

    pool: SiteSku
    pack_size: int
    reserve_prices: tuple[float, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Award:
    """What a claim asked for, what the mechanism gave it, and what the plan gives it, in units.

    `elsewhere_units` are what the plan gives the site of the same SKU from other pools.
    """

    site_id: str
    claimed_units: int
    highest_bid_minor: int
    awarded_units: int
    planned_units: int
    elsewhere_units: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """A settled contest: who gets what, and the price of a pack at which the pool clears."""

    pool: SiteSku
    pool_units: int
    mechanism: str
    price_minor: int
    awards: tuple[Award, ...]


def find_contests(snapshot: Snapshot, limits: Limits, request: PlanRequest) -> tuple[Contest, ...]:
    """The pools that at least two receivers claim more from than there is, by site and SKU of the pool."""
    return contests_of(tabulate(assumed(snapshot, request.overlays), limits, request))


def contests_of(table: Table) -> tuple[Contest, ...]:
    """The contested pools of a table. Only these become objects: most pools of a large table are not contested."""
    if not len(table.arc_sku):
        return ()
    claims = _Claims.of(table)
    contested = np.flatnonzero((claims.claimants > 1) & (claims.claimed > claims.loss.packs))
    order = contested[np.lexsort((claims.pool_sku[contested], claims.pool_site[contested]))]
    return tuple(claims.contest(table, pool) for pool in order.tolist())


class _Falling(NamedTuple):
    """Where the packs of some places stand in a curve of a table, and how many there are."""

    start: IntArray
    packs: IntArray

    @classmethod
    def of(cls, table: Table, curve: tuple[IntArray, IntArray], asked: tuple[IntArray, IntArray]) -> _Falling:
        """For the asked SKUs and sites, in a curve that is sorted by SKU and site."""
        places, wanted = (sku * len(table.sites) + site for sku, site in (curve, asked))
        start = np.searchsorted(places, wanted, side="left")
        return cls(start, np.searchsorted(places, wanted, side="right") - start)


class _Claims(NamedTuple):
    """Pools, and the claims on them one pool after the other: claim `c` of pool `p` is between first[p] and first[p + 1]."""

    pool_sku: IntArray
    pool_site: IntArray
    loss: _Falling
    first: IntArray
    site: IntArray
    cost: FloatArray
    gain: _Falling
    bids: IntArray
    claimants: IntArray
    claimed: IntArray

    @classmethod
    def of(cls, table: Table) -> _Claims:
        """Every claim is made at the cost of its cheapest lane, for no more packs than its lanes carry."""
        number = {site: n for n, site in enumerate(table.sites)}
        origin = np.asarray([number[lane.origin] for lane in table.lanes], dtype=np.int64)[table.arc_lane]
        destination = np.asarray([number[lane.destination] for lane in table.lanes], dtype=np.int64)[table.arc_lane]
        sites = len(table.sites)
        keys, of_arc = np.unique((table.arc_sku * sites + origin) * sites + destination, return_inverse=True)
        cost, carried = np.full(len(keys), np.inf), np.zeros(len(keys), dtype=np.int64)
        np.minimum.at(cost, of_arc, table.arc_move + table.arc_late)
        np.add.at(carried, of_arc, table.arc_most)
        pools, of_claim = np.unique(keys // sites, return_inverse=True)
        sku, site = pools // sites, keys % sites
        loss = _Falling.of(table, (table.loss_sku, table.loss_site), (sku, pools % sites))
        gain = _Falling.of(table, (table.gain_sku, table.gain_site), (sku[of_claim], site))
        gain = _Falling(gain.start, np.minimum(gain.packs, carried))
        bids = _bids(table, gain, cost, table.loss[loss.start[of_claim]] + WORTH_CLAIMING)
        claimants = np.bincount(of_claim, weights=bids > 0, minlength=len(pools)).astype(np.int64)
        claimed = np.bincount(of_claim, weights=bids, minlength=len(pools)).astype(np.int64)
        first = np.searchsorted(of_claim, np.arange(len(pools) + 1))
        return cls(sku, pools % sites, loss, first, site, cost, gain, bids, claimants, claimed)

    def contest(self, table: Table, pool: int) -> Contest:
        """The contest of one pool."""
        sku = table.skus[self.pool_sku[pool]]
        claims = []
        for claim in range(int(self.first[pool]), int(self.first[pool + 1])):
            start = int(self.gain.start[claim])
            bids = table.gain[start : start + int(self.bids[claim])] - self.cost[claim]
            if len(bids):
                claims.append(Claim(table.sites[self.site[claim]], tuple(bids.tolist())))
        start, count = int(self.loss.start[pool]), int(self.loss.packs[pool])
        reserve = tuple(table.loss[start : start + count].tolist())
        return Contest(SiteSku(table.sites[self.pool_site[pool]], sku.sku_id), sku.pack_size, reserve, tuple(claims))


def _bids(table: Table, gain: _Falling, cost: FloatArray, least: FloatArray) -> IntArray:
    """How many packs each claimant bids at least so much for. Gains fall, so these are its first packs."""
    ends = np.cumsum(gain.packs)
    claim = np.repeat(np.arange(len(cost)), gain.packs)
    row = np.arange(len(claim)) - np.repeat(ends - gain.packs, gain.packs) + gain.start[claim]
    worth = table.gain[row] - cost[claim] >= least[claim]
    return np.bincount(claim, weights=worth, minlength=len(cost)).astype(np.int64)


def settle(contest: Contest, mechanism: str, ranked_sites: tuple[str, ...], plan: TransferPlan) -> Settlement:
    """Settle one contest and set the plan's own lines beside it."""
    rank = {site: number for number, site in enumerate(ranked_sites)} if mechanism == "priority" else {}
    last = len(rank)
    bids = sorted(
        (rank.get(claim.site_id, last), -bid, claim.site_id) for claim in contest.claims for bid in claim.bids
    )
    won: dict[str, int] = {}
    lost: list[float] = []
    packs = 0
    for _, minus_bid, site_id in bids:
        if packs < len(contest.reserve_prices) and -minus_bid > contest.reserve_prices[packs]:
            won[site_id] = won.get(site_id, 0) + 1
            packs += 1
        else:
            lost.append(-minus_bid)
    reserve = contest.reserve_prices[packs - 1] if packs else contest.reserve_prices[0]
    planned: dict[str, int] = {}
    for line in plan.lines:
        if SiteSku(line.origin, line.sku_id) == contest.pool:
            planned[line.destination] = planned.get(line.destination, 0) + line.units
    awards = tuple(
        Award(
            site_id=claim.site_id,
            claimed_units=len(claim.bids) * contest.pack_size,
            highest_bid_minor=round(claim.bids[0]),
            awarded_units=won.get(claim.site_id, 0) * contest.pack_size,
            planned_units=planned.get(claim.site_id, 0),
            elsewhere_units=plan.received_units.get(SiteSku(claim.site_id, contest.pool.sku_id), 0)
            - planned.get(claim.site_id, 0),
        )
        for claim in contest.claims
    )
    price = round(max([reserve, *lost]))
    return Settlement(contest.pool, len(contest.reserve_prices) * contest.pack_size, mechanism, price, awards)


def caps_by_priority(settlements: tuple[Settlement, ...], ranked_sites: tuple[str, ...]) -> tuple[UnitCap, ...]:
    """What sites without priority may receive at most, so that those with priority are served first.

    Only where the plan gave a ranked site less than priority awards it. A site that
    steps back in several pools gets the sum of its awards, and keeps what the plan
    gives it from every other pool.
    """
    ranked = frozenset(ranked_sites)
    given: dict[SiteSku, int] = {}
    change: dict[SiteSku, int] = {}
    for settlement in settlements:
        short = any(a.site_id in ranked and a.planned_units < a.awarded_units for a in settlement.awards)
        for award in settlement.awards if short else ():
            if award.site_id not in ranked:
                key = SiteSku(award.site_id, settlement.pool.sku_id)
                given[key] = award.planned_units + award.elsewhere_units
                change[key] = change.get(key, 0) + award.awarded_units - award.planned_units
    return tuple(
        UnitCap(site_id=key.site_id, sku_id=key.sku_id, units=given[key] + more) for key, more in sorted(change.items())
    )
