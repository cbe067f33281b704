"""What a rule sees and what it says: the facts to check a plan against, and a violation in numbers and words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from policies.schema import Policy
from policies.stops import Stop
from tools.inventory import Snapshot
from tools.transfers import TransferLine, TransferPlan


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a plan breaks. `line_nos` are the lines to blame; empty means the plan as a whole."""

    rule: str
    words: str
    numbers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    line_nos: tuple[int, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What rules know besides the plan: the world now, the document in force, and the stops in force."""

    snapshot: Snapshot
    policy: Policy
    now: datetime
    stops: tuple[Stop, ...] = ()

    @property
    def kill_switch(self) -> bool:
        """Whether the kill switch holds everything."""
        return any(stop.holds_everything for stop in self.stops)


Rule = Callable[[TransferPlan, Facts], Iterator[Violation]]


def on_line(rule: str, line: TransferLine, words: str, **numbers: int) -> Violation:
    """A violation by one line, which its sentence names."""
    return Violation(
        rule,
        f"Line {line.line_no} ({line.units:,} {line.sku_id} {line.lane.label}): {words}.",
        numbers,
        (line.line_no,),
    )
