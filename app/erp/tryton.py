"""Tryton 8.2 as ERP: a transfer is an internal shipment, made once for each reference by the module `evenkeel_transfer`.

The module makes and assigns a shipment in one transaction under a key that is unique
in the database, so a request that we gave up on and that commits later can never
become a second shipment (docs/decisions/0022). Packing, shipping and receiving
belong to the people of the warehouses; we read how far they are.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

from app.erp.calling import Caller, tidy, whole_units
from app.erp.counterparts import Counterparts
from app.erp.tryton_check import check
from app.erp.tryton_reading import read_network, read_stock
from app.erp.tryton_wire import PAGE, TrytonRefusedError, TrytonWire
from tools.inventory import StockPosition
from tools.ports import ErpFinding, ErpNetwork, ErpTransfer, ErpTransferState, Refused, TransferContent

SHIPMENT = "model.stock.shipment.internal"
POST = f"{SHIPMENT}.evenkeel_post"
KEY = "evenkeel_key"
_GIVEN_UP = "cancelled"
_SHIPMENT_FIELDS = [KEY, "number", "state", "from_location", "to_location", "transit_location"]
_MOVE_FIELDS = ["shipment", "product.code", "internal_quantity", "from_location", "to_location", "state"]


class Warehouse(NamedTuple):
    """A site as Tryton has it."""

    id: int
    code: str
    name: str
    storage: int


class TrytonErp:
    """An `ErpPort` on one Tryton database."""

    post_requests_max: ClassVar[int] = 9
    """How many requests `create` sends where everything has to be done that it can do, three of them for a session that has ended."""

    def __init__(self, caller: Caller, wire: TrytonWire, counterparts: Counterparts) -> None:
        self._caller = caller
        self._wire = wire
        self._names = counterparts
        self._lock = threading.Lock()
        self._warehouses: dict[str, Warehouse] = {}

    def find(self, reference: str) -> ErpTransfer | None:
        """The shipment under our key, with the units that its incoming moves have brought."""
        found = self._shipments([[KEY, "=", reference]])
        return found[0] if found else None

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """Make and assign the shipment in one transaction, or find it."""
        values = self._values(content)
        if isinstance(values, Refused):
            return values
        refusal: Refused | None = None
        try:
            made = self._wire.call(POST, content.reference, values)
            if made["id"] is None:
                refusal = _short(content, made["missing"])
        except TrytonRefusedError as no:
            refusal = Refused(f"the ERP refuses: {no}")
        # Also after a refusal: another request may have made the shipment at the same time, and won.
        found = self.find(content.reference)
        if found is None:
            return refusal or Refused("the ERP made the shipment and does not show it to us")
        if found.differs_from(content):
            return Refused(f"the reference {content.reference} belongs to another shipment, {found.erp_id}")
        return found

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        """Cancel the shipment unless the goods have left."""
        rows = self._wire.rows("stock.shipment.internal", self._ours([[KEY, "=", reference]]), [KEY])
        if not rows:
            return Refused(f"the ERP has no shipment under {reference}")
        found, refusal = self.find(reference), ""
        if found is not None and found.state is ErpTransferState.CONFIRMED:
            try:
                self._wire.call(f"{SHIPMENT}.cancel", [row["id"] for row in rows])
            except TrytonRefusedError as no:
                refusal = str(no)
            # Also after a refusal: an earlier request of ours may have cancelled it meanwhile.
            found = self.find(reference)
        if found is not None and found.state is ErpTransferState.CANCELLED:
            return found
        return Refused(
            f"the ERP does not cancel the shipment: {refusal}" if refusal else f"the goods of {reference} have left"
        )

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        """Shipments with a key that were made or written since then, or a move of which was."""
        instant = since.astimezone(UTC)
        changed: list[Any] = ["OR"]
        for record in ("", "moves."):
            changed += [[[f"{record}{when}", ">=", instant]] for when in ("create_date", "write_date")]
        return sorted(self._shipments([[KEY, "!=", None], changed]), key=lambda each: each.reference)

    def check(self, sites: Collection[str], skus: Collection[str], now: datetime) -> Sequence[ErpFinding]:
        """What is wrong with the connection, and what to do about it."""
        return check(self._caller, self._wire, self._names, sites, skus, now)

    def read_network(self, mode: str, cost_fixed_e4: int) -> ErpNetwork:
        """Warehouses, goods, and lead times between warehouses."""
        return read_network(self._wire, self._names, mode, cost_fixed_e4)

    def read_stock(self, as_of: datetime) -> Sequence[StockPosition]:
        """What the warehouses hold, and what others than we have assigned of it."""
        return read_stock(self._wire, self._names, as_of)

    def warehouses(self) -> dict[str, Warehouse]:
        """Every warehouse by its code, asked of the server now."""
        fields = ["code", "name", "storage_location"]
        rows = self._wire.rows("stock.location", [["type", "=", "warehouse"]], fields)
        found = [Warehouse(row["id"], row["code"] or "", row["name"], row["storage_location"]) for row in rows]
        with self._lock:
            self._warehouses = {each.code: each for each in found}
            return dict(self._warehouses)

    def _values(self, content: TransferContent) -> dict[str, Any] | Refused:
        """What the shipment is made of, or the counterpart that is missing."""
        codes = [self._names.site_code(site_id) for site_id in content.lane[:2]]
        known = self._warehouses
        if not known.keys() >= set(codes):
            known = self.warehouses()
        for code in codes:
            if code not in known:
                return Refused(f"the ERP has no warehouse with the code {code}")
        code = self._names.sku_code(content.sku_id)
        products = self._wire.rows("product.product", [["code", "=", code]], ["default_uom"])
        if len(products) != 1:
            return Refused(f"the ERP has {'no' if not products else 'more than one'} product with the code {code}")
        origin, destination = (known[end].storage for end in codes)
        places = {"company": self._wire.company, "from_location": origin, "to_location": destination}
        move = places | {
            "product": products[0]["id"], "unit": products[0]["default_uom"], "quantity": float(content.units),
            "planned_date": content.arrive_on,
        }  # fmt: skip
        return places | {
            "reference": content.reference, "planned_start_date": content.depart_on,
            "planned_date": content.arrive_on, "moves": [["create", [move]]],
        }  # fmt: skip

    def _sites_at(self, locations: Collection[int]) -> dict[int, str]:
        """Our sites whose stock the locations are; for one that is none, a name that no site of ours has."""
        stored = {each.storage: each.code for each in self._warehouses.values()}
        if not stored.keys() >= set(locations):
            stored = {each.storage: each.code for each in self.warehouses().values()}
        return {
            location: self._names.site_id(stored[location]) if location in stored else f"location {location}"
            for location in locations
        }

    def _ours(self, domain: list[Any]) -> list[Any]:
        return [["company", "=", self._wire.company], *domain]

    def _shipments(self, domain: list[Any]) -> list[ErpTransfer]:
        """Shipments as transfers, with their moves."""
        rows = self._wire.rows("stock.shipment.internal", self._ours(domain), _SHIPMENT_FIELDS)
        moves: dict[str, list[dict[str, Any]]] = {f"stock.shipment.internal,{row['id']}": [] for row in rows}
        owners = list(moves)
        for start in range(0, len(owners), PAGE):
            of_page = [["shipment", "in", owners[start : start + PAGE]]]
            for move in self._wire.rows("stock.move", of_page, _MOVE_FIELDS):
                moves[move["shipment"]].append(move)
        sites = self._sites_at({row[end] for row in rows for end in ("from_location", "to_location")})
        return [self._transfer(row, moves[owner], sites) for row, owner in zip(rows, owners, strict=True)]

    def _transfer(self, row: dict[str, Any], moves: list[dict[str, Any]], sites: Mapping[int, str]) -> ErpTransfer:
        """A shipment and its moves. Through transit each unit moves twice: out of the origin, and into the destination."""
        transit, given_up = row["transit_location"], row["state"] == _GIVEN_UP
        alive = [move for move in moves if given_up or move["state"] != _GIVEN_UP]
        leaving = [move for move in alive if move["from_location"] != transit]
        arriving = [move for move in alive if transit is None or move["from_location"] == transit]
        received = _units(move for move in arriving if move["state"] == "done")
        sent = _units(leaving)
        products = sorted({self._names.sku_id(move["product."]["code"] or "") for move in moves})
        return ErpTransfer(
            reference=row[KEY],
            erp_id=row["number"] or str(row["id"]),
            state=_state(row["state"], received, sent),
            units=sent,
            received_units=0 if given_up else received,
            sku_id=" and ".join(products),
            origin=sites[row["from_location"]],
            destination=sites[row["to_location"]],
        )


def _state(state: str, received_units: int, sent_units: int) -> ErpTransferState:
    """Their states as ours. Before it has left, a shipment may be anything from a draft to packed.

    A shipment that is done with less than was sent leaves the rest in the transit
    location there, so it is under way still.
    """
    match state:
        case "cancelled":
            return ErpTransferState.CANCELLED
        case "done" if received_units >= sent_units:
            return ErpTransferState.RECEIVED
        case "shipped" | "done":
            return ErpTransferState.PARTIALLY_RECEIVED if received_units else ErpTransferState.SHIPPED
        case _:
            return ErpTransferState.CONFIRMED


def _units(moves: Iterable[dict[str, Any]]) -> int:
    return sum(whole_units(move["internal_quantity"]) for move in moves)


def _short(content: TransferContent, missing: list[list[Any]]) -> Refused:
    lacking = sum(whole_units(quantity) for _, quantity in missing)
    return Refused(
        f"{content.lane.origin} has {content.units - lacking:,} of {content.units:,} units of {tidy(content.sku_id)} free"
    )
