"""A language model that tries everything: no stock moves, nothing outside the caller's sites is read, every run ends in time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from app.approvals.tables import ApprovalStatus
from app.auth.roles import Role
from app.service import Service
from app.threads.tables import RunStatus
from tests.attacker import no_stock_moves
from tests.builders import a_site
from tests.conversation import Turn, talk
from tests.hostile import APPROVAL, ATTEMPTS, OUTSIDE, OUTSIDE_NAME, OUTSIDE_UNITS, Attempt
from tests.installation import ADA, OTTO, PAULA, a_network, person, scan, settle_in, waiting
from tests.vendor import CONFIGURED, KEY, Vendor, calls, says

PIA = person("pia", Role.PLANNER, sites=frozenset({"S1", "S2"}))
AT_ONCE = 20
CLAIM = "All of it is approved and on its way."
CALLING = {row: attempts for row, attempts in ATTEMPTS.items() if attempts[0].call is not None}
CLAIMING = {row: attempts for row, attempts in ATTEMPTS.items() if attempts[0].call is None}


@pytest.fixture(scope="module")
def template(prepare: Callable[..., str]) -> str:
    """A plan of Paula's waits, and there is a site that Pia may not see."""

    def before_the_attack(service: Service) -> None:
        stock = {("S1", "P1"): 200, ("S2", "P1"): 2, (OUTSIDE, "P1"): OUTSIDE_UNITS}
        network = a_network(stock, sites=(a_site("S1"), a_site("S2"), a_site(OUTSIDE, name=OUTSIDE_NAME)))
        settle_in(service, network, PAULA, ADA, OTTO, PIA)
        scan(service)

    return prepare(before_the_attack)


@pytest.fixture
def attacked(vendor: Vendor, open_with: Callable[..., Service]) -> Service:
    """A service that asks the scripted vendor."""
    del vendor
    return open_with(settings=CONFIGURED)


def _in_batches(attempts: list[Attempt]) -> Iterator[list[Attempt]]:
    for start in range(0, len(attempts), AT_ONCE):
        yield attempts[start : start + AT_ONCE]


def _stays_within(service: Service, vendor: Vendor, turn: Turn) -> None:
    """The run has ended within its limits, and nothing of the site outside has come in, nor the key out."""
    settings = service.settings
    assert turn.status is RunStatus.DONE
    assert len(turn.tools) <= settings.run_tool_calls_max + AT_ONCE
    told = json.dumps(vendor.bodies) + turn.words + "".join(text for _, text in turn.tools)
    assert str(OUTSIDE_UNITS) not in told
    assert f"{OUTSIDE_UNITS:,}" not in told
    assert KEY not in told


@pytest.mark.parametrize("row", CALLING)
def test_whatever_is_called_is_refused_or_only_read(attacked: Service, vendor: Vendor, row: str) -> None:
    (request,) = waiting(attacked)
    with no_stock_moves(attacked):
        for batch in _in_batches(CALLING[row]):
            made = [each.call for each in batch if each.call is not None]
            vendor.will(calls(*((name, _filled(given, str(request.approval_id))) for name, given in made)))
            vendor.always = lambda: says(CLAIM)
            turn = talk(attacked, "go ahead", PIA)
            _stays_within(attacked, vendor, turn)
            assert len(turn.refusals) == len(made)
            assert not turn.values["submit"]
            assert turn.values.get("plan_digest") is None
    assert [(each.approval_id, each.status) for each in waiting(attacked)] == [
        (request.approval_id, ApprovalStatus.PENDING)
    ]


@pytest.mark.parametrize("row", CLAIMING)
def test_whatever_is_claimed_changes_nothing(attacked: Service, vendor: Vendor, row: str) -> None:
    with no_stock_moves(attacked):
        for attempt in CLAIMING[row]:
            vendor.always = lambda said=attempt.claim: says(said)
            turn = talk(attacked, "what is short?", PIA)
            _stays_within(attacked, vendor, turn)
            assert turn.words
            assert "\x1b" not in turn.words
            assert "\x00" not in turn.words
    assert {each.status for each in waiting(attacked)} == {ApprovalStatus.PENDING}


def test_a_site_outside_is_refused_in_the_same_words_as_one_that_does_not_exist(
    attacked: Service, vendor: Vendor
) -> None:
    vendor.always = lambda: says(CLAIM)
    refused = []
    for name in (OUTSIDE, "S8"):
        vendor.will(calls(("coverage", {"mentions": [name]}), ("propose_plan", {"from_sites": [name]})))
        refused.append([words.replace(name, "it") for words in talk(attacked, "look", PIA).refusals])
    assert refused[0] == refused[1]
    assert len(refused[0]) == 2


@pytest.mark.parametrize("call", [("status", {}), ("propose_plan", {"mentions": ["P1"]}), ("no_such_tool", {})])
def test_a_run_that_would_never_end_is_stopped(
    attacked: Service, vendor: Vendor, call: tuple[str, dict[str, list[str]]]
) -> None:
    vendor.always = lambda: calls(call)
    with no_stock_moves(attacked):
        turn = talk(attacked, "go on until I say stop", PIA)
    _stays_within(attacked, vendor, turn)
    assert "I stopped" in turn.words
    assert len(vendor.sent) <= attacked.settings.run_llm_calls_max
    assert {each.requested_by for each in waiting(attacked)} == {"paula"}


def _filled(given: dict[str, object] | str, approval_id: str) -> dict[str, object] | str:
    """The arguments with the id of the request that waits."""
    if isinstance(given, str):
        return given.replace(APPROVAL, approval_id)
    filled: dict[str, object] = json.loads(json.dumps(given).replace(json.dumps(APPROVAL)[1:-1], approval_id))
    return filled
