"""The page: signing in and out, what each person sees on it, and that nothing from outside is ever markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

import app.web
from app.auth.people import revoke_tokens
from app.auth.roles import Principal, Role
from app.ledger.append import EventType, append
from app.web.dependencies import COOKIE
from graphs.names import alias_of
from tests.app.web.door import Door, door_to, problem_of, tokens_of
from tests.builders import a_site, a_sku
from tests.installation import a_network, approve, carry_out, import_into

SCRIPTS = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "'\"><svg onload=alert(1)>", "{{7*7}}")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Markup(HTMLParser):
    """Markup taken apart: its text, and its tags with their attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        """All that can be read."""
        return " ".join(word for word in self.words if word)

    @property
    def runs(self) -> list[str]:
        """Tags and attributes that make a browser run, draw or fetch something."""
        attributes = [(name, value or "") for _, named in self.tags for name, value in named.items()]
        found = [name for name, value in attributes if name.startswith("on") or name == "style" or ":" in value]
        return found + [tag for tag, _ in self.tags if tag in ("script", "img", "svg", "style", "iframe", "object")]


class Page(Markup):
    """A page that came over HTTP."""

    def __init__(self, answer: httpx2.Response) -> None:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        super().__init__(answer.text)


def seen_by(door: Door, by: str) -> Page:
    """The page as somebody signed in sees it."""
    answer = door.get("/", headers={"Cookie": f"{COOKIE}={door.tokens[by]}"})
    assert answer.status_code == 200
    return Page(answer)


def cookie_of(answer: httpx2.Response) -> Any:
    """The cookie that an answer sets."""
    return SimpleCookie(answer.headers["set-cookie"])[COOKIE]


@pytest.fixture(scope="module")
def carried(house: Door) -> Door:
    """The house after the plan was approved and posted."""
    request = house.pending
    approve(house.service, request)
    carry_out(house.service, request)
    return house


def test_signed_out_there_is_only_the_sign_in(house: Door) -> None:
    page = Page(house.get("/"))
    assert [attributes["action"] for tag, attributes in page.tags if tag == "form"] == ["/sign-in"]
    for inside in ("Imbalances", "S1", "P1", "Waiting"):
        assert inside not in page.text


@pytest.mark.parametrize("cookie", ["", "evk_" + "A" * 43, "nonsense"])
def test_a_cookie_that_is_no_good_leads_to_the_sign_in(house: Door, cookie: str) -> None:
    assert "Your token" in Page(house.get("/", headers={"Cookie": f"{COOKIE}={cookie}"})).text


def test_a_token_is_kept_in_a_cookie_that_scripts_and_other_sites_cannot_use(house: Door) -> None:
    form = {"token": f"  {house.tokens['vera']} "}
    answer = house.ask("POST", "/sign-in", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = cookie_of(answer)
    assert cookie.value == house.tokens["vera"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "strict", "/", "")
    assert int(cookie["max-age"]) == 8 * 3600
    assert answer.headers["cache-control"] == "no-store"


def test_over_tls_the_cookie_stays_on_tls(house: Door) -> None:
    address, form = "https://testserver/sign-in", {"token": house.tokens["vera"]}
    answer = house.ask("POST", address, data=form, follow_redirects=False)
    assert cookie_of(answer)["secure"] is True


@pytest.mark.parametrize("token", ["evk_" + "B" * 43, "nonsense", "<script>alert(1)</script>"])
def test_a_wrong_token_signs_nobody_in_and_is_not_shown_again(house: Door, token: str) -> None:
    answer = house.ask("POST", "/sign-in", data={"token": token})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not valid" in Page(answer).text
    assert token not in answer.text


def test_a_sign_in_without_a_token_is_refused(house: Door) -> None:
    problem_of(house.ask("POST", "/sign-in", data={}), 422, "invalid_request")
    problem_of(house.ask("POST", "/sign-in", data={"token": "x" * 201}), 422, "invalid_request")
    problem_of(house.get("/sign-in"), 405, "method_not_allowed")


def test_a_person_signs_in_and_out_again(house: Door) -> None:
    browser = TestClient(house.client.app)
    assert "Imbalances" in Page(browser.post("/sign-in", data={"token": house.tokens["vera"]})).text
    assert "Imbalances" in Page(browser.get("/")).text
    answer = browser.post("/sign-out", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert cookie_of(answer)["max-age"] == "0"
    assert COOKIE not in browser.cookies
    assert "Your token" in Page(browser.get("/")).text


def test_a_revoked_token_is_signed_out_at_once(door: Door) -> None:
    assert "Imbalances" in seen_by(door, "vera").text
    with door.service.database.transaction() as session:
        revoke_tokens(session, "vera")
    assert "Your token" in Page(door.get("/", headers={"Cookie": f"{COOKIE}={door.tokens['vera']}"})).text


def test_who_has_no_role_is_refused(house: Door) -> None:
    problem_of(house.get("/", headers={"Cookie": f"{COOKIE}={house.tokens['nora']}"}), 403, "role")


def test_the_page_shows_what_is_out_of_balance_and_what_waits(door: Door) -> None:
    page, request = seen_by(door, "ada"), door.pending
    for words in ("4 shortage", "2 surplus", "S1", "P1", str(request.approval_id), request.plan_digest[:12]):
        assert words in page.text
    assert "As of 2026-03-02 06:00 UTC (sample network: this is its today)" in page.text
    assert "None yet. They are made when a plan is approved." in page.text
    assert "kill switch" not in page.text


def test_the_page_shows_orders_and_to_those_who_verify_the_ledger(carried: Door) -> None:
    page = seen_by(carried, "otto")
    assert page.text.count("shipped") >= 2
    assert "transfer posted" in page.text
    for by in ("vera", "paula", "ada"):
        assert "transfer posted" not in seen_by(carried, by).text
        assert "Operators and administrators see the newest events here." in seen_by(carried, by).text


def test_the_page_says_when_the_kill_switch_is_engaged(door: Door) -> None:
    door.post("/v1/kill-switch", "otto", {"engaged": True, "reason": "a recall"})
    assert "The kill switch is engaged." in seen_by(door, "vera").text


def test_an_installation_without_a_network_says_how_to_get_one(door: Door) -> None:
    with door.service.database.engine.begin() as connection:
        connection.exec_driver_sql("update installation set currency = null")
    assert "No network yet" in seen_by(door, "vera").text


def test_who_sees_some_sites_sees_nothing_of_the_others(carried: Door) -> None:
    page = seen_by(carried, "fern")
    assert "S3" in page.text
    for hidden in ("S1", "S2", "shipped", "transfer posted"):
        assert hidden not in page.text


def test_who_has_no_clearance_sees_masked_skus_by_their_alias(door: Door) -> None:
    import_into(door.service, a_network(skus=(a_sku("P1", name="Midnight elixir", sensitive=True), a_sku("P2"))))
    approve(door.service, door.pending)
    blind, cleared = seen_by(door, "vera"), seen_by(door, "ada")
    assert "P1" in cleared.text.split()
    assert "P1" not in blind.text.split()
    assert "elixir" not in blind.text
    assert alias_of("P1") in blind.text.split()


def test_nothing_from_outside_becomes_markup(door: Door) -> None:
    skus = tuple(a_sku(f"P{number}", name=script, category=script) for number, script in enumerate(SCRIPTS, 1))
    sites = tuple(a_site(f"S{number}", name=script) for number, script in enumerate(SCRIPTS[:3], 1))
    stock = {(site.site_id, sku.sku_id): 200 if site.site_id == "S1" else 2 for site in sites for sku in skus}
    import_into(door.service, a_network(stock, skus=skus, sites=sites))
    for number, script in enumerate(SCRIPTS):
        door.admit(Principal(f"mallory{number}", script, frozenset((Role.OPERATOR,)), None, sees_sensitive=True))
        with door.service.database.transaction() as session:
            append(
                session, stream=f"signals/{script}", key=f"signal/{number}", event_type=EventType.SIGNAL_QUARANTINED,
                actor=script,
            )  # fmt: skip
    for number, script in enumerate(SCRIPTS):
        page = seen_by(door, f"mallory{number}")
        assert page.text.count(script) >= 2
        assert page.runs == []


def test_names_from_outside_travel_as_json_and_not_as_a_page(door: Door) -> None:
    import_into(door.service, a_network(skus=(a_sku("P1", name=SCRIPTS[0]), a_sku("P2"))))
    run_id = door.post("/v1/scans", "paula", {"request": {"within_days": 5}}).json()["run_id"]
    digest = door.finish(run_id, "paula")["words"].split()[1]
    row = next(row for row in door.get("/v1/approvals", "ada").json() if row["plan_digest"].startswith(digest))
    plan = door.get(f"/v1/plans/{row['plan_digest']}", "paula")
    assert SCRIPTS[0] in {line["sku_name"] for line in plan.json()["lines"]}
    assert (plan.headers["content-type"], plan.headers["x-content-type-options"]) == ("application/json", "nosniff")


@pytest.mark.parametrize(
    "path", ["/", "/v1/network", "/v1/nothing", "/static/evenkeel.css", "/healthz", "/v1/openapi.json"]
)
def test_every_answer_tells_browsers_to_run_nothing_but_our_own(house: Door, path: str) -> None:
    headers = house.get(path, "vera").headers
    assert headers["content-security-policy"] == CSP
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert headers["cache-control"] == ("public, max-age=3600" if path.startswith("/static/") else "no-store")


def test_templates_hold_nothing_that_the_policy_for_browsers_forbids() -> None:
    root = Path(app.web.__file__).parent
    templates = list((root / "templates").glob("*.html"))
    assert len(templates) >= 3
    for template in templates:
        text = template.read_text(encoding="utf-8")
        assert Markup(text).runs == [], template.name
        assert not re.search(r"\|\s*safe|autoescape", text), template.name
    for script in (root / "static").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|insertAdjacentHTML|eval\(|new Function", text), script.name


@pytest.mark.parametrize("path", ["/static/", "/static/../main.py", "/static/%2e%2e/main.py", "/static//etc/passwd"])
def test_static_files_are_those_of_their_folder_only(house: Door, path: str) -> None:
    assert house.get(path).status_code in (404, 405)


def test_a_page_is_for_one_person_and_their_own_door(house: Door) -> None:
    """Two people with two browsers do not see each other's page."""
    other = door_to(house.service, tokens_of(house.service, "fern", "vera"))
    assert seen_by(house, "vera").text != seen_by(other, "fern").text
    assert "Fern" in seen_by(other, "fern").text
    assert "Vera" in seen_by(other, "vera").text
