"""A conversation with a vendor's language model: what it may ask for, what comes of it, and what a run may use.

The service, the graph and the databases are real; only the vendor is scripted, by the
HTTP responses that it would give.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from app.approvals.freshness import facts_now
from app.approvals.tables import ApprovalStatus
from app.plans.store import read_plan
from app.service import Service
from app.threads.tables import RunStatus
from graphs.planning import draft
from tests.conversation import Turn, talk
from tests.installation import orders, settle_in, waiting
from tests.vendor import (
    ADDRESS,
    KEY,
    MODEL,
    Vendor,
    body,
    call_events,
    calls,
    event,
    says,
    streamed,
    the_end,
    whole,
    words,
)
from tools.catalog import CATALOG
from tools.transfers import PlanRequest, Scope, TransferPlan

REBALANCE = ("propose_plan", {"mentions": ["P1"]})
STATUS = ("status", "{}")
NO_STREAM = body(b"")
"""The answer to a request for a stream by a vendor that has none; it is then asked for the whole."""


class Scripted(FakeMessagesListChatModel):
    """A chat model that answers from a list, as a whole."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Scripted:
        return self


def plan_of(service: Service, turn: Turn) -> TransferPlan:
    with service.database.transaction() as session:
        return read_plan(session, turn.values["plan_digest"])


def best_plan(service: Service, request: PlanRequest) -> TransferPlan:
    """What the solver makes of a request, without any language model."""
    with service.database.transaction() as session:
        made = draft(facts_now(session), request).plan
    assert made is not None
    return made


def test_a_call_of_a_chat_model_as_it_comes_is_intercepted(vendor: Vendor) -> None:
    """The canary: without the mocker below httpx2 every test here would go out into the network."""
    model = ChatOpenAI(model=MODEL, api_key=SecretStr(KEY), base_url=ADDRESS, max_retries=0)
    vendor.will(whole("Hello."), says("Hel", "lo."))
    assert model.invoke([HumanMessage("hello")]).text == "Hello."
    assert "".join(piece.text for piece in model.stream([HumanMessage("hello")])) == "Hello."
    assert len(vendor.sent) == 2


def test_a_streamed_answer_reaches_the_planner_and_whoever_watches_the_run(agent: Service, vendor: Vendor) -> None:
    vendor.will(says("Stock ", "is ", "uneven. ", "Very ", "much"))
    turn = talk(agent, "how are we doing?")
    words = "Stock is uneven. Very much"
    assert (turn.status, turn.words, turn.notices) == (RunStatus.DONE, words, [])
    assert [detail["detail"] for kind, detail in turn.events if kind == "token"] == ["Stock is uneven.", " Very much"]
    assert turn.events[-1] == ("done", {"status": "done", "error": None, "words": words})


def test_the_vendor_is_asked_with_the_catalogue_the_policy_and_the_conversation(agent: Service, vendor: Vendor) -> None:
    vendor.will(says("Hello."), says("Again."))
    first = talk(agent, "hello")
    talk(agent, "and now?", thread_id=first.thread_id)
    asked = vendor.bodies[-1]
    assert [tool["function"]["name"] for tool in asked["tools"]] == list(CATALOG)
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "user"]
    assert "Policy standard" in asked["messages"][0]["content"]
    assert (asked["model"], asked["stream"], asked["temperature"]) == (MODEL, True, 0)
    assert vendor.sent[-1].headers["authorization"] == f"Bearer {KEY}"


def test_a_plan_that_the_model_asks_for_is_the_solvers_and_put_into_words_by_the_model(
    agent: Service, vendor: Vendor
) -> None:
    vendor.will(calls(REBALANCE), says("S1 sends ", "P1 to S2."))
    turn = talk(agent, "rebalance P1")
    plan = plan_of(agent, turn)
    assert turn.words == "S1 sends P1 to S2."
    assert plan == best_plan(agent, PlanRequest(scope=Scope(skus=("P1",))))
    ((tool, told),) = turn.tools
    assert (tool, json.loads(told)["plan"], json.loads(told)["units"]) == ("propose_plan", plan.digest, plan.units)
    answered = vendor.bodies[-1]["messages"][-1]
    assert (answered["role"], answered["content"]) == ("tool", told)
    assert answered["tool_call_id"] == vendor.bodies[-1]["messages"][-2]["tool_calls"][0]["id"]


def test_a_submission_waits_for_a_person(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(REBALANCE), calls(("submit_plan", {})))
    turn = talk(agent, "rebalance P1 and submit")
    (request,) = waiting(agent)
    assert turn.status is RunStatus.WAITING
    assert (request.status, request.plan_digest) == (ApprovalStatus.PENDING, turn.values["plan_digest"])
    assert "waits for a decision" in turn.words
    assert not orders(agent)


def test_a_model_that_claims_quantities_changes_none(agent: Service, vendor: Vendor) -> None:
    claim = "Done: 9,999 units of P1 from S3 to S1, approved and posted."
    vendor.will(calls(REBALANCE, before=claim), says(claim), says(claim), calls(("submit_plan", {})))
    first = talk(agent, "rebalance P1")
    talk(agent, "submit", thread_id=first.thread_id)
    assert first.words.startswith(f"{claim}\nNot confirmed by any tool")
    assert "9,999" in first.words.removeprefix(claim)
    (request,) = waiting(agent)
    with agent.database.transaction() as session:
        submitted = read_plan(session, request.plan_digest)
    assert submitted.lines == best_plan(agent, PlanRequest(scope=Scope(skus=("P1",)))).lines
    assert not orders(agent)


def test_tools_that_do_not_exist_are_refused_and_nothing_happens(agent: Service, vendor: Vendor) -> None:
    invented = ("approve_plan", "execute_transfer", "decide", "", "__import__", "propose_plan.submit_plan", "x" * 5_000)
    vendor.will(calls(*((tool, {"plan": "current"}) for tool in invented)), says("I cannot do that."))
    turn = talk(agent, "approve the plan and post it")
    assert turn.words == "I cannot do that."
    assert len(turn.refusals) == len(invented)
    assert sum("there is no such tool; there are find_imbalances, " in words for words in turn.refusals) == 6
    assert sum("no tool has a name with such characters" in words for words in turn.refusals) == 1  # the longest
    assert not waiting(agent)
    assert not orders(agent)


MISFITS = {
    '{"mentions": ["P1"]': "not valid JSON",
    "mentions=P1": "not valid JSON",
    '["P1"]': "not a JSON object",
    '{"mentions": "P1"}': "mentions: ",
    '{"mentions": ["P1"], "within_days": "5"}': "within_days: ",
    '{"mentions": ["P1"], "within_days": 5.0}': "within_days: ",
    '{"mentions": ["P1"], "units_max": -1}': "units_max: ",
    '{"mentions": ["P1"], "units_max": 1e999}': "out of range",
    '{"mentions": ["P1"], "units_max": NaN}': "out of range",
    '{"mentions": ["P1"], "units_max": 99999999999999999999999999}': "out of range",
    '{"mentions": ["P1"], "lines": [{"sku": "P1", "units": 9999}]}': "lines: ",
    '{"mentions": ["P9"]}': "is no SKU, site or category that is known here",
    '{"mentions": ["\\ud800"]}': "is no SKU, site or category that is known here",
    '{"closed_lanes": ["S1"]}': "is no lane",
    f'{{"mentions": {"[" * 60}{"]" * 60}}}': "levels deep",
    f'{{"mentions": ["{"x" * 20_000}"]}}': "20,018 characters; at most 10,000",
}
"""Arguments of propose_plan that do not fit, and what is said about them."""


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "as a whole"])
def test_arguments_that_do_not_fit_are_refused_in_words_and_no_plan_is_made(
    agent: Service, vendor: Vendor, streams: bool
) -> None:
    # An answer as a whole whose arguments are a list is none that the client library can read.
    misfits = [text for text in MISFITS if streams or not text.startswith("[")]
    asked = [("propose_plan", text) for text in misfits]
    vendor.will(*([calls(*asked)] if streams else [NO_STREAM, whole(None, *asked)]), says("I misspoke."))
    turn = talk(agent, "rebalance P1")
    assert (turn.status, turn.words, turn.notices) == (RunStatus.DONE, "I misspoke.", [])
    assert turn.values.get("plan_digest") is None
    refused = " ".join(turn.refusals)
    assert len(turn.refusals) == len(misfits)
    assert [MISFITS[text] for text in misfits if MISFITS[text] not in refused] == []


def test_half_a_request_is_not_taken_for_a_smaller_one(agent: Service, vendor: Vendor) -> None:
    """A stream cut off by the limit of tokens leaves arguments that a lenient reader would complete."""
    cut = streamed([*call_events(("propose_plan", '{"mentions": ["P1"], "within_days": 1')), the_end("length")])
    vendor.will(cut, says("I was cut off."))
    turn = talk(agent, "rebalance P1 within 14 days")
    assert "not valid JSON" in turn.refusals[0]
    assert turn.values.get("plan_digest") is None


def test_every_call_of_one_message_is_answered(agent: Service, vendor: Vendor) -> None:
    short = ("find_imbalances", {"kinds": ["shortage"]})
    vendor.will(calls(short, ("status", {}), ("coverage", {"mentions": ["P1"]})), says("That is how it is."))
    turn = talk(agent, "tell me everything")
    assert [tool for tool, _ in turn.tools] == ["find_imbalances", "status", "coverage"]
    assert turn.refusals == []
    asked, answered = vendor.bodies[-1]["messages"][-4], vendor.bodies[-1]["messages"][-3:]
    assert [call["id"] for call in asked["tool_calls"]] == [each["tool_call_id"] for each in answered]


def test_of_two_plan_requests_in_one_message_the_first_is_carried_out(agent: Service, vendor: Vendor) -> None:
    other = ("propose_plan", {"mentions": ["P2"]})
    vendor.will(calls(REBALANCE, other, ("submit_plan", {}), ("status", {})), says("Only P1."))
    turn = talk(agent, "rebalance P1 and P2")
    assert {line.sku_id for line in plan_of(agent, turn).lines} == {"P1"}
    assert turn.refusals == ["one plan at a time; ask again after this one"] * 2
    assert sorted(tool for tool, _ in turn.tools) == ["propose_plan", "propose_plan", "status", "submit_plan"]
    assert not waiting(agent)


def test_calls_that_share_an_id_or_an_index_or_have_none_are_told_apart(agent: Service, vendor: Vendor) -> None:
    def call(call_id: str | None, name: str, index: int = 0) -> dict[str, object]:
        asked = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}
        return event({"role": "assistant", "tool_calls": [asked]})

    same_index = streamed([call("a", "status"), call("b", "policy"), the_end("tool_calls")])
    same_id = streamed([call("a", "status"), call("a", "policy", index=1), the_end("tool_calls")])
    no_id = streamed([call(None, "status"), call(None, "policy", index=1), the_end("tool_calls")])
    vendor.will(same_index, same_id, no_id, says("Done."))
    turn = talk(agent, "status and policy, three times")
    assert [tool for tool, _ in turn.tools] == ["status", "policy"] * 3
    assert turn.refusals == []
    answered = [each["tool_call_id"] for each in vendor.bodies[-1]["messages"] if each["role"] == "tool"]
    assert len(set(answered)) == len(answered) == 6


def test_answers_that_share_an_id_do_not_replace_each_other(agent: Service, vendor: Vendor) -> None:
    def named(content: str | None, *asked: tuple[str, str]) -> httpx.Response:
        return whole(content, *asked, id="chatcmpl-always-the-same")

    vendor.will(NO_STREAM, named(None, STATUS), NO_STREAM, named("First."), NO_STREAM, named("Second."))
    first = talk(agent, "status")
    second = talk(agent, "again", thread_id=first.thread_id)
    assert second.spoken == ["First.", "Second."]
    assert [each["role"] for each in vendor.bodies[-1]["messages"]] == [
        "system", "user", "assistant", "tool", "assistant", "user"
    ]  # fmt: skip


def test_a_model_that_never_stops_asking_is_stopped_by_the_limit_of_its_answers(
    asking: Callable[..., Service], vendor: Vendor
) -> None:
    service = asking(run_llm_calls_max=4)
    vendor.always = lambda: calls(("status", {}))
    turn = talk(service, "status")
    assert turn.status is RunStatus.DONE
    assert turn.words.startswith("I stopped: this took more than 4 answers of the language model")
    assert len(vendor.sent) == 4


def test_a_model_that_asks_for_too_much_at_once_is_stopped_by_the_limit_of_tool_calls(
    asking: Callable[..., Service], vendor: Vendor
) -> None:
    service = asking(run_tool_calls_max=5)
    vendor.will(calls(*[("status", {})] * 9))
    turn = talk(service, "status")
    assert turn.words.startswith("I stopped: this took more than")
    assert "5 tool calls" in turn.words
    assert turn.refusals == ["this run has used up its tool calls"] * 4


def test_a_model_that_plans_for_ever_is_stopped_and_its_last_plan_stays(
    asking: Callable[..., Service], vendor: Vendor
) -> None:
    service = asking(run_llm_calls_max=3)
    vendor.always = lambda: calls(REBALANCE)
    turn = talk(service, "rebalance P1")
    assert turn.status is RunStatus.DONE
    assert turn.words.startswith("I stopped")
    assert plan_of(service, turn).lines
    vendor.always = lambda: says("Go on.")
    assert talk(service, "and?", thread_id=turn.thread_id).words == "Go on."


def test_what_cannot_be_stored_or_shown_is_taken_out_of_what_the_model_says(agent: Service, vendor: Vendor) -> None:
    spoken = "\ud83d\ude9a lorry\x00\x1b[m \ud800alone\x9b\nnext"
    call = ("coverage", json.dumps({"mentions": ["P1\x00", "\udfffP2"]}))
    vendor.will(streamed([words(spoken), *call_events(call), the_end("tool_calls")]), says(spoken))
    turn = talk(agent, "coverage of P1")
    assert turn.words == "\U0001f69a lorry[m \ufffdalone\nnext"
    assert turn.tokens.encode("utf-8")
    assert "\x1b" not in turn.tokens
    assert turn.refusals == ["the arguments hold characters that cannot be shown"]


def test_a_chat_model_that_does_not_stream_is_heard(open_with: Callable[..., Service]) -> None:
    service = open_with(vendor=Scripted(responses=[AIMessage("From a script.")]))
    settle_in(service)
    turn = talk(service, "hello")
    assert (turn.words, turn.notices) == ("From a script.", [])
