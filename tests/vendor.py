"""A scripted vendor of a language model: real requests of the real client, answered over HTTP in the wire format of chat completions.

The client speaks through httpx2, so respx has to patch the transport below that
one; its stock mocker would let every request out into the network.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import respx
from pydantic import SecretStr
from respx.mocks import HTTPCoreMocker

KEY = "sk-scripted-0123456789-never-to-be-seen"
ADDRESS = "https://llm.example/v1"
MODEL = "scripted-1"
CONFIGURED: dict[str, Any] = {
    "openai_api_key": SecretStr(KEY),
    "openai_base_url": ADDRESS,
    "openai_model": MODEL,
    "llm_retries_max": 1,
}
"""Settings of a service that asks this vendor."""
_PIECE = 7
"""Characters of arguments in one event: few, so that calls arrive in many pieces."""
_BYTES = 61
"""Bytes of a recorded exchange that arrive together."""
EXCHANGES = Path(__file__).parent / "app" / "exchanges"

Answer = httpx.Response | Exception
Events = Iterable[dict[str, Any] | str]


class Httpcore2Mocker(HTTPCoreMocker):
    """The stock mocker, aimed at the transport below httpx2, which has classes of the same names."""

    name = "httpcore2"
    targets = [target.replace("httpcore.", "httpcore2.", 1) for target in HTTPCoreMocker.targets]  # noqa: RUF012  respx declares it so


class Vendor:
    """Answers with the next answer of its script, then with what it `always` says; keeps what it was sent."""

    def __init__(self, router: respx.Router) -> None:
        self.always: Callable[[], Answer] | None = None
        self.unscripted = 0
        self._script: list[Answer] = []
        self._route = router.post(f"{ADDRESS}/chat/completions").mock(side_effect=self._next)

    def will(self, *answers: Answer) -> None:
        """Put answers at the end of the script."""
        self._script += answers

    @property
    def sent(self) -> list[httpx.Request]:
        """Every request so far."""
        return [call.request for call in self._route.calls]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What every request asked for."""
        return [json.loads(request.content) for request in self.sent]

    @property
    def unused(self) -> int:
        """How many answers of the script nobody has asked for."""
        return len(self._script)

    def _next(self, _: httpx.Request) -> httpx.Response:
        answer = self._script.pop(0) if self._script else self.always() if self.always else None
        if answer is None:
            self.unscripted += 1
            return httpx.Response(500, headers={"x-should-retry": "false"})
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def scripted_vendor() -> Iterator[Vendor]:
    """A vendor at `ADDRESS`. A request to anywhere else is an error, and so is one that the script does not foresee."""
    with respx.mock(using="httpcore2", assert_all_called=False) as router:
        vendor = Vendor(router)
        yield vendor
    assert not vendor.unscripted, f"{vendor.unscripted} requests that the script does not foresee"
    assert not vendor.unused, f"{vendor.unused} answers of the script that nobody asked for"


def says(*pieces: str) -> httpx.Response:
    """A streamed answer in words, one event a piece."""
    return streamed([*map(words, pieces), the_end()])


def calls(*wanted: tuple[str, dict[str, Any] | str], before: str = "", piece: int = _PIECE) -> httpx.Response:
    """A streamed answer that asks for tools; arguments are given as they are, or as the text that the vendor makes of them."""
    return streamed([*([words(before)] if before else []), *call_events(*wanted, piece=piece), the_end("tool_calls")])


def whole(content: str | None = None, *wanted: tuple[str, str], **more: Any) -> httpx.Response:
    """An answer that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if wanted:
        message["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for number, (name, arguments) in enumerate(wanted)
        ]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if wanted else "stop", "logprobs": None}
    document = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return httpx.Response(200, json=document | {"usage": usage} | more)


def fails(status: int, message: str = "no", **headers: str) -> httpx.Response:
    """An error of the vendor's. A retry waits a millisecond, unless the headers say otherwise."""
    named = {name.replace("_", "-"): value for name, value in ({"retry_after_ms": "1"} | headers).items()}
    return httpx.Response(status, headers=named, json={"error": {"message": message, "type": "error", "code": None}})


def streamed(events: Events, *, then: Exception | None = None, done: bool = True, **headers: str) -> httpx.Response:
    """A stream of server-sent events; `then` is how the connection dies after them, `done` whether the end is announced."""
    named = {"content-type": "text/event-stream"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(
        200, headers=named, stream=_Stream([*events, *(["[DONE]"] if done and not then else [])], then)
    )


def recorded(name: str, *, then: Exception | None = None, newline: bytes = b"\n", **filled: str) -> httpx.Response:
    """An exchange from `tests/app/exchanges`, in pieces as a network might cut them; `filled` replaces `{name}` in headers."""
    head, _, content = (EXCHANGES / f"{name}.http").read_bytes().partition(b"\n\n")
    status, *lines = head.decode().format(**filled).splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    return httpx.Response(int(status.split()[1]), headers=headers, stream=_Bytes(content.replace(b"\n", newline), then))


def body(content: bytes, content_type: str = "application/json") -> httpx.Response:
    """A successful answer of these bytes."""
    return httpx.Response(200, headers={"content-type": content_type}, content=content)


def words(piece: str) -> dict[str, Any]:
    """An event with a piece of what is said."""
    return event({"content": piece})


def call_events(*wanted: tuple[str, dict[str, Any] | str], piece: int = _PIECE) -> list[dict[str, Any]]:
    """The events of tool calls: the name first, then the arguments, so many characters at a time."""
    events = []
    for index, (name, arguments) in enumerate(wanted):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        head = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        events.append(event({"role": "assistant", "content": None, "tool_calls": [head]}))
        for start in range(0, len(text), piece):
            part = {"index": index, "function": {"arguments": text[start : start + piece]}}
            events.append(event({"tool_calls": [part]}))
    return events


def the_end(reason: str = "stop") -> dict[str, Any]:
    """The event that says why an answer ends."""
    return event({}, reason)


def event(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}


class _Bytes(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Bytes in pieces that fall in the middle of lines and of characters, and how the connection dies after them."""

    def __init__(self, content: bytes, then: Exception | None) -> None:
        self._content, self._then = content, then

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), _BYTES):
            yield self._content[start : start + _BYTES]
        if self._then is not None:
            raise self._then

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


class _Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, events: Events, then: Exception | None) -> None:
        self._events, self._then = events, then

    def __iter__(self) -> Iterator[bytes]:
        for each in self._events:
            yield f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n".encode()
        if self._then is not None:
            raise self._then

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part
