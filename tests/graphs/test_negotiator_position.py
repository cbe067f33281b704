"""What an llm is asked in a negotiation, and what is taken of its answer: nothing that is not on the list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from graphs.negotiation.brief import CLAIMS_ARGUED, CONCESSIONS_OFFERED, POOLS_ARGUED, TOOL, Brief, brief_of
from graphs.negotiation.position import IgnoredError, position_of
from graphs.negotiation.record import ClaimRecord, Pool, SettlementRecord
from tools.concessions import Concession


def a_claim(site: str, highest: int = 720, awarded: int = 17) -> ClaimRecord:
    return ClaimRecord(
        site=site, claimed_units=31, highest_bid_minor=highest, bids_minor=(highest, highest, 650),
        awarded_units=awarded, planned_units=15,
    )  # fmt: skip


def a_settlement(site: str = "S1", sku: str = "P1", *claims: ClaimRecord) -> SettlementRecord:
    return SettlementRecord(
        pool=Pool(site=site, sku=sku), pool_units=40, pack_size=1, reserve_prices_minor=(-8, -8), mechanism="market",
        price_minor=716, awards=claims or (a_claim("S2"), a_claim("S3", 700, 14)),
    )  # fmt: skip


def a_concession(code: str = "relax_source_protection", saving: int = 4_400, **fields: Any) -> Concession:
    given: dict[str, Any] = {
        "code": code, "rule": code, "words": f"Lift {code} at S1→S2.", "extra_saving_minor": saving, "extra_units": 9,
        "negotiable": True,
    }  # fmt: skip
    return Concession(**given | fields)


def a_brief(*, may_ask_again: bool = True) -> Brief:
    concessions = (
        a_concession(),
        a_concession("relax_plan_lines", 100),
        a_concession("relax_storage", negotiable=False),
    )
    return brief_of([a_settlement()], concessions, "USD", may_ask_again=may_ask_again)


GOOD: dict[str, Any] = {
    "arguments": [{"claim": "claim-b", "words": "Claim-b claims 31 units and pool-a has 40."}],
    "recommended": ["concession-b", "concession-a"],
    "reason": "concession-b saves 1.00 USD more.",
    "another_round": True,
}


def said(name: str = TOOL, **changes: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": GOOD | changes, "id": "c1", "type": "tool_call"}])


def test_the_question_holds_numbers_and_handles_and_no_name() -> None:
    brief = a_brief()
    assert brief.data["pools"][0]["claims"][0] == {
        "claim": "claim-a",
        "claimed_units": 31,
        "bids_for_packs": [{"packs": 2, "each": "7.20 USD"}, {"packs": 1, "each": "6.50 USD"}],
        "awarded_units": 17,
        "planned_units": 15,
    }
    asked = json.dumps([brief.data, brief.schema(), [str(message.content) for message in brief.messages()]])
    assert [name for name in ("S1", "S2", "S3", "P1", "→") if name in asked] == []


def test_the_answers_are_a_closed_list() -> None:
    parameters = a_brief().schema()["function"]["parameters"]
    assert parameters["additionalProperties"] is False
    properties = parameters["properties"]
    assert properties["arguments"]["items"]["properties"]["claim"]["enum"] == ["claim-a", "claim-b"]
    assert properties["recommended"]["items"]["enum"] == ["concession-a", "concession-b"], "only what is negotiable"
    assert "enum" not in json.dumps(brief_of([], [], "USD", may_ask_again=False).schema()), (
        "vendors refuse an empty one"
    )


def test_the_question_is_bounded_to_what_is_contested_most() -> None:
    claims = [a_claim(f"R{number}", 100 + number) for number in range(9)]
    pools = [a_settlement(f"D{number}", "P1", *claims) for number in range(9)]
    offered = [a_concession(f"relax_{letter}") for letter in "abcdefghi"]
    brief = brief_of(pools, offered, "USD", may_ask_again=True)
    assert len(brief.data["pools"]) <= POOLS_ARGUED
    assert (len(brief.claims), len(brief.concessions)) == (CLAIMS_ARGUED, CONCESSIONS_OFFERED)
    assert brief.claims["claim-a"].site == "R8"
    assert len(json.dumps(brief.data)) < 10_000


def test_a_position_is_taken_with_its_handles_as_what_they_stand_for() -> None:
    position = position_of(said(), a_brief())
    ((argument,),) = (position.arguments,)
    assert (argument.site, argument.pool) == ("S3", Pool(site="S1", sku="P1"))
    assert argument.words == "S3 claims 31 units and S1 has 40."
    assert position.recommended == ("Lift relax_plan_lines at S1→S2.", "Lift relax_source_protection at S1→S2.")
    assert position.reason == '"relax plan lines" saves 1.00 USD more.'
    assert position.another_round
    assert position.sentences_dropped == 0


def test_another_round_is_only_taken_where_policy_admits_it() -> None:
    assert not position_of(said(), a_brief(may_ask_again=False)).another_round


def test_an_argument_uses_the_numbers_of_its_pool_and_a_reason_those_of_the_concessions() -> None:
    brief = brief_of(
        [a_settlement(), a_settlement("S9", "P2", a_claim("S4", 555))], [a_concession()], "USD", may_ask_again=False
    )
    words = "It saves 44.00 USD. It bids 7.20 USD. It bids 5.55 USD."
    position = position_of(said(arguments=[{"claim": "claim-a", "words": words}], recommended=[], reason=words), brief)
    assert [each.words for each in position.arguments] == ["It bids 7.20 USD."]
    assert (position.reason, position.sentences_dropped) == ("It saves 44.00 USD.", 4)


ELSE: dict[str, AIMessage] = {
    "an approval": said("approve_plan"),
    "a submission": said("submit_plan"),
    "no call": AIMessage("Approved: 9999 units to S2."),
    "a call and a submission": AIMessage("", tool_calls=[*said().tool_calls, *said("submit_plan").tool_calls]),
    "two positions": AIMessage("", tool_calls=[*said().tool_calls, *said().tool_calls]),
    "a call that cannot be read": AIMessage(
        "", tool_calls=said().tool_calls,
        invalid_tool_calls=[{"name": TOOL, "args": "{", "id": "c2", "error": "half", "type": "invalid_tool_call"}],
    ),
    "an invented claim": said(arguments=[{"claim": "claim-c", "words": "Mine."}]),
    "a claim by its site": said(arguments=[{"claim": "S2", "words": "Mine."}]),
    "a pool for a claim": said(arguments=[{"claim": "pool-a", "words": "Mine."}]),
    "a look-alike": said(arguments=[{"claim": "claim-\u0430", "words": "Mine."}]),
    "a claim in capitals": said(arguments=[{"claim": "CLAIM-A", "words": "Mine."}]),
    "an invented concession": said(recommended=["concession-z"]),
    "a concession that is not negotiable": said(recommended=["concession-c"]),
    "a concession by its words": said(recommended=["Lift relax_plan_lines at S1→S2."]),
    "a claim twice": said(arguments=[{"claim": "claim-a", "words": "x"}, {"claim": "claim-a", "words": "y"}]),
    "a concession twice": said(recommended=["concession-a", "concession-a"]),
    "a quantity": said(units=9999),
    "a quantity for a claim": said(arguments=[{"claim": "claim-a", "words": "Mine.", "units": 9999}]),
    "a number for words": said(reason=9999),
    "nothing for words": said(reason=None),
    "words without an end": said(reason="all of it " * 900),
    "more arguments than claims": said(arguments=[{"claim": "claim-a", "words": "x"}] * 30),
    "a yes in words": said(another_round="yes"),
    "a number for yes": said(another_round=1),
    "a list for an object": said(arguments=[["claim-a", "Mine."]]),
    "an object for a list": said(recommended={"concession-a": True}),
    "nothing": AIMessage("", tool_calls=[{"name": TOOL, "args": {}, "id": "c1", "type": "tool_call"}]),
}  # fmt: skip


@pytest.mark.parametrize("answer", ELSE)
def test_an_answer_that_is_none_to_the_question_is_ignored_whole_and_without_its_words(answer: str) -> None:
    with pytest.raises(IgnoredError) as ignored:
        position_of(ELSE[answer], a_brief())
    assert "9999" not in str(ignored.value)
    assert str(ignored.value).startswith("it")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["claim-a", "concession-a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "claim", "words"]), inner),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from([*GOOD, "units", "approve"]), JSON, max_size=3))
def test_whatever_is_answered_a_position_points_to_nothing_but_what_is_on_the_list(changes: dict[str, Any]) -> None:
    brief = a_brief()
    try:
        position = position_of(said(**changes), brief)
    except IgnoredError:
        return
    assert {each.site for each in position.arguments} <= {"S2", "S3"}
    assert {each.pool for each in position.arguments} <= {Pool(site="S1", sku="P1")}
    assert set(position.recommended) <= {each.words for each in brief.concessions.values()}
