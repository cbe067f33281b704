"""Two replicas behind one address: a conversation goes on while one of them is killed in the middle of an answer."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import make_url

from app.service import open_service
from evals.databases import Servers
from tests.app.web.door import tokens_of
from tests.browser.replicas import behind_one_address
from tests.browser.test_chat import PATIENT, say
from tests.installation import settings_on
from tests.shell import Serving, serving
from tests.vendor import MODEL, the_end, words

SAID = ("The first half of the answer. ", "And the second half of it.")


@contextmanager
def slow_vendor(go_on: threading.Event) -> Iterator[str]:
    """A language model over real HTTP that stops in the middle of each answer until it is let go on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            with suppress(OSError):  # whoever asked is dead
                for number, event in enumerate([*map(words, SAID), the_end()]):
                    if number == 1:
                        go_on.wait(PATIENT / 1000)
                    self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                    self.wfile.flush()
                self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@pytest.mark.timeout(300)
def test_the_killed_replica_takes_nothing_with_it(
    servers: Servers, settled: str, tmp_path: Path, visit: Callable[..., Page]
) -> None:
    go_on = threading.Event()
    with ExitStack() as stack:
        url = stack.enter_context(servers.fresh_database(settled))
        with open_service(settings_on(servers, url, tmp_path / "data")) as service:
            token = tokens_of(service, "paula")["paula"]
        environment = {
            "DATABASE_URL": make_url(url).render_as_string(hide_password=False), "REDIS_URL": servers.redis_url,
            "EVENKEEL_DATA": str(tmp_path / "data"), "OPENAI_API_KEY": "sk-scripted", "OPENAI_MODEL": MODEL,
            "OPENAI_BASE_URL": stack.enter_context(slow_vendor(go_on)),
        }  # fmt: skip
        replicas: list[Serving] = [stack.enter_context(serving(**environment)) for _ in range(2)]
        address, _ = stack.enter_context(behind_one_address([each.address for each in replicas]))
        page = visit(address, "paula", "/chat", token=token, expected=("ERR_", "Failed to load resource"))
        say(page, "hello")
        page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
        expect(page.locator("#speaking")).to_contain_text(SAID[0].strip(), timeout=PATIENT)
        runner = replicas[0]  # it was there first, so it carries the run out
        runner.process.kill()
        runner.process.wait()
        go_on.set()
        expect(page.locator("#log .said-by-agent").last).to_contain_text("".join(SAID), timeout=2 * PATIENT)
        expect(page.locator("#log .said-by-agent")).to_have_count(1)
        page.reload()
        expect(page.locator("#log .said-by-agent")).to_contain_text("".join(SAID), timeout=PATIENT)
        expect(page.locator("#send")).to_be_enabled()
