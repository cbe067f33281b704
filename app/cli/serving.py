"""`serve` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from app.service import Service


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
    with open_service(settings()) as service:
        _serve(service, host or service.settings.host, port or service.settings.port, as_json=as_json)


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
    with open_service(settings()) as service:
        tokens = prepare(service, sample, say)
        if tokens:
            print("\nPeople of the demo and their tokens, shown only now:")
            for user_id, (roles, token) in tokens.items():
                print(f"  {user_id:8} {roles:10} {token}")
        else:
            print("The people of the demo have their tokens; `evenkeel people token USER` makes a new one.")
        _serve(service, host or service.settings.host, port or service.settings.port, as_json=False)


def _serve(service: Service, host: str, port: int, *, as_json: bool) -> None:
    import uvicorn

    from app.service import running
    from app.web.main import create_app

    with running(service) as runner:
        address = f"http://{host}:{port}"
        if as_json:
            print_json({"address": address, "data": str(service.settings.data_dir), "runner": runner.running})
        else:
            print(f"\nEvenkeel serves {address} (data in {service.settings.data_dir}). Ctrl-C ends it.", flush=True)
        config = uvicorn.Config(
            create_app(service),
            host=host,
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=5,
            proxy_headers=False,
        )
        uvicorn.Server(config).run()
