"""What a conversation has come to: what was asked for last, which plans there were, and which question is open.

Everything here is read from the messages themselves, so the same conversation is always remembered in the same way,
whoever asked for the tools in it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import ValidationError

from graphs.baseline.results import Refusal
from graphs.baseline.understood import Call
from graphs.names import SURELY

NEAREST = "; nearest: "
"""In what a refusal says, before what comes near a name."""
ASKED_MAX = 300
"""What is longer than so many characters is not taken up again after a question."""
_MENTION = re.compile(r"(?P<mention>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\") is no ")
_MONEY = re.compile(r"\d ([A-Z]{3})(?![A-Za-z])")
UNDO = re.compile(
    r"(?:(?:please|ok|okay|no|sorry|oh|hm+|wait|actually|can you|could you|now|and|then)[ ,]+)*"
    r"(?:(?:undo|revert|take back|roll back)(?: (?:that|this|it|the last (?:change|one|step|request)|the change|my last change))?"
    r"|(?:go |step |roll |switch )?back(?: one(?: step)?)?"
    r"|(?:go |step |roll |switch )?back to (?:the |my )?(?:(?:plan|one|request|version)(?: (?:before|before that|from before))?"
    r"|(?:previous|earlier|last|old|former) (?:plan|one|request|version)|what (?:we|it|i) (?:had|was)(?: before)?)"
    r"|(?:the )?(?:previous|earlier) plan(?: again)?|(?:as it was|like|the way it was) before)"
    r"(?:[ ,]+(?:please|thanks|again))*[ .!?]*",
    re.IGNORECASE,
)
"""Goes back to the plan request before the current one. Nothing but a request is undone, for nothing has moved."""


Correction = tuple[Call, str, tuple[str, ...]]
"""A call that was refused for a name, the name as it was written, and the names that are surely meant by it."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """A call that a tool refused because of a name: what was written, and what comes near it."""

    call: Call
    written: str
    nearest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """What came before the last thing that was said.

    `request` is the last call that was carried out; `plans` are the plan requests that were, the current one last;
    `unclear` is the name that was asked about, `asked` the utterance that was answered with words alone, and
    `called` what a name that was corrected stands for. `currency` is the one that the network counts in, if known, and
    `said` what `request` was asked for with.
    """

    request: Call | None = None
    plans: tuple[Call, ...] = ()
    unclear: Unclear | None = None
    asked: str = ""
    called: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    said: str = ""


NOTHING = Memory()


def remember(messages: Sequence[BaseMessage]) -> Memory:
    """The memory of a conversation up to here; instructions give away the currency, and nothing else."""
    request: Call | None = None
    plans: list[Call] = []
    unclear: Unclear | None = None
    asked = said = ""
    called: dict[str, str] = {}
    for text, turn in _turns(messages):
        carried, refused = _calls(turn)
        unclear = _unclear(refused) if refused and not carried else None
        asked = "" if carried or refused or len(text) > ASKED_MAX else text
        for _, written, ids in corrections(turn):
            called |= {written.casefold(): ids[0]} if len(ids) == 1 else {}
        request, said = (carried[-1], text) if carried else (request, said)
        proposed = [call for call in carried if call.tool == "propose_plan"]
        if proposed and UNDO.fullmatch(text.strip()):
            del plans[-1:]
        else:
            plans += proposed[-1:]
    return Memory(request, tuple(plans), unclear, asked, called, _currency(messages), said)


def _turns(messages: Sequence[BaseMessage]) -> Iterator[tuple[str, list[BaseMessage]]]:
    """Each thing that was said, and the messages that came of it."""
    starts = [at for at, message in enumerate(messages) if isinstance(message, HumanMessage)]
    for start, end in pairwise([*starts, len(messages)]):
        yield str(messages[start].text), list(messages[start + 1 : end])


def _calls(turn: Sequence[BaseMessage]) -> tuple[list[Call], list[tuple[Call, str]]]:
    """The calls of a turn that were carried out, and those that were refused, with the reason."""
    made = {
        call["id"]: Call(call["name"], dict(call["args"]))
        for message in turn
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    }
    carried, refused = [], []
    for result in (message for message in turn if isinstance(message, ToolMessage)):
        call, why = made.get(result.tool_call_id), refusal(result)
        if call is not None and why is None:
            carried.append(call)
        elif call is not None:
            refused.append((call, why or ""))
    return carried, refused


def refusal(result: ToolMessage) -> str | None:
    """Why a tool did not do what it was asked to; None when it did. Of older refusals the words may be gone."""
    try:
        return Refusal.model_validate_json(str(result.text)).error
    except ValidationError:
        return "" if result.status == "error" else None


def corrections(turn: Sequence[BaseMessage]) -> list[Correction]:
    """The calls of a turn that were refused for a name of which it is sure what it stands for, with the name and that."""
    found = []
    for call, why in _calls(turn)[1]:
        what, surely, ids = why.rpartition(SURELY)
        mention = _mention(what)
        if surely and mention is not None:
            found.append((call, mention, tuple(ids.split(", "))))
    return found


def renamed(call: Call, written: str, names: Sequence[str]) -> Call:
    """The call with other names in place of one that was written."""
    return Call(
        call.tool, {key: _renamed(value, written, names) for key, value in call.arguments.items()}, call.then_submit
    )


def _renamed(value: Any, written: str, names: Sequence[str]) -> Any:
    if not isinstance(value, list):
        return value
    out: list[Any] = []
    for item in value:
        ends = item.split("->") if isinstance(item, str) else []
        if item == written:
            out += names
        elif ends[1:] and len(names) == 1:
            out.append("->".join(_end(end, written, names[0]) for end in ends))
        else:
            out.append(item)
    return list(dict.fromkeys(out))


def _end(end: str, written: str, name: str) -> str:
    """An end of a lane, which may go on with the mode."""
    place, by, mode = end.partition(" by ") if end.startswith(f"{written} by ") else (end, "", "")
    return f"{name}{by}{mode}" if place == written else end


def _unclear(refused: Sequence[tuple[Call, str]]) -> Unclear | None:
    call, why = refused[-1]
    what, _, nearest = why.partition(NEAREST)
    mention = _mention(what)
    return None if mention is None else Unclear(call, mention, tuple(nearest.split(", ")) if nearest else ())


def _mention(words: str) -> str | None:
    """The name that a refusal is about. It is shown as Python shows a text, so that nothing in it ends it."""
    found = _MENTION.match(words)
    if found is None:
        return None
    mention = ast.literal_eval(found["mention"])
    return mention if isinstance(mention, str) else None


def is_about_a_name(words: str) -> bool:
    """Whether a refusal is about a name that is not known."""
    return _mention(words) is not None


def _currency(messages: Sequence[BaseMessage]) -> str:
    """The one currency that the instructions name amounts in; nothing when they name none or several."""
    named = {
        code for message in messages if isinstance(message, SystemMessage) for code in _MONEY.findall(str(message.text))
    }
    return named.pop() if len(named) == 1 else ""
