"""What commands share: an open service, who is asking, and waiting for durable work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import NotSignedInError, UnavailableError

if TYPE_CHECKING:
    from uuid import UUID

    from app.auth.roles import Principal
    from app.service import Service
    from app.threads.tables import Run
    from app.views import RunView

TOKEN_VARIABLE = "EVENKEEL_TOKEN"  # noqa: S105  the name of a variable
WAIT_SECONDS_MAX = 900
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar=TOKEN_VARIABLE,
        help="Token of the person, or key of the program, that asks.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class AtShell:
    """An open service and the person at the shell."""

    service: Service
    caller: Principal


@contextmanager
def at_shell(token: str | None) -> Iterator[AtShell]:
    """Open the service for one command, in the name of the token's owner.

    Without a token, and only on an embedded database, the command runs as `shell`:
    whoever can read the data directory can do as much, and a decision is never theirs.
    """
    from app.auth.people import SHELL_PRINCIPAL, sign_in
    from app.logs import set_up_logs
    from app.service import open_service
    from app.settings import settings

    set_up_logs(quiet=True)
    with open_service(settings()) as service:
        if token:
            with service.database.transaction() as session:
                caller = sign_in(session, token)
        elif service.settings.database_url is None:
            caller = SHELL_PRINCIPAL
        else:
            raise NotSignedInError("no_token", "this needs a token", f"set {TOKEN_VARIABLE} or pass --token")
        yield AtShell(service, caller)


def require_manager(caller: Principal) -> None:
    """Raise ForbiddenError unless they manage people and keys. At the shell of an embedded installation anybody does."""
    from app.auth.people import SHELL
    from app.auth.roles import Act

    if caller.user_id != SHELL:
        caller.require(Act.MANAGE_PEOPLE)


@contextmanager
def carrying_out(service: Service) -> Iterator[None]:
    """Carry out durable work here while the command waits, unless a running service does."""
    from app.service import running

    with running(service):
        yield


def wait_for(what: str, ready: Callable[[], bool], seconds_max: float = WAIT_SECONDS_MAX) -> None:
    """Wait until `ready` says so. Raises UnavailableError after too long."""
    deadline = time.monotonic() + seconds_max
    while not ready():
        if time.monotonic() > deadline:
            raise UnavailableError("slow", f"{what} takes longer than {seconds_max:.0f} seconds", "look again later")
        time.sleep(0.05)


def finished_run(service: Service, run_id: UUID) -> RunView:
    """Wait for a run, and what the agent said last."""
    from app.threads.tables import ACTIVE, Run
    from app.views import run_view

    def row() -> Run:
        with service.database.transaction() as session:
            found = session.get(Run, run_id)
        if found is None:
            raise UnavailableError("run_lost", f"run {run_id} is gone", "start again")
        return found

    wait_for(f"run {run_id}", lambda: row().status not in ACTIVE)
    done = row()
    return run_view(done, service.driver.last_words(done.thread_id))


def is_interactive() -> bool:
    """Whether a person sits at the terminal."""
    return os.isatty(0) and os.isatty(1)
