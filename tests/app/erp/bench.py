"""An ERP on the bench: the adapter under test, and the hands of the people who work with the ERP itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tools.inventory import LaneKey
from tools.ports import ErpPort, TransferContent

TODAY = datetime.now(UTC).date()
STOCKED_UNITS = 1_000
"""What S1 and S2 hold of C1 to C3 when a test session begins; no test moves enough to run out."""


def a_content(reference: str | None = None, units: int = 5, **fields: object) -> TransferContent:
    """Five units of C1 from S1 to S2."""
    content = TransferContent(
        reference or str(uuid4()),
        "C1",
        LaneKey("S1", "S2", "van"),
        units,
        depart_on=TODAY,
        arrive_on=TODAY + timedelta(1),
    )
    return replace(content, **fields)  # type: ignore[arg-type]


class Bench(ABC):
    """What the contract tests need of every ERP."""

    erp: ErpPort
    ships_at_once = False
    """Whether the goods leave as soon as a transfer is made, so that nobody can cancel it."""
    knows_stock = True
    """Whether it refuses what the origin does not have."""
    tells_receipts = True
    tells_damage = False
    has_network = True
    """Whether answers of it can be lost on the way."""

    @abstractmethod
    def applied(self, reference: str) -> int:
        """How many live transfers it has under a reference."""

    @abstractmethod
    def cancel_by_hand(self, reference: str) -> None:
        """Somebody cancels the transfer."""

    def ship(self, reference: str) -> None:
        """The goods leave."""
        pytest.skip(f"in this ERP nobody ships {reference} by hand")

    def receive(self, reference: str, units: int, *, damaged: int = 0, last: bool = False) -> None:
        """Units come in."""
        pytest.skip(
            f"this ERP tells nothing of {units} units, {damaged} damaged, that come in for {reference} ({last=})"
        )

    @contextmanager
    def losing_answers(self) -> Iterator[None]:
        """Everything that is asked is done, and every answer is lost."""
        pytest.skip("between this ERP and us there is no network")
        yield
