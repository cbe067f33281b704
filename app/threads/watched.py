"""The world of a run that is watched and may be cancelled: as any other, but the agent's words are told, and not waited for in vain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from langchain_core.messages import BaseMessage

from app.auth.roles import Principal
from app.db.database import Database
from app.llm import RunLlm
from app.threads.cancelling import Watch
from app.threads.narration import Narrator
from app.world import ServiceWorld
from graphs.grounding import Gate
from graphs.world import Opinion, Reply, RunLimits
from tools.planning import Planner


@dataclass(frozen=True, slots=True)
class Watchers:
    """Those who watch a run, and whether it is wanted."""

    narrator: Narrator
    watch: Watch | None = None

    def hear(self, token: str) -> None:
        """A piece of what the agent says, told once it is checked. Raises CancelledRunError once the run is not wanted."""
        if self.watch is not None:
            self.watch.require_wanted()
        self.say(self.narrator.let_through(token))

    def say(self, checked: str) -> None:
        """Words of the agent that the gate has let through."""
        if checked:
            self.narrator.token(checked)


class WatchedWorld(ServiceWorld):
    """The world of one run with its watchers."""

    def __init__(
        self,
        database: Database,
        principal: Principal,
        thread_id: UUID,
        llm: RunLlm,
        limits: RunLimits,
        planner: Planner,
        watchers: Watchers,
    ) -> None:
        super().__init__(database, principal, thread_id, llm, limits, watchers.narrator.progress, planner)
        self._watchers = watchers

    def reply(self, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]], gate: Gate) -> Reply:
        """What the llm says next. Raises CancelledRunError once the run is not wanted any more."""
        message_id, watch = self._watchers.narrator.begin_message(gate), self._watchers.watch
        ask = partial(super().reply, messages, schemas, gate)
        reply = ask() if watch is None else watch.waiting_for(ask)
        self._watchers.say(gate.end(str(reply.message.text)))
        return replace(reply, message=reply.message.model_copy(update={"id": message_id}))

    def consult(self, messages: Sequence[BaseMessage], schema: dict[str, Any]) -> Opinion:
        """What the llm says beside the conversation. Raises CancelledRunError once the run is not wanted any more."""
        ask, watch = super().consult, self._watchers.watch
        return ask(messages, schema) if watch is None else watch.waiting_for(lambda: ask(messages, schema))
