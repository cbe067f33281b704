"""`make screenshots`: every page and state at three widths, light and dark, of the demo's network, into build/screenshots.

Each is looked at by axe-core as well, and must not be wider than its window.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

import app

# isort: split
from tests.browser.people import axe_violations
from tests.shell import Serving, serving

assert app.__doc__
LINES_KEPT = 12
"""Of the first lines of the first plan; what is left of it is asked for again, and waits."""
WIDTHS = (1440, 768, 390)
PHONE_BELOW = 500
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


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


def then(*acts: Callable[[Page], None]) -> Callable[[Page], None]:
    """One act after the other."""

    def act(page: Page) -> None:
        for each in acts:
            each(page)

    return act


def press(selector: str) -> Callable[[Page], None]:
    """What is to be clicked, if it is there, and the time that its answer takes."""

    def pressed(page: Page) -> None:
        found = page.locator(selector).first
        if found.count():
            found.click()
            page.wait_for_load_state("networkidle")

    return pressed


def in_sight(selector: str) -> Callable[[Page], None]:
    """The first such thing in the middle of the window."""
    return lambda page: page.locator(selector).first.scroll_into_view_if_needed()


def on_paper(page: Page) -> None:
    """The page as it is printed."""
    page.emulate_media(media="print")


def keys_listed(page: Page) -> None:
    """The keys of the page."""
    page.keyboard.press("?")


State = tuple[str, str, str, Callable[[Page], None]]
"""A name, whose page it is (nobody's before the sign-in), its address, and what is done there."""
STATES: tuple[State, ...] = (
    ("sign-in", "", "/sign-in", nothing),
    ("overview", "paula", "/", nothing),
    ("tour", "paula", "/#tour", nothing),
    ("menu", "paula", "/", press(".me summary")),
    ("keys", "ada", "/queue", keys_listed),
    ("network", "paula", "/network", nothing),
    ("network-empty", "paula", "/network?site=nowhere", nothing),
    ("stock", "paula", "/network/stock?show=imbalances", nothing),
    ("site", "paula", "/network", first_of("a[href^='/network/sites/']")),
    ("sku", "paula", "/network/stock", first_of("a[href^='/network/skus/']")),
    ("chat", "paula", "/chat", nothing),
    ("conversation", "paula", "/chat", first_of("a[href^='/chat/']")),
    (
        "conversation-lines",
        "paula",
        "/chat",
        then(first_of("a[href^='/chat/']"), press(".plan-card > details summary")),
    ),
    ("queue", "ada", "/queue", nothing),
    ("queue-empty", "ada", "/queue?words=nothing-like-it", nothing),
    ("queue-page", "ada", "/queue", first_of("tbody a[data-drawer]")),
    ("queue-drawer", "ada", "/queue", first_drawer),
    ("queue-approve-drawer", "ada", "/queue", then(first_drawer, press("#drawer [data-panel=approve]"))),
    ("queue-reject-drawer", "ada", "/queue", then(first_drawer, press("#drawer [data-panel=reject]"))),
    (
        "queue-why-drawer",
        "ada",
        "/queue",
        then(first_drawer, press("#drawer [data-why]"), in_sight("#drawer .why-row")),
    ),
    ("orders", "otto", "/orders", nothing),
    ("orders-empty", "otto", "/orders?text=nothing-like-it", nothing),
    ("orders-held", "otto", "/orders/held", nothing),
    ("orders-differences", "otto", "/orders/differences", nothing),
    ("order", "otto", "/orders", first_of("tbody a[data-drawer]")),
    ("order-drawer", "otto", "/orders", first_drawer),
    ("lineage", "otto", "/orders", then(first_of("tbody a[data-drawer]"), first_of("a[href$='/lineage']"))),
    ("governance", "otto", "/governance", nothing),
    ("governance-viewer", "vera", "/governance", nothing),
    ("governance-policies", "otto", "/governance/policies", press(".release summary")),
    ("governance-data", "otto", "/governance/data", nothing),
    ("governance-audit", "otto", "/governance/audit", press(".event-facts summary")),
    ("governance-people", "adam", "/governance/people", nothing),
    ("governance-settings", "otto", "/governance/settings", nothing),
    ("reports", "paula", "/reports", nothing),
    ("report", "paula", "/reports", first_of("a[href^='/reports/plans/']")),
    ("report-printed", "paula", "/reports", then(first_of("a[href^='/reports/plans/']"), on_paper)),
    ("backtest", "paula", "/reports/backtest", nothing),
    ("backtest-played", "paula", "/reports/backtest?skus=20&cycles=1", nothing),
    ("help", "vera", "/help", nothing),
    ("refused", "vera", "/network/sites/nowhere", nothing),
)
STOPPED: tuple[State, ...] = (
    ("stopped-overview", "paula", "/", nothing),
    ("stopped-queue-drawer", "ada", "/queue", first_drawer),
    ("stopped-governance", "otto", "/governance", nothing),
)
"""The same while everything is stopped."""


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


def stop_everything(browser: Browser, address: str) -> None:
    """What an operator does in an emergency."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, address, "otto")
    page.goto(f"{address}/governance")
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#stop-all").fill("The price list is wrong")
    page.get_by_role("button", name="Stop everything").click()
    page.locator(".kill-switch.engaged").wait_for()
    context.close()


def shoot(  # each says which pictures
    browser: Browser, address: str, into: Path, states: Sequence[State], widths: Sequence[int], only: str = ""
) -> dict[str, list[str]]:
    """Take the pictures of these states. Returns what is wrong in each, which should be nothing."""
    wanted = [state for state in states if only in state[0]]
    found: dict[str, list[str]] = {}
    for scheme, width, (name, person, path, act) in product(SCHEMES, widths, wanted):
        is_phone = width < PHONE_BELOW
        context = browser.new_context(
            viewport={"width": width, "height": 844 if is_phone else 900}, color_scheme=scheme, reduced_motion="reduce",
            is_mobile=is_phone, has_touch=is_phone,
        )  # fmt: skip
        page = context.new_page()
        page.add_init_script("try { if (!location.hash) localStorage.setItem('tour', 'seen'); } catch {}")
        if person:
            sign_in(page, address, person)
        page.goto(address + path)
        act(page)
        page.wait_for_timeout(400)
        fixed = any(part in name for part in ("drawer", "tour", "menu", "keys"))
        picture = f"{name}-{width}-{scheme}.png"
        page.screenshot(path=into / picture, full_page=not fixed)
        found[picture] = axe_violations(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found[picture].append("it is wider than its window")
        sys.stdout.writelines(f"{picture}: {words}\n" for words in found[picture])
        sys.stdout.flush()
        context.close()
    return found


def main() -> int:
    """Take the pictures; without a browser, say so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--only", default="", help="pages whose name has this in it")
    given = parser.parse_args()
    chromium = os.environ.get("EVENKEEL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.stdout.write("There is no Chromium here: install one, or name it in EVENKEEL_CHROMIUM.\n")
        return 1
    given.into.mkdir(parents=True, exist_ok=True)
    with demo() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        act_out(browser, served.address)
        taken = shoot(browser, served.address, given.into, STATES, given.widths, given.only)
        stop_everything(browser, served.address)
        taken |= shoot(browser, served.address, given.into, STOPPED, given.widths, given.only)
        browser.close()
    faulty = sum(map(bool, taken.values()))
    sys.stdout.write(f"{len(taken)} pictures in {given.into}, something is wrong in {faulty}\n")
    return int(faulty > 0)


if __name__ == "__main__":
    sys.exit(main())
