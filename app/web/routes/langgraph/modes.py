"""The modes in which a run can be followed. Each tells what a caller may see; the others of LangGraph would show the inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

EVENT_NAMES: Mapping[str, str] = {
    "values": "values", "updates": "updates", "messages": "messages", "messages-tuple": "messages",
    "tasks": "tasks", "custom": "custom",
}  # fmt: skip
"""The modes there are, and the name of the events of each."""


def _offered(mode: str) -> str:
    # Where no mode is wanted the SDK sends an empty one.
    if mode and mode not in EVENT_NAMES:
        words = "there is no stream mode {mode} here; there are {modes}"
        raise PydanticCustomError("stream_mode", words, {"mode": repr(mode[:40]), "modes": ", ".join(EVENT_NAMES)})
    return mode


Mode = Annotated[str, AfterValidator(_offered)]
