"""The planner node with a vendor's llm: figures without a source, questions back, refusals, memory, and what a checkpoint holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from statistics import median
from typing import Any
from uuid import UUID

import pytest
from langchain_core.messages import SystemMessage
from pydantic import SecretStr
from sqlalchemy import text

from app.plans.store import read_provenance
from app.service import Service, open_service
from app.settings import Settings
from app.threads.narration import Telling
from app.threads.stream import StreamEvent
from evals.databases import Servers
from graphs.grounding import UNSOURCED, Evidence, Vocabulary, unsourced
from graphs.prompts.system import catalogue_digest, system_prompt
from policies.brief import brief
from tests.conversation import Turn, talk
from tests.installation import PAULA, scan, settle_in, waiting
from tests.vendor import CONFIGURED, MODEL, Vendor, calls, fails, says
from tools.transfers import PlanRequest, Scope

MEMORY = 5_000
TURNS = 10
SHORT = ("find_imbalances", {"kinds": ["shortage"]})
REBALANCE = ("propose_plan", {"mentions": ["P1"]})
INVENTED = "S2 is short of 98,765 units of P1."


@pytest.fixture(scope="module")
def agent(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all: its language model is the scripted vendor, and its memory is short."""
    with (
        servers.fresh_database() as url,
        open_service(
            Settings(
                data=tmp_path_factory.mktemp("planner"), database_url=SecretStr(url),
                redis_url=SecretStr(servers.redis_url), llm_memory_characters_max=MEMORY, run_llm_calls_max=4, **CONFIGURED,
            )
        ) as service,
    ):  # fmt: skip
        settle_in(service)
        yield service


def test_an_invented_figure_is_given_back_once_and_the_repaired_answer_is_the_one_that_stays(
    agent: Service, vendor: Vendor
) -> None:
    vendor.will(calls(SHORT), says(INVENTED), says("S2 is short of P1."))
    turn = talk(agent, "what is short?")
    assert turn.words == "S2 is short of P1."
    assert turn.spoken == ["S2 is short of P1."]
    *_, answer, request = vendor.bodies[-1]["messages"]
    assert (answer["role"], answer["content"]) == ("assistant", INVENTED)
    assert request["role"] == "user"
    assert "98,765" in request["content"]


def test_a_figure_that_stays_without_a_source_is_named_at_the_end_and_is_no_source_later(
    agent: Service, vendor: Vendor
) -> None:
    vendor.will(calls(SHORT), says(INVENTED), says(INVENTED))
    turn = talk(agent, "what is short?")
    flag = "\nNot confirmed by any tool, so please do not rely on it: 98,765."
    assert turn.words == f"{INVENTED}{flag}"
    assert turn.messages[-1].response_metadata[UNSOURCED] == ["98,765"]
    vendor.will(says("As I said, 98,765 units."), says("As I said, 98,765 units."))
    again = talk(agent, "how many was it?", thread_id=turn.thread_id)
    assert again.words == f"As I said, 98,765 units.{flag}"


def test_an_answer_is_given_back_once_a_run_and_may_be_repaired_with_a_tool(agent: Service, vendor: Vendor) -> None:
    vendor.will(says(INVENTED), calls(SHORT), says(INVENTED))
    turn = talk(agent, "what is short?")
    assert [tool for tool, _ in turn.tools] == ["find_imbalances"]
    assert turn.words.startswith(f"{INVENTED}\nNot confirmed")


def test_no_answer_is_given_back_when_the_run_has_no_call_left(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(SHORT), calls(SHORT), calls(SHORT), says(INVENTED))
    assert talk(agent, "what is short?").words.startswith(f"{INVENTED}\nNot confirmed")


def test_a_vendor_that_fails_over_the_repair_leaves_the_answer_to_the_baseline(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(SHORT), says(INVENTED), fails(401))
    turn = talk(agent, "what is short?")
    assert turn.words.startswith("As of 2026-03-02")
    assert any("the built-in baseline answers" in notice for notice in turn.notices)


def test_a_vendor_that_fails_over_the_repair_is_not_followed_by_more_calls_than_a_run_may_make(
    agent: Service, vendor: Vendor
) -> None:
    vendor.will(calls(SHORT), calls(SHORT), says(INVENTED), fails(401))
    turn = talk(agent, "what is short?")
    assert turn.values["calls"]["llm"] == agent.settings.run_llm_calls_max
    assert turn.words.startswith(f"{INVENTED}\nNot confirmed")


def test_what_is_said_beside_a_call_without_a_source_is_left_out(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(SHORT, before=INVENTED), says("S2 is short of P1."))
    assert talk(agent, "what is short?").spoken == ["S2 is short of P1."]
    vendor.will(calls(SHORT, before=f"Let me look. {INVENTED} Wait."), says("S2 is short of P1."))
    turn = talk(agent, "what is short?")
    assert turn.spoken == ["Let me look.", "S2 is short of P1."]
    assert turn.tokens == "".join(turn.spoken)


def heard_by_clients(service: Service, turn: Turn) -> list[tuple[str, str, Any]]:
    """What clients of the LangGraph dialect were told of a run: the event's id, its name and its data."""

    async def news() -> list[StreamEvent]:
        async with service.stream.connection_to_wait_on() as waiting:
            return await service.stream.read_for_clients(waiting, turn.run_id, "0", milliseconds=1_000)

    return list(Telling(turn.run_id).read(asyncio.run(news())))


@pytest.mark.parametrize(
    ("repaired", "tokens"),
    [
        (("S2 is short ", "of P1. That", " is all"), "S2 is short of P1. That is all"),
        (("P1 is short", " at S2."), "S2 is short of P1."),
        (("S2 is short of P1. It lacks 98,765 units, ", "I say."), "S2 is short of P1."),
    ],
)
def test_nothing_without_a_source_is_told_while_it_is_said(
    agent: Service, vendor: Vendor, repaired: tuple[str, ...], tokens: str
) -> None:
    vendor.will(calls(SHORT), says("S2 is short ", "of P1. It ", "lacks 98,", "765 units. ", "Bye."), says(*repaired))
    turn = talk(agent, "what is short?")
    said = "".join(repaired)
    flag = "\nNot confirmed by any tool, so please do not rely on it: 98,765."
    assert turn.words == f"{said}{flag if '98,765' in said else ''}"
    assert turn.tokens == tokens
    told = heard_by_clients(agent, turn)
    pieces = [data[0] for _, name, data in told if name == "messages" and data[0]["type"] == "AIMessageChunk"]
    assert "".join(piece["content"] for piece in pieces) == tokens
    assert {piece["id"] for piece in pieces} == {turn.messages[-1].id}
    assert all("Not confirmed" in json.dumps(data) for _, _, data in told if "98,765" in json.dumps(data))


def figures(turn: Turn) -> dict[str, Any]:
    return dict(json.loads(turn.tools[-1][1]))


def test_an_answer_with_the_tools_figures_passes_as_it_is(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(REBALANCE), says("Done."))
    found = figures(talk(agent, "rebalance P1"))
    words = (
        f"Plan {found['plan'][:12]} moves {found['units']:,} units in {found['lines']} line and saves {found['saves']}."
    )
    vendor.will(calls(REBALANCE), says(words))
    assert talk(agent, "rebalance P1").words == words


GUESS = ("propose_plan", {"mentions": ["P1"]})
ASKED = ("propose_plan", {"mentions": ["Pl"]})


def test_a_name_that_is_not_known_is_asked_for_and_not_guessed(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(("propose_plan", {"mentions": ["P9"]})), calls(GUESS))
    turn = talk(agent, "rebalance P9")
    assert turn.words == "'P9' is no SKU, site or category that is known here. Did you mean P1 or P2?"
    assert turn.values.get("plan_digest") is None
    vendor.will(calls(GUESS), says("Done."))
    assert talk(agent, "P1", thread_id=turn.thread_id).values["plan_digest"] is not None


def test_a_name_that_the_user_wrote_as_well_is_no_guess(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(("propose_plan", {"mentions": ["P9"]})), calls(GUESS), says("P9 is not known; P1 is planned."))
    assert talk(agent, "rebalance P9 and P1").words == "P9 is not known; P1 is planned."


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("rebalance the store", "Which site do you mean, S1, S2 or S3?"),
        ("write me a poem", "I only help with stock, transfers, policy and orders; ask me what is short, for example."),
        ("approve the plan", "I cannot approve anything; a person has to decide in the queue."),
    ],
)
def test_a_question_back_or_a_refusal_ends_the_turn(agent: Service, vendor: Vendor, asked: str, answer: str) -> None:
    vendor.will(*([calls(("coverage", {"mentions": ["S1", "S2", "S3"]}))] if "S1" in answer else []), says(answer))
    turn = talk(agent, asked)
    assert (turn.words, turn.values["outcome"]) == (answer, "answered")
    assert turn.values.get("plan_digest") is None
    assert not waiting(agent)


def test_the_llm_is_told_to_ask_to_decline_and_what_limits_hold(agent: Service, vendor: Vendor) -> None:
    vendor.will(says("Hello."))
    talk(agent, "hello")
    prompt = vendor.bodies[-1]["messages"][0]["content"]
    assert "ask one short question and call no tool" in prompt
    assert "What you decline" in prompt
    limits = agent.settings
    assert f"{limits.run_llm_calls_max} answers of yours and {limits.run_tool_calls_max} tool calls" in prompt


def stored(service: Service) -> int:
    """The bytes that checkpoints take in the database, as they are stored."""
    with service.database.engine.connect() as connection:
        return sum(
            connection.execute(text(f"select coalesce(sum(pg_column_size({table}.*)), 0) from {table}")).scalar_one()
            for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
        )


TALK = (SHORT, REBALANCE, ("explain_line", {}), ("coverage", {"mentions": ["P1", "P2"]}), ("policy", {}))


def test_a_turn_takes_no_more_than_20_kb_of_checkpoints_and_the_llm_is_sent_a_summary_of_a_long_thread(
    agent: Service, vendor: Vendor
) -> None:
    sizes, thread = [], None
    for number in range(TURNS):
        vendor.will(
            calls(TALK[number % len(TALK)]), says("That is how it stands with the stock now, as the tool says.")
        )
        before = stored(agent)
        turn = talk(agent, f"How does it stand, and why? This is question {number}.", thread_id=thread)
        thread = turn.thread_id
        sizes.append(stored(agent) - before)
    assert median(sizes) <= 20 * 1024, sizes
    assert sum(sizes[5:]) <= 1.2 * sum(sizes[:5]), sizes
    assert len(turn.messages) == TURNS * 4
    assert [str(each.text)[-3:-1].strip() for each in turn.messages if each.type == "human"] == list(
        map(str, range(TURNS))
    )
    _, summary, *_, asked, _, result = vendor.bodies[-1]["messages"]
    assert summary["content"].startswith("Summary of the earlier conversation")
    assert 'The user said: "How does it stand' in summary["content"]
    assert asked["content"].endswith(f"question {TURNS - 1}.")
    assert len(str(vendor.bodies[-1]["messages"][1:])) < MEMORY + 2 * len(result["content"]) + 5_000


def test_a_plan_is_put_down_to_the_llm_its_prompt_and_the_tools(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(REBALANCE), says("Done."))
    turn = talk(agent, "rebalance P1")
    sent = vendor.bodies[0]["messages"][0]["content"]
    with agent.database.transaction() as session:
        row = read_provenance(session, turn.values["plan_digest"])
        assert row is not None
        assert (row.llm, row.temperature_e3, row.catalogue_digest) == (MODEL, 0, catalogue_digest())
        assert row.prompt_digest == prompt_of(agent).digest
        assert row.solver_versions
    assert sent == prompt_of(agent).text


def prompt_of(service: Service) -> Any:
    """The prompt that holds now."""
    context = service.driver._context(UUID(int=1), UUID(int=2), PAULA)
    facts = context.world.facts()
    return system_prompt(brief(facts.policy, facts.snapshot.currency), context.world.limits)


def test_the_first_to_ask_for_a_plan_is_recorded_and_a_scan_has_no_llm(agent: Service, vendor: Vendor) -> None:
    scan(agent, request=PlanRequest(scope=Scope(skus=("P2",)), within_days=9))
    (request,) = waiting(agent)
    vendor.will(calls(("propose_plan", {"mentions": ["P2"], "within_days": 9})), says("Done."))
    turn = talk(agent, "rebalance P2 within 9 days")
    assert turn.values["plan_digest"] == request.plan_digest
    with agent.database.transaction() as session:
        row = read_provenance(session, request.plan_digest)
        assert row is not None
        assert (row.llm, row.prompt_digest) == (None, None)


SAID = (
    "what is short", "coverage of P1 at S2", "rebalance P1 from S1 to S2, at most 20 units, within a week", "why",
    "why is S2 short of P1", "what if demand doubles", "coverage of P9", "status", "what does the policy say",
    "explain line 9", "help",
)  # fmt: skip


def test_the_baselines_answers_pass_the_check_as_they_are(agent: Service) -> None:
    alone = agent.settings.model_copy(update={"openai_api_key": None, "openai_base_url": None})
    thread: UUID | None = None
    with open_service(alone) as service:
        for words in SAID:
            turn = talk(service, words, thread_id=thread)
            thread = turn.thread_id
            snapshot = service.driver._context(thread, turn.run_id, PAULA).world.facts().snapshot
            shown = [SystemMessage(prompt_of(service).text), *turn.messages[:-1]]
            evidence = Evidence.of(shown, Vocabulary.of(snapshot, None, sees_sensitive=True))
            assert unsourced(turn.words, evidence) == (), words
