"""What all pages have in common: their headers, their files, and what no template and no script of ours may hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import app.ui
from app.plans.tables import PlanRow
from app.ui.rendering import VERSION
from tests.app.ui.pages import Browsing
from tests.app.web.door import Door, door_to, tokens_of

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ROOT = Path(app.ui.__file__).parent
STATIC = ROOT / "static"


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nothing", "/static/x/css/evenkeel.css", "/v1/network", "/healthz"])
def test_every_answer_tells_browsers_to_run_nothing_but_our_own(pages: Callable[[str], Browsing], path: str) -> None:
    headers = pages("vera").answer(path).headers
    assert headers["content-security-policy"] == CSP
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_pages_are_not_kept_and_files_are_kept_under_their_version(pages: Callable[[str], Browsing]) -> None:
    vera = pages("vera")
    assert vera.answer("/").headers["cache-control"] == "no-store"
    ours = vera.answer(f"/static/{VERSION}/js/app.js")
    assert (ours.status_code, "immutable" in ours.headers["cache-control"]) == (200, True)
    other = vera.answer("/static/of-another-replica/js/app.js")
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")
    assert other.text == ours.text


@pytest.mark.parametrize(
    "path", ["/static/", "/static/x/", "/static/x/../../rendering.py", "/static/x/%2e%2e/rendering.py", "/static/x//etc/passwd"]
)  # fmt: skip
def test_static_files_are_those_of_their_folder_only(house: Door, path: str) -> None:
    assert house.get(path).status_code in (404, 405)


@pytest.mark.parametrize("template", sorted(ROOT.glob("templates/**/*.html")), ids=lambda path: path.name)
def test_a_template_holds_nothing_that_the_policy_for_browsers_forbids(template: Path) -> None:
    words = template.read_text(encoding="utf-8")
    assert not re.search(
        r"\|\s*safe\b|autoescape|Markup|\bstyle\s*=|\bon[a-z]+\s*=\s*[\"']|javascript:|<style|<script(?![^>]*\bsrc=)",
        words,
    )
    assert not re.search(r"(?:src|href|action)=[\"'](?:https?:)?//", words)


@pytest.mark.parametrize("script", sorted(STATIC.glob("**/*.js")), ids=lambda path: path.name)
def test_a_script_writes_text_and_only_one_of_them_writes_markup(script: Path) -> None:
    words = script.read_text(encoding="utf-8")
    assert not re.search(
        r"\beval\(|new Function|document\.write|outerHTML\s*=|insertAdjacentHTML|setTimeout\(\s*[\"'`]", words
    )
    assert words.count("innerHTML") == (1 if script.name == "swap.js" else 0)
    assert not re.search(r"https?://(?!www\.w3\.org/)", words)


def test_a_page_is_for_one_person_and_their_own_browser(house: Door) -> None:
    """Two people with two browsers do not see each other's page."""
    other = door_to(house.service, tokens_of(house.service, "fern"))
    vera, fern = Browsing.of(house.service, "vera"), Browsing.of(other.service, "fern")
    assert "Vera" in vera.get("/").text
    assert "Vera" not in fern.get("/").text


def test_an_error_of_ours_is_a_page_with_a_trace_id_for_people_and_a_problem_for_scripts(
    own_pages: Callable[[str], Browsing], door: Door
) -> None:
    request = door.pending
    with door.service.database.transaction() as session:
        row = session.get_one(PlanRow, request.plan_digest)
        row.body = row.body.replace(b'"units":', b'"un1ts":', 1)
    ada, path = own_pages("ada"), f"/queue/{request.approval_id}"
    with capture_logs() as logged:
        page = ada.get(path, 500)
        fragment = ada.answer(path, fragment=True)
    traced = [entry["trace_id"] for entry in logged if entry["event"] == "request_failed"]
    assert [traced[0] in page.text, traced[1] == fragment.json()["trace_id"]] == [True, True]
    assert "Something went wrong here, not with you" in page.text
    assert page.one("a", class_="button").attributes["href"] == "/"
    for inside in ("Traceback", "un1ts", request.plan_digest):
        assert inside not in page.text + fragment.text


def test_a_wrong_link_is_a_page_for_people_and_a_problem_for_programs(pages: Callable[[str], Browsing]) -> None:
    ada = pages("ada")
    page = ada.get("/nothing-here", 404)
    assert "There is no page at this address" in page.text
    answer = ada.client.get("/v1/nothing-here", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("who", "is_offered"),
    [("vera", False), ("paula", False), ("ada", True), ("otto", True), ("adam", True), ("fern", True)],
)
def test_the_emergency_stop_is_offered_on_every_page_to_whoever_may_use_it(
    pages: Callable[[str], Browsing], who: str, is_offered: bool
) -> None:
    for path in ("/", "/network", "/help"):
        links = [tag.attributes["href"] for tag in pages(who).get(path).all("a") if tag.text == "Emergency stop"]
        assert links == (["/governance#stops"] if is_offered else []), path


@pytest.mark.parametrize(
    ("who", "path", "href", "is_offered"),
    [
        ("paula", "/", "/chat", True), ("ada", "/", "/chat", False), ("vera", "/queue", "/chat", False),
        ("otto", "/governance", "/governance/audit", True), ("ada", "/governance", "/governance/audit", False),
        ("otto", "/governance", "/governance/data", True), ("vera", "/governance", "/governance/data", False),
        ("otto", "/orders", "/orders/differences", True), ("paula", "/orders", "/orders/differences", False),
        ("ada", "/governance/settings", "/orders/differences", False), ("ada", "/governance", "/governance/settings", True),
    ],
)  # fmt: skip
def test_a_tab_is_offered_to_whoever_finds_something_behind_it(
    pages: Callable[[str], Browsing], who: str, path: str, href: str, is_offered: bool
) -> None:
    links = pages(who).get(path).all("a", href=href)
    assert bool(links) is is_offered


def test_the_first_steps_speak_of_pages_that_are_offered(pages: Callable[[str], Browsing]) -> None:
    for who in ("vera", "paula", "ada", "otto", "adam"):
        page = pages(who).get("/")
        steps = {tag.attributes["data-step"] for tag in page.all("div") if "data-step" in tag.attributes}
        assert steps <= {tag.attributes["href"] for tag in page.all("a")}, who


def test_what_is_stopped_stands_above_every_open_page_and_is_gone_when_it_is_released(
    own_pages: Callable[[str], Browsing],
) -> None:
    otto, vera = own_pages("otto"), own_pages("vera")
    place = vera.get("/network").by_id("stopped").attributes
    assert "governance" in (place["data-on"] or "").split(), "it follows what is told of stops"
    fragment = place["data-url"] or ""
    assert vera.get(fragment, fragment=True).text == ""
    otto.send("/v1/kill-switch", {"engaged": True, "reason": "<b>a leak"})
    for page in (vera.get(fragment, fragment=True), vera.get("/network")):
        banner = page.one("div", role="region", aria_label="Stopped")
        assert "by otto: <b>a leak" in banner.text
    otto.send("/v1/kill-switch", {"engaged": False, "reason": "dry again"})
    assert vera.get(fragment, fragment=True).text == ""
