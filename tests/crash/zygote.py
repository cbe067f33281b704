"""A process that has imported everything and forks a worker for each scenario, so that a kill costs no start-up.

Reads one JSON scenario a line, and answers with the worker's wait status and the
points it passed. A worker does the whole work between decision and close, picking up
whatever an earlier worker on the same database has left.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import app

# isort: split
from sqlmodel import select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.erp.simulated import Faults, SimulatedErp
from app.logs import set_up_logs
from app.orders.receipts import Report, receive_order
from app.service import Service, open_service, running
from app.settings import Settings
from tests.crash.points import Points
from tests.installation import ADA, OTTO, approve, orders
from tools.execution import OrderState

assert app.__doc__
WORK_SECONDS_MAX = 60
GONE = (OrderState.SHIPPED, OrderState.PARTIALLY_RECEIVED, OrderState.CLOSED)


def work(scenario: dict[str, Any]) -> None:
    """Approve if nobody has, see the orders shipped, receive them, and see the conversation finished."""
    points = Points(scenario["kill_at"])
    points.watch()
    settings = Settings(
        data=Path(scenario["directory"]), DATABASE_URL=scenario["database_url"], REDIS_URL=scenario["redis_url"],
        erp_retry_seconds=0.02,
    )  # fmt: skip
    # It makes a second transfer of a reference it has seen before: only asking first keeps it from that.
    erp = SimulatedErp(Path(scenario["directory"]) / "erp", Faults(idempotent=False))
    with open_service(settings, erp=erp) as service:
        points.armed = True
        with running(service):
            request = _request(service)
            if request.status is ApprovalStatus.PENDING:
                approve(service, request, ADA)
            _until(lambda: all(order.state in GONE for order in orders(service, request)))
            for order in orders(service, request):
                with service.database.transaction() as session:
                    receive_order(
                        session, OTTO, order.transfer_id, Report(None, receipt_key=f"dock/{order.transfer_id}")
                    )
            thread = UUID(request.thread_id or "")
            _until(lambda: not service.driver.state(thread).tasks)
        points.armed = False
    Path(scenario["directory"], "points.json").write_text(json.dumps(points.names), encoding="utf-8")


def _request(service: Service) -> ApprovalRequest:
    with service.database.transaction() as session:
        return session.exec(select(ApprovalRequest)).one()


def _until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WORK_SECONDS_MAX
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("the work does not come to an end")
        time.sleep(0.01)


def main() -> None:
    """Fork a worker for each line of standard input."""
    set_up_logs(quiet=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                work(json.loads(line))
            except BaseException:  # noqa: BLE001  a forked child must never return into the parent's loop
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
