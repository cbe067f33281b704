"""A negotiation's record: what the graph keeps of it, and what a reader sees of it, in data and in words."""

from __future__ import annotations

import json
from typing import Any

from graphs.names import ELSEWHERE, Names, alias_of
from graphs.negotiation.record import (
    Advice,
    Argument,
    Choice,
    ClaimRecord,
    Pool,
    Record,
    RoundRecord,
    SettlementRecord,
    settlement_records,
)
from graphs.negotiation.transcript import negotiation_answer, negotiation_words, seen_by, sees_whole
from tests.builders import a_plan, a_site, a_sku, a_snapshot
from tools.concessions import Concession
from tools.inventory import SiteSku
from tools.negotiate import Claim, Contest, settle
from tools.transfers import PlanRequest

PLAN = "ab" * 32
SNAPSHOT = a_snapshot(
    sites=(a_site("S1"), a_site("S2"), a_site("FAR-9", name="Distant Harbour")),
    skus=(a_sku("P1"), a_sku("VX-77", name="Midnight Elixir", sensitive=True)),
)
EVERYTHING = Names(SNAPSHOT, None, sees_sensitive=True)
NEAR = Names(SNAPSHOT, frozenset({"S1", "S2"}), sees_sensitive=False)


def a_claim(site: str, highest: int) -> ClaimRecord:
    return ClaimRecord(
        site=site,
        claimed_units=20,
        highest_bid_minor=highest,
        bids_minor=(highest, 5),
        awarded_units=8,
        planned_units=6,
    )


def a_settlement(site: str, sku: str, *sites: str) -> SettlementRecord:
    return SettlementRecord(
        pool=Pool(site=site, sku=sku), pool_units=16, reserve_prices_minor=(1, 2), mechanism="market", price_minor=613,
        awards=tuple(a_claim(each, 900 + number) for number, each in enumerate(sites)),
    )  # fmt: skip


def an_argument(site: str, pool_site: str, sku: str) -> Argument:
    return Argument(site=site, pool=Pool(site=pool_site, sku=sku), words=f"{site} claimed 20 units of {pool_site}.")


CONCESSION = Concession(
    code="relax_plan_lines", rule="plan_lines", words="Let VX-77 travel S1→FAR-9: saves 1.00 USD more.",
    extra_saving_minor=100, extra_units=1, negotiable=True, changes=("S1→FAR-9: +1 line",),
)  # fmt: skip
WHOLE = Record(
    rounds=(
        RoundRecord(
            round=1, plan=PLAN, contests=3, change="without 1 lines that break size",
            violations=("Line 1: Midnight Elixir at Distant Harbour is too much.",),
            settlements=(
                a_settlement("S1", "VX-77", "S2"),
                a_settlement("S1", "P1", "S2", "FAR-9"),
                a_settlement("FAR-9", "P1", "FAR-9"),
            ),
        ),
    ),
    concessions=(CONCESSION,),
    conflicts=("VX-77 cannot reach FAR-9.",),
    choice=Choice(by="llm", concessions=(CONCESSION.words,), reason='"relax plan lines" saves 1.00 USD more.'),
    advice=Advice(
        llm="scripted-1", given="cd" * 32, taken=True, sentences_dropped=2,
        arguments=(an_argument("S2", "S1", "VX-77"), an_argument("S2", "S1", "P1"), an_argument("FAR-9", "FAR-9", "P1")),
    ),
)  # fmt: skip


def test_a_record_is_stored_as_json_and_read_as_it_was() -> None:
    stored = json.loads(json.dumps(WHOLE.document()))
    assert Record.read(stored) == WHOLE
    assert Record.read({}) == Record()


def test_a_record_from_before_bids_were_kept_can_be_read() -> None:
    award = {"site": "S2", "claimed_units": 4, "highest_bid_minor": 90, "awarded_units": 4, "planned_units": 0}
    settled = {
        "pool": {"site": "S1", "sku": "P1"}, "pool_units": 8, "mechanism": "market", "price_minor": 40, "awards": [award]
    }  # fmt: skip
    round_ = {"round": 1, "plan": PLAN, "violations": [], "settlements": [settled], "contests": 1, "change": ""}
    concession = {
        "code": "lift_cool_down", "rule": "cool_down", "words": "Move again.", "extra_saving_minor": 5, "extra_units": 1,
        "negotiable": True, "changes": ["the plan: +1 unit"],
    }  # fmt: skip
    old = {"rounds": [round_], "concessions": [concession], "conflicts": ["x"], "pricing": "y"}
    read = Record.read(old)
    assert read.rounds[0].settlements[0].awards[0].bids_minor == ()
    assert (read.concessions[0].words, read.choice, read.advice) == ("Move again.", None, None)


def test_the_state_of_the_graph_keeps_no_bids_and_no_word_of_an_llm() -> None:
    outline = WHOLE.outline()
    assert outline["recommended"] == [CONCESSION.words]
    assert outline["rounds"][0]["contests"] == 3
    assert [
        words for words in ("claimed", "bids", "scripted-1", "relax plan lines") if words in json.dumps(outline)
    ] == []
    assert Record.read(outline).concessions == (CONCESSION,)


def test_a_settlement_is_kept_with_the_first_bids_of_every_claim() -> None:
    contest = Contest(SiteSku("S1", "P1"), 2, (10.4,) * 40, (Claim("S2", (90.6,) * 40), Claim("S3", (50.0,) * 30)))
    (record,) = settlement_records([contest, contest], [settle(contest, "market", (), a_plan())])
    assert (record.pack_size, record.pool_units) == (2, 80)
    assert record.reserve_prices_minor == (10,) * 12
    assert [(award.site, award.bids_minor) for award in record.awards] == [("S2", (91,) * 12), ("S3", (50,) * 12)]


def test_who_sees_everything_reads_it_as_it_is() -> None:
    assert seen_by(WHOLE, EVERYTHING) == WHOLE


def test_what_lies_outside_a_readers_sites_is_left_out_and_counted() -> None:
    (round_,) = seen_by(WHOLE, NEAR).rounds
    masked, shared = round_.settlements
    assert round_.settlements_hidden == 1
    assert masked == a_settlement("S1", alias_of("VX-77"), "S2")
    assert [award.site for award in shared.awards] == ["S2"]
    assert (shared.claims_hidden, shared.price_minor, shared.pool_units) == (1, None, 16)


def test_an_llms_words_are_for_those_who_see_every_site_they_may_compare() -> None:
    advice = seen_by(WHOLE, NEAR).advice
    assert advice is not None
    assert [(each.site, each.pool.sku) for each in advice.arguments] == [("S2", alias_of("VX-77"))]


def test_a_pool_of_another_site_is_not_named_nor_counted() -> None:
    there = Record(
        rounds=(RoundRecord(round=1, plan=PLAN, contests=1, settlements=(a_settlement("FAR-9", "P1", "S2"),)),)
    )
    ((settled,),) = (round_.settlements for round_ in seen_by(there, NEAR).rounds)
    assert (settled.pool.site, settled.pool_units, settled.reserve_prices_minor) == (ELSEWHERE, None, ())
    assert settled.price_minor is None


def test_a_limit_at_a_site_that_is_not_theirs_is_not_told() -> None:
    near = CONCESSION.model_copy(update={"words": "Lend what S1 must keep of VX-77.", "changes": ("S1: +1 unit",)})
    record = WHOLE.model_copy(
        update={
            "concessions": (CONCESSION, near),
            "choice": Choice(by="rule", concessions=(CONCESSION.words, near.words)),
        }
    )
    seen = seen_by(record, NEAR)
    words = f"Lend what S1 must keep of {alias_of('VX-77')}."
    assert ([each.words for each in seen.concessions], seen.conflicts) == ([words], ())
    assert seen.choice is not None
    assert seen.choice.concessions == (words,)


def test_what_limits_cost_is_for_those_who_see_all_that_the_plan_was_made_of() -> None:
    plan, near = a_plan(), frozenset({"S1", "S2"})
    theirs = a_plan(request=PlanRequest().cut_to(near))
    assert [sees_whole(each, sites) for each, sites in ((plan, None), (plan, near), (theirs, near))] == [
        True,
        False,
        True,
    ]
    assert not sees_whole(theirs, frozenset({"S1"}))
    partly = seen_by(WHOLE, EVERYTHING, sees_whole=False)
    assert (partly.concessions, partly.conflicts, partly.choice) == ((), (), None)
    assert partly.rounds == WHOLE.rounds


def test_no_name_that_is_kept_from_a_reader_is_told() -> None:
    seen = seen_by(WHOLE, NEAR)
    told = seen.model_dump_json() + negotiation_words(seen, "USD") + json.dumps(told_to(NEAR))
    assert [secret for secret in ("VX-77", "Midnight", "FAR-9", "Harbour") if secret in told] == []
    assert alias_of("VX-77") in told


def told_to(names: Names) -> dict[str, Any]:
    return negotiation_answer(WHOLE.document(), names, "USD")


def test_an_answer_marks_what_a_language_model_said() -> None:
    answer = told_to(EVERYTHING)
    assert (answer["rounds"], answer["contested_pools"]) == (1, 3)
    assert answer["recommended"] == [CONCESSION.words]
    assert answer["arguments"][0] == {
        "said_by": "language model", "for_site": "S2", "sku": "VX-77", "pool_site": "S1",
        "words": "S2 claimed 20 units of S1.",
    }  # fmt: skip
    words = answer["words"]
    assert "P1 at S1, 16 units, was settled by market at 6.13 USD a pack: S2 claimed 20 and bid up to 9.00 USD" in words
    assert 'In the words of the language model, which decide nothing, for S2 on P1 at S1: "S2 claimed' in words
    assert "What followed: without 1 lines that break size." in words
    assert "2 of its sentences were left out" in words


def test_an_ignored_answer_is_said_to_be_ignored() -> None:
    advice = Advice(llm="scripted-1", given="cd" * 32, taken=False, ignored_because="it took too long")
    record = Record(
        rounds=WHOLE.rounds, concessions=(CONCESSION,), choice=Choice(by="rule", concessions=("x.",)), advice=advice
    )
    words = negotiation_words(record, "USD")
    assert words.endswith("The language model was asked; its answer was ignored because it took too long.")
    assert "By their value, these come before people first: x." in words


def test_without_a_record_there_was_nothing_to_negotiate() -> None:
    assert negotiation_answer({}, NEAR, "USD")["words"].startswith("There was nothing to negotiate")
