"""Telling a run to clients of the LangGraph dialect: what they may see of it, as events in a stream of its own.

A message is written into the stream once, with the first event that speaks of it; later
events name it by its id. So the news of a run grow with what is new in it, and not with
the length of the conversation. `Telling` puts whole values together again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from app.auth.roles import Principal
from app.threads.shown import shown_fields, shown_message
from app.threads.stream import News, RunStream, StreamEvent
from graphs.grounding import Gate

INTERRUPT = "__interrupt__"
STEP_FAILED = "this step failed"


class Narrator:
    """Tells one run, as far as its principal may see it."""

    def __init__(self, stream: RunStream, run_id: UUID, principal: Principal) -> None:
        self._stream = stream
        self._run_id = run_id
        self._principal = principal
        self._known: set[str | None] = set()
        self._written: set[str | None] = set()
        self._steps: list[tuple[str, str, Mapping[str, Any]]] = []
        self._speaking = ""
        self._heard = ""
        self._gate: Gate | None = None
        self.last_words = ""
        """What the agent has said last."""

    def know(self, messages: Sequence[AnyMessage]) -> None:
        """Messages that clients have heard of before."""
        self._known.update(message.id for message in messages)
        self.last_words = last_words(messages)

    def begin_message(self, gate: Gate) -> str:
        """The agent begins to speak. Returns the id that what it says will have: that of an answer which it replaces."""
        if gate is not self._gate:
            self._speaking, self._heard, self._gate = str(uuid4()), "", gate
        return self._speaking

    def let_through(self, text: str) -> str:
        """What may be told now that the agent has said so much more."""
        return "" if self._gate is None else self._gate.take(text)

    def token(self, text: str) -> None:
        """A piece of what the agent says, checked."""
        self._heard += text
        told = {"id": self._speaking, "content": text, "node": "planner"}
        self._stream.tell(self._run_id, [("token", {"detail": text})], [("messages", told)])

    def take(self, mode: str, chunk: Mapping[str, Any]) -> None:
        """Take what the graph's stream yields. Steps are told with the values that come of them, when messages have ids."""
        if mode == "updates":
            self._steps += [("updates", node, update or {}) for node, update in chunk.items() if node != INTERRUPT]
        elif mode == "tasks":
            self._task(chunk)
        elif INTERRUPT not in chunk:
            self._values(chunk)

    def progress(self, step: str, detail: str) -> None:
        """The service's own news of a run: what it is at, and what somebody should know of."""
        told = {"detail": detail}
        self._stream.tell(self._run_id, [(step, told)], [("custom", {"step": step, **told})])

    def _task(self, chunk: Mapping[str, Any]) -> None:
        """A step begins, or ends: with its part of the values, with what it waits for, or with nothing where it failed."""
        if "input" in chunk:
            told = {"id": chunk["id"], "name": chunk["name"], "triggers": list(chunk["triggers"])}
            self._tell(("tasks", {**told, "began": True, **self._named(chunk["input"])}))
        elif chunk["interrupts"] or chunk["error"] is not None:
            self._tell(("tasks", {**_ended(chunk), "waits": [each["value"] for each in chunk["interrupts"]]}))
        else:
            self._steps.append(("tasks", chunk["name"], chunk))

    def pause(self, values: Mapping[str, Any], question: Mapping[str, Any]) -> None:
        """The graph waits for a decision: `question` is what the gate asks, as ids."""
        waits = {"waits": [question]}
        self._tell(("updates", waits), ("values", {**self._named(values), **waits}))

    def _values(self, values: Mapping[str, Any]) -> None:
        events: list[News] = []
        for kind, node, told in self._steps:
            update = told["result"] if kind == "tasks" else told
            for message in update.get("messages", []):
                if message.id not in self._known and not self._has_been_heard(message):
                    events.append(("messages", {"id": message.id, "node": node, "new": self._new([message])}))
                self._known.add(message.id)
            step = _ended(told) if kind == "tasks" else {"node": node}
            events.append((kind, {**step, **self._named(update)}))
        self._steps = []
        self.last_words = last_words(values.get("messages", []))
        self._tell(*events, ("values", self._named(values)))

    def _has_been_heard(self, message: AnyMessage) -> bool:
        """Whether the pieces of a message were all of it. A vendor may break off, and say it again otherwise."""
        if isinstance(message, AIMessage) and message.id == self._speaking:
            return self._heard == message.content and not (message.tool_calls or message.invalid_tool_calls)
        return isinstance(message, HumanMessage)

    def _named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values with their messages by id, and the messages that the stream does not hold yet."""
        told: dict[str, Any] = {"fields": shown_fields(values, self._principal)}
        if "messages" in values:
            told |= {"ids": [message.id for message in values["messages"]], "new": self._new(values["messages"])}
        return told

    def _new(self, messages: Iterable[AnyMessage]) -> list[dict[str, Any]]:
        new = [message for message in messages if message.id not in self._written]
        self._written.update(message.id for message in new)
        return [shown_message(message) for message in new]

    def _tell(self, *events: News) -> None:
        self._stream.tell(self._run_id, [], events)


def _ended(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """A step that is over. What its error says is not for clients."""
    return {"id": chunk["id"], "name": chunk["name"], "error": None if chunk["error"] is None else STEP_FAILED}


def last_words(messages: Sequence[AnyMessage]) -> str:
    """The last thing the agent said; empty before it has said anything."""
    spoken = (each.content for each in reversed(messages) if isinstance(each, AIMessage))
    return next((content for content in spoken if content and isinstance(content, str)), "")


class Telling:
    """Reads the stream of one run from its beginning and makes whole events of it."""

    def __init__(self, run_id: UUID) -> None:
        self._run_id = run_id
        self._messages: dict[str, dict[str, Any]] = {}

    def read(self, events: Iterable[StreamEvent]) -> Iterator[tuple[str, str, Any]]:
        """The id, the name and the data of each event. A question is told as its ids."""
        for event in events:
            data = json.loads(event.data)
            self._messages |= {each["id"]: each for each in data.get("new", [])}
            yield event.event_id, event.kind, self._whole(event.kind, data)

    def _whole(self, kind: str, data: dict[str, Any]) -> Any:
        match kind:
            case "values":
                waits = {INTERRUPT: data["waits"]} if "waits" in data else {}
                return {**self._content(data), **waits}
            case "updates" if "waits" in data:
                return {INTERRUPT: data["waits"]}
            case "updates":
                return {data["node"]: self._content(data)}
            case "tasks":
                return self._task(data)
            case "messages":
                return [self._spoken(data), {"run_id": str(self._run_id), "langgraph_node": data["node"]}]
            case _:
                return data

    def _task(self, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("began"):
            told = {name: data[name] for name in ("id", "name", "triggers")}
            return told | {"input": self._content(data)}
        told = {name: data[name] for name in ("id", "name", "error")}
        return told | {"result": self._content(data), "interrupts": data.get("waits", [])}

    def _spoken(self, data: dict[str, Any]) -> dict[str, Any]:
        if "content" in data:
            return {"type": "AIMessageChunk", "id": data["id"], "content": data["content"]}
        return self._messages[data["id"]]

    def _content(self, data: dict[str, Any]) -> dict[str, Any]:
        if "ids" not in data:
            return dict(data.get("fields", {}))
        messages = [self._messages[each] for each in data["ids"] if each in self._messages]
        return {"messages": messages, **data["fields"]}
