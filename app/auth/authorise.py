"""Whether somebody may do something: the one place that asks the Cedar rules, and what a denial says to people.

The rules and their schema lie beside this module, in `cedar/`. What no rule permits is
denied. So is everything where the rules are missing, do not fit their schema, or fail
on a question: a rule that forbids and fails would otherwise be passed over by Cedar, and
what it forbids be allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from cedarpy import Entities, PolicySet, Schema, is_authorized, policies_to_json_str, validate_policies
from structlog import get_logger

from app.errors import ConflictError, EvenkeelError, ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from app.auth.roles import Act, Principal

FORBIDS = frozenset(
    ("receiver_at_site", "order_in_scope", "people_decide", "people_govern", "plan_in_scope", "four_eyes",
     "whole_plan_in_scope", "value_limit", "clearance", "kill_switch")
)  # fmt: skip
"""The rules that forbid. A rule that permits and gets lost denies by itself; one of these would not be missed."""
REACH = "reach"
"""What is asked of a site: whether it lies in scope."""
NO_RULING = "no_ruling"
_REFUSALS: dict[str, type[EvenkeelError]] = {"kill_switch": ConflictError, "unknown_order": NotFoundError}
"""Denials that are no 403: of what may not be known, and of what nobody may for the moment."""
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PlanResource:
    """A plan that is decided on. `sites` are those that the decision answers for: all of the plan's, or one approver's share.

    `automatic` says that its tier leaves the decision to the released policy.
    """

    digest: str
    sites: frozenset[str]
    goods_value_minor: int
    sensitive: bool
    authors: frozenset[str]
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class OrderResource:
    """A transfer order that is received or taken up again."""

    transfer_id: UUID
    origin: str
    destination: str


@dataclass(frozen=True, slots=True)
class SiteResource:
    """A site that lies in scope or does not."""

    site_id: str


Resource = PlanResource | OrderResource | SiteResource | None
"""What an act is done to. None is the service as a whole: then only roles and the acts of a key count."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say, and the `@id` of the rule that decided: "" where none permits, `no_ruling` where they failed."""

    allowed: bool
    rule: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule's annotations: for those that forbid, the code of the denial, its words and what to do."""

    rule_id: str
    forbids: bool
    code: str
    words: str
    remedy: str


@dataclass(frozen=True)
class Rules:
    """Rules that were read, in a form that answers quickly. With a `fault` they deny everything."""

    fault: str = ""
    by_position: dict[str, _Rule] = field(default_factory=dict)
    """Cedar names rules by where they stand in the text."""
    policies: PolicySet | None = None
    schema: Schema | None = None

    @classmethod
    def read(cls, policies: str, schema: str) -> Self:
        """Rules out of their text, or the fault that they have."""
        try:
            valid = validate_policies(policies, schema)
            if not valid:
                return cls("; ".join(f"{wrong.policy_id}: {wrong.error}" for wrong in valid.errors))
            by_position = dict(_annotated(policies))
            lost = FORBIDS ^ {rule.rule_id for rule in by_position.values() if rule.forbids}
            if lost:
                return cls(f"rules that forbid are missing or not expected: {', '.join(sorted(lost))}")
            return cls("", by_position, PolicySet.from_str(policies), Schema.from_str(schema))
        except ValueError as wrong:
            return cls(str(wrong))

    def ruling(self, principal: Principal, act: str, resource: Resource, *, stopped: bool) -> Ruling:
        """What the rules say. The only call of Cedar that there is."""
        if self.policies is None:
            return Ruling(allowed=False, rule=NO_RULING, words=self.fault)
        kind, key, body = _resource(resource)
        request = {
            "principal": _uid(principal.kind, principal.user_id), "action": _uid("Action", act),
            "resource": _uid(kind, key), "context": {"act": act, "stopped": stopped},
        }  # fmt: skip
        try:
            entities = _entities(principal, self.schema)
            if body is not None:
                entities = entities.with_added_json_str(json.dumps([_entity(kind, key, body)]), self.schema)
            found = is_authorized(request, self.policies, entities, self.schema)
        except ValueError as wrong:
            return Ruling(allowed=False, rule=NO_RULING, words=str(wrong))
        if found.diagnostics.errors:
            return Ruling(allowed=False, rule=NO_RULING, words="; ".join(found.diagnostics.errors))
        decided = [position for position in self.by_position if position in set(found.diagnostics.reasons)]
        return Ruling(found.allowed, self.by_position[decided[0]].rule_id if decided else "")

    def rule(self, rule_id: str) -> _Rule:
        """A rule by its `@id`."""
        return next(rule for rule in self.by_position.values() if rule.rule_id == rule_id)


@cache
def released_rules() -> Rules:
    """The rules that this release of the service comes with, read once."""
    place = files("app.auth") / "cedar"
    try:
        rules = Rules.read((place / "evenkeel.cedar").read_text(), (place / "evenkeel.cedarschema").read_text())
    except OSError as missing:
        rules = Rules(f"the rules cannot be read: {missing}")
    if rules.fault:
        _log.error("authorisation_denies_everything", fault=rules.fault)
    return rules


@lru_cache(maxsize=65_536)
def ruling(principal: Principal, act: Act | str, resource: Resource = None, *, stopped: bool = False) -> Ruling:
    """What the rules say of this principal as they stand, this act and this resource.

    The answer follows from its arguments alone, so it is kept. `stopped` says that the
    kill switch holds the resource.
    """
    return released_rules().ruling(principal, str(act), resource, stopped=stopped)


def authorise(principal: Principal, act: Act, resource: Resource = None, *, stopped: bool = False) -> None:
    """Raise unless the rules permit the act: first to whoever has such roles at all, then on this resource.

    Raises ForbiddenError with the code of the deciding rule (`role` where no rule
    permits, `no_ruling` where the rules failed), NotFoundError where the caller may not
    know that the resource is there, and ConflictError for the kill switch.
    """
    for of in (None, resource) if resource is not None else (None,):
        found = ruling(principal, act, of, stopped=stopped and of is not None)
        if not found.allowed:
            raise _denial(principal, act, of, found)


def _denial(principal: Principal, act: Act, resource: Resource, found: Ruling) -> EvenkeelError:
    who, doing = principal.user_id, act.replace("_", " ")
    if found.rule == NO_RULING:
        _log.error("authorisation_failed", who=who, act=act, fault=found.words)
        return ForbiddenError(
            NO_RULING,
            f"whether {who} may {doing} could not be told, so they may not",
            "tell the operator",
            rule=NO_RULING,
        )
    if not found.rule:
        return _nobody_permits(principal, act, doing)
    rule = released_rules().rule(found.rule)
    words = rule.words.format(who=who, act=doing, **_figures(principal, resource))
    refused = _REFUSALS.get(rule.code, ForbiddenError)
    if refused is NotFoundError:  # in the words of what does not exist, and no more
        return NotFoundError(rule.code, words, rule.remedy)
    return refused(rule.code, words, rule.remedy, rule=rule.rule_id, act=act)


def _nobody_permits(principal: Principal, act: Act, doing: str) -> ForbiddenError:
    if principal.acts is not None:
        held = ", ".join(sorted(principal.acts)) or "none"
        return ForbiddenError(
            "role", f"the key {principal.user_id} may not {doing}: its acts are {held}", "use another key", act=act
        )
    wanted = " or ".join(sorted(principal.roles_that_may(act)))
    held = ", ".join(sorted(principal.roles)) or "none"
    return ForbiddenError(
        "role", f"{principal.user_id} may not {doing}: it takes the role {wanted}, held: {held}",
        "ask an administrator", act=act,
    )  # fmt: skip


def _figures(principal: Principal, resource: Resource) -> dict[str, object]:
    """What the words of a rule may name of the resource. No site is named: it may be one that the caller must not know."""
    if isinstance(resource, OrderResource):
        return {"order": resource.transfer_id}
    if not isinstance(resource, PlanResource):
        return {}
    outside = len(resource.sites - (principal.sites if principal.sites is not None else resource.sites))
    return {
        "outside": outside,
        "sites": len(resource.sites),
        "lies": "lies" if outside == 1 else "lie",
        "goods_value": f"{resource.goods_value_minor:,}",
        "value_limit": f"{principal.value_limit_minor or 0:,}",
    }


def _annotated(policies: str) -> Iterator[tuple[str, _Rule]]:
    """Rules with their annotations by the name that Cedar gives them, in the order of the text."""
    found = json.loads(policies_to_json_str(policies))["staticPolicies"]
    for position in sorted(found, key=lambda name: int(name.removeprefix("policy"))):
        notes = found[position].get("annotations", {})
        if "id" not in notes:
            raise ValueError(f"{position} has no @id")
        yield position, _Rule(
            notes["id"], found[position]["effect"] == "forbid", notes.get("code", "forbidden"),
            notes.get("words", ""), notes.get("remedy", ""),
        )  # fmt: skip


@lru_cache(maxsize=4_096)
def _entities(principal: Principal, schema: Schema | None) -> Entities:
    """The principal and the roles, in the form that Cedar takes; made once for each principal as they stand."""
    scope: dict[str, Any] = {
        "everywhere": principal.sites is None,
        "sites": [_ref("Site", site_id) for site_id in sorted(principal.sites or ())],
        "cleared": principal.sees_sensitive,
    }
    limits = {"unlimited": principal.value_limit_minor is None, "value_limit": principal.value_limit_minor or 0}
    match principal.kind:
        case "Key":
            body = scope | {"acts": sorted(principal.acts or ())}
        case "Release":
            body = {}
        case _:
            body = scope | limits
    parents = [{"type": "Role", "id": role} for role in sorted(principal.roles)]
    everybody = [_entity("Role", role, {}) for role in sorted(principal.roles)]
    return Entities.from_json_str(
        json.dumps([*everybody, _entity(principal.kind, principal.user_id, body, parents)]), schema
    )


def _resource(resource: Resource) -> tuple[str, str, dict[str, Any] | None]:
    """Type, id and attributes of a resource; a site and the service have none."""
    match resource:
        case PlanResource():
            return (
                "Plan",
                resource.digest,
                {
                    "sites": [_ref("Site", site_id) for site_id in sorted(resource.sites)],
                    "goods_value": resource.goods_value_minor,
                    "sensitive": resource.sensitive,
                    "authors": [_ref("Person", user_id) for user_id in sorted(resource.authors)],
                    "automatic": resource.automatic,
                },
            )
        case OrderResource():
            ends = {"origin": _ref("Site", resource.origin), "destination": _ref("Site", resource.destination)}
            return "Order", str(resource.transfer_id), ends
        case SiteResource():
            return "Site", resource.site_id, None
        case None:
            return "Service", "evenkeel", None


def _entity(kind: str, key: str, body: dict[str, Any], parents: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": key}, "attrs": body, "parents": parents or []}


def _ref(kind: str, key: str) -> dict[str, dict[str, str]]:
    return {"__entity": {"type": kind, "id": key}}


def _uid(kind: str, key: str) -> str:
    """An entity as Cedar writes it. Its strings escape as those of JSON do, for the ASCII that ids are."""
    return f"{kind}::{json.dumps(key, ensure_ascii=False)}"
