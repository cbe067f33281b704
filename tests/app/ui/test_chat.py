"""The pages of conversations, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from app.auth.people import SYSTEM, add_person
from app.service import open_service
from app.threads.stream import StreamEvent
from app.threads.tables import Run, RunKind, RunStatus
from app.ui.chat.suggestions import (
    ALWAYS,
    first_questions,
    named,
    questions_about_a_plan,
    questions_while_it_waits,
)
from app.ui.chat.turns import START, STEP_WORDS, TOOL_WORDS, timed_steps, turns_of, with_runs
from app.views import ImbalanceView, LineView
from evals.databases import Servers
from graphs.baseline.language import understand
from graphs.baseline.understood import Call
from graphs.names import ELSEWHERE
from tests.app.ui.pages import Browsing, Markup
from tests.app.web.door import PEOPLE, Door
from tests.builders import TODAY
from tests.installation import approve, carry_out, reject, settings_on, waiting
from tools.catalog import CATALOG
from tools.rejections import Rejection, RejectionCode

MARKUP = "<img src=x onerror=window.__xss=1>"


def opened(browsing: Browsing, title: str = "About P1") -> str:
    """A new conversation of somebody's."""
    answer = browsing.send("/v1/threads", {"title": title})
    assert answer.status_code == 201, answer.text
    thread_id: str = answer.json()["thread_id"]
    return thread_id


def said(browsing: Browsing, thread_id: str, text: str) -> str:
    """Something is said, and not answered yet. The run."""
    answer = browsing.send(f"/v1/threads/{thread_id}/runs", {"text": text})
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["run_id"]
    return run_id


def asked(browsing: Browsing, thread_id: str, *texts: str) -> Markup:
    """Things are said and answered, one after the other. The page afterwards."""
    for text in texts:
        browsing.service.driver.run(UUID(said(browsing, thread_id, text)))
    return browsing.get(f"/chat/{thread_id}")


def digest_on(page: Markup) -> str:
    """The plan that a page shows whole."""
    found = {each for tag in page.tags for each in re.findall(r"/plans/([0-9a-f]{64})/standing", str(tag.attributes))}
    (digest,) = found
    return str(digest)


def texts(page: Markup, name: str, **attributes: str) -> list[str]:
    """The texts of such tags."""
    return [tag.text for tag in page.all(name, **attributes)]


def test_a_person_finds_their_own_conversations_the_newest_first_and_which_of_them_wait(
    own_pages: Callable[[str], Browsing],
) -> None:
    paula = own_pages("paula")
    for title in ("The first", "The second"):
        opened(paula, title)
    listed = paula.get("/chat/threads", fragment=True)
    assert texts(listed, "span", class_="title") == ["The second", "The first", "Scan"]
    assert "waits for a decision" in listed.text
    assert texts(paula.get("/chat/threads?limit=1", fragment=True), "button", class_="quiet") == ["Show more"]
    assert "None of yours" in own_pages("vera").get("/chat").text


def test_whoever_may_not_plan_reads_why_and_has_nothing_to_write_with(pages: Callable[[str], Browsing]) -> None:
    page = pages("vera").get("/chat")
    assert "planning is for planners" in page.text
    assert not page.all("textarea")
    assert not page.all("button", data_ask_text="Rebalance P1")
    assert not page.foreign


def test_a_new_conversation_begins_with_questions_about_what_is_out_of_balance(
    pages: Callable[[str], Browsing],
) -> None:
    page = pages("paula").get("/chat")
    suggested = [
        tag.attributes["data-ask-text"] or "" for tag in page.all("button") if "data-ask-text" in tag.attributes
    ]
    assert {"Rebalance P2", "Why is P2 short at S2?", "Where is a surplus?"} <= set(suggested)
    assert all(isinstance(understand(each), Call) for each in suggested), suggested
    assert "No language model is connected; a rule-based planner answers." in page.text


def test_a_plan_is_shown_with_what_it_saves_how_good_it_is_and_its_lines(own_pages: Callable[[str], Browsing]) -> None:
    paula = own_pages("paula")
    thread_id = opened(paula)
    page = asked(paula, thread_id, "rebalance P2")
    plan = paula.answer(f"/v1/plans/{digest_on(page)}").json()
    assert not page.foreign
    assert f"Plan {plan['digest'][:12]}" in texts(page, "h3")
    for words in ("Saving", "Moving cost", "No better plan exists for this request: that is proved."):
        assert words in page.text
    labels = [tag.attributes.get("aria-label") or "" for tag in page.all("svg", role="img")]
    assert [label.split(":")[0] for label in labels] == ["Without the plan", "With the plan"]
    assert page.one("button", aria_label="Why line 1?").text == "Why?"
    submit = next(
        form for form in page.all("form") if form.attributes.get("data-send") == f"POST /v1/threads/{thread_id}/runs"
    )
    assert submit.text == "Submit for approval"
    why = paula.get(f"/chat/{thread_id}/plans/{plan['digest']}/lines/1", fragment=True)
    assert "without this line it would run out" in why.text
    assert "Risk of running out at S2" in why.text
    table = paula.answer(f"/chat/{thread_id}/plans/{plan['digest']}/export.csv")
    head, first = table.content.decode("utf-8-sig").splitlines()[:2]
    assert "Saving (USD)" in head
    line = plan["lines"][0]
    assert first.split(",")[1:5] == [line["sku_id"], line["sku_name"], line["origin"], line["destination"]]
    assert f"{line['saving_minor'] / 100}" in first.split(",")


def test_after_it_was_submitted_the_card_follows_the_plan_to_the_dock(own_pages: Callable[[str], Browsing]) -> None:
    paula = own_pages("paula")
    thread_id = opened(paula)
    page = asked(paula, thread_id, "rebalance P2", "submit")
    digest = digest_on(page)
    address = f"/chat/{thread_id}/plans/{digest}/standing"
    assert page.one("div", data_url=address).attributes["data-on"] == "queue orders"
    stands = paula.get(address, fragment=True)
    assert "waiting for a decision" in stands.text
    assert "Can sign: Ada, Bob" in stands.text
    assert "Take it back" in stands.text
    assert "Submit for approval" not in page.text
    assert "waits for a decision. Until then nothing can be added here" in page.text
    assert page.one("div", id="state").attributes["data-waits"] == "yes"
    (request,) = [each for each in waiting(paula.service) if each.plan_digest == digest]
    approve(paula.service, request)
    moved = carry_out(paula.service, request)
    stands = paula.get(address, fragment=True)
    assert "Approved by Ada." in stands.text
    assert f"0 of {sum(order.units for order in moved)} units received" in stands.text
    assert "Take it back" not in stands.text
    page = paula.get(f"/chat/{thread_id}")
    assert "was approved by ada" in page.text
    assert page.one("div", id="state").attributes["data-waits"] == ""


def test_a_plan_that_was_rejected_says_by_whom_and_why(own_pages: Callable[[str], Browsing]) -> None:
    paula = own_pages("paula")
    thread_id = opened(paula)
    digest = digest_on(asked(paula, thread_id, "rebalance P2", "submit"))
    (request,) = [each for each in waiting(paula.service) if each.plan_digest == digest]
    reject(paula.service, request, Rejection(code=RejectionCode.OTHER, words=f"not now {MARKUP}"))
    stands = paula.get(f"/chat/{thread_id}/plans/{digest}/standing", fragment=True)
    for words in ("Rejected by Ada. Reason: something else.", f"Ada wrote: “not now {MARKUP}”"):
        assert words in stands.text
        assert words in paula.get(f"/chat/{thread_id}").text
    assert not stands.foreign
    assert f"Something else: not now {MARKUP}" in paula.get(f"/reports/plans/{digest}").text


def test_beside_the_plan_made_instead_stands_who_rejected_the_one_before_and_why(
    own_pages: Callable[[str], Browsing],
) -> None:
    paula = own_pages("paula")
    thread_id = opened(paula)
    digest = digest_on(asked(paula, thread_id, "rebalance P2", "submit"))
    (request,) = [each for each in waiting(paula.service) if each.plan_digest == digest]
    too_many = Rejection(code=RejectionCode.TOO_MANY_UNITS, limit=20, words=f"half of it will do {MARKUP}")
    reject(paula.service, request, too_many)
    paula.service.resume_thread(request.approval_id)
    page = paula.get(f"/chat/{thread_id}")
    instead = digest_on(page)
    assert instead != digest
    card = page.one("div", class_="card plan-card").text
    for words in (
        f"Plan {digest[:12]}, before:", "Rejected by Ada. Reason: it moves too many units (at most 20).",
        f"Ada wrote: “half of it will do {MARKUP}”",
    ):  # fmt: skip
        assert words in card
    assert "waiting for a decision" in card
    assert not page.foreign


def test_a_plan_without_lines_says_that_nothing_needs_to_move_and_why(own_pages: Callable[[str], Browsing]) -> None:
    paula = own_pages("paula")
    page = asked(paula, opened(paula), "rebalance P1 from S3 to S1")
    card = page.one("div", class_="card plan-card")
    for words in (
        "No transfer is proposed.", "one of the 1 possible lines earns more than it costs.", "of the demand until the regular supply",
        "The request was only about SKUs P1; from S3; to S1.",
    ):  # fmt: skip
        assert words in card.text
    for words in ("0.00 USD", "Departures", "Submit for approval", "Why these transfers?"):
        assert words not in card.text


def test_what_ifs_and_plans_stand_side_by_side_and_only_the_last_plan_is_shown_whole(
    own_pages: Callable[[str], Browsing],
) -> None:
    paula = own_pages("paula")
    thread_id = opened(paula)
    page = asked(paula, thread_id, "rebalance P2", "rebalance P1", "what if demand rises by 20 %")
    sides = page.one("section", aria_label="As things are, and what if")
    assert "Moving cost" in sides.text
    assert "Nothing of it is kept." in sides.text
    digest = digest_on(page)
    assert f"Plan {digest[:12]}" in texts(page, "h3")
    assert texts(page, "button", class_="quiet").count("Show this plan") == 1
    beside = paula.get(f"/chat/{thread_id}/plans/{digest}/beside", fragment=True)
    assert [text.split(",")[0] for text in texts(beside, "h4")] == ["This plan", "The plan before"]
    assert "0 lines are in both as they are" in beside.text
    compared = asked(paula, thread_id, "compare with the plan before")
    assert f"Plan {digest[:12]}" in compared.one("section", aria_label="Two plans side by side").text
    asked(paula, thread_id, "status", "status", "status")
    assert digest_on(paula.get(f"/chat/{thread_id}")) == digest, "also once the agent keeps only the figures"


def test_words_of_people_and_of_the_agent_are_text(own_pages: Callable[[str], Browsing]) -> None:
    paula = own_pages("paula")
    thread_id = opened(paula, f"About {MARKUP}")
    page = asked(paula, thread_id, f"**why** {MARKUP} [x](javascript:1)")
    assert not page.foreign
    assert page.text.count(MARKUP) >= 3, "in the title, in what was said and in the answer"
    assert f"About {MARKUP}" in texts(page, "h1")


def test_a_run_that_is_under_way_is_found_again_when_the_page_is_loaded(own_pages: Callable[[str], Browsing]) -> None:
    paula = own_pages("paula")
    thread_id = opened(paula)
    run_id = said(paula, thread_id, "how much P1 is at S1")
    page = paula.get(f"/chat/{thread_id}")
    state = page.one("div", id="state").attributes
    assert (state["data-run"], state["data-stoppable"], state["data-last"]) == (run_id, "yes", run_id)
    assert "how much P1 is at S1" in page.by_id(f"turn-{run_id}").text
    assert "working" in page.text
    paula.service.driver.run(UUID(run_id))
    state = paula.get(f"/chat/{thread_id}/standing", fragment=True).one("div", id="state").attributes
    assert (state["data-run"], state["data-messages"]) == ("", "4")
    turn = paula.get(f"/chat/{thread_id}/turns/{run_id}", fragment=True)
    assert "200 available" in turn.text
    assert "Looking at stock and cover" in turn.text
    paula.get(f"/chat/{thread_id}/turns/{uuid4()}", 404, fragment=True)


def test_a_conversation_and_its_plans_are_for_its_owner_alone(own_pages: Callable[[str], Browsing]) -> None:
    paula, vera, fern = (own_pages(each) for each in ("paula", "vera", "fern"))
    thread_id = opened(paula)
    digest = digest_on(asked(paula, thread_id, "rebalance P2"))
    plan = f"/chat/{thread_id}/plans/{digest}"
    for path in (
        f"/chat/{thread_id}", f"/chat/{thread_id}/standing", f"/chat/{thread_id}/turns/start", plan, f"{plan}/standing",
        f"{plan}/lines", f"{plan}/lines/1", f"{plan}/beside", f"{plan}/export.csv",
    ):  # fmt: skip
        assert (vera.answer(path).status_code, fern.answer(path).status_code) == (404, 404), path
    own = opened(fern, "Mine")
    for path in ("", "/lines", "/lines/1", "/standing", "/export.csv"):
        fern.get(f"/chat/{own}/plans/{digest}{path}", 404)
    assert asked(fern, own, "rebalance everything").one("h1").text == "Mine"


def test_without_a_network_the_page_says_what_to_do(servers: Servers, tmp_path: Path) -> None:
    with servers.fresh_database() as url, open_service(settings_on(servers, url, tmp_path)) as service:
        with service.database.transaction() as session:
            for each in PEOPLE:
                add_person(session, each, by=SYSTEM)
        page = Browsing.of(service, "paula").get("/chat")
        assert "evenkeel import DIR" in page.text
        assert not page.all("textarea")


@pytest.mark.parametrize("tool", sorted(CATALOG))
def test_whatever_the_agent_does_is_said_in_words(tool: str) -> None:
    assert tool in TOOL_WORDS


def test_steps_that_the_service_tells_of_have_words(house: Door) -> None:
    run = house.converse("rebalance P1", "paula")
    kinds = {event.kind for event in house.service.stream.follow(UUID(run["run_id"]))}
    assert kinds - STEP_WORDS.keys() <= {"tool", "token", "notice", "done"}
    assert "drafter" in kinds


def test_steps_take_what_lies_between_them_by_the_clock_of_the_service() -> None:
    told = (
        ("1000-0", "planner", "thinking"), ("1400-0", "tool", "coverage"), ("1500-0", "notice", "x"),
        ("1600-0", "planner", "thinking"), ("1900-0", "token", "x"), ("2100-0", "done", ""),
    )  # fmt: skip
    events = [StreamEvent(event_id, kind, json.dumps({"detail": detail})) for event_id, kind, detail in told]
    assert timed_steps(events) == [("Thinking", 0.4), (TOOL_WORDS["coverage"], 0.2), ("Thinking", 0.5)]


def an_imbalance(kind: str, sku: str = "P1", site: str = "S2", at_stake: int = 100) -> ImbalanceView:
    return ImbalanceView(
        kind=kind, site_id=site, sku_id=sku, units=5, severity_minor=at_stake, days_of_cover=1, stock_out_ppm=1, until=TODAY
    )  # fmt: skip


def a_line(line_no: int, origin: str, saving: int) -> LineView:
    return LineView(
        line_no=line_no, transfer_id=uuid4(), sku_id="P1", sku_name="P1", origin=origin, destination="S2", mode="truck",
        units=1, packs=1, depart_on=TODAY, arrive_on=TODAY, saving_minor=saving, move_cost_minor=0, goods_value_minor=0,
        urgency="normal", urgency_words="",
    )  # fmt: skip


SUGGESTED = (
    *ALWAYS, *questions_while_it_waits(), "Submit", *questions_about_a_plan([], has_one_before=False),
    *first_questions([an_imbalance(kind) for kind in ("shortage", "surplus", "expiring", "stranded")]),
    *first_questions([an_imbalance(kind, "P 1 (blue)", "Main Street") for kind in ("shortage", "stranded")]),
    *questions_about_a_plan([a_line(1, "S1", 5), a_line(2, "S 3", 9), a_line(3, "S 3", 1)], has_one_before=True),
)  # fmt: skip


@pytest.mark.parametrize("question", sorted({*SUGGESTED}))
def test_what_is_suggested_is_understood_without_a_language_model(question: str) -> None:
    assert isinstance(understand(question), Call)


def test_suggestions_follow_what_costs_most_and_name_nothing_that_is_masked() -> None:
    found = [an_imbalance("shortage", "SKU-7f3a", "S9", 900), an_imbalance("shortage", "P2", "S1", 500)]
    questions = first_questions(found, {"SKU-7f3a"})
    assert questions[0] == "Rebalance P2"
    assert not any("SKU-7f3a" in each for each in questions)
    assert "What is wrong at S9?" in questions
    assert first_questions([]) == list(ALWAYS)
    about = questions_about_a_plan([a_line(1, ELSEWHERE, 5)], has_one_before=False)
    assert not any(ELSEWHERE in each for each in about)
    assert (named("P-1"), named("P 1")) == ("P-1", '"P 1"')


def a_run(text: str, status: RunStatus, after: int, **more: Any) -> Run:
    began = datetime(2026, 3, 2, 6, tzinfo=UTC) + timedelta(minutes=after)
    return Run(
        run_id=uuid4(), thread_id=uuid4(), kind=RunKind.MESSAGE, status=status, started_by="paula", input={"text": text},
        created_at=began, finished_at=began + timedelta(seconds=2), **more,
    )  # fmt: skip


def test_what_was_said_is_not_lost_where_the_run_failed_or_was_stopped() -> None:
    done, failed, stopped, active = (
        a_run("one", RunStatus.DONE, 0), a_run("two", RunStatus.FAILED, 1, error="the solver broke"),
        a_run("three", RunStatus.CANCELLED, 2), a_run("four", RunStatus.RUNNING, 3),
    )  # fmt: skip
    messages: list[AnyMessage] = [
        AIMessage("A scan."), HumanMessage("one", id=str(done.run_id)), AIMessage("The first answer."),
        HumanMessage("four", id=str(active.run_id)), AIMessage("Half an answer"),
    ]  # fmt: skip
    turns = with_runs(turns_of(messages), [active, stopped, failed, done])
    assert [turn.said for turn in turns] == ["", "one", "two", "three", "four"]
    assert (turns[0].turn_id, turns[1].seconds, turns[2].error) == (START, 2.0, "the solver broke")
    assert turns[3].words == ["Stopped before it began, as you asked."]
    assert turns[4].words == [], "what is under way comes as its news"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"plan": "x"}', '{"error": "no"}', '{"as_things_are": 1}'])
@pytest.mark.parametrize("tool", ["propose_plan", "what_if", "compare_plans", "submit_plan", "nothing_known"])
def test_what_a_tool_answered_otherwise_than_known_is_left_to_the_words(tool: str, text: str) -> None:
    (turn,) = turns_of([HumanMessage("x", id="1"), ToolMessage(text, tool_call_id="1", name=tool), AIMessage("Words.")])
    assert (turn.words, turn.plans, turn.beside, turn.approvals) == (["Words."], [], [], [])
