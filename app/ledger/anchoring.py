"""How the ledger stands outside of its database: what was anchored there last, what waits for it, and what keeps it from there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, func, select

from app.db.database import database_now
from app.errors import EvenkeelError, SetUpError
from app.ledger.checkpoints import last_anchored
from app.ledger.keys import signer
from app.ledger.notes import Checkpoint
from app.ledger.tables import LeafRow, LedgerEvent
from app.settings import Settings

WAITS_SECONDS_MAX = 180
"""The ledger is signed every minute: what has waited for so long does not wait for its turn."""
_NO_KEY = "the key that signs checkpoints cannot be used"


@dataclass(slots=True)
class LastFailure:
    """What kept this process from anchoring the ledger when it last tried; empty when nothing did. Others see what waits."""

    words: str = ""
    at: datetime | None = None

    def note(self, failed: EvenkeelError | OSError) -> None:
        """Keep why, without paths: anybody may ask whether the service is ready."""
        if isinstance(failed, OSError):
            why = failed.strerror or type(failed).__name__
        else:
            why = _NO_KEY if isinstance(failed, SetUpError) else failed.detail
        self.words, self.at = f"it could not be anchored: {why}", datetime.now(UTC)

    def clear(self) -> None:
        """It was anchored."""
        self.words, self.at = "", None

    def since(self, last: Checkpoint | None) -> str:
        """The failure, unless something was anchored after it: by another process, which has the duty now."""
        return "" if last is not None and self.at is not None and last.made_at > self.at else self.words


@dataclass(frozen=True, slots=True)
class Anchored:
    """The newest checkpoint outside of the database, and how many events have come after it. `problem` is empty if all is well."""

    last: Checkpoint | None
    waiting: int
    problem: str

    @property
    def words(self) -> str:
        """In one line: `ok`, or what is wrong and since when."""
        return f"{self.problem}; {self._last_words}" if self.problem else "ok"

    @property
    def _last_words(self) -> str:
        if self.last is None:
            return "nothing was anchored outside yet"
        return f"last anchored outside {self.last.made_at.isoformat(timespec='minutes')}, the first {self.last.size:,} events"


def anchored(session: Session, settings: Settings, failure: LastFailure) -> Anchored:
    """How the ledger is anchored now. Reads the end of the file, and asks the database for the first event that is not in it."""
    last, problem = _read(settings)
    size = 0 if last is None else last.size
    placed = session.exec(select(func.coalesce(func.max(LeafRow.position) + 1, 0))).one()
    problem = problem or failure.since(last)
    if size > placed:
        problem = problem or f"the ledger has {placed:,} events, fewer than were anchored"
    oldest = _oldest_waiting(session, size)
    if oldest is not None and database_now(session) - oldest > timedelta(seconds=WAITS_SECONDS_MAX):
        minutes = (database_now(session) - oldest) // timedelta(minutes=1)
        problem = problem or f"events wait to be anchored outside: {placed - size:,}, the first for {minutes:,} minutes"
    return Anchored(last, max(placed - size, 0), problem)


def _read(settings: Settings) -> tuple[Checkpoint | None, str]:
    """The last checkpoint outside, and what keeps it from being read."""
    try:
        return last_anchored(settings.checkpoint_path, signer(settings).verifier), ""
    except OSError as failed:
        return None, f"the file of checkpoints cannot be read: {failed.strerror or type(failed).__name__}"
    except SetUpError:
        return None, _NO_KEY
    except EvenkeelError as failed:
        return None, f"the file of checkpoints does not fit: {failed.detail}"


def _oldest_waiting(session: Session, size: int) -> datetime | None:
    """When the first event was recorded that is not anchored; None where each one is."""
    query = (
        select(LedgerEvent.occurred_at)
        .join(LeafRow, (col(LeafRow.stream) == LedgerEvent.stream) & (col(LeafRow.seq) == LedgerEvent.seq))
        .where(LeafRow.position == size)
    )
    return session.exec(query).one_or_none()
