"""A planner's conversation with a service: one message, one run of the graph, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from sqlmodel import Session

from app.auth.roles import Principal
from app.service import Service
from app.threads.runs import open_thread, say
from app.threads.tables import Door, Run, RunStatus
from tests.installation import PAULA


@dataclass(frozen=True)
class Turn:
    """How a message was answered."""

    thread_id: UUID
    run_id: UUID
    status: RunStatus
    words: str
    notices: list[str]
    messages: list[AnyMessage]
    values: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]

    @property
    def tools(self) -> list[tuple[str, str]]:
        """The answers to tool calls in this conversation: the tool's name and what it said."""
        return [(str(m.name), str(m.content)) for m in self.messages if isinstance(m, ToolMessage)]

    @property
    def refusals(self) -> list[str]:
        """What tools refused, in their words."""
        return [json.loads(text)["error"] for _, text in self.tools if "error" in json.loads(text)]

    @property
    def tokens(self) -> str:
        """What whoever watched the run saw being written."""
        return "".join(detail["detail"] for kind, detail in self.events if kind == "token")

    @property
    def spoken(self) -> list[str]:
        """Everything that the agent said in this conversation."""
        return [str(m.content) for m in self.messages if isinstance(m, AIMessage) and m.content]


def talk(service: Service, text: str, by: Principal = PAULA, thread_id: UUID | None = None) -> Turn:
    """Bring a message into a thread, a new one unless one is given, and drive the run to its end, here and now."""
    with service.database.transaction() as session:
        thread = thread_id or open_thread(session, by, Door.CHAT, "").thread_id
        run_id = say(session, by, thread, text).run_id
    service.driver.run(run_id)
    with service.database.transaction() as session:
        status = _status(session, run_id)
    values = service.driver.state(thread).values
    events = [(each.kind, json.loads(each.data)) for each in service.stream.follow(run_id)]
    return Turn(
        thread, run_id, status, service.driver.last_words(thread), values["notices"], values["messages"], values, events
    )


def _status(session: Session, run_id: UUID) -> RunStatus:
    run = session.get(Run, run_id)
    assert run is not None
    return run.status
