"""The rules that a plan is held against, one by one, with what each says on the facts of now."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from policies.narrowing import Fresh, fresh
from policies.rules import RULES, Facts, Violation
from tools.transfers import TransferPlan


@dataclass(frozen=True, slots=True)
class RuleResult:
    """A rule in words, and what the plan breaks of it; nothing where it keeps it."""

    name: str
    sentence: str
    broken: tuple[str, ...]


def rule_results(
    plan: TransferPlan, facts: Facts, words: Callable[[str], str]
) -> tuple[list[RuleResult], tuple[Violation, ...]]:
    """Every rule with its outcome, those that are broken first, and all that is broken."""
    found: list[RuleResult] = []
    every: list[Violation] = []
    for rule in RULES:
        broken = tuple(rule(plan, facts))
        every += broken
        sentence = " ".join((inspect.getdoc(rule) or "").split())
        found.append(RuleResult(_name(rule.__name__), sentence, tuple(words(each.words) for each in broken)))
    return sorted(found, key=lambda each: not each.broken), tuple(every)


def admitted(plan: TransferPlan, facts: Facts, violations: tuple[Violation, ...]) -> Fresh:
    """What the world of now admits of the plan, where the rules have been asked already."""
    drift = facts.policy.approvals.drift if facts.policy.approvals else None
    if drift is None or (not violations and plan.snapshot_digest == facts.snapshot.digest):
        return Fresh(violations)
    return fresh(plan, facts)


def _name(rule: str) -> str:
    return rule.replace("_", " ").capitalize()
