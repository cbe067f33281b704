"""A process that has imported and done everything once, and forks a worker for each scenario: a kill costs no start-up.

Reads one JSON scenario a line, and answers with the worker's wait status. A worker does
the whole work between decision and close, picking up whatever an earlier worker on the
same database has left.
"""

from __future__ import annotations

import faulthandler
import gc
import json
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
from app.erp.calling import Caller
from app.erp.counterparts import Counterparts
from app.erp.rest import RestErp
from app.logs import set_up_logs
from app.orders.receipts import Report, receive_order
from app.outbound import Outbound
from app.service import Service, open_service, running
from app.settings import Settings
from tests.crash import warmth
from tests.crash.bad_days import KEY
from tests.crash.points import Points
from tests.forked import fork_for_each_line
from tests.installation import ADA, OTTO, approve, orders
from tools.execution import OrderState
from tools.ports import ErpPort

assert app.__doc__
WORK_SECONDS_MAX = 60
LOOK_SECONDS = 0.15
GONE = (OrderState.SHIPPED, OrderState.PARTIALLY_RECEIVED, OrderState.CLOSED)


def work(scenario: dict[str, Any], *, watch: bool = True) -> None:
    """Approve if nobody has, see the orders shipped, receive them, and see the conversation finished.

    Points count from the decision on; for a worker that comes after a killed one, from its first breath.
    """
    points = Points(scenario["kill_at"], writes=scenario["writes"])
    if watch:
        points.watch()
    points.armed = scenario["again"]
    settings = Settings(
        data=Path(scenario["directory"]), DATABASE_URL=scenario["database_url"], REDIS_URL=scenario["redis_url"],
        erp_retry_seconds=0.02, erp_attempts_max=20, outbound_private_hosts=("127.0.0.1",),
    )  # fmt: skip
    with open_service(settings, erp=_erp(scenario)) as service, running(service):
        points.armed = True
        request = _request(service)
        if request.status is ApprovalStatus.PENDING:
            approve(service, request, ADA)
        _until(lambda: all(order.state in GONE for order in orders(service, request)))
        for order in orders(service, request):
            with service.database.transaction() as session:
                receive_order(session, OTTO, order.transfer_id, Report(None, receipt_key=f"dock/{order.transfer_id}"))
        thread = UUID(request.thread_id or "")
        _until(lambda: not service.driver.state(thread).tasks)
        points.armed = False
    Path(scenario["directory"], "points.json").write_text(json.dumps(points.names), encoding="utf-8")


def _erp(scenario: dict[str, Any]) -> ErpPort | None:
    """The generic REST adapter on the scenario's world; None for the built-in ledger."""
    if scenario["erp_url"] is None:
        return None
    caller = Caller(Outbound(private_hosts=["127.0.0.1"], seconds_max=10.0), scenario["erp_url"])
    return RestErp(caller, KEY, Counterparts())


def _request(service: Service) -> ApprovalRequest:
    with service.database.transaction() as session:
        return session.exec(select(ApprovalRequest)).one()


def _until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WORK_SECONDS_MAX
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("the work does not come to an end")
        time.sleep(LOOK_SECONDS)


def main() -> None:
    """Do the first line's scenario here, to be warm; then fork a worker for each further line of standard input."""
    set_up_logs(quiet=True)
    faulthandler.enable()  # a worker that dies otherwise than by our hand says where
    warmth.share_engines()
    work(json.loads(sys.stdin.readline()), watch=False)
    warmth.cool_connections()
    gc.collect()
    gc.freeze()
    fork_for_each_line(work)


if __name__ == "__main__":
    main()
