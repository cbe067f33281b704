"""People and tokens: who may be somebody, what a token proves and for how long, and which role may do what."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.auth.people import (
    SHELL,
    SHELL_PRINCIPAL,
    SYSTEM,
    add_person,
    issue_token,
    principal_of,
    revoke_tokens,
    sign_in,
)
from app.auth.roles import Act, Principal, Role
from app.auth.tables import AccessToken, Person
from app.errors import ForbiddenError, InvalidError, NotSignedInError
from app.ledger.tables import LedgerEvent
from app.service import Service
from tests.installation import ADA, PAULA, person


def register(service: Service, *people: Principal) -> None:
    with service.database.transaction() as session:
        for each in people:
            add_person(session, each, by="adam")


def token_of(service: Service, user_id: str, days: int = 30) -> str:
    with service.database.transaction() as session:
        return issue_token(session, user_id, days)


def signed_in(service: Service, token: str) -> Principal:
    with service.database.transaction() as session:
        return sign_in(session, token)


def acts_of(principal: Principal) -> set[Act]:
    """All that somebody may do as such."""
    return {act for act in Act if principal.may(act)}


def recorded(service: Service, user_id: str) -> list[dict[str, object]]:
    """What the ledger says of a person, the oldest first."""
    with service.database.transaction() as session:
        query = select(LedgerEvent).where(LedgerEvent.stream == f"person/{user_id}").order_by(LedgerEvent.seq)
        return [json.loads(row.body)["facts"] for row in session.exec(query).all()]


def test_a_token_proves_who_somebody_is_with_what_they_may_now(service: Service) -> None:
    limited = person("ada", Role.APPROVER, sites=frozenset({"S1", "S2"}), sees_sensitive=False, value_limit_minor=5_000)
    register(service, limited)
    token = token_of(service, "ada")
    assert signed_in(service, token) == limited
    more = person("ada", Role.APPROVER, Role.VIEWER)
    register(service, more)
    assert signed_in(service, token) == more


def test_a_token_is_shown_once_and_kept_only_as_its_fingerprint(service: Service) -> None:
    register(service, ADA)
    token = token_of(service, "ada")
    with service.database.transaction() as session:
        (row,) = session.exec(select(AccessToken)).all()
    assert row.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    with service.database.engine.connect() as connection:
        assert token not in connection.execute(text("select access_token::text from access_token")).scalar_one()


def test_every_token_is_another(service: Service) -> None:
    register(service, ADA)
    assert len({token_of(service, "ada") for _ in range(5)}) == 5


def test_what_is_no_token_of_ours_proves_nothing(service: Service) -> None:
    register(service, ADA)
    good = token_of(service, "ada")
    for token in (
        "",
        "evk_",
        "evk_" + "0" * 43,
        "evk_" + "0" * 44,
        good + "\n",
        good[:-1],
        "Bearer x",
        "evk_" + "ü" * 43,
    ):
        with pytest.raises(NotSignedInError):
            signed_in(service, token)


def test_expired_and_revoked_tokens_and_those_of_inactive_people_fail_in_the_same_words(service: Service) -> None:
    register(service, ADA, PAULA, person("bob", Role.APPROVER))
    expired, revoked, inactive = (token_of(service, name) for name in ("ada", "paula", "bob"))
    with service.database.transaction() as session:
        for row in session.exec(select(AccessToken).where(AccessToken.user_id == "ada")).all():
            row.expires_at = row.created_at
        assert revoke_tokens(session, "paula") == 1
        session.get_one(Person, "bob").active = False
    said = set()
    for token in (expired, revoked, inactive, "evk_" + "0" * 43):
        with pytest.raises(NotSignedInError) as refused:
            signed_in(service, token)
        said.add(str(refused.value))
    assert said == {"the token is not valid (any more). sign in with a current token"}


def test_a_token_is_good_for_its_days_by_the_databases_clock(service: Service) -> None:
    register(service, ADA)
    token_of(service, "ada", days=7)
    with service.database.transaction() as session:
        (row,) = session.exec(select(AccessToken)).all()
        assert row.expires_at - row.created_at == timedelta(days=7)


def test_revoking_leaves_the_tokens_of_others_and_later_ones_good(service: Service) -> None:
    register(service, ADA, PAULA)
    first, of_paula = token_of(service, "ada"), token_of(service, "paula")
    with service.database.transaction() as session:
        assert revoke_tokens(session, "ada") == 1
        assert revoke_tokens(session, "ada") == 0
    later = token_of(service, "ada")
    assert (signed_in(service, later).user_id, signed_in(service, of_paula).user_id) == ("ada", "paula")
    with pytest.raises(NotSignedInError):
        signed_in(service, first)


def test_nobody_may_have_a_name_that_is_none_or_belongs_to_the_service(service: Service) -> None:
    names = ("", "a", "Ada", "9ada", "ada b", "ada/b", "a" * 41, "ädà", "ada\n", SYSTEM, SHELL, "llm", "agent")
    for user_id in names:
        with pytest.raises(InvalidError) as refused:
            register(service, person(user_id, Role.APPROVER))
        assert refused.value.code == "user_id", user_id
    with service.database.transaction() as session:
        assert session.exec(select(Person)).all() == []


def test_somebody_with_no_site_at_all_is_refused(service: Service) -> None:
    with pytest.raises(InvalidError, match="at least one site"):
        register(service, person("ada", Role.APPROVER, sites=frozenset()))


def test_a_person_is_recorded_when_something_about_them_changes_and_only_then(service: Service) -> None:
    register(service, ADA, ADA)
    register(service, person("ada", Role.APPROVER, Role.PLANNER))
    facts = recorded(service, "ada")
    assert [each["roles"] for each in facts] == [["approver"], ["approver", "planner"]]
    assert set(facts[0]) == {"user_id", "roles", "sites", "sees_sensitive", "value_limit_minor", "active"}


def test_a_new_name_is_taken_over(service: Service) -> None:
    register(service, ADA, replace(ADA, name="Ada Lovelace"))
    with service.database.transaction() as session:
        assert session.get_one(Person, "ada").name == "Ada Lovelace"


def test_the_same_person_added_by_many_at_once_is_one(service: Service) -> None:
    together = threading.Barrier(6)

    def add(_: int) -> None:
        with service.database.transaction() as session:
            together.wait()
            add_person(session, ADA, by="adam")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(6)))
    with service.database.transaction() as session:
        assert [row.user_id for row in session.exec(select(Person)).all()] == ["ada"]
    assert len(recorded(service, "ada")) == 1


def test_the_service_and_the_shell_are_known_and_nobody_else_is(service: Service) -> None:
    with service.database.transaction() as session:
        assert principal_of(session, SHELL) == SHELL_PRINCIPAL
        system = principal_of(session, SYSTEM)
        assert system is not None
        assert principal_of(session, "ada") is None
    for principal in (SHELL_PRINCIPAL, system):
        assert not principal.may(Act.DECIDE)
        assert not principal.may(Act.MANAGE_PEOPLE)


def test_every_act_is_somebodys_and_no_role_both_plans_and_decides() -> None:
    permitted = {role: acts_of(person("ada", role)) for role in Role}
    assert {act for acts in permitted.values() for act in acts} == set(Act)
    assert not [role for role, acts in permitted.items() if {Act.PLAN, Act.DECIDE} <= acts]
    assert permitted[Role.VIEWER] == {Act.READ}


@pytest.mark.parametrize("role", Role)
def test_a_role_permits_what_is_listed_and_a_refusal_says_which_role_it_takes(role: Role) -> None:
    somebody = person("ada", role)
    for act in Act:
        if somebody.may(act):
            somebody.require(act)
        else:
            with pytest.raises(ForbiddenError) as refused:
                somebody.require(act)
            assert refused.value.code == "role"
            assert f"held: {role}" in refused.value.detail
            others = [other for other in Role if person("bob", other).may(act)]
            assert all(str(other) in refused.value.detail for other in others)
            assert others


def test_roles_add_up_and_without_one_nothing_is_permitted() -> None:
    both = person("ada", Role.PLANNER, Role.APPROVER)
    assert acts_of(both) == acts_of(person("ada", Role.PLANNER)) | acts_of(person("ada", Role.APPROVER))
    assert not acts_of(person("ada"))


def test_a_scope_covers_all_of_its_sites_and_touches_any_of_them() -> None:
    somebody = person("ada", Role.APPROVER, sites=frozenset({"S1", "S2"}))
    assert somebody.covers(("S1", "S2"))
    assert not somebody.covers(("S1", "S3"))
    assert somebody.touches(("S1", "S3"))
    assert not somebody.touches(("S3",))
    everywhere = person("bob", Role.APPROVER)
    assert everywhere.covers(("S9",))
    assert everywhere.touches(())
