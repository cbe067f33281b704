"""Roles, acts, and the one place that says which role may do what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.errors import ForbiddenError


class Role(StrEnum):
    """What someone is here to do."""

    VIEWER = "viewer"
    PLANNER = "planner"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"


class Act(StrEnum):
    """What can be done."""

    READ = "read"
    PLAN = "plan"
    DECIDE = "decide"
    RECEIVE = "receive"
    RESOLVE = "resolve"
    SEND_SIGNALS = "send_signals"
    IMPORT = "import"
    SCAN = "scan"
    VERIFY = "verify"
    GOVERN = "govern"
    STOP = "stop"
    MANAGE_PEOPLE = "manage_people"


PERMITTED: dict[Role, frozenset[Act]] = {
    Role.VIEWER: frozenset((Act.READ,)),
    Role.PLANNER: frozenset((Act.READ, Act.PLAN, Act.SCAN)),
    Role.APPROVER: frozenset((Act.READ, Act.DECIDE, Act.STOP)),
    Role.OPERATOR: frozenset(
        (Act.READ, Act.RECEIVE, Act.RESOLVE, Act.SEND_SIGNALS, Act.IMPORT, Act.SCAN, Act.VERIFY, Act.GOVERN, Act.STOP)
    ),
    Role.ADMIN: frozenset((Act.READ, Act.VERIFY, Act.GOVERN, Act.STOP, Act.MANAGE_PEOPLE, Act.IMPORT)),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever is calling. `sites` None means every site; `value_limit_minor` None means no limit of their own."""

    user_id: str
    name: str
    roles: frozenset[Role]
    sites: frozenset[str] | None = None
    sees_sensitive: bool = False
    value_limit_minor: int | None = None

    def may(self, act: Act) -> bool:
        """Whether one of the roles permits the act."""
        return any(act in PERMITTED[role] for role in self.roles)

    def require(self, act: Act) -> None:
        """Raise ForbiddenError unless the act is permitted."""
        if not self.may(act):
            wanted = " or ".join(sorted(role for role, acts in PERMITTED.items() if act in acts))
            held = ", ".join(sorted(self.roles)) or "none"
            raise ForbiddenError(
                "role", f"{self.user_id} may not {act.replace('_', ' ')}: it takes the role {wanted}, held: {held}",
                "ask an administrator", act=act,
            )  # fmt: skip

    @property
    def sees_everything(self) -> bool:
        """Whether no site and no SKU is kept from them."""
        return self.sites is None and self.sees_sensitive

    def require_everything(self, what: str) -> None:
        """Raise ForbiddenError unless they see everything: for what cannot be cut to a part of the network."""
        if not self.sees_everything:
            raise ForbiddenError(
                "scope", f"{what} spans every site and SKU, and some are kept from {self.user_id}",
                "ask somebody who sees them all",
            )  # fmt: skip

    def covers(self, sites: Iterable[str]) -> bool:
        """Whether all the sites are in scope."""
        return self.sites is None or frozenset(sites) <= self.sites

    def touches(self, sites: Iterable[str]) -> bool:
        """Whether any of the sites is in scope."""
        return self.sites is None or not self.sites.isdisjoint(sites)
