"""Logging in with a directory: a real provider over HTTP, a browser that keeps cookies as browsers do, and what attackers try."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.auth.login import login_of
from app.auth.tables import BrowserSession, LoginAttempt, Person
from app.errors import UnavailableError
from app.ledger.tables import LedgerEvent
from app.outbound import Outbound
from app.service import Service
from app.web.dependencies import FORM_TOKEN, SESSION_COOKIE
from app.web.routes.login import ATTEMPT_COOKIE
from tests.app.auth.provider import CLIENT, Provider, query_of
from tests.app.auth.signing import signing_key
from tests.app.web.door import problem_of
from tests.app.web.login.browsing import CLAIMS, HOME, OWN, SWITCH, Browser, change, refused


def test_somebody_logs_in_and_is_made_of_their_claims(browser: Browser, service: Service, provider: Provider) -> None:
    answer = browser.log_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Adele</strong><br>approver" in browser.client.get("/").text
    with service.database.transaction() as session:
        person = session.get_one(Person, "adele")
        assert (person.roles, person.sites, person.value_limit_minor, person.sees_sensitive) == (
            ["approver"],
            None,
            0,
            True,
        )
        events = session.exec(select(LedgerEvent.type).where(LedgerEvent.stream == "person/adele")).all()
    assert {"person_added", "person_signed_in"} <= set(events)
    asked = provider.asked_for_tokens[-1]
    assert len(asked["code_verifier"]) >= 43
    assert asked["redirect_uri"] == f"{HOME}/login/callback"


def test_the_cookies_are_bound_to_this_host_to_tls_and_kept_from_scripts(browser: Browser) -> None:
    begun = browser.client.get("/login")
    done = browser.log_in()
    for answer, name in ((begun, ATTEMPT_COOKIE), (done, SESSION_COOKIE)):
        (cookie,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{name}=")]
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"path=/", "secure", "httponly", "samesite=lax"} <= parts
        assert not [part for part in parts if part.startswith("domain")]
        assert name.startswith("__Host-")
    assert ATTEMPT_COOKIE not in browser.client.cookies


def test_neither_cookie_nor_attempt_is_kept_in_words(browser: Browser, service: Service) -> None:
    browser.client.get("/login")
    attempt = browser.client.cookies[ATTEMPT_COOKIE]
    browser.log_in()
    with service.database.engine.connect() as connection:
        kept = connection.execute(
            text(
                "select (select string_agg(s::text, '') from browser_session s) || coalesce((select string_agg(a::text, '') from login_attempt a), '')"
            )
        ).scalar_one()
    assert browser.session not in kept
    assert attempt not in kept


def test_each_login_has_a_state_nonce_and_challenge_of_its_own(browser: Browser) -> None:
    asked = [query_of(browser.client.get("/login").headers["location"]) for _ in range(3)]
    for name in ("state", "nonce", "code_challenge"):
        assert len({each[name] for each in asked}) == 3
    assert {each["scope"] for each in asked} == {"openid profile email"}


def test_an_answer_is_good_once_and_in_the_browser_that_asked_for_it(browser: Browser, service: Service) -> None:
    back = browser.go_to_the_directory()
    assert refused(Browser(service).client.get(back))
    other = Browser(service)
    other.client.get("/login")
    assert refused(other.client.get(back))
    assert browser.client.get(back).status_code == 303
    assert refused(browser.client.get(back))


@pytest.mark.parametrize(
    "change_answer",
    [
        lambda url: url.replace("state=", "state=x"),
        lambda url: url.partition("?")[0] + "?" + url.partition("?")[2].replace("state=", "other="),
        lambda url: url.replace("code=", "code=x"),
        lambda url: url.replace("code=", "other="),
        lambda url: url.replace("iss=http", "iss=https"),
        lambda url: url.partition("?")[0] + "?error=access_denied",
    ],
    ids=["state", "no state", "code", "no code", "issuer", "denied"],
)
def test_an_answer_that_does_not_fit_what_was_asked_logs_nobody_in(
    browser: Browser, change_answer: Callable[[str], str]
) -> None:
    back = browser.go_to_the_directory()
    assert refused(browser.client.get(change_answer(back)))


def test_after_a_wrong_answer_the_right_one_is_too_late(browser: Browser) -> None:
    back = browser.go_to_the_directory()
    assert refused(browser.client.get(back.replace("state=", "state=x")))
    assert refused(browser.client.get(back))


def test_an_attempt_ends_after_some_minutes(browser: Browser, service: Service) -> None:
    back = browser.go_to_the_directory()
    change(service, "update login_attempt set expires_at = now()")
    assert refused(browser.client.get(back))


@pytest.mark.parametrize(
    "says",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "another-client"}, {"aud": [CLIENT, "other"], "azp": "other"},
        {"iss": "https://elsewhere.example"}, {"exp": 1_000_000_000}, {"iat": None}, {"sub": ""}, {"roles": []},
        {"roles": ["admin"]}, {"sites": None}, {"sites": []}, {"sites": ["'; drop"]},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_does_not_fit_or_makes_nobody_of_anybody_logs_nobody_in(
    browser: Browser, provider: Provider, says: dict[str, Any]
) -> None:
    provider.user, provider.says = f"sub-{abs(hash(str(says)))}", {**CLAIMS, **says}
    if "sub" in says:
        provider.user = provider.says.pop("sub")
    assert refused(browser.log_in())


def test_a_token_of_another_key_logs_nobody_in(browser: Browser, provider: Provider) -> None:
    assert browser.log_in().status_code == 303
    provider.key = signing_key("stranger")
    assert refused(browser.log_in())


def test_a_login_begins_a_new_session_and_ends_the_one_before(browser: Browser, service: Service) -> None:
    """Whoever planted a cookie, or knows an old one, has nothing after the login."""
    planted = "planted-by-somebody-else-planted-by-someb"
    browser.client.cookies.set(SESSION_COOKIE, planted, domain="evenkeel.example", path="/")
    browser.log_in()
    first = browser.session
    assert first != planted
    browser.log_in()
    assert browser.session not in ("", first, planted)
    for old in (planted, first):
        thief = Browser(service)
        thief.client.cookies.set(SESSION_COOKIE, old, domain="evenkeel.example", path="/")
        problem_of(thief.client.get("/v1/network"), 401, "token")
    assert browser.client.get("/v1/network").status_code == 200


@pytest.mark.parametrize(
    "statement",
    [
        "update browser_session set seen_at = now() - interval '31 minutes'",
        "update browser_session set expires_at = now()",
        "update browser_session set ended_at = now()",
        "update person set active = false where user_id = 'adele'",
    ],
)
def test_a_session_ends_by_idleness_by_time_and_with_its_person(
    browser: Browser, service: Service, statement: str
) -> None:
    browser.log_in()
    assert browser.client.get("/v1/network").status_code == 200
    change(service, statement)
    try:
        problem_of(browser.client.get("/v1/network"), 401, "token")
        assert 'href="/login"' in browser.client.get("/", follow_redirects=True).text
    finally:
        change(service, "update person set active = true")


def test_using_a_session_keeps_it_from_becoming_idle_and_not_from_its_end(browser: Browser, service: Service) -> None:
    browser.log_in()
    change(service, "update browser_session set seen_at = now() - interval '20 minutes'")
    assert browser.client.get("/v1/network").status_code == 200
    with service.database.transaction() as session:
        newest = session.exec(select(BrowserSession).order_by(BrowserSession.created_at.desc())).first()  # type: ignore[attr-defined]
        assert newest is not None
        assert newest.expires_at - newest.created_at == timedelta(hours=10)
        assert newest.expires_at - newest.seen_at > timedelta(hours=9, minutes=59)


def test_a_page_of_ours_may_change_things(browser: Browser) -> None:
    browser.log_in()
    answer = browser.post("/v1/kill-switch", SWITCH, **OWN, **{FORM_TOKEN: browser.form_token})
    problem_of(answer, 403, "role")  # an approver may stop and not release: the request went through to the rules
    assert answer.json()["where"]["act"] == "govern"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{HOME}.evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": HOME, "Sec-Fetch-Site": "cross-site"},
        {"Origin": HOME, "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": f"{HOME}/"},
    ],
    ids=str,
)
def test_a_page_of_somebody_else_changes_nothing_even_if_it_knew_the_form_token(
    browser: Browser, headers: dict[str, str]
) -> None:
    browser.log_in()
    stop = {"engaged": True, "reason": "a foreign form"}
    problem_of(browser.post("/v1/kill-switch", stop, **headers, **{FORM_TOKEN: browser.form_token}), 403, "cross_site")
    assert not browser.client.get("/v1/governance").json()["kill_switch"]


@pytest.mark.parametrize("token", ["", "0" * 64, "of another session"])
def test_without_the_form_token_of_this_session_a_page_changes_nothing(
    browser: Browser, service: Service, token: str
) -> None:
    browser.log_in()
    if token == "of another session":
        other = Browser(service)
        other.log_in()
        token = other.form_token
    stop = {"engaged": True, "reason": "a foreign form"}
    problem_of(browser.post("/v1/kill-switch", stop, **OWN, **{FORM_TOKEN: token}), 403, "cross_site")
    assert not browser.client.get("/v1/governance").json()["kill_switch"]


def test_signing_out_ends_the_session_for_good_and_a_foreign_page_cannot_do_it(
    browser: Browser, service: Service
) -> None:
    browser.log_in()
    session = browser.session
    for headers in ({"Origin": "https://evil.example"}, OWN):
        refused = browser.client.post("/sign-out", headers=headers)
        assert (refused.status_code, "cross_site" in refused.text) == (403, True)
    done = browser.client.post("/sign-out", headers=OWN, data={"form_token": browser.form_token_on_the_page})
    assert (done.status_code, SESSION_COOKIE in browser.client.cookies) == (303, False)
    thief = Browser(service)
    thief.client.cookies.set(SESSION_COOKIE, session, domain="evenkeel.example", path="/")
    problem_of(thief.client.get("/v1/network"), 401, "token")


def test_a_directory_that_goes_by_another_name_or_is_silent_logs_nobody_in(
    service: Service, provider: Provider, browser: Browser
) -> None:
    del browser
    login = login_of(service.settings, Outbound(private_hosts=("127.0.0.1",)))
    assert login is not None
    provider.calls_itself = "https://elsewhere.example"
    for _ in range(2):
        with pytest.raises(UnavailableError), service.database.transaction() as session:
            login.begin(session)
    provider.calls_itself = None
    with service.database.transaction() as session:
        assert login.begin(session)[0].startswith(provider.address)
    silent = login_of(
        service.settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:9"}),
        Outbound(private_hosts=("127.0.0.1",)),
    )
    assert silent is not None
    with pytest.raises(UnavailableError), service.database.transaction() as session:
        silent.begin(session)


def test_attempts_that_never_came_back_are_forgotten(browser: Browser, service: Service) -> None:
    browser.client.get("/login")
    change(service, "update login_attempt set expires_at = now() - interval '1 second'")
    service.tidy()
    with service.database.transaction() as session:
        assert session.exec(select(LoginAttempt)).all() == []
