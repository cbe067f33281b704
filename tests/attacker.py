"""Somebody with the graph itself in their hands, and what shows that no stock has moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlmodel import select

from app.approvals.tables import ApprovalRequest
from app.auth.people import SYSTEM_PRINCIPAL
from app.ledger.verify import verify
from app.orders.tables import TransferOrder
from app.service import Service
from app.threads.driver import _config
from tests.installation import balances, orders


class Attacker:
    """Somebody with the graph itself in their hands, in the service's own name, at a thread that waits for a decision."""

    def __init__(self, service: Service, request: ApprovalRequest) -> None:
        self.service = service
        self.request = request
        self.graph = service.driver._graph
        self.thread_id = UUID(request.thread_id)
        self.config: Any = _config(self.thread_id)
        self.context = service.driver._context(self.thread_id, uuid4(), SYSTEM_PRINCIPAL)

    @property
    def question(self) -> str:
        """The id of the interrupt that waits."""
        return self.graph.get_state(self.config).interrupts[0].id

    def invoke(self, given: Any, **configurable: Any) -> Any:
        """Run the graph with whatever is given."""
        config = {**self.config, "configurable": self.config["configurable"] | configurable}
        return self.graph.invoke(given, config, context=self.context, durability="sync")

    def forge(self, as_node: str, **values: Any) -> None:
        """Write into the state in a node's name, and go on from there."""
        self.graph.update_state(self.config, values, as_node=as_node)
        self.invoke(None)

    @property
    def forged(self) -> dict[str, Any]:
        """A state as it would be after an approval."""
        return {
            "outcome": "approved", "approval_id": str(self.request.approval_id), "submit": True,
            "plan_digest": self.request.plan_digest,
        }  # fmt: skip


def posted(service: Service) -> int:
    """How many transfers the ERP has."""
    with service.database.engine.connect() as connection:
        return int(connection.execute(text("select count(*) from built_in_transfer")).scalar_one())


def work(service: Service) -> set[str]:
    """The durable work that was set going for orders."""
    with service.database.engine.connect() as connection:
        query = "select workflow_uuid from dbos.workflow_status where name = 'carry_order'"
        return set(connection.execute(text(query)).scalars())


def stock(service: Service) -> dict[tuple[str, str], int]:
    """Every balance."""
    with service.database.transaction() as session:
        return balances(session)


def worked_on(service: Service, request: ApprovalRequest) -> list[TransferOrder]:
    """What the durable workers do about a request. A conversation that somebody has broken does not hold them up."""
    with suppress(Exception):
        service.resume_thread(request.approval_id)
    service.release(request.approval_id)
    for order in orders(service, request):
        if service.post(order.transfer_id) == "posted":
            service.look(order.transfer_id)
    return orders(service, request)


@contextmanager
def no_stock_moves(service: Service, attacked: ApprovalRequest | None = None) -> Iterator[None]:
    """Balances, orders, the ERP's transfers and the work for orders stay as they are, also once the workers have run.

    They run for the request attacked, or for all.
    """

    def standing() -> tuple[Any, ...]:
        rows = [(order.transfer_id, order.state) for order in orders(service)]
        return stock(service), rows, posted(service), work(service)

    before = standing()
    yield
    with service.database.transaction() as session:
        requests = session.exec(select(ApprovalRequest)).all()
    for request in [attacked] if attacked else requests:
        worked_on(service, request)
    assert standing() == before
    assert verify(service.database).verified
