"""The world without some of its own promises: what a transfer that is still reserved has to be checked against once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tools.inventory import BookedLoad, SiteSku, Snapshot
from tools.saga import OrderFacts


def without_reserved(snapshot: Snapshot, orders: Sequence[OrderFacts]) -> Snapshot:
    """The facts as if these orders, all of them still reserved, had never been released.

    Their units are free at the origin, the destination expects nothing of them, and their departures have the room. What
    has moved lately stays: the cool-down asks about the other direction.
    """
    reserved = Counter[SiteSku]()
    loads, volumes = Counter[tuple[object, ...]](), Counter[tuple[object, ...]]()
    for order in orders:
        reserved[SiteSku(order.lane.origin, order.sku_id)] += order.units
        sku = snapshot.sku_by_id.get(order.sku_id)
        loads[order.lane, order.depart_on] += order.units
        volumes[order.lane, order.depart_on] += order.units * (sku.unit_volume_microlitres if sku else 0)
    references = {order.reference for order in orders}

    def lighter(load: BookedLoad) -> BookedLoad:
        key = (load.lane, load.depart_on)
        return replace(
            load, units=load.units - loads[key], volume_microlitres=load.volume_microlitres - volumes[key]
        )  # fmt: skip

    booked = [lighter(load) if (load.lane, load.depart_on) in loads else load for load in snapshot.booked]
    return replace(
        snapshot,
        positions=tuple(
            replace(each, reserved_units=each.reserved_units - reserved[each.key]) if each.key in reserved else each
            for each in snapshot.positions
        ),
        supply=tuple(each for each in snapshot.supply if each.reference not in references),
        booked=tuple(load for load in booked if load.units > 0),
    )
