"""What a script can rely on: one JSON document and nothing else, and exit statuses that tell refusals from wrong usage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.cli.conftest import Office
from tests.shell import ROOT, free_port, without_ours

NOBODY = "00000000-0000-4000-8000-000000000000"
"""The id of nothing: the same on every run, because tests are named after it."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("queue",),
        ("orders",),
        ("verify",),
        ("show", "{plan}"),
        ("policy", "list"),
        ("policy", "show"),
    ],
    ids=" ".join,
)
def test_what_is_asked_with_json_is_one_document_and_silence_on_standard_error(
    shared_dock: Office, arguments: tuple[str, ...]
) -> None:
    said = shared_dock(*(each.format(plan=shared_dock.plan) for each in arguments), "--json")
    assert (said.status, said.err) == (0, "")
    assert said.document is not None


def test_a_refusal_with_json_is_a_document_with_a_code_on_standard_output(shared_office: Office) -> None:
    refused = shared_office("show", NOBODY, "--json")
    assert (refused.status, refused.err) == (1, "")
    assert set(refused.document) == {"error", "detail", "remedy", "where"}
    assert refused.document["error"] == "unknown_id"


def test_a_refusal_in_words_leaves_standard_output_empty(shared_office: Office) -> None:
    refused = shared_office("show", NOBODY)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("Refused (unknown_id): there is no plan, request or order")
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("juggle",),
        ("queue", "--juggle"),
        ("show",),
        ("decide", "no-uuid", "approve"),
        ("decide", NOBODY, "perhaps"),
        ("decide", NOBODY),
        ("orders", "--limit", "0"),
        ("receive", NOBODY, "--units", "-1"),
        ("policy", "activate", "2026-04"),
        ("kill-switch", "engage"),
        ("people", "add", "pia"),
        ("serve", "--port", "0"),
        ("demo", "--sites", "1"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_status_2_before_anything_is_opened(
    shared_office: Office, arguments: tuple[str, ...]
) -> None:
    said = shared_office.shell(*arguments, "--json", DATABASE_URL="postgresql://nobody.invalid/none")
    assert (said.status, said.out) == (2, "")
    assert "Usage" in said.err


@pytest.mark.parametrize("arguments", [("--help",), ("decide", "--help"), ("policy", "--help")], ids=" ".join)
def test_help_is_no_failure(shared_office: Office, arguments: tuple[str, ...]) -> None:
    said = shared_office(*arguments)
    assert said.status == 0
    assert "Usage" in said.out


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("EVENKEEL_PORT", "many", "settings"),
        ("DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:{port}/none", "database"),
        ("DATABASE_URL", "mysql://db.example/none", "database_url"),
        ("EVENKEEL_TOKEN", "evk_" + "x" * 43, "token"),
        ("EVENKEEL_TOKEN", "Bearer", "token"),
    ],
)
def test_what_is_wrong_around_a_command_is_a_refusal_too(
    shared_office: Office, variable: str, value: str, code: str
) -> None:
    refused = shared_office.shell("queue", "--json", **{variable: value.format(port=free_port())})
    assert (refused.status, refused.document["error"]) == (1, code)
    assert "hunter2" not in refused.out + refused.err


def test_without_redis_commands_still_work(shared_office: Office) -> None:
    token = shared_office.prepared.tokens["ada"]
    said = shared_office.shell("queue", "--json", token=token, REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    assert said.status == 0
    assert said.document


def test_a_reader_that_has_seen_enough_ends_a_command_without_a_stack_trace(tmp_path: Path) -> None:
    """As in `evenkeel generate … --json | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "generate", str(tmp_path / "net"), "--sites", "2", "--skus", "1", "--json"],
        cwd=ROOT, env=without_ours(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1
    assert (tmp_path / "net" / "stock.csv").exists()
