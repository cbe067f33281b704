"""A process that carries out durable work until every order is settled, or until it kills itself on the way.

    python -m evals.worker DATABASE_URL REDIS_URL DIRECTORY KILL_AT

With KILL_AT = n it dies by SIGKILL right after the ERP has applied the n-th transfer:
the ERP has it, and nobody has heard so. With 0 it lives.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import app  # first of all: it makes LangGraph's serializer strict

# isort: split
from sqlmodel import select

from app.erp.simulated import Faults, SimulatedErp
from app.logs import set_up_logs
from app.orders.tables import TransferOrder
from app.service import Service, open_service, running
from app.settings import Settings
from tools.execution import OrderState
from tools.ports import ErpTransfer, Refused, TransferContent

GONE = (OrderState.SHIPPED, OrderState.CLOSED)
WORK_SECONDS_MAX = 60.0


class DeadlyErp(SimulatedErp):
    """Takes its caller along once it has applied so many transfers in this process."""

    def __init__(self, file: Path, kill_at: int) -> None:
        # It would make a second transfer of a reference it knows: only asking first keeps a caller from that.
        super().__init__(file, Faults(idempotent=False))
        self._left = kill_at

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """Make the transfer, and perhaps end it all."""
        answer = super().create(content)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def main(database_url: str, redis_url: str, directory: str, kill_at: str) -> None:
    """Work until every order has left. Raises TimeoutError when that takes too long."""
    set_up_logs(quiet=True)
    settings = Settings(
        data=Path(directory), DATABASE_URL=database_url, REDIS_URL=redis_url,
        OPENAI_API_KEY=None, OPENAI_BASE_URL=None, erp_retry_seconds=0.02,
    )  # fmt: skip
    erp = DeadlyErp(Path(directory) / "erp", int(kill_at))
    deadline = time.monotonic() + WORK_SECONDS_MAX
    with open_service(settings, erp=erp) as service, running(service):
        while not _all_gone(service):
            if time.monotonic() > deadline:
                raise TimeoutError("the orders do not leave")
            time.sleep(0.02)


def _all_gone(service: Service) -> bool:
    with service.database.transaction() as session:
        orders = session.exec(select(TransferOrder)).all()
    return bool(orders) and all(order.state in GONE for order in orders)


if __name__ == "__main__":
    if not app.__doc__:
        raise SystemExit(2)
    main(*sys.argv[1:])
