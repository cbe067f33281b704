"""The baseline in a conversation: one tool call a turn, and answers that say only what the tool has found."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graphs.baseline import BaselineChatModel
from graphs.baseline.answers import answer

LINE = {
    "line_no": 7, "sku": "P1", "units": 31, "from": "S1", "to": "S2", "by": "van", "departs": "2026-03-03",
    "arrives": "2026-03-04", "saves": "112.50 USD",
}  # fmt: skip
PLAN: dict[str, Any] = {
    "plan": "ab" * 32, "as_of": "2026-03-02", "lines": 4, "units": 93, "departures": 2, "saves": "412.77 USD",
    "saves_until_regular_supply": "700.00 USD", "costs_to_move": "55.20 USD", "goods_value": "800.00 USD",
    "fill_rate_before_percent": "71.35", "fill_rate_after_percent": "80.06", "status": "within_gap",
    "gap_percent": "0.31", "top_lines": [LINE], "lines_not_shown": 0, "note": "", "violations": [],
    "concessions": [], "outcome": "permitted", "contested_pools": 0, "negotiation_rounds": 1,
}  # fmt: skip
RESULTS: dict[str, dict[str, Any]] = {
    "find_imbalances": {
        "as_of": "2026-03-02T06:00:00Z", "snapshot": "0123456789ab", "counts": {"shortage": 13, "surplus": 8},
        "imbalances": [
            {
                "kind": "shortage", "sku": "P1", "site": "S2", "units": 44, "at_stake": "96.10 USD", "days_of_cover": 3,
                "stock_out_percent": "87.4", "until": "2026-03-16",
            }
        ],
        "not_shown": 20, "held_back_for_bad_data": 6,
    },
    "coverage": {
        "as_of": "2026-03-02T06:00:00Z", "snapshot": "0123456789ab", "not_shown": 0,
        "rows": [
            {
                "sku": "P1", "site": "S2", "available_units": 12, "projected_units": 12, "demand_a_day": "3.47",
                "days_of_cover": 3, "runs_out_on": "2026-03-05", "stock_out_percent": "91.2", "needs_units": 58,
                "order_up_to_units": 84, "days_until_supply": 14,
            }
        ],
    },
    "propose_plan": PLAN,
    "what_if": {"as_of": "2026-03-02T06:00:00Z", "snapshot": "0123456789ab", "as_things_are": PLAN, "what_if": PLAN},
    "explain_line": {
        "as_of": "2026-03-02T06:00:00Z", "snapshot": "0123456789ab", "plan": "ab" * 32, "line_no": 7, "sku": "P1",
        "units": 31, "from": "S1", "to": "S2", "words": "S2 would run out with a probability of 87.4 %.",
    },
    "explain_blocked": {
        "as_of": "2026-03-02T06:00:00Z", "snapshot": "0123456789ab", "site": "S2", "sku": "P1", "wanted_units": 44,
        "planned_units": 0, "possible_units": 12, "words": "44 units of P1 are wanted; the plan brings 0 to S2.",
    },
    "explain_plan": PLAN
    | {
        "words": "It moves 93 units on 4 lines.", "why_lines": [{"line_no": 7, "words": "S2 would run out."}],
        "binds": [], "quality": "It is the best possible.",
    },
    "compare_plans": {
        "as_of": "2026-03-02T06:00:00Z", "words": "Against the other it has 2 lines less.", "lines_the_same": 3,
        "lines_only_in_plan": {"count": 1, "lines": []}, "lines_only_in_other": {"count": 2, "lines": []},
        "lines_changed": {"count": 4, "lines": []},
    },
    "signal_quality": {
        "as_of": "2026-03-02T06:00:00Z", "words": "6 SKUs at sites are held back for bad data.", "total": 6,
        "not_shown": 5, "next_offset": 1,
        "held": [{"sku": "P1", "site": "S2", "check": "negative", "reason": "On hand is -4."}],
    },
    "kpis": {"as_of": "2026-03-02T06:00:00Z", "words": "fill rate: 97.5 %; stock-outs: 3.", "figures": []},
    "status": {
        "waiting": [
            {
                "approval": "x", "plan": "abababababab", "lines": 4, "units": 93, "saves": "412.77 USD",
                "requested_by": "paula", "expires_at": "2026-11-25T00:29+00:00",
            }
        ],
        "orders": [
            {"transfer": "y", "sku": "P1", "units": 31, "from": "S1", "to": "S2", "state": "shipped", "arrives": "2026-03-04"}
        ],
    },
    "policy": {"policy": "Policy standard 2026-01.\nService levels: A 98 %.", "rules": {}, "kill_switch_engaged": False},
    "submit_plan": {"submitted": True, "approval": "9b1d", "expires_at": "2026-11-25T00:29+00:00"},
}  # fmt: skip


def said(*messages: BaseMessage) -> AIMessage:
    return BaselineChatModel().bind_tools([]).invoke([SystemMessage("be brief"), *messages])


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", text))


def test_a_request_becomes_one_tool_call_with_an_id_that_counts_the_calls_of_the_conversation() -> None:
    first = said(HumanMessage("what is short"))
    assert [(c["name"], c["id"]) for c in first.tool_calls] == [("find_imbalances", "call_1")]
    result = ToolMessage(json.dumps(RESULTS["find_imbalances"]), tool_call_id="call_1", name="find_imbalances")
    second = said(HumanMessage("what is short"), first, result, AIMessage("…"), HumanMessage("rebalance P1"))
    assert [(c["name"], c["args"], c["id"]) for c in second.tool_calls] == [
        ("propose_plan", {"mentions": ["P1"]}, "call_2")
    ]


@pytest.mark.parametrize("tool", RESULTS)
def test_an_answer_holds_no_number_that_the_tool_has_not_found(tool: str) -> None:
    content = json.dumps(RESULTS[tool])
    words = answer(tool, content)
    assert words
    assert numbers(words) <= numbers(content)


@pytest.mark.parametrize("tool", RESULTS)
def test_an_answer_is_plain_text(tool: str) -> None:
    words = answer(tool, json.dumps(RESULTS[tool]))
    assert not re.search(r"[*_#`\[\]]|\n\n|^\s|\s$| \n|\n ", words.replace("within_gap", ""))


def test_several_rows_stand_in_a_line_each_and_a_single_one_in_its_sentence() -> None:
    row = {
        "kind": "shortage", "site": "S1", "sku": "P1", "units": 5, "until": "2026-03-09", "at_stake": "7.00 USD",
        "days_of_cover": 1, "stock_out_percent": "80",
    }  # fmt: skip
    found = RESULTS["find_imbalances"] | {"imbalances": [row, row | {"sku": "P2\nP3"}], "counts": {"shortage": 2}}
    several = answer("find_imbalances", json.dumps(found)).split("\n")
    assert several[0].endswith("The costliest first:")
    assert [line[:13] for line in several[1:3]] == ["- P1 at S1 is", "- P2 P3 at S1"]
    single = answer("find_imbalances", json.dumps(found | {"imbalances": [row], "counts": {"shortage": 1}}))
    assert "The costliest first: P1 at S1 is short of 5 units" in single


def test_the_same_messages_give_the_same_answer() -> None:
    conversation = (HumanMessage("rebalance P1"), said(HumanMessage("rebalance P1")))
    result = ToolMessage(json.dumps(PLAN), tool_call_id="call_1", name="propose_plan")
    first, second = said(*conversation, result), said(*conversation, result)
    assert (first.content, first.tool_calls) == (second.content, second.tool_calls)


def test_a_plan_is_told_with_what_it_moves_saves_and_costs_and_how_to_go_on() -> None:
    words = answer("propose_plan", json.dumps(PLAN))
    for part in (
        "93 units",
        "4 lines",
        "412.77 USD",
        "55.20 USD",
        "0.31 %",
        "line 7: 31 units of P1 from S1 to S2",
        "submit",
    ):
        assert part in words


def test_violations_and_concessions_are_told_and_submission_is_not_offered() -> None:
    broken = PLAN | {"violations": ["Line 7: too much."], "concessions": ["Move more units: saves 5.00 USD more."]}
    words = answer("propose_plan", json.dumps(broken))
    assert "Line 7: too much." in words
    assert "saves 5.00 USD more" in words
    assert "Say submit" not in words


def test_a_sound_plan_is_submitted_when_that_was_asked_for() -> None:
    asked = HumanMessage("rebalance P1 and submit")
    call = said(asked)
    sound = ToolMessage(json.dumps(PLAN), tool_call_id="call_1", name="propose_plan")
    assert said(asked, call, sound).tool_calls[0]["name"] == "submit_plan"


@pytest.mark.parametrize("change", [{"lines": 0, "top_lines": []}, {"violations": ["no"]}])
def test_a_plan_that_moves_nothing_or_breaks_policy_is_not_submitted(change: dict[str, Any]) -> None:
    asked = HumanMessage("rebalance P1 and submit")
    result = ToolMessage(json.dumps(PLAN | change), tool_call_id="call_1", name="propose_plan")
    assert said(asked, said(asked), result).tool_calls == []


def test_a_plan_that_was_to_be_submitted_and_is_not_is_said_to_be_none() -> None:
    asked = HumanMessage("rebalance P1 and submit")
    empty = PLAN | {"lines": 0, "top_lines": [], "outcome": "nothing_to_move", "note": "no lane is open"}
    result = ToolMessage(json.dumps(empty), tool_call_id="call_1", name="propose_plan")
    assert str(said(asked, said(asked), result).content).endswith(
        "nothing worth moving. No lane is open. Nothing was submitted."
    )


@pytest.mark.parametrize(
    ("status", "gap", "words"),
    [
        ("optimal", "0.00", "It is the best possible."),
        ("within_gap", "0.31", "It is at most 0.31 % from the best possible."),
        ("within_gap", "0.00", "It is the best possible but for a trifle."),
        ("feasible", None, "It may not be the best possible."),
    ],
)
def test_only_an_optimal_plan_is_called_the_best(status: str, gap: str | None, words: str) -> None:
    assert words in answer("propose_plan", json.dumps(PLAN | {"status": status, "gap_percent": gap}))


def test_as_many_rows_are_told_as_were_asked_for() -> None:
    row = RESULTS["find_imbalances"]["imbalances"][0]
    content = json.dumps(RESULTS["find_imbalances"] | {"imbalances": [row | {"sku": f"P{n}"} for n in range(8)]})
    few, many = answer("find_imbalances", content), answer("find_imbalances", content, {"limit": 8})
    assert few.count(" is short of ") == 5
    assert "There are more." in few
    assert many.count(" is short of ") == 8
    assert "20 more rows are not shown." in many


@pytest.mark.parametrize(
    ("tool", "change", "words"),
    [
        ("status", {"waiting": [], "orders": []}, "No plan waits for a decision. There are no transfer orders yet."),
        ("find_imbalances", {"imbalances": [], "counts": {}}, "nothing is out of balance there. 6 stock positions are held back"),
        ("coverage", {"rows": []}, "neither stock nor demand is known there."),
        ("policy", {}, "The kill switch is not engaged.\nPolicy standard"),
        ("policy", {"kill_switch_engaged": True}, "The kill switch is engaged: nothing may be approved or posted."),
        ("status", {"decided": [{"plan": "cdcdcdcdcdcd", "status": "rejected", "requested_by": "paula"}]}, "Decided or over: plan cdcdcdcdcdcd of paula: rejected."),
        ("signal_quality", {"held": [], "not_shown": 0}, "6 SKUs at sites are held back for bad data."),
        ("explain_plan", {}, "Line 7: S2 would run out."),
        ("compare_plans", {}, "3 lines are in both as they are, 4 in both with other numbers, 1 only in the first, 2 only in the other."),
        ("submit_plan", {"submitted": False, "note": "it breaks policy"}, "The plan was not submitted. It breaks policy."),
        ("propose_plan", {"plan": None, "note": "infeasible: no lane"}, "There is no plan. Infeasible: no lane."),
        ("propose_plan", {"contested_pools": 3}, "Sites compete for the same stock in 3 cases."),
        ("what_if", {"what_if": {"plan": None, "note": "no lane"}}, "What if: there is no plan. No lane."),
        ("what_if", {"what_if": PLAN | {"lines": 0}}, "What if: there is nothing worth moving."),
        ("what_if", {}, "That would change nothing."),
    ],
)  # fmt: skip
def test_what_there_is_none_of_is_said_in_a_sentence(tool: str, change: dict[str, Any], words: str) -> None:
    assert words in answer(tool, json.dumps(RESULTS[tool] | change))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("surplus", "P1 at S2 has 44 units too many until 2026-03-16"),
        ("expiring", "44 units of P1 at S2 will expire unsold by 2026-03-16"),
        ("stranded", "44 units of P1 at S2 are stranded"),
    ],
)
def test_every_kind_of_imbalance_has_its_own_words(kind: str, words: str) -> None:
    row = RESULTS["find_imbalances"]["imbalances"][0] | {"kind": kind, "days_of_cover": None}
    told = answer(
        "find_imbalances", json.dumps(RESULTS["find_imbalances"] | {"imbalances": [row], "counts": {kind: 1}})
    )
    assert f"{words}: 96.10 USD at stake, no demand" in told


def test_a_refusal_of_the_tool_is_told_with_what_comes_nearest() -> None:
    words = answer("coverage", json.dumps({"error": "'P9' is no SKU that is known here; nearest: P1, P2"}))
    assert words == "'P9' is no SKU that is known here. Did you mean P1 or P2?"
    assert answer("coverage", json.dumps({"error": "ask for fewer rows"})) == "Ask for fewer rows."


@pytest.mark.parametrize("content", ["", "[]", "no json", '"text"'])
def test_a_result_that_cannot_be_read_is_said_to_be_one(content: str) -> None:
    assert "cannot read" in answer("status", content)


def test_without_a_question_the_baseline_says_what_it_can_do_and_that_no_language_model_is_connected() -> None:
    assert "No language model is connected" in str(said().content)
    assert "No language model is connected" in str(said(HumanMessage("what is the meaning of life")).content)
