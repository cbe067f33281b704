"""`make screenshots`: every page and state at three widths, light and dark, of the demo's network, into build/screenshots."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

import app

# isort: split
from tests.shell import Serving, serving

assert app.__doc__
LINES_KEPT = 12
"""Of the first lines of the first plan; what is left of it is asked for again, and waits."""
WIDTHS = (1440, 768, 390)
SCHEMES = ("light", "dark")


def nothing(_: Page) -> None:
    """The page as it comes."""


def first_drawer(page: Page) -> None:
    """The first row of a list, opened."""
    link = page.locator("tbody a[data-drawer]").first
    if link.count():
        link.click()
        page.locator("#drawer-content h2").wait_for()


def first_of(selector: str) -> Callable[[Page], None]:
    """Where the first such link leads."""

    def follow(page: Page) -> None:
        if page.locator(selector).count():
            page.goto(
                page.url.split("/", 3)[0]
                + "//"
                + page.url.split("/")[2]
                + (page.locator(selector).first.get_attribute("href") or "/")
            )

    return follow


STATES: tuple[tuple[str, str, str, Callable[[Page], None]], ...] = (
    ("overview", "paula", "/", nothing),
    ("network", "paula", "/network", nothing),
    ("site", "paula", "/network", first_of("a[href^='/network/sites/']")),
    ("sku", "paula", "/network/stock", first_of("a[href^='/network/skus/']")),
    ("chat", "paula", "/chat", nothing),
    ("conversation", "paula", "/chat", first_of("a[href^='/chat/']")),
    ("queue", "ada", "/queue", nothing),
    ("queue-drawer", "ada", "/queue", first_drawer),
    ("orders", "otto", "/orders", nothing),
    ("order-drawer", "otto", "/orders", first_drawer),
    ("governance", "otto", "/governance", nothing),
    ("governance-stops", "otto", "/governance/stops", nothing),
    ("governance-data", "otto", "/governance/data", nothing),
    ("governance-audit", "otto", "/governance/audit", nothing),
    ("governance-people", "adam", "/governance/people", nothing),
    ("governance-settings", "otto", "/governance/settings", nothing),
    ("reports", "paula", "/reports", nothing),
    ("report", "paula", "/reports", first_of("a[href^='/reports/plans/']")),
    ("backtest", "paula", "/reports/backtest", nothing),
    ("help", "vera", "/help", nothing),
    ("refused", "vera", "/nothing-here", nothing),
)
"""A name, whose page it is, its address, and what is done there."""


@contextmanager
def demo() -> Iterator[Serving]:
    """The demo on a directory of its own, with something in every list."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-shots-") as directory:
        data = Path(directory)
        data.chmod(0o755)
        with serving(command="demo", EVENKEEL_DATA=str(data / "data")) as found:
            yield found


def act_out(browser: Browser, address: str) -> None:
    """What people have done before: a plan approved in part and posted, a conversation with a plan of its own."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, address, "ada")
    page.goto(f"{address}/queue")
    first_drawer(page)
    page.locator("#q-lines .keep").first.wait_for()
    for line in page.locator("#q-lines .keep").all()[LINES_KEPT:]:
        line.uncheck()
    page.locator("#drawer button[data-key=a]").first.click()
    page.locator("#q-approve-now").click()
    page.locator("#said:not(:empty)").wait_for(timeout=60_000)
    context.close()
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, address, "paula")
    page.goto(f"{address}/chat")
    for number, words in enumerate(("what is short?", "rebalance everything", "submit")):
        page.locator("#text").fill(words)
        page.locator("#text").press("Enter")
        page.locator("#log .said-by-agent").nth(number).wait_for(timeout=240_000)
        page.locator("#live").wait_for(state="hidden", timeout=240_000)
    context.close()


def sign_in(page: Page, address: str, person: str) -> None:
    """One click."""
    page.goto(f"{address}/sign-in")
    page.locator(f"button[name=person][value={person}]").click()
    page.wait_for_url(f"{address}/")


def shoot(browser: Browser, address: str, into: Path, widths: Sequence[int], only: str) -> int:
    """Take all pictures. Returns how many."""
    taken = 0
    for scheme in SCHEMES:
        for width in widths:
            for name, person, path, act in STATES:
                if only and only not in name:
                    continue
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
                )  # type: ignore[arg-type]  # one of the two
                page = context.new_page()
                page.add_init_script("try { localStorage.setItem('tour', 'seen'); } catch {}")
                sign_in(page, address, person)
                page.goto(address + path)
                act(page)
                page.wait_for_timeout(400)
                page.screenshot(path=into / f"{name}-{width}-{scheme}.png", full_page="drawer" not in name)
                taken += 1
                context.close()
    return taken


def main() -> int:
    """Take the pictures; without a browser, say so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--only", default="", help="pages whose name has this in it")
    given = parser.parse_args()
    found = os.environ.get("EVENKEEL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        sys.stdout.write("There is no Chromium here: install one, or name it in EVENKEEL_CHROMIUM.\n")
        return 1
    given.into.mkdir(parents=True, exist_ok=True)
    with demo() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        act_out(browser, served.address)
        taken = shoot(browser, served.address, given.into, given.widths, given.only)
        browser.close()
    sys.stdout.write(f"{taken} pictures in {given.into}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
