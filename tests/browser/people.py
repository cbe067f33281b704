"""People in browsers, and what is watched over while they are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests.app.web.door import PEOPLE

DEMO = {each.user_id: (each.name, next(iter(sorted(each.roles)), "viewer")) for each in PEOPLE}
PLANTED = "__xss"
"""What a script of somebody else would set."""


@dataclass
class Visit:
    """A page, and what went wrong on it."""

    page: Page
    wrong: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Parts of messages that a test brings about itself, as a refusal that the browser notes in its console."""

    @property
    def unexpected(self) -> list[str]:
        return [each for each in self.wrong if not any(part in each for part in self.expected)]


@contextmanager
def visiting(
    browser: Browser, address: str, person: str, *, width: int = 1280, height: int = 900, dark: bool = False,
    expected: tuple[str, ...] = (), token: str | None = None,
) -> Iterator[Visit]:  # fmt: skip
    """A browser of its own in which a person is signed in: as one of the demo's, or with a token.

    At the end: no error of a script, no complaint about the content security policy, no request to another host.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", accept_downloads=True
    )
    page = context.new_page()
    visit = Visit(page, expected=expected)

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            visit.wrong.append(f"console: {message.text} ({page.url})")

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(address).netloc:
            visit.wrong.append(f"another host: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: visit.wrong.append(f"script: {error} ({page.url})"))
    page.on("request", asked)
    _sign_in(context, address, person, token)
    yield visit
    planted = page.evaluate(f"window.{PLANTED} ?? null")
    context.close()
    assert planted is None, "a script of somebody else has run"
    assert visit.unexpected == [], visit.unexpected


def _sign_in(context: BrowserContext, address: str, person: str, token: str | None) -> None:
    """Send what the form would: the cookie of the session is the browser's then, and no page was drawn for it."""
    door, form = ("/sign-in/demo", {"person": person}) if token is None else ("/sign-in", {"token": token})
    answer = context.request.post(f"{address}{door}", form=form, headers={"Origin": address}, max_redirects=0)
    assert (answer.status, answer.headers.get("location")) == (303, "/"), answer.text()


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds on a page as it stands, in words."""
    found = Axe().run(page)
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in found.response["violations"]
    ]
