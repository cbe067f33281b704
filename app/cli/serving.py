"""`serve` and `demo`."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.ending import ending_in_order
from app.cli.output import AsJson, print_json
from app.errors import SetUpError

if TYPE_CHECKING:
    from app.service import Service
    from app.settings import Settings

CLOSING_SECONDS_MAX = 10
"""So long everything that is open may take to close, once runs had their time to come to an edge."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("demo")(demo)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535)] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the API and the page, and carry out durable work."""
    from app.logs import set_up_logs
    from app.service import open_service
    from app.settings import settings

    set_up_logs()
    chosen = _at(settings(), host, port)
    with _listening(chosen.host, chosen.port) as listener, open_service(chosen) as service:
        _serve(service, listener, as_json=as_json)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Run the main job once, by itself, and end.")] = False,
    network: Annotated[Path | None, typer.Option(help="A folder to import instead of the sample network.")] = None,
    sites: Annotated[int, typer.Option(min=2, max=2000)] = 16,
    skus: Annotated[int, typer.Option(min=1, max=100_000)] = 80,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    host: Annotated[str | None, typer.Option()] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535)] = None,
    as_json: AsJson = False,
) -> None:
    """Show the whole thing on a sample network.

    Without --once: import, scan, and serve the page with a plan waiting in the queue. A
    second start finds everything as it was. With --once: in a directory of its own
    (unless EVENKEEL_DATA is set), down to the verified ledger.
    """
    from app.demo import Sample, main_job, prepare
    from app.logs import set_up_logs
    from app.service import open_service
    from app.settings import settings

    set_up_logs(quiet=True)
    sample = Sample(network, sites, skus, seed)
    say = (lambda _: None) if as_json else print
    if once:
        print_json(main_job(sample, say)) if as_json else main_job(sample, say)
        return
    chosen = _at(settings(), host, port)
    # The address comes first: tokens are shown once, and would be lost where it is taken.
    with _listening(chosen.host, chosen.port) as listener, open_service(chosen) as service:
        tokens = prepare(service, sample, say)
        if not as_json:
            _print_people(tokens)
        _serve(service, listener, as_json=as_json, people=tokens)


def _print_people(tokens: dict[str, tuple[str, str]]) -> None:
    if not tokens:
        print("The people of the demo have their tokens; `evenkeel people token USER` makes a new one.")
        return
    print("\nPeople of the demo and their tokens, shown only now:")
    for user_id, (role, token) in tokens.items():
        print(f"  {user_id:8} {role:10} {token}")


def _at(chosen: Settings, host: str | None, port: int | None) -> Settings:
    """The settings with the address that was asked for: what is shown of them is what is in force."""
    return chosen.model_copy(update={"host": host or chosen.host, "port": port or chosen.port})


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The address, taken before anything else is done. A signal ends what follows as a success.

    Raises SetUpError where the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as refused:
        why, *_ = (refused.strerror or "").split(" (")
        raise SetUpError(
            "address", f"Evenkeel cannot listen on {host} port {port}: {why.lower()}",
            "end what listens there, or choose another one with --host and --port", host=host, port=port,
        ) from refused  # fmt: skip
    with ending_in_order(0), listener:
        yield listener


def _serve(
    service: Service, listener: socket.socket, *, as_json: bool, people: dict[str, tuple[str, str]] | None = None
) -> None:
    """Serve until a signal ends it. `people` are the new people of the demo, with role and token."""
    from app.demo import PEOPLE
    from app.service import running
    from app.web.server import Server

    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    try:
        with running(service) as runner:
            if as_json:
                told = {"address": address, "data": str(service.settings.data_dir), "runner": runner.running}
                if people is not None:
                    shown = [{"user_id": name, "role": role, "token": token} for name, (role, token) in people.items()]
                    told["people"] = shown
                print_json(told)
            else:
                print(f"\nEvenkeel serves {address} (data in {service.settings.data_dir}). Ctrl-C ends it.", flush=True)
            # One click signs in the people of the demo, and only they exist there.
            Server(service, {} if people is None else PEOPLE).run(sockets=[listener])
    finally:
        if service.drain.abandoned:
            _end_within(CLOSING_SECONDS_MAX)


def _end_within(seconds: float) -> None:
    """End even where a step of a run does not: its thread would keep the process, and the next one drives it again."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()
