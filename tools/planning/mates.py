"""What a wish for one SKU of a set asks of the others, where a set is delivered in whole or not at all.

A way to a site that lacks the set is open only while every other SKU that is missing
there can come as well, by whatever way; what stands between the site and those SKUs
are obstacles to the wish then. Whether one of them can come is asked for each by
itself: what they would take up of a limit that they share with the wish is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tools.inventory import SiteSku, Snapshot
from tools.planning.limits import Limits
from tools.planning.obstacles import Kind, Mate, Obstacle, Setting, Wanted, setting_of
from tools.planning.room import Room
from tools.planning.solution import Move
from tools.transfers import PlanRequest


def setting_with_mates(
    facts: Snapshot, limits: Limits, request: PlanRequest, wanted: Wanted, committed: Sequence[Move]
) -> Setting:
    """Every way and obstacle for a wish, as `setting_of`, and those for the SKUs that have to come with it."""
    room = Room(facts, limits, request, committed)
    setting = setting_of(facts, limits, request, wanted, committed, room)
    return replace(setting, mates=tuple(_mates(facts, limits, request, setting, committed, room)))


def _mates(
    facts: Snapshot, limits: Limits, request: PlanRequest, setting: Setting, committed: Sequence[Move], room: Room
) -> Iterator[Mate]:
    sku_id = setting.wanted.sku_id
    for whole in limits.whole_sets:
        into = tuple(n for n, way in enumerate(setting.ways) if way.mode and way.destination == whole.site_id)
        if sku_id not in whole.sku_ids or not into:
            continue
        obstacle = Obstacle("whole_set", f"{', '.join(whole.sku_ids)} at {whole.site_id}", Kind.POLICY)
        for other in whole.missing:
            if other != sku_id and not room.received[SiteSku(whole.site_id, other)]:
                wanted = Wanted(whole.site_id, other, 1)
                yield Mate(obstacle, into, setting_of(facts, limits, request, wanted, committed, room))
