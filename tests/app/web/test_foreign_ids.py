"""Ids of others at every route: whoever is not meant to know of a thing is told what they would be told if it were not there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import uuid4

import pytest
from sqlmodel import select

from app.approvals.tables import Delegation
from app.auth.keys import KeyGrant, add_key
from app.auth.people import principal_of
from app.auth.roles import Act, Role
from app.db.database import database_now
from app.orders.tables import ErpDifference
from app.threads.tables import Run
from tests.app.web.door import FERN, ROUTES, SDK_ROUTES, Door, Route, written
from tests.installation import approve, orders, person
from tools.reconcile import Correction, DifferenceKind

TELLING = ("S1", "S2", "P1", "P2", "paula", "ada", "bob", "pending", "approved")
THINGS = frozenset(
    ("thread_id", "run_id", "digest", "approval_id", "transfer_id", "delegation_id", "difference_id", "checkpoint_id",
     "subscription_id", "stop_id")
)  # fmt: skip
"""What ids in paths stand for. Some of these are for operators who see everything, and need not exist here to be refused."""
NUMBERED = frozenset(("assistant_id", "position", "name"))
"""What anybody may count or name."""


def named(route: Route) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", route.path))


BY_ID = [route for route in (*ROUTES, *SDK_ROUTES) if named(route) & THINGS]
FOREIGNERS = ("fern", "nightly")
"""Every role at another site, and a program of hers with every act that a key may have."""


def test_a_plan_of_others_that_waits_is_answered_like_one_that_does_not_exist(house: Door) -> None:
    request = house.pending
    ids = {name: str(uuid4()) for name in THINGS} | {
        "thread_id": str(request.thread_id), "approval_id": str(request.approval_id), "digest": request.plan_digest,
    }  # fmt: skip
    nobodys = {name: uuid4().hex * 2 if name == "digest" else str(uuid4()) for name in ids}
    waits = Foreign(house, ids)
    for route in BY_ID:
        assert asked(waits, route, "fern", ids) == asked(waits, route, "fern", nobodys), route
    assert house.pending.approval_id == request.approval_id


@dataclass(frozen=True)
class Foreign:
    """A door behind which others have a thread, a run, a plan, a request, orders, a delegation and a difference of the ERP."""

    door: Door
    ids: dict[str, str]


@pytest.fixture(scope="module")
def foreign(house: Door) -> Foreign:
    service, request = house.service, house.pending
    approve(service, request)
    order = orders(service)[0]
    with service.database.transaction() as session:
        now = database_now(session)
        run = session.exec(select(Run).where(Run.thread_id == request.thread_id)).first()
        assert run is not None
        lent = Delegation(
            delegation_id=uuid4(), delegator="ada", delegate="bob", starts_at=now, ends_at=now.replace(year=now.year + 1),
            away=False, reason="P1 at S1",
        )  # fmt: skip
        differs = ErpDifference(
            difference_id=uuid4(), reference=str(order.transfer_id), kind=next(iter(DifferenceKind)),
            words="S1 and S2 differ in P1", correction=next(iter(Correction)), found_at=now,
        )  # fmt: skip
        session.add_all((lent, differs))
        fern = principal_of(session, FERN.user_id)
        assert fern is not None
        acts = [act for act in Act if act not in (Act.DECIDE, Act.APPROVE, Act.GOVERN, Act.MANAGE_PEOPLE)]
        made = add_key(session, fern, KeyGrant("nightly", acts, None, sees_sensitive=False, days=1), by="adam")
    house.tokens["nightly"] = made.secret
    ids = {name: str(uuid4()) for name in THINGS} | {
        "thread_id": str(request.thread_id), "run_id": str(run.run_id), "digest": request.plan_digest,
        "approval_id": str(request.approval_id), "transfer_id": str(order.transfer_id),
        "delegation_id": str(lent.delegation_id), "difference_id": str(differs.difference_id),
    }  # fmt: skip
    return Foreign(house, ids)


def asked(foreign: Foreign, route: Route, by: str, ids: dict[str, str]) -> tuple[int, str]:
    """Status and words of the answer, with the ids taken out."""
    path = route.path.format(**ids)
    content = {} if route.body is None else {"json": route.body}
    answer = foreign.door.ask(route.method, path, by, **content)
    text = answer.text
    for name, value in ids.items():
        text = text.replace(value, f"<{name}>").replace(value[:12], f"<{name}>")
    return answer.status_code, re.sub(r'"trace_id":"[0-9a-f]+"', "", text)


@pytest.mark.parametrize("by", FOREIGNERS)
@pytest.mark.parametrize("route", BY_ID, ids=lambda route: f"{route.method} {route.path}")
def test_an_id_of_others_is_answered_like_one_that_does_not_exist(foreign: Foreign, route: Route, by: str) -> None:
    before = written(foreign.door.service)
    nobodys = {name: uuid4().hex * 2 if name == "digest" else str(uuid4()) for name in foreign.ids}
    status, words = asked(foreign, route, by, foreign.ids)
    assert status in (403, 404) or (status, route.path) == (409, "/threads/{thread_id}/state"), words
    assert (status, words) == asked(foreign, route, by, nobodys)
    assert [secret for secret in TELLING if re.search(rf"\b{secret}\b", words)] == []
    refusals = {name: rows for name, rows in written(foreign.door.service).items() if rows != before[name]}
    assert set(refusals) <= {"ledger_event"}  # that somebody tried is kept


def test_every_id_that_a_path_takes_is_known_here() -> None:
    assert {name for route in (*ROUTES, *SDK_ROUTES) for name in named(route)} <= THINGS | NUMBERED


def test_the_owners_of_these_ids_are_answered(foreign: Foreign) -> None:
    """Otherwise the ids would not have been theirs."""
    for route, by in (
        ("/v1/threads/{thread_id}", "paula"), ("/v1/runs/{run_id}", "paula"), ("/v1/plans/{digest}", "vera"),
        ("/v1/approvals/{approval_id}", "ada"), ("/threads/{thread_id}/runs/{run_id}", "paula"),
    ):  # fmt: skip
        assert foreign.door.get(route.format(**foreign.ids), by).status_code == 200, route


@pytest.mark.parametrize(
    "path", sorted({route.path for route in ROUTES if route.method == "GET" and "{" not in route.path})
)
@pytest.mark.parametrize("by", FOREIGNERS)
def test_what_is_listed_lists_nothing_of_others(foreign: Foreign, path: str, by: str) -> None:
    answer = foreign.door.get(path, by)
    assert answer.status_code in (200, 403), path
    assert [secret for secret in ("S1", "S2", *foreign.ids.values()) if re.search(rf"\b{secret}\b", answer.text)] == []


def test_threads_are_their_owners_even_among_people_who_see_everything(foreign: Foreign) -> None:
    foreign.door.admit(person("pete", *Role))
    for path in ("/v1/threads/{thread_id}", "/v1/runs/{run_id}", "/v1/runs/{run_id}/events"):
        assert foreign.door.get(path.format(**foreign.ids), "pete").status_code == 404
