"""Taking in signals, by whichever door they come: all of them, or none where one does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlmodel import Session

from app.auth.roles import Principal
from app.errors import ConflictError, ForbiddenError, InvalidError
from app.governance.state import active_policy
from app.plans.store import snapshot_to_judge_by
from app.stock.ingest import Ingested, ingest
from app.stock.installation import installation, planning_now
from app.stock.naming import sites_named
from policies.limits import quality_rules
from tools.findings import QualityContext
from tools.signals import Envelope

SIGNALS_MAX = 1_000


def receive_signals(session: Session, sender: Principal, signals: Sequence[Envelope]) -> list[Ingested]:
    """Take in signals, each judged by what was known before them. Repeats change nothing.

    Raises InvalidError, ConflictError, and ForbiddenError for signals about sites outside
    the sender's; then nothing may be committed.
    """
    if not 1 <= len(signals) <= SIGNALS_MAX:
        raise InvalidError(
            "signals", f"{len(signals)} signals at once; 1 to {SIGNALS_MAX:,} are admitted", "split them"
        )
    if installation(session).currency is None:
        raise ConflictError("no_network", "there is no network yet", "import one first")
    installation(session, lock=True)
    rules, now = quality_rules(active_policy(session)), planning_now(session)

    @cache
    def context() -> QualityContext:
        """What was known before these signals: frozen once, however many there are."""
        return QualityContext(known=snapshot_to_judge_by(session), now=now, rules=rules)

    done = [ingest(session, signal, context, sender.user_id) for signal in signals]
    for signal in signals if sender.sites is not None else ():
        if not sender.covers(sites_named(session, signal.facts())):
            raise ForbiddenError("scope", f"signal {signal.id} is about sites outside yours", "send what you know of")
    return done
