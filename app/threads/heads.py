"""The latest states of many threads in one statement, however many threads there are.

A checkpoint holds the messages that its step added, so a conversation lies in the latest
checkpoint and in those before it, back to the last one that holds all of it. These are
fetched for all threads at once, and LangGraph puts the states together as it always does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.types import StateSnapshot
from sqlalchemy import text
from sqlmodel import Session

from graphs.rebalance import Graph

# Of the checkpoints before the latest one nothing but the messages is read.
_CHAINS = text("""
    with recursive chain as (
        select latest.*, true as is_latest from unnest(cast(:threads as text[])) as wanted (thread_id)
        cross join lateral (
            select c.thread_id, c.checkpoint_id, c.parent_checkpoint_id, c.checkpoint, c.metadata from checkpoints c
            where c.thread_id = wanted.thread_id and c.checkpoint_ns = '' order by c.checkpoint_id desc limit 1
        ) as latest
        union all
        select c.thread_id, c.checkpoint_id, c.parent_checkpoint_id, c.checkpoint, c.metadata, false from chain
        join checkpoints c on c.thread_id = chain.thread_id and c.checkpoint_ns = ''
            and c.checkpoint_id = chain.parent_checkpoint_id
        where not chain.checkpoint -> 'channel_values' ? 'messages'
    )
    select chain.*, (
        select array_agg(array[convert_to(b.channel, 'UTF8'), convert_to(b.type, 'UTF8'), b.blob])
        from jsonb_each_text(chain.checkpoint -> 'channel_versions') as versions
        join checkpoint_blobs b on b.thread_id = chain.thread_id and b.checkpoint_ns = ''
            and b.channel = versions.key and b.version = versions.value
        where b.type <> 'empty' and (chain.is_latest or b.channel = 'messages')
    ) as blobs, (
        select array_agg(array[
            convert_to(w.task_path, 'UTF8'), convert_to(w.task_id, 'UTF8'), convert_to(cast(w.idx as text), 'UTF8'),
            convert_to(w.channel, 'UTF8'), convert_to(w.type, 'UTF8'), w.blob
        ])
        from checkpoint_writes w
        where w.thread_id = chain.thread_id and w.checkpoint_ns = '' and w.checkpoint_id = chain.checkpoint_id
            and (chain.is_latest or w.channel = 'messages')
    ) as writes
    from chain
""")


class Heads(BaseCheckpointSaver[str]):
    """The latest checkpoints of some threads, and what their conversations need of those before. For reading only."""

    def __init__(self, session: Session, serde: SerializerProtocol, thread_ids: Sequence[UUID]) -> None:
        super().__init__(serde=serde)
        self._latest: dict[str, str] = {}
        self._found: dict[tuple[str, str], CheckpointTuple] = {}
        wanted = {"threads": [str(thread_id) for thread_id in thread_ids]}
        for row in session.connection().execute(_CHAINS, wanted).mappings():
            key = (str(row["thread_id"]), str(row["checkpoint_id"]))
            self._found[key] = self._read(row)
            if row["is_latest"]:
                self._latest[key[0]] = key[1]

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """A checkpoint that was fetched: the one that is named, or the latest of the thread."""
        thread_id = config["configurable"]["thread_id"]
        checkpoint_id = get_checkpoint_id(config) or self._latest.get(thread_id, "")
        return self._found.get((thread_id, checkpoint_id))

    def _read(self, row: Mapping[Any, Any]) -> CheckpointTuple:
        blobs = {name.decode(): self._loaded(kind, blob) for name, kind, blob in row["blobs"] or ()}
        writes = sorted(
            row["writes"] or (), key=lambda each: writes_sort_key(each[0].decode(), each[1].decode(), int(each[2]))
        )
        saved, parent = row["checkpoint"], row["parent_checkpoint_id"]
        return CheckpointTuple(
            config=_config(row["thread_id"], row["checkpoint_id"]),
            checkpoint=cast("Checkpoint", {**saved, "channel_values": {**saved["channel_values"], **blobs}}),
            metadata=cast("CheckpointMetadata", row["metadata"]),
            parent_config=None if parent is None else _config(row["thread_id"], parent),
            pending_writes=[
                (task_id.decode(), channel.decode(), self._loaded(kind, blob))
                for _, task_id, _, channel, kind, blob in writes
            ],
        )

    def _loaded(self, kind: bytes, blob: bytes) -> Any:
        return self.serde.loads_typed((kind.decode(), blob))


def latest_states(session: Session, graph: Graph, thread_ids: Sequence[UUID]) -> dict[UUID, StateSnapshot]:
    """The latest state of each of these threads; an empty one where the graph remembers nothing."""
    if not isinstance(graph.checkpointer, BaseCheckpointSaver):
        raise TypeError("the graph of a service has a checkpointer")
    reading = graph.copy({"checkpointer": Heads(session, graph.checkpointer.serde, thread_ids)})
    return {thread_id: reading.get_state({"configurable": {"thread_id": str(thread_id)}}) for thread_id in thread_ids}


def _config(thread_id: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": checkpoint_id}}
