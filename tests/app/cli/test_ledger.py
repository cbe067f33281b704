"""What auditors and operators of events do at a shell."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import text

from app.approvals.edits import edit
from app.ledger.notes import VerifierKey
from app.plans.store import read_plan
from tests.app.cli.conftest import Office
from tests.installation import BOB, approve, orders


def test_a_checkpoint_that_was_kept_tells_that_an_end_was_cut_off(dock: Office, tmp_path: Path) -> None:
    made = dock("checkpoint", "--json").document
    assert VerifierKey.parsed(made["key"]).opened(made["note"]).size == made["size"]
    assert f"Verifier key: {made['key']}" in dock("checkpoint").out
    kept = tmp_path / "kept"
    kept.write_text(Path(made["file"]).read_text(encoding="utf-8"), encoding="utf-8")
    sound = dock("verify", "--against", kept, "--key", made["key"])
    assert sound.status == 0
    assert f"1 checkpoints vouch for the first {made['size']:,} events." in sound.out
    with dock.service() as service, service.database.engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        for table in ("stock_move", "ledger_event", "ledger_leaf", "ledger_head"):
            connection.execute(text(f"delete from {table} where stream = 'plan/{dock.plan}'"))
    found = dock("verify", "--against", kept, "--json")
    assert found.status == 1
    assert {"checkpoint", "truncated"} & {problem["code"] for problem in found.document["problems"]}
    assert dock("checkpoint", "--json").document["error"] == "ledger_forked"
    other = str(VerifierKey(bytes(32)))
    assert dock("verify", "--against", kept, "--key", other, "--json").document["error"] == "checkpoint_signature"


def test_the_ledger_is_exported_and_an_event_is_proved(dock: Office, tmp_path: Path) -> None:
    assert dock("export-ledger", tmp_path / "ledger.jsonl", "--token", dock.prepared.tokens["paula"]).status == 1
    size = dock("checkpoint", "--json").document["size"]
    said = dock("export-ledger", tmp_path / "ledger.jsonl")
    assert said.out.startswith(f"{size} events with their proofs")
    lines = (tmp_path / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert (len(lines), json.loads(lines[0])["size"]) == (size + 1, size)
    assert dock("export-ledger", "-").out.splitlines()[1:] == lines[1:]
    proof = dock("prove", f"plan/{dock.plan}", 1).document
    assert (proof["stream"], proof["seq"], proof["size"]) == (f"plan/{dock.plan}", 1, size)


def test_the_lineage_of_a_transfer_is_told(shared_dock: Office) -> None:
    with shared_dock.service() as service:
        (order, *_) = orders(service)
    said = shared_dock("lineage", order.transfer_id, by="paula").out
    for part in (order.sku_id, "Snapshot", f"Plan {order.plan_digest[:12]}", "approved, by ada", "transfer_shipped"):
        assert part in said
    view = shared_dock("lineage", order.transfer_id, "--json", by="vera").document
    assert view["approval"]["decided_by"] == "ada"


def test_the_lineage_of_an_edited_plan_tells_what_it_was_edited_from(office: Office) -> None:
    with office.service() as service:
        with service.database.transaction() as session:
            line = read_plan(session, office.plan).lines[0]
            done = edit(session, BOB, office.request, office.plan, {1: line.packs - 1})
        approve(service, done.successor)
        (order,) = orders(service, done.successor)
    said = office("lineage", order.transfer_id, by="paula").out
    assert f"Edited from plan {office.plan[:12]}, planned " in said
    assert f"request {office.request} of paula:" in said
    (before,) = office("lineage", order.transfer_id, "--json", by="paula").document["predecessors"]
    assert (before["plan_digest"], before["requested_by"]) == (office.plan, "paula")


def test_a_person_is_forgotten_by_whoever_manages_people(office: Office) -> None:
    assert office("forget", "bob", "--yes", "--json").document["error"] == "role"
    assert office("forget", "bob", "--yes", "--json", by="adam").document == {
        "user_id": "bob",
        "threads": 0,
        "new": True,
    }
    assert office("queue", by="bob").status == 1
    assert office("forget", "bob", "--yes", by="adam").out.startswith("bob is forgotten")


def test_operators_keep_subscriptions_and_sources(office: Office) -> None:
    assert (
        office("subscriptions", "add", "hook", "https://127.0.0.1/x", "--json").document["error"] == "address_refused"
    )
    made = office(
        "subscriptions", "add", "hook", "https://8.8.8.8/x", "--type", "evenkeel.ledger.plan_approved.v1", "--json"
    )
    subscription = made.document["subscription_id"]
    assert "hook" in office("subscriptions", "list").out
    for act, words in (("pause", "paused"), ("resume", "from position"), ("rotate", "whsec_")):
        assert words in office("subscriptions", act, subscription).out
    assert office("subscriptions", "replay", subscription, "--from", 0, "--json").document["next_position"] == 0
    assert office("subscriptions", "dead-letters", subscription).out == "Nothing was passed over.\n"
    office("subscriptions", "remove", subscription)
    assert office("subscriptions", "list").out == "There are no subscriptions.\n"
    assert "whsec_" in office("sources", "add", "wms", "--site", "S1").out
    assert office("sources", "list", "--json").document == [
        {"source": "wms", "sites": ["S1"], "created_by": "otto", "secret": None}
    ]
    office("sources", "remove", "wms")
    assert office("sources", "list").out == "No source may send signed signals.\n"
    assert office("subscriptions", "list", by="paula").status == 1
