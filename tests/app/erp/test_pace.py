"""An ERP gets so many requests in a second, however many a call sends; those of a post go out without waiting."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any

import pytest
from pydantic import SecretStr

from app.db.database import Database
from app.erp.calling import Caller
from app.erp.configuration import ErpKind
from app.erp.connecting import adapter_of, erp_of
from app.erp.counterparts import Counterparts
from app.erp.limits import LimitedErp, Limits
from app.erp.odoo import OdooErp
from app.erp.odoo_wire import OdooWire
from app.erp.pace import Pace
from app.erp.rest import RestErp
from app.erp.tryton import TrytonErp
from app.erp.tryton_wire import TrytonWire
from app.outbound import Answer, Outbound
from app.settings import Settings
from tests.app.erp import odoo_double, small_wms, tryton_server
from tests.app.erp.bench import a_content
from tests.app.erp.benches import HOME, OdooBench, RestBench
from tests.app.erp.odoo_double import OdooDouble
from tests.app.erp.test_limits import Clock
from tools.ports import ErpNotAskedError, ErpTransfer

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)
AnAdapter = OdooErp | TrytonErp | RestErp


class Noting(Outbound):
    """Notes when each request goes out."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(private_hosts=[HOME], seconds_max=60.0, bytes_max=1 << 26)
        self._clock = clock
        self.at: list[float] = []

    def send(self, method: str, url: str, **more: Any) -> Answer:
        self.at.append(self._clock())
        return super().send(method, url, **more)


class Track:
    """An adapter within limits, on a clock that moves only where somebody waits for a place."""

    def __init__(self, request: pytest.FixtureRequest, kind: str, per_second_max: float, **limits: float) -> None:
        self.clock = Clock()
        self.outbound = Noting(self.clock)
        self.bench = request.getfixturevalue(f"{kind}_bench")
        pace = Pace(per_second_max, self.clock, self.clock.sleep)
        self.adapter = self._adapter(kind, pace)
        self.erp = LimitedErp(
            self.adapter, Limits(per_second_max=per_second_max, **limits), self.clock, pace=pace,  # type: ignore[arg-type]  fields by their names
            post_requests_max=self.adapter.post_requests_max,
        )  # fmt: skip

    def _adapter(self, kind: str, pace: Pace) -> AnAdapter:
        match kind:
            case "odoo":
                caller = Caller(self.outbound, odoo_double.ADDRESS, pace)
                return OdooErp(caller, OdooWire(caller, odoo_double.DATABASE, odoo_double.KEY), Counterparts())
            case "tryton":
                caller = Caller(self.outbound, self.bench.server.url, pace)
                wire = TrytonWire(caller, self.bench.server.database, tryton_server.USER, tryton_server.PASSWORD)
                return TrytonErp(caller, wire, Counterparts())
            case _:
                caller = Caller(self.outbound, self.bench.erp._caller.url, pace)
                return RestErp(caller, small_wms.KEY, Counterparts())

    @property
    def at(self) -> list[float]:
        """When each request went out."""
        return self.outbound.at


def test_at_a_real_server_no_more_requests_arrive_than_the_settings_say_whoever_asks_and_however_long_a_listing_is(
    rest_bench: RestBench, ledger: Database
) -> None:
    settings = Settings().model_copy(
        update={
            "erp": ErpKind.REST, "erp_url": rest_bench.erp._caller.url, "erp_key": SecretStr(small_wms.KEY),
            "erp_calls_per_second_max": 40.0, "outbound_private_hosts": (HOME,),
        }
    )  # fmt: skip
    for _ in range(8 * small_wms.PAGE):
        rest_bench.erp.create(a_content())
    erp, operators = erp_of(settings, ledger), adapter_of(settings, ledger)
    before, begun = rest_bench.wms.asked, time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        listed = list(pool.map(lambda _: len(erp.list_transfers(LONG_AGO)), range(3)))
    asked, took = rest_bench.wms.asked - before, time.monotonic() - begun
    assert (listed, asked) == ([24] * 3, 24)
    assert took >= (asked - 1) / 40.0
    begun = time.monotonic()
    assert isinstance(operators, RestErp)
    operators.list_transfers(LONG_AGO)
    assert time.monotonic() - begun >= 7 / 40.0, "also what an operator asks from the command line"


def test_a_call_that_has_begun_is_not_broken_off_however_long_its_requests_wait(request: pytest.FixtureRequest) -> None:
    track = Track(request, "odoo", 1.0, wait_seconds_max=2.5)
    made = track.bench.erp.create(a_content())
    assert list(track.erp.list_transfers(LONG_AGO)) == [made]
    assert len(track.at) == 8
    assert {later - earlier for earlier, later in pairwise(track.at)} == {1.0}


@pytest.mark.parametrize("kind", ["odoo", "tryton", "rest"])
def test_no_request_of_a_post_waits_once_its_turn_has_come_and_the_rate_holds_over_any_time(
    request: pytest.FixtureRequest, kind: str
) -> None:
    per_second = 4.0
    track = Track(request, kind, per_second)
    reserved = track.adapter.post_requests_max
    for content in (a_content(), a_content()):
        assert track.erp.find(content.reference) is None
        before = len(track.at)
        with track.erp.turn():
            begun = track.clock()
            assert isinstance(track.erp.create(content), ErpTransfer)
            assert track.clock() == begun
        assert 0 < len(track.at) - before <= reserved
        assert track.erp.find(content.reference) is not None
        track.bench.cancel_by_hand(content.reference)
    for (i, earlier), (j, later) in combinations(enumerate(track.at), 2):
        assert j - i + 1 <= (later - earlier) * per_second + reserved + 1e-6


def test_a_session_that_has_ended_is_renewed_within_what_a_post_has_reserved(request: pytest.FixtureRequest) -> None:
    track = Track(request, "tryton", 4.0)
    adapter, content = track.adapter, a_content()
    assert isinstance(adapter, TrytonErp)
    assert track.erp.find(content.reference) is None
    adapter._wire._session, adapter._warehouses = "bm9ib2R5OjE6bm90aGluZw==", {}
    before = len(track.at)
    with track.erp.turn():
        begun = track.clock()
        assert isinstance(track.erp.create(content), ErpTransfer)
        assert track.clock() == begun
    assert len(track.at) - before == 8
    track.bench.cancel_by_hand(content.reference)


def test_no_post_to_odoo_sends_more_than_it_has_reserved_whatever_there_is_to_be_done(
    request: pytest.FixtureRequest, odoo_bench: OdooBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One picking was made by a request before, and the stock comes between its confirmation and the last try to reserve it."""
    track, content, assign = Track(request, "odoo", 20.0), a_content(), OdooDouble.on_action_assign
    double = odoo_bench.double
    odoo_bench.erp.create(content)
    (leg,) = [key for key, row in double.tables["ir.model.data"].items() if row["name"].endswith("_in")]
    gone = double.tables["ir.model.data"].pop(leg)["res_id"]
    for table, name in (("stock.picking", "id"), ("stock.move", "picking_id")):
        kept = {key: row for key, row in double.tables[table].items() if (key if name == "id" else row[name]) != gone}
        double.tables[table] = kept
    for row in double.tables["stock.picking"].values():
        row["origin"] = f"{content.reference} (being made)"
    for row in double.tables["stock.move"].values():
        row.update(state="draft", quantity=0.0)
    stock, double.stock = double.stock, {}

    def filled(self: OdooDouble, model: str, ids: list[int]) -> bool:
        self.stock = stock
        return assign(self, model, ids)

    monkeypatch.setattr(OdooDouble, "on_action_assign", filled)
    assert isinstance(track.adapter.create(content), ErpTransfer)
    assert len(track.at) == track.adapter.post_requests_max


def test_places_that_a_post_does_not_use_are_given_back_and_silence_before_it_counts() -> None:
    clock = Clock()
    pace = Pace(2.0, clock, clock.sleep)
    clock.now += 60.0
    with pace.reserved(5, 10.0):
        assert clock.now == 160.0, "nothing was asked for a minute"
        for _ in range(2):
            pace.take()
    with pace.reserved(1, 10.0):
        pace.take()
    assert clock.now == 160.0, "three of the places were left"
    pace.take()
    assert clock.now == 160.5
    with pace.reserved(5, 10.0):
        assert clock.now == 163.0


def test_whoever_stands_behind_too_many_is_told_so_and_what_is_reserved_for_oneself_is_not_too_many() -> None:
    clock = Clock()
    pace = Pace(1.0, clock, clock.sleep)
    with pace.reserved(30, 0.5):
        assert clock.now == 129.0
    hurried = Pace(1.0, clock, sleep=lambda _: None)
    for _ in range(3):
        hurried.take()
    with pytest.raises(ErpNotAskedError, match="1 times a second"), hurried.reserved(1, 2.5):
        raise AssertionError


def test_the_built_in_ledger_waits_for_nobody(ledger: Database) -> None:
    erp = erp_of(Settings().model_copy(update={"erp_calls_per_second_max": 0.1}), ledger)
    begun = time.monotonic()
    for _ in range(3):
        assert erp.find("nothing") is None
    assert time.monotonic() - begun < 5.0
