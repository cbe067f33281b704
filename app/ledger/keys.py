"""The two keys of an installation: one signs checkpoints, the other wraps the keys of sealed fields."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from pydantic import SecretStr
from structlog import get_logger

from app.errors import SetUpError
from app.ledger.notes import Signer
from app.settings import Settings

KEY_BYTES = 32
_log = get_logger(__name__)


def signer(settings: Settings) -> Signer:
    """Who signs checkpoints here. Raises SetUpError for a key that makes no sense."""
    return Signer(_key(settings, settings.signing_key, "signing.key", "EVENKEEL_SIGNING_KEY"))


def master_key(settings: Settings) -> bytes:
    """The key that wraps all others. Raises SetUpError for one that makes no sense."""
    return _key(settings, settings.master_key, "master.key", "EVENKEEL_MASTER_KEY")


def _key(settings: Settings, given: SecretStr | None, name: str, variable: str) -> bytes:
    path = settings.data_dir / name
    if given is not None:
        text, source = given.get_secret_value(), variable
    else:
        _make_unless_there(path)
        text, source = path.read_text(encoding="ascii", errors="replace"), str(path)
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SetUpError("key", f"{source} holds no key", f"give {KEY_BYTES} random bytes in base64", variable=variable)
    return key


def _make_unless_there(path: Path) -> None:
    """A new key that only we may read. Processes that start together keep the one of whoever was first.

    It is written beside its place and linked into it, so nobody ever reads half a key.
    """
    if path.exists():
        if path.stat().st_mode & 0o077:
            raise SetUpError("key_open", f"others may read the key in {path}", f"chmod 600 {path}, or make a new one")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
        _log.info("key_made", path=str(path))
    except FileExistsError:
        _log.info("key_there_already", path=str(path))
    finally:
        fresh.unlink()
