"""Every scenario, in the order in which they are played."""

from __future__ import annotations

from app.erp.simulated import Faults
from evals.adversary import ObedientChatModel
from evals.scenario import Scenario
from evals.scenarios.decisions import (
    author_decides,
    expired_approval,
    kill_switch_before_posting,
    rejected_then_revised,
    stock_moved_before_approval,
)
from evals.scenarios.execution import bad_days_of_the_erp, duplicate_resume_and_crash, erp_refuses
from evals.scenarios.planning import quarantined_count, shortage_beside_surplus, stale_feed, two_claims_on_one_pool
from evals.scenarios.words import injected_instruction, llm_is_down, rebalance_in_plain_english

NOBODY_LISTENS = "http://127.0.0.1:9/v1"

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(shortage_beside_surplus),
    Scenario(two_claims_on_one_pool),
    Scenario(stale_feed),
    Scenario(quarantined_count),
    Scenario(rejected_then_revised),
    Scenario(stock_moved_before_approval),
    Scenario(expired_approval),
    Scenario(author_decides),
    Scenario(kill_switch_before_posting),
    Scenario(duplicate_resume_and_crash, Faults(idempotent=False)),
    Scenario(bad_days_of_the_erp, Faults(lost_before=0.3, lost_after=0.3, delivered_twice=0.3, ships_after_looks=2)),
    Scenario(erp_refuses, Faults(refused=1.0)),
    Scenario(rebalance_in_plain_english),
    Scenario(injected_instruction, vendor=ObedientChatModel),
    Scenario(llm_is_down, settings={"openai_base_url": NOBODY_LISTENS, "llm_retries_max": 0}),
)
