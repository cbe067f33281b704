"""Calls of the LangGraph SDK that there is nothing behind here: each is refused in words, and that it was tried is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from fastapi import APIRouter

from app.auth.roles import Act
from app.errors import InvalidError
from app.web.routes.langgraph.callers import Client
from app.web.routes.langgraph.refusals import NOT_OFFERED, DialectRoute

router = APIRouter(route_class=DialectRoute)
_STATELESS = "a run belongs to a thread: start it under /threads/{thread_id}/runs"
_ONE_ASSISTANT = "there is one assistant, and it is changed by a release of the service"
_BY_RUN = "follow a run, by /threads/{thread_id}/runs/{run_id}/stream"
_SCHEDULE = "scans are started by signals and by the operator's schedule"
_MEMORY = "there is no store: a thread remembers its own conversation"
REFUSED = (
    ("POST", "/runs", _STATELESS),
    ("POST", "/runs/stream", _STATELESS),
    ("POST", "/runs/wait", _STATELESS),
    ("POST", "/runs/batch", _STATELESS),
    ("POST", "/runs/cancel", "runs are cancelled one by one, by /threads/{thread_id}/runs/{run_id}/cancel"),
    ("DELETE", "/threads/{thread_id}/runs/{run_id}", "what was run stays with its thread; the thread can be deleted"),
    ("POST", "/threads/{thread_id}/copy", "a question is asked in one thread: start another one and ask anew"),
    ("POST", "/threads/prune", "how long states are kept is the operator's to say; a thread can be deleted"),
    ("GET", "/threads/{thread_id}/stream", _BY_RUN),
    ("POST", "/threads/{thread_id}/stream/events", _BY_RUN),
    ("POST", "/threads/{thread_id}/commands", "start a run, by /threads/{thread_id}/runs"),
    ("POST", "/assistants", _ONE_ASSISTANT),
    ("PATCH", "/assistants/{assistant_id}", _ONE_ASSISTANT),
    ("DELETE", "/assistants/{assistant_id}", _ONE_ASSISTANT),
    ("POST", "/assistants/{assistant_id}/versions", _ONE_ASSISTANT),
    ("POST", "/assistants/{assistant_id}/latest", _ONE_ASSISTANT),
    ("GET", "/assistants/{assistant_id}/graph", "the graph within is not for clients"),
    ("GET", "/assistants/{assistant_id}/subgraphs/{namespace}", "there are no graphs within the assistant's"),
    ("POST", "/threads/{thread_id}/runs/crons", _SCHEDULE),
    ("POST", "/runs/crons", _SCHEDULE),
    ("POST", "/runs/crons/search", _SCHEDULE),
    ("POST", "/runs/crons/count", _SCHEDULE),
    ("PATCH", "/runs/crons/{cron_id}", _SCHEDULE),
    ("DELETE", "/runs/crons/{cron_id}", _SCHEDULE),
    ("PUT", "/store/items", _MEMORY),
    ("GET", "/store/items", _MEMORY),
    ("DELETE", "/store/items", _MEMORY),
    ("POST", "/store/items/search", _MEMORY),
    ("POST", "/store/namespaces", _MEMORY),
)
"""Method and path of each such call, and what to do instead."""


def _refusal(method: str, path: str, instead: str) -> Callable[[Client], NoReturn]:
    def refuse(caller: Client) -> NoReturn:
        caller.require(Act.READ)
        raise InvalidError(NOT_OFFERED, f"{method} {path} is not offered here", instead)

    return refuse


for _method, _path, _instead in REFUSED:
    router.add_api_route(_path, _refusal(_method, _path, _instead), methods=[_method], response_model=None)
