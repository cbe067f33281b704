"""A folder is read from disk without following links, waiting on pipes or filling the memory."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from app.stock.folder import read_folder, read_upload
from tests.builders import NOW, a_folder
from tools.network_folder import Fault, FaultCode, ImportFaults, NetworkFolder, read_network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "network"
    path.mkdir()
    for name, data in a_folder().items():
        (path / name).write_bytes(data)
    return path


def only_fault(files: dict[str, bytes] | ImportFaults) -> Fault:
    assert isinstance(files, ImportFaults)
    assert files.total == 1
    return files.faults[0]


def test_the_files_of_a_folder_come_in_by_name(folder: Path):
    assert read_folder(folder) == a_folder()


def test_other_entries_are_named_and_not_read(folder: Path):
    (folder / "notes.txt").write_text("secret")
    (folder / "old").mkdir()
    (folder / "link.csv").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    files = read_folder(folder)
    assert files == a_folder() | {"notes.txt": b"", "old": b"", "link.csv": b"", "pipe": b""}
    network = read_network(files, NOW, timedelta(days=1))
    assert isinstance(network, NetworkFolder)
    assert [notice.file for notice in network.warnings] == ["link.csv", "notes.txt", "old", "pipe"]


def test_a_file_name_that_is_not_text_is_named_printably(folder: Path):
    (folder / os.fsdecode(b"bad\xff\n.csv")).write_text("")
    files = read_folder(folder)
    assert isinstance(files, dict)
    assert "bad��.csv" in files


def test_a_folder_that_is_not_there_is_refused(folder: Path):
    fault = only_fault(read_folder(folder / "none"))
    assert (fault.code, fault.file) == (FaultCode.FOLDER_MISSING, str(folder / "none"))
    assert only_fault(read_folder(Path("a\0b"))).code is FaultCode.FOLDER_MISSING


def test_a_file_in_place_of_the_folder_is_refused(folder: Path):
    assert only_fault(read_folder(folder / "sites.csv")).code is FaultCode.NOT_A_FOLDER
    assert only_fault(read_folder(folder / "sites.csv" / "deeper")).code is FaultCode.NOT_A_FOLDER
    os.mkfifo(folder / "pipe")
    assert only_fault(read_folder(folder / "pipe")).code is FaultCode.NOT_A_FOLDER
    assert only_fault(read_folder(Path("/dev/null"))).code is FaultCode.NOT_A_FOLDER


def test_an_archive_in_place_of_the_folder_is_refused_with_the_advice_to_unpack_it(tmp_path: Path):
    archive = tmp_path / "network.zip"
    archive.write_bytes(b"PK\x03\x04 and so on")
    fault = only_fault(read_folder(archive))
    assert (fault.code, fault.file) == (FaultCode.ARCHIVE, str(archive))
    assert "unpack" in fault.expected


def test_a_link_in_place_of_the_folder_is_refused(folder: Path, tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(folder, target_is_directory=True)
    fault = only_fault(read_folder(link))
    assert (fault.code, fault.file) == (FaultCode.SYMBOLIC_LINK, str(link))


def test_a_path_the_system_refuses_is_a_fault(folder: Path):
    fault = only_fault(read_folder(folder / ("x" * 300)))
    assert (fault.code, fault.value) == (FaultCode.UNREADABLE_FILE, "File name too long")


def replaced(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder / name


def test_a_link_in_place_of_a_file_is_refused(folder: Path, tmp_path: Path):
    (tmp_path / "elsewhere.csv").write_bytes(a_folder()["sites.csv"])
    replaced(folder, "sites.csv").symlink_to(tmp_path / "elsewhere.csv")
    fault = only_fault(read_folder(folder))
    assert (fault.code, fault.file) == (FaultCode.SYMBOLIC_LINK, "sites.csv")


def test_a_dangling_link_in_place_of_a_file_is_refused(folder: Path):
    replaced(folder, "inbound.csv").symlink_to("nowhere")
    assert only_fault(read_folder(folder)).code is FaultCode.SYMBOLIC_LINK


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_a_file_is_refused_without_waiting_for_it(folder: Path):
    os.mkfifo(replaced(folder, "sales.csv"))
    fault = only_fault(read_folder(folder))
    assert (fault.code, fault.file) == (FaultCode.SPECIAL_FILE, "sales.csv")


def test_a_folder_in_place_of_a_file_is_refused(folder: Path):
    replaced(folder, "stock.csv").mkdir()
    fault = only_fault(read_folder(folder))
    assert (fault.code, fault.file) == (FaultCode.SPECIAL_FILE, "stock.csv")


def test_an_archive_in_place_of_a_file_is_refused(folder: Path):
    (folder / "sites.csv").write_bytes(b"PK\x03\x04 and so on")
    fault = only_fault(read_folder(folder))
    assert (fault.code, fault.file) == (FaultCode.ARCHIVE, "sites.csv")


def test_a_file_over_the_limit_is_refused_by_its_stated_size(folder: Path):
    with (folder / "sales.csv").open("wb") as sparse:
        sparse.truncate(1 << 40)  # a hole of a terabyte: reading it would not end
    fault = only_fault(read_folder(folder))
    assert (fault.code, fault.file, fault.value) == (FaultCode.FILE_TOO_LARGE, "sales.csv", f"{1 << 40:,} bytes")


def test_a_file_as_large_as_the_limit_is_read(folder: Path):
    largest = max(map(len, a_folder().values()))
    assert read_folder(folder, size_limit_bytes=largest) == a_folder()
    assert only_fault(read_folder(folder, size_limit_bytes=largest - 1)).code is FaultCode.FILE_TOO_LARGE


def test_a_file_that_states_no_size_is_still_limited_while_it_is_read(tmp_path: Path):
    """Files of the proc filesystem say that they are empty and hold text all the same."""
    status = Path("/proc/self/status")
    if not status.exists() or status.stat().st_size:
        pytest.skip("needs a proc filesystem, whose files state no size")
    folder = os.open("/proc/self", os.O_RDONLY)
    try:
        from app.stock import folder as module  # noqa: PLC0415 - the private part, for this one race

        with pytest.raises(module._RefusedError, match="too large"):
            module._content(folder, "status", 10)
        assert module._content(folder, "status", 1 << 20).startswith(b"Name:")
    finally:
        os.close(folder)


@pytest.mark.timeout(20)
def test_a_pipe_that_takes_the_place_of_a_file_after_the_look_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The entry is exchanged between the look at its kind and its opening."""
    target = folder / "sales.csv"
    look = os.stat

    def look_and_exchange(name, **options):
        found = look(name, **options)
        if name == "sales.csv":
            target.unlink()
            os.mkfifo(target)
        return found

    monkeypatch.setattr(os, "stat", look_and_exchange)
    files = read_folder(folder)
    monkeypatch.undo()
    assert only_fault(files).code is FaultCode.SPECIAL_FILE


def test_a_link_that_takes_the_place_of_a_file_after_the_look_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    target = folder / "sales.csv"
    look = os.stat

    def look_and_exchange(name, **options):
        found = look(name, **options)
        if name == "sales.csv":
            target.unlink()
            target.symlink_to("/etc/passwd")
        return found

    monkeypatch.setattr(os, "stat", look_and_exchange)
    files = read_folder(folder)
    monkeypatch.undo()
    assert only_fault(files).code is FaultCode.UNREADABLE_FILE


def test_every_refused_file_is_listed(folder: Path):
    replaced(folder, "sites.csv").symlink_to("nowhere")
    replaced(folder, "skus.csv").mkdir()
    (folder / "stock.csv").write_bytes(b"PK\x05\x06")
    files = read_folder(folder)
    assert isinstance(files, ImportFaults)
    assert [(fault.file, fault.code) for fault in files.faults] == [
        ("sites.csv", FaultCode.SYMBOLIC_LINK),
        ("skus.csv", FaultCode.SPECIAL_FILE),
        ("stock.csv", FaultCode.ARCHIVE),
    ]


def test_reading_many_folders_leaves_no_file_open(folder: Path):
    opened = Path("/dev/fd")
    before = len(list(opened.iterdir()))
    for _ in range(50):
        read_folder(folder)
        read_folder(folder / "none")
        read_folder(folder, size_limit_bytes=1)
    assert len(list(opened.iterdir())) <= before + 5


def test_an_upload_is_taken_under_the_same_rules():
    files = a_folder() | {"notes.txt": b"anything"}
    assert read_upload(files) == a_folder() | {"notes.txt": b""}


@pytest.mark.parametrize("name", ["sites.csv", "network.zip"])
def test_an_uploaded_archive_is_refused_under_any_name(name: str):
    fault = only_fault(read_upload(a_folder() | {name: b"PK\x03\x04 and so on"}))
    assert (fault.code, fault.file) == (FaultCode.ARCHIVE, name)


def test_an_upload_over_the_limit_is_refused():
    fault = only_fault(read_upload({"sales.csv": b"12345678"}, size_limit_bytes=7))
    assert (fault.code, fault.value) == (FaultCode.FILE_TOO_LARGE, "8 bytes")
