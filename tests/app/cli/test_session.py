"""Without a token on an embedded database: a command runs as the shell, which may do everything but decide."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from tests.installation import a_network
from tests.shell import Shell
from tools.network_folder import write_network


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A data directory whose servers run already, so that commands only join them."""
    root = Path(tempfile.mkdtemp(prefix="evenkeel-shell-"))
    root.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root)
        for server in (EmbeddedPostgres(root / "data"), EmbeddedValkey(root / "data")):
            stack.callback(server.leave)
            server.enter()
        network = root / "network"
        network.mkdir()
        for name, content in write_network(a_network()).items():
            (network / name).write_bytes(content)
        yield root


@pytest.fixture
def shell(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys, {"EVENKEEL_DATA": str(home / "data"), "EVENKEEL_ERP_RETRY_SECONDS": "0.02"})


def test_the_whole_job_is_done_at_the_shell_except_for_the_decision(shell: Shell, home: Path) -> None:
    assert shell("import", home / "network", "--pin").status == 0
    assert shell("scan").status == 0
    (request,) = shell("queue", "--json").document
    assert request["requested_by"] == "shell"

    refused = shell("decide", request["approval_id"], "approve", "--json")
    assert (refused.status, refused.document["error"]) == (1, "role")
    added = shell("people", "add", "ada", "--role", "approver", "--sensitive", "--json")
    decided = shell("decide", request["approval_id"], "approve", "--json", token=added.document["token"]).document
    assert (decided["decided_by"], decided["orders"]) == ("ada", {"shipped": request["lines"]})

    for order in shell("orders", "--json").document:
        assert shell("receive", order["transfer_id"], "--json").document["state"] == "closed"
    assert shell("verify", "--json").document["verified"] is True


def test_the_shell_may_stop_everything_and_go_on(shell: Shell) -> None:
    assert shell("kill-switch", "engage", "--reason", "a drill", "--json").document["kill_switch_by"] == "shell"
    assert shell("kill-switch", "release", "--reason", "it was a drill", "--json").document["kill_switch"] is False


def test_a_wrong_token_is_not_taken_for_none(shell: Shell) -> None:
    refused = shell("queue", "--json", token="evk_" + "0" * 43)
    assert (refused.status, refused.document["error"]) == (1, "token")
