"""Facts that transfers change, with everything kept that was worked out from the others; and the world without some promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tools.canonical import digest_of_parts
from tools.inventory import BookedLoad, SiteSku, Snapshot
from tools.saga import OrderFacts

_STILL_HOLDS = (
    "site_by_id", "sku_by_id", "lane_by_key", "forecast_by_key", "replenishment_by_key", "hold_by_key", "demand_table",
)  # fmt: skip
"""What a snapshot has worked out from facts that no transfer changes."""
_PARTS = "the parts of the digest"


def changed_by_transfers(before: Snapshot, facts: Mapping[str, Any]) -> Snapshot:
    """The snapshot with these fields, all of them such as transfers change. Its digest writes out only what has changed."""
    changed = {name: value for name, value in facts.items() if value != getattr(before, name)}
    if not changed:
        return before
    now = replace(before, **changed)
    # A cached property is kept among the attributes of its object: there the next one finds it.
    vars(now).update({name: getattr(before, name) for name in _STILL_HOLDS})
    parts: dict[str, bytes] | None = before.worked_out.get(_PARTS)
    if parts is None:
        parts = before.worked_out[_PARTS] = before.identity_parts()
    same = {name: part for name, part in parts.items() if name not in changed}
    now.worked_out[_PARTS] = same | now.identity_parts(changed.keys())
    vars(now)["digest"] = digest_of_parts(now.worked_out[_PARTS])
    return now


def without_reserved(
    snapshot: Snapshot, orders: Sequence[OrderFacts], missing: Mapping[SiteSku, int] | None = None
) -> Snapshot:
    """The facts as if these orders, all of them still reserved, had never been released.

    Their units are free at the origin, but for those `missing` that were promised and not found by the last count. The
    destination expects nothing of them, and their departures have the room. What has moved lately stays: the cool-down
    asks about the other direction.
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
    less: dict[str, Any] = {
        "positions": tuple(
            replace(
                each,
                reserved_units=each.reserved_units - reserved[each.key],
                on_hand_units=each.on_hand_units - (missing or {}).get(each.key, 0),
            )
            if each.key in reserved
            else each
            for each in snapshot.positions
        ),
        "supply": tuple(each for each in snapshot.supply if each.reference not in references),
        "booked": tuple(load for load in booked if load.units > 0),
    }
    return changed_by_transfers(snapshot, less)
