"""What is kept from a person stays kept: no answer, page, event or word names a site outside their scope or a masked SKU."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Role
from app.auth.tables import Person
from app.service import Service, open_service
from app.threads.tables import Run
from evals.databases import Servers
from graphs.names import ELSEWHERE, Names, alias_of
from tests.app.web.door import ROUTES, Door, door_to, problem_of, tokens_of
from tests.builders import a_site, a_sku, a_snapshot
from tests.installation import (
    ADA,
    OTTO,
    PAULA,
    a_network,
    approve,
    import_into,
    orders,
    person,
    reject,
    settings_on,
    settle_in,
)
from tools.network_folder import NetworkFolder
from tools.rejections import Rejection, RejectionCode

SECRET_SKU, SECRET_NAME = "VX-77", "Midnight Elixir"
FAR_SITE, FAR_NAME = "FAR-9", "Distant Harbour"
SECRETS = (SECRET_SKU, SECRET_NAME, FAR_SITE, FAR_NAME)
NEAR = {"sites": frozenset({"S1", "S2"}), "sees_sensitive": False}
PAT = person("pat", Role.PLANNER, **NEAR)
PIA = person("pia", Role.PLANNER, **NEAR)
OTIS = person("otis", *Role, **NEAR)
"""Every role, and the same is kept from them."""
TELLING = f"{SECRET_SKU} ({SECRET_NAME.upper()}) is counted at {FAR_SITE}; ask {FAR_NAME.lower()}, not S2 about P1."

ALIAS = alias_of(SECRET_SKU)

QUESTIONS = (
    "what is out of balance", "what is short", "what is over", "how much P1 is at S1", f"how much {ALIAS} is at S1",
    "status", "what does the policy say", "rebalance everything", "why", "why line 1", "what if demand doubles",
    "rebalance everything without P1", "submit",
)  # fmt: skip
GUESSES = (
    f"how much {SECRET_SKU} is at S1", "how much VX77 is at S1", f"how much {ALIAS[:-1]}x is at S1",
    "how much P1 is at FAR-8", "how much Midnight Elixi is there", f"what if the lane S1->{FAR_SITE} is closed",
    f"send P1 to {FAR_SITE}", f"send P1 to {FAR_NAME}",
)  # fmt: skip
"""Questions of somebody who knows more than they should, or guesses."""


def a_network_with_secrets() -> NetworkFolder:
    """A masked SKU is worth most, and a site far away is shortest of everything."""
    units = {"S1": 400, "S2": 2, FAR_SITE: 0}
    keys = {(site, sku): units[site] for site, sku in product(units, ("P1", SECRET_SKU))}
    return a_network(
        keys,
        dict.fromkeys(keys, 3.0),
        skus=(a_sku("P1"), a_sku(SECRET_SKU, name=SECRET_NAME, unit_price_e4=900_000, sensitive=True)),
        sites=(a_site("S1"), a_site("S2"), a_site(FAR_SITE, name=FAR_NAME)),
    )


def told(text: str) -> list[str]:
    """The secrets that a text tells."""
    return [secret for secret in SECRETS if secret.lower() in text.lower()]


@dataclass(frozen=True)
class Scene:
    """A door after a busy day, and what Pat said and was answered."""

    door: Door
    plans: list[str]
    approvals: list[UUID]
    answers: dict[str, str]


@pytest.fixture(scope="module")
def scene(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Plans over secrets, rejected with telling words, approved, carried out, stuck in the ERP, and waiting."""
    with (
        servers.fresh_database() as url,
        open_service(settings_on(servers, url, tmp_path_factory.mktemp("secrets"))) as service,
    ):
        people = (PAULA, ADA, OTTO, PAT, PIA, OTIS)
        settle_in(service, a_network_with_secrets(), *people)
        door = door_to(service, tokens_of(service, *(each.user_id for each in people)))
        words = Rejection(code=RejectionCode.OTHER, words=TELLING, skus=(SECRET_SKU, "P1"), sites=(FAR_SITE, "S2"))
        mine = scanned(door, "pat")
        reject(service, mine, words)
        service.resume_thread(mine.approval_id)
        theirs = scanned(door, "paula")
        reject(service, theirs, words)
        service.resume_thread(theirs.approval_id)
        thread_id = door.post("/v1/threads", "pat").json()["thread_id"]
        answers = {question: door.converse(question, "pat", thread_id)["words"] for question in QUESTIONS}
        moved = scanned(door, "paula", SECRET_SKU)
        approve(service, moved)
        service.resume_thread(moved.approval_id)
        for order in orders(service, moved):
            service.note_doubt(order.transfer_id, TELLING)
        last = scanned(door, "paula")
        question = {"words": f"Why {SECRET_SKU} to {FAR_SITE}, and why line 1?"}
        assert door.post(f"/v1/approvals/{last.approval_id}/comments", "ada", question).json()["comments"][1:]
        answers["status"] = door.converse("status", "pat")["words"]
        answers |= {guess: door.converse(guess, "pia")["words"] for guess in GUESSES}
        with service.database.transaction() as session:
            requests = session.exec(select(ApprovalRequest)).all()
        yield Scene(door, sorted({r.plan_digest for r in requests}), [r.approval_id for r in requests], answers)


def scanned(door: Door, by: str, *skus: str) -> ApprovalRequest:
    """The request that a scan of theirs has put into the queue."""
    run_id = door.post("/v1/scans", by, {"request": {"scope": {"skus": skus}}}).json()["run_id"]
    thread_id = door.finish(run_id, by)["thread_id"]
    with door.service.database.transaction() as session:
        query = select(ApprovalRequest).where(
            ApprovalRequest.thread_id == thread_id, col(ApprovalRequest.status) == ApprovalStatus.PENDING
        )
        return session.exec(query).one()


def everything_shown_to(scene: Scene, by: str) -> dict[str, str]:
    """The body of every GET there is, by its path."""
    door = scene.door
    with door.service.database.transaction() as session:
        runs = [str(run.run_id) for run in session.exec(select(Run)).all()]
    ids: dict[str, list[str]] = {
        "digest": scene.plans, "approval_id": [str(each) for each in scene.approvals], "run_id": runs,
        "thread_id": [thread["thread_id"] for thread in door.get("/v1/threads", by).json()],
        "transfer_id": [str(order.transfer_id) for order in orders(door.service)], "position": ["0", "1"],
        "subscription_id": [str(uuid4())], "name": ["ledger-event.v1"],
    }  # fmt: skip
    paths = ["/healthz", "/readyz", "/v1/openapi.json"]
    for route in ROUTES:
        if route.method == "GET":
            name = route.path.partition("{")[2].partition("}")[0]
            paths += [route.path.format(**{name: each}) for each in ids[name]] if name else [route.path]
    paths += [f"/v1/approvals?status={status}" for status in ApprovalStatus]
    shown = {path: door.get(path, by).text for path in paths}
    shown["/"] = door.get("/", by).text
    return shown


def plans_in(shown: dict[str, str]) -> list[dict[str, Any]]:
    """The plans among what was shown."""
    return [json.loads(text) for path, text in shown.items() if re.fullmatch(r"/v1/plans/[0-9a-f]{64}", path)]


@pytest.fixture(scope="module")
def shown_to_pat(scene: Scene) -> dict[str, str]:
    """All that a planner of two sites without clearance gets to see."""
    return everything_shown_to(scene, "pat")


def test_there_are_secrets_to_be_told_and_who_may_see_them_does(scene: Scene) -> None:
    shown = everything_shown_to(scene, "paula")
    for path in ("/v1/imbalances", "/v1/approvals", "/v1/approvals?status=rejected", "/v1/orders", "/"):
        assert FAR_SITE in shown[path], path
    assert all(secret.lower() in shown["/v1/approvals?status=rejected"].lower() for secret in SECRETS)
    assert all(secret.lower() in shown["/v1/orders"].lower() for secret in SECRETS)
    assert [text for path, text in shown.items() if path.startswith("/v1/plans/") and told(text)]
    assert SECRET_SKU in scene.door.get("/v1/ledger/events?limit=1000", "otto").text
    assert FAR_SITE in scene.door.get("/v1/signals", "otto").text


def test_no_answer_of_any_route_names_what_is_kept_from_a_planner(shown_to_pat: dict[str, str]) -> None:
    assert {path: told(text) for path, text in shown_to_pat.items() if told(text)} == {}
    assert len(shown_to_pat) > 40


def test_no_answer_of_any_route_names_what_is_kept_from_somebody_with_every_role(scene: Scene) -> None:
    shown = everything_shown_to(scene, "otis")
    assert {path: told(text) for path, text in shown.items() if told(text)} == {}
    for path in ("/v1/signals", "/v1/ledger/events", "/v1/ledger/verification"):
        assert json.loads(shown[path])["code"] == "scope"


def test_what_is_kept_goes_by_its_alias_or_by_no_name(shown_to_pat: dict[str, str]) -> None:
    alias = alias_of(SECRET_SKU)
    assert alias in shown_to_pat["/v1/imbalances"]
    assert alias in shown_to_pat["/"]
    rows = json.loads(shown_to_pat["/v1/orders"])
    assert {(order["sku_id"], order["origin"], order["destination"]) for order in rows} == {
        (alias, "S1", "S2"), (alias, "S1", ELSEWHERE),
    }  # fmt: skip
    attention = {order["attention"] for order in rows}
    assert attention == {f"{alias} ({alias}) is counted at {ELSEWHERE}; ask {ELSEWHERE}, not S2 about P1."}


def test_an_approvers_reason_is_shown_without_what_is_kept(shown_to_pat: dict[str, str]) -> None:
    alias = alias_of(SECRET_SKU)
    rejected = json.loads(shown_to_pat["/v1/approvals?status=rejected"])
    assert len(rejected) == 2
    for row in rejected:
        assert row["rejection"]["skus"] == [alias, "P1"]
        assert row["rejection"]["sites"] == [ELSEWHERE, "S2"]
        assert row["rejection"]["words"].endswith(f"ask {ELSEWHERE}, not S2 about P1.")


def test_a_plan_shows_its_lines_at_the_callers_sites_and_counts_the_others(
    scene: Scene, shown_to_pat: dict[str, str]
) -> None:
    shown = plans_in(shown_to_pat)
    assert len(shown) == len(scene.plans) >= 3
    for plan in shown:
        whole = scene.door.get(f"/v1/plans/{plan['digest']}", "paula").json()
        assert len(plan["lines"]) + plan["lines_hidden"] == len(whole["lines"])
        assert {line["sku_name"] for line in plan["lines"]} <= {"SKU P1", "(masked)"}
        assert all({line["origin"], line["destination"]} & {"S1", "S2"} for line in plan["lines"])
        assert (plan["request"], plan["negotiation"]) == ({}, {})
        assert plan["units"] == whole["units"]
        assert (whole["request"], whole["negotiation"]) != ({}, {})


def test_no_imbalance_of_another_site_is_listed_or_counted(shown_to_pat: dict[str, str]) -> None:
    found = json.loads(shown_to_pat["/v1/imbalances"])
    assert {row["site_id"] for row in found["imbalances"]} == {"S1", "S2"}
    assert sum(found["counts"].values()) == len(found["imbalances"])


@pytest.mark.parametrize("question", [*QUESTIONS, *GUESSES])
def test_no_answer_in_a_conversation_names_more_than_the_planner_did(scene: Scene, question: str) -> None:
    answer = scene.answers[question]
    assert answer
    assert [secret for secret in told(answer) if secret.lower() not in question.lower()] == []


def test_a_masked_sku_can_be_talked_about_under_its_alias(scene: Scene) -> None:
    alias = alias_of(SECRET_SKU)
    assert alias in scene.answers["what is short"]
    assert alias in scene.answers["rebalance everything"]
    assert f"{alias} at S1: 400 available" in scene.answers[f"how much {alias} is at S1"]
    assert f"Did you mean {alias}?" in scene.answers[f"how much {alias[:-1]}x is at S1"]


def test_a_hidden_site_is_answered_like_one_that_does_not_exist(scene: Scene) -> None:
    hidden, unknown = (scene.door.converse(f"send P1 to {name}", "pat")["words"] for name in (FAR_SITE, "FOO-9"))
    assert hidden.replace(FAR_SITE, "…") == unknown.replace("FOO-9", "…")
    texts = []
    for name in (FAR_SITE, "FOO-9"):
        scope = {"scope": {"destinations": [name], "skus": ["P1"]}}
        run_id = scene.door.post("/v1/scans", "pat", {"request": scope}).json()["run_id"]
        texts.append(scene.door.finish(run_id, "pat")["words"])
    assert texts[0] == texts[1]


@pytest.mark.parametrize(("submit", "speaker"), [(False, "presenter"), (True, "reporter")])
def test_the_words_of_rules_are_masked_whoever_speaks_them(scene: Scene, submit: bool, speaker: str) -> None:
    """Rules name SKUs and sites in their sentences, and a sentence is passed on when a plan breaks the rule."""
    service = scene.door.service
    thread_id = UUID(scene.door.converse("rebalance everything", "pat")["thread_id"])
    violation = {"rule": "size", "words": f"Line 1: {TELLING}", "numbers": {}, "line_nos": [1]}
    config = {"configurable": {"thread_id": str(thread_id)}}
    state = {"violations": [violation], "outcome": "violated", "submit": submit, "call_id": "call_9", "note": TELLING}
    graph = service.driver._graph
    graph.update_state(config, state, as_node="negotiator")  # type: ignore[arg-type]  # a plain dict is a configuration
    assert graph.get_state(config).next == (speaker,)  # type: ignore[arg-type]  # a plain dict is a configuration
    context = service.driver._context(thread_id, uuid4(), PAT)
    graph.invoke(None, config, context=context, durability="sync")  # type: ignore[arg-type]  # a plain dict is a configuration
    messages = graph.get_state(config).values["messages"]  # type: ignore[arg-type]  # a plain dict is a configuration
    spoken = json.dumps([str(message.content) for message in messages])
    assert told(spoken) == []
    assert f"{alias_of(SECRET_SKU)} ({alias_of(SECRET_SKU)}) is counted at {ELSEWHERE}" in spoken
    assert "Line 1:" in scene.door.get(f"/v1/threads/{thread_id}", "pat").text


def test_a_plan_made_before_their_sites_were_narrowed_is_neither_explained_nor_submitted(
    scene: Scene,
) -> None:
    thread_id = scene.door.converse("rebalance everything", "pat")["thread_id"]
    assert "S1" in scene.door.converse("why", "pat", thread_id)["words"]
    narrow(scene.door.service, ["S2"])
    try:
        for words in ("why", "submit"):
            answer = scene.door.converse(words, "pat", thread_id)
            assert (answer["status"], "outside your sites" in answer["words"]) == ("done", True)
            assert "S1" not in answer["words"]
    finally:
        narrow(scene.door.service, ["S1", "S2"])


def narrow(service: Service, sites: list[str]) -> None:
    """Give Pat other sites."""
    with service.database.transaction() as session:
        session.get_one(Person, "pat").sites = sites


def test_a_sku_that_becomes_sensitive_is_masked_in_what_was_planned_before(door: Door) -> None:
    request = door.pending
    approve(door.service, request)
    import_into(door.service, a_network(skus=(a_sku("P1", sensitive=True), a_sku("P2"))))
    plan = door.get(f"/v1/plans/{request.plan_digest}", "vera").json()
    rows = door.get("/v1/orders", "vera").json()
    assert {line["sku_id"] for line in plan["lines"]} == {row["sku_id"] for row in rows} == {alias_of("P1"), "P2"}


def test_clearance_alone_does_not_widen_the_sites_nor_the_other_way_round(scene: Scene) -> None:
    door = scene.door
    door.admit(person("cleo", Role.VIEWER, sites=frozenset({"S1", "S2"})))
    door.admit(person("walt", Role.VIEWER, sees_sensitive=False))
    cleo, walt = door.get("/v1/orders", "cleo").text, door.get("/v1/orders", "walt").text
    assert set(told(cleo)) == {SECRET_SKU, SECRET_NAME}
    assert set(told(walt)) == {FAR_SITE, FAR_NAME}


def test_whoever_receives_is_not_told_where_goods_come_from_unless_it_is_their_site(scene: Scene) -> None:
    door = scene.door
    door.admit(person("sid", Role.VIEWER, sites=frozenset({"S2"}), sees_sensitive=False))
    rows = door.get("/v1/orders", "sid").json()
    assert {(row["origin"], row["destination"]) for row in rows} == {(ELSEWHERE, "S2")}
    shown = everything_shown_to(scene, "sid")
    lines = [line for plan in plans_in(shown) for line in plan["lines"]]
    assert {(line["origin"], line["destination"]) for line in lines} == {(ELSEWHERE, "S2")}
    assert [path for path, text in shown.items() if "S1" in text or told(text)] == []


def test_what_lies_outside_is_not_there_for_acting_either(scene: Scene) -> None:
    """A decision on a request that is partly in scope is refused without the names of the rest."""
    door = scene.door
    (row,) = [row for row in door.get("/v1/approvals", "paula").json() if FAR_SITE in row["sites"]]
    body = {"verdict": "approve", "plan_digest": row["plan_digest"]}
    answer = door.post(f"/v1/approvals/{row['approval_id']}/decision", "otis", body)
    problem_of(answer, 403, "scope")
    assert told(answer.text) == []


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("VX-77 at FAR-9.", "{alias} at (elsewhere)."),
        ("vx-77/far-9: midnight elixir", "{alias}/(elsewhere): {alias}"),
        ("5 VX-77 S1→FAR-9 by van", "5 {alias} S1→(elsewhere) by van"),
        ("XVX-77 and VX-771 are others", "XVX-77 and VX-771 are others"),
        ("nothing of it: P1, S1", "nothing of it: P1, S1"),
        ("", ""),
    ],
)
def test_words_are_read_with_ids_and_names_in_any_case_and_whole(text: str, read: str) -> None:
    snapshot = a_snapshot(
        sites=(a_site("S1"), a_site("S2"), a_site(FAR_SITE, name=FAR_NAME)),
        skus=(a_sku("P1"), a_sku(SECRET_SKU, name=SECRET_NAME, sensitive=True)),
    )
    names = Names(snapshot, frozenset({"S1", "S2"}), sees_sensitive=False)
    assert names.words(text) == read.format(alias=alias_of(SECRET_SKU))
    assert Names(snapshot, None, sees_sensitive=True).words(text) == text
