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
from itertools import groupby

from tools.inventory import SiteSku, Snapshot
from tools.planning.instance import build_instance
from tools.planning.limits import Limits
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
    """The pools that at least two receivers claim more from than there is."""
    instance = build_instance(assumed(snapshot, request.overlays), limits, request)
    contests: list[Contest] = []
    for pool, of_pool in groupby(sorted(instance.arcs, key=lambda arc: (arc.origin, arc.lane.key)), lambda a: a.origin):
        arcs = list(of_pool)
        losses = instance.nodes[pool].losses
        cheapest: dict[str, float] = {}
        carried: dict[str, int] = {}
        for arc in arcs:
            site_id, cost = arc.lane.destination, arc.move_cost + arc.late
            cheapest[site_id] = min(cost, cheapest.get(site_id, cost))
            carried[site_id] = carried.get(site_id, 0) + arc.packs_max
        claims = []
        for site_id, cost in sorted(cheapest.items()):
            gains = instance.nodes[SiteSku(site_id, pool.sku_id)].gains[: carried[site_id]]
            bids = tuple(gain - cost for gain in gains if gain - cost >= losses[0] + WORTH_CLAIMING)
            if bids:
                claims.append(Claim(site_id, bids))
        if len(claims) > 1 and sum(len(claim.bids) for claim in claims) > len(losses):
            contests.append(Contest(pool, arcs[0].sku.pack_size, losses, tuple(claims)))
    return tuple(contests)


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
