"""The judge finds what must never happen: every grader speaks when its never-event is staged, and is silent otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.plans.store import store_plan
from evals.databases import Servers
from evals.graders import never_events, oracle_share
from evals.networks import SHORTAGE_BESIDE_SURPLUS, network
from evals.report import Report, closing, details, row
from evals.runner import play
from evals.scenario import Expectation, Scenario, Verdict
from evals.scenarios import SCENARIOS
from evals.stage import Stage, open_stage
from policies.library import released
from tools.execution import OrderState
from tools.transfers import TransferPlan


def nothing(_: Stage) -> Iterator[Expectation]:
    """A play in which nothing is expected."""
    yield from ()


@pytest.fixture
def stage(servers: Servers, tmp_path: Path) -> Iterator[Stage]:
    """A stage on which a plan was approved, posted, shipped and received."""
    with open_stage(servers, tmp_path, Scenario(nothing)) as stage:
        stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
        stage.scan()
        request = stage.next_request()
        stage.approve(request)
        stage.service.resume_thread(request.approval_id)
        for order in stage.orders():
            stage.service.post(order.transfer_id)
            stage.service.look(order.transfer_id)
        stage.receive_all()
        yield stage


def tampered(stage: Stage, *statements: str) -> str:
    """What the graders say after somebody has changed the database behind the service's back."""
    with stage.service.database.engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))
    return " | ".join(never_events(stage))


def in_body(event: str, old: str, new: str) -> str:
    """A statement that changes the bodies of one type of event."""
    return (
        f"update ledger_event set body = convert_to(replace(convert_from(body, 'UTF8'), '{old}', '{new}'), 'UTF8')"
        f" where type = '{event}'"
    )


def test_a_sound_run_has_no_never_events(stage: Stage) -> None:
    assert never_events(stage) == ()
    assert {order.state for order in stage.orders()} == {OrderState.CLOSED}
    assert 0.995 <= oracle_share(stage) <= 1.0 + 1e-6  # plans are solved to a gap of 0.5 %


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (("update balance set units = units + 1 where place = 'site/S2/available'",), "does not fit: balance"),
        (("delete from ledger_event where type = 'plan_approved'",), "reserved without a decision"),
        ((in_body("plan_approved", '"actor":"ada"', '"actor":"paula"'),), "approved by paula, an author"),
        ((in_body("approval_requested", '"expires_at":"2', '"expires_at":"1'),), "after its request had expired"),
        ((in_body("transfer_reserved", '"plan":"', '"plan":"0'),), "another plan than the one decided on"),
        (("delete from ledger_event where type = 'transfer_reserved'",), "posted without a reservation"),
        (("delete from ledger_event where type = 'transfer_posted'",), "the ERP has it, the ledger does not"),
        (("update transfer_order set units = units + 1, received_units = 0, lost_units = 0 where line_no = 1",),
         "is not line 1 of its plan"),
        (("delete from receipt", "delete from transfer_order where line_no = 2"), "has 2 lines and 1 orders"),
        (("update transfer_order set reserved = true",), "is closed and still reserved"),
    ],
)  # fmt: skip
def test_each_grader_speaks_when_its_never_event_has_happened(
    stage: Stage, statements: tuple[str, ...], words: str
) -> None:
    assert words in tampered(stage, *statements)


def test_a_second_effect_in_the_erp_is_found(stage: Stage) -> None:
    order = stage.orders()[0]
    with stage.erp._open() as connection:
        connection.execute(
            "insert into transfer (reference, sku_id, origin, destination, units, ships_after, changed_at)"
            " select reference, sku_id, origin, destination, units, ships_after, changed_at from transfer"
            " where reference = ?",
            (str(order.transfer_id),),
        )
    assert "took effect 2 times" in " | ".join(never_events(stage))


def test_a_posting_that_the_erp_does_not_have_is_found(stage: Stage) -> None:
    with stage.erp._open() as connection:
        connection.execute("delete from transfer")
    assert "the ledger has it, the ERP does not" in " | ".join(never_events(stage))


def test_a_plan_that_its_policy_did_not_permit_is_found(stage: Stage) -> None:
    """The same plan with one false figure would not have passed the checker, whoever approved it."""
    plan = stage.plan(stage.orders()[0].plan_digest)
    document = plan.model_dump(mode="json") | {"policy_digest": released("2026-04").digest}
    document["lines"][0]["goods_value_minor"] = 1
    forged = TransferPlan.model_validate_json(json.dumps(document))
    with stage.service.database.transaction() as session:
        store_plan(session, forged)
    said = tampered(stage, in_body("plan_approved", plan.digest, forged.digest))
    assert f"plan {forged.digest[:12]} was approved although" in said


def test_what_happens_under_the_kill_switch_is_found(stage: Stage) -> None:
    body = '{"type":"kill_switch_engaged","at":"2000-01-01T00:00:00+00:00","facts":{}}'
    said = tampered(
        stage,
        "insert into ledger_event values ('governance', 99, 'forged', 'kill_switch_engaged', '2000-01-01',"
        f" convert_to($body${body}$body$, 'UTF8'), decode('00', 'hex'), decode('00', 'hex'))",
    )
    assert "transfer_requested while the kill switch was engaged" in said


def test_a_play_that_breaks_off_or_expects_in_vain_closes_the_gate(servers: Servers) -> None:
    def breaks_off(_: Stage) -> Iterator[Expectation]:
        """Breaks off."""
        yield Expectation("the first thing", held=True)
        raise RuntimeError("the script is torn")

    def in_vain(_: Stage) -> Iterator[Expectation]:
        """Expects in vain."""
        yield Expectation("pigs fly", held=False)

    verdicts = list(play(servers, [Scenario(breaks_off), Scenario(in_vain), Scenario(nothing)], trials=1))
    assert [verdict.passed for verdict in verdicts] == [False, False, False]
    assert "the script is torn" in verdicts[0].broken[0]
    report = Report(tuple(verdicts))
    assert not report.passed
    assert report.to_document()["passed"] is False
    assert "CLOSED" in closing(verdicts, report)
    assert "expected and not so: pigs fly" in "\n".join(details(verdicts[1]))
    assert row(verdicts[1]).startswith("FAIL")


def a_verdict(**changes: object) -> Verdict:
    given: dict[str, object] = {
        "scenario": "one", "about": "One.", "trial": 1, "held": 1, "broken": (), "never": (), "posted": 1, "events": 9,
        "oracle_share": 1.0, "seconds": 0.1,
    }  # fmt: skip
    return Verdict(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "passed"),
    [
        ((a_verdict(),), True),
        ((), False),
        ((a_verdict(), a_verdict(broken=("x",))), False),
        ((a_verdict(), a_verdict(never=("x",))), False),
        ((a_verdict(oracle_share=0.9),), False),
        ((a_verdict(oracle_share=None),), True),
    ],
)
def test_the_gate_opens_only_when_everything_passed_and_plans_are_near_the_optimum(
    verdicts: tuple[Verdict, ...], passed: bool
) -> None:
    assert Report(verdicts).passed is passed


def test_there_are_scenarios_enough_and_each_says_what_it_shows() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names)) >= 8
    assert all(scenario.about.endswith(".") and len(scenario.about) > 40 for scenario in SCENARIOS)
