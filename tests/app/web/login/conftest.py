"""A real provider over HTTP, a service that knows it, and a browser that nobody is logged in with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from app.service import Service
from evals.databases import Servers
from tests.app.auth.provider import CLIENT, SECRET, Provider, provider_listening
from tests.app.auth.signing import signing_key
from tests.app.web.conftest import Prepared, _copy
from tests.app.web.login.browsing import CLAIMS, HOME, Browser


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provider_listening() as listening:
        yield listening


@pytest.fixture(scope="module")
def service(
    provider: Provider, servers: Servers, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that knows the provider, and makes people of its claims."""
    changes = {
        "oidc_issuer": provider.address, "oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET),
        "public_url": HOME, "outbound_private_hosts": ("127.0.0.1",), "directory_people": "created",
        "directory_roles": ("stock-approvers=approver", "stock-viewers=viewer", "stock-viewers=planner"),
    }  # fmt: skip
    with _copy(servers, prepared, tmp_path_factory.mktemp("login"), **changes) as opened:
        yield opened


@pytest.fixture
def browser(service: Service, provider: Provider) -> Browser:
    """A browser that nobody is logged in with, and a provider that tells the truth."""
    provider.user, provider.says, provider.key, provider.calls_itself = (
        "sub-ada",
        dict(CLAIMS),
        signing_key("oidc-1"),
        None,
    )
    return Browser(service)
