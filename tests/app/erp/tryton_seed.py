"""Fills an empty Tryton database with a small company, through proteus.

Run as a program of its own: it imports proteus and, through it, trytond, which are
GPL-3.0-or-later (proteus LGPL-3.0-or-later). So this file, and no other, is under
GPL-3.0-or-later; it is no part of the service and is not installed with it.

    python tests/app/erp/tryton_seed.py CONFIG DATABASE < what.json
"""

# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime as dt
import itertools
import json
import sys
from decimal import Decimal
from typing import Any

from proteus import Model, Wizard
from proteus import config as proteus


def fill(what: dict[str, Any]) -> None:
    """A company, its warehouses with lead times, products, stock, and a user who may only handle stock."""
    configuration = proteus.get_config()
    currencies = Model.get("currency.currency")
    dollar = currencies(name="US Dollar", symbol="$", code="USD", rounding=Decimal("0.01"))
    dollar.rates.new(date=dt.date(2000, 1, 1), rate=Decimal(1))
    dollar.save()
    party = Model.get("party.party")(name="Example Manufacturing")
    party.save()
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party, wizard.form.currency = party, dollar
    wizard.execute("add")
    company = Model.get("company.company").find([])[0]
    configuration._context = Model.get("res.user").get_preferences(True, {})
    storages = _warehouses(what["sites"])
    products = _products(what["skus"])
    inventory = Model.get("stock.inventory")
    context = configuration.context
    counted = [
        {
            "location": storages[site], "company": company.id, "date": dt.datetime.now(dt.UTC).date(),
            "lines": [["create", [{"product": products[sku], "quantity": float(units)} for sku, units in stock.items()]]],
        }
        for site, stock in what["stock"].items()
    ]  # fmt: skip
    inventory._proxy.confirm(inventory._proxy.create(counted, context), context)
    _user(what["user"], company.id)


def _warehouses(names: dict[str, str]) -> dict[str, int]:
    """Copies of the warehouse that there is. Returns the storage location of each by its code."""
    locations = Model.get("stock.location")
    (first,) = locations.find([("type", "=", "warehouse")])
    copies = locations.copy([first.id] * (len(names) - 1), {}, proteus.get_config().context)
    ids = dict(zip(names, [first.id, *(int(each) for each in copies)], strict=True))
    found = {}
    for code, name in names.items():
        warehouse = locations(ids[code])
        warehouse.name, warehouse.code = name, code
        warehouse.save()
        found[code] = warehouse.storage_location.id
    lead_times = Model.get("stock.location.lead_time")
    for origin, destination in itertools.permutations(ids.values(), 2):
        days = dt.timedelta(days=1)
        lead_times(
            warehouse_from=locations(origin), warehouse_to=locations(destination), lead_time=days
        ).save()  # fmt: skip
    return found


def _products(names: dict[str, str]) -> dict[str, int]:
    (unit,) = Model.get("product.uom").find([("name", "=", "Unit")])
    template, product = Model.get("product.template"), Model.get("product.product")
    values = [
        {
            "name": name, "type": "goods", "default_uom": unit.id, "list_price": Decimal(20),
            "cost_price_method": "fixed",
            "products": [["create", [{"suffix_code": code, "cost_price": Decimal("8.50")}]]],
        }
        for code, name in names.items()
    ]  # fmt: skip
    template._proxy.create(values, proteus.get_config().context)
    return {each.code: each.id for each in product.find([])}


def _user(user: dict[str, str], company: int) -> None:
    groups, users = Model.get("res.group"), Model.get("res.user")
    (stock,) = groups.find([("name", "=", "Stock")])
    made = users(name="Evenkeel", login=user["login"], password=user["password"])
    made.groups.append(groups(stock.id))
    made.companies.append(Model.get("company.company")(company))
    made.company = Model.get("company.company")(company)
    made.save()


if __name__ == "__main__":
    proteus.set_trytond(database=sys.argv[2], user="admin", config_file=sys.argv[1])
    fill(json.load(sys.stdin))
