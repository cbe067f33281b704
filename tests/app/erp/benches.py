"""The ERPs on their benches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import text

from app.db.database import Database
from app.erp.built_in import BuiltInErp
from app.erp.calling import Caller
from app.erp.counterparts import Counterparts
from app.erp.odoo import OdooErp
from app.erp.odoo_wire import OdooWire
from app.erp.rest import RestErp
from app.erp.simulated import Faults, SimulatedErp
from app.erp.tryton import TrytonErp
from app.erp.tryton_wire import TrytonWire
from app.outbound import Answer, Outbound
from tests.app.erp import odoo_double, small_wms, tryton_server
from tests.app.erp.bench import Bench
from tests.app.erp.odoo_double import OdooDouble
from tests.app.erp.small_wms import SmallWms
from tests.app.erp.tryton_server import TrytonServer

HOME = "127.0.0.1"
SHIPMENT = "stock.shipment.internal"


class BuiltInBench(Bench):
    ships_at_once, knows_stock, tells_receipts, has_network = True, False, False, False

    def __init__(self, database: Database) -> None:
        self.erp, self._database = BuiltInErp(database), database

    def applied(self, reference: str) -> int:
        return self._run(
            "select count(*) from built_in_transfer where reference = :r and state <> 'cancelled'", reference
        )

    def cancel_by_hand(self, reference: str) -> None:
        self._run(
            "with done as (update built_in_transfer set state = 'cancelled' where reference = :r returning 1) select count(*) from done",
            reference,
        )

    def _run(self, statement: str, reference: str) -> int:
        with self._database.transaction() as session:
            return int(session.connection().execute(text(statement), {"r": reference}).scalar_one())


class SimulatedBench(Bench):
    knows_stock, tells_damage = False, True

    def __init__(self, file: Any) -> None:
        self.erp: SimulatedErp = SimulatedErp(file, Faults(ships_after_looks=1_000))

    def applied(self, reference: str) -> int:
        held = self.erp._held(reference)
        return 0 if held is None or held.state == "cancelled" else self.erp.applied()[reference]

    def cancel_by_hand(self, reference: str) -> None:
        self.erp.cancel_by_hand(reference)

    def ship(self, reference: str) -> None:
        self.erp.ship_by_hand(reference)

    def receive(self, reference: str, units: int, *, damaged: int = 0, last: bool = False) -> None:
        self.erp.receive_by_hand(reference, units, damaged=damaged, last=last)

    @contextmanager
    def losing_answers(self) -> Iterator[None]:
        self.erp.faults = Faults(lost_after=1.0, ships_after_looks=1_000)
        yield
        self.erp.faults = Faults(ships_after_looks=1_000)


class HastyOutbound(Outbound):
    """Waits only so long for what matches: a real time-out, while the other side goes on."""

    def __init__(self, *, about: bytes, **more: Any) -> None:
        super().__init__(**more)
        self.hasty, self._about, self._patience = False, about, more["seconds_max"]
        self.asked = 0

    def send(self, method: str, url: str, *, headers: Any = None, content: bytes = b"") -> Answer:
        self.asked += 1
        patient = not (self.hasty and self._about in content + url.encode())
        self._seconds_max = self._patience if patient else 0.02
        return super().send(method, url, headers=headers, content=content)

    @contextmanager
    def losing(self) -> Iterator[None]:
        self.hasty = True
        yield
        self.hasty = False


class TrytonBench(Bench):
    def __init__(self, server: TrytonServer) -> None:
        self.server = server
        self.outbound = HastyOutbound(about=b"", private_hosts=[HOME], seconds_max=60.0, bytes_max=1 << 26)
        self.erp: TrytonErp = self.connect(tryton_server.USER, tryton_server.PASSWORD, self.outbound)
        patient = Outbound(private_hosts=[HOME], seconds_max=60.0, bytes_max=1 << 26)
        self.staff = self.connect("admin", tryton_server.ADMIN_PASSWORD, patient)._wire

    def connect(self, user: str, password: str, outbound: Outbound, **names: Any) -> TrytonErp:
        caller = Caller(outbound, self.server.url)
        return TrytonErp(caller, TrytonWire(caller, self.server.database, user, password), Counterparts(**names))

    def applied(self, reference: str) -> int:
        return len(self.staff.rows(SHIPMENT, [["reference", "=", reference], ["state", "!=", "cancelled"]], ["state"]))

    def cancel_by_hand(self, reference: str) -> None:
        self._step(reference, "cancel")

    def ship(self, reference: str) -> None:
        self._step(reference, "pack", "ship")

    def receive(self, reference: str, units: int, *, damaged: int = 0, last: bool = False) -> None:
        """Done with what has come; the rest stays in the transit location there."""
        (move,) = self.staff.rows(
            "stock.move", [["shipment.reference", "=", reference, SHIPMENT], ["state", "!=", "done"]], ["quantity"]
        )
        if move["quantity"] != units:
            self.staff.call("model.stock.move.write", [move["id"]], {"quantity": float(units)})
        with suppress(Exception):
            self._step(reference, "do")
            return
        self._confirm_warning(reference)
        self._step(reference, "do")

    def _step(self, reference: str, *steps: str) -> None:
        ids = [row["id"] for row in self.staff.rows(SHIPMENT, [["reference", "=", reference]], ["state"])]
        for step in steps:
            self.staff.call(f"model.{SHIPMENT}.{step}", ids)

    def _confirm_warning(self, reference: str) -> None:
        """Say yes to what the server warns of, as its client does."""
        ids = [row["id"] for row in self.staff.rows(SHIPMENT, [["reference", "=", reference]], ["state"])]
        told = self.staff._post(f"model.{SHIPMENT}.do", [ids, self.staff._context], self.staff._session)
        (user,) = self.staff.rows("res.user", [["login", "=", "admin"]], ["login"])
        kind, (name, *_) = json.loads(told.body)["error"]
        assert kind == "UserWarning"
        self.staff.call("model.res.user.warning.create", [{"user": user["id"], "name": name, "always": True}])

    @contextmanager
    def losing_answers(self) -> Iterator[None]:
        with self.outbound.losing():
            yield


class OdooBench(Bench):
    def __init__(self, double: OdooDouble) -> None:
        self.double = double
        caller = Caller(Outbound(), odoo_double.ADDRESS)
        self.erp = OdooErp(caller, OdooWire(caller, odoo_double.DATABASE, odoo_double.KEY), Counterparts())

    def applied(self, reference: str) -> int:
        pickings = self.double.on_search_read("stock.picking", [["origin", "=", reference]], ["state", "backorder_id"])
        return len([row for row in pickings if row["state"] != "cancel" and not row["backorder_id"]]) // 2

    def cancel_by_hand(self, reference: str) -> None:
        self.double.on_action_cancel("stock.picking", [self._picking(reference, leg) for leg in ("out", "in")])

    def ship(self, reference: str) -> None:
        assert self.double.on_button_validate("stock.picking", [self._picking(reference, "out")]) is True

    def receive(self, reference: str, units: int, *, damaged: int = 0, last: bool = False) -> None:
        if last:
            assert self.double.on_button_validate("stock.picking", [self._picking(reference, "in")]) is True
        else:
            self.double.receive_part(self._picking(reference, "in"), units)

    def _picking(self, reference: str, leg: str) -> int:
        name = f"{reference.replace('-', '_')}_{leg}"
        (found,) = [row["res_id"] for row in self.double.tables["ir.model.data"].values() if row["name"] == name]
        return int(found)

    @contextmanager
    def losing_answers(self) -> Iterator[None]:
        self.double.lost = True
        yield
        self.double.lost = False


class RestBench(Bench):
    tells_damage = True

    def __init__(self, wms: SmallWms, url: str) -> None:
        self.wms = wms
        self.outbound = HastyOutbound(about=b"/transfers", private_hosts=[HOME], seconds_max=60.0, bytes_max=1 << 20)
        self.erp = RestErp(Caller(self.outbound, url), small_wms.KEY, Counterparts())

    def applied(self, reference: str) -> int:
        held = self.wms.transfers.get(reference)
        return int(held is not None and held["state"] != "cancelled")

    def cancel_by_hand(self, reference: str) -> None:
        self.wms.change(reference, state="cancelled")

    def ship(self, reference: str) -> None:
        self.wms.change(reference, state="shipped")

    def receive(self, reference: str, units: int, *, damaged: int = 0, last: bool = False) -> None:
        state = "received" if last else "partially_received"
        self.wms.change(reference, state=state, received_units=units, damaged_units=damaged)

    @contextmanager
    def losing_answers(self) -> Iterator[None]:
        self.wms.answer_seconds = 0.3
        with self.outbound.losing():
            yield
        self.wms.answer_seconds = 0.0
