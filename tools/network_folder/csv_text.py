"""From the bytes of a CSV file to its rows: UTF-8, RFC 4180 quoting, and the line each row begins on.

Accepted beyond RFC 4180: a byte order mark, LF or CR instead of CRLF, blank lines
(skipped), and a quote inside an unquoted cell (kept as a character).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from tools.network_folder.faults import Fault, FaultCode

SIZE_LIMIT_BYTES = 512 * 1024 * 1024
LINE_CHARACTERS_MAX = 1_000_000
CELL_CHARACTERS_MAX = 131_072
"""The csv module's own limit for a cell. It also ends the search for a closing quote that is not there."""

_ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"\x1f\x8b", b"7z\xbc\xaf", b"\xd0\xcf\x11\xe0")
"""ZIP (also xlsx and ods), its empty and spanned forms, gzip, 7z, and the old Office container."""


class UnreadableTextError(Exception):
    """The file cannot be read (further). Carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def content_fault(file: str, data: bytes, size_limit_bytes: int = SIZE_LIMIT_BYTES) -> Fault | None:
    """What is wrong with a file before its text is looked at: too large, or an archive in its place."""
    if len(data) > size_limit_bytes:
        return too_large(file, len(data), size_limit_bytes)
    if data.startswith(_ARCHIVE_STARTS):
        return Fault(FaultCode.ARCHIVE, file, "plain CSV text; unpack the archive or export the sheet as CSV UTF-8")
    return None


def too_large(file: str, size_bytes: int, limit_bytes: int) -> Fault:
    """The fault of a file over the size limit."""
    return Fault(FaultCode.FILE_TOO_LARGE, file, f"at most {limit_bytes:,} bytes", value=f"{size_bytes:,} bytes")


def numbered_rows(file: str, data: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file, each with the line it begins on. Blank lines are left out.

    Raises UnreadableTextError where the text cannot be read any further.
    """
    _check_characters(file, data)
    begins = 1
    reader = csv.reader(_lines(file, data), strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            expected = f"quotes as in RFC 4180, and at most {CELL_CHARACTERS_MAX:,} characters in a cell"
            raise UnreadableTextError(Fault(FaultCode.BAD_QUOTING, file, expected, row=begins)) from error
        if cells:
            yield begins, cells
        begins = reader.line_num + 1


def _check_characters(file: str, data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        found, at = f"0x{data[error.start]:02x}", error.start
        code, expected = FaultCode.BROKEN_UTF8, "UTF-8 text; export the file again as CSV UTF-8"
    else:
        found, at = "0x00", data.find(b"\0")
        code, expected = FaultCode.NUL_BYTE, "text without NUL bytes; export the file again as CSV UTF-8"
    if at >= 0:
        row = _lines_before(data, at) + 1
        raise UnreadableTextError(Fault(code, file, expected, row=row, value=f"{found} at byte {at}"))


def _lines_before(data: bytes, at: int) -> int:
    crlf = data.count(b"\r\n", 0, at)
    return data.count(b"\n", 0, at) + data.count(b"\r", 0, at) - crlf


def _lines(file: str, data: bytes) -> Iterator[str]:
    """Lines with their ends. Their length is limited, so that one endless line cannot fill the memory."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    number = 0
    while line := text.readline(LINE_CHARACTERS_MAX + 1):
        number += 1
        if len(line) > LINE_CHARACTERS_MAX:
            expected = f"at most {LINE_CHARACTERS_MAX:,} characters in a line"
            raise UnreadableTextError(Fault(FaultCode.ROW_TOO_LONG, file, expected, row=number))
        yield line
