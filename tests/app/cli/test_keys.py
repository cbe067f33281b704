"""`keys`: made, listed and revoked by whoever manages people; the secret is printed once and never again."""

from __future__ import annotations

from tests.app.cli.conftest import Office


def test_a_key_is_made_used_listed_and_revoked(office: Office) -> None:
    made = office(
        "keys", "add", "otto", "--act", "read", "--act", "verify", "--name", "auditor", "--json", by="adam"
    ).document
    assert (made["owner"], made["acts"], made["sites"]) == ("otto", ["read", "verify"], None)
    office.prepared.tokens["program"] = made["key"]
    assert office("orders", "--json", by="program").status == 0
    refused = office("scan", "--json", by="program")
    assert (refused.status, refused.document["error"]) == (1, "role")

    (listed,) = office("keys", "list", "--json", by="adam").document
    assert listed["last_used_at"] is not None
    said = office("keys", "list", by="adam").out
    assert "auditor" in said
    assert made["key"].rpartition("_")[2] not in f"{listed} {said}"
    assert "secret_sha256" not in listed

    gone = office("keys", "revoke", made["key_id"], "--json", by="adam").document
    assert gone["revoked_at"] is not None
    refused = office("orders", "--json", by="program")
    assert (refused.status, refused.document["error"]) == (1, "token")
    assert "revoked" in office("keys", "list", by="adam").out


def test_only_who_manages_people_makes_keys_and_sees_them(shared_office: Office) -> None:
    for command in (
        ("add", "otto", "--act", "read", "--name", "x"),
        ("list",),
        ("revoke", "000000000000"),
    ):
        refused = shared_office("keys", *command, "--json")
        assert (refused.status, refused.document["error"]) == (1, "role")


def test_keys_that_cannot_be_are_refused(shared_office: Office) -> None:
    for arguments, code in (
        (("add", "nobody", "--act", "read", "--name", "x"), "unknown_person"),
        (("add", "otto", "--act", "fly", "--name", "x"), "act"),
        (("add", "ada", "--act", "decide", "--name", "x"), "role"),
        (("revoke", "000000000000"), "unknown_key"),
    ):
        refused = shared_office("keys", *arguments, "--json", by="adam")
        assert (refused.status, refused.document["error"]) == (1, code), arguments
    assert "no service keys" in shared_office("keys", "list", by="adam").out
