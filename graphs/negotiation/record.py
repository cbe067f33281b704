"""The record of a negotiation: rounds, claims with their bids, awards, concessions, the choice among them, and what an llm said.

Plain JSON, bounded, kept beside the plan. A record that was written before a field
existed is read with the field empty. The graph's state holds only its outline: the
whole of it lies with the plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from tools.concessions import Concession
from tools.negotiate import Contest, Settlement

SETTLEMENTS_KEPT = 50
BIDS_KEPT = 12
"""So many bids of a claim and reserve prices of a pool are kept, from the first pack on."""
ROUNDS_KEPT = 8
"""A plan that is put forward again and again keeps its last rounds."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Pool(_Part):
    """The stock that is claimed: what a site can send of a SKU."""

    site: str
    sku: str


class ClaimRecord(_Part):
    """What one site claimed of a pool and bid for it, in minor units a pack; what it was awarded, and what the plan gives it."""

    site: str
    claimed_units: int
    highest_bid_minor: int
    bids_minor: tuple[int, ...] = ()
    awarded_units: int
    planned_units: int


class SettlementRecord(_Part):
    """A contested pool and how it was settled. What is None or counted as hidden is not for the reader."""

    pool: Pool
    pool_units: int | None
    pack_size: int = 1
    reserve_prices_minor: tuple[int, ...] = ()
    mechanism: str
    price_minor: int | None
    awards: tuple[ClaimRecord, ...]
    claims_hidden: int = 0


class RoundRecord(_Part):
    """One round: the plan it was about, what was wrong with it, who claimed what, and what was changed for the next plan."""

    round: int
    plan: str
    violations: tuple[str, ...] = ()
    contests: int = 0
    settlements: tuple[SettlementRecord, ...] = ()
    settlements_hidden: int = 0
    change: str = ""


class Choice(_Part):
    """The negotiable concessions that are put before people, best first. Nothing of it is applied.

    `by` is the rule (the most valuable first) or the llm; `reason` is then in the llm's own words.
    """

    by: Literal["rule", "llm"]
    concessions: tuple[str, ...] = ()
    reason: str = ""


class Argument(_Part):
    """What speaks for a site's claim on a pool, in an llm's own words: text, and no more than that."""

    site: str
    pool: Pool
    words: str


class Advice(_Part):
    """What came of asking an llm: its arguments, or why its answer was ignored (in our words, never in its own).

    `given` is the digest of what it was given: the same question is not asked twice for a plan.
    """

    llm: str
    given: str
    taken: bool
    ignored_because: str = ""
    arguments: tuple[Argument, ...] = ()
    sentences_dropped: int = 0
    asked_for_another_round: bool = False


class Record(_Part):
    """The whole negotiation of a plan."""

    rounds: tuple[RoundRecord, ...] = ()
    concessions: tuple[Concession, ...] = ()
    conflicts: tuple[str, ...] = ()
    pricing: str = ""
    choice: Choice | None = None
    advice: Advice | None = None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The record in a stored document; an empty one for an empty document."""
        return cls.model_validate_json(json.dumps(document))

    def document(self) -> dict[str, Any]:
        """The record as it is stored."""
        return self.model_dump(mode="json")

    def outline(self) -> dict[str, Any]:
        """What the nodes that follow need of it, without claims and without a word of an llm."""
        document = self.model_dump(mode="json", exclude={"advice", "choice"})
        for round_ in document["rounds"]:
            del round_["settlements"]
        chosen = () if self.choice is None else self.choice.concessions
        return document | {"recommended": list(chosen)}

    def with_round(self, new: RoundRecord) -> Self:
        """The record with one more round, unless it says what the last one said: then the plan was only looked at again."""
        last = self.rounds[-1].model_copy(update={"round": new.round}) if self.rounds else None
        if last == new:
            return self
        numbered = new.model_copy(update={"round": self.rounds[-1].round + 1 if self.rounds else 1})
        return self.model_copy(update={"rounds": (*self.rounds, numbered)[-ROUNDS_KEPT:]})


def settlement_records(contests: Sequence[Contest], settlements: Sequence[Settlement]) -> tuple[SettlementRecord, ...]:
    """Settlements with the bids and reserve prices that led to them; the first that are kept."""
    pairs = zip(contests, settlements, strict=False)  # under a market only what is kept is settled
    return tuple(_settlement(contest, settled) for contest, settled in list(pairs)[:SETTLEMENTS_KEPT])


def _settlement(contest: Contest, settled: Settlement) -> SettlementRecord:
    bids = {claim.site_id: claim.bids for claim in contest.claims}
    return SettlementRecord(
        pool=Pool(site=settled.pool.site_id, sku=settled.pool.sku_id),
        pool_units=settled.pool_units,
        pack_size=contest.pack_size,
        reserve_prices_minor=_rounded(contest.reserve_prices),
        mechanism=settled.mechanism,
        price_minor=settled.price_minor,
        awards=tuple(
            ClaimRecord(
                site=award.site_id,
                claimed_units=award.claimed_units,
                highest_bid_minor=award.highest_bid_minor,
                bids_minor=_rounded(bids[award.site_id]),
                awarded_units=award.awarded_units,
                planned_units=award.planned_units,
            )
            for award in settled.awards
        ),
    )


def _rounded(prices: Sequence[float]) -> tuple[int, ...]:
    return tuple(round(price) for price in prices[:BIDS_KEPT])
