"""What is wrong with a connection to Tryton, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from app.erp.calling import NOT_FOUND, OK, Caller, json_of
from app.erp.checking import CheckEndedError, counterparts, examined, reached
from app.erp.counterparts import Counterparts
from app.erp.tryton_wire import SERIES, TrytonLoginError, TrytonWire
from tools.ports import ErpFinding, ErpUncertainError

_VERSION = {"id": 1, "method": "common.server.version", "params": []}
_NEEDED = {
    "stock.shipment.internal": ("read", "create", "write"),
    "stock.move": ("read", "create", "write"),
    "stock.location": ("read",),
    "product.product": ("read",),
}
_GIVE_RIGHTS = "put the user into the group Stock, and into no other"
_INSTALL = "install integrations/tryton there, run trytond-admin -u evenkeel_transfer, and start the server again"


def check(
    caller: Caller,
    wire: TrytonWire,
    names: Counterparts,
    sites: Collection[str],
    skus: Collection[str],
    now: datetime,
) -> list[ErpFinding]:  # fmt: skip
    """Address, version, login, module, rights, and the counterparts of our sites and SKUs."""

    def examine(found: list[ErpFinding]) -> None:
        answer, first = reached(caller, "POST", "/rpc/", _VERSION, now)
        found += first
        document = json_of("common.server.version", answer) if answer.status == OK else {}
        found.append(_version(document.get("result") if isinstance(document, dict) else None))
        found.append(_login(wire))
        found += _abilities(wire)
        found += _rights(wire)
        warehouses = wire.rows("stock.location", [["type", "=", "warehouse"]], ["code"])
        wanted = {site_id: names.site_code(site_id) for site_id in sites}
        found += counterparts("sites", "warehouse", "EVENKEEL_ERP_SITES", wanted, (row["code"] for row in warehouses))
        found += _products(wire, {sku_id: names.sku_code(sku_id) for sku_id in skus})

    return examined(examine)


def _version(series: object) -> ErpFinding:
    if not isinstance(series, str):
        words = "what answers at this address is no Tryton server"
        raise CheckEndedError(ErpFinding("version", words, "check EVENKEEL_ERP_URL; it has no path"))
    if not series.startswith(SERIES):
        return ErpFinding(
            "version", f"Tryton {series}; this adapter was made for {SERIES}", f"use a server of {SERIES}"
        )
    return ErpFinding("version", f"Tryton {series}")


def _login(wire: TrytonWire) -> ErpFinding:
    try:
        company = wire.company
    except TrytonLoginError as refused:
        remedy = "check EVENKEEL_ERP_USER and EVENKEEL_ERP_KEY, and that the user works for a company"
        raise CheckEndedError(ErpFinding("login", str(refused), remedy)) from refused
    except ErpUncertainError as failed:
        if str(NOT_FOUND) not in str(failed):
            raise
        words = "the server has no such database"
        raise CheckEndedError(ErpFinding("database", words, "check EVENKEEL_ERP_DATABASE")) from failed
    return ErpFinding("login", f"accepted; the user works for company {company}")


def _abilities(wire: TrytonWire) -> list[ErpFinding]:
    known = set(wire.methods())
    if "model.stock.shipment.internal.search_read" not in known:
        words = "the module stock is not active in this database"
        raise CheckEndedError(ErpFinding("modules", words, "activate it: trytond-admin -u stock"))
    if "model.stock.shipment.internal.evenkeel_post" not in known:
        words = "the module evenkeel_transfer is not active in this database"
        raise CheckEndedError(ErpFinding("modules", words, _INSTALL))
    return [ErpFinding("modules", "stock and evenkeel_transfer are active")]


def _rights(wire: TrytonWire) -> list[ErpFinding]:
    access = wire.call("model.ir.model.access.get_access", list(_NEEDED))
    lacking = [
        f"{right} {model}" for model, rights in _NEEDED.items() for right in rights if not access[model].get(right)
    ]
    if lacking:
        raise CheckEndedError(ErpFinding("rights", f"the user may not {', '.join(lacking)}", _GIVE_RIGHTS))
    found = [ErpFinding("rights", "the user may make, read and cancel internal shipments")]
    if wire.is_administrator:
        found.append(ErpFinding("rights", "the user is an administrator, and needs much less", _GIVE_RIGHTS))
    return found


def _products(wire: TrytonWire, wanted: dict[str, str]) -> list[ErpFinding]:
    known = [["code", "in", sorted(wanted.values())]]
    rows = wire.rows("product.product", known, ["code", "default_uom.digits"])
    found = counterparts("SKUs", "product", "EVENKEEL_ERP_SKUS", wanted, (row["code"] for row in rows))
    split = sorted(row["code"] for row in rows if row["default_uom."]["digits"])
    if split:
        words = f"{len(split):,} are counted in parts of a unit there: {', '.join(split[:10])}"
        found.append(ErpFinding("SKUs", words, "give them a unit without digits, or leave them out of the network"))
    return found
