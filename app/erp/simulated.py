"""A make-believe ERP with bad days: for tests and evals.

It is a system of its own: what it has applied lies in a file and survives the death
of whoever called it. Faults are drawn from a seed, the reference and the number of
the call, so the same run has the same bad luck.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tools.ports import ErpTransfer, ErpTransferState, ErpUncertainError, Refused, TransferContent

_SCHEMA = """
create table if not exists transfer (reference text not null, sku_id text not null, origin text not null,
  destination text not null, units integer not null, ships_after integer not null, looked integer not null default 0,
  cancelled integer not null default 0, received integer not null default 0, damaged integer not null default 0,
  finished integer not null default 0, changed_at real not null);
create table if not exists call (reference text not null, verb text not null, at real not null);
"""


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each fault is, from 0 to 1, and how long a call takes.

    `lost_before`: the call times out and nothing was applied. `lost_after`: it times
    out although it was applied. `delivered_twice`: the network repeats the request.
    `refused`: the ERP says no. `ships_after_looks`: how often it is asked before the
    goods have left. `idempotent`: whether it knows a reference it has seen before.
    """

    lost_before: float = 0.0
    lost_after: float = 0.0
    delivered_twice: float = 0.0
    refused: float = 0.0
    delay_seconds: float = 0.0
    ships_after_looks: int = 0
    idempotent: bool = True
    seed: int = 0


class SimulatedErp:
    """An `ErpPort` with faults."""

    def __init__(self, file: Path, faults: Faults | None = None) -> None:
        self._file = file
        self.faults = faults or Faults()
        with self._open() as connection:
            connection.executescript(_SCHEMA)

    def find(self, reference: str) -> ErpTransfer | None:
        """The transfer with our reference. May time out."""
        luck = self._call(reference, "find")
        if luck.random() < self.faults.lost_before:
            raise ErpUncertainError("timed out")
        with self._open() as connection:
            connection.execute("update transfer set looked = looked + 1 where reference = ?", (reference,))
        return self._held(reference)

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """Make the transfer. May time out before or after it is made, be delivered twice, or be refused."""
        luck = self._call(content.reference, "create")
        if luck.random() < self.faults.lost_before:
            raise ErpUncertainError("timed out before it was applied")
        if random.Random(f"{self.faults.seed}/{content.reference}").random() < self.faults.refused:  # noqa: S311  luck
            return Refused("no dock is free")
        if self._is_another(content):
            return Refused(f"the reference {content.reference} belongs to another transfer")
        for _ in range(2 if luck.random() < self.faults.delivered_twice else 1):
            self._apply(content)
        if luck.random() < self.faults.lost_after:
            raise ErpUncertainError("timed out after it was applied")
        made = self._held(content.reference)
        if made is None:
            raise ErpUncertainError("it was made and is gone")
        return made

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        """Give the transfer up unless it has shipped. May time out before or after."""
        luck = self._call(reference, "cancel")
        if luck.random() < self.faults.lost_before:
            raise ErpUncertainError("timed out before it was cancelled")
        held = self._held(reference)
        if held is None:
            return Refused(f"there is no transfer {reference}")
        if held.state not in (ErpTransferState.CONFIRMED, ErpTransferState.CANCELLED):
            return Refused(f"the goods of {reference} have left")
        self.cancel_by_hand(reference)
        if luck.random() < self.faults.lost_after:
            raise ErpUncertainError("timed out after it was cancelled")
        return replace(held, state=ErpTransferState.CANCELLED)

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        """Transfers that were made or have changed since then. May time out."""
        if self._call("", "list").random() < self.faults.lost_before:
            raise ErpUncertainError("timed out")
        with self._open() as connection:
            rows = connection.execute(
                "select distinct reference from transfer where changed_at >= ? order by reference", (since.timestamp(),)
            ).fetchall()
        return [held for (reference,) in rows if (held := self._held(reference)) is not None]

    def cancel_by_hand(self, reference: str) -> None:
        """What somebody does in the ERP, whether the goods have left or not."""
        self._change(reference, "cancelled = 1")

    def ship_by_hand(self, reference: str) -> None:
        """The goods leave now."""
        self._change(reference, "looked = ships_after + 1")

    def receive_by_hand(self, reference: str, units: int, *, damaged: int = 0, last: bool = False) -> None:
        """Units come in at the destination, some of them damaged; `last`: nothing more will come."""
        self._change(reference, "received = received + ?, damaged = damaged + ?, finished = ?", units, damaged, last)

    def applied(self) -> dict[str, int]:
        """How often each reference was applied: what must never exceed one."""
        with self._open() as connection:
            rows = connection.execute("select reference, count(*) from transfer group by reference order by reference")
            return dict(rows.fetchall())

    def calls(self, verb: str) -> int:
        """How many calls of a kind came in."""
        with self._open() as connection:
            found: int = connection.execute("select count(*) from call where verb = ?", (verb,)).fetchone()[0]
            return found

    def _held(self, reference: str) -> ErpTransfer | None:
        with self._open() as connection:
            row = connection.execute(
                "select units, looked > ships_after, cancelled, received, damaged, finished, sku_id, origin, destination"
                " from transfer where reference = ?", (reference,)
            ).fetchone()  # fmt: skip
        if row is None:
            return None
        units, gone, cancelled, received, damaged, finished, *content = row
        state = ErpTransferState.SHIPPED if gone else ErpTransferState.CONFIRMED
        if received or damaged or finished:
            over = finished or received + damaged >= units
            state = ErpTransferState.RECEIVED if over else ErpTransferState.PARTIALLY_RECEIVED
        state = ErpTransferState.CANCELLED if cancelled else state
        return ErpTransfer(reference, f"SIM-{reference[:8]}", state, units, received, damaged, *content)

    def _is_another(self, content: TransferContent) -> bool:
        held = self._held(content.reference)
        return held is not None and held.differs_from(content)

    def _change(self, reference: str, how: str, *values: object) -> None:
        with self._open() as connection:
            connection.execute(
                f"update transfer set {how}, changed_at = ? where reference = ?",  # noqa: S608  our own words
                (*values, time.time(), reference),
            )

    def _apply(self, content: TransferContent) -> None:
        with self._open() as connection:
            known = connection.execute(
                "select count(*) from transfer where reference = ?", (content.reference,)
            ).fetchone()[0]
            if not (known and self.faults.idempotent):
                connection.execute(
                    "insert into transfer (reference, sku_id, origin, destination, units, ships_after, changed_at)"
                    " values (?, ?, ?, ?, ?, ?, ?)",
                    (
                        content.reference, content.sku_id, content.lane.origin, content.lane.destination, content.units,
                        self.faults.ships_after_looks, time.time(),
                    ),
                )  # fmt: skip

    def _call(self, reference: str, verb: str) -> random.Random:
        """Note the call, take its time, and draw its luck."""
        with self._open() as connection:
            number = connection.execute(
                "select count(*) from call where reference = ? and verb = ?", (reference, verb)
            ).fetchone()[0]
            connection.execute("insert into call values (?, ?, ?)", (reference, verb, time.time()))
        time.sleep(self.faults.delay_seconds)
        return random.Random(f"{self.faults.seed}/{reference}/{verb}/{number}")  # noqa: S311  luck, not secrecy

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._file, timeout=30, isolation_level=None)
        try:
            connection.execute("begin immediate")
            yield connection
            if connection.in_transaction:
                connection.execute("commit")
        finally:
            connection.close()
