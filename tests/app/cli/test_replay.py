"""`replay`: a plan made again comes out byte-equal, or the command says where not."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.approvals.edits import edit
from app.plans.store import read_plan
from app.service import Service
from tests.app.cli.conftest import Office
from tests.installation import ADA
from tools.canonical import canonical_json
from tools.transfers import TransferPlan


def test_a_plan_made_again_is_byte_equal(shared_office: Office) -> None:
    said = shared_office("replay", shared_office.plan, "--json")
    assert said.status == 0, said.err
    found = said.document
    assert (found["byte_equal"], found["made"], found["differences"]) == (True, shared_office.plan, [])
    assert found["provenance"]["llm"] is None
    words = shared_office("replay", shared_office.plan[:8])
    assert words.out.startswith(f"Plan {shared_office.plan} comes out byte-equal.\nIt was asked for without any")


def forged(service: Service, digest: str, **changes: object) -> TransferPlan:
    """The plan with something changed, stored as if it had been made so."""
    with service.database.transaction() as session:
        plan = read_plan(session, digest)
        other = TransferPlan.model_validate_json(plan.model_copy(update=changes).model_dump_json())
        row = {"digest": other.digest, "body": canonical_json(other.model_dump(mode="json")), "old": digest}
        session.connection().execute(
            text(
                "insert into plan (digest, snapshot_digest, policy_digest, planned_at, body)"
                " select :digest, snapshot_digest, policy_digest, planned_at, :body from plan where digest = :old"
            ),
            row,
        )
    return other


def test_a_plan_that_no_solver_would_make_is_shown_where_it_differs(office: Office) -> None:
    with office.service() as service, service.database.transaction() as session:
        line = read_plan(session, office.plan).lines[0]
    with office.service() as service:
        lines = (line.model_copy(update={"units": line.units + 1}),)
        with service.database.transaction() as session:
            rest = read_plan(session, office.plan).lines[1:]
        other = forged(service, office.plan, lines=(*lines, *rest))
    said = office("replay", other.digest, "--json")
    assert said.status == 1
    assert said.document["byte_equal"] is False
    assert said.document["made"] == office.plan
    assert said.document["differences"] == [{"where": "lines[0].units", "stored": line.units + 1, "made": line.units}]
    assert said.document["provenance"] is None
    assert "lines[0].units" in office("replay", other.digest).out


def test_an_edited_plan_is_evaluated_again(office: Office) -> None:
    with office.service() as service, service.database.transaction() as session:
        line = read_plan(session, office.plan).lines[0]
        edited = edit(session, ADA, office.request, office.plan, {line.line_no: line.packs - 1})
        digest = edited.successor.plan_digest
    assert office("replay", digest, "--json").document["byte_equal"] is True


@pytest.mark.parametrize("name", ["00000000", "0" * 64, "%%%%%%%%", "54"])
def test_a_plan_that_there_is_none_of_is_refused(shared_office: Office, name: str) -> None:
    refused = shared_office("replay", name, "--json")
    assert (refused.status, refused.document["error"]) == (1, "unknown_plan")


def test_a_replay_needs_somebody_who_sees_everything(shared_office: Office) -> None:
    refused = shared_office("replay", shared_office.plan, "--json", by="vera")
    assert (refused.status, refused.document["error"]) == (1, "scope")


def test_what_a_plan_is_put_down_to_is_shown_with_it(shared_office: Office) -> None:
    shown = shared_office("show", shared_office.plan, "--json").document["provenance"]
    assert (shown["llm"], shown["solver_versions"]) == (None, shown["solver_versions"])
    assert shown["solver_versions"]
    assert "asked for without any language model; solved by" in shared_office("show", shared_office.plan).out
