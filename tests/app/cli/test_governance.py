"""`policy`, `kill-switch` and `people`."""

from __future__ import annotations

import pytest

from tests.app.cli.conftest import Office
from tests.installation import orders


def test_policies_are_listed_with_the_one_in_force(shared_office: Office) -> None:
    rows = shared_office("policy", "list", "--json").document
    in_force = [(row["release"], row["in_force"]) for row in rows]
    names = ["2026-01", "2026-04", "2026-11", "2026-12", "2027-01", "2027-02"]
    assert in_force == [(name, name == "2026-01") for name in names]
    said = shared_office("policy", "list").out.splitlines()
    assert [line.split()[0] for line in said] == ["release", *names]


def test_a_policy_is_shown_in_words(shared_office: Office) -> None:
    in_force = shared_office("policy", "show", "--json").document
    assert in_force["release"] == "2026-01"
    assert shared_office("policy", "show").out == in_force["words"] + "\n"
    by_digest = shared_office("policy", "show", in_force["digest"][:12], "--json").document
    assert by_digest == in_force
    assert shared_office("policy", "show", "2026-04", "--json").document["in_force"] is False


@pytest.mark.parametrize("name", ["2025-01", "", "x"])
def test_a_policy_that_there_is_none_of_is_refused(shared_office: Office, name: str) -> None:
    refused = shared_office("policy", "show", name, "--json")
    assert (refused.status, refused.document["error"]) == (1, "policy")


def test_another_policy_is_put_in_force_and_taken_back(office: Office) -> None:
    said = office("policy", "activate", "2026-04", "--reason", "the quarter begins", "--json").document
    assert said["policy_by"] == "otto"
    assert office("policy", "show", "--json").document["digest"] == said["policy_digest"]
    assert office("policy", "activate", "2026-01", "--reason", "too early").out.startswith("In force: ")
    assert office("policy", "show", "--json").document["release"] == "2026-01"


@pytest.mark.parametrize(
    ("arguments", "by", "code"),
    [
        (("2025-01", "--reason", "x"), "otto", "unknown_policy"),
        (("2026-04", "--reason", " "), "otto", "reason_missing"),
        (("2026-04", "--reason", "x"), "ada", "role"),
    ],
)
def test_an_activation_that_cannot_be_is_refused(
    shared_office: Office, arguments: tuple[str, ...], by: str, code: str
) -> None:
    refused = shared_office("policy", "activate", *arguments, "--json", by=by)
    assert (refused.status, refused.document["error"]) == (1, code)
    assert shared_office("policy", "show", "--json").document["release"] == "2026-01"


def test_while_the_kill_switch_is_engaged_nothing_is_approved(office: Office) -> None:
    said = office("kill-switch", "engage", "--reason", "the ERP posts nonsense", "--json").document
    assert (said["kill_switch"], said["kill_switch_by"]) == (True, "otto")
    refused = office("decide", office.request, "approve", "--json", by="ada")
    assert (refused.status, refused.document["error"]) == (1, "kill_switch")
    with office.service() as service:
        assert orders(service) == []
    released = office("kill-switch", "release", "--reason", "repaired")
    assert released.out == "The kill switch is released.\n"
    assert office("decide", office.request, "approve", "--json", by="ada").document["orders"] == {"shipped": 2}


def test_a_part_is_stopped_shown_released_and_what_waited_validated(office: Office) -> None:
    stop = office("stop", "--lane", "S1>S2/van", "--reason", "a bridge is closed", "--json").document
    assert stop["words"] == "everything from S1 to S2 by van"
    assert stop["stop_id"] in office("stops").out
    refused = office("decide", office.request, "approve", "--json", by="ada")
    assert (refused.status, refused.document["error"]) == (1, "kill_switch")
    assert "No order waits" in office("held").out
    assert office("go-on", stop["stop_id"], "--reason", "open again").out.startswith(
        "Released: everything from S1 to S2"
    )
    assert office("stops").out == "Nothing is stopped.\n"
    assert office("validate", "--reason", "nothing waits", "--json").document == {
        "going": [],
        "outrun": [],
        "stopped": [],
    }
    assert office("decide", office.request, "approve", "--json", by="ada").document["orders"] == {"shipped": 2}


@pytest.mark.parametrize(
    ("command", "arguments", "by", "code"),
    [
        ("stop", ("--lane", "S1", "--reason", "x"), "otto", "lane"),
        ("stop", ("--site", "S1", "--lane", "S1>S2", "--reason", "x"), "otto", "stop"),
        ("stop", ("--site", "S9", "--reason", "x"), "otto", "unknown_site"),
        ("stop", ("--site", "S1", "--reason", "x"), "paula", "role"),
        ("go-on", ("00000000-0000-0000-0000-000000000001", "--reason", "x"), "otto", "unknown_stop"),
        ("held", (), "ada", "role"),
        ("validate", ("--reason", "x"), "ada", "role"),
    ],
)
def test_a_stop_of_a_part_that_cannot_be_is_refused(
    shared_office: Office, command: str, arguments: tuple[str, ...], by: str, code: str
) -> None:
    refused = shared_office(command, *arguments, "--json", by=by)
    assert (refused.status, refused.document["error"]) == (1, code)


@pytest.mark.parametrize(
    ("arguments", "by", "code"),
    [
        (("stop", "--reason", "x"), "otto", "act"),
        (("engage", "--reason", ""), "otto", "reason_missing"),
        (("engage", "--reason", "x"), "paula", "role"),
        (("release", "--reason", "x"), "ada", "role"),
    ],
)
def test_a_switch_that_cannot_be_is_refused(
    shared_office: Office, arguments: tuple[str, ...], by: str, code: str
) -> None:
    refused = shared_office("kill-switch", *arguments, "--json", by=by)
    assert (refused.status, refused.document["error"]) == (1, code)


def test_a_new_person_gets_a_token_that_works(office: Office) -> None:
    said = office("people", "add", "pia", "--role", "planner", "--site", "S1", "--site", "S2", "--json", by="adam")
    assert said.document["roles"] == ["planner"]
    assert office.shell("queue", "--json", token=said.document["token"]).status == 0
    words = office("people", "add", "pam", "--role", "viewer", by="adam").out
    assert "pam may act as viewer. Their token, shown only now:\nevk_" in words


def test_a_new_token_may_make_the_old_ones_useless(office: Office) -> None:
    first = office("people", "token", "ada", by="adam").out.strip()
    assert first.startswith("evk_")
    assert office("queue", "--json", by="ada").status == 0
    second = office("people", "token", "ada", "--revoke", "--json", by="adam").document["token"]
    for old in (first, office.prepared.tokens["ada"]):
        refused = office.shell("queue", "--json", token=old)
        assert (refused.status, refused.document["error"]) == (1, "token")
        assert old not in refused.out + refused.err
    assert office.shell("queue", "--json", token=second).status == 0


@pytest.mark.parametrize(
    ("arguments", "by", "code"),
    [
        (("add", "pia", "--role", "chief"), "adam", "role"),
        (("add", "shell", "--role", "admin"), "adam", "user_id"),
        (("add", "Pia P", "--role", "viewer"), "adam", "user_id"),
        (("add", "pia", "--role", "admin"), "otto", "role"),
        (("add", "pia", "--role", "admin"), None, "no_token"),
        (("token", "nobody"), "adam", "unknown_person"),
        (("token", "adam"), "otto", "role"),
    ],
)
def test_people_and_tokens_that_cannot_be_are_refused(
    shared_office: Office, arguments: tuple[str, ...], by: str | None, code: str
) -> None:
    refused = shared_office("people", *arguments, "--json", by=by)
    assert (refused.status, refused.document["error"]) == (1, code)
