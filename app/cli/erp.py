"""`erp check` and `erp import`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import AsJson, print_json
from app.cli.session import Token, at_shell
from app.errors import InvalidError, SetUpError, UnavailableError

if TYPE_CHECKING:
    from app.auth.roles import Principal
    from app.service import Service
    from tools.ports import ReadableErp


def register(app: typer.Typer) -> None:
    """Add the commands."""
    erp = typer.Typer(help="The ERP that transfers are posted to.", no_args_is_help=True)
    erp.command("check")(check)
    erp.command("import")(import_from_erp)
    app.add_typer(erp, name="erp")


def check(token: Token = None, as_json: AsJson = False) -> None:
    """Say what is wrong with the connection to the ERP and with its rights, and what to do. Ends with status 1 for faults."""
    from app.auth.roles import Act
    from app.db.database import database_now
    from app.erp.connecting import adapter_of
    from app.plans.store import snapshot_now
    from tools.ports import CheckableErp

    with at_shell(token) as shell:
        shell.caller.require(Act.VERIFY)
        shell.caller.require_everything("a check of the ERP")
        erp = adapter_of(shell.service.settings, shell.service.database)
        if not isinstance(erp, CheckableErp):
            print("Transfers are posted to the built-in stock ledger: there is no connection to check.")
            return
        with shell.service.database.transaction() as session:
            facts, now = snapshot_now(session), database_now(session)
        found = erp.check([site.site_id for site in facts.sites], [sku.sku_id for sku in facts.skus], now)
    faults = [finding for finding in found if not finding.in_order]
    if as_json:
        print_json(
            [{"subject": each.subject, "words": each.words, "remedy": each.remedy or None} for each in found]
        )  # fmt: skip
    else:
        for finding in found:
            print(f"{'ok   ' if finding.in_order else 'FAULT'} {finding.subject}: {finding.words}")
            if finding.remedy:
                print(f"      → {finding.remedy}")
        print("Everything is in order." if not faults else f"{len(faults)} to be put right.")
    if faults:
        raise typer.Exit(1)


def import_from_erp(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="Folder to write in the import format; forecasts or sales are yours to add."
        ),
    ] = None,
    stock: Annotated[bool, typer.Option("--stock", help="Take what the ERP holds now as a count of stock.")] = False,
    mode: Annotated[str, typer.Option(help="Mode of the lanes that are written.")] = "truck",
    lane_cost: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Cost of a departure, in whole units of the currency. Without it no lanes are written: an ERP does not know it.",
        ),
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Read master data and stock from the ERP: into a folder, or stock straight as a count."""
    from app.auth.roles import Act
    from app.erp.connecting import adapter_of
    from tools.ports import ErpUncertainError, ReadableErp

    if (directory is None) is not stock:
        raise InvalidError("erp_import", "say either a folder or --stock", "name a folder to begin with")
    with at_shell(token) as shell:
        shell.caller.require(Act.IMPORT)
        shell.caller.require_everything("an import")
        erp = adapter_of(shell.service.settings, shell.service.database)
        if not isinstance(erp, ReadableErp):
            raise SetUpError("erp_built_in", "the built-in ledger has nothing to import from", "set EVENKEEL_ERP")
        try:
            if directory is None:
                done = _take_stock(shell.service, erp, shell.caller)
            else:
                done = _write(erp, directory, mode, lane_cost)
        except ErpUncertainError as failed:
            raise UnavailableError("erp", str(failed), "run: evenkeel erp check") from failed
    if as_json:
        print_json(done)
        return
    for name, count in done.items():
        print(f"  {count:>9,} {name}")


def _write(erp: ReadableErp, directory: Path, mode: str, lane_cost: int | None) -> dict[str, int]:
    """The files of a network, as far as the ERP knows it, in a folder that has none of them."""
    from tools.network_folder import NetworkFolder, write_network

    told = erp.read_network(mode, (lane_cost or 0) * 10_000)
    positions = tuple(erp.read_stock(datetime.now(UTC).replace(microsecond=0)))
    network = NetworkFolder(
        told.currency, told.sites, told.skus, told.lanes if lane_cost is not None else (), positions
    )
    files = write_network(network)
    if lane_cost is None:
        del files["lanes.csv"]
    there = sorted(name for name in files if (directory / name).exists())
    if there:
        raise InvalidError("not_empty", f"{directory} has {', '.join(there)} already", "name another folder")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in sorted(files.items()):
            (directory / name).write_bytes(content)
    except OSError as refused:
        raise InvalidError(
            "directory", f"{refused.filename or directory} cannot be written: {(refused.strerror or '').lower()}",
            "name a folder that you may write",
        ) from refused  # fmt: skip
    return {
        "sites": len(network.sites),
        "skus": len(network.skus),
        "lanes": len(network.lanes),
        "positions": len(positions),
    }


def _take_stock(service: Service, erp: ReadableErp, caller: Principal) -> dict[str, int]:
    """What the ERP holds of what we know, as one count for each site, judged like any signal."""
    from app.erp.counting import stock_signals
    from app.plans.store import snapshot_now
    from app.stock.installation import planning_now
    from app.stock.receiving import receive_signals
    from tools.findings import QualityVerdict

    with service.database.transaction() as session:
        now = planning_now(session)
    positions = erp.read_stock(now)
    with service.database.transaction() as session:
        signals, unknown = stock_signals(snapshot_now(session), positions, now)
        done = receive_signals(session, caller, signals) if signals else []
    quarantined = sum(each.verdict is QualityVerdict.QUARANTINED for each in done)
    return {"counts": len(done), "quarantined": quarantined, "positions of nothing that we know": unknown}
