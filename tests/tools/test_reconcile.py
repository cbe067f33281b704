"""The ERP and the books side by side: each way of differing is found, said and given its correction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tools.test_saga import CONFIRMED, ORDER, SHIPPED, found
from tools.execution import OrderState
from tools.ports import ErpTransfer, ErpTransferState
from tools.reconcile import Correction, DifferenceKind, differences
from tools.saga import OrderFacts

CLOSED = replace(SHIPPED, state=OrderState.CLOSED, received_units=10)
OVER = replace(CLOSED, over_units=2)
CANCELLED = replace(CONFIRMED, state=OrderState.CANCELLED, reserved=False)


@pytest.mark.parametrize(
    ("order", "transfer", "kind", "correction"),
    [
        (None, found(ErpTransferState.CONFIRMED), DifferenceKind.UNKNOWN_HERE, Correction.CANCEL_THERE),
        (None, found(ErpTransferState.SHIPPED), DifferenceKind.UNKNOWN_HERE, Correction.LEAVE_TO_PEOPLE),
        (CONFIRMED, None, DifferenceKind.MISSING_THERE, Correction.LEAVE_TO_PEOPLE),
        (CANCELLED, found(ErpTransferState.CONFIRMED), DifferenceKind.ALIVE_THERE, Correction.CANCEL_THERE),
        (CANCELLED, found(ErpTransferState.SHIPPED), DifferenceKind.ALIVE_THERE, Correction.LEAVE_TO_PEOPLE),
        (CONFIRMED, found(ErpTransferState.CONFIRMED, units=9), DifferenceKind.OTHER_CONTENT,
         Correction.LEAVE_TO_PEOPLE),
        (CONFIRMED, found(ErpTransferState.SHIPPED), DifferenceKind.BEHIND, Correction.CATCH_UP),
        (SHIPPED, found(ErpTransferState.PARTIALLY_RECEIVED, received_units=4), DifferenceKind.BEHIND,
         Correction.CATCH_UP),
        (CLOSED, found(ErpTransferState.RECEIVED, received_units=12), DifferenceKind.BEHIND, Correction.COUNT),
        (CLOSED, found(ErpTransferState.RECEIVED, received_units=8), DifferenceKind.AHEAD, Correction.COUNT),
        (OVER, found(ErpTransferState.RECEIVED, received_units=13), DifferenceKind.BEHIND, Correction.COUNT),
        (OVER, found(ErpTransferState.RECEIVED, received_units=10), DifferenceKind.AHEAD, Correction.COUNT),
    ],
)  # fmt: skip
def test_each_way_of_differing_has_its_correction(
    order: OrderFacts | None, transfer: ErpTransfer | None, kind: DifferenceKind, correction: Correction
) -> None:
    orders = {} if order is None else {"r-1": order}
    transfers = {} if transfer is None else {"r-1": transfer}
    (only,) = differences(orders, transfers)
    assert (only.reference, only.kind, only.correction) == ("r-1", kind, correction)
    assert only.words


@pytest.mark.parametrize(
    ("order", "transfer"),
    [
        (ORDER, None),
        (replace(ORDER, state=OrderState.REQUESTED), None),
        (replace(ORDER, state=OrderState.REQUESTED), found(ErpTransferState.CONFIRMED)),
        (replace(CONFIRMED, state=OrderState.COMPENSATING), found(ErpTransferState.CONFIRMED)),
        (CONFIRMED, found(ErpTransferState.CONFIRMED)),
        (SHIPPED, found(ErpTransferState.SHIPPED)),
        (CLOSED, found(ErpTransferState.RECEIVED, received_units=10)),
        (OVER, found(ErpTransferState.RECEIVED, received_units=12)),
        (CLOSED, None),
        (CANCELLED, None),
        (CANCELLED, found(ErpTransferState.CANCELLED)),
    ],
)
def test_what_agrees_and_what_is_being_asked_is_no_difference(order: OrderFacts, transfer: ErpTransfer | None) -> None:
    assert differences({"r-1": order}, {} if transfer is None else {"r-1": transfer}) == ()
