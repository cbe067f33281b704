"""Facts over HTTP: imports and signals in, the network and its imbalances out."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from app.auth.people import SYSTEM, add_person
from app.auth.roles import Role
from app.service import Service
from app.web.main import create_app
from tests.app.web.door import Door, door_to, problem_of, tokens_of, written
from tests.builders import NOW
from tests.installation import OTTO, a_network, person
from tools.network_folder import write_network

FILES = write_network(a_network({("S1", "P1"): 90, ("S2", "P1"): 3, ("S3", "P1"): 45}))


@pytest.fixture
def empty(service: Service) -> Door:
    """A door to an installation without a network."""
    with service.database.transaction() as session:
        add_person(session, OTTO, by=SYSTEM)
    return door_to(service, tokens_of(service, "otto"))


def upload(door: Door, files: dict[str, bytes], by: str = "otto") -> Any:
    """An import of these files."""
    return door.ask("POST", "/v1/imports", by, files=[("files", named) for named in files.items()])


def a_count(site_id: str, units: int, signal_id: str = "count-1", **fields: object) -> dict[str, object]:
    """A signal with a count of P1."""
    reading = {"site_id": site_id, "sku_id": "P1", "on_hand_units": units, "reserved_units": 0}
    data = {"as_of": NOW.isoformat(), "readings": [reading]}
    named = {"id": signal_id, "source": "wms", "type": "evenkeel.stock.v1", "time": NOW.isoformat(), "data": data}
    return named | fields


def on_hand(door: Door) -> dict[tuple[str, str], int]:
    """Units of P1 by place."""
    with door.service.database.engine.connect() as connection:
        rows = connection.execute(text("select place, sku_id, units from balance where sku_id = 'P1' and units <> 0"))
        return {(row.place, row.sku_id): row.units for row in rows}


def test_the_network_is_told_by_its_size_and_day(house: Door) -> None:
    assert house.get("/v1/network", "vera").json() == {
        "currency": "USD", "sites": 3, "skus": 2, "lanes": 6, "positions": 6, "as_of": NOW.isoformat(),
        "pinned_now": NOW.isoformat(),
    }  # fmt: skip


def test_the_network_is_counted_within_the_callers_sites(house: Door) -> None:
    seen = house.get("/v1/network", "fern").json()
    assert (seen["sites"], seen["lanes"], seen["positions"]) == (1, 0, 2)


def test_imbalances_come_with_the_costliest_first_and_say_as_of_when(house: Door) -> None:
    found = house.get("/v1/imbalances", "vera").json()
    rows = found["imbalances"]
    kinds = {"S1": "surplus", "S2": "shortage", "S3": "shortage"}
    assert {(row["kind"], row["site_id"], row["sku_id"]) for row in rows} == {
        (kind, site_id, sku_id) for site_id, kind in kinds.items() for sku_id in ("P1", "P2")
    }
    assert [row["severity_minor"] for row in rows] == sorted((row["severity_minor"] for row in rows), reverse=True)
    assert (found["counts"], found["not_shown"]) == ({"shortage": 4, "surplus": 2}, 0)
    assert (found["as_of"], found["currency"], len(found["snapshot_digest"])) == (NOW.isoformat(), "USD", 64)


def test_imbalances_can_be_asked_for_by_kind_and_site_and_the_rest_is_counted(house: Door) -> None:
    found = house.get("/v1/imbalances", "vera", params={"kind": "surplus", "site_id": "S1", "limit": 1}).json()
    assert [(row["kind"], row["site_id"]) for row in found["imbalances"]] == [("surplus", "S1")]
    assert (found["counts"], found["not_shown"]) == ({"surplus": 2}, 1)
    assert house.get("/v1/imbalances", "vera", params={"site_id": "S9"}).json()["imbalances"] == []


@pytest.mark.parametrize("query", ["kind=hunger", "limit=0", "limit=1001", "limit=many", "site_id=" + "S" * 41])
def test_a_question_that_makes_no_sense_is_refused(house: Door, query: str) -> None:
    field = "query." + query.partition("=")[0]
    answer = house.get(f"/v1/imbalances?{query}", "vera")
    assert problem_of(answer, 422, "invalid_request")["where"] == {"field": field}


def test_without_a_network_there_is_nothing_to_say_about_it(empty: Door) -> None:
    assert empty.get("/v1/network", "otto").json()["currency"] is None
    problem_of(empty.get("/v1/imbalances", "otto"), 409, "no_network")
    problem_of(empty.post("/v1/signals", "otto", [a_count("S1", 5)]), 409, "no_network")


def test_reading_the_same_facts_again_writes_nothing(door: Door) -> None:
    door.get("/v1/imbalances", "vera")
    before = everything_written(door)
    for path in ("/v1/imbalances", "/v1/network", "/v1/approvals", "/v1/orders", "/v1/governance", "/"):
        assert door.get(path, "vera").status_code == 200
    assert everything_written(door) == before


def everything_written(door: Door) -> dict[str, tuple[int, str]]:
    """How many rows each table has, and the digest of its content."""
    with door.service.database.engine.connect() as connection:
        names = connection.execute(text("select tablename from pg_tables where schemaname = 'public'")).scalars().all()
        query = "select count(*), coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {} t"
        return {name: tuple(connection.execute(text(query.format(name))).one()) for name in names}


@pytest.mark.parametrize("by", ["otto", "adam"])
def test_a_network_is_imported_once(door: Door, by: str) -> None:
    first = upload(door, FILES, by)
    assert (first.status_code, first.json()["new"], first.json()["counts"]["positions"]) == (200, True, 3)
    assert on_hand(door)["site/S1/available", "P1"] == 90
    before = written(door.service)
    again = upload(door, FILES, by).json()
    assert (again["new"], again["digest"]) == (False, first.json()["digest"])
    assert written(door.service) == before


def test_a_network_is_imported_into_an_empty_installation(empty: Door) -> None:
    assert upload(empty, FILES).json()["new"]
    assert empty.get("/v1/network", "otto").json()["positions"] == 3


def test_a_folder_with_faults_is_refused_with_every_fault_and_its_place(house: Door) -> None:
    before = written(house.service)
    faulty = FILES | {"stock.csv": FILES["stock.csv"].replace(b"S2,P1,3", b"S9,P1,minus three")}
    document = problem_of(upload(house, faulty), 422, "import_refused")
    places = {(fault["file"], fault["column"]) for fault in document["faults"]}
    assert {("stock.csv", "site_id"), ("stock.csv", "on_hand")} <= places
    assert all(fault["code"] and fault["words"] and fault["row"] == 3 for fault in document["faults"])
    assert document["faults_not_listed"] == 0
    assert written(house.service) == before


def test_an_archive_is_refused_under_any_name(house: Door) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sites.csv", b"0" * (1 << 20))
    document = problem_of(upload(house, {"sites.csv": packed.getvalue()}), 422, "import_refused")
    assert {fault["code"] for fault in document["faults"]} == {"archive"}


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "sites.csv.exe", ".env"])
def test_a_file_under_a_foreign_name_is_ignored_by_its_name(house: Door, name: str) -> None:
    document = problem_of(upload(house, {name: b"site_id,name,kind\n"}), 422, "import_refused")
    assert ("missing_file", "sites.csv") in {(fault["code"], fault["file"]) for fault in document["faults"]}


def test_an_upload_needs_files_each_under_its_own_name(house: Door) -> None:
    twice = [("files", ("sites.csv", b"a")), ("files", ("sites.csv", b"b"))]
    problem_of(house.ask("POST", "/v1/imports", "otto", files=twice), 422, "files")
    problem_of(house.ask("POST", "/v1/imports", "otto", files=[("other", ("sites.csv", b"a"))]), 422, "files")
    problem_of(house.ask("POST", "/v1/imports", "otto", data={"files": "not a file"}), 422, "files")
    problem_of(house.post("/v1/imports", "otto", {}), 422, "files")
    many = [("files", (f"{number}.csv", b"")) for number in range(21)]
    problem_of(house.ask("POST", "/v1/imports", "otto", files=many), 400, "unreadable_body")


def test_an_upload_beyond_its_limit_is_refused(door_with: Callable[..., Door]) -> None:
    door = door_with(import_file_bytes_max=10_000)
    one = {"stock.csv": b"0" * 10_001}
    assert {fault["code"] for fault in upload(door, one).json()["faults"]} == {"file_too_large"}
    every = {f"{number}.csv": b"0" * 10_000 for number in range(8)}
    assert "80,000 bytes" in problem_of(upload(door, every), 413, "too_large")["detail"]


@pytest.mark.parametrize("authorization", [None, "Bearer evk_" + "A" * 43, "paula", "fern"])
def test_nothing_of_an_upload_is_taken_in_from_somebody_who_may_not_import(
    house: Door, authorization: str | None
) -> None:
    """Gigabytes may be uploaded, so the service has to know by whom before the first byte."""
    token = house.tokens.get(authorization or "")
    header = f"Bearer {token}" if token else authorization
    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    headers += [(b"authorization", header.encode())] if header else []
    scope = {
        "type": "http", "method": "POST", "path": "/v1/imports", "query_string": b"", "headers": headers,
        "http_version": "1.1", "scheme": "http", "server": ("test", 80), "client": ("test", 1), "root_path": "",
    }  # fmt: skip
    taken, sent = [], []

    async def receive() -> dict[str, object]:
        taken.append(1)
        return {"type": "http.request", "body": b"0" * 1_000, "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(create_app(house.service)(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == (403 if token else 401)
    assert taken == []


def test_a_signal_changes_the_facts_once(door: Door) -> None:
    signal = a_count("S1", 180)
    (first,) = door.post("/v1/signals", "otto", [signal]).json()
    assert first == {"source": "wms", "id": "count-1", "verdict": "accepted", "new": True, "findings": []}
    assert on_hand(door)["site/S1/available", "P1"] == 180
    before = written(door.service)
    (again,) = door.post("/v1/signals", "otto", [signal]).json()
    assert not again["new"]
    assert written(door.service) == before
    other = door.post("/v1/signals", "otto", [a_count("S1", 170)])
    assert problem_of(other, 409, "signal_differs")["where"] == {"signal": "count-1"}
    assert on_hand(door)["site/S1/available", "P1"] == 180


def test_a_signal_that_nobody_can_believe_is_quarantined_with_its_reason(door: Door) -> None:
    (answer,) = door.post("/v1/signals", "otto", [a_count("S1", -3)]).json()
    assert answer["verdict"] == "quarantined"
    assert {finding["check"] for finding in answer["findings"]} >= {"negative"}
    assert on_hand(door)["site/S1/available", "P1"] == 200


def test_signals_are_taken_in_all_or_none(house: Door) -> None:
    before, stock = written(house.service), on_hand(house)
    good, bad = a_count("S1", 150, "good"), a_count("S2", 4, "bad", data={"as_of": "yesterday"})
    document = problem_of(house.post("/v1/signals", "otto", [good, bad]), 422, "signal_data")
    assert document["where"] == {"signal": "bad", "field": "as_of"}
    assert (written(house.service), on_hand(house)) == (before, stock)


@pytest.mark.parametrize("count", [0, 1_001])
def test_signals_come_one_to_a_thousand_at_once(house: Door, count: int) -> None:
    signals = [a_count("S1", 5, f"count-{number}") for number in range(count)]
    problem_of(house.post("/v1/signals", "otto", signals), 422, "signals")


@pytest.mark.parametrize(
    "change", [{"type": "evenkeel.approve.v1"}, {"approved": True}, {"specversion": "9"}, {"id": ""}]
)
def test_an_envelope_that_does_not_fit_is_refused(house: Door, change: dict[str, object]) -> None:
    problem_of(house.post("/v1/signals", "otto", [a_count("S1", 5) | change]), 422, "invalid_request")


def test_signals_are_listed_with_the_newest_first_and_by_verdict(door: Door) -> None:
    door.post("/v1/signals", "otto", [a_count("S1", -3, "bad"), a_count("S2", 4, "good")])
    listed = door.get("/v1/signals", "otto", params={"limit": 2}).json()
    assert {row["id"] for row in listed} == {"bad", "good"}
    quarantined = door.get("/v1/signals", "otto", params={"verdict": "quarantined"}).json()
    assert [(row["id"], row["verdict"]) for row in quarantined] == [("bad", "quarantined")]
    problem_of(door.get("/v1/signals?limit=501", "otto"), 422, "invalid_request")
    problem_of(door.get("/v1/signals?verdict=good", "otto"), 422, "invalid_request")


@pytest.fixture
def narrow(door: Door) -> Door:
    """The door, with an operator of S1 alone."""
    door.admit(person("otis", Role.OPERATOR, sites=frozenset({"S1"})))
    return door


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("stock", {"as_of": NOW.isoformat(), "readings": [{"site_id": "S2", "sku_id": "P1", "on_hand_units": 9, "reserved_units": 0}]}),
        ("sales", {"grain": "day", "readings": [{"site_id": "S2", "sku_id": "P1", "on": "2026-03-01", "units": 1}]}),
        ("lead_time", {"origin": "S1", "destination": "S2", "mode": "van", "lead_time_days": 2}),
        ("supplier_reliability", {"site_id": "S9", "on_time_percent": 50, "mean_delay_days": 3}),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)  # fmt: skip
def test_an_operator_says_nothing_about_sites_outside_their_scope(
    narrow: Door, kind: str, data: dict[str, object]
) -> None:
    before, stock = written(narrow.service), on_hand(narrow)
    signal = a_count("S1", 0) | {"type": f"evenkeel.{kind}.v1", "data": data}
    problem_of(narrow.post("/v1/signals", "otis", [a_count("S1", 150, "own"), signal]), 403, "scope")
    assert (written(narrow.service), on_hand(narrow)) == (before, stock)


def test_an_operator_counts_at_their_own_site_and_cannot_do_what_spans_the_network(narrow: Door) -> None:
    assert narrow.post("/v1/signals", "otis", [a_count("S1", 150)]).json()[0]["verdict"] == "accepted"
    problem_of(upload(narrow, FILES, "otis"), 403, "scope")
    for path in ("/v1/signals", "/v1/ledger/events", "/v1/ledger/verification"):
        problem_of(narrow.get(path, "otis"), 403, "scope")
