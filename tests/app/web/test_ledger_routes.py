"""Checkpoints, proofs, lineage, events and signed signals over HTTP."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from app.db.database import database_now
from app.events.inbox import add_source
from app.events.signatures import signed_headers
from app.ledger.keys import signer
from app.ledger.notes import VerifierKey
from tests.app.web.door import Door, problem_of
from tests.installation import OTTO, orders
from tests.signals import a_count, a_signal
from tools.merkle import is_consistent, is_included, leaf_hash


def test_a_checkpoint_and_its_proofs_are_for_auditors_to_check(door: Door) -> None:
    problem_of(door.get("/v1/ledger/checkpoint", "otto"), 404, "no_checkpoint")
    door.service.tick()
    older = door.get("/v1/ledger/checkpoint", "otto").json()
    key = VerifierKey.parsed(older["key"])
    assert older["key"] == str(signer(door.service.settings).verifier)
    assert door.service.settings.checkpoint_path.read_text(encoding="utf-8") == older["note"] + "\n"
    door.decide(door.pending, "ada")
    door.service.tick()
    newer = door.get("/v1/ledger/checkpoint", "otto").json()
    root = key.opened(newer["note"]).root
    assert newer["size"] > older["size"]
    for position in (0, older["size"], newer["size"] - 1):
        proof = door.get(f"/v1/ledger/positions/{position}/proof", "otto").json()
        nodes = [bytes.fromhex(node) for node in proof["proof"]]
        assert is_included(leaf_hash(bytes.fromhex(proof["hash"])), position, newer["size"], nodes, root)
    grown = door.get(f"/v1/ledger/growth/{older['size']}/proof", "otto").json()
    nodes = [bytes.fromhex(node) for node in grown["proof"]]
    assert is_consistent(older["size"], key.opened(older["note"]).root, newer["size"], root, nodes)
    problem_of(door.get(f"/v1/ledger/positions/{newer['size']}/proof", "otto"), 404, "event_not_covered")
    problem_of(door.get("/v1/ledger/growth/0/proof", "otto"), 422, "size")


def test_the_lineage_of_a_transfer_is_read_by_whoever_may_see_it(door: Door) -> None:
    request = door.pending
    door.decide(request, "ada")
    transfer_id = orders(door.service, request)[0].transfer_id
    view = door.get(f"/v1/lineage/{transfer_id}", "vera").json()
    assert (view["approval"]["decided_by"], view["order"]["plan_digest"]) == ("ada", request.plan_digest)
    problem_of(door.get(f"/v1/lineage/{transfer_id}", "fern"), 404, "unknown_order")
    problem_of(door.get(f"/v1/lineage/{uuid4()}", "vera"), 404, "unknown_order")


def test_operators_subscribe_read_the_feed_and_change_their_mind(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.outbound._addresses", lambda *_: ["93.184.216.34"])
    door.service.tick()
    feed = door.get("/v1/events?limit=3", "otto").json()
    assert [event["data"]["position"] for event in feed] == [0, 1, 2]
    made = door.post("/v1/subscriptions", "otto", {"name": "hook", "url": "https://hooks.example/x"})
    assert made.status_code == 201
    subscription = made.json()
    acts = f"/v1/subscriptions/{subscription['subscription_id']}/acts"
    assert subscription["secret"].startswith("whsec_")
    assert door.post(acts, "otto", {"act": "rotate"}).json()["secret"] != subscription["secret"]
    assert door.post(acts, "otto", {"act": "pause"}).json()["paused"] is True
    assert door.post(acts, "otto", {"act": "replay", "position": 1}).json()["next_position"] == 1
    problem_of(door.post(acts, "otto", {"act": "replay", "position": 10_000}), 422, "position")
    (listed,) = door.get("/v1/subscriptions", "otto").json()
    assert listed["secret"] is None
    assert door.post(acts, "otto", {"act": "remove"}).json() is None
    assert door.get("/v1/subscriptions", "otto").json() == []
    problem_of(door.post(acts, "otto", {"act": "resume"}), 404, "unknown_subscription")
    events = door.get("/v1/ledger/events?stream=subscriptions", "otto").json()
    assert [event["body"]["facts"]["act"] for event in reversed(events)] == [
        "made",
        "rotated",
        "paused",
        "replayed",
        "removed",
    ]
    assert "whsec_" not in json.dumps(events)
    assert "hooks.example/x" not in json.dumps(events), "an address may hold a secret"


@pytest.mark.parametrize(
    "url", ["http://hooks.example/", "https://127.0.0.1/", "https://169.254.169.254/latest", "nonsense"]
)
def test_no_subscription_reaches_into_the_own_network(house: Door, url: str) -> None:
    problem_of(house.post("/v1/subscriptions", "otto", {"name": "hook", "url": url}), 422, "address_refused")
    assert [row for row in house.get("/v1/subscriptions", "otto").json() if row["name"] == "hook"] == []


def test_a_source_sends_signed_signals_without_a_token(door: Door) -> None:
    with door.service.database.transaction() as session:
        secret = add_source(session, OTTO, "wms", ["S1"]).secret or ""
    body = a_signal(a_count(7), "c-1", "wms").model_dump_json().encode()

    def post(signed: bytes = body, shared: str = secret) -> Any:
        with door.service.database.transaction() as session:
            headers = signed_headers([shared], "m-1", database_now(session), signed)
        return door.ask("POST", "/v1/signals/inbox", content=body, headers=headers)

    answers = [post(), post()]
    assert [(answer.status_code, answer.json()[0]["new"]) for answer in answers] == [(200, True), (200, False)]
    problem_of(post(body + b" "), 401, "signature")
    problem_of(door.ask("POST", "/v1/signals/inbox", content=body), 401, "signature")


@pytest.mark.parametrize(
    "body", [b'{"source": []}', b'{"source": {}}', rb'{"source": "\u0000"}', rb'{"source": "\ud800"}', b"[[]]", b"null"]
)
def test_a_body_that_names_no_source_is_refused_with_a_code_whatever_its_form(house: Door, body: bytes) -> None:
    problem_of(house.ask("POST", "/v1/signals/inbox", content=body), 422, "signal_source")


def test_schemas_and_channels_are_published(house: Door) -> None:
    names = house.get("/v1/schemas", "vera").json()
    assert {"ledger-event.v1", "signal-envelope.v1", "evenkeel.stock.v1"} <= set(names)
    for name in names:
        assert house.get(f"/v1/schemas/{name}", "vera").json()["$id"] == f"/v1/schemas/{name}"
    problem_of(house.get("/v1/schemas/nothing", "vera"), 404, "unknown_schema")
    assert house.get("/v1/asyncapi.json", "vera").json()["asyncapi"] == "3.0.0"
