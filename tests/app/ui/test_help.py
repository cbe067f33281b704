"""Help: every word that a page links to is explained, and what roles may do is what the rules say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import app.ui
from app.auth.roles import Act, Principal, Role
from app.ui.help.glossary import TERMS, glossary
from app.ui.help.page import ACTS
from graphs.baseline.language import understand
from graphs.baseline.understood import Call
from tests.app.ui.pages import Browsing
from tests.app.web.door import Door
from tests.installation import approve, carry_out, orders

TEMPLATES = Path(app.ui.__file__).parent / "templates"
FROM_DESIGN = (
    "site", "sku", "lane", "on-hand", "reserved", "available", "in-transit", "on-order", "snapshot", "signal", "forecast",
    "target", "safety-stock", "order-up-to", "coverage", "days-of-cover", "imbalance", "shortage", "surplus", "expiring",
    "stranded", "plan-request", "plan", "line", "concession", "approval-request", "decision", "transfer-order", "stock-move",
    "policy", "fill-rate", "gap", "tier", "four-eyes", "fingerprint", "digest", "checkpoint", "lineage",
)  # fmt: skip


def test_every_word_that_a_page_links_to_is_in_the_glossary() -> None:
    known = {term.slug for term in TERMS}
    assert len(known) == len(TERMS)
    assert set(FROM_DESIGN) <= known
    assert {slug for term in TERMS for slug in term.see} <= known
    for template in TEMPLATES.rglob("*.html"):
        words = template.read_text(encoding="utf-8")
        used = set(re.findall(r"""\bterm\(["']([a-z-]+)["']""", words)) | set(
            re.findall(r"/help#term-([a-z-]+)[\"']", words)
        )
        assert used <= known, template.name


def test_the_glossary_goes_by_the_alphabet() -> None:
    names = [term.name.casefold() for term in glossary()]
    assert names == sorted(names)


def test_each_term_has_an_anchor_and_its_meaning(pages: Callable[[str], Browsing]) -> None:
    page = pages("vera").get("/help")
    assert "of ten units asked for, nine were there" in page.by_id("term-fill-rate").text
    for term in TERMS:
        assert page.by_id(f"term-{term.slug}").text.startswith(term.name)
    targets = {tag.attributes["href"] for tag in page.all("a") if (tag.attributes.get("href") or "").startswith("#")}
    ids = {f"#{tag.attributes['id']}" for tag in page.tags if "id" in tag.attributes}
    assert targets <= ids
    assert page.foreign == []


def test_the_questions_of_people_are_answered_with_the_way_to_click(pages: Callable[[str], Browsing]) -> None:
    page = pages("vera").get("/help")
    for identity, way in {
        "wrong": "Network", "why": "Queue", "nothing": "Queue", "who": "Queue", "arrived": "Orders", "policy": "Governance",
    }.items():  # fmt: skip
        assert f"{way} ›" in page.by_id(f"ask-{identity}").text
    assert "your roles do not include it" in page.by_id("ask-ask").text
    assert "your roles do not include it" not in pages("paula").get("/help").by_id("ask-ask").text


def test_each_way_to_click_leads_where_it_says(door: Door, own_pages: Callable[[str], Browsing]) -> None:
    request, paula, otto = door.pending, own_pages("paula"), own_pages("otto")
    places = {
        "Overview": "/", "Network": "/network", "Queue": "/queue", "Chat": "/chat", "Orders": "/orders",
        "Governance": "/governance", "Reports": "/reports", "a site": "/network/sites/S2", "Policies": "/governance/policies",
        "Audit": "/governance/audit",
    }  # fmt: skip
    plans = {"Queue": f"/queue/{request.approval_id}", "Reports": f"/reports/plans/{request.plan_digest}"}

    def walk(way: str) -> None:
        first, *steps = way.split(" › ")
        browsing = paula if first == "Chat" else otto
        page = browsing.get(places[first])
        for step in steps:
            if step in ("the plan", "the order", *places):
                href = (
                    plans[first]
                    if step == "the plan"
                    else places.get(step) or f"/orders/{orders(door.service)[0].transfer_id}"
                )
                assert href in {tag.attributes.get("href") for tag in page.all("a")}, way
                page = browsing.get(href)
            else:
                assert step in page.text, way

    ways = [tag.text for tag in otto.get("/help").all("p", class_="way")]
    assert len(ways) >= 12
    for way in ways:
        if not way.startswith("Orders"):
            walk(way)
    approve(door.service, request)
    carry_out(door.service, request)
    for way in ways:
        if way.startswith("Orders"):
            walk(way)


def test_what_help_gives_as_an_example_is_understood_without_a_language_model(
    pages: Callable[[str], Browsing],
) -> None:
    (example,) = re.findall("For instance “([^”]+)”", pages("paula").get("/help").text)
    assert isinstance(understand(example), Call)


def test_who_does_what_is_what_the_rules_say(pages: Callable[[str], Browsing]) -> None:
    page = pages("vera").get("/help")
    rows = [tag.text for tag in page.all("tr")]
    for act, words in ACTS.items():
        (row,) = [each for each in rows if each.startswith(words)]
        assert row.split().count("yes") == len(Principal.roles_that_may(act)), words
    assert set(ACTS) == set(Act)
    assert rows[0].split()[-len(Role) :] == [role.value.capitalize() for role in Role]


def test_the_first_steps_are_on_the_overview_alone_and_speak_to_the_role(pages: Callable[[str], Browsing]) -> None:
    paula, ada, adam = (pages(each).get("/").by_id("tour") for each in ("paula", "ada", "adam"))
    assert paula.attributes["data-user"] == "paula"
    assert "hidden" in paula.attributes
    assert "ask for a plan" in paula.text
    assert "your decisions" in ada.text
    assert "Governance: the rules" in adam.text
    assert not [tag for tag in pages("ada").get("/help").tags if tag.attributes.get("id") == "tour"]
