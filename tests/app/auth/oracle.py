"""Who may do what, said a second time: the table of the documentation and plain conditions, without the rules of the service.

It says why not in the codes of refusals, "" where it may be done.
"""

from __future__ import annotations

from dataclasses import dataclass

TABLE = """
    act            viewer  planner  approver  operator  admin
    read           x       x        x         x         x
    plan           .       x        .         .         .
    decide         .       .        x         .         .
    approve        .       .        x         .         .
    receive        .       .        .         x         .
    resolve        .       .        .         x         .
    send_signals   .       .        .         x         .
    import         .       .        .         x         x
    scan           .       x        .         x         .
    verify         .       .        .         x         x
    govern         .       .        .         x         x
    stop           .       .        x         x         x
    manage_people  .       .        .         .         x
"""
_HEAD, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
ROLES = tuple(_HEAD[1:])
ACTS = tuple(row[0] for row in _ROWS)
MAY = {(role, row[0]) for row in _ROWS for role, mark in zip(ROLES, row[1:], strict=True) if mark == "x"}
DECISIONS = ("decide", "approve")


@dataclass(frozen=True)
class Asking:
    """Whoever asks. `kind` is person, local, key or release; `sites` None is every site, `limit` None no limit."""

    name: str
    kind: str = "person"
    roles: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    sites: frozenset[str] | None = None
    cleared: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class OnPlan:
    """A plan that is decided on."""

    sites: frozenset[str]
    value: int
    sensitive: bool
    authors: frozenset[str]
    automatic: bool = False


@dataclass(frozen=True)
class OnOrder:
    """A transfer order under way."""

    origin: str
    destination: str


def why_not(asking: Asking, act: str, on: OnPlan | OnOrder | None = None, *, stopped: bool = False) -> str:
    """The code of the refusal, or "" where there is none."""
    if not _may_at_all(asking, act):
        return "role"
    if isinstance(on, OnOrder):
        return _why_not_order(asking, act, on)
    if isinstance(on, OnPlan):
        return _why_not_plan(asking, act, on, stopped=stopped)
    return ""


def _may_at_all(asking: Asking, act: str) -> bool:
    match asking.kind:
        case "person":
            return any((role, act) in MAY for role in asking.roles)
        case "local":
            return act not in DECISIONS and any((role, act) in MAY for role in asking.roles)
        case "key":
            return act in asking.acts and act not in (*DECISIONS, "govern", "manage_people")
        case _:
            return act == "approve"


def _why_not_order(asking: Asking, act: str, on: OnOrder) -> str:
    if asking.sites is None:
        return ""
    reached = {on.destination} if act == "receive" else {on.origin, on.destination}
    return "" if asking.sites & reached else "unknown_order"


def _why_not_plan(asking: Asking, act: str, on: OnPlan, *, stopped: bool) -> str:
    person = asking.kind == "person"
    within = on.sites if asking.sites is None else on.sites & asking.sites
    reasons = (
        ("scope", person and not within),
        ("four_eyes", person and asking.name in on.authors),
        ("scope", person and within != on.sites),
        ("value_limit", person and asking.limit is not None and on.value > asking.limit),
        ("clearance", person and on.sensitive and not asking.cleared),
        ("kill_switch", stopped and act == "approve"),
        ("role", asking.kind == "release" and not on.automatic),
    )
    return next((code for code, holds in reasons if holds), "")
