"""Signing in and out in a browser: what is kept of it, what others cannot do with it, and what it is never good for."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.auth.browsers import form_token
from app.auth.keys import KeyGrant, add_key
from app.auth.people import revoke_tokens
from app.auth.roles import Act
from app.service import Service
from app.web.dependencies import FORM_TOKEN, PLAIN_COOKIE, SESSION_COOKIE
from app.web.main import create_app
from tests.app.ui.pages import ADDRESS, DEMO, Browsing, Markup
from tests.app.web.door import Door, problem_of
from tests.installation import VERA

OWN = {"Origin": ADDRESS}
NOBODYS = "00000000-0000-4000-8000-000000000000"
STOP = {"engaged": True, "reason": "a recall"}


def browser(service: Service, address: str = ADDRESS, *, demo: bool = True) -> TestClient:
    """A browser that nobody is signed in with."""
    app = create_app(service, DEMO) if demo else create_app(service)
    return TestClient(app, base_url=address, raise_server_exceptions=False, follow_redirects=False)


def cookie_of(answer: httpx2.Response, name: str) -> Any:
    """The cookie that an answer sets."""
    return SimpleCookie(answer.headers["set-cookie"])[name]


def test_signed_out_every_page_leads_to_the_sign_in_and_back(house: Door) -> None:
    client = browser(house.service)
    answer = client.get("/queue?status=pending")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/queue%3Fstatus%3Dpending")
    page = Markup(client.get(answer.headers["location"]).text)
    assert {form.attributes["action"] for form in page.all("form")} == {"/sign-in", "/sign-in/demo"}
    form = {"token": house.tokens["vera"], "next": "/queue?status=pending"}
    assert client.post("/sign-in", data=form, headers=OWN).headers["location"] == "/queue?status=pending"


def test_the_sign_in_says_so_to_whoever_was_signed_out_on_a_page(house: Door) -> None:
    client, words = browser(house.service), "You were signed out. Sign in again; nothing was sent."
    page = Markup(client.get("/sign-in?out=1&next=/queue").text)
    assert words in page.text
    assert {field.attributes["value"] for field in page.all("input", name="next")} == {"/queue"}
    assert words not in client.get("/sign-in?next=/queue").text


@pytest.mark.parametrize(
    ("path", "ways"),
    [
        (f"/queue/{NOBODYS}", ["/", "/queue"]), (f"/chat/{NOBODYS}", ["/", "/chat"]), (f"/orders/{NOBODYS}", ["/", "/orders"]),
        ("/network/sites/X", ["/", "/network"]), ("/governance/policies?before=1999-01", ["/", "/governance"]),
        ("/nothing-here", ["/"]),
    ],
)  # fmt: skip
def test_a_page_that_is_not_there_for_somebody_leads_to_its_list(house: Door, path: str, ways: list[str]) -> None:
    page = Browsing.of(house.service, "vera").get(path, 404)
    assert [link.attributes["href"] for link in page.all("a")] == ways


def test_a_fragment_says_that_nobody_is_signed_in_and_leads_nowhere(house: Door) -> None:
    problem_of(browser(house.service).get("/", headers={"X-Fragment": "1"}), 401, "no_token")


def test_whoever_listens_to_news_is_told_so_and_gets_no_page(house: Door) -> None:
    answer = browser(house.service).get("/live", headers={"Accept": "text/event-stream"})
    problem_of(answer, 401, "no_token")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "way", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/sign-out", "", "/\t/x", "/ü"]
)  # fmt: skip
def test_after_the_sign_in_nobody_is_led_away(house: Door, way: str) -> None:
    form = {"token": house.tokens["vera"], "next": way}
    assert browser(house.service).post("/sign-in", data=form, headers=OWN).headers["location"] == "/"


def test_a_token_begins_a_session_and_is_not_kept_itself(house: Door) -> None:
    client = browser(house.service)
    answer = client.post("/sign-in", data={"token": f"  {house.tokens['vera']} "}, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = cookie_of(answer, PLAIN_COOKIE)
    assert house.tokens["vera"] not in answer.headers["set-cookie"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "lax", "/", "")
    assert answer.headers["cache-control"] == "no-store"
    with house.service.database.engine.connect() as connection:
        kept = connection.execute(text("select session_sha256 from browser_session")).scalars().all()
    assert cookie.value not in kept
    assert "Vera" in Markup(client.get("/").text).text


def test_over_tls_the_cookie_belongs_to_this_host_and_a_plain_one_is_not_looked_at(house: Door) -> None:
    client = browser(house.service, "https://testserver")
    answer = client.post("/sign-in", data={"token": house.tokens["vera"]}, headers={"Origin": "https://testserver"})
    cookie = cookie_of(answer, SESSION_COOKIE)
    assert cookie["secure"] is True
    planted = browser(house.service, "https://testserver")
    planted.cookies.set(PLAIN_COOKIE, cookie.value)
    assert planted.get("/").status_code == 303


@pytest.mark.parametrize("token", ["evk_" + "B" * 43, "nonsense", "<script>alert(1)</script>"])
def test_a_wrong_token_signs_nobody_in_and_is_not_shown_again(house: Door, token: str) -> None:
    answer = browser(house.service).post("/sign-in", data={"token": token}, headers=OWN)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not valid" in Markup(answer.text).by_id("wrong").text
    assert token not in answer.text


def test_a_session_that_somebody_has_planted_is_over_after_the_sign_in(house: Door) -> None:
    theirs = Browsing.of(house.service, "vera")
    planted = theirs.client.cookies[PLAIN_COOKIE]
    client = browser(house.service)
    client.cookies.set(PLAIN_COOKIE, planted)
    client.post("/sign-in/demo", data={"person": "ada"}, headers=OWN)
    assert theirs.answer("/").status_code == 303, "who planted it is not signed in with it"
    values = [cookie.value for cookie in client.cookies.jar]
    assert planted not in values or len(values) > 1


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"},
                {"Sec-Fetch-Site": "cross-site", "Origin": "null"}, {"Sec-Fetch-Site": "same-site"}]
)  # fmt: skip
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/demo"])
def test_a_page_of_somebody_else_signs_nobody_in(house: Door, path: str, headers: dict[str, str]) -> None:
    client = browser(house.service)
    answer = client.post(path, data={"token": house.tokens["ada"], "person": "ada"}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_form_of_ours_comes_without_its_origin_and_is_taken(house: Door) -> None:
    headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert browser(house.service).post("/sign-in/demo", data={"person": "ada"}, headers=headers).status_code == 303


def test_one_click_signs_in_the_people_of_a_demo_only(house: Door) -> None:
    for client, person in ((browser(house.service, demo=False), "ada"), (browser(house.service), "system")):
        assert client.post("/sign-in/demo", data={"person": person}, headers=OWN).status_code == 404
    assert "Go in as" not in browser(house.service, demo=False).get("/sign-in").text


def test_a_key_of_a_program_does_not_sign_in_a_browser(door: Door) -> None:
    with door.service.database.transaction() as session:
        made = add_key(session, VERA, KeyGrant("a program", (Act.READ,), None, sees_sensitive=False, days=1), by="adam")
    answer = browser(door.service).post("/sign-in", data={"token": made.secret}, headers=OWN)
    assert "key of a program" in answer.text


def test_a_person_signs_out_and_their_cookie_is_worth_nothing(own_pages: Callable[[str], Browsing]) -> None:
    vera = own_pages("vera")
    cookie = vera.client.cookies[PLAIN_COOKIE]
    answer = vera.client.post("/sign-out", data={"form_token": vera.form_token}, headers=OWN, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    vera.client.cookies.set(PLAIN_COOKIE, cookie)
    assert vera.answer("/").status_code == 303


@pytest.mark.parametrize("ending", ["their tokens are revoked", "they are not active any more"])
def test_whoever_is_shut_out_is_so_in_their_browser_at_once(door: Door, ending: str) -> None:
    vera = Browsing.of(door.service, "vera")
    with door.service.database.transaction() as session:
        if ending == "their tokens are revoked":
            revoke_tokens(session, "vera")
        else:
            session.connection().execute(text("update person set active = false where user_id = 'vera'"))
    assert vera.answer("/").status_code == 303


def test_what_a_session_changes_needs_the_form_token_and_our_own_page(own_pages: Callable[[str], Browsing]) -> None:
    otto = own_pages("otto")
    token = form_token(otto.client.cookies[PLAIN_COOKIE])
    for headers in (
        {},
        {FORM_TOKEN: token},
        {**OWN, FORM_TOKEN: "0" * 64},
        {"Origin": "https://evil.example", FORM_TOKEN: token},
    ):
        refused = otto.client.post("/v1/kill-switch", json=STOP, headers={"Idempotency-Key": "k-1", **headers})
        problem_of(refused, 403, "cross_site")
    assert otto.send("/v1/kill-switch", STOP).status_code == 200


def test_who_has_no_role_is_refused_in_words(own_pages: Callable[[str], Browsing]) -> None:
    page = own_pages("nora").get("/", 403)
    assert "This is not for you" in page.text


def test_the_frame_says_who_is_signed_in_and_what_they_may_see(pages: Callable[[str], Browsing]) -> None:
    menu = pages("fern").get("/").text
    for words in ("Fern", "Sites: S3"):
        assert words in menu


def test_the_frame_says_what_is_stopped_on_every_page(own_pages: Callable[[str], Browsing]) -> None:
    otto = own_pages("otto")
    otto.send("/v1/kill-switch", {"engaged": True, "reason": "<b>a recall</b>"})
    page = own_pages("vera").get("/")
    assert "<b>a recall</b>" in page.text
    assert page.foreign == []
