"""What had to leave a site and stays with a plan is told in the conversation, over HTTP and on the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from app.auth.people import SYSTEM, issue_token
from app.auth.roles import Role
from app.governance.state import activate_policy
from app.service import Service
from app.web.main import create_app
from tests.builders import a_lane, in_days
from tests.conversation import talk
from tests.installation import PAULA, a_network, person, scan, settle_in
from tests.shell import Shell
from tools.merchandise.facts import EndOfLife

NORTH = person("nora", Role.VIEWER, sites=frozenset({"S3"}))
NARROW = a_lane("S1", "S2", capacity_microlitres_per_departure=30_000_000, departure_weekdays=(2,))


@pytest.fixture
def leaving(service: Service) -> Service:
    """P1 has to leave S1 within three days: 200 units, of which the only lane carries 30 on its only departure until then."""
    network = replace(a_network(lanes=(NARROW,)), ends_of_life=(EndOfLife("P1", "S1", in_days(3)),))
    settle_in(service, network, PAULA, NORTH)
    with service.database.transaction() as session:
        activate_policy(session, "2026-11", SYSTEM, "merchandise counts")
    return service


SAID = (
    "170 of 200 P1 that must leave S1 by 2026-03-05 stay there with this plan",
    "At most 30 can be moved, because no other lane links S1; S1→S2 by van carries 30.0 l",
    "mark them down or write them off at S1 by 2026-03-05",
)


def test_it_is_told_in_the_conversation_over_http_and_on_the_command_line(
    leaving: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turn = talk(leaving, "rebalance P1")
    digest = turn.values["plan_digest"]
    with leaving.database.transaction() as session:
        tokens = {each: issue_token(session, each, 30) for each in ("paula", "nora")}
    client = TestClient(create_app(leaving))

    def plan_of(who: str) -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = client.get(
            f"/v1/plans/{digest}", headers={"Authorization": f"Bearer {tokens[who]}"}
        ).json()
        return found

    (left,) = plan_of("paula")["left_behind"]
    assert (left["site_id"], left["sku_id"], left["due_units"], left["left_units"]) == ("S1", "P1", 200, 170)
    shell = Shell(monkeypatch, capsys, _environment(leaving))
    printed = shell("show", digest, token=tokens["paula"]).out
    for part in SAID:
        assert part in turn.words, turn.words
        assert part in str(left["words"])
        assert part in printed
    assert "Left behind: 170 of 200 P1" in printed
    assert plan_of("nora").get("left_behind", []) == []


def test_a_scan_that_finds_nothing_worth_moving_says_what_stays(service: Service) -> None:
    """The lane leads the other way, so that all of it stays."""
    network = replace(a_network(lanes=(a_lane("S2", "S1"),)), ends_of_life=(EndOfLife("P1", "S1", in_days(3)),))
    settle_in(service, network, PAULA)
    with service.database.transaction() as session:
        activate_policy(session, "2026-11", SYSTEM, "merchandise counts")
    words = str(service.driver.state(scan(service)).values["messages"][-1].content)
    assert words.startswith("There is nothing worth moving")
    assert "200 of 200 P1 that must leave S1 by 2026-03-05 stay there" in words


def _environment(service: Service) -> dict[str, str]:
    settings = service.settings
    assert settings.database_url is not None
    return {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": "" if settings.redis_url is None else settings.redis_url.get_secret_value(),
        "EVENKEEL_DATA": str(settings.data),
    }
