"""What an llm is given to argue about a negotiation, and the closed list that it may answer from.

Nothing in it has a name: sites, SKUs and lanes stand behind handles of letters, so no
free text reaches the llm here, nothing has to be masked, and an answer can point only
to what is on the list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import groupby
from string import ascii_lowercase
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from graphs.negotiation.quoting import given_numbers
from graphs.negotiation.record import ClaimRecord, Pool, SettlementRecord
from tools.canonical import digest
from tools.concessions import Concession
from tools.money import money_text

TOOL = "take_position"
"""The one tool of this question. It is in no catalogue: the planner cannot call it, and it can call nothing else."""
POOLS_ARGUED = 4
CLAIMS_ARGUED = 12
CONCESSIONS_OFFERED = 5
WORDS_CHARACTERS_MAX = 1_000
HANDLE = re.compile(r"\b(?:pool|claim|concession)-[A-Za-z0-9_-]+", re.IGNORECASE)
"""Whatever looks like a handle, on the list or not."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim's handle stands for, and the numbers that an argument for it may use."""

    site: str
    pool: Pool
    numbers: frozenset[str]


@dataclass(frozen=True)
class Brief:
    """The question as data, and what its handles stand for."""

    data: Mapping[str, Any]
    claims: Mapping[str, Claimed]
    concessions: Mapping[str, Concession]
    sites: Mapping[str, str]
    """By handle, the site that words with this handle speak of: claims and pools."""
    may_ask_again: bool

    @cached_property
    def digest(self) -> str:
        """The same question has the same digest."""
        return digest(self.data)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The numbers of the concessions."""
        return given_numbers(self.data["concessions"])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to argue for and nothing to choose."""
        return not self.claims and not self.concessions

    def messages(self) -> list[BaseMessage]:
        """The question for the llm."""
        text = json.dumps(self.data, ensure_ascii=True, sort_keys=True)
        return [SystemMessage(_prompt()), HumanMessage(text)]

    def schema(self) -> dict[str, Any]:
        """The tool that is the only way to answer, in the form that chat completion APIs take."""
        words = {"type": "string", "maxLength": WORDS_CHARACTERS_MAX}
        argument = _object(claim=_one_of(self.claims), words=words)
        parameters = _object(
            arguments={"type": "array", "items": argument, "maxItems": len(self.claims)},
            recommended={
                "type": "array",
                "items": _one_of(self.concessions),
                "maxItems": len(self.concessions),
            },
            reason=words,
            another_round={"type": "boolean"},
        )
        described = "Argue for claims and rank concessions. It applies nothing: people read it, and the plan stands."
        return {"type": "function", "function": {"name": TOOL, "description": described, "parameters": parameters}}


def brief_of(
    settlements: Sequence[SettlementRecord], concessions: Sequence[Concession], currency: str, *, may_ask_again: bool
) -> Brief:
    """The question about the most contested pools and the negotiable concessions, the most valuable first."""
    claims: dict[str, Claimed] = {}
    sites: dict[str, str] = {}
    pools: list[dict[str, Any]] = []
    for letter, settled in zip(ascii_lowercase, _most_contested(settlements), strict=False):
        awards = sorted(settled.awards, key=lambda award: (-award.highest_bid_minor, award.site))
        free = ascii_lowercase[len(claims) : CLAIMS_ARGUED]
        named = {f"claim-{each}": award for each, award in zip(free, awards, strict=False)}
        if named:
            pools.append(_pool_shown(f"pool-{letter}", settled, named, currency))
            numbers = given_numbers(pools[-1])
            claims |= {handle: Claimed(award.site, settled.pool, numbers) for handle, award in named.items()}
            sites |= {f"pool-{letter}": settled.pool.site} | {handle: award.site for handle, award in named.items()}
    negotiable = [each for each in concessions if each.negotiable][:CONCESSIONS_OFFERED]
    offered = {f"concession-{letter}": each for letter, each in zip(ascii_lowercase, negotiable, strict=False)}
    data = {
        "currency": currency,
        "pools": pools,
        "concessions": [_concession_shown(handle, each, currency) for handle, each in offered.items()],
        "another_round_is_possible": may_ask_again,
    }
    return Brief(data, claims, offered, sites, may_ask_again)


def _most_contested(settlements: Sequence[SettlementRecord]) -> list[SettlementRecord]:
    """The pools with the highest bids."""
    return sorted(
        (each for each in settlements if each.awards),
        key=lambda each: (-max(award.highest_bid_minor for award in each.awards), each.pool.sku, each.pool.site),
    )[:POOLS_ARGUED]


def _pool_shown(
    handle: str, settled: SettlementRecord, claims: Mapping[str, ClaimRecord], currency: str
) -> dict[str, Any]:
    def amounts(minor: Sequence[int]) -> list[dict[str, Any]]:
        return [{"packs": len(list(same)), "each": money_text(each, currency)} for each, same in groupby(minor)]

    return {
        "pool": handle,
        "units": settled.pool_units,
        "units_in_a_pack": settled.pack_size,
        "settled_by": settled.mechanism,
        "price_of_a_pack": money_text(settled.price_minor or 0, currency),
        "what_packs_are_worth_there": amounts(settled.reserve_prices_minor),
        "claims": [
            {
                "claim": name,
                "claimed_units": award.claimed_units,
                "bids_for_packs": amounts(award.bids_minor),
                "awarded_units": award.awarded_units,
                "planned_units": award.planned_units,
            }
            for name, award in claims.items()
        ],
    }


def _concession_shown(handle: str, concession: Concession, currency: str) -> dict[str, Any]:
    return {
        "concession": handle,
        "what": concession.kind,
        "saves_more": money_text(concession.extra_saving_minor, currency),
        "moves_more_units": concession.extra_units,
    }


def _one_of(handles: Iterable[str]) -> dict[str, Any]:
    """A closed list; vendors refuse one without an entry."""
    listed = list(handles)
    return {"type": "string", "enum": listed} if listed else {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


@cache
def _prompt() -> str:
    return files("graphs.prompts").joinpath("negotiator.md").read_text(encoding="utf-8")
