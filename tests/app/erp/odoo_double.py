"""The part of Odoo 19 that the adapter speaks to, in memory. `test_odoo.py` holds its answers to the recorded ones."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpcore
import httpx

KEY, DATABASE, ADDRESS = "KEY", "odoo19", "https://odoo.example"
Row = dict[str, Any]
_WIZARD = "stock.backorder.confirmation"
_OPEN = ("draft", "waiting", "confirmed", "partially_available", "assigned")


class RuleError(Exception):
    """A UserError of the server."""


@dataclass
class OdooDouble:
    """Records by model and id. Ids begin where those of the recording did."""

    stock: dict[tuple[int, int], int]
    tables: dict[str, dict[int, Row]] = field(default_factory=dict)
    lost: bool = False
    asked: list[str] = field(default_factory=list)
    """The path of each request."""
    rights: set[str] = field(default_factory=lambda: {"read", "create", "write"})

    def __post_init__(self) -> None:
        self._picking_ids, self._move_ids, self._data_ids = count(19), count(20), count(1)
        self._transaction = (
            threading.Lock()
        )  # a call is a transaction, and two under one external id do not both commit
        self.tables = {
            "stock.location": {
                3: {"complete_name": "Inter-company transit", "usage": "transit", "active": False},
                10: {"complete_name": "Inter-warehouse transit", "usage": "transit", "active": False},
            },
            "stock.warehouse": {
                1: {"code": "S1", "name": "North DC", "lot_stock_id": 5, "int_type_id": 7},
                2: {"code": "S2", "name": "South DC", "lot_stock_id": 14, "int_type_id": 15},
                3: {"code": "S3", "name": "East store", "lot_stock_id": 22, "int_type_id": 23},
            },
            "product.product": {
                number: {
                    "default_code": f"C{number}", "name": f"Article C{number}", "is_storable": True,
                    "standard_price": 8.5, "list_price": 20.0,
                }
                for number in (1, 2, 3)
            },
            "res.company": {1: {"currency_id": 1}},
            "stock.picking": {}, "stock.move": {}, "ir.model.data": {},
        }  # fmt: skip

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One request; the work of one that is lost is done all the same."""
        with self._transaction:
            self.asked.append(request.url.path)
            status, document = self._answer(request)
        if self.lost:
            raise httpcore.ReadTimeout("lost")
        return httpx.Response(status, content=json.dumps(document), headers={"content-type": "application/json"})

    def _answer(self, request: httpx.Request) -> tuple[int, Any]:
        if request.url.path == "/web/version":
            return 200, {"version": "19.0", "version_info": [19, 0, 0, "final", 0, ""]}
        if request.headers.get("authorization") != f"bearer {KEY}":
            return 401, {"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "debug": "Traceback"}
        _, _, _, model, method = request.url.path.split("/")
        handler = getattr(self, f"on_{method}", None)
        if handler is None:
            return 404, {"name": "werkzeug.exceptions.NotFound", "message": f"no {method}", "debug": "Traceback"}
        try:
            return 200, handler(model, **json.loads(request.content))
        except RuleError as no:
            return 422, {"name": "odoo.exceptions.UserError", "message": str(no), "debug": "Traceback"}

    def on_context_get(self, _: str) -> Any:
        return {"lang": "en_US", "tz": "UTC"}

    def on_has_access(self, _: str, operation: str, ids: list[int]) -> bool:
        del ids
        return operation in self.rights

    def on_search(self, model: str, domain: list[Any]) -> list[int]:
        return [key for key, row in self.tables[model].items() if _admits(domain, {"id": key} | row)]

    def on_search_read(
        self, model: str, domain: list[Any], fields: list[str], offset: int = 0, limit: int | None = None, **more: Any
    ) -> list[Row]:
        self._compute(more.get("context", {}))
        ids = sorted(self.on_search(model, domain))
        return self._read(model, fields, ids[offset:][:limit])

    def on_read(self, model: str, fields: list[str], ids: list[int]) -> list[Row]:
        self._compute({})
        return self._read(model, fields, ids)

    def _read(self, model: str, fields: list[str], ids: list[int]) -> list[Row]:
        return [
            {"id": key} | {name: _shown(name, self.tables[model][key][name]) for name in fields if name != "id"}
            for key in ids
        ]

    def on_create(self, model: str, vals_list: list[Row]) -> list[int]:
        assert model == "stock.picking"
        return [self._make_picking(**values) for values in vals_list]

    def on_write(self, model: str, ids: list[int], vals: Row) -> bool:
        for key in ids:
            given = dict(vals)
            if "move_orig_ids" in given:
                given["move_orig_ids"] = given["move_orig_ids"][0][2]
            self.tables[model][key].update(given, write_date=_now())
        return True

    def on_load(self, model: str, fields: list[str], data: list[list[str]]) -> Row:
        """Create, or change what the external id names."""
        ids = []
        for cells in data:
            row = dict(zip(fields, cells, strict=True))
            name = row["id"].partition(".")[2]
            known = [each["res_id"] for each in self.tables["ir.model.data"].values() if each["name"] == name]
            move = {
                "product_id": int(row["move_ids/product_id/.id"]), "product_uom_qty": float(row["move_ids/product_uom_qty"]),
                "location_id": int(row["move_ids/location_id/.id"]),
                "location_dest_id": int(row["move_ids/location_dest_id/.id"]),
            }  # fmt: skip
            if known:
                (own,) = [each for each in self.tables["stock.move"].values() if each["picking_id"] == known[0]]
                own.update(move)
                ids += known
                continue
            picking = self._make_picking(
                int(row["picking_type_id/.id"]), int(row["location_id/.id"]), int(row["location_dest_id/.id"]),
                row["origin"], [[0, 0, move]],
            )  # fmt: skip
            entry = {"module": row["id"].partition(".")[0], "name": name, "model": model, "res_id": picking}
            self.tables["ir.model.data"][next(self._data_ids)] = entry
            ids.append(picking)
        return {"ids": ids, "messages": []}

    def on_action_confirm(self, _: str, ids: list[int]) -> bool:
        for move in self._moves(ids, ("draft",)):
            move["state"] = "confirmed"
            self._reserve(move)
        return self._touched(ids, answer=True)

    def on_action_assign(self, _: str, ids: list[int]) -> bool:
        for move in self._moves(ids, ("confirmed", "waiting", "partially_available")):
            self._reserve(move)
        return self._touched(ids, answer=True)

    def on_do_unreserve(self, _: str, ids: list[int]) -> None:
        for move in self._moves(ids, ("partially_available", "assigned")):
            move.update(state="confirmed", quantity=0.0)
        self._touched(ids, answer=True)

    def on_action_cancel(self, _: str, ids: list[int]) -> bool:
        if self._moves(ids, ("done",)):
            raise RuleError("You cannot cancel a stock move that has been set to 'Done'.")
        for move in self._moves(ids, _OPEN):
            move.update(state="cancel", quantity=0.0)
        return self._touched(ids, answer=True)

    def on_button_validate(self, _: str, ids: list[int]) -> Any:
        moves = self._moves(ids, _OPEN)
        if any(move["quantity"] < move["product_uom_qty"] for move in moves):
            return {"name": "Create Backorder?", "type": "ir.actions.act_window", "res_model": _WIZARD}
        for move in moves:
            move["state"] = "done"
            for place, change in (("location_id", -1), ("location_dest_id", 1)):
                key = (move[place], move["product_id"])
                self.stock[key] = self.stock.get(key, 0) + change * int(move["quantity"])
            for key, chained in self.tables["stock.move"].items():
                if set(chained["move_orig_ids"]) & {k for k, each in self.tables["stock.move"].items() if each is move}:
                    self._reserve(self.tables["stock.move"][key])
        return self._touched(ids, answer=True)

    def receive_part(self, picking_id: int, units: int) -> None:
        """What the warehouse does with `create_backorder` at always: the rest becomes a picking of its own."""
        (move,) = self._moves([picking_id], _OPEN)
        rest = move["product_uom_qty"] - units
        picking = self.tables["stock.picking"][picking_id]
        split = self._make_picking(
            picking["picking_type_id"], picking["location_id"], picking["location_dest_id"], picking["origin"],
            [[0, 0, {name: move[name] for name in ("product_id", "location_id", "location_dest_id")} | {"product_uom_qty": rest}]],
        )  # fmt: skip
        self.tables["stock.picking"][split]["backorder_id"] = picking_id
        move.update(product_uom_qty=float(units), quantity=float(units))
        self.on_button_validate("stock.picking", [picking_id])
        self.on_action_confirm("stock.picking", [split])

    def _make_picking(
        self, picking_type_id: int, location_id: int, location_dest_id: int, origin: str, move_ids: list[Any]
    ) -> int:
        picking = next(self._picking_ids)
        self.tables["stock.picking"][picking] = {
            "name": f"INT/{picking:05}", "origin": origin, "picking_type_id": picking_type_id, "state": "draft",
            "location_id": location_id, "location_dest_id": location_dest_id, "backorder_id": False,
            "products_availability_state": False, "write_date": _now(),
        }  # fmt: skip
        for _, _, values in move_ids:
            self.tables["stock.move"][next(self._move_ids)] = values | {
                "picking_id": picking, "state": "draft", "quantity": 0.0, "picked": False, "move_orig_ids": [],
                "product_uom_qty": float(values["product_uom_qty"]),
            }  # fmt: skip
        return picking

    def _reserve(self, move: Row) -> None:
        before = [self.tables["stock.move"][key] for key in move["move_orig_ids"]]
        if any(each["state"] != "done" for each in before):
            move["state"] = "waiting"
            return
        taken = sum(
            each["quantity"]
            for each in self._holding()
            if each["location_id"] == move["location_id"]
            and each["product_id"] == move["product_id"]
            and each is not move
        )
        free = self.stock.get((move["location_id"], move["product_id"]), 0) - taken
        move["quantity"] = float(max(min(free, move["product_uom_qty"]), 0))
        whole = move["quantity"] == move["product_uom_qty"]
        move["state"] = "assigned" if whole else "partially_available" if move["quantity"] else "confirmed"

    def _holding(self) -> list[Row]:
        return [
            each for each in self.tables["stock.move"].values() if each["state"] in ("assigned", "partially_available")
        ]

    def _moves(self, picking_ids: list[int], states: tuple[str, ...]) -> list[Row]:
        return [
            each
            for each in self.tables["stock.move"].values()
            if each["picking_id"] in picking_ids and each["state"] in states
        ]

    def _touched(self, ids: list[int], *, answer: bool) -> bool:
        for key in ids:
            self.tables["stock.picking"][key]["write_date"] = _now()
        return answer

    def _compute(self, context: Row) -> None:
        """The fields that follow from others: the state of a picking says less than its moves."""
        for key, picking in self.tables["stock.picking"].items():
            states = [each["state"] for each in self.tables["stock.move"].values() if each["picking_id"] == key]
            partly = set(states) & {"assigned", "partially_available"}
            picking["state"] = (
                "cancel" if set(states) == {"cancel"} else "done" if set(states) <= {"done", "cancel"}
                else "assigned" if partly else states[0]
            )  # fmt: skip
            late = "partially_available" in states
            picking["products_availability_state"] = "late" if late else "available" if partly else False
        place = self.tables["stock.warehouse"].get(context.get("warehouse_id", 0), {}).get("lot_stock_id")
        for key, product in self.tables["product.product"].items():
            held = sum(
                each["quantity"]
                for each in self._holding()
                if (each["location_id"], each["product_id"]) == (place, key)
            )
            on_hand = self.stock.get((place, key), 0) if place else 0
            product.update(qty_available=float(on_hand), free_qty=float(on_hand - held))


def _shown(name: str, value: Any) -> Any:
    """Links to one record read as id and name."""
    if name == "currency_id":
        return [value, "USD"]
    return [value, f"{name} {value}"] if name.endswith("_id") and name != "res_id" and value is not False else value


def _admits(domain: list[Any], row: Row) -> bool:
    tests = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b, "in": lambda a, b: a in b, ">=": lambda a, b: a >= b}
    return all(tests[how](row[name], wanted) for name, how, wanted in domain)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
