"""A made-up network from a seed: sites, SKUs, lanes, sales history and stock that is out of balance.

The same arguments give the same network, byte for byte. Everything is invented; the
places lie in the middle of the United States and none of them exists.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

from numpy.random import SeedSequence, default_rng

from tools.generate.assortment import draw_assortment
from tools.generate.goods import draw_goods
from tools.generate.imbalance import draw_conditions
from tools.generate.lanes import draw_lanes
from tools.generate.merchandise import draw_merchandise
from tools.generate.places import draw_places
from tools.generate.sales import draw_sales
from tools.generate.stock import draw_stock
from tools.merchandise.facts import Merchandise
from tools.network_folder import NetworkFolder

SITES_MIN, SITES_MAX = 2, 2_000
SKUS_MAX = 100_000

__all__ = ["SITES_MAX", "SITES_MIN", "SKUS_MAX", "generate_network"]


def generate_network(sites: int, skus: int, seed: int, as_of: datetime, *, merchandise: bool = False) -> NetworkFolder:
    """A network with stock counted at `as_of` and 26 weeks of sales before it.

    About one site in 13 is a distribution centre. Among the stores' site-SKUs some 15 %
    are short, 15 % have a surplus and a few are stranded; where stores lie close to each
    other, some shortages of well-selling SKUs are put beside a surplus of the same SKU
    while the centre has none, so that a lateral transfer clearly pays.

    With `merchandise` it also states sets, displays, lots, ends of life, markdowns and
    substitutes; everything else is the same with and without.

    Raises ValueError for sizes out of bounds, a negative seed, or an `as_of` without a zone.
    """
    if not SITES_MIN <= sites <= SITES_MAX:
        raise ValueError(f"a network has {SITES_MIN} to {SITES_MAX} sites, not {sites}")
    if not 1 <= skus <= SKUS_MAX:
        raise ValueError(f"a network has 1 to {SKUS_MAX} SKUs, not {skus}")
    if as_of.tzinfo is None:
        raise ValueError("as_of must have a zone")
    # Every part draws from a stream of its own, so that a change in one leaves the others as they were.
    streams = [default_rng(child) for child in SeedSequence(seed).spawn(8)]
    places = draw_places(streams[0], sites)
    goods = draw_goods(streams[1], skus)
    assortment = draw_assortment(streams[2], places, goods)
    conditions = draw_conditions(streams[3], places, goods, assortment)
    sales = draw_sales(streams[4], places, goods, assortment, conditions, as_of)
    stock = draw_stock(streams[5], places, goods, assortment, conditions, as_of)
    kinds = {site.site_id: site.kind for site in places.sites}
    stated = draw_merchandise(streams[7], kinds, goods.skus, stock.positions, as_of) if merchandise else Merchandise()
    return NetworkFolder(
        currency="USD",
        sites=stock.sites_with_room(places, goods),
        skus=goods.skus,
        lanes=draw_lanes(streams[6], places, goods),
        positions=stock.positions,
        inbound=stock.inbound,
        sales=sales,
        replenishments=stock.replenishments,
        **{field.name: getattr(stated, field.name) for field in fields(stated)},
    )
