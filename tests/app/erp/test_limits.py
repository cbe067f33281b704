"""What one ERP is asked at once and in a second, and when it is left alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

import pytest

from app.erp.limits import LimitedErp, Limits
from tests.app.erp.bench import a_content
from tools.ports import ErpNotAskedError, ErpTransfer, ErpUncertainError, Refused, TransferContent


class Clock:
    """A clock that moves when somebody sleeps, or is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Scripted:
    """An ERP that has no transfers, or no answers."""

    def __init__(self) -> None:
        self.doubt: ErpUncertainError | None = None
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def find(self, reference: str) -> ErpTransfer | None:
        self.asked += 1
        self.gate.wait(10)
        if self.doubt is not None:
            raise self.doubt
        return None

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        self.asked += 1
        return Refused("no")

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        self.asked += 1
        return Refused("no")

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        self.asked += 1
        return []


def limited(erp: Scripted, clock: Clock, **limits: float) -> LimitedErp:
    return LimitedErp(erp, Limits(**limits), clock, clock.sleep)  # type: ignore[arg-type]


def test_calls_are_spread_over_the_second_and_are_passed_on() -> None:
    clock, erp = Clock(), Scripted()
    within = limited(erp, clock, per_second_max=4)
    assert within.find("r") is None
    assert within.create(a_content()) == within.cancel("r") == Refused("no")
    assert within.list_transfers(datetime.min) == []  # noqa: DTZ901
    assert within.find("r") is None
    assert (clock.now, erp.asked) == (101.0, 5)


def test_whoever_would_wait_too_long_for_a_turn_is_told_that_nothing_was_sent() -> None:
    clock, erp = Clock(), Scripted()
    within = LimitedErp(erp, Limits(per_second_max=1, wait_seconds_max=2.5), clock, lambda _: None)
    for _ in range(3):
        within.find("r")
    with pytest.raises(ErpNotAskedError, match="1 times a second"):
        within.find("r")
    assert erp.asked == 3


def test_what_is_asked_within_a_turn_begins_at_once_and_takes_no_second_one() -> None:
    clock, erp = Clock(), Scripted()
    within = limited(erp, clock, per_second_max=2)
    within.find("r")
    with within.turn():
        assert clock.now == 100.5
        within.create(a_content())
    within.find("r")
    assert (clock.now, erp.asked) == (101.0, 3)


def test_only_so_many_calls_are_under_way_at_once() -> None:
    clock, erp = Clock(), Scripted()
    within = limited(erp, clock, at_once_max=2, wait_seconds_max=0.05)
    erp.gate.clear()
    threads = [threading.Thread(target=within.find, args=("r",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    while erp.asked < 2:
        threading.Event().wait(0.001)
    with pytest.raises(ErpNotAskedError, match="2 calls"):
        within.find("r")
    erp.gate.set()
    for thread in threads:
        thread.join()
    assert within.find("r") is None
    assert erp.asked == 3


def test_after_doubt_in_a_row_the_erp_is_left_alone_and_one_call_tries_after_the_pause() -> None:
    clock, erp = Clock(), Scripted()
    within = limited(erp, clock, failures_max=3, pause_seconds=10, per_second_max=1_000)
    erp.doubt = ErpUncertainError("timed out")
    for _ in range(3):
        with pytest.raises(ErpUncertainError, match="timed out"):
            within.find("r")
    assert within.is_left_alone
    with pytest.raises(ErpNotAskedError, match="left alone") as alone:
        within.create(a_content())
    assert 9 < (alone.value.retry_after_seconds or 0) <= 10
    assert erp.asked == 3
    clock.now += 10
    with pytest.raises(ErpUncertainError, match="timed out"):
        within.find("r")
    with pytest.raises(ErpNotAskedError):
        within.find("r")
    assert erp.asked == 4
    clock.now += 10
    erp.doubt = None
    assert [within.find("r") for _ in range(3)] == [None] * 3
    assert not within.is_left_alone


def test_a_certain_answer_in_between_and_a_refusal_keep_the_circuit_closed() -> None:
    clock, erp = Clock(), Scripted()
    within = limited(erp, clock, failures_max=2, per_second_max=1_000)
    for _ in range(4):
        erp.doubt = ErpUncertainError("timed out")
        with pytest.raises(ErpUncertainError):
            within.find("r")
        erp.doubt = None
        assert within.create(a_content()) == Refused("no")
    assert not within.is_left_alone


def test_an_erp_that_asks_to_be_left_alone_is_left_alone_for_that_long_and_not_for_ever() -> None:
    for wanted, seconds in ((40.0, 40.0), (86_400.0, 300.0)):
        clock, erp = Clock(), Scripted()
        within = limited(erp, clock, failures_max=5, pause_seconds=10, per_second_max=1_000)
        erp.doubt = ErpUncertainError("429", wanted)
        with pytest.raises(ErpUncertainError, match="429"):
            within.find("r")
        clock.now += seconds - 1
        assert within.is_left_alone
        clock.now += 1
        assert not within.is_left_alone


def test_only_one_call_tries_after_the_pause() -> None:
    clock, erp = Clock(), Scripted()
    within = limited(erp, clock, failures_max=1, pause_seconds=10, per_second_max=1_000)
    erp.doubt = ErpUncertainError("timed out")
    with pytest.raises(ErpUncertainError):
        within.find("r")
    clock.now += 10
    erp.doubt = None
    erp.gate.clear()
    trying = threading.Thread(target=within.find, args=("r",))
    trying.start()
    while erp.asked < 2:
        threading.Event().wait(0.001)
    with pytest.raises(ErpNotAskedError):
        within.find("r")
    erp.gate.set()
    trying.join()
    assert within.find("r") is None
