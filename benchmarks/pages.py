"""What somebody waits for in front of the pages, in a real browser: bytes of the first visit, the queue, the drawer."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.approvals import APPROVER, multiply, pending, requested
from benchmarks.opened import listening
from benchmarks.table import print_table

QUEUED = 1_000
VISITS = 9
DRAWERS = 15
_SHIFTS = """
    window.shifts = 0;
    new PerformanceObserver((list) => { for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifts += each.value; })
      .observe({ type: "layout-shift", buffered: true });
"""
_ROWS = "() => document.querySelectorAll('tbody a[data-drawer]').length >= 50 && document.documentElement.dataset.live"
_OPENED = """async (address) => {
    const drawer = document.getElementById('drawer');
    const link = document.querySelector('tbody a[data-drawer]');
    link.href = address;  // most of the rows are copies that have no plan behind them
    const began = performance.now();
    link.click();
    while (!document.querySelector('#drawer-content h2')) {
        if (performance.now() - began > 10000) throw new Error(document.getElementById('wrong-words').textContent);
        await new Promise(requestAnimationFrame);
    }
    const took = performance.now() - began;
    await new Promise((closed) => { drawer.addEventListener('close', closed, { once: true }); drawer.close(); });
    return took;
}"""


@dataclass
class Measured:
    """What was measured, in milliseconds, bytes and shares of the window."""

    interactive: list[float] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    shifts: list[float] = field(default_factory=list)
    drawer: list[float] = field(default_factory=list)


def run() -> None:
    """Print the table; without a browser, say so."""
    found = os.environ.get("EVENKEEL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        print("The pages: there is no Chromium here to measure with.")
        return
    with requested(DRAWERS) as service:
        requests = [f"/queue/{each.approval_id}" for each in pending(service)]
        multiply(service, QUEUED - DRAWERS)
        people = {APPROVER.user_id: (APPROVER.name, "approver")}
        with listening(service, people) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
            measured = _measured(browser, address, requests)
            overview = [_visit(browser, address, "/", lambda page: page.wait_for_selector("h1")) for _ in range(3)]
            browser.close()
    kib = 1024
    rows = [
        ("the overview, first visit: received", f"{max(each.received[0] for each in overview) / kib:,.0f} KiB", "", "≤ 150 KiB"),
        ("the queue of 1,000, first visit: received", f"{max(measured.received) / kib:,.0f} KiB", "", "≤ 150 KiB"),
        ("the queue of 1,000: rows are there and scripts run", *_spread(measured.interactive), "≤ 1,000 ms"),
        ("the drawer of a plan: from click to content", *_spread(measured.drawer), "≤ 150 ms"),
        ("the queue: what has moved by itself", f"{max(measured.shifts):.3f}", "", "0"),
    ]  # fmt: skip
    print_table("The pages in a browser", ("", "median", "95 %", "goal"), rows)


def _spread(milliseconds: list[float]) -> tuple[str, str]:
    ordered = sorted(milliseconds)
    return f"{statistics.median(ordered):,.0f} ms", f"{ordered[int(len(ordered) * 0.95)]:,.0f} ms"


def _measured(browser: Browser, address: str, requests: Sequence[str]) -> Measured:
    whole = Measured()
    for number in range(VISITS):
        one = _visit(browser, address, "/queue", lambda page: page.wait_for_function(_ROWS), () if number else requests)
        whole.interactive += one.interactive
        whole.received += one.received
        whole.shifts += one.shifts
        whole.drawer += one.drawer
    return whole


def _visit(
    browser: Browser, address: str, path: str, wait: Callable[[Page], object], drawers: Sequence[str] = ()
) -> Measured:
    """A first visit with an empty cache, by somebody who has signed in already."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.request.post(f"{address}/sign-in/demo", form={"person": APPROVER.user_id}, headers={"Origin": address})
    page = context.new_page()
    page.add_init_script(_SHIFTS)
    wire, received = context.new_cdp_session(page), [0]
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda event: received.append(int(event["encodedDataLength"])))
    page.goto(address + path, wait_until="commit")
    wait(page)
    measured = Measured([page.evaluate("performance.now()")], [sum(received)])
    page.wait_for_timeout(300)
    measured.shifts.append(page.evaluate("window.shifts"))
    measured.drawer += [page.evaluate(_OPENED, each) for each in drawers]
    context.close()
    return measured
