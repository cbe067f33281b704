"""What tests of the command line share: an office where a plan waits or goods are under way, and a shell on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from app.auth.people import issue_token
from app.auth.roles import Role
from app.service import Service, open_service
from app.settings import Settings
from evals.databases import Servers
from tests.installation import (
    ADA,
    BOB,
    OTTO,
    PAULA,
    VERA,
    a_network,
    approve,
    carry_out,
    orders,
    person,
    settle_in,
    submitted,
    waiting,
)
from tests.shell import Said, Shell

PEOPLE = (PAULA, ADA, BOB, OTTO, VERA, person("adam", Role.ADMIN))


@dataclass(frozen=True)
class Prepared:
    """A database to copy for each test, and the tokens of its people."""

    name: str
    tokens: dict[str, str]
    approval_id: UUID
    plan_digest: str


@dataclass(frozen=True)
class Office:
    """One test's copy of a prepared database, and a shell on it."""

    prepared: Prepared
    settings: Settings
    shell: Shell

    def __call__(self, *arguments: object, by: str | None = "otto") -> Said:
        """A command in somebody's name; with `by=None` in nobody's."""
        return self.shell(*arguments, token=None if by is None else self.prepared.tokens[by])

    @contextmanager
    def service(self) -> Iterator[Service]:
        """The service behind the shell, to look into."""
        with open_service(self.settings) as opened:
            yield opened

    @property
    def request(self) -> UUID:
        """The approval request of Paula's plan."""
        return self.prepared.approval_id

    @property
    def plan(self) -> str:
        """The digest of Paula's plan."""
        return self.prepared.plan_digest


@pytest.fixture(scope="session")
def with_plan_waiting(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A database where a plan of Paula's waits for a decision."""
    with servers.fresh_database() as url:
        with open_service(_settings(servers, url, tmp_path_factory.mktemp("waiting"))) as service:
            settle_in(service, a_network(), *PEOPLE)
            request = submitted(service)
            with service.database.transaction() as session:
                tokens = {each.user_id: issue_token(session, each.user_id, 30) for each in PEOPLE}
        yield Prepared(_name(url), tokens, request.approval_id, request.plan_digest)


@pytest.fixture(scope="session")
def with_goods_under_way(
    servers: Servers, with_plan_waiting: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    """The same after Ada has approved: every transfer order has shipped."""
    with servers.fresh_database(with_plan_waiting.name) as url:
        with open_service(_settings(servers, url, tmp_path_factory.mktemp("shipped"))) as service:
            (request,) = waiting(service)
            approve(service, request)
            carry_out(service, request)
            assert {order.state for order in orders(service)} == {"shipped"}
        yield Prepared(_name(url), with_plan_waiting.tokens, request.approval_id, request.plan_digest)


@pytest.fixture
def office(servers: Servers, with_plan_waiting: Prepared, open_office: Callable[..., Office]) -> Iterator[Office]:
    """A network, people, and a plan that waits."""
    with servers.fresh_database(with_plan_waiting.name) as url:
        yield open_office(with_plan_waiting, url)


@pytest.fixture
def dock(servers: Servers, with_goods_under_way: Prepared, open_office: Callable[..., Office]) -> Iterator[Office]:
    """The office once the goods are under way."""
    with servers.fresh_database(with_goods_under_way.name) as url:
        yield open_office(with_goods_under_way, url)


@pytest.fixture
def shared_office(servers: Servers, with_plan_waiting: Prepared, open_office: Callable[..., Office]) -> Office:
    """The office itself, for tests that only ask, or are refused."""
    return open_office(with_plan_waiting, servers.named(with_plan_waiting.name))


@pytest.fixture
def shared_dock(servers: Servers, with_goods_under_way: Prepared, open_office: Callable[..., Office]) -> Office:
    """The dock itself, for tests that only ask, or are refused."""
    return open_office(with_goods_under_way, servers.named(with_goods_under_way.name))


@pytest.fixture
def open_office(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Office]:
    """Opens a shell on a database."""

    def opened(prepared: Prepared, url: str) -> Office:
        environment = {
            "DATABASE_URL": url,
            "REDIS_URL": servers.redis_url,
            "EVENKEEL_DATA": str(tmp_path / "data"),
            "EVENKEEL_ERP_RETRY_SECONDS": "0.02",
        }
        return Office(prepared, _settings(servers, url, tmp_path), Shell(monkeypatch, capsys, environment))

    return opened


def _settings(servers: Servers, url: str, data: Path) -> Settings:
    return Settings(
        data=data, database_url=SecretStr(url), redis_url=SecretStr(servers.redis_url), erp_retry_seconds=0.02,
        openai_api_key=None, openai_base_url=None,
    )  # fmt: skip


def _name(url: str) -> str:
    name = make_url(url).database
    assert name is not None
    return name
