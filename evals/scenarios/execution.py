"""Exactly once, whatever dies, repeats itself or falls silent on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evals.networks import SHORTAGE_BESIDE_SURPLUS, network
from evals.scenario import Expectation
from evals.stage import Stage
from tools.execution import OrderState

RESUMES = 100
WORKER_SECONDS_MAX = 120


def duplicate_resume_and_crash(stage: Stage) -> Iterator[Expectation]:
    """The worker dies right after the ERP has acted, twice, and is rung a hundred times: each order is posted once."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    stage.scan()
    request = stage.next_request()
    stage.approve(request)
    for kill in range(2):
        yield Expectation(f"the worker dies after a posting ({kill + 1})", _worker(stage, kill_at=1) == -signal.SIGKILL)
    yield Expectation("the next one finishes the work", _worker(stage, kill_at=0) == 0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: stage.service.resume_thread(request.approval_id), range(RESUMES)))
    yield Expectation("each order took effect once", sorted(stage.erp.applied().values()) == [1] * request.lines)
    with stage.at_work():
        stage.receive_all()
    yield Expectation("everything has arrived", {o.state for o in stage.orders()} == {OrderState.CLOSED})


def bad_days_of_the_erp(stage: Stage) -> Iterator[Expectation]:
    """Requests and answers get lost and are delivered twice: doubt is resolved by asking, and each order is posted once."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    stage.scan()
    request = stage.next_request()
    stage.approve(request)
    with stage.at_work():
        orders = stage.settled()
        known = {OrderState.SHIPPED}
        yield Expectation("each order has left", {o.state for o in orders} == known)
        stage.receive_all()
    yield Expectation("none took effect twice", set(stage.erp.applied().values()) <= {1})


def erp_refuses(stage: Stage) -> Iterator[Expectation]:
    """The ERP says no: the reservation is taken back and the stock is free again."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    stage.scan()
    request = stage.next_request()
    stage.approve(request)
    with stage.at_work():
        orders = stage.settled()
    yield Expectation("every order is refused", {order.state for order in orders} == {OrderState.REFUSED})
    yield Expectation("nothing has left", stage.on_hand("S1", "P1") == SHORTAGE_BESIDE_SURPLUS["S1", "P1"])
    yield Expectation("nothing stays reserved", not any(order.reserved for order in orders))


def _worker(stage: Stage, *, kill_at: int) -> int:
    """Have another process carry out the work. Its exit status; -9 when it killed itself."""
    database_url = stage.settings.database_url
    redis_url = stage.settings.redis_url
    if database_url is None or redis_url is None:
        raise LookupError("a worker needs addresses")
    arguments = (database_url.get_secret_value(), redis_url.get_secret_value(), str(stage.directory), str(kill_at))
    done = subprocess.run(  # noqa: S603  our own module
        (sys.executable, "-W", "ignore", "-m", "evals.worker", *arguments),
        check=False, timeout=WORKER_SECONDS_MAX, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return done.returncode
