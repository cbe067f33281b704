"""What an Odoo server stocks, and what is wrong with a connection to one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from app.erp.calling import OK, Caller, json_of, tidy, whole_units
from app.erp.checking import CheckEndedError, counterparts, examined, reached
from app.erp.counterparts import Counterparts
from app.erp.odoo_wire import OdooLoginError, OdooWire
from tools.inventory import Site, SiteKind, Sku, StockPosition
from tools.ports import ErpFinding, ErpNetwork, ErpUncertainError

SERIES = "19."
_STORED = [["is_storable", "=", True], ["default_code", "!=", False]]
_NEEDED = {
    "stock.picking": ("read", "create", "write"),
    "stock.move": ("read", "create", "write"),
    "stock.warehouse": ("read",),
    "stock.location": ("read",),
    "product.product": ("read",),
    "ir.model.data": ("read",),
}
_GIVE_RIGHTS = "give the key's user the rights of Inventory / User, and to read external identifiers"


def read_network(wire: OdooWire, names: Counterparts) -> ErpNetwork:
    """Warehouses as sites and storable products as SKUs."""
    company = wire.rows("res.company", [], ["currency_id"])[0]
    warehouses = wire.rows("stock.warehouse", [], ["code", "name"])
    products = wire.rows("product.product", _STORED, ["default_code", "name", "standard_price", "list_price"])
    return ErpNetwork(
        currency=company["currency_id"][1],
        sites=tuple(Site(names.site_id(row["code"]), tidy(row["name"]), SiteKind.WAREHOUSE) for row in warehouses),
        skus=tuple(
            Sku(
                names.sku_id(row["default_code"]), tidy(row["name"]),
                unit_cost_e4=round(row["standard_price"] * 10_000), unit_price_e4=round(row["list_price"] * 10_000),
            )
            for row in products
        ),
        lanes=(),
    )  # fmt: skip


def read_stock(wire: OdooWire, names: Counterparts, as_of: datetime, space: str) -> list[StockPosition]:
    """On hand by warehouse and product; reserved is what others than our own transfers have reserved of it."""
    ours = _reserved_for_us(wire, space)
    found: list[StockPosition] = []
    for warehouse in wire.rows("stock.warehouse", [], ["code", "lot_stock_id"]):
        fields = ["default_code", "qty_available", "free_qty"]
        for row in wire.rows("product.product", _STORED, fields, warehouse_id=warehouse["id"]):
            on_hand, free = whole_units(row["qty_available"]), whole_units(row["free_qty"])
            reserved = on_hand - free - ours[warehouse["lot_stock_id"][0], row["id"]]
            if on_hand or reserved > 0:
                site_id, sku_id = names.site_id(warehouse["code"]), names.sku_id(row["default_code"])
                found.append(StockPosition(site_id, sku_id, on_hand, min(max(reserved, 0), max(on_hand, 0)), as_of))
    return found


def _reserved_for_us(wire: OdooWire, space: str) -> Counter[tuple[int, int]]:
    """Units that wait for our own transfers, by location and product: our ledger has reserved them itself."""
    own = wire.rows("ir.model.data", [["module", "=", space], ["model", "=", "stock.picking"]], ["res_id"])
    waiting = [
        ["picking_id", "in", [row["res_id"] for row in own]],
        ["state", "in", ["assigned", "partially_available"]],
    ]
    found: Counter[tuple[int, int]] = Counter()
    for move in wire.rows("stock.move", waiting, ["product_id", "location_id", "quantity"]):
        found[move["location_id"][0], move["product_id"][0]] += whole_units(move["quantity"])
    return found


def check(
    caller: Caller,
    wire: OdooWire,
    names: Counterparts,
    sites: Collection[str],
    skus: Collection[str],
    now: datetime,
) -> list[ErpFinding]:  # fmt: skip
    """Address, version, login, modules, rights, and the counterparts of our sites and SKUs."""

    def examine(found: list[ErpFinding]) -> None:
        answer, first = reached(caller, "GET", "/web/version", None, now)
        found += first
        found.append(_version(json_of("/web/version", answer) if answer.status == OK else None))
        found.append(_login(wire))
        found += _rights(wire)
        wanted = {site_id: names.site_code(site_id) for site_id in sites}
        codes = [row["code"] for row in wire.rows("stock.warehouse", [], ["code"])]
        found += counterparts("sites", "warehouse", "EVENKEEL_ERP_SITES", wanted, codes)
        wanted = {sku_id: names.sku_code(sku_id) for sku_id in skus}
        stored = [["is_storable", "=", True], ["default_code", "in", sorted(wanted.values())]]
        rows = wire.rows("product.product", stored, ["default_code"])
        found += counterparts("SKUs", "product", "EVENKEEL_ERP_SKUS", wanted, (row["default_code"] for row in rows))

    return examined(examine)


def _version(told: object) -> ErpFinding:
    version = str(told.get("version", "")) if isinstance(told, dict) else ""
    if not version:
        return ErpFinding("version", "the server does not say its version", "see that it is an Odoo 19")
    remedy = "" if version.startswith(SERIES) else f"use a server of {SERIES}0: JSON-2 is not in earlier ones"
    return ErpFinding("version", f"Odoo {version}", remedy)


def _login(wire: OdooWire) -> ErpFinding:
    try:
        wire.call("res.users", "context_get")
    except OdooLoginError as refused:
        words, remedy = str(refused), "make an API key for the user there, and set EVENKEEL_ERP_KEY to it"
        raise CheckEndedError(ErpFinding("login", words, remedy)) from refused
    except ErpUncertainError as failed:
        words, remedy = str(failed), "check EVENKEEL_ERP_DATABASE, and that the module rpc is installed"
        raise CheckEndedError(ErpFinding("database", words, remedy)) from failed
    return ErpFinding("login", "the key is accepted")


def _rights(wire: OdooWire) -> list[ErpFinding]:
    lacking = []
    for model, rights in _NEEDED.items():
        for right in rights:
            try:
                allowed = wire.call(model, "has_access", operation=right, ids=[])
            except OdooLoginError:
                allowed = False
            except ErpUncertainError as unknown:
                words, remedy = str(unknown), "install the module stock (Inventory)"
                raise CheckEndedError(ErpFinding("modules", words, remedy)) from unknown
            if not allowed:
                lacking.append(f"{right} {model}")
    if lacking:
        raise CheckEndedError(ErpFinding("rights", f"the key may not {', '.join(lacking)}", _GIVE_RIGHTS))
    return [ErpFinding("rights", "the key may make, read and cancel internal transfers")]
