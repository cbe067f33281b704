"""The stock that pages show: that of now or, while working that out takes long, the last one that was worked out.

A large network takes seconds after every count, sale and transfer, in which nobody is kept from reading. What is
decided on is never read from here.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from threading import Lock, Thread

from sqlalchemy import func
from sqlmodel import Session, select
from structlog import get_logger

from app.approvals.freshness import facts_now
from app.db.database import Database
from app.governance.state import active_policy
from app.governance.stops import stops_in_force
from app.plans.store import facts_key
from app.stock.installation import planning_now
from app.stock.tables import NetworkImport
from app.ui.network.stock_table import StockTable
from policies.rules import Facts

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StockShown:
    """Facts and their table. `is_old`: newer facts are being worked out."""

    facts: Facts
    table: StockTable
    is_old: bool = False


@dataclass(frozen=True, slots=True)
class _Version:
    """What tells facts apart. Sites and SKUs change with imports only."""

    facts: str
    policy: str
    imports: int

    @classmethod
    def of(cls, session: Session) -> _Version:
        imports = session.exec(select(func.count()).select_from(NetworkImport)).one()
        return cls(facts_key(session), active_policy(session).digest, imports)


_Worked = tuple[_Version, StockShown]


class StockNow:
    """Works the stock out, once for all who ask, and keeps what came of it last."""

    def __init__(self, database: Database, wait_seconds: float) -> None:
        self._database = database
        self._wait_seconds = wait_seconds
        self._lock = Lock()
        self._rests_until = 0.0
        self._last: _Worked | None = None
        self._under_way: Future[_Worked] | None = None

    def shown(self, session: Session) -> StockShown:
        """The stock to show now. Raises ConflictError while there is no network."""
        version, last = _Version.of(session), self._last
        if last is None or last[0].imports != version.imports:
            shown = self._worked_out(version, None)
        elif last[0] != version:
            shown = self._worked_out(version, last)
        else:
            shown = last[1]
        return replace(shown, facts=replace(shown.facts, now=planning_now(session), stops=stops_in_force(session)))

    def _worked_out(self, version: _Version, last: _Worked | None) -> StockShown:
        """The stock of this version or a later one; the last one when that takes longer than a page waits."""
        ends = None if last is None else time.monotonic() + self._wait_seconds
        for _ in range(2):  # what is under way already may be of an earlier version; what begins after it is not
            work = self._begun()
            wait([work], None if ends is None else max(ends - time.monotonic(), 0))
            if last is not None and not work.done():
                return replace(last[1], is_old=True)
            found, shown = work.result()
            if found == version:
                break
        return shown

    def _begun(self) -> Future[_Worked]:
        with self._lock:
            work = self._under_way
            if work is None or work.done():
                self._under_way = work = Future()
                Thread(target=self._work_out, args=(work,), name="evenkeel-stock", daemon=True).start()
            return work

    def _work_out(self, work: Future[_Worked]) -> None:
        time.sleep(max(self._rests_until - time.monotonic(), 0))
        begun = time.monotonic()
        try:
            with self._database.transaction() as session:
                version, facts = _Version.of(session), facts_now(session)
            self._last = found = version, StockShown(facts, StockTable.of(facts))
            # Where changes come one after the other and each takes long, half of the time is left to everything else.
            took = time.monotonic() - begun
            self._rests_until = time.monotonic() + (took if took > self._wait_seconds else 0)
        except BaseException as failed:  # noqa: BLE001  it is logged, and whoever waits for it is told
            _log.exception("stock_not_worked_out")
            work.set_exception(failed)
        else:
            work.set_result(found)
