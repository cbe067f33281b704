"""Answers about plans: why they are as they are, what differs between two, and why somebody does not get what they want."""

from __future__ import annotations

from typing import Any

from graphs.desk.seen import Seen
from graphs.names import Names
from graphs.negotiation.transcript import negotiation_answer, sees_whole
from graphs.planning import imbalances_of
from graphs.shortfalls import NothingToExplainError, shortfall_of, wish_of
from graphs.summaries import changes_summary, difference_summary, plan_summary, quality_words, said_of_plan
from policies.leaving import LeftBehind, left_behind
from policies.limits import limits_of
from policies.rules import Facts
from policies.urgency import urgencies
from tools.catalog import ComparePlans, ExplainBlocked, ExplainLine, ExplainNegotiation, ExplainPlan
from tools.explanation import Explainer, LineExplanation, bindings_of
from tools.imbalance import ImbalanceKind
from tools.inventory import SiteSku
from tools.plan_difference import compare
from tools.transfers import TransferPlan

BINDINGS_SAID = 6
CONCESSIONS_SAID = 5
LINES_SHOWN = 5
WORDS_CHARACTERS_MAX = 1_300
"""So many characters of a line's explanation are passed on where several are told."""


class PlanAnswers:
    """Plans of this conversation, and others whose id the caller knows, from the facts that they were made on."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def explain_line(self, arguments: ExplainLine) -> dict[str, Any]:
        """A line of a plan, explained."""
        plan = self._with_lines(arguments.plan)
        number = arguments.line_no or _by_worth(plan)[0]
        if number > len(plan.lines):
            raise NothingToExplainError(f"the plan has {len(plan.lines)} lines; there is no line {number}")
        (found,) = self._explained(plan, [number])
        names = self._seen.names_of(plan)
        return self._seen.dated(
            {
                "plan": plan.digest,
                "line_no": number,
                "sku": names.sku(found.sku_id),
                "units": found.units,
                "from": found.donor.site_id,
                "to": found.receiver.site_id,
                "words": self._seen.words(found.words, names),
            }
        )

    def explain_plan(self, arguments: ExplainPlan) -> dict[str, Any]:
        """A plan as a whole: what its lines are for, what binds them, money, quality, and what it leaves behind."""
        plan = self._seen.plan_named(arguments.plan)
        names, facts = self._seen.names_of(plan), self._seen.facts_of(plan)
        limits = limits_of(facts.policy, facts.snapshot, plan.request)
        bound = bindings_of(facts.snapshot, limits, plan)
        binds = [self._seen.words(each, names) for each in bound.words[:BINDINGS_SAID]]
        purpose = _purpose(facts, plan)
        lines = self._explained(plan, _by_worth(plan)[: arguments.limit])
        concessions = self._concessions(plan, names)
        summary = plan_summary(plan, names, left=self.left_behind(plan))
        return self._seen.dated(
            summary
            | {
                "top_lines": summary["top_lines"][:LINES_SHOWN],
                "lines_not_shown": max(len(plan.lines) - LINES_SHOWN, 0),
                "as_of": facts.snapshot.as_of.isoformat(),
                "policy": facts.policy.label,
                "current_facts": plan.snapshot_digest == self._seen.facts.snapshot.digest,
                "purpose": purpose,
                "binds": binds,
                "lines_looked_at": bound.seen,
                "why_lines": [
                    {
                        "line_no": found.line_no,
                        "words": _whole_sentences(self._seen.words(found.words, names)),
                    }
                    for found in lines
                ],
                "concessions": concessions,
                "words": " ".join((said_of_plan(plan), purpose, *binds, quality_words(plan), *concessions)),
            }
        )

    def compare_plans(self, arguments: ComparePlans) -> dict[str, Any]:
        """A plan against another."""
        plan = self._seen.plan_named(arguments.plan)
        other = self._seen.plan_before(plan) if arguments.other is None else self._seen.plan_named(arguments.other)
        if plan.digest == other.digest:
            raise NothingToExplainError("that is one and the same plan; name two to compare")
        found = compare(plan, other)
        # Facts, policy and request decide whether the money of two plans can be set side by side.
        differ = [
            what
            for what, here, there in (
                ("facts", plan.snapshot_digest, other.snapshot_digest),
                ("policy", plan.policy_digest, other.policy_digest),
                ("request", plan.request, other.request),
            )
            if here != there
        ]
        difference = difference_summary(found, plan.currency)
        names = self._seen.names_of(plan), self._seen.names_of(other)
        return self._seen.dated(
            {
                "plan": self._figures(plan),
                "other": self._figures(other),
                "made_on_different": differ,
                "difference": difference,
                "lines_the_same": found.same,
                "lines_only_in_plan": changes_summary(found.only_in_plan, names, arguments.limit, plan.currency),
                "lines_only_in_other": changes_summary(found.only_in_other, names, arguments.limit, plan.currency),
                "lines_changed": changes_summary(found.changed, names, arguments.limit, plan.currency),
                "words": f"{said_of_plan(plan)} {said_of_plan(other)} {difference['words']} {_made_on(differ)}".strip(),
            }
        )

    def _figures(self, plan: TransferPlan) -> dict[str, Any]:
        summary = plan_summary(plan, self._seen.names_of(plan))
        return {name: value for name, value in summary.items() if name not in {"top_lines", "lines_not_shown", "note"}}

    def explain_negotiation(self, arguments: ExplainNegotiation) -> dict[str, Any]:
        """How a plan was negotiated, as it was recorded; what an llm said is marked as its own words."""
        plan = self._seen.plan_named(arguments.plan)
        record, whole = self._seen.world.negotiation(plan.digest), sees_whole(plan, self._seen.caller.sites)
        told = negotiation_answer(record, self._seen.names_of(plan), plan.currency, sees_whole=whole)
        return self._seen.dated({"plan": plan.digest, **told})

    def explain_blocked(self, arguments: ExplainBlocked) -> dict[str, Any]:
        """Why a site does not get a SKU, by the current plan if that is about the SKU, else by the best plan for it."""
        seen = self._seen
        meant = seen.names.meant(arguments.mentions)
        wish = wish_of(seen.facts, seen.caller.sites, meant, arguments)
        plan = self._plan_about(wish.sku_id)
        facts = seen.facts if plan is None else seen.facts_of(plan)
        found = shortfall_of(facts, seen.caller.sites, wish, plan)
        return seen.dated(
            {
                "site": wish.site_id,
                "sku": seen.names.sku(wish.sku_id),
                "wanted_units": wish.units,
                "planned_units": found.planned_units,
                "possible_units": found.blocked.possible_units,
                "words": seen.words(found.words, None if plan is None else seen.names_of(plan)),
            }
        )

    def left_behind(self, plan: TransferPlan) -> tuple[LeftBehind, ...]:
        """What had to leave one of the caller's sites with a plan and stays, by the facts that the plan was made on."""
        facts = self._seen.facts_of(plan)
        return left_behind(facts.policy, facts.snapshot, plan, self._seen.caller.sites)

    def _plan_about(self, sku_id: str) -> TransferPlan | None:
        """The plan of this conversation, if there is one that could have moved the SKU."""
        if self._seen.plan_digest is None:
            return None
        plan, category = self._seen.current_plan(), self._seen.facts.snapshot.sku_by_id[sku_id].category
        scope = plan.request.scope
        about = sku_id in (scope.skus or (sku_id,)) and category in (scope.categories or (category,))
        return plan if about else None

    def _with_lines(self, start: str | None) -> TransferPlan:
        plan = self._seen.plan_named(start)
        if not plan.lines:
            which = "current plan" if start is None else "plan"
            raise NothingToExplainError(f"the {which} moves nothing, so there is no line to explain")
        return plan

    def _explained(self, plan: TransferPlan, numbers: list[int]) -> list[LineExplanation]:
        facts = self._seen.facts_of(plan)
        limits = limits_of(facts.policy, facts.snapshot, plan.request)
        urgent = urgencies(facts.policy, facts.snapshot, plan)
        explainer = Explainer(facts.snapshot, limits, plan, self._seen.caller.sites)
        return [explainer.line(number, urgent[number - 1]) for number in numbers]

    def _concessions(self, plan: TransferPlan, names: Names) -> list[str]:
        """What relaxing a limit would be worth, for a plan that was made within the caller's own sites."""
        if not sees_whole(plan, self._seen.caller.sites):
            return []
        record = self._seen.world.negotiation(plan.digest)
        said = [self._seen.words(each["words"], names) for each in record.get("concessions", [])]
        return said[:CONCESSIONS_SAID]


def _by_worth(plan: TransferPlan) -> list[int]:
    """The numbers of the lines, the most valuable first."""
    return [line.line_no for line in sorted(plan.lines, key=lambda line: (-line.saving_minor, line.line_no))]


def _whole_sentences(words: str) -> str:
    """The words as far as there is room for them, cut after a sentence."""
    if len(words) <= WORDS_CHARACTERS_MAX:
        return words
    return f"{words[: WORDS_CHARACTERS_MAX - 1].rpartition('. ')[0]}."


def _purpose(facts: Facts, plan: TransferPlan) -> str:
    """Why these lines: how many serve a shortage, and how many relieve a site of what it has too much of."""
    if not plan.lines:
        return "No transfer within the request earns more than it costs, or none is permitted."
    kinds: dict[SiteSku, set[ImbalanceKind]] = {}
    for each in imbalances_of(facts):
        kinds.setdefault(each.key, set()).add(each.kind)
    serve = sum(ImbalanceKind.SHORTAGE in kinds.get(SiteSku(line.destination, line.sku_id), ()) for line in plan.lines)
    relieve = sum(
        bool(kinds.get(SiteSku(line.origin, line.sku_id), set()) - {ImbalanceKind.SHORTAGE}) for line in plan.lines
    )
    return (
        f"Of {len(plan.lines):,} lines {serve:,} go to a site that is short of the SKU, and {relieve:,} come from a site"
        " that has too much of it; the solver chose those that save most after their cost."
    )


def _made_on(differ: list[str]) -> str:
    if not differ:
        return "Both rest on the same facts, policy and request."
    listed = " and ".join(filter(None, (", ".join(differ[:-1]), differ[-1])))
    money = " Savings on different facts cannot be compared to the cent." if "facts" in differ else ""
    return f"They differ in {listed}.{money}"
