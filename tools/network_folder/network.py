"""A network as one import states it: master data, stock, supply and demand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

from tools.inventory import InboundSupply, Lane, Replenishment, SalesObservation, Site, Sku, StockPosition
from tools.merchandise.facts import EndOfLife, Lot, Markdown, Merchandise, MinimumDisplay, SetMember, Substitute
from tools.network_folder.columns import (
    DISPLAYS,
    END_OF_LIFE,
    FILES,
    FORECAST,
    INBOUND,
    LANES,
    LOTS,
    MARKDOWNS,
    REPLENISHMENT,
    SALES,
    SETS,
    SITES,
    SKUS,
    STOCK,
    SUBSTITUTES,
    FileFormat,
)
from tools.network_folder.facts import ForecastRow, Notice, SalesGrain, grain_of
from tools.network_folder.write import write_table

_DIGEST_OF = b"evenkeel.network_folder/1\n"


@dataclass(frozen=True)
class NetworkFolder:
    """The facts of a network folder, each tuple sorted by its key, whatever order it came in.

    `warnings` tell about the folder they were read from and are no part of the facts:
    they count neither for equality nor for the digest.
    """

    currency: str
    sites: tuple[Site, ...]
    skus: tuple[Sku, ...]
    lanes: tuple[Lane, ...]
    positions: tuple[StockPosition, ...]
    inbound: tuple[InboundSupply, ...] = ()
    sales: tuple[SalesObservation, ...] = ()
    forecasts: tuple[ForecastRow, ...] = ()
    replenishments: tuple[Replenishment, ...] = ()
    set_members: tuple[SetMember, ...] = ()
    displays: tuple[MinimumDisplay, ...] = ()
    lots: tuple[Lot, ...] = ()
    ends_of_life: tuple[EndOfLife, ...] = ()
    markdowns: tuple[Markdown, ...] = ()
    substitutes: tuple[Substitute, ...] = ()
    warnings: tuple[Notice, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Sort, so that equal facts are equal networks."""
        for file_format, name in _HOLDS.items():
            records = sorted(getattr(self, name), key=attrgetter(*file_format.key_fields))
            object.__setattr__(self, name, tuple(records))

    @property
    def as_of(self) -> datetime:
        """The latest instant at which stock was counted. Raises ValueError where no stock was."""
        return max(position.as_of for position in self.positions)

    @property
    def merchandise(self) -> Merchandise:
        """Everything that the folder states about its merchandise."""
        return Merchandise(**{field.name: getattr(self, field.name) for field in fields(Merchandise)})

    @cached_property
    def sales_grain(self) -> SalesGrain | None:
        """What one sales observation covers, detected from the dates; None without sales."""
        return grain_of(observation.on for observation in self.sales)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the folder as `write_network` writes it, as 64 lowercase hex characters.

        So it counts what is stated and not how: the order of rows and columns, line
        ends, quoting, a byte order mark, `12.0` for `12`, an absent column for its
        default, the zone of an instant and files that are not in the format make no
        difference. Names of sites and SKUs do, because an import brings them up to date.
        """
        total = hashlib.sha256(_DIGEST_OF)
        for name, data in sorted(write_network(self).items()):
            total.update(f"{name} {len(data)}\n".encode())
            total.update(data)
        return total.hexdigest()


_HOLDS: dict[FileFormat, str] = {
    SITES: "sites",
    SKUS: "skus",
    LANES: "lanes",
    STOCK: "positions",
    INBOUND: "inbound",
    SALES: "sales",
    FORECAST: "forecasts",
    REPLENISHMENT: "replenishments",
    SETS: "set_members",
    DISPLAYS: "displays",
    LOTS: "lots",
    END_OF_LIFE: "ends_of_life",
    MARKDOWNS: "markdowns",
    SUBSTITUTES: "substitutes",
}


def write_network(network: NetworkFolder) -> dict[str, bytes]:
    """The network as a folder: bytes by file name. Optional files without a row are left out.

    Reading the result gives an equal network, provided that the network could have
    been read: ids, texts and numbers within the limits of the format.
    """
    written: dict[str, bytes] = {}
    for file_format in FILES:
        records: tuple[Any, ...] = getattr(network, _HOLDS[file_format])
        if records or file_format.required:
            written[file_format.name] = write_table(file_format, records, network.currency)
    return written
