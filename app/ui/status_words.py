"""What states of requests and orders are called: the same in every filter, mark, table and file of the pages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.approvals.tables import ApprovalStatus
from tools.execution import OrderState

STATUS_WORDS: Mapping[ApprovalStatus, str] = MappingProxyType({
    ApprovalStatus.PENDING: "waiting", ApprovalStatus.APPROVED: "approved", ApprovalStatus.REJECTED: "rejected",
    ApprovalStatus.EXPIRED: "expired", ApprovalStatus.OUTRUN: "out of date", ApprovalStatus.WITHDRAWN: "withdrawn",
    ApprovalStatus.SUPERSEDED: "replaced by an edit",
})  # fmt: skip
STATUS_KIND: Mapping[ApprovalStatus, str] = MappingProxyType({
    ApprovalStatus.PENDING: "info", ApprovalStatus.APPROVED: "good", ApprovalStatus.REJECTED: "bad",
    ApprovalStatus.EXPIRED: "warn", ApprovalStatus.OUTRUN: "warn",
})  # fmt: skip
"""How a status looks. What was taken back or replaced needs nobody's eye."""

_ORDER_WORDS: Mapping[OrderState, str] = MappingProxyType({
    OrderState.REQUESTED: "ERP asked", OrderState.CONFIRMED: "ERP has it", OrderState.SHIPPED: "on the way",
    OrderState.PARTIALLY_RECEIVED: "partly received", OrderState.NEEDS_ATTENTION: "needs attention",
    OrderState.COMPENSATING: "being called back",
})  # fmt: skip


def status_words(status: str) -> str:
    """What a request's status is called."""
    return STATUS_WORDS[ApprovalStatus(status)]


def status_kind(status: str) -> str:
    """How a request's status looks: the class of its mark."""
    return STATUS_KIND.get(ApprovalStatus(status), "")


def state_words(state: str) -> str:
    """What an order's state is called."""
    return _ORDER_WORDS.get(OrderState(state), state.replace("_", " "))
