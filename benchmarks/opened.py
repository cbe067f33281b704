"""A service on servers and a database of its own, and its door, for benchmarks of the whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from types import MappingProxyType

import uvicorn
from pydantic import SecretStr

from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal
from app.service import Service, open_service
from app.settings import Settings
from app.stock.importing import import_network
from app.ui.rendering import compile_templates
from app.web.main import create_app
from evals.databases import embedded_servers
from tools.network_folder import NetworkFolder, write_network


@contextmanager
def opened(network: NetworkFolder, *people: Principal) -> Iterator[Service]:
    """An open service with this network, pinned to its own day, and these people. The baseline answers."""
    with ExitStack() as stack:
        servers = stack.enter_context(embedded_servers())
        url = stack.enter_context(servers.fresh_database())
        chosen = Settings(data=Path(mkdtemp(prefix="evenkeel-bench-"))).model_copy(
            update={
                "database_url": SecretStr(url), "redis_url": SecretStr(servers.redis_url), "openai_api_key": None,
                "openai_base_url": None,
            }
        )  # fmt: skip
        service = stack.enter_context(open_service(chosen))
        with service.database.transaction() as session:
            import_network(session, write_network(network), SYSTEM, pin=True, size_limit_bytes=1 << 30)
            for person in people:
                add_person(session, person, by=SYSTEM)
        yield service


@contextmanager
def listening(service: Service, demo_people: Mapping[str, tuple[str, str]] = MappingProxyType({})) -> Iterator[str]:
    """The address at which the service is heard. `demo_people` sign in by one click."""
    app = create_app(service, demo_people)
    compile_templates()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, name="bench-server")
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
