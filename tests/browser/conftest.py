"""Browsers: the Chromium that is on this machine, people who are signed in, and what no page may ever do."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.auth.people import SYSTEM, add_person
from app.service import Service, open_service, running
from app.settings import Settings
from evals.databases import Servers
from tests.app.web.door import PEOPLE, listening
from tests.browser.people import DEMO, Visit, visiting
from tests.installation import settings_on

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
expect.set_options(timeout=30_000)  # on a machine that does much else at the same time
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What drives a browser waits for it, and not for a processor that others use."""
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser of this machine: `EVENKEEL_CHROMIUM`, or the one that is on the path.

    It goes with its module: its driver keeps a loop in this process, beside which no durable work begins.
    """
    found = os.environ.get("EVENKEEL_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium here: install one, or name it in EVENKEEL_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a browser of somebody's own, signed in, on an address. At the end no page may have done what none may do."""
    with ExitStack() as stack:

        def opened(address: str, person: str, path: str = "/", **more: object) -> Page:
            visited: Visit = stack.enter_context(visiting(chromium, address, person, **more))  # type: ignore[arg-type]  # keyword arguments of a context
            visited.page.goto(address + path)
            return visited.page

        yield opened


@contextmanager
def served(
    servers: Servers, template: str, data: Path, *, works: bool = True, **changes: object
) -> Iterator[tuple[Service, str]]:
    """A service on a database of its own, and its address. Its people sign in by a click.

    One that `works` carries out its durable work; in a process there can be one of those at a time. It lives
    in a thread: the driver of the browser keeps a loop in ours, and the durable work does not begin beside one.
    """

    @contextmanager
    def house() -> Iterator[tuple[Service, str]]:
        with servers.fresh_database(template) as url:
            settings: Settings = settings_on(servers, url, data).model_copy(update=changes)
            with open_service(settings) as service:
                with service.database.transaction() as session:
                    for each in PEOPLE:
                        add_person(session, each, by=SYSTEM)
                work: AbstractContextManager[object] = running(service) if works else nullcontext()
                with work, listening(service, DEMO) as (_, address):
                    yield service, address

    opened: Future[tuple[Service, str]] = Future()
    over = threading.Event()

    def live() -> None:
        try:
            with house() as found:
                opened.set_result(found)
                over.wait()
        except BaseException as failed:  # whoever waits for the house is told
            if opened.done():
                raise
            opened.set_exception(failed)

    with ThreadPoolExecutor(1) as thread:
        lives = thread.submit(live)
        try:
            yield opened.result()
        finally:
            over.set()
        lives.result()


@pytest.fixture(scope="module")
def house(
    servers: Servers, plan_waiting: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, str]]:
    """The small network with a plan of Paula's in the queue, to be looked at; shared by the tests of a module."""
    with served(servers, plan_waiting, tmp_path_factory.mktemp(uuid4().hex), works=False) as found:
        yield found


@pytest.fixture
def own_house(servers: Servers, plan_waiting: str, tmp_path: Path) -> Iterator[tuple[Service, str]]:
    """The same for one test alone, and what is asked of it is carried out."""
    with served(servers, plan_waiting, tmp_path / "data") as found:
        yield found
