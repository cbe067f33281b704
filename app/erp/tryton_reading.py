"""What a Tryton server stocks, as the facts of a network."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.erp.calling import tidy, whole_units
from app.erp.counterparts import Counterparts
from app.erp.tryton_wire import TrytonWire
from tools.inventory import Lane, Site, SiteKind, Sku, StockPosition
from tools.ports import ErpNetwork

_GOODS = [["type", "=", "goods"], ["code", "!=", None], ["code", "!=", ""]]
_WAREHOUSES = [["type", "=", "warehouse"]]


def read_network(wire: TrytonWire, names: Counterparts, mode: str, cost_fixed_e4: int) -> ErpNetwork:
    """Warehouses as sites, goods as SKUs, and a lane for each lead time between two warehouses."""
    company = wire.rows("company.company", [["id", "=", wire.company]], ["currency.code"])[0]
    warehouses = wire.rows("stock.location", _WAREHOUSES, ["code", "name"])
    codes = {row["id"]: names.site_id(row["code"]) for row in warehouses if row["code"]}
    products = wire.rows("product.product", _GOODS, ["code", "template.name", "cost_price", "list_price_used"])
    times = wire.rows("stock.location.lead_time", [], ["warehouse_from", "warehouse_to", "lead_time"])
    return ErpNetwork(
        currency=company["currency."]["code"],
        sites=tuple(
            Site(codes[row["id"]], tidy(row["name"]), SiteKind.WAREHOUSE) for row in warehouses if row["id"] in codes
        ),
        skus=tuple(
            Sku(
                names.sku_id(row["code"]), tidy(row["template."]["name"]),
                unit_cost_e4=_money(row["cost_price"]), unit_price_e4=_money(row["list_price_used"]),
            )
            for row in products
        ),
        lanes=tuple(
            Lane(codes[row["warehouse_from"]], codes[row["warehouse_to"]], mode, _days(row["lead_time"]), cost_fixed_e4)
            for row in times
            if row["warehouse_from"] in codes and row["warehouse_to"] in codes
        ),
    )  # fmt: skip


def read_stock(wire: TrytonWire, names: Counterparts, as_of: datetime) -> list[StockPosition]:
    """On hand by warehouse and product; reserved is what others than our own transfers have assigned of it."""
    found: list[StockPosition] = []
    for warehouse in wire.rows("stock.location", _WAREHOUSES, ["code", "storage_location"]):
        if not warehouse["code"]:
            continue
        ours = _assigned_to_us(wire, warehouse["storage_location"])
        here: dict[str, Any] = {
            "locations": [warehouse["storage_location"]], "with_childs": True, "stock_date_end": _day(as_of),
        }  # fmt: skip
        free = {
            row["id"]: row["quantity"]
            for row in wire.rows("product.product", _GOODS, ["quantity"], **here, stock_assign=True)
        }
        for row in wire.rows("product.product", _GOODS, ["code", "quantity"], **here):
            on_hand = whole_units(row["quantity"])
            assigned = on_hand - whole_units(free.get(row["id"], 0)) - ours[row["id"]]
            if on_hand or assigned > 0:
                site_id, sku_id = names.site_id(warehouse["code"]), names.sku_id(row["code"])
                found.append(StockPosition(site_id, sku_id, on_hand, min(max(assigned, 0), max(on_hand, 0)), as_of))
    return found


def _assigned_to_us(wire: TrytonWire, storage: int) -> Counter[int]:
    """Units that wait in a storage for our own transfers, by product: our ledger has reserved them itself."""
    waiting = [
        ["shipment.evenkeel_key", "!=", None, "stock.shipment.internal"],
        ["state", "=", "assigned"],
        ["from_location", "child_of", [storage], "parent"],
    ]
    found: Counter[int] = Counter()
    for move in wire.rows("stock.move", waiting, ["product", "internal_quantity"]):
        found[move["product"]] += whole_units(move["internal_quantity"])
    return found


def _day(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


def _days(lead_time: timedelta | None) -> int:
    """Whole days, rounded up: a lane that is said to be faster than it is costs sales."""
    return -(-(lead_time or timedelta()) // timedelta(days=1))


def _money(amount: Decimal | None) -> int:
    return int(((amount or Decimal()) * 10_000).to_integral_value())
