"""Settings: read from the environment once, bounded, secret where they have to be, and refused in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import SetUpError
from app.service import open_service
from app.settings import Settings, settings
from evals.databases import Servers
from tests.shell import free_port, without_ours


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without anything of ours, and settings that are read anew."""
    for name in set(os.environ) - set(without_ours()):
        monkeypatch.delenv(name)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def test_nothing_has_to_be_set(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.chdir(tmp_path)
    chosen = settings()
    assert (chosen.database_url, chosen.redis_url, chosen.has_llm) == (None, None, False)
    assert (chosen.host, chosen.port) == ("127.0.0.1", 8000)
    assert chosen.data_dir == tmp_path / ".evenkeel"


def test_every_setting_of_our_own_has_our_prefix_and_addresses_have_their_usual_names(
    environment: pytest.MonkeyPatch,
) -> None:
    for name, value in (
        ("EVENKEEL_DATA", "~/stock"), ("EVENKEEL_PORT", "9001"), ("EVENKEEL_ERP_RETRY_SECONDS", "0.5"),
        ("DATABASE_URL", "postgresql://db.example/stock"), ("REDIS_URL", "redis://redis.example"),
        ("OPENAI_BASE_URL", "http://llm.example/v1"), ("OPENAI_MODEL", "local-1"),
    ):  # fmt: skip
        environment.setenv(name, value)
    chosen = settings()
    assert chosen.data_dir == Path.home() / "stock"
    assert (chosen.port, chosen.erp_retry_seconds) == (9001, 0.5)
    assert chosen.database_url is not None
    assert chosen.database_url.get_secret_value() == "postgresql://db.example/stock"
    assert chosen.redis_url is not None
    assert (chosen.has_llm, chosen.openai_model) == (True, "local-1")


def test_the_names_of_others_are_left_alone(environment: pytest.MonkeyPatch) -> None:
    for name, value in (("PORT", "1"), ("HOST", "0.0.0.0"), ("DATA", "/"), ("EVENKEEL_TOKEN", "evk_x"), ("PWD", "/")):
        environment.setenv(name, value)
    assert (settings().host, settings().port) == ("127.0.0.1", 8000)


def test_settings_are_read_once(environment: pytest.MonkeyPatch) -> None:
    before = settings()
    environment.setenv("EVENKEEL_PORT", "9001")
    assert settings() is before


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY"])
def test_secrets_are_never_printed(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "postgresql://ada:hunter2@db.example/stock")
    assert "hunter2" not in f"{settings()} {settings()!r} {settings().model_dump()}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("EVENKEEL_PORT", "abc", "valid integer"),
        ("EVENKEEL_PORT", "0", "greater than or equal to 1"),
        ("EVENKEEL_PORT", "65536", "less than or equal to 65535"),
        ("EVENKEEL_WORKERS", "0", "greater than or equal to 1"),
        ("EVENKEEL_ERP_RETRY_SECONDS", "0", "greater than 0"),
        ("EVENKEEL_ERP_ATTEMPTS_MAX", "-1", "greater than or equal to 1"),
        ("EVENKEEL_LLM_RETRIES_MAX", "11", "less than or equal to 10"),
        ("EVENKEEL_TOKEN_DAYS_MAX", "x", "valid integer"),
        ("EVENKEEL_RUN_TOKENS_MAX", "0", "greater than or equal to 1"),
        ("EVENKEEL_LLM_PROMPT_PRICE_E4", "-1", "greater than or equal to 0"),
        ("EVENKEEL_LLM_CURRENCY", "dollars", "should match pattern"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(
    environment: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SetUpError, match=words) as refused:
        settings()
    assert refused.value.code == "settings"
    assert refused.value.detail.startswith(f"{name} does not make sense")
    assert refused.value.where == {"variable": name}
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("variable", "address", "code", "words"),
    [
        ("DATABASE_URL", "mysql://db.example/stock", "database_url", "is not the address of a PostgreSQL"),
        ("DATABASE_URL", "stock", "database_url", "is not the address of a PostgreSQL"),
        ("DATABASE_URL", "postgresql://db.example:port/stock", "database_url", "is not an address"),
        ("DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:{port}/stock", "database", "does not answer"),
        ("REDIS_URL", "stock", "redis_url", "is not the address of a Redis"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_its_password(
    servers: Servers, variable: str, address: str, code: str, words: str
) -> None:
    given = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
    given[variable] = address.format(port=free_port())
    with pytest.raises(SetUpError, match=words) as refused, open_service(Settings(**given)):  # type: ignore[arg-type]
        pass
    assert refused.value.code == code
    assert refused.value.remedy
    assert "hunter2" not in f"{refused.value}"


def test_the_address_of_the_database_may_be_written_in_any_usual_way(servers: Servers) -> None:
    with servers.fresh_database() as url:
        for scheme in ("postgresql", "postgres", "postgresql+psycopg"):
            address = url.replace("postgresql+psycopg", scheme, 1)
            chosen = Settings(DATABASE_URL=address, REDIS_URL=servers.redis_url)  # type: ignore[call-arg,arg-type]
            with open_service(chosen) as service, service.database.engine.connect() as connection:
                assert connection.dialect.driver == "psycopg"
