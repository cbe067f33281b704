"""Storing and reading snapshots and plans by digest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from app.approvals.latency import latency_of_decisions
from app.db.database import database_now
from app.db.documents import packed, unpacked
from app.db.upsert import upsert
from app.errors import NotFoundError
from app.plans.tables import NegotiationRow, PlanProvenance, PlanRow, SnapshotOfFacts, SnapshotRow
from app.stock.facts import freeze
from app.stock.installation import installation, planning_now
from app.stock.since import frozen_since
from tools.canonical import canonical_json
from tools.inventory import Snapshot
from tools.transfers import TransferPlan

ASKED = ("llm", "temperature_e3", "prompt_digest", "catalogue_digest")
"""What is recorded of who formed a plan request."""


NAMED_BY_MIN = 8
"""So many digits of a plan's digest name it, if it is the only one."""


class DamagedError(RuntimeError):
    """A stored plan or snapshot is not what its digest says: somebody has changed the table."""

    def __init__(self, what: str, digest: str, found: str) -> None:
        super().__init__(f"the {what} stored as {digest[:12]} has the digest {found[:12]}")


def snapshot_now(session: Session) -> Snapshot:
    """The facts now, frozen and stored. The same facts on the same day are the same snapshot."""
    # Both keys before the facts: what comes in meanwhile makes facts newer than their key, and never older.
    key, rest = facts_key(session), _key_of_the_rest(session)
    known = session.get(SnapshotOfFacts, key)
    if known is not None:
        return read_snapshot(session, known.digest)
    before = _frozen_before(session, rest)
    snapshot = freeze(session) if before is None else frozen_since(session, before)
    store_snapshot(session, snapshot)
    keys = [key] if before is not None else [key, rest]
    upsert(session, SnapshotOfFacts, [{"key": each, "digest": snapshot.digest} for each in keys])
    return snapshot


def facts_key(session: Session) -> str:
    """What changes whenever the facts do."""
    return f"{_facts_version(session)}/{planning_now(session).date()}/{latency_of_decisions(session)}"


def snapshot_to_check_on(session: Session) -> Snapshot:
    """The facts now, for whoever looks at them and puts nothing on record that names them: they need not be stored."""
    before = _frozen_before(session, _key_of_the_rest(session))
    return snapshot_now(session) if before is None else frozen_since(session, before)


_FROZEN_TODAY = text(
    "select exists (select from snapshot where frozen_at >= date_trunc('day', transaction_timestamp()))"
)
"""Whether there are facts of today, with which the trends of stock begin the day."""


def snapshot_to_judge_by(session: Session) -> Snapshot:
    """The facts now, for whoever is about to change them. Nobody comes back to these, so only a day's first are stored."""
    known = session.get(SnapshotOfFacts, facts_key(session))
    if known is not None:
        return read_snapshot(session, known.digest)
    if not session.connection().execute(_FROZEN_TODAY).scalar_one():
        return snapshot_now(session)
    before = _frozen_before(session, _key_of_the_rest(session))
    return freeze(session) if before is None else frozen_since(session, before)


def _frozen_before(session: Session, rest: str) -> Snapshot | None:
    """The first snapshot since the last signal or import and of this day, if there is one."""
    known = session.get(SnapshotOfFacts, rest)
    return None if known is None else read_snapshot(session, known.digest)


def _key_of_the_rest(session: Session) -> str:
    """What changes when facts do that no transfer changes."""
    row = installation(session)
    return f"since/{row.facts_version}/{planning_now(session, row).date()}"


_ORDERED = text("select coalesce(sum(seq), 0) from ledger_head where stream like 'stock/%'")


def _facts_version(session: Session) -> str:
    """What changes when facts do: signals and imports by their counter, transfers by the events of their streams.

    Transfers have no counter of their own, because one row that all of them write would serialise them.
    """
    return f"{installation(session).facts_version}.{session.connection().execute(_ORDERED).scalar_one()}"


def store_snapshot(session: Session, snapshot: Snapshot) -> str:
    """Store a snapshot under its digest. Storing it again changes nothing."""
    body = packed(snapshot.to_document())
    row = {
        "digest": snapshot.digest,
        "as_of": snapshot.as_of,
        "frozen_at": database_now(session),
        "body": body,
    }
    session.connection().execute(insert(SnapshotRow).values(row).on_conflict_do_nothing())
    _keep(snapshot, body)
    return snapshot.digest


def read_snapshot(session: Session, digest: str) -> Snapshot:
    """A stored snapshot. Raises NotFoundError, and DamagedError when its facts do not have its digest."""
    row = session.get(SnapshotRow, digest)
    if row is None:
        raise NotFoundError("unknown_snapshot", f"there is no snapshot {digest[:12]}")
    with _KEPT_LOCK:
        snapshot = _KEPT.get((digest, row.body))
    if snapshot is None:
        snapshot = Snapshot.from_document(unpacked(row.body))
        if snapshot.digest != digest:
            raise DamagedError("snapshot", digest, snapshot.digest)
    _keep(snapshot, row.body)
    return snapshot


SNAPSHOTS_KEPT = 4
_KEPT: OrderedDict[tuple[str, bytes], Snapshot] = OrderedDict()
"""The snapshots used last, by digest and stored bytes: reading a large one takes seconds, and a run reads it often."""
_KEPT_LOCK = Lock()


def _keep(snapshot: Snapshot, body: bytes) -> None:
    with _KEPT_LOCK:
        key = (snapshot.digest, body)
        _KEPT.setdefault(key, snapshot)
        _KEPT.move_to_end(key)
        while len(_KEPT) > SNAPSHOTS_KEPT:
            _KEPT.popitem(last=False)


def store_plan(session: Session, plan: TransferPlan, asked: Mapping[str, Any] | None = None) -> bool:
    """Store a plan under its digest, and what it is put down to; False when it was there already.

    `asked` names the llm that formed the request, with `temperature_e3`, `prompt_digest` and `catalogue_digest`.
    """
    row = {
        "digest": plan.digest,
        "snapshot_digest": plan.snapshot_digest,
        "policy_digest": plan.policy_digest,
        "planned_at": database_now(session),
        "body": canonical_json(plan.model_dump(mode="json")),
    }
    statement = insert(PlanRow).values(row).on_conflict_do_nothing().returning(col(PlanRow.digest))
    is_new = session.connection().execute(statement).first() is not None
    provenance = {
        **{name: (asked or {}).get(name) for name in ASKED},
        "plan_digest": plan.digest,
        "solver_versions": list(plan.solver.versions),
        "recorded_at": row["planned_at"],
    }
    if is_new:  # of a plan that is made again the first is recorded, also where that was before there were records
        session.connection().execute(insert(PlanProvenance).values(provenance))
    return is_new


def read_provenance(session: Session, digest: str) -> PlanProvenance | None:
    """What a plan is put down to; None for a plan from before this was recorded."""
    return session.get(PlanProvenance, digest)


def read_plan(session: Session, digest: str) -> TransferPlan:
    """A stored plan. Raises NotFoundError, and DamagedError when its content does not have its digest."""
    row = session.get(PlanRow, digest)
    if row is None:
        raise NotFoundError("unknown_plan", f"there is no plan {digest[:12]}", "check the digest", plan=digest)
    plan = TransferPlan.model_validate_json(row.body)
    if plan.digest != digest:
        raise DamagedError("plan", digest, plan.digest)
    return plan


def plan_named(session: Session, start: str) -> str:
    """The digest of the one plan whose digest begins so. Raises NotFoundError for none, for several, and for too little."""
    query = select(PlanRow.digest).where(col(PlanRow.digest).startswith(start, autoescape=True)).limit(2)
    digests = session.exec(query).all() if len(start) >= NAMED_BY_MIN else ()
    if len(digests) != 1:
        raise NotFoundError("unknown_plan", f"there is no plan {start!r}", "give more of its digest", plan=start)
    return digests[0]


def store_negotiation(session: Session, plan_digest: str, record: dict[str, Any]) -> None:
    """Keep the record of a negotiation beside its plan."""
    session.merge(NegotiationRow(plan_digest=plan_digest, record=record))


def read_negotiation(session: Session, plan_digest: str) -> dict[str, Any] | None:
    """The negotiation record of a plan, if there was a negotiation."""
    row = session.get(NegotiationRow, plan_digest)
    return row.record if row else None
