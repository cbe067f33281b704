"""Whose signatures a plan needs, which it has, and what is still missing. Pure: people come in as values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from policies.approvals import PersonId
from tools.transfers import Id, TransferPlan, Value


class Demand(Value):
    """So many different signatures, under the name of the tier or rule that asks for them. See `SigningRule`."""

    name: str
    approvals: int
    both_ends: bool = False
    panel: tuple[PersonId, ...] = ()


class Needed(Value):
    """All that has to be met before a plan is released, and the sites that send and receive."""

    demands: tuple[Demand, ...]
    origins: tuple[Id, ...]
    destinations: tuple[Id, ...]

    @property
    def both_ends(self) -> bool:
        """Whether signers answer for the sites of one side instead of for the whole plan."""
        return any(demand.both_ends for demand in self.demands)

    @property
    def approvals(self) -> int:
        """The fewest people that can meet all demands."""
        return max(max(demand.approvals, 2 * demand.both_ends) for demand in self.demands)

    def with_demands_of(self, other: Needed) -> Needed:
        """The same plan under the demands of both: never fewer signatures than either asks for."""
        demands = {(each.name, each.model_dump_json()): each for each in (*self.demands, *other.demands)}
        return self.model_copy(update={"demands": tuple(demands[key] for key in sorted(demands))})


def needed_for(plan: TransferPlan, demands: Iterable[Demand]) -> Needed:
    """The demands on this plan."""
    return Needed(
        demands=tuple(demands),
        origins=tuple(sorted({line.origin for line in plan.lines})),
        destinations=tuple(sorted({line.destination for line in plan.lines})),
    )


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody's approval as it counts now: who signed, by whose authority, and the sites of that authority (None: all)."""

    signed_by: str
    authority: str
    sites: frozenset[str] | None

    def answers_for(self, site_id: str) -> bool:
        """Whether the site lies within the authority."""
        return self.sites is None or site_id in self.sites


@dataclass(frozen=True, slots=True)
class Missing:
    """What one demand still lacks: so many signatures, and signatures for these sending and receiving sites."""

    demand: Demand
    approvals: int
    origins: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()


def missing(needed: Needed, signatures: Sequence[Signature]) -> tuple[Missing, ...]:
    """Every demand that is not met yet; empty when the plan is signed for. One person or authority counts once."""
    counted = _one_each(signatures)
    found = (_missing(demand, needed, counted) for demand in needed.demands)
    return tuple(each for each in found if each.approvals or each.origins or each.destinations)


def _one_each(signatures: Sequence[Signature]) -> tuple[Signature, ...]:
    kept: list[Signature] = []
    for each in signatures:
        names = {each.signed_by, each.authority}
        if not any(names & {other.signed_by, other.authority} for other in kept):
            kept.append(each)
    return tuple(kept)


def _missing(demand: Demand, needed: Needed, signatures: tuple[Signature, ...]) -> Missing:
    counting = [each for each in signatures if not demand.panel or each.signed_by in demand.panel]
    lacks = max(demand.approvals - len(counting), 0)
    if not demand.both_ends:
        return Missing(demand, lacks)
    # Each signer stands on one side. Of all ways to place them the one that leaves the fewest sites counts.
    best = min(
        (_uncovered(needed, counting, sides) for sides in product((False, True), repeat=len(counting))),
        key=lambda left: (len(left[0]) + len(left[1]), left),
    )
    return Missing(demand, lacks, *best)


def _uncovered(
    needed: Needed, signatures: list[Signature], receives: tuple[bool, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    senders = [each for each, side in zip(signatures, receives, strict=True) if not side]
    receivers = [each for each, side in zip(signatures, receives, strict=True) if side]
    return (
        tuple(site for site in needed.origins if not any(each.answers_for(site) for each in senders)),
        tuple(site for site in needed.destinations if not any(each.answers_for(site) for each in receivers)),
    )
