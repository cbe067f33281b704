"""A planner who talks to the baseline: real sentences, the real names of a network, and no solver behind it.

The tool calls that the baseline asks for are checked against the catalogue and their names are resolved as the desk
resolves them; what is asked back is put into the conversation as the toolbox puts it. A call that could be carried out
is answered with a small made-up result, for only the request counts here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import permutations
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import ValidationError

from graphs.baseline.chat_model import reply
from graphs.names import Names, UnclearError
from tests.builders import NOW, a_lane, a_site, a_sku, a_snapshot
from tools.catalog import CATALOG
from tools.generate import generate_network
from tools.inventory import SiteKind, Snapshot
from tools.network_folder import NetworkFolder
from tools.transfers import LaneRef

LINE = {
    "line_no": 1, "sku": "?", "units": 5, "from": "?", "to": "?", "by": "van", "departs": "2026-03-03",
    "arrives": "2026-03-04", "saves": "12.50 EUR",
}  # fmt: skip
PLAN: dict[str, Any] = {
    "plan": "ab" * 32, "as_of": "2026-03-02", "lines": 4, "units": 93, "departures": 2, "saves": "412.77 EUR",
    "costs_to_move": "55.20 EUR", "goods_value": "800.00 EUR", "fill_rate_before_percent": "71.35",
    "fill_rate_after_percent": "80.06", "status": "optimal", "gap_percent": "0.00", "top_lines": [LINE], "note": "",
    "violations": [], "concessions": [], "outcome": "permitted", "contested_pools": 0,
}  # fmt: skip
DONE: Mapping[str, dict[str, Any]] = {"propose_plan": PLAN}
"""What a call that is carried out answers; any other tool answers with nothing that can be read."""

NAMED = ("mentions", "from_sites", "to_sites", "without", "demand_of", "supply_delay_of", "sites")


@cache
def generated() -> NetworkFolder:
    """A network of many names."""
    return generate_network(sites=60, skus=200, seed=7, as_of=NOW)


def network(
    sites: Sequence[Mapping[str, str]],
    skus: Sequence[Mapping[str, str]],
    currency: str,
    modes: Sequence[str] = ("truck",),
) -> Snapshot:
    """Sites and SKUs with these ids and names, lanes of these modes between all sites, and nothing else."""
    return a_snapshot(
        currency=currency,
        sites=tuple(
            a_site(site["id"], name=site["name"], kind=SiteKind(site.get("kind", SiteKind.STORE))) for site in sites
        ),
        skus=tuple(a_sku(sku["id"], name=sku["name"], category=sku["category"]) for sku in skus),
        lanes=tuple(
            a_lane(one["id"], other["id"], mode) for one, other in permutations(sites, 2) for mode in modes
        ),
        positions=(), forecasts=(), replenishments=(),
    )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a sentence led to: the calls that were carried out, with ids for names, and what was said."""

    calls: tuple[tuple[str, dict[str, Any]], ...]
    words: str


@dataclass
class Talk:
    """One conversation."""

    snapshot: Snapshot
    messages: list[BaseMessage] = field(default_factory=list)

    @cached_property
    def names(self) -> Names:
        """The names of the network."""
        return Names(self.snapshot, None, sees_sensitive=True)

    def say(self, text: str) -> Outcome:
        """Say something and let the baseline ask its tools until it answers."""
        if not self.messages:
            self.messages.append(
                SystemMessage(f"A plan over 1,000.00 {self.snapshot.currency} needs a second approver.")
            )
        self.messages.append(HumanMessage(text))
        carried_out: list[tuple[str, dict[str, Any]]] = []
        for _ in range(8):
            message = reply(self.messages)
            self.messages.append(message)
            if not message.tool_calls:
                return Outcome(tuple(carried_out), str(message.content))
            for call in message.tool_calls:
                self.messages.append(self._answer(call["name"], call["args"], call["id"] or "", carried_out))
        raise AssertionError(f"no end of tool calls after {text!r}")

    def _answer(
        self, name: str, arguments: dict[str, Any], call_id: str, carried_out: list[tuple[str, dict[str, Any]]]
    ) -> ToolMessage:
        try:
            carried_out.append((name, self._resolved(name, arguments)))
        except (UnclearError, ValidationError) as refused:
            words = str(refused) if isinstance(refused, UnclearError) else refused.errors()[0]["msg"]
            return ToolMessage(json.dumps({"error": words}), tool_call_id=call_id, name=name, status="error")
        return ToolMessage(json.dumps(DONE.get(name, {})), tool_call_id=call_id, name=name)

    def _resolved(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with ids for names, without what equals the default. Raises UnclearError or ValidationError."""
        CATALOG[tool].arguments.model_validate_json(json.dumps(arguments))
        names = self.names
        resolved = {key: value for key, value in arguments.items() if key not in (*NAMED, "closed_lanes")}
        for key in NAMED:
            if key in ("from_sites", "to_sites", "sites") and arguments.get(key):
                resolved[key] = sorted(names.sites(arguments[key]))
            elif arguments.get(key):
                meant = names.meant(arguments[key])
                resolved[key] = sorted((*meant.skus, *meant.sites, *meant.categories))
        if arguments.get("closed_lanes"):
            lanes = names.lanes(arguments["closed_lanes"])
            resolved["closed_lanes"] = sorted(_lane(lane) for lane in lanes)
        return resolved


def _lane(lane: LaneRef) -> str:
    return f"{lane.origin}->{lane.destination}{f' by {lane.mode}' if lane.mode else ''}"


ASKED_OR_DECLINED = "asked or declined"


def outcome_of(snapshot: Snapshot, utterance: Mapping[str, Any]) -> Outcome:
    """What the last sentence of a conversation leads to."""
    talk = Talk(snapshot)
    for before in utterance.get("before", ()):
        talk.say(before)
    return talk.say(utterance["text"])


def verdict_of(snapshot: Snapshot, utterance: Mapping[str, Any]) -> tuple[str, Outcome]:
    """Right, asked or declined, or wrong, and what the last sentence led to."""
    outcome = outcome_of(snapshot, utterance)
    right = any(_fits(outcome, expected) for expected in (utterance, *utterance.get("or", ())))
    return ("right" if right else "wrong" if outcome.calls else ASKED_OR_DECLINED), outcome


def _fits(outcome: Outcome, expected: Mapping[str, Any]) -> bool:
    """Whether a sentence led to what was expected."""
    if "expect" in expected:
        return not outcome.calls
    own = {"text", "before", "or", "tool", "then_submit"}
    arguments = {key: value for key, value in expected.items() if key not in own}
    calls = [(expected["tool"], _in_order(arguments))] + ([("submit_plan", {})] if expected.get("then_submit") else [])
    return [(tool, _in_order(said)) for tool, said in outcome.calls] == calls


def _in_order(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments whose lists are sorted: the order in which names are said means nothing."""
    return {key: sorted(value) if isinstance(value, list) else value for key, value in arguments.items()}
