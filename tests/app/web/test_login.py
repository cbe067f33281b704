"""Logging in with a directory: a real provider over HTTP, a browser that keeps cookies as browsers do, and what attackers try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from sqlmodel import col, select
from starlette.testclient import TestClient

from app.auth.browsers import form_token
from app.auth.login import login_of
from app.auth.tables import BrowserSession, LoginAttempt, Person, PersonIdentity
from app.errors import UnavailableError
from app.forgetting import forget
from app.ledger.tables import LedgerEvent
from app.outbound import Outbound
from app.service import Service
from app.web.dependencies import FORM_TOKEN, SESSION_COOKIE
from app.web.main import create_app
from app.web.routes.login import ATTEMPT_COOKIE
from evals.databases import Servers
from tests.app.auth.provider import CLIENT, SECRET, Provider, provider_listening, query_of
from tests.app.auth.signing import signing_key
from tests.app.web.conftest import Prepared, _copy
from tests.app.web.door import ADAM, problem_of

HOME = "https://evenkeel.example"
CLAIMS = {
    "roles": ["stock-approvers"],
    "sites": "*",
    "preferred_username": "adele",
    "name": "Adele",
    "sees_sensitive": True,
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provider_listening() as listening:
        yield listening


@pytest.fixture(scope="module")
def service(
    provider: Provider, servers: Servers, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that knows the provider, and makes people of its claims."""
    changes = {
        "oidc_issuer": provider.address, "oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET),
        "public_url": HOME, "outbound_private_hosts": ("127.0.0.1",), "directory_people": "created",
        "directory_roles": ("stock-approvers=approver", "stock-viewers=viewer", "stock-viewers=planner"),
    }  # fmt: skip
    with _copy(servers, prepared, tmp_path_factory.mktemp("login"), **changes) as opened:
        yield opened


APPS: dict[str, FastAPI] = {}


def app_on(service: Service) -> FastAPI:
    """The application on a service, made once."""
    if service.database.url not in APPS:
        APPS[service.database.url] = create_app(service)
    return APPS[service.database.url]


class Browser:
    """A browser at our address: it keeps cookies by their rules, and says which page asks."""

    def __init__(self, service: Service) -> None:
        self.client = TestClient(app_on(service), base_url=HOME, follow_redirects=False)

    @property
    def session(self) -> str:
        return self.client.cookies.get(SESSION_COOKIE) or ""

    def go_to_the_directory(self) -> str:
        """Begin a login. The address to which the directory sends the browser back."""
        begun = self.client.get("/login")
        assert begun.status_code == 303, begun.text
        answer = httpx.get(begun.headers["location"])
        assert answer.status_code == 302
        return answer.headers["location"]

    def log_in(self) -> httpx2.Response:
        return self.client.get(self.go_to_the_directory())

    def post(self, path: str, body: object, **headers: str) -> httpx2.Response:
        return self.client.post(path, json=body, headers={"Idempotency-Key": "a-key-of-the-browser"} | headers)

    @property
    def form_token(self) -> str:
        """What our pages carry for their forms."""
        return form_token(self.session)

    @property
    def form_token_on_the_page(self) -> str:
        """The same, as the page really carries it."""
        page = self.client.get("/").text
        return page.partition('name="form-token" content="')[2].partition('"')[0]


@pytest.fixture
def browser(service: Service, provider: Provider) -> Browser:
    """A browser that nobody is logged in with, and a provider that tells the truth."""
    provider.user, provider.says, provider.key, provider.calls_itself = (
        "sub-ada",
        dict(CLAIMS),
        signing_key("oidc-1"),
        None,
    )
    return Browser(service)


def change(service: Service, statement: str, **values: object) -> None:
    with service.database.transaction() as session:
        session.connection().execute(text(statement), values)


OWN = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
SWITCH = {"engaged": False, "reason": "a drill"}


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


def refused(answer: httpx2.Response) -> bool:
    """Whether a login came to nothing, and the page says so."""
    return (
        answer.status_code == 401 and "did not say who you are" in answer.text and SESSION_COOKIE not in answer.cookies
    )


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
