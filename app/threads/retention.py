"""Retention of checkpoints: what the graph remembers of threads that nobody has used for long.

LangGraph keeps every step of a thread. Once a thread has been at rest for some days
only its last state is of use, and after some months not even that. The application's
own rows (threads, runs, plans, decisions, the ledger) are never touched.

LangGraph's own pruning refuses these threads: a checkpoint holds the messages that its
step added, and a conversation is put together from all of them. So the whole
conversation is written into the last checkpoint first, and then the others go.
"""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from sqlalchemy import text
from sqlmodel import Session
from structlog import get_logger

from app.db.database import Database
from app.settings import Settings
from graphs.rebalance import Graph

BATCH = 50
"""Threads that are looked for at a time; each is then a transaction of its own."""
BATCHES_MAX = 40
_AT_REST = """
    from thread t where t.created_at < now() - make_interval(days => :days)
    and not exists (
        select 1 from run r where r.thread_id = t.thread_id
        and (r.status in ('queued', 'running') or coalesce(r.finished_at, r.created_at) > now() - make_interval(days => :days)))
    and not exists (
        select 1 from approval_request a where a.thread_id = cast(t.thread_id as text)
        and coalesce(a.closed_at, now()) > now() - make_interval(days => :days))
    and (select count(*) from (
        select 1 from checkpoints c where c.thread_id = cast(t.thread_id as text) limit :least) few) = :least
"""
_FOUND = text(f"select t.thread_id {_AT_REST} and t.thread_id > :after order by t.thread_id limit :batch")
_STILL = text(f"select exists (select 1 {_AT_REST} and t.thread_id = :thread_id)")
# A run that is about to begin refers to this row, and so waits until we are done; or we pass its thread over.
_HELD = text("select 1 from thread where thread_id = :thread_id for update skip locked")
_WHOLE = [
    text("delete from checkpoint_writes where thread_id = any(:threads)"),
    text("delete from checkpoint_blobs where thread_id = any(:threads)"),
    text("delete from checkpoints where thread_id = any(:threads)"),
]
_BUT_ONE = [
    text("delete from checkpoint_writes where thread_id = :thread and checkpoint_id <> :kept"),
    text("delete from checkpoints where thread_id = :thread and checkpoint_id <> :kept"),
    text("update checkpoints set parent_checkpoint_id = null where thread_id = :thread"),
    text("""
        delete from checkpoint_blobs b where b.thread_id = :thread and not exists (
            select 1 from checkpoints c, jsonb_each_text(c.checkpoint -> 'channel_versions') v
            where c.thread_id = b.thread_id and v.key = b.channel and v.value = b.version)
    """),
]
_ORPHANS = text("""
    select distinct c.thread_id from checkpoints c
    where not exists (select 1 from thread t where cast(t.thread_id as text) = c.thread_id) limit :batch
""")
_NOBODY = UUID(int=0)
_log = get_logger(__name__)


class Retention:
    """Keeps the checkpoints of one service within bounds."""

    def __init__(self, database: Database, graph: Graph, settings: Settings) -> None:
        if not isinstance(graph.checkpointer, BaseCheckpointSaver):
            raise TypeError("the graph of a service has a checkpointer")
        self._database = database
        self._graph = graph
        self._saver = graph.checkpointer
        self._steps_days = settings.checkpoint_steps_days
        self._days = settings.checkpoint_days
        self._deltas = [name for name, channel in graph.channels.items() if isinstance(channel, DeltaChannel)]

    def tidy(self) -> dict[str, int]:
        """Remove what is too old, in small batches. Returns of how many threads: all of it, and the steps on the way."""
        done = {"forgotten": self._forget_orphans(), "compacted": 0}
        for what, days, least in (("forgotten", self._days, 1), ("compacted", self._steps_days, 2)):
            after = _NOBODY
            for _ in range(BATCHES_MAX):
                found = self._found(days, least, after)
                if not found:
                    break
                done[what] += sum(self._tidied(thread_id, days, least) for thread_id in found)
                after = found[-1]
        if any(done.values()):
            _log.info("checkpoints_removed", **done)
        return done

    def _found(self, days: int, least: int, after: UUID) -> list[UUID]:
        asked = {"days": days, "least": least, "after": after, "batch": BATCH}
        with self._database.transaction() as session:
            return list(session.connection().execute(_FOUND, asked).scalars())

    def _tidied(self, thread_id: UUID, days: int, least: int) -> bool:
        """Remove what is too old of one thread, unless it has come to life since it was found."""
        with self._database.transaction() as session:
            connection = session.connection()
            if connection.execute(_HELD, {"thread_id": thread_id}).first() is None:
                return False
            if not connection.execute(_STILL, {"days": days, "least": least, "thread_id": thread_id}).scalar_one():
                return False
            if least > 1:
                return self._compact(session, thread_id)
            _forget(session, [str(thread_id)])
            return True

    def _compact(self, session: Session, thread_id: UUID) -> bool:
        """Leave a finished thread its last state only. After any crash in between it is whole, and is compacted again."""
        config: RunnableConfig = {"configurable": {"thread_id": str(thread_id), "checkpoint_ns": ""}}
        state, saved = self._graph.get_state(config), self._saver.get_tuple(config)
        if saved is None or state.tasks or state.interrupts:
            return False
        versions = saved.checkpoint["channel_versions"]
        wholes = {name: _DeltaSnapshot(state.values[name]) for name in self._deltas if name in versions}
        checkpoint = cast(
            "Checkpoint", {**saved.checkpoint, "channel_values": {**saved.checkpoint["channel_values"], **wholes}}
        )
        metadata: dict[str, Any] = {**saved.metadata}
        metadata.pop("counters_since_delta_snapshot", None)
        new_versions = {name: versions[name] for name in wholes}
        self._saver.put(config, checkpoint, cast("CheckpointMetadata", metadata), new_versions)
        for statement in _BUT_ONE:
            session.connection().execute(statement, {"thread": str(thread_id), "kept": checkpoint["id"]})
        return True

    def _forget_orphans(self) -> int:
        """Checkpoints of threads that were deleted, where something kept them from going at once."""
        with self._database.transaction() as session:
            orphans = list(session.connection().execute(_ORPHANS, {"batch": BATCH * BATCHES_MAX}).scalars())
            _forget(session, orphans)
        return len(orphans)


def _forget(session: Session, threads: list[str]) -> None:
    for statement in _WHOLE:
        session.connection().execute(statement, {"threads": threads})
