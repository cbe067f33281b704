"""A process that has imported everything and forks a service for each line of standard input, so that a kill costs no start-up.

A service carries out whatever earlier ones have left, against a real Tryton, and dies
or lets Tryton die where its orders say: so many requests from now, before a request
is sent, while it is under way, or after its answer and before anything is booked.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import app

# isort: split
from app.durable import workflows
from app.erp.calling import Caller
from app.erp.counterparts import Counterparts
from app.erp.limits import LimitedErp, Limits
from app.erp.tryton import TrytonErp
from app.erp.tryton_wire import TrytonWire
from app.logs import set_up_logs
from app.outbound import Answer, Outbound
from app.service import open_service, running
from app.settings import Settings
from tests.forked import fork_for_each_line
from tests.installation import orders
from tools.execution import OrderState
from tools.ports import ErpUncertainError

assert app.__doc__
WORK_SECONDS_MAX = 240
UNSETTLED = (OrderState.RELEASED, OrderState.REQUESTED)
Kill = dict[str, Any]


class DeadlyOutbound(Outbound):
    """Carries out the kills of its list, one after the other; notes each of Tryton's before it is done."""

    def __init__(self, kills: list[Kill], tryton_pid: Callable[[], int], note: Path, **more: Any) -> None:
        super().__init__(**more)
        self._kills, self._tryton_pid, self._note = kills, tryton_pid, note
        self.left = len(kills)
        self._calls = 0
        self._lock = threading.Lock()

    def send(self, method: str, url: str, *, headers: Any = None, content: bytes = b"") -> Answer:
        kill = self._due()
        if kill is None:
            return super().send(method, url, headers=headers, content=content)
        if kill["when"] == "before":
            self._carry_out(kill)
        elif kill["when"] == "under way":
            threading.Timer(kill["after_seconds"], self._carry_out, (kill,)).start()
        answer = super().send(method, url, headers=headers, content=content)
        if kill["when"] == "after":
            self._carry_out(kill)
        return answer

    def _due(self) -> Kill | None:
        with self._lock:
            self._calls += 1
            if self._kills and self._calls >= self._kills[0]["calls"]:
                self._calls = 0
                return self._kills.pop(0)
            return None

    def _carry_out(self, kill: Kill) -> None:
        """A kill that comes too late for Tryton is not noted, and is done another time."""
        if kill["victim"] == "service":
            self._write(kill)
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            os.kill(self._tryton_pid(), signal.SIGKILL)
        except ProcessLookupError:
            with self._lock:
                self._kills.append(kill)
        else:
            self._write(kill)

    def _write(self, kill: Kill) -> None:
        with self._note.open("a") as written:
            written.write(json.dumps(kill) + "\n")
        self.left -= 1


def work(scenario: dict[str, Any]) -> None:
    """Have every order made by Tryton, or die."""
    directory = Path(scenario["directory"])
    settings = Settings(
        data=directory, DATABASE_URL=scenario["database_url"], REDIS_URL=scenario["redis_url"],
        erp_retry_seconds=0.05, erp_attempts_max=500,
    )  # fmt: skip
    workflows.WAIT_SECONDS_MAX = 1.0  # Tryton is down more often here than any ERP, and nobody has so much time
    outbound = DeadlyOutbound(
        scenario["kills"], lambda: int(Path(scenario["pid_file"]).read_text()), directory / "kills",
        private_hosts=["127.0.0.1"], seconds_max=30.0, bytes_max=1 << 26,
    )  # fmt: skip
    caller = Caller(outbound, scenario["url"])
    wire = TrytonWire(caller, scenario["tryton_database"], scenario["user"], scenario["password"])
    erp = LimitedErp(TrytonErp(caller, wire, Counterparts()), Limits(per_second_max=1_000, pause_seconds=0.2))
    with open_service(settings, erp=erp) as service, running(service):
        deadline = time.monotonic() + WORK_SECONDS_MAX
        while outbound.left or any(order.state in UNSETTLED for order in orders(service)):
            with suppress(ErpUncertainError):
                erp.find("nothing")  # so that there is a request left for every kill
            if time.monotonic() > deadline:
                raise TimeoutError("the work does not come to an end")
            time.sleep(0.05)


def main() -> None:
    """Fork a service for each line, and say how it ended."""
    set_up_logs(quiet=True)
    fork_for_each_line(work)


if __name__ == "__main__":
    main()
