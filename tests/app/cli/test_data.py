"""`generate` and `import`: the same bytes for a seed, and a folder that is taken over as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.cli.conftest import Office
from tests.builders import a_folder
from tests.installation import a_network
from tests.shell import Shell
from tools.network_folder import write_network


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell without any database: `generate` needs none."""
    return Shell(monkeypatch, capsys, {})


def files_of(directory: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in directory.iterdir()}


def lay(directory: Path, files: dict[str, bytes]) -> Path:
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return directory


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(shell: Shell, tmp_path: Path) -> None:
    size = ("--sites", 3, "--skus", 5)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert shell("generate", tmp_path / name, *size, "--seed", seed).status == 0
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert files_of(tmp_path / "a") != files_of(tmp_path / "c")


def test_what_was_written_is_told(shell: Shell, tmp_path: Path) -> None:
    said = shell("generate", tmp_path / "new" / "net", "--sites", 3, "--skus", 5, "--json").document
    written = files_of(tmp_path / "new" / "net")
    assert said == {
        "directory": str(tmp_path / "new" / "net"),
        "files": {name: len(content) for name, content in written.items()},
    }
    assert {"sites.csv", "skus.csv", "stock.csv", "lanes.csv", "sales.csv"} <= set(written)


def test_merchandise_is_written_only_where_it_is_asked_for(shell: Shell, tmp_path: Path) -> None:
    size = ("--sites", 3, "--skus", 16)
    assert shell("generate", tmp_path / "plain", *size).status == 0
    assert shell("generate", tmp_path / "full", *size, "--merchandise").status == 0
    plain, full = files_of(tmp_path / "plain"), files_of(tmp_path / "full")
    assert full.items() >= plain.items()
    assert {"sets.csv", "lots.csv", "end_of_life.csv"} <= full.keys() - plain.keys()


def test_a_folder_that_is_not_empty_is_left_as_it_was(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    refused = shell("generate", tmp_path, "--sites", 3, "--skus", 5, "--json")
    assert (refused.status, refused.document["error"]) == (1, "not_empty")
    assert files_of(tmp_path) == {"mine.txt": b"mine"}


def test_a_folder_that_cannot_be_made_is_refused_in_words(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", tmp_path / "file" / "net"):
        refused = shell("generate", directory, "--sites", 3, "--skus", 5, "--json")
        assert (refused.status, refused.document["error"]) == (1, "directory")
        assert "cannot be written" in refused.document["detail"]


@pytest.mark.parametrize("instant", ["tomorrow", "2026-03-02", "2026-03-02T06:00:00"])
def test_an_instant_without_a_zone_is_refused(shell: Shell, tmp_path: Path, instant: str) -> None:
    refused = shell("generate", tmp_path / "net", "--as-of", instant, "--json")
    assert (refused.status, refused.document["error"]) == (1, "as_of")
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize(
    "arguments", [(), ("--sites", 1), ("--skus", 0), ("--seed", -1), ("--sites", "few"), ("--stores", 3)]
)
def test_a_size_out_of_bounds_is_wrong_usage(shell: Shell, tmp_path: Path, arguments: tuple[object, ...]) -> None:
    place = (tmp_path / "net",) if arguments else ()
    said = shell("generate", *place, *arguments)
    assert (said.status, said.out) == (2, "")
    assert not (tmp_path / "net").exists()


def test_a_folder_is_imported_once(office: Office, tmp_path: Path) -> None:
    network = lay(tmp_path / "net", write_network(a_network({("S1", "P1"): 60, ("S2", "P1"): 4})))
    first = office("import", network, "--pin", "--json").document
    assert first["new"] is True
    assert first["counts"]["sites"] == 2
    again = office("import", network, "--pin", "--json").document
    assert (again["new"], again["digest"]) == (False, first["digest"])
    assert office("import", network, "--pin").out.startswith("Known already, nothing changed")


def test_what_was_imported_is_told_in_words(office: Office, tmp_path: Path) -> None:
    said = office("import", lay(tmp_path / "net", write_network(a_network({("S1", "P1"): 60}))), "--pin").out
    assert said.startswith("Imported (")
    assert "1 sites" in said


def test_every_fault_is_listed_with_its_place_and_nothing_is_written(office: Office, tmp_path: Path) -> None:
    files = a_folder(
        stock="site_id,sku_id,on_hand,reserved,as_of\nS1,P1,many,0,2026-03-02T05:00:00Z\nS9,P1,1,0,2026-03-02T05:00:00Z\n"
    )
    network = lay(tmp_path / "net", files)
    refused = office("import", network, "--pin", "--json")
    assert (refused.status, refused.document["error"]) == (1, "import_refused")
    faults = {(fault["file"], fault["row"], fault["column"]) for fault in refused.document["faults"]}
    assert {("stock.csv", 2, "on_hand"), ("stock.csv", 3, "site_id")} <= faults
    assert all(fault["code"] and fault["expected"] for fault in refused.document["faults"])
    assert refused.document["faults_not_listed"] == 0

    words = office("import", network, "--pin")
    assert (words.status, words.out) == (1, "")
    assert words.err.startswith("Nothing was imported; the folder has ")
    assert "stock.csv" in words.err
    assert office("verify", "--json").document["verified"] is True


@pytest.mark.parametrize("name", ["none", "file"])
def test_a_folder_that_is_none_is_refused(shared_office: Office, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    refused = shared_office("import", tmp_path / name, "--json")
    assert (refused.status, refused.document["error"]) == (1, "import_refused")
    assert len(refused.document["faults"]) == 1


def test_importing_needs_the_role(shared_office: Office, tmp_path: Path) -> None:
    refused = shared_office("import", lay(tmp_path / "net", a_folder()), "--json", by="paula")
    assert (refused.status, refused.document["error"]) == (1, "role")
