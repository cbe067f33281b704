# SPDX-License-Identifier: GPL-3.0-or-later
"""The key on internal shipments, and the call that makes one shipment for each key."""

from __future__ import annotations

from typing import Any

from trytond.model import Unique, fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval
from trytond.rpc import RPC, RPCReturnException


class NotWholeError(RPCReturnException):
    """Stock is short. The dispatcher rolls everything back and answers with what is missing."""

    def __init__(self, missing: list[list[Any]]) -> None:
        super().__init__()
        self.missing = missing

    def result(self) -> dict[str, Any]:
        """The answer of the call: no shipment, and the missing quantity by product."""
        return {"id": None, "missing": self.missing}


class ShipmentInternal(metaclass=PoolMeta):
    """An internal shipment with a key of Evenkeel, or without one."""

    __name__ = "stock.shipment.internal"

    evenkeel_key = fields.Char(
        "Evenkeel Key",
        strip=False,
        # A field that is always read-only could not be written by RPC.
        states={"readonly": ~Eval("state").in_(["request", "draft"])},
        help="The transfer order of Evenkeel that this shipment carries out.",
    )

    @classmethod
    def __setup__(cls) -> None:
        """Make the key unique within a company, and the call known."""
        super().__setup__()
        table = cls.__table__()
        unique = Unique(table, table.company, table.evenkeel_key)
        cls._sql_constraints.append(("evenkeel_key_unique", unique, "evenkeel_transfer.msg_key_unique"))
        cls.__rpc__["evenkeel_post"] = RPC(readonly=False)

    @classmethod
    def copy(cls, shipments: list[Any], default: dict[str, Any] | None = None) -> list[Any]:
        """Copies are other shipments, so they have no key."""
        return super().copy(shipments, default={"evenkeel_key": None} | (default or {}))

    @classmethod
    def evenkeel_post(cls, key: str, values: dict[str, Any]) -> dict[str, Any]:
        """Make the shipment of `values` under a key and assign its whole stock, or find the one that is there.

        Where two calls meet, the second one waits for the first and fails by the unique
        key; its caller asks again.
        """
        if not isinstance(key, str) or not key:
            raise ValueError("a key is needed")
        found = cls.search([("evenkeel_key", "=", key), ("company", "=", values["company"])])
        if found:
            return {"id": found[0].id, "missing": []}
        (shipment,) = cls.create([values | {"evenkeel_key": key}])
        cls.wait([shipment])
        cls.assign_try([cls(shipment.id)])
        shipment = cls(shipment.id)
        if shipment.state != "assigned":
            short = [move for move in shipment.assign_moves if move.state != "assigned"]
            raise NotWholeError([[move.product.id, move.internal_quantity] for move in short])
        return {"id": shipment.id, "missing": []}
