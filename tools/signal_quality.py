"""How good the stock figures of each site are: how many are held back, and how old the counts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tools.inventory import SiteSku, Snapshot


@dataclass(frozen=True, slots=True)
class SiteFigures:
    """The stock figures of a site. `oldest_hours` is the age of its oldest count, None where nothing was counted."""

    site_id: str
    positions: int
    held: int
    too_old: int
    oldest_hours: int | None


def figures_by_site(
    snapshot: Snapshot, now: datetime, stale_after_hours: int, keys: Iterable[SiteSku]
) -> tuple[SiteFigures, ...]:
    """Of every site among the keys: the most figures held back or too old first, then the oldest, then by id."""
    counted: dict[str, list[datetime]] = {}
    held: Counter[str] = Counter()
    for key in set(keys):
        counted.setdefault(key.site_id, [])
        position = snapshot.position_by_key.get(key)
        if position is not None:
            counted[key.site_id].append(position.as_of)
        held[key.site_id] += key in snapshot.hold_by_key
    oldest_allowed = now - timedelta(hours=stale_after_hours)
    found = [
        SiteFigures(
            site_id=site_id,
            positions=len(instants),
            held=held[site_id],
            too_old=sum(instant < oldest_allowed for instant in instants),
            oldest_hours=_whole_hours(now - min(instants)) if instants else None,
        )
        for site_id, instants in counted.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.held - each.too_old, -(each.oldest_hours or 0), each.site_id)))


def _whole_hours(age: timedelta) -> int:
    return max(int(age.total_seconds() // 3600), 0)
