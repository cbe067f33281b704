"""Who may come in by a bearer token: people with tokens of ours or of their directory, and programs with service keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.auth.keys import DAYS_MAX, FOR_PEOPLE, KeyGrant, MadeKey, add_key, revoke_key
from app.auth.people import principal_of
from app.auth.roles import Act, Role
from app.auth.tables import Person
from app.errors import EvenkeelError, SetUpError
from app.ledger.tables import LedgerEvent
from evals.databases import Servers
from tests.app.auth.signing import AUDIENCE, ISSUER, claims_of, signing_key
from tests.app.web.conftest import Prepared, _copy
from tests.app.web.door import Door, door_to, problem_of
from tests.installation import person

KEY = signing_key()


@pytest.fixture(scope="module")
def known(servers: Servers, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that takes the directory's word for people that it knows."""
    data = tmp_path_factory.mktemp("bearers")
    (data / "keys.json").write_text(json.dumps({"keys": [KEY.jwk]}))
    settings = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": str(data / "keys.json")}
    with _copy(servers, prepared, data, **settings) as service:
        yield door_to(service, prepared.tokens)


def bearing(door: Door, token: str, path: str = "/v1/network", **request: Any) -> Any:
    return door.get(path, headers={"Authorization": f"Bearer {token}"}, **request)


def test_a_directorys_token_lets_a_known_person_in_with_what_they_may_here(known: Door) -> None:
    claims = claims_of("vera", roles=["admin", "approver"], sites="*", sees_sensitive=True)
    token = KEY.sign(claims)
    assert bearing(known, token).status_code == 200
    problem_of(bearing(known, token, "/v1/ledger/events"), 403, "role")


@pytest.mark.parametrize("sub", ["mallory", "system", "shell", "directory", "policy", "llm"])
def test_a_subject_that_is_nobody_here_is_let_in_as_nobody(known: Door, sub: str) -> None:
    document = problem_of(bearing(known, KEY.sign(claims_of(sub))), 401, "token")
    assert sub not in str(document), "who is known here is not told"


def test_a_person_who_was_shut_out_is_not_let_in_by_the_directory(known: Door) -> None:
    known.admit(person("gone", Role.VIEWER))
    token = KEY.sign(claims_of("gone"))
    assert bearing(known, token).status_code == 200
    with known.service.database.transaction() as session:
        session.get_one(Person, "gone").active = False
    problem_of(bearing(known, token), 401, "token")


def test_both_kinds_of_token_are_good_at_every_door(known: Door) -> None:
    token = KEY.sign(claims_of("paula"))
    assert bearing(known, token, "/v1/threads").status_code == 200
    assert known.post("/threads/search", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert known.post("/threads/search", headers={"x-api-key": token}).status_code == 200
    assert known.get("/v1/threads", "paula").status_code == 200


@pytest.mark.parametrize("where", ["query", "cookie", "basic"])
def test_a_token_anywhere_else_is_none(known: Door, where: str) -> None:
    token = KEY.sign(claims_of("vera"))
    request: dict[str, Any] = {
        "query": {"params": {"access_token": token, "token": token}},
        "cookie": {"headers": {"Cookie": f"__Host-evenkeel={token}"}},
        "basic": {"headers": {"Authorization": f"Basic {token}"}},
    }[where]
    assert known.get("/v1/network", **request).status_code == 401


def test_a_token_that_is_refused_for_what_its_claims_say_no_more_takes_the_right_from_earlier_tokens_too(
    servers: Servers, prepared: Prepared, tmp_path: Path
) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [KEY.jwk]}))
    settings = {
        "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": str(tmp_path / "keys.json"),
        "directory_people": "created", "directory_roles": ("a=approver", "v=viewer"),
    }  # fmt: skip
    now = int(datetime.now(UTC).timestamp())
    with _copy(servers, prepared, tmp_path, **settings) as service:
        door = door_to(service, prepared.tokens)

        def token(ago: int, *roles: str) -> str:
            said = {"roles": list(roles), "sites": "*", "value_limit_minor": 10**9, "preferred_username": "kim"}
            return KEY.sign(claims_of("kim", iat=now - ago, **said))

        reject = {"verdict": "reject", "plan_digest": "0" * 64}
        path = f"/v1/approvals/{door.pending.approval_id}/decision"

        def decided(bearer: str) -> Any:
            return door.post(path, body=reject, headers={"Authorization": f"Bearer {bearer}"})

        assert bearing(door, token(30, "a")).status_code == 200
        problem_of(decided(token(30, "a")), 409, "other_plan")
        problem_of(decided(token(20, "v")), 403, "role")
        problem_of(decided(token(30, "a")), 403, "role")
        assert bearing(door, token(20, "v")).status_code == 200
        problem_of(bearing(door, token(10)), 401, "token")
        problem_of(bearing(door, token(30, "a")), 401, "token")


def test_where_no_directory_is_set_up_its_tokens_are_none(house: Door) -> None:
    document = problem_of(bearing(house, KEY.sign(claims_of("vera"))), 401, "token")
    assert "vera" not in str(document)


@pytest.mark.parametrize("missing", ["jwt_issuer", "jwt_audience", "jwt_keys"])
def test_a_directory_that_is_set_up_by_half_stops_the_start(door_with: Callable[..., Door], missing: str) -> None:
    whole = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": "/none.json"}
    with pytest.raises(SetUpError, match=f"EVENKEEL_{missing.upper()} is missing"):
        door_with(**{name: value for name, value in whole.items() if name != missing})


def made_key(door: Door, owner: str, *acts: Act, **more: Any) -> MadeKey:
    given: dict[str, Any] = {"name": "nightly", "sites": None, "sees_sensitive": False, "days": 30} | more
    with door.service.database.transaction() as session:
        person_ = principal_of(session, owner)
        assert person_ is not None
        return add_key(session, person_, KeyGrant(acts=acts, **given), by="adam")


def change(door: Door, statement: str) -> None:
    with door.service.database.transaction() as session:
        session.connection().execute(text(statement))


def test_a_key_may_its_acts_and_nothing_else(house: Door) -> None:
    key = made_key(house, "otto", Act.SEND_SIGNALS)
    house.tokens["program"] = key.secret
    assert house.post("/v1/signals", "program", []).status_code == 422
    document = problem_of(house.get("/v1/network", "program"), 403, "role")
    assert document["detail"] == f"the key key.{key.row.key_id} may not read: its acts are send_signals"
    for act in ("verify", "kill-switch"):
        assert act not in document["detail"]


def test_only_the_fingerprint_of_a_key_is_kept_and_it_is_recorded_who_made_it_for_whom(house: Door) -> None:
    key = made_key(house, "otto", Act.READ, Act.SCAN, sites=["S1"])
    secret = key.secret.rpartition("_")[2]
    assert len(secret) >= 43 or key.secret.count("_") > 2
    with house.service.database.transaction() as session:
        kept = session.connection().execute(text("select string_agg(k::text, '') from service_key k")).scalar_one()
        event = session.exec(select(LedgerEvent).where(LedgerEvent.stream == f"key/{key.row.key_id}")).one()
    assert key.secret[18:] not in kept
    body = json.loads(event.body)
    assert (event.type, body["actor"], body["facts"]["owner"]) == ("key_added", "adam", "otto")
    assert (body["facts"]["acts"], body["facts"]["sites"]) == (["read", "scan"], ["S1"])
    assert key.secret[18:] not in event.body.decode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda secret: secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        lambda secret: secret[:-1],
        lambda secret: secret + "A",
        lambda secret: secret.replace("evs_", "evk_"),
        lambda secret: "evs_000000000000_" + secret[17:],
        lambda secret: secret.upper(),
    ],
)
def test_a_key_that_differs_anywhere_is_none(house: Door, spoil: Callable[[str], str]) -> None:
    key = made_key(house, "otto", Act.READ)
    assert bearing(house, key.secret).status_code == 200
    problem_of(bearing(house, spoil(key.secret)), 401, "token")


@pytest.mark.parametrize("end", ["revoked", "expired", "owner gone", "owner without the role"])
def test_a_key_ends_at_once(house: Door, end: str) -> None:
    house.admit(person("owen", Role.VIEWER))
    key = made_key(house, "owen", Act.READ)
    assert bearing(house, key.secret).status_code == 200
    match end:
        case "revoked":
            with house.service.database.transaction() as session:
                revoke_key(session, key.row.key_id, by="adam")
        case "expired":
            change(house, f"update service_key set expires_at = now() where key_id = '{key.row.key_id}'")
        case "owner gone":
            change(house, "update person set active = false where user_id = 'owen'")
        case _:
            house.admit(person("owen", Role.ADMIN))
            assert bearing(house, key.secret).status_code == 200  # administrators read as well
            house.admit(person("owen"))
            problem_of(bearing(house, key.secret), 403, "role")
            return
    try:
        problem_of(bearing(house, key.secret), 401, "token")
    finally:
        change(house, "update person set active = true")


def test_a_key_never_reaches_further_than_its_owner(house: Door) -> None:
    house.admit(person("olga", Role.VIEWER))
    key = made_key(house, "olga", Act.READ, sites=["S1", "S2"], sees_sensitive=True)
    with house.service.database.transaction() as session:
        before = principal_of(session, f"key.{key.row.key_id}")
    house.admit(person("olga", Role.VIEWER, sites=frozenset({"S2", "S3"}), sees_sensitive=False))
    with house.service.database.transaction() as session:
        after = principal_of(session, f"key.{key.row.key_id}")
    assert before is not None
    assert after is not None
    assert (before.sites, before.sees_sensitive) == (frozenset({"S1", "S2"}), True)
    assert (after.sites, after.sees_sensitive) == (frozenset({"S2"}), False)


@pytest.mark.parametrize(
    ("owner", "acts", "more", "code"),
    [
        *(("omni", (act,), {}, "role") for act in sorted(FOR_PEOPLE)),
        ("vera", (Act.PLAN,), {}, "role"),
        ("vera", (Act.READ,), {"sees_sensitive": True}, "clearance"),
        ("fern", (Act.READ,), {"sites": ["S1"]}, "scope"),
        ("vera", (Act.READ,), {"sites": []}, "scope"),
        ("vera", (), {}, "key"),
        ("vera", (Act.READ,), {"name": " "}, "key"),
        ("vera", (Act.READ,), {"days": DAYS_MAX + 1}, "key"),
        ("vera", (Act.READ,), {"days": 0}, "key"),
    ],
)
def test_no_key_is_made_for_more_than_a_key_or_its_owner_may(
    house: Door, owner: str, acts: tuple[Act, ...], more: dict[str, Any], code: str
) -> None:
    house.admit(person("omni", *Role))
    with pytest.raises(EvenkeelError) as refused:
        made_key(house, owner, *acts, **more)
    assert refused.value.code == code


def test_when_a_key_was_used_last_is_known_to_the_minute(house: Door) -> None:
    key = made_key(house, "otto", Act.READ)
    used = f"select last_used_at from service_key where key_id = '{key.row.key_id}'"
    with house.service.database.engine.connect() as connection:
        assert connection.execute(text(used)).scalar_one() is None
    assert bearing(house, key.secret).status_code == 200
    with house.service.database.engine.connect() as connection:
        first = connection.execute(text(used)).scalar_one()
    assert first is not None
    assert bearing(house, key.secret).status_code == 200
    with house.service.database.engine.connect() as connection:
        assert connection.execute(text(used)).scalar_one() == first


def test_what_a_key_plans_its_owner_cannot_decide_on(door: Door) -> None:
    door.admit(person("pam", Role.PLANNER, Role.APPROVER))
    assert door.post(f"/v1/approvals/{door.pending.approval_id}/withdrawal", "paula").status_code == 200
    door.tokens["program"] = made_key(door, "pam", Act.SCAN, Act.READ, sees_sensitive=True).secret
    run = door.post("/v1/scans", "program", {})
    assert run.status_code == 202, run.text
    door.finish(run.json()["run_id"], "program")
    request = door.pending
    assert "pam" in request.authors
    problem_of(door.decide(request, "pam"), 403, "four_eyes")
    assert door.decide(request, "ada").status_code == 200
