"""`import` and `generate`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import AsJson, print_json
from app.cli.session import Token, at_shell
from app.errors import InvalidError

DEMO_AS_OF = "2026-03-02T06:00:00+00:00"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_folder)
    app.command("generate")(generate)


def import_folder(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the network's CSV files.")],
    pin: Annotated[bool, typer.Option(help="Take the network's own day for today: for samples from the past.")] = False,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Import a network. Everything is checked first; with one fault nothing is written."""
    from app.auth.roles import Act
    from app.stock.folder import read_folder
    from app.stock.importing import ImportRefusedError, import_network
    from tools.network_folder import ImportFaults

    with at_shell(token) as shell:
        shell.caller.require(Act.IMPORT)
        shell.caller.require_everything("an import")
        limit = shell.service.settings.import_file_bytes_max
        files = read_folder(directory, limit)
        if isinstance(files, ImportFaults):
            raise ImportRefusedError(files)
        with shell.service.database.transaction() as session:
            done = import_network(session, files, shell.caller.user_id, pin=pin, size_limit_bytes=limit)
    if as_json:
        print_json(
            {
                "digest": done.digest, "new": done.new, "counts": done.counts, "sales_grain": done.sales_grain,
                "warnings": done.warnings, "quarantined": done.quarantined,
            }
        )  # fmt: skip
        return
    print("Imported" if done.new else "Known already, nothing changed", f"({done.digest[:12]}):")
    for name, count in done.counts.items():
        print(f"  {count:>9,} {name}")
    if done.sales_grain:
        print(f"  sales are by {done.sales_grain}")
    for warning in done.warnings:
        print(f"  warning: {warning}")
    if done.quarantined:
        print(f"  {done.quarantined} signals were quarantined; their readings are kept out of plans")


def generate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; must be empty or new.")],
    sites: Annotated[int, typer.Option(min=2, max=2000)] = 16,
    skus: Annotated[int, typer.Option(min=1, max=100_000)] = 80,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    as_of: Annotated[str, typer.Option(help="Instant of the stock count, ISO with a zone.")] = DEMO_AS_OF,
    merchandise: Annotated[
        bool, typer.Option("--merchandise", help="Also sets, displays, lots, ends of life.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a realistic network in the import format. The same seed gives the same bytes."""
    from tools.generate import generate_network
    from tools.network_folder import write_network

    try:
        instant = datetime.fromisoformat(as_of)
    except ValueError as wrong:
        raise InvalidError("as_of", f"{as_of!r} is not an instant", "write it like 2026-03-02T06:00:00Z") from wrong
    if instant.tzinfo is None:
        raise InvalidError("as_of", f"{as_of!r} has no zone", "write it like 2026-03-02T06:00:00Z")
    files = write_network(generate_network(sites, skus, seed, instant, merchandise=merchandise))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise InvalidError("not_empty", f"{directory} is not empty", "name a new folder")
        for name, content in sorted(files.items()):
            (directory / name).write_bytes(content)
    except OSError as refused:
        raise InvalidError(
            "directory", f"{refused.filename or directory} cannot be written: {(refused.strerror or '').lower()}",
            "name a folder that you may write",
        ) from refused  # fmt: skip
    if as_json:
        print_json({"directory": str(directory), "files": {name: len(files[name]) for name in sorted(files)}})
        return
    print(f"{len(files)} files written to {directory}; import them with: evenkeel import {directory}")
