"""Odoo 19 as ERP: a transfer is two chained pickings, out of the origin into transit and from there into the destination.

Each picking and each move has an external id made from our reference. Odoo keeps
those unique, so a repeated request finds what the first one made. One call is one
transaction there, so a transfer is made in steps; until the last one its origin says
that it is being made, `find` does not count it, and `create` goes on where an earlier
one has ended. A picking may call itself assigned with a part of its stock: only its
moves tell the truth.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from app.erp.calling import Caller, tidy, whole_units
from app.erp.counterparts import Counterparts
from app.erp.odoo_reading import check, read_network, read_stock
from app.erp.odoo_wire import OdooRefusedError, OdooWire
from tools.inventory import StockPosition
from tools.ports import (
    ErpFinding,
    ErpNetwork,
    ErpTransfer,
    ErpTransferState,
    ErpUncertainError,
    Refused,
    TransferContent,
)

SPACE = "evenkeel"
"""The module name of our external ids."""
TOGETHER_MAX = 500
"""How many references one request asks about."""
_REFERENCE = re.compile(r"[A-Za-z0-9-]{1,60}")
_LOAD = [
    "id", "origin", "scheduled_date", "picking_type_id/.id", "location_id/.id", "location_dest_id/.id",
    "move_ids/id", "move_ids/product_id/.id", "move_ids/product_uom_qty", "move_ids/location_id/.id",
    "move_ids/location_dest_id/.id",
]  # fmt: skip
_PICKING = ["name", "origin", "state", "location_id", "location_dest_id", "backorder_id"]
_MOVE = ["picking_id", "product_id", "state", "product_uom_qty", "quantity"]
_OVER = ("done", "cancel")


@dataclass(frozen=True)
class _Legs:
    """What Odoo has under one reference: each leg with what it was split into, and their moves."""

    out: list[dict[str, Any]]
    back_in: list[dict[str, Any]]
    leaving: list[dict[str, Any]]
    arriving: list[dict[str, Any]]

    def is_whole(self, reference: str) -> bool:
        """Whether the transfer was once made and reserved as a whole."""
        return bool(self.back_in) and self.out[0]["origin"] == reference

    @property
    def is_reserved(self) -> bool:
        """Whether every unit that is to leave is reserved for it."""
        return all(move["state"] == "assigned" and move["quantity"] == move["product_uom_qty"] for move in self.leaving)


class OdooErp:
    """An `ErpPort` on one Odoo database."""

    post_requests_max: ClassVar[int] = 29
    """How many requests `create` sends where everything has to be done that it can do, for pickings that nobody has split."""

    def __init__(self, caller: Caller, wire: OdooWire, counterparts: Counterparts) -> None:
        self._caller = caller
        self._wire = wire
        self._names = counterparts

    def find(self, reference: str) -> ErpTransfer | None:
        """The two pickings under our external ids, once they are whole."""
        legs = self._legs(reference)
        return self._transfer(reference, legs) if legs is not None and legs.is_whole(reference) else None

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """Make what is missing of the two pickings, chain and confirm them, and reserve all or give all up."""
        reference = content.reference
        if not _REFERENCE.fullmatch(reference):
            return Refused(f"{tidy(reference)} cannot be an external id; letters, digits and hyphens can")
        legs = self._legs(reference)
        if legs is None or not legs.back_in:
            refusal = self._make(content, is_new=legs is None)
            if refusal is not None:
                return refusal
            legs = self._legs(reference)
        if legs is None or not legs.back_in:
            raise ErpUncertainError("stock.picking/load: the ERP does not show what it was asked to make")
        if legs.is_whole(reference):
            return self._same(content, legs)
        if all(picking["state"] == "cancel" for picking in legs.out):
            return Refused(f"the ERP has given up {legs.out[0]['name']} before it was whole")
        try:
            return self._complete(content, legs)
        except OdooRefusedError as no:
            self._give_up(legs)
            return Refused(f"the ERP refuses: {no}")

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        """Cancel both pickings unless the first is done. One that is being made is given up as well."""
        legs = self._legs(reference)
        if legs is None:
            return Refused(f"the ERP has no picking under {reference}")
        transfer = self._transfer(reference, legs)
        if transfer.state is ErpTransferState.CONFIRMED:
            try:
                self._give_up(legs)
            except OdooRefusedError as no:
                return Refused(f"the ERP does not cancel the pickings: {no}")
            legs = self._legs(reference)
            transfer = transfer if legs is None else self._transfer(reference, legs)
        if transfer.state is not ErpTransferState.CANCELLED:
            return Refused(f"the goods of {reference} have left")
        return transfer

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        """Transfers of ours, a picking of which was written since then."""
        instant = since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        own = self._wire.rows(
            "ir.model.data", [["module", "=", SPACE], ["model", "=", "stock.picking"]], ["name", "res_id"]
        )
        named = {row["res_id"]: row["name"] for row in own}
        rows = self._wire.rows("stock.picking", [["write_date", ">=", instant]], ["backorder_id"])
        changed: set[int] = set()
        while rows:
            changed |= {row["id"] for row in rows}
            above = sorted({row["backorder_id"][0] for row in rows if row["backorder_id"]} - changed)
            rows = self._wire.rows("stock.picking", [["id", "in", above]], ["backorder_id"]) if above else []
        references = sorted({named[each].rpartition("_")[0].replace("_", "-") for each in changed & named.keys()})
        found: list[ErpTransfer] = []
        for start in range(0, len(references), TOGETHER_MAX):
            legs = self._legs_of(references[start : start + TOGETHER_MAX])
            found += self._transfers({reference: each for reference, each in legs.items() if each.is_whole(reference)})
        return found

    def check(self, sites: Collection[str], skus: Collection[str], now: datetime) -> Sequence[ErpFinding]:
        """What is wrong with the connection, and what to do about it."""
        return check(self._caller, self._wire, self._names, sites, skus, now)

    def read_network(self, mode: str, cost_fixed_e4: int) -> ErpNetwork:
        """Warehouses and storable products. Odoo knows no lead time between warehouses, so there are no lanes."""
        del mode, cost_fixed_e4
        return read_network(self._wire, self._names)

    def read_stock(self, as_of: datetime) -> Sequence[StockPosition]:
        """What the warehouses hold, and what others than we have reserved of it."""
        return read_stock(self._wire, self._names, as_of, SPACE)

    def _make(self, content: TransferContent, *, is_new: bool) -> Refused | None:
        """Load the pickings that are not there. A load that is refused may have met another one: whoever asks looks again."""
        ends = []
        codes = [self._names.site_code(site_id) for site_id in content.lane[:2]]
        known = self._wire.rows("stock.warehouse", [["code", "in", codes]], ["code", "lot_stock_id", "int_type_id"])
        for code in codes:
            warehouses = [row for row in known if row["code"] == code]
            if len(warehouses) != 1:
                return Refused(
                    f"the ERP has {'no' if not warehouses else 'more than one'} warehouse with the code {code}"
                )
            ends.append((warehouses[0]["int_type_id"][0], warehouses[0]["lot_stock_id"][0]))
        code = self._names.sku_code(content.sku_id)
        products = self._wire.rows("product.product", [["default_code", "=", code]], ["id"])
        if len(products) != 1:
            return Refused(f"the ERP has {'no' if not products else 'more than one'} product with the code {code}")
        transit = self._transit()
        (out_type, origin), (in_type, destination) = ends
        legs = [("in", in_type, transit, destination, content.arrive_on)]
        if is_new:
            legs.insert(0, ("out", out_type, origin, transit, content.depart_on))
        for leg, kind, place, to_place, on in legs:
            row = _row(content, leg, on, kind, place, to_place, products[0]["id"])
            self._wire.call("stock.picking", "load", fields=_LOAD, data=[row])
        return None

    def _transit(self) -> int:
        """The location between warehouses; it is hidden until somebody activates it."""
        rows = self._wire.rows("stock.location", [["usage", "=", "transit"]], ["complete_name"], active_test=False)
        between = [row["id"] for row in rows if "warehouse" in row["complete_name"].lower()]
        if len(between) != 1:
            raise ErpUncertainError(
                f"the ERP has {len(between)} locations for transit between warehouses; one is needed"
            )
        return int(between[0])

    def _complete(self, content: TransferContent, legs: _Legs) -> ErpTransfer | Refused:
        """Chain, confirm, and see whether all of it is reserved; the origin becomes our reference last of all."""
        if not _is_same(self._transfer(content.reference, legs), content):
            return Refused(f"the reference {content.reference} belongs to another transfer, {legs.out[0]['name']}")
        if legs.back_in[0]["state"] == "draft":
            chain = {
                "move_orig_ids": [[6, 0, [move["id"] for move in legs.leaving]]],
                "procure_method": "make_to_order",
            }
            self._wire.call("stock.move", "write", ids=[move["id"] for move in legs.arriving], vals=chain)
        for picking in (*legs.out, *legs.back_in):
            if picking["state"] == "draft":
                self._wire.call("stock.picking", "action_confirm", ids=[picking["id"]])
        confirmed = self._legs(content.reference)
        if confirmed is not None and not confirmed.is_reserved:
            self._wire.call("stock.picking", "action_assign", ids=[picking["id"] for picking in confirmed.out])
            confirmed = self._legs(content.reference)
        if confirmed is None:
            raise ErpUncertainError("the ERP does not show a picking any more that it has just confirmed")
        if not confirmed.is_reserved:
            free = sum(whole_units(move["quantity"]) for move in confirmed.leaving)
            self._give_up(confirmed)
            return Refused(f"{content.lane.origin} has {free:,} of {content.units:,} units of {content.sku_id} free")
        ids = [picking["id"] for picking in (*confirmed.out, *confirmed.back_in)]
        self._wire.call("stock.picking", "write", ids=ids, vals={"origin": content.reference})
        return self._transfer(content.reference, confirmed)

    def _same(self, content: TransferContent, legs: _Legs) -> ErpTransfer | Refused:
        transfer = self._transfer(content.reference, legs)
        if _is_same(transfer, content):
            return transfer
        return Refused(f"the reference {content.reference} belongs to another transfer, {transfer.erp_id}")

    def _give_up(self, legs: _Legs) -> None:
        """Cancel what can still be cancelled, and free what it has reserved."""
        if any(move["state"] in ("assigned", "partially_available") for move in legs.leaving):
            self._wire.call("stock.picking", "do_unreserve", ids=[picking["id"] for picking in legs.out])
        open_ids = [picking["id"] for picking in (*legs.out, *legs.back_in) if picking["state"] not in _OVER]
        if open_ids:
            self._wire.call("stock.picking", "action_cancel", ids=open_ids)

    def _legs(self, reference: str) -> _Legs | None:
        """Everything under the external ids of one reference."""
        return self._legs_of([reference]).get(reference)

    def _legs_of(self, references: Sequence[str]) -> dict[str, _Legs]:
        """Everything under our external ids, as it is now, of each reference that has any: a request for each kind of record."""
        named = {_name(reference, leg): (reference, leg) for reference in references for leg in ("out", "in")}
        domain = [["module", "=", SPACE], ["model", "=", "stock.picking"], ["name", "in", list(named)]]
        rows = self._wire.rows("ir.model.data", domain, ["name", "res_id"])
        first = {named[row["name"]]: row["res_id"] for row in rows}
        begun = [reference for reference in references if (reference, "out") in first]
        if not begun:
            return {}
        families = self._families([first[reference, leg] for reference, leg in first if (reference, "out") in first])
        everything = [picking["id"] for family in families.values() for picking in family]
        moves: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for move in self._wire.rows("stock.move", [["picking_id", "in", everything]], _MOVE):
            moves[move["picking_id"][0]].append(move)
        found = {}
        for reference in begun:
            out, back_in = ([*families.get(first.get((reference, leg), 0), [])] for leg in ("out", "in"))
            leaving, arriving = (
                sorted((move for picking in leg for move in moves[picking["id"]]), key=lambda move: int(move["id"]))
                for leg in (out, back_in)
            )
            found[reference] = _Legs(out, back_in, leaving, arriving)
        return found

    def _families(self, picking_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
        """Pickings by id, each with the ones that were split off it for what did not come along."""
        newest = self._wire.rows("stock.picking", [["id", "in", sorted(picking_ids)]], _PICKING)
        found = {row["id"]: [row] for row in newest}
        family_of = {row["id"]: found[row["id"]] for row in newest}
        while newest:
            newest = self._wire.rows(
                "stock.picking", [["backorder_id", "in", [each["id"] for each in newest]]], _PICKING
            )
            for row in newest:
                family_of[row["id"]] = family_of[row["backorder_id"][0]]
                family_of[row["id"]].append(row)
        return found

    def _transfer(self, reference: str, legs: _Legs) -> ErpTransfer:
        return self._transfers({reference: legs})[0]

    def _transfers(self, found: Mapping[str, _Legs]) -> list[ErpTransfer]:
        """What Odoo has as transfers; their products and places are asked for together."""
        if not found:
            return []
        product_ids = {move["product_id"][0] for legs in found.values() for move in legs.leaving}
        products = self._wire.rows("product.product", [["id", "in", sorted(product_ids)]], ["default_code"])
        skus = {row["id"]: self._names.sku_id(str(row["default_code"] or "")) for row in products}
        ends = {place for legs in found.values() for place in _ends(legs)}
        warehouses = self._wire.rows(
            "stock.warehouse", [["lot_stock_id", "in", sorted(ends)]], ["code", "lot_stock_id"]
        )
        sites = {row["lot_stock_id"][0]: self._names.site_id(row["code"]) for row in warehouses}
        return [_transfer_of(reference, legs, skus, sites) for reference, legs in found.items()]


def _transfer_of(reference: str, legs: _Legs, skus: Mapping[int, str], sites: Mapping[int, str]) -> ErpTransfer:
    """A transfer under our ids, which `skus` and `sites` give for theirs."""
    state = _state(legs)
    counted = [move for move in legs.leaving if state is ErpTransferState.CANCELLED or move["state"] != "cancel"]
    product_ids = {move["product_id"][0] for move in legs.leaving}
    origin, *destinations = _ends(legs)
    return ErpTransfer(
        reference=reference,
        erp_id=legs.out[0]["name"],
        state=state,
        units=_units(move["quantity" if move["state"] == "done" else "product_uom_qty"] for move in counted),
        received_units=_units(move["quantity"] for move in legs.arriving if move["state"] == "done"),
        sku_id=" and ".join(sorted(skus[each] for each in product_ids & skus.keys())),
        origin=sites.get(origin, "elsewhere"),
        destination=sites.get(destinations[0], "elsewhere") if destinations else None,
    )


def _ends(legs: _Legs) -> list[int]:
    """Where the goods leave, and where they arrive if there is a picking for that."""
    return [legs.out[0]["location_id"][0], *(picking["location_dest_id"][0] for picking in legs.back_in[:1])]


def _state(legs: _Legs) -> ErpTransferState:
    out = {picking["state"] for picking in legs.out}
    if out == {"cancel"}:
        return ErpTransferState.CANCELLED
    if "done" not in out or not out <= set(_OVER):
        return ErpTransferState.CONFIRMED
    states = {move["state"] for move in legs.arriving}
    if states <= set(_OVER):
        return ErpTransferState.RECEIVED
    return ErpTransferState.PARTIALLY_RECEIVED if "done" in states else ErpTransferState.SHIPPED


def _is_same(transfer: ErpTransfer, content: TransferContent) -> bool:
    return not transfer.differs_from(content)


def _units(quantities: Iterable[object]) -> int:
    return sum(whole_units(quantity) for quantity in quantities)


def _name(reference: str, leg: str) -> str:
    """An external id; a hyphen is none of the characters that are safe in one."""
    return f"{reference.replace('-', '_')}_{leg}"


def _row(content: TransferContent, leg: str, on: date, kind: int, place: int, to_place: int, product: int) -> list[str]:
    """A picking with its one move as `load` takes it: text in every cell."""
    name = f"{SPACE}.{_name(content.reference, leg)}"
    head = [
        name,
        f"{content.reference} (being made)",
        f"{on.isoformat()} 06:00:00",
        str(kind),
        str(place),
        str(to_place),
    ]
    return [*head, f"{name}_1", str(product), str(content.units), str(place), str(to_place)]
