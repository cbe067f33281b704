"""Roles, acts, and who is calling. Which role may do what stands in the rules; see `authorise`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.auth.authorise import REACH, Resource, SiteResource, authorise, ruling
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
    """To have a say in what becomes of a plan: reject, edit, remark."""
    APPROVE = "approve"
    """To release a plan. Whoever may decide on it may, unless the kill switch holds it."""
    RECEIVE = "receive"
    RESOLVE = "resolve"
    SEND_SIGNALS = "send_signals"
    IMPORT = "import"
    SCAN = "scan"
    VERIFY = "verify"
    GOVERN = "govern"
    STOP = "stop"
    MANAGE_PEOPLE = "manage_people"


class Kind(StrEnum):
    """What a principal is, by the name that the rules know it by."""

    PERSON = "Person"
    LOCAL = "Local"
    """The service itself, and whoever sits at its machine."""
    KEY = "Key"
    """Another program, with a service key."""
    RELEASE = "Release"
    """A released policy, which approves what its tiers leave to it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever is calling. `sites` None means every site; `value_limit_minor` None means no limit of their own."""

    user_id: str
    name: str
    roles: frozenset[Role]
    sites: frozenset[str] | None = None
    sees_sensitive: bool = False
    value_limit_minor: int | None = None
    kind: Kind = Kind.PERSON
    acts: frozenset[Act] | None = None
    """What a service key may do; None for everybody else, who may what their roles say."""
    owner: str | None = None
    """The person that a service key was made for, who answers for what is done with it."""

    def may(self, act: Act) -> bool:
        """Whether the rules permit the act as such, before it is known on what."""
        return ruling(self, act).allowed

    def require(self, act: Act, resource: Resource = None, *, stopped: bool = False) -> None:
        """Raise unless the rules permit the act, on the resource if one is given; see `authorise`."""
        authorise(self, act, resource, stopped=stopped)

    @staticmethod
    def roles_that_may(act: Act) -> list[Role]:
        """The roles that permit an act, by the rules."""
        return [role for role in Role if Principal("somebody", "Somebody", frozenset((role,))).may(act)]

    @property
    def hands(self) -> tuple[str, ...]:
        """Who has a hand in what they make: they themselves, and the person behind a service key."""
        return (self.user_id,) if self.owner is None else (self.user_id, self.owner)

    @property
    def sees_everything(self) -> bool:
        """Whether no site and no SKU is kept from them."""
        return ruling(self, REACH).allowed

    def require_everything(self, what: str) -> None:
        """Raise ForbiddenError unless they see everything: for what cannot be cut to a part of the network."""
        if not self.sees_everything:
            raise ForbiddenError(
                "scope", f"{what} spans every site and SKU, and some are kept from {self.user_id}",
                "ask somebody who sees them all",
            )  # fmt: skip

    def covers(self, sites: Iterable[str]) -> bool:
        """Whether all the sites are in scope."""
        return all(ruling(self, REACH, SiteResource(site_id)).allowed for site_id in sites)

    def touches(self, sites: Iterable[str]) -> bool:
        """Whether any of the sites is in scope. What names no site touches whoever has all of them."""
        named = tuple(sites)
        return any(ruling(self, REACH, SiteResource(site_id)).allowed for site_id in named) or (
            not named and self.sites is None
        )
