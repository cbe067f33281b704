"""Brings the files of a network folder in, from disk or from an upload, without following or trusting anything.

Only plain files with the names of the format are opened. Every other entry of the
folder is passed on by name and without content, so that the import can say that it
was ignored.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.network_folder import SIZE_LIMIT_BYTES, Fault, FaultCode, ImportFaults, content_fault
from tools.network_folder.columns import FILES
from tools.network_folder.csv_text import too_large
from tools.network_folder.faults import FaultList, printable, refusal

_CHUNK_BYTES = 1 << 20
_FILE_NAMES = tuple(file_format.name for file_format in FILES)
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""NONBLOCK: a pipe that takes the place of a file after we looked must not make us wait for its writer."""
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _RefusedError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def read_folder(path: Path, size_limit_bytes: int = SIZE_LIMIT_BYTES) -> dict[str, bytes] | ImportFaults:
    """The files of the folder at `path` by name, or why it cannot be read.

    The limit holds for each file, by its stated size and again while it is read.
    """
    try:
        with _opened_folder(path) as folder:
            return _files(folder, size_limit_bytes)
    except _RefusedError as refused:
        return refusal(refused.fault)


def read_upload(
    files: Mapping[str, bytes], size_limit_bytes: int = SIZE_LIMIT_BYTES
) -> dict[str, bytes] | ImportFaults:
    """Uploaded files by name, under the rules of `read_folder`. An archive is refused under any name."""
    faults = FaultList()
    for name, data in sorted(files.items()):
        fault = content_fault(name, data, size_limit_bytes)
        if fault is not None:
            faults.add(fault)
    if faults.counts:
        return faults.closed()
    return {name: data if name in _FILE_NAMES else b"" for name, data in files.items()}


@contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    """A descriptor of the folder. Files are opened relative to it, so it cannot be exchanged while we read."""
    name = printable(str(path))
    try:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise _RefusedError(Fault(FaultCode.SYMBOLIC_LINK, name, "the folder itself, not a link to it"))
        if not stat.S_ISDIR(kind):
            raise _RefusedError(_not_a_folder(path, kind))
        folder = os.open(path, _OPEN_FOLDER)
    except (FileNotFoundError, ValueError) as error:  # ValueError: a NUL in the path
        raise _RefusedError(Fault(FaultCode.FOLDER_MISSING, name, "the path of a folder")) from error
    except NotADirectoryError as error:
        raise _RefusedError(Fault(FaultCode.NOT_A_FOLDER, name, "the path of a folder")) from error
    except OSError as error:
        raise _RefusedError(_unreadable(name, error)) from error
    try:
        yield folder
    finally:
        os.close(folder)


def _not_a_folder(path: Path, kind: int) -> Fault:
    if stat.S_ISREG(kind):
        with os.fdopen(os.open(path, _OPEN_FILE), "rb") as file:
            archive = content_fault(str(path), file.read(8))
        if archive is not None:
            return Fault(FaultCode.ARCHIVE, printable(str(path)), "the folder that was packed; unpack it first")
    return Fault(FaultCode.NOT_A_FOLDER, printable(str(path)), f"a folder with {', '.join(_FILE_NAMES)}")


def _files(folder: int, size_limit_bytes: int) -> dict[str, bytes] | ImportFaults:
    faults = FaultList()
    files: dict[str, bytes] = {}
    for name in sorted(os.listdir(folder)):
        try:
            files[printable(name)] = _content(folder, name, size_limit_bytes) if name in _FILE_NAMES else b""
        except _RefusedError as refused:
            faults.add(refused.fault)
    return faults.closed() if faults.counts else files


def _content(folder: int, name: str, size_limit_bytes: int) -> bytes:
    try:
        _check_kind(name, os.stat(name, dir_fd=folder, follow_symlinks=False), size_limit_bytes)
        descriptor = os.open(name, _OPEN_FILE, dir_fd=folder)
        try:
            _check_kind(name, os.fstat(descriptor), size_limit_bytes)
            data = _read(descriptor, size_limit_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _RefusedError(_unreadable(name, error)) from error
    fault = content_fault(name, data, size_limit_bytes)
    if fault is not None:
        raise _RefusedError(fault)
    return data


def _check_kind(name: str, found: os.stat_result, size_limit_bytes: int) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _RefusedError(Fault(FaultCode.SYMBOLIC_LINK, name, "the file itself, not a link to it"))
    if not stat.S_ISREG(found.st_mode):
        raise _RefusedError(Fault(FaultCode.SPECIAL_FILE, name, "a plain file"))
    if found.st_size > size_limit_bytes:
        raise _RefusedError(too_large(name, found.st_size, size_limit_bytes))


def _read(descriptor: int, size_limit_bytes: int) -> bytes:
    """All bytes, or one more than the limit where the file has grown past it."""
    chunks: list[bytes] = []
    left = size_limit_bytes + 1
    while left > 0 and (chunk := os.read(descriptor, min(left, _CHUNK_BYTES))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _unreadable(name: str, error: OSError) -> Fault:
    return Fault(FaultCode.UNREADABLE_FILE, name, "a file that may be read", value=error.strerror)
