"""`checkpoint`, `verify`, `export-ledger`, `prove`, `lineage` and `forget`: what an auditor asks for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from app.cli.output import AsJson, print_json, print_table
from app.cli.session import AtShell, Token, at_shell

if TYPE_CHECKING:
    from app.lineage import LineageView


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("verify")(verify)
    app.command("checkpoint")(checkpoint)
    app.command("prove")(prove)
    app.command("export-ledger")(export_ledger)
    app.command("lineage")(show_lineage)
    app.command("forget")(forget_person)


def verify(
    against: Annotated[
        Path | None, typer.Option(metavar="CHECKPOINT", help="A file of checkpoints that was kept outside.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The verifier key that was kept with it; this installation's own by default.")
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Walk every chain of the ledger and recompute every balance. Ends with status 1 when something does not fit.

    Only with --against is it found that an end was cut off, or that everything from some point on was rewritten.
    """
    from app.ledger.checkpoints import read_checkpoints
    from app.ledger.keys import signer
    from app.ledger.notes import VerifierKey
    from app.ledger.verify import verify as walk
    from app.views import verification_view

    with at_shell(token) as shell:
        _require_auditor(shell)
        checkpoints = []
        if against is not None:
            verifier = VerifierKey.parsed(key) if key else signer(shell.service.settings).verifier
            checkpoints = read_checkpoints(against, verifier)
        found = verification_view(walk(shell.service.database, checkpoints))
    if as_json:
        print_json(found)
    else:
        print(f"{found.events:,} events in {found.streams:,} streams, {found.moves:,} stock moves.")
        if checkpoints:
            print(f"{len(checkpoints):,} checkpoints vouch for the first {found.anchored:,} events.")
        for problem in found.problems:
            print(f"  {problem.code} at {problem.where}: {problem.words}")
        print("Everything fits." if found.verified else "The ledger does not fit together.")
    if not found.verified:
        raise typer.Exit(1)


def checkpoint(token: Token = None, as_json: AsJson = False) -> None:
    """Sign the ledger as it stands, append that to the checkpoint file, and print it with the key that verifies it."""
    from app.errors import ConflictError
    from app.ledger.checkpoints import make_checkpoint
    from app.ledger.keys import signer

    with at_shell(token) as shell:
        _require_auditor(shell)
        settings = shell.service.settings
        signing = signer(settings)
        made = make_checkpoint(shell.service.database, signing, settings.checkpoint_path)
    if made is None:
        raise ConflictError("empty_ledger", "the ledger holds no event yet", "import a network first")
    if as_json:
        document = {"size": made.size, "new": made.new, "note": made.note, "key": str(signing.verifier)}
        print_json(document | {"file": str(settings.checkpoint_path)})
        return
    print(made.note)
    print(f"Verifier key: {signing.verifier}")
    print(f"Kept in {settings.checkpoint_path}; keep a copy where nobody with rights in the database can write.")


def prove(
    stream: Annotated[str, typer.Argument(metavar="STREAM")],
    seq: Annotated[int, typer.Argument(min=1, metavar="NUMBER")],
    token: Token = None,
) -> None:
    """Print the proof that an event is in the ledger that the newest checkpoint stands for, as one JSON document."""
    from app.ledger.checkpoints import prove_event
    from app.ledger.views import proof_view

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        _require_auditor(shell)
        print_json(proof_view(prove_event(session, stream, seq)))


def export_ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines; - for standard output.")],
    token: Token = None,
) -> None:
    """Write every event with its proof, to be checked by anybody without this service (docs/ledger_export.md)."""
    from app.ledger.export import export_ledger as write
    from app.ledger.keys import signer

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        _require_auditor(shell)
        verifier = signer(shell.service.settings).verifier
        if str(file) == "-":
            write(session, verifier, sys.stdout)
            return
        with file.open("w", encoding="utf-8") as out:
            done = write(session, verifier, out)
    print(f"{done.events:,} events with their proofs are in {file}.")


def show_lineage(
    transfer_id: Annotated[UUID, typer.Argument(metavar="TRANSFER")], token: Token = None, as_json: AsJson = False
) -> None:
    """Say where a transfer comes from and what became of it: from its signals to its receipts."""
    from app.lineage import lineage

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        view = lineage(session, shell.caller, transfer_id)
    if as_json:
        print_json(view)
        return
    _print_lineage(view)


def _print_lineage(view: LineageView) -> None:
    order, approval = view.order, view.approval
    print(f"{order.units:,} of {order.sku_id} from {order.origin} to {order.destination}: {order.state}.")
    print(
        f"Snapshot {view.snapshot_digest[:12]} as of {view.snapshot_as_of.isoformat()}, of {len(view.signals):,} signals:"
    )
    for signal in view.signals:
        print(f"  {signal.kind} {signal.signal_id} from {signal.source}, {signal.verdict}")
    if view.signals_hidden:
        print(f"  and {view.signals_hidden:,} about sites that are not yours")
    print(
        f"Plan {order.plan_digest[:12]}, planned {view.planned_at.isoformat()} under {view.policy} ({view.policy_digest[:12]})."
    )
    if view.provenance is not None:
        print(f"  {view.provenance.words}")
    for earlier in view.predecessors:
        print(
            f"Edited from plan {earlier.plan_digest[:12]}, planned {earlier.planned_at.isoformat()} under {earlier.policy},"
            f" request {earlier.approval_id} of {earlier.requested_by}:"
        )
        print(f"  {earlier.words}")
    print(f"Request {approval.approval_id} of {approval.requested_by}: {approval.status}, by {approval.decided_by}.")
    for signature in view.signatures:
        print(f"  signed by {signature.signed_by} on {signature.signed_at.isoformat()}")
    for receipt in view.receipts:
        print(f"Received {receipt.units:,} on {receipt.received_at.isoformat()}, reported by {receipt.received_by}.")
    print_table(
        ("event", "at", "by", "stream", "number", "position"),
        (
            (e.type, e.occurred_at.isoformat(timespec="seconds"), e.actor, e.stream[:40], e.seq, e.position)
            for e in view.events
        ),
        "The ledger holds no event about it.",
    )


def forget_person(
    user_id: Annotated[str, typer.Argument(metavar="PERSON")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; there is no way back.")] = False,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Destroy the key of what a person has said, and remove their name, tokens and conversations. For ever.

    What they decided stays in the ledger under their id, and `verify` stays clean.
    """
    from app.forgetting import forget

    if not yes:
        typer.confirm(f"Forget {user_id} for ever?", abort=True, err=True)
    with at_shell(token) as shell:
        with shell.service.database.transaction() as session:
            done = forget(session, shell.caller, user_id)
        for thread_id in done.threads:
            shell.service.driver.forget(thread_id)
    if as_json:
        print_json({"user_id": done.user_id, "threads": len(done.threads), "new": done.new})
        return
    print(
        f"{user_id} is forgotten, with {len(done.threads):,} conversations. Backups keep the key until they are gone."
    )


def _require_auditor(shell: AtShell) -> None:
    from app.ledger.views import require_auditor

    require_auditor(shell.caller)
