"""Every page there is, walked by everybody: whatever others have written is text, and what is kept from somebody is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from sqlmodel import select

import app.ui
from app.approvals.comments import comment
from app.approvals.tables import ApprovalRequest
from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal, Role
from app.db.database import database_now
from app.governance.state import activate_policy
from app.ledger.append import EventType, append
from app.plans.tables import PlanRow
from app.service import Service, open_service
from app.threads.runs import open_thread, say
from app.threads.tables import Door, Run, Thread
from app.ui.pages import PARTS
from evals.databases import Servers
from tests.app.ui.pages import Browsing, Markup
from tests.app.web.door import PEOPLE
from tests.app.web.test_scope_and_masking import (
    FAR_NAME,
    FAR_SITE,
    NEAR,
    SECRET_NAME,
    SECRET_SKU,
    a_network_with_secrets,
)
from tests.builders import a_site, a_sku
from tests.installation import (
    ADA,
    PAULA,
    a_network,
    approve,
    carry_out,
    import_into,
    orders,
    person,
    reject,
    scan,
    settings_on,
    waiting,
)
from tools.rejections import Rejection, RejectionCode
from tools.transfers import PlanRequest, Scope

SCRIPT = "<script>window.__xss=1</script>"
IMAGE = "<img src=x onerror=window.__xss=1>"
BROKEN = "'\"><svg onload=window.__xss=1>"
TEMPLATE = "{{7*7}}${7*7}"
WRITTEN = (SCRIPT, IMAGE, BROKEN, TEMPLATE)
CODED = RejectionCode.OTHER
PATHS = sorted(
    {
        route.path
        for part in PARTS
        for route in part.router.routes
        if isinstance(route, APIRoute) and "GET" in route.methods
    }
    - {"/live"}
)
ANSWERS = (200, 303, 403, 404, 422)
"""What a page may answer: itself, the way to another one, or a refusal in words."""
FILES = [path for path in PATHS if "{kind" in path]
TEMPLATES = Path(app.ui.__file__).parent / "templates"
WITHOUT_FILES = {
    "orders/order.html": 1,  # eight figures of one order, which the list's file has as well
    "queue/check.html": 1,  # an edit that is tried and stored nowhere
    "chat/plan_lines.html": 1,  # the card around it has them
}
"""How many tables of a template have no downloads of their own."""


@dataclass(frozen=True)
class House:
    """A service, and what stands for the parameters of addresses."""

    service: Service
    ids: dict[str, str]
    browsers: dict[str, Browsing] = field(default_factory=dict)

    def browser_of(self, who: str) -> Browsing:
        """Somebody's browser, which stays signed in."""
        if who not in self.browsers:
            self.browsers[who] = Browsing.of(self.service, who)
        return self.browsers[who]

    def address(self, path: str) -> str:
        """A path with its parameters filled in."""
        return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: self.ids[found[1]], path)


def _ids(service: Service, site_id: str, sku_id: str) -> dict[str, str]:
    with service.database.transaction() as session:
        thread = session.exec(select(Thread)).first()
        plan = session.exec(select(PlanRow)).first()
        assert thread is not None
        assert plan is not None
        run = session.exec(select(Run).where(Run.thread_id == thread.thread_id)).first()
        assert run is not None
        (order, *_) = orders(service)
        return {
            "thread_id": str(thread.thread_id), "digest": plan.digest, "approval_id": str(order.approval_id),
            "transfer_id": str(order.transfer_id), "site_id": site_id, "sku_id": sku_id, "kind_of_file": "csv",
            "turn_id": str(run.run_id), "line_no": "1",
            "position": "1", "older": "2026-01", "newer": "2026-11", "policy": "2026-01", "stream": "governance",
        }  # fmt: skip


def _live(service: Service) -> None:
    """A plan that is carried out, one that is rejected, one that waits, a conversation, and words of people on all of it."""
    scan(service, request=PlanRequest(scope=Scope(skus=("P1",))))
    (request,) = waiting(service)
    with service.database.transaction() as session:
        comment(session, ADA, request.approval_id, f"look {SCRIPT}")
    approve(service, request)
    carry_out(service, request)
    with service.database.transaction() as session:
        thread = open_thread(session, PAULA, Door.CHAT, f"{SCRIPT} {IMAGE}")
        run = say(session, PAULA, thread.thread_id, f"what is {SCRIPT} short at {IMAGE}?")
    service.driver.run(run.run_id)
    scan(service, request=PlanRequest(scope=Scope(skus=("P2",))))
    (request,) = waiting(service)
    reject(service, request, Rejection(code=CODED, words=f"no {BROKEN}"))
    with service.database.transaction() as session:
        activate_policy(session, "2026-11", "otto", f"because {SCRIPT}")
        append(
            session, stream=f"signals/{SCRIPT}", key="signal/1", event_type=EventType.SIGNAL_QUARANTINED, actor=IMAGE
        )
    scan(service, request=PlanRequest())


@pytest.fixture(scope="module")
def hostile(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house in which every name and every word that people can write is an attack."""
    sites = tuple(a_site(f"S{number}", name=script) for number, script in enumerate(WRITTEN[:3], 1))
    skus = tuple(a_sku(f"P{number}", name=script, category=script[:40]) for number, script in enumerate(WRITTEN, 1))
    stock = {(site.site_id, sku.sku_id): {"S1": 300, "S2": 1, "S3": 40}[site.site_id] for site in sites for sku in skus}
    with (
        servers.fresh_database() as url,
        open_service(settings_on(servers, url, tmp_path_factory.mktemp("hostile"))) as service,
    ):
        import_into(service, a_network(stock, dict.fromkeys(stock, 3.0), skus=skus, sites=sites))
        with service.database.transaction() as session:
            for each in PEOPLE:
                add_person(session, Principal(each.user_id, f"{each.name} {SCRIPT}", each.roles, each.sites, each.sees_sensitive), by=SYSTEM)  # fmt: skip
        _live(service)
        yield House(service, _ids(service, "S1", "P1"))


@pytest.fixture(scope="module")
def secretive(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with a SKU that is masked and a site far away, and somebody from whom both are kept."""
    with (
        servers.fresh_database() as url,
        open_service(settings_on(servers, url, tmp_path_factory.mktemp("secret"))) as service,
    ):
        import_into(service, a_network_with_secrets())
        with service.database.transaction() as session:
            for each in (*PEOPLE, person("vera", Role.VIEWER, **NEAR), person("otto", *Role, **NEAR)):
                add_person(session, each, by=SYSTEM)
        scan(service)
        (request,) = waiting(service)
        with service.database.transaction() as session:
            comment(session, ADA, request.approval_id, f"{SECRET_SKU} ({SECRET_NAME}) of {FAR_SITE}, {FAR_NAME}")
        approve(service, request)
        carry_out(service, request)
        scan(service)
        yield House(service, _ids(service, "S1", "P1"))


def test_every_page_is_walked(hostile: House) -> None:
    assert len(PATHS) >= 20
    for path in PATHS:
        hostile.address(path)


@pytest.mark.parametrize("path", PATHS)
def test_whatever_people_have_written_is_text(hostile: House, path: str) -> None:
    for who, fragments in (("otto", (False, True)), ("ada", (False,)), ("paula", (True,))):
        for fragment in fragments:
            answer = hostile.browser_of(who).answer(hostile.address(path), fragment=fragment)
            assert answer.status_code in ANSWERS, (who, answer.text[:500])
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            if answer.headers.get("content-type", "").startswith("text/html"):
                page = Markup(answer.text)
                assert page.foreign == [], who
                for script in (SCRIPT, IMAGE):
                    assert script not in answer.text, who


def test_what_people_have_written_can_be_read(hostile: House) -> None:
    """Otherwise the walk would prove nothing: the words are on the pages, as text."""
    seen = " ".join(
        Markup(hostile.browser_of(who).answer(hostile.address(path)).text).text
        for who in ("otto", "paula") for path in PATHS if path not in FILES
    )  # fmt: skip
    with hostile.service.database.transaction() as session:
        requests = session.exec(select(ApprovalRequest.approval_id)).all()
    seen += " ".join(hostile.browser_of("ada").get(f"/queue/{each}").text for each in requests)
    for words in (SCRIPT, IMAGE, BROKEN, f"look {SCRIPT}", f"no {BROKEN}", f"because {SCRIPT}", TEMPLATE):
        assert " ".join(words.split()) in seen, words


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("who", ["vera", "otto"])
def test_what_is_kept_from_somebody_is_on_no_page(secretive: House, who: str, path: str) -> None:
    browsing = secretive.browser_of(who)
    for ids in ({}, {"site_id": FAR_SITE, "sku_id": SECRET_SKU}):
        answer = browsing.answer(replace(secretive, ids=secretive.ids | ids).address(path))
        assert answer.status_code in ANSWERS, answer.text[:500]
        asked_for = {FAR_SITE, SECRET_SKU} if ids else set()
        for secret in {SECRET_SKU, SECRET_NAME, FAR_SITE, FAR_NAME} - (
            asked_for if answer.status_code != 200 else set()
        ):
            assert secret not in answer.text, secret


@pytest.mark.parametrize("path", PATHS)
def test_ids_that_are_nobodys_are_not_found_and_nonsense_is_refused_in_words(hostile: House, path: str) -> None:
    if "{" not in path:
        return
    otto = hostile.browser_of("otto")
    nobody = {
        "thread_id": str(UUID(int=7)), "digest": "0" * 64, "approval_id": str(UUID(int=7)), "transfer_id": str(UUID(int=7)),
        "site_id": "NOWHERE", "sku_id": "NOTHING", "line_no": "99999", "position": "999999999", "older": "1999-01",
        "newer": "1999-02", "policy": "1999-01", "stream": "nothing", "turn_id": str(UUID(int=7)),
    }  # fmt: skip
    named = set(re.findall(r"\{(\w+)", path)) - {"kind_of_file"}
    if named:
        answer = otto.answer(replace(hostile, ids=hostile.ids | nobody).address(path))
        assert answer.status_code in (404, 422), (path, answer.status_code)
        assert "What to do" in answer.text or answer.headers["content-type"] == "application/problem+json"
    answer = otto.answer(re.sub(r"\{\w+(?::\w+)?\}", "%3Cb%3E", path))
    assert answer.status_code in (403, 404, 422), path
    assert Markup(answer.text).foreign == []


def test_every_table_has_downloads() -> None:
    for template in TEMPLATES.rglob("*.html"):
        name, words = template.relative_to(TEMPLATES).as_posix(), template.read_text(encoding="utf-8")
        assert words.count("<table") <= words.count("parts.downloads(") + WITHOUT_FILES.get(name, 0), name


def test_whatever_a_page_offers_for_download_is_a_file_with_a_head(hostile: House) -> None:
    offered: dict[str, str] = {}
    for who in ("adam", "otto", "ada", "paula"):
        for path in PATHS:
            if path in FILES:
                continue
            answer = hostile.browser_of(who).answer(hostile.address(path))
            links = (
                Markup(answer.text).all("a") if answer.headers.get("content-type", "").startswith("text/html") else []
            )
            hrefs = (link.attributes["href"] or "" for link in links if "download" in link.attributes)
            offered |= {href: who for href in hrefs if href not in offered}
    for href, who in offered.items():
        answer = hostile.browser_of(who).answer(href)
        assert answer.status_code == 200, href
        name = answer.headers["content-disposition"]
        assert re.fullmatch(rf'attachment; filename="[A-Za-z0-9._-]+-{_today(hostile)}\.(csv|xlsx)"', name), (
            href,
            name,
        )
    assert len(offered) >= 40


def _today(house: House) -> str:
    """The day by the clock that files are named by."""
    with house.service.database.transaction() as session:
        return database_now(session).date().isoformat()
