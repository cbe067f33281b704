"""What clients of the LangGraph dialect may send. What would steer the graph is refused here and never handed on.

A client of other LangGraph servers may set the configuration of a run, jump to a node,
write into the state, go back to an old checkpoint. Each of these is a way round the
approval gate, so the bodies below know the fields, take them where they say nothing,
and refuse them where they say something. Such a refusal has the error type STEERING,
which `refusals.DialectRoute` answers with 422 and records.

For the routes: `RunOrder.words` is what is said and `RunOrder.resume` what was sent as
an answer (`is_answer` tells which of the two it is). `RunOrder.require_head` must be
called with the id of the thread's latest checkpoint before a run is started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, NoReturn, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from app.errors import ConflictError
from app.web.bodies import Text
from app.web.routes.langgraph.modes import Mode
from graphs.rebalance import RECURSION_LIMIT

STEERING = "steering"
"""The error type of a field that would steer the graph."""
METADATA_KEYS_MAX = 32
METADATA_CHARACTERS_MAX = 512
MESSAGE_BLOCKS_MAX = 50
LIMIT_MAX = 1_000
END = "__end__"
PLACEHOLDER = "do-not-render-"
"""Chat UIs send an answer of this id for a tool call that they saw none for. It is left out: tools answer here."""


def _refuse(words: str) -> NoReturn:
    raise PydanticCustomError(STEERING, "{words}", {"words": words})


def _says_nothing(value: object) -> bool:
    return value is None or value is False or (isinstance(value, (Mapping, list, str)) and not value)


WHY: Mapping[str, str] = {
    "after_seconds": "runs start at once",
    "checkpoint": "nobody goes back in time",
    "checkpoint_id": "nobody goes back in time",
    "checkpoint_map": "there are no subgraphs to go to",
    "checkpoint_ns": "there are no subgraphs to go to",
    "configurable": "nothing is configurable; the thread comes from the path",
    "context": "a run has no context but its caller",
    "extract": "threads are not searched by their state",
    "feedback_keys": "feedback is not kept",
    "filter": "states are not searched by metadata",
    "goto": "nobody jumps to a node",
    "interrupt_after": "where a run pauses is not for clients",
    "interrupt_before": "where a run pauses is not for clients",
    "langsmith_tracer": "runs are not traced elsewhere",
    "metadata": "states are not searched by metadata",
    "supersteps": "a thread starts empty: nobody writes into the state",
    "ttl": "how long threads are kept is the operator's to say",
    "update": "nobody writes into the state",
    "values": "the state is neither written nor searched",
    "webhook": "no address is called back",
}
"""Fields that are known and refused, and why."""


def _only_empty(value: object, info: ValidationInfo) -> None:
    if not _says_nothing(value):
        _refuse(WHY[info.field_name or ""])


Refused = Annotated[Any, BeforeValidator(_only_empty)]
"""A field that is taken where it says nothing, and refused otherwise."""


def _scalars(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > METADATA_KEYS_MAX:
        raise PydanticCustomError("metadata", "at most {most} keys", {"most": METADATA_KEYS_MAX})
    for key, each in value.items():
        if not isinstance(each, (str, int, float, bool, type(None))):
            raise PydanticCustomError("metadata", "{key} is neither text nor a number", {"key": key[:80]})
        if max(len(key), len(str(each))) > METADATA_CHARACTERS_MAX or "\x00" in f"{key}{each}":
            words = "a key or a value has more than {most} characters, or one that cannot be kept"
            raise PydanticCustomError("metadata", words, {"most": METADATA_CHARACTERS_MAX})
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(_scalars)]
"""Labels of a client's own: few, short and flat."""
CheckpointId = Annotated[str, Field(pattern=r"^[0-9a-zA-Z-]{1,64}$")]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Body(BaseModel):
    """A body of the dialect: frozen, and without fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckpointRef(Body):
    """A checkpoint as clients name it. Only the thread's own latest one may be named."""

    checkpoint_id: CheckpointId | None = None
    checkpoint_ns: Refused = None
    checkpoint_map: Refused = None
    thread_id: UUID | None = None


class Said(Body):
    """A message of the caller's: its words. Of what else clients send with it nothing is kept."""

    text: str


def _words_of(content: object) -> str:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or len(blocks) > MESSAGE_BLOCKS_MAX:
        raise PydanticCustomError("content", "the content is text, or a short list of blocks of text", {})
    return "\n".join(_text_of(block) for block in blocks)


def _text_of(block: object) -> str:
    text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
    if not isinstance(text, str):
        raise PydanticCustomError("content", "only text can be sent, no pictures and no files", {})
    if "\x00" in text:
        raise PydanticCustomError("content", "a character cannot be kept", {})
    return text


def _of_the_caller(value: object) -> object:
    """The caller's own messages out of what was sent; raises for a message in somebody else's name."""
    if not isinstance(value, list):
        return value
    kept = []
    for message in value:
        if not isinstance(message, dict):
            raise PydanticCustomError("message", "a message is an object with type and content", {})
        kind = message.get("type", message.get("role"))
        if kind == "tool" and str(message.get("id", "")).startswith(PLACEHOLDER):
            continue
        if kind not in ("human", "user"):
            _refuse("only messages of type human may be sent; what agent, tools and system say is not for clients")
        kept.append({"text": _words_of(message.get("content"))})
    return kept


class RunInput(Body):
    """What goes into the graph: what the caller says, and nothing else of its state."""

    messages: Annotated[list[Said], BeforeValidator(_of_the_caller), Field(max_length=1)] = []

    @model_validator(mode="before")
    @classmethod
    def _only_messages(cls, value: object) -> object:
        if isinstance(value, dict) and (others := sorted(str(key)[:40] for key in value if key != "messages")):
            _refuse(f"only messages go in, not {', '.join(others[:5])}")
        return value


class Answer(Body):
    """An answer to the question that a thread waits for. The approvals module decides what it is worth."""

    resume: Any = None
    goto: Refused = None
    update: Refused = None


class RunConfig(Body):
    """The configuration of a run, of which nothing reaches the graph."""

    tags: Annotated[list[Annotated[Text, Field(max_length=100)]], Field(max_length=20)] = []
    recursion_limit: Annotated[int, Field(ge=1, strict=True)] = RECURSION_LIMIT
    configurable: Refused = None
    metadata: Metadata = {}

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        if self.recursion_limit > RECURSION_LIMIT:
            _refuse(f"a run takes at most {RECURSION_LIMIT} steps")
        return self


class RunOrder(Body):
    """A run: something said, or an answer. The other fields are taken where they change nothing."""

    assistant_id: Annotated[Text, Field(min_length=1, max_length=100)]
    input: RunInput | None = None
    command: Answer | None = None
    config: RunConfig | None = None
    metadata: Metadata | None = None
    stream_mode: Annotated[list[Mode], BeforeValidator(_listed), Field(max_length=10)] = ["values"]
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    if_not_exists: Literal["create", "reject"] = "reject"
    on_disconnect: Literal["cancel", "continue"] | None = None
    durability: Literal["sync", "async", "exit"] | None = None
    strict_resume: bool | None = None
    checkpoint_during: bool | None = None
    on_completion: Literal["keep"] | None = None
    checkpoint: CheckpointRef | None = None
    checkpoint_id: CheckpointId | None = None
    multitask_strategy: str | None = None
    context: Refused = None
    interrupt_before: Refused = None
    interrupt_after: Refused = None
    webhook: Refused = None
    feedback_keys: Refused = None
    after_seconds: Refused = None
    langsmith_tracer: Refused = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if self.multitask_strategy not in (None, "reject"):
            _refuse("one run at a time on a thread: the multitask strategy is reject")
        said = self.input.messages if self.input else []
        if self.command is not None and said:
            _refuse("an answer comes alone, with an empty input")
        if self.command is None and not said:
            _refuse("a run needs a message of type human, or a command with the answer to what the thread waits for")
        if self.command is not None and _says_nothing(self.command.resume):
            raise PydanticCustomError("answer", "the answer is empty: {example}", {"example": EXAMPLE})
        return self

    @property
    def is_answer(self) -> bool:
        """Whether this answers a question instead of saying something."""
        return self.command is not None

    @property
    def resume(self) -> Any:
        """What was sent as an answer. Never to be trusted; see `approvals.human_in_the_loop.answer`."""
        return None if self.command is None else self.command.resume

    @cached_property
    def words(self) -> str:
        """What is said; empty for an answer."""
        return "\n".join(message.text for message in (self.input.messages if self.input else []))

    @property
    def modes(self) -> Sequence[str]:
        """The stream modes wanted, each once."""
        return [mode for mode in dict.fromkeys(self.stream_mode) if mode]

    @property
    def names_head(self) -> bool:
        """Whether the client names the checkpoint that it sees; `require_head` holds it to the latest one."""
        return bool(self.checkpoint_id or (self.checkpoint and self.checkpoint.checkpoint_id))

    def require_head(self, thread_id: UUID, checkpoint_id: str | None) -> None:
        """Raise ConflictError where a checkpoint is named that is not the thread's latest: nobody goes back in time.

        React clients name the checkpoint that they see with each run.
        """
        named = {each for each in (self.checkpoint_id, self.checkpoint and self.checkpoint.checkpoint_id) if each}
        elsewhere = self.checkpoint is not None and self.checkpoint.thread_id not in (None, thread_id)
        if elsewhere or named - {checkpoint_id}:
            raise ConflictError(
                "old_checkpoint", "the run would start from a checkpoint that is not the thread's latest",
                "read the thread again, or leave the checkpoint out",
            )  # fmt: skip


EXAMPLE = '{"decisions": [{"type": "approve"}]}'


class ThreadOrder(Body):
    """A new thread."""

    thread_id: UUID | None = None
    metadata: Metadata = {}
    if_exists: Literal["raise", "do_nothing"] = "raise"
    graph_id: Annotated[Text, Field(max_length=100)] | None = None
    supersteps: Refused = None
    ttl: Refused = None


class ThreadChange(Body):
    """Other labels for a thread: each takes the place of the one with its name."""

    metadata: Metadata = {}
    ttl: Refused = None


class StateOrder(Body):
    """The one change of state that there is: no values, as `__end__`, which takes the caller's own plan back."""

    values: Refused = None
    as_node: str | None = None
    checkpoint: Refused = None
    checkpoint_id: Refused = None

    @model_validator(mode="after")
    def _only_the_end(self) -> Self:
        if self.as_node != END:
            _refuse(f"the state is changed in no node's name; to take your plan back send null as {END}")
        return self


class CancelQuery(Body):
    """How to cancel a run."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    wait: bool = False
    action: str = "interrupt"

    @model_validator(mode="after")
    def _keeps_what_was(self) -> Self:
        if self.action != "interrupt":
            _refuse("a run is stopped, never rolled back: that would drop what the thread waits for")
        return self
