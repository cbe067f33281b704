"""A small warehouse system that offers the REST contract of docs/erp.md, over real HTTP: what an integrator has to build."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests import json_server
from tests.json_server import Asked, Reply

KEY = "key-of-the-small-wms"
PAGE = 3


class SmallWms:
    """Its transfers by reference, and its stock by site and SKU. `answer_seconds` comes after the work is done."""

    def __init__(self, stock: dict[tuple[str, str], int]) -> None:
        self.stock = dict(stock)
        self.transfers: dict[str, dict[str, Any]] = {}
        self.changed: dict[str, str] = {}
        self.answer_seconds = 0.0
        self.asked = 0
        self.instead: Reply | None = None
        """What is answered to everything in place of the truth."""
        self._lock = threading.Lock()

    def answer(  # noqa: PLR0911  one for each route
        self, method: str, path: str, query: dict[str, str], headers: Any, body: Any
    ) -> Reply:
        """One request."""
        with self._lock:
            self.asked += 1
        if self.instead is not None:
            return self.instead
        if headers.get("authorization") != f"Bearer {KEY}" and path != "/":
            return 401, {"detail": "who are you?"}
        with self._lock:
            match method, path.strip("/").split("/"):
                case "GET", [""]:
                    now = datetime.now(UTC).isoformat()
                    return 200, {"name": "small", "contract": "evenkeel-erp/1", "time": now}
                case "GET", ["stock"]:
                    lines = [{"site": s, "sku": k, "on_hand_units": n} for (s, k), n in sorted(self.stock.items())]
                    return self._page("stock", lines, query)
                case "GET", ["transfers"]:
                    changed = sorted(r for r, at in self.changed.items() if at >= query["updated_since"])
                    return self._page("transfers", [self.transfers[reference] for reference in changed], query)
                case "GET", ["transfers", reference]:
                    return self._told(reference)
                case "POST", ["transfers"]:
                    return self._make(headers.get("idempotency-key"), body)
                case "POST", ["transfers", reference, "cancel"]:
                    return self._cancel(reference)
        return 404, {"detail": "there is no such thing"}

    def change(self, reference: str, **fields: Any) -> None:
        """What somebody does by hand."""
        self.transfers[reference].update(fields)
        self.changed[reference] = datetime.now(UTC).isoformat()

    def _told(self, reference: str) -> Reply:
        held = self.transfers.get(reference)
        return (404, {"detail": f"no transfer {reference}"}) if held is None else (200, held)

    def _make(self, key: str | None, body: Any) -> Reply:
        if key != body["reference"]:
            return 400, {"detail": "the Idempotency-Key is not the reference"}
        held = self.transfers.get(key)
        if held is not None:
            same = all(held[name] == body[name] for name in ("sku", "origin", "destination", "units"))
            return (200, held) if same else (422, {"detail": "the key was used for another transfer"})
        free = self.stock.get((body["origin"], body["sku"]))
        if free is None:
            return 422, {"detail": f"no {body['sku']} at {body['origin']}"}
        if free < body["units"]:
            return 422, {"detail": f"{free} of {body['units']:,} units of {body['sku']} free"}
        self.transfers[key] = {
            "reference": key, "id": f"W-{len(self.transfers) + 1}", "state": "confirmed", "sku": body["sku"],
            "origin": body["origin"], "destination": body["destination"], "units": body["units"],
            "received_units": 0, "damaged_units": 0, "a_field_of_its_own": True,
        }  # fmt: skip
        self.change(key)
        return 201, self.transfers[key]

    def _cancel(self, reference: str) -> Reply:
        held = self.transfers.get(reference)
        if held is None:
            return 404, {"detail": f"no transfer {reference}"}
        if held["state"] not in ("confirmed", "cancelled"):
            return 422, {"detail": "the goods have left"}
        self.change(reference, state="cancelled")
        return 200, held

    def _page(self, name: str, rows: list[Any], query: dict[str, str]) -> Reply:
        start = int(query.get("cursor", "0"))
        following = str(start + PAGE) if start + PAGE < len(rows) else None
        return 200, {name: rows[start : start + PAGE], "next": following}


@contextmanager
def listening(wms: SmallWms) -> Iterator[str]:
    """The address at which it answers."""

    def answer(asked: Asked) -> Reply:
        reply = wms.answer(asked.method, asked.path, asked.query, asked.headers, asked.body)
        time.sleep(wms.answer_seconds)
        return reply

    with json_server.listening(answer) as address:
        yield address
