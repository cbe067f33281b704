"""What holds for every tool: it says as of when, tells nobody what is kept from them, takes no nonsense, stays small, writes nothing."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.auth.roles import Principal, Role
from app.service import Service
from graphs.desk import AtDesk, answer_text
from graphs.desk.answering import ANSWER_CHARACTERS_MAX
from graphs.names import alias_of
from tests.builders import a_sku
from tests.graphs.conftest import FAR_NAME, FAR_SITE, PAT, SECRET_NAME, SECRET_SKU, SECRETS, Day, planned
from tests.installation import PAULA, a_network, import_into, person, settle_in
from tools.catalog import CATALOG, ProposePlan

OTIS = person("pat", *Role, sites=PAT.sites, sees_sensitive=False)
"""Pat with every role: the same is kept from them."""
STATUSES = ["pending", "approved", "rejected", "expired", "outrun", "withdrawn"]
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("find_imbalances", {"limit": 50}),
    ("find_imbalances", {"limit": 50, "rank_by": "units", "kinds": ["surplus", "shortage", "expiring", "stranded"]}),
    ("coverage", {"mentions": ["S1", "S2", "S3"], "limit": 50}),
    ("what_if", {"closed_lanes": ["S1->S2"], "without": ["P2"]}),
    ("what_if", {"demand_percent": 200, "supply_delay_days": 5, "service_level_percent": 99, "transport_budget": 1}),
    ("what_if", {"supply_delay_days": 9, "supply_delay_of": ["P1", "S2"]}),
    ("explain_line", {}),
    ("explain_plan", {"limit": 10}),
    ("explain_negotiation", {}),
    ("compare_plans", {"limit": 20}),
    ("explain_blocked", {"mentions": ["S2"]}),
    ("explain_blocked", {"mentions": ["S2", alias_of(SECRET_SKU)], "units_wanted": 500}),
    ("signal_quality", {"limit": 50}),
    ("status", {"limit": 50, "approval_statuses": STATUSES}),
    ("kpis", {}),
    ("policy", {}),
]


def test_every_tool_that_answers_is_among_the_calls() -> None:
    assert {name for name, _ in CALLS} == {tool.name for tool in CATALOG.values() if tool.answer is not None}


@pytest.mark.parametrize("caller", [PAT, OTIS, PAULA], ids=["scoped", "scoped with every role", "sees everything"])
def test_every_answer_says_as_of_when_is_small_and_tells_nothing_that_is_kept(day: Day, caller: Principal) -> None:
    desk, told = day.desk(caller), ""
    for name, arguments in CALLS:
        mine = dict(arguments)
        if caller is PAULA and alias_of(SECRET_SKU) in mine.get("mentions", ()):
            mine["mentions"] = ["S2", SECRET_SKU]
        said, refused = answer_text(desk, name, mine)
        assert not refused, (name, said)
        assert datetime.fromisoformat(json.loads(said)["as_of"]), name
        assert len(said) <= ANSWER_CHARACTERS_MAX, name
        told += said
    secrets = [secret for secret in SECRETS if secret.lower() in told.lower()]
    assert secrets == ([] if caller is not PAULA else [SECRET_SKU, SECRET_NAME, FAR_SITE])
    assert alias_of(SECRET_SKU) in told or caller is PAULA


MENTIONING = [
    ("find_imbalances", "mentions"), ("coverage", "mentions"), ("what_if", "mentions"), ("what_if", "without"),
    ("what_if", "demand_of"), ("what_if", "supply_delay_of"), ("explain_blocked", "mentions"), ("signal_quality", "mentions"), ("status", "sites"),
    ("kpis", "mentions"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "field"), MENTIONING)
def test_a_name_that_is_kept_is_answered_like_one_that_does_not_exist(day: Day, name: str, field: str) -> None:
    desk = day.desk(PAT)
    more = {"demand_of": {"demand_percent": 110}, "supply_delay_of": {"supply_delay_days": 3}}.get(field, {})
    for kept, unknown in ((SECRET_SKU, "QZ-31"), (FAR_SITE, "QZ-32"), (FAR_NAME, "Quartz Zed")):
        answers = [
            answer_text(desk, name, more | {field: [mention]}).text.replace(mention, "…") for mention in (kept, unknown)
        ]
        assert answers[0] == answers[1]
        assert "error" in json.loads(answers[0])


def test_a_plan_beyond_the_callers_sites_is_answered_like_one_that_does_not_exist(day: Day) -> None:
    desk = day.desk(PAT)
    assert FAR_SITE in day.far.sites
    for name, field in (
        ("explain_plan", "plan"), ("explain_line", "plan"), ("explain_negotiation", "plan"), ("compare_plans", "other"),
    ):  # fmt: skip
        answers = [
            answer_text(desk, name, {field: start}).text.replace(start[:12], "…")
            for start in (day.far.digest[:12], "0123456789ab", day.far.digest)
        ]
        assert answers[0] == answers[1] == answers[2]
        assert "error" in json.loads(answers[0])
    assert not answer_text(day.desk(PAULA), "explain_plan", {"plan": day.far.digest[:12]}).refused


def test_a_plan_made_for_every_site_is_not_shown_to_somebody_with_a_few_even_where_its_lines_are_theirs(
    day: Day,
) -> None:
    theirs = planned(day.world(PAULA), ProposePlan(from_sites=("S1",), to_sites=("S2",)))
    assert theirs.sites == {"S1", "S2"}
    assert answer_text(day.desk(PAT), "explain_plan", {"plan": theirs.digest}).refused


ABSURD: dict[str, object] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "huge": 10**30,
    "float": 5.0,
    "text": "5",
    "truth": True,
    "negative": -1,
    "list": [5],
    "object": {"units": 5},
    "lc": {"lc": 1, "type": "constructor", "id": ["os", "system"]},
}


@pytest.mark.parametrize("name", [name for name, tool in CATALOG.items() if tool.answer is not None])
def test_nonsense_is_refused_in_words_and_never_with_an_exception(day: Day, name: str) -> None:
    desk, fields = day.desk(PAT), CATALOG[name].arguments.model_json_schema()["properties"]
    numbers = [field for field, said in fields.items() if "integer" in json.dumps(said)]
    names = [
        field
        for field in fields
        if field in {"mentions", "without", "closed_lanes", "demand_of", "supply_delay_of", "sites"}
    ]
    bad: list[object] = [{field: value} for field in numbers for value in ABSURD.values()]
    bad += [{field: value} for field in names for value in ("P1", ["P1"] * 1_000, ["х" * 3], [""], ["P" * 81], [5])]
    bad += [{"approve": True}, {"__class__": "x"}, [], "P1", None, 7, {"limit": {"limit": {"limit": 1}}}]
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    bad += [{"mentions": deep}, {"mentions": ["P1" * 40] * 1_000}, {"x" * 1_000_000: 1}]
    for arguments in bad:
        said, refused = answer_text(desk, name, arguments)
        assert refused, (arguments, said)
        assert 10 < len(said) < 1_000, said[:2_000]


def test_a_tool_that_does_not_exist_or_forms_a_request_has_no_answer_here(day: Day) -> None:
    for name in (
        "approve_plan",
        "execute_transfer",
        "propose_plan",
        "submit_plan",
        "what_іf",
        "what_if ",
        "",
        "x" * 10**6,
    ):
        said, refused = answer_text(day.desk(), name, {})
        assert refused
        assert json.loads(said)["error"].startswith("there is no such tool; there are find_imbalances, ")


def test_a_sku_that_becomes_sensitive_or_is_gone_is_masked_in_what_was_planned_before(service: Service) -> None:
    pia = person("pia", Role.PLANNER, sees_sensitive=False)
    settle_in(service, a_network(skus=(a_sku("P1"), a_sku("P2", sensitive=True))), PAULA, pia)
    world = service.driver._context(uuid4(), uuid4(), pia).world
    before = planned(world, ProposePlan())
    after = a_network(
        {(site, "P1"): units for site, units in (("S1", 200), ("S2", 2), ("S3", 45))},
        skus=(a_sku("P1", sensitive=True),),
    )
    import_into(service, after)
    desk = AtDesk(world, before.digest)
    for name in ("explain_plan", "explain_line"):
        said, refused = answer_text(desk, name, {})
        assert not refused, said
        assert not re.search(r"\bP[12]\b", said), said
        assert {alias_of("P1"), alias_of("P2")} & set(re.findall(r"masked-\w+", said))


def rows_of_every_table(day: Day) -> dict[str, int]:
    """How many rows every table of every schema has."""
    with day.service.database.engine.connect() as connection:
        tables = connection.execute(
            text(
                "select format('%I.%I', table_schema, table_name) from information_schema.tables where table_type ="
                " 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
            )
        ).scalars()
        return {name: connection.execute(text(f"select count(*) from {name}")).scalar_one() for name in tables}


def test_no_tool_writes_a_row(day: Day) -> None:
    desks = [day.desk(caller) for caller in (PAT, PAULA)]
    for desk in desks:
        desk.names  # noqa: B018 - the facts of now are frozen once, by whoever asks first
    before = rows_of_every_table(day)
    assert sum(before.values()) > 100
    for desk in desks:
        for name, arguments in CALLS:
            answer_text(desk, name, arguments)
    assert rows_of_every_table(day) == before
