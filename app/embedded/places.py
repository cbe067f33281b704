"""Where embedded servers keep data and sockets.

A Unix socket's path may have about 100 bytes, and a server's command line takes
none with spaces, so sockets live in a short directory of their own that only this
user can enter; its name follows from the data directory.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from app.errors import SetUpError

_SHORT = Path("/tmp")  # noqa: S108  not TMPDIR: every process on the data directory must find the same place


def data_directory(root: Path) -> Path:
    """The data directory, made if needed. Raises SetUpError where it cannot be."""
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o755)
    except OSError as refused:
        raise SetUpError(
            "data_directory", f"the data directory {root} cannot be made: {refused.strerror}",
            "set EVENKEEL_DATA to a directory that you may write",
        ) from refused  # fmt: skip
    if not os.access(root, os.W_OK | os.X_OK):
        raise SetUpError(
            "data_directory", f"the data directory {root} belongs to somebody else",
            "start Evenkeel as the user who made it, or set EVENKEEL_DATA to a directory that you may write",
        )  # fmt: skip
    return root


def socket_directory(root: Path, server: str, owner_uid: int | None = None) -> Path:
    """A short private directory for the socket of one server of a data directory.

    Raises SetUpError when something of that name belongs to somebody else.
    """
    uid = os.getuid() if owner_uid is None else owner_uid
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
    place = _SHORT / f"evenkeel-{uid}-{name}-{server}"
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
    found = place.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() != uid:
        # Only what we made: the name can be guessed, and root must not give away what a link points at.
        os.chown(place, uid, -1, follow_symlinks=False)
        found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise SetUpError(
            "socket_directory", f"{place} is not a private directory of user {uid}",
            "remove it",
        )  # fmt: skip
    return place
