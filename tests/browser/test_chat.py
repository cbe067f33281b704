"""Conversations in a browser: they stream, end with a plan, survive a reload, and show what others have written as text."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from app.service import Service
from evals.databases import Servers
from tests.browser.conftest import served
from tests.browser.people import axe_violations
from tests.vendor import CONFIGURED, Vendor, scripted_vendor, the_end, words

PATIENT = 60_000
"""Milliseconds that the browser waits for what the service works on."""
SLOW_FRAGMENTS = """
    const quickly = window.fetch;
    window.loaded = [];
    window.fetch = async (address, how) => {
        const is_turn = String(address).includes("/turns/");
        if (is_turn) loaded.push(address);
        if (how?.headers?.["X-Fragment"]) await new Promise((done) => setTimeout(done, is_turn ? 2000 : 1000));
        return quickly(address, how);
    };
"""
"""So slowly that the page hears of the end from the conversation's state, too, while it loads what the stream has ended with."""
MARKUP = "<img src=x onerror=window.__xss=true>"


class Slowly(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer of the vendor's that stops after its first piece, until it is let go on."""

    def __init__(self, *pieces: str) -> None:
        self.go_on = threading.Event()
        self._events = [*map(words, pieces), the_end()]

    def __iter__(self) -> Iterator[bytes]:
        raise TypeError("the vendor's client reads it asynchronously")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for number, each in enumerate(self._events):
            if number == 1:
                await asyncio.to_thread(self.go_on.wait, PATIENT / 1000)
            yield f"data: {json.dumps(each)}\n\n".encode()
        yield b"data: [DONE]\n\n"

    @property
    def response(self) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=self)


@pytest.fixture
def talking(servers: Servers, plan_waiting: str, tmp_path: Path) -> Iterator[tuple[str, Vendor]]:
    """A house where a scripted language model answers."""
    with scripted_vendor() as vendor, served(servers, plan_waiting, tmp_path / "data", **CONFIGURED) as (_, address):
        yield address, vendor


def say(page: Page, text: str) -> None:
    """Say something with the keyboard."""
    page.locator("#text").fill(text)
    page.locator("#text").press("Enter")


def answered(page: Page) -> None:
    """Wait until the agent has answered."""
    expect(page.locator("#log .said-by-agent").last).to_be_visible(timeout=PATIENT)
    expect(page.locator("#live")).to_be_hidden(timeout=PATIENT)
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=PATIENT)  # what is being loaded is paler


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_planner_asks_gets_a_plan_with_its_steps_and_submits_it(
    own_house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(own_house[1], "paula", "/chat")
    assert axe_violations(page) == []
    page.locator("#text").fill("rebalance P1")
    page.locator("#text").press("Shift+Enter")
    expect(page.locator("#text")).to_have_value("rebalance P1\n")
    page.locator("#text").press("Enter")
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
    answered(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Rebalance P1")
    card = page.locator(".plan-card")
    expect(card).to_contain_text("proposed")
    expect(card.get_by_role("button", name="Submit for approval")).to_be_in_viewport()
    page.locator(".how summary").click()
    expect(page.locator(".how .steps")).to_contain_text(re.compile(r"Finding the best transfers\s*\d+\.\d s"))
    card.get_by_role("button", name="Why line 1?").click()
    expect(card.locator(".because")).to_contain_text("Risk of running out at S2")
    assert axe_violations(page) == []
    card.get_by_role("button", name="Submit for approval").click()
    card = page.locator(".plan-card")
    expect(card).to_contain_text("waiting for a decision", timeout=PATIENT)
    expect(card).to_contain_text("Can sign: Ada, Bob")
    expect(card).to_have_count(1)
    expect(page.locator("#composer")).to_be_hidden()
    expect(page.locator("#threads a[aria-current]")).to_contain_text("waits for a decision")
    page.on("dialog", lambda dialog: dialog.accept())
    card.get_by_role("button", name="Take it back").click()
    expect(page.locator(".plan-card")).to_contain_text("withdrawn", timeout=PATIENT)
    expect(page.locator("#composer")).to_be_visible(timeout=PATIENT)
    expect(page.locator("#log")).to_contain_text("was withdrawn. Nothing was moved.", timeout=PATIENT)


def test_what_is_streamed_is_whole_again_after_loading_anew_and_is_text(
    talking: tuple[str, Vendor], visit: Callable[..., Page]
) -> None:
    address, vendor = talking
    slow = Slowly(f"Here is {MARKUP} and **bold**. ", "That is all there is to say.")
    vendor.will(slow.response)
    page = visit(address, "paula", "/chat", dark=True)
    try:
        say(page, f"hello {MARKUP}")
        page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
        expect(page.locator("#speaking")).to_contain_text(f"Here is {MARKUP} and **bold**.", timeout=PATIENT)
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        assert axe_violations(page) == []
        page.reload()
        expect(page.locator("#speaking")).to_contain_text(f"Here is {MARKUP} and **bold**.", timeout=PATIENT)
        expect(page.locator("#log")).to_contain_text(f"hello {MARKUP}")
        expect(page.locator("#send")).to_be_disabled()
    finally:
        slow.go_on.set()
    answered(page)
    expect(page.locator("#log .said-by-agent")).to_contain_text(
        f"Here is {MARKUP} and **bold**. That is all there is to say."
    )
    expect(page.locator("#log .words").first).to_have_text(f"hello {MARKUP}")
    expect(page.locator("#speaking")).to_have_text("")
    assert page.locator("#log img").count() == 0
    assert page.locator("#log a").count() == 0
    assert axe_violations(page) == []


def test_what_takes_too_long_is_stopped(talking: tuple[str, Vendor], visit: Callable[..., Page]) -> None:
    address, vendor = talking
    slow = Slowly("One moment. ", "Please.")
    vendor.will(slow.response)
    page = visit(address, "paula", "/chat")
    try:
        say(page, "status")
        expect(page.locator("#speaking")).to_contain_text("One moment.", timeout=PATIENT)
        page.get_by_role("button", name="Stop").click()
        answered(page)
    finally:
        slow.go_on.set()
    expect(page.locator("#log")).to_contain_text("Stopped, as you asked. Nothing was submitted.")
    expect(page.locator("#send")).to_be_enabled()


def test_an_answer_that_ends_twice_is_loaded_once_and_nothing_is_complained_about(
    own_house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(own_house[1], "paula", "/chat")
    page.add_init_script(SLOW_FRAGMENTS)
    say(page, "status")
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
    answered(page)
    say(page, "what is short?")
    expect(page.locator("#log .turn")).to_have_count(2)
    say(page, "what policy is in force?")  # it waits for its turn
    expect(page.locator("#log .turn")).to_have_count(3, timeout=PATIENT)
    answered(page)
    expect(page.locator("#log .said-by-agent").nth(1)).to_contain_text("The costliest first:")
    expect(page.locator("#text")).to_have_value("")
    expect(page.locator("#wrong")).to_be_hidden()
    loaded = page.evaluate("loaded")
    assert len(loaded) == len(set(loaded)) >= 1


def test_a_phone_shows_the_conversation_with_a_way_back_to_the_list(
    own_house: tuple[Service, str], visit: Callable[..., Page]
) -> None:
    page = visit(own_house[1], "paula", "/chat", width=390)
    assert no_sideways_scroll(page)
    page.get_by_role("button", name=re.compile("^Rebalance P")).first.click()
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
    answered(page)
    expect(page.locator("#threads")).to_be_hidden()
    assert no_sideways_scroll(page)
    assert axe_violations(page) == []
    page.get_by_role("link", name="All conversations").click()
    expect(page.locator("#threads")).to_contain_text("Rebalance P")
    page = visit(own_house[1], "vera", "/chat", width=390, dark=True)
    expect(page.locator("main")).to_contain_text("planning is for planners")
    assert axe_violations(page) == []
