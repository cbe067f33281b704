"""What a directory says of somebody is what they may, from each login on and in sessions that stand."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from app.auth.tables import Person, PersonIdentity
from app.forgetting import forget
from app.service import Service
from tests.app.auth.provider import Provider
from tests.app.web.door import ADAM, problem_of
from tests.app.web.login.browsing import CLAIMS, Browser, change, refused


def test_newer_claims_change_what_somebody_may_and_older_ones_do_not(
    browser: Browser, service: Service, provider: Provider
) -> None:
    provider.user = "sub-nina"
    provider.says = CLAIMS | {
        "preferred_username": "nina",
        "sites": ["S1", "S2"],
        "value_limit_minor": 500,
        "iat": 1_700_000_000,
    }
    browser.log_in()
    provider.says |= {"roles": ["stock-viewers"], "iat": 1_700_000_100}
    browser.log_in()
    provider.says |= {"roles": ["stock-approvers"], "iat": 1_700_000_050}
    browser.log_in()
    with service.database.transaction() as session:
        person = session.get_one(Person, "nina")
    assert (person.roles, person.sites, person.value_limit_minor) == (["planner", "viewer"], ["S1", "S2"], 500)


@pytest.mark.parametrize("silent", ["roles", "sites"])
def test_a_right_that_claims_say_nothing_of_any_more_is_gone_also_from_the_standing_session(
    browser: Browser, service: Service, provider: Provider, silent: str
) -> None:
    name = f"mia-{silent}"
    provider.user = f"sub-{name}"
    provider.says = CLAIMS | {"preferred_username": name, "value_limit_minor": 500, "iat": 1_700_000_000}
    assert browser.log_in().status_code == 303
    assert browser.client.get("/v1/network").status_code == 200
    provider.says |= {silent: None, "value_limit_minor": None, "sees_sensitive": None, "iat": 1_700_000_100}
    assert refused(Browser(service).log_in())
    with service.database.transaction() as session:
        person = session.get_one(Person, name)
    assert (person.roles, person.value_limit_minor, person.sees_sensitive, person.active) == ([], 0, False, True)
    problem_of(browser.client.get("/v1/network"), 403, "role")
    provider.says |= {silent: CLAIMS[silent], "iat": 1_700_000_050}
    assert refused(Browser(service).log_in()), "older claims give nothing back"
    provider.says |= {"iat": 1_700_000_200}
    assert Browser(service).log_in().status_code == 303
    assert browser.client.get("/v1/network").status_code == 200


def test_claims_with_fewer_sites_take_the_others_from_the_standing_session(
    browser: Browser, service: Service, provider: Provider
) -> None:
    provider.user = "sub-lea"
    provider.says = CLAIMS | {"preferred_username": "lea", "roles": ["stock-viewers"], "iat": 1_700_000_000}
    browser.log_in()
    every = browser.client.get("/v1/network").json()
    provider.says |= {"sites": ["S1"], "iat": 1_700_000_100}
    assert Browser(service).log_in().status_code == 303
    assert browser.client.get("/v1/network").json() != every
    with service.database.transaction() as session:
        assert session.get_one(Person, "lea").sites == ["S1"]


def test_claims_do_not_let_somebody_in_again_who_was_shut_out_here(
    browser: Browser, service: Service, provider: Provider
) -> None:
    provider.user, provider.says = "sub-otto", CLAIMS | {"preferred_username": "odo", "iat": 1_700_000_000}
    browser.log_in()
    change(service, "update person set active = false where user_id = 'odo'")
    provider.says |= {"iat": 1_700_000_100, "roles": ["stock-viewers"]}
    assert refused(browser.log_in())
    with service.database.transaction() as session:
        assert not session.get_one(Person, "odo").active


def test_whoever_was_forgotten_is_not_let_in_as_somebody_new_and_their_subject_is_gone(
    browser: Browser, service: Service, provider: Provider
) -> None:
    provider.user, provider.says = "sub-of-zelda", CLAIMS | {"preferred_username": "zelda", "iat": 1_700_000_000}
    assert browser.log_in().status_code == 303
    for _ in range(2):
        with service.database.transaction() as session:
            forget(session, ADAM, "zelda")
    provider.says |= {"iat": 1_700_000_100}
    assert refused(browser.log_in())
    with service.database.transaction() as session:
        assert not session.get_one(Person, "zelda").active
        people = session.exec(select(Person.user_id).where(col(Person.user_id).startswith("zelda"))).all()
        (identity,) = session.exec(select(PersonIdentity).where(PersonIdentity.user_id == "zelda")).all()
    assert people == ["zelda"]
    assert "zelda" not in identity.subject


@pytest.mark.parametrize("name", ["ada", "system", "policy", "key.1", "shell", "x", "Ada Lovelace", ""])
def test_a_name_that_is_somebodys_or_nobodys_makes_another_person(
    browser: Browser, service: Service, provider: Provider, name: str
) -> None:
    provider.user, provider.says = f"sub-of-{name}", CLAIMS | {"preferred_username": name}
    assert browser.log_in().status_code == 303
    with service.database.transaction() as session:
        made = (
            session.connection()
            .execute(text("select user_id from person_identity where subject = :subject"), {"subject": provider.user})
            .scalar_one()
        )
    assert made not in ("ada", "system", "policy", "key.1", "shell")
    browser.log_in()
    with service.database.transaction() as session:
        assert (
            len(
                session.connection()
                .execute(text("select from person_identity where user_id = :made"), {"made": made})
                .all()
            )
            == 1
        )
