"""The stock that pages show: that of now or, while working that out takes long, the last one that was worked out.

A large network takes seconds after every count, sale and transfer, in which nobody is kept from reading. What is
decided on is never read from here.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True, slots=True)
class _Work:
    """Working out, since `begun` on the monotonic clock."""

    outcome: Future[_Worked] = field(default_factory=Future)
    begun: float = field(default_factory=time.monotonic)

    @property
    def has_failed(self) -> bool:
        return self.outcome.done() and self.outcome.exception() is not None


class StockNow:
    """Works the stock out, once for all who ask, and keeps what came of it last."""

    def __init__(self, database: Database, wait_seconds: float) -> None:
        self._database = database
        self._wait_seconds = wait_seconds
        self._lock = Lock()
        self._rests_until = 0.0
        self._last: _Worked | None = None
        self._work: _Work | None = None

    def shown(self, session: Session, *, newest: bool = False) -> StockShown:
        """The stock to show now; the `newest`, however long that takes, for what nobody looks at a second time.

        The first stock of a process and that of a new network are waited for too, and what keeps it from being
        worked out is raised. Raises ConflictError while there is no network.
        """
        version, last, work = _Version.of(session), self._last, self._work
        if last is not None and last[0] == version:
            shown = last[1]
        elif newest or last is None or last[0].imports != version.imports or (work is not None and work.has_failed):
            shown = self._worked_out(version, None)
        else:
            shown = self._worked_out(version, last)
        return replace(shown, facts=replace(shown.facts, now=planning_now(session), stops=stops_in_force(session)))

    def _worked_out(self, version: _Version, last: _Worked | None) -> StockShown:
        """The stock of this version or a later one; the last one where that takes longer than a page waits."""
        for _ in range(2):  # what is under way already may be of an earlier version; what begins after it is not
            work = self._begun()
            # From its beginning on: of what takes long, only the first pages to ask wait, and keep their connections.
            wait([work.outcome], None if last is None else max(work.begun + self._wait_seconds - time.monotonic(), 0))
            if last is not None and not work.outcome.done():
                return replace(last[1], is_old=True)
            found, shown = work.outcome.result()
            if found == version:
                break
        return shown

    def _begun(self) -> _Work:
        with self._lock:
            work = self._work
            if work is None or work.outcome.done():
                work = _Work()
                Thread(target=self._work_out, args=(work.outcome,), name="evenkeel-stock", daemon=True).start()
                self._work = work
            return work

    def _work_out(self, outcome: Future[_Worked]) -> None:
        time.sleep(max(self._rests_until - time.monotonic(), 0))
        begun = time.monotonic()
        try:
            with self._database.transaction(pooled=False) as session:
                version, facts = _Version.of(session), facts_now(session)
            self._last = found = version, StockShown(facts, StockTable.of(facts))
        except BaseException as failed:  # noqa: BLE001  it is logged, and whoever waits for it is told
            _log.exception("stock_not_worked_out")
            outcome.set_exception(failed)
        else:
            # Where changes come one after the other and each takes long, half of the time is left to everything else.
            took = time.monotonic() - begun
            self._rests_until = time.monotonic() + (took if took > self._wait_seconds else 0)
            outcome.set_result(found)
