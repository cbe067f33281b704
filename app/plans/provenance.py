"""What a plan is put down to, as people see it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlmodel import Session

from app.plans.store import read_provenance


class ProvenanceView(BaseModel):
    """What a plan is put down to. Without an llm nobody formed the request in words; temperatures are in thousandths."""

    llm: str | None
    temperature_e3: int | None
    prompt_digest: str | None
    catalogue_digest: str | None
    solver_versions: list[str]
    recorded_at: datetime

    @property
    def words(self) -> str:
        """In one line."""
        solvers = f"solved by {', '.join(self.solver_versions) or 'no solver'}"
        if self.llm is None:
            return f"asked for without any language model; {solvers}"
        warmth = "" if self.temperature_e3 is None else f" at temperature {self.temperature_e3 / 1_000:g}"
        prompt, tools = (self.prompt_digest or "")[:12], (self.catalogue_digest or "")[:12]
        return f"asked for through {self.llm}{warmth}, prompt {prompt}, tools {tools}; {solvers}"


def provenance_view(session: Session, digest: str) -> ProvenanceView | None:
    """What a plan is put down to; None for a plan from before this was recorded. It names no site and no SKU."""
    row = read_provenance(session, digest)
    return None if row is None else ProvenanceView(**row.model_dump(exclude={"plan_digest"}))
