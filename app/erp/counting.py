"""What an ERP holds, as counts of stock for our own books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from tools.inventory import Snapshot, StockPosition
from tools.signals import READINGS_MAX, Envelope, SignalKind

SOURCE = "erp"


def stock_signals(facts: Snapshot, positions: Iterable[StockPosition], at: datetime) -> tuple[list[Envelope], int]:
    """A count for each site that the ERP has, and how many positions of it are of no site or SKU of ours.

    What we have at such a site and the ERP does not list is counted as none.
    """
    sites, skus = {site.site_id for site in facts.sites}, {sku.sku_id for sku in facts.skus}
    told = list(positions)
    known = {
        each.key: (each.on_hand_units, each.reserved_units)
        for each in told
        if each.site_id in sites and each.sku_id in skus
    }
    counted = {site_id for site_id, _ in known}
    missing = {each.key: (0, 0) for each in facts.positions if each.site_id in counted and each.key not in known}
    readings = [
        {"site_id": key[0], "sku_id": key[1], "on_hand_units": units[0], "reserved_units": units[1]}
        for key, units in sorted((known | missing).items())
    ]
    by_site = {site_id: [each for each in readings if each["site_id"] == site_id] for site_id in sorted(counted)}
    return list(_envelopes(by_site, at)), len(told) - len(known)


def _envelopes(by_site: dict[str, list[dict[str, object]]], at: datetime) -> Iterator[Envelope]:
    for site_id, readings in by_site.items():
        for start in range(0, len(readings), READINGS_MAX):
            data = {"as_of": at.isoformat(), "readings": tuple(readings[start : start + READINGS_MAX])}
            yield Envelope(
                id=f"{site_id}/{start}/{at.isoformat()}", source=SOURCE, type=SignalKind.STOCK, time=at, subject=site_id,
                dataschema=f"urn:{SignalKind.STOCK}", data=data,
            )  # fmt: skip
