"""`serve` and `demo` as services: the address first, and an end in order."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterator

import pytest
from sqlmodel import func, select

from app.auth.tables import AccessToken
from app.cli.serving import _print_people
from evals.databases import Servers
from tests.app.cli.conftest import Office
from tests.shell import serving


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_busy_port_is_refused_in_words(shared_office: Office, command: str, busy_port: int) -> None:
    refused = shared_office(command, "--port", busy_port, by=None)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == (
        f"Refused (address): Evenkeel cannot listen on 127.0.0.1 port {busy_port}: address already in use. "
        "end what listens there, or choose another one with --host and --port.\n"
    )
    as_json = shared_office(command, "--port", busy_port, "--json", by=None)
    assert (as_json.status, as_json.document["error"]) == (1, "address")
    assert as_json.document["where"] == {"host": "127.0.0.1", "port": busy_port}


def test_a_demo_on_a_busy_port_gives_no_token_away_that_nobody_would_see(office: Office, busy_port: int) -> None:
    with office.service() as service, service.database.transaction() as session:
        before = session.exec(select(func.count()).select_from(AccessToken)).one()
    office("demo", "--port", busy_port, by=None)
    with office.service() as service, service.database.transaction() as session:
        assert session.exec(select(func.count()).select_from(AccessToken)).one() == before


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_not_ours_is_refused(shared_office: Office, host: str) -> None:
    refused = shared_office("serve", "--host", host, "--json", by=None)
    assert (refused.status, refused.document["error"]) == (1, "address")
    assert host in refused.document["detail"]


def test_tokens_of_a_demo_are_shown_beside_whose_they_are_and_later_how_to_get_new_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _print_people({"ada": ("approver", "evk_1"), "otto": ("operator", "evk_2")})
    said = capsys.readouterr().out.splitlines()
    assert [line.split() for line in said[2:]] == [["ada", "approver", "evk_1"], ["otto", "operator", "evk_2"]]
    _print_people({})
    assert "`evenkeel people token USER` makes a new one" in capsys.readouterr().out


def test_a_demo_shows_its_people_and_what_waits_and_ctrl_c_ends_it_in_order(servers: Servers) -> None:
    sample = ("--json", "--sites", "6", "--skus", "12")
    with (
        servers.fresh_database() as url,
        serving(*sample, command="demo", DATABASE_URL=url, REDIS_URL=servers.redis_url) as service,
    ):
        line = ""
        while not line.endswith("\n}\n"):
            assert service.process.stdout is not None
            line += service.process.stdout.readline()
        told = json.loads(line)
        tokens = {person["user_id"]: person["token"] for person in told["people"]}
        waiting = service.get("/v1/approvals", tokens["ada"])
        shown = service.text("/governance/settings/in-force.csv", tokens["otto"])
        ended = service.end(signal.SIGINT)
    assert re.search(rf"\b{service.address.rpartition(':')[2]}\b", shown), (
        "the port in force, and not the one in the settings"
    )
    assert (told["address"], told["runner"]) == (service.address, True)
    assert set(tokens) == {"paula", "ada", "abel", "otto", "vera", "adam"}
    assert [row["requested_by"] for row in waiting] == ["paula"]
    assert (ended.status, ended.out) == (0, "")
    assert "Traceback" not in ended.err
