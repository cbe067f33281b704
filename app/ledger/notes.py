"""Checkpoints as signed notes (C2SP signed-note and tlog-checkpoint, Ed25519): what is kept outside of the database.

A note is text that people can read, mail and print:

    evenkeel.ledger
    1234                                            entries
    qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=    root over them
    made 2026-11-26T13:00:00+00:00
    previous 5f3c…                                  digest of the note before

    — evenkeel.ledger aXNzdWVk…
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.errors import InvalidError

ORIGIN = "evenkeel.ledger"
FIRST = "0" * 64
"""What stands for the note before the first one."""
_ED25519 = b"\x01"
_SIGNED_BY = "— "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The root over the first `size` events of the ledger."""

    size: int
    root: bytes
    made_at: datetime
    previous: str

    @property
    def text(self) -> str:
        """What is signed."""
        root = base64.b64encode(self.root).decode()
        return f"{ORIGIN}\n{self.size}\n{root}\nmade {self.made_at.isoformat()}\nprevious {self.previous}\n"

    @property
    def digest(self) -> str:
        """What the next one names as its predecessor."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class VerifierKey:
    """The public key of whoever signs checkpoints, in one line of text."""

    def __init__(self, public: bytes) -> None:
        self._public = public
        self._id = hashlib.sha256(f"{ORIGIN}\n".encode() + _ED25519 + public).digest()[:4]

    def __str__(self) -> str:
        """The key in one line, as its holders pass it on."""
        return f"{ORIGIN}+{self._id.hex()}+{base64.b64encode(_ED25519 + self._public).decode()}"

    @classmethod
    def parsed(cls, text: str) -> VerifierKey:
        """The key from its line. Raises InvalidError."""
        parts = text.strip().split("+", 2)
        try:
            raw = base64.b64decode(parts[2], validate=True)
        except (IndexError, binascii.Error):
            raw = b""
        key = cls(raw[1:])
        if len(raw) != 33 or str(key) != text.strip():
            raise InvalidError(
                "verifier_key", f"{text[:80]!r} is no verifier key", "give the line that `evenkeel checkpoint` prints"
            )
        return key

    def signature_line(self, signature: bytes) -> str:
        """A signature as it stands under a note."""
        return f"{_SIGNED_BY}{ORIGIN} {base64.b64encode(self._id + signature).decode()}\n"

    def opened(self, note: str) -> Checkpoint:
        """The checkpoint in a note. Raises InvalidError unless this key has signed exactly this text."""
        text, _, signatures = note.partition("\n\n")
        text += "\n"
        if not any(self._has_signed(text, line) for line in signatures.splitlines()):
            raise InvalidError(
                "checkpoint_signature", f"the checkpoint is not signed by {self}",
                "give the checkpoint as it was written, and the key of the installation that made it",
            )  # fmt: skip
        return _parsed(text)

    def _has_signed(self, text: str, line: str) -> bool:
        try:
            name, _, encoded = line.removeprefix(_SIGNED_BY).partition(" ")
            raw = base64.b64decode(encoded, validate=True)
            if name != ORIGIN or raw[:4] != self._id:
                return False
            Ed25519PublicKey.from_public_bytes(self._public).verify(raw[4:], text.encode())
        except (ValueError, InvalidSignature):
            return False
        return True


class Signer:
    """Signs checkpoints."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(self._private.public_key().public_bytes_raw())

    def note(self, checkpoint: Checkpoint) -> str:
        """The checkpoint with our signature."""
        signature = self._private.sign(checkpoint.text.encode())
        return f"{checkpoint.text}\n{self.verifier.signature_line(signature)}"


def notes_in(text: str) -> Iterator[str]:
    """The notes of a file, in order. What a crash has left half-written carries no signature and is no note."""
    body: list[str] = []
    signatures: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith(_SIGNED_BY):
            signatures.append(line)
            continue
        if signatures:
            yield "\n".join([*body, "", *signatures, ""])
            body, signatures = [], []
        if line == ORIGIN:
            body = []
        if line:
            body.append(line)


def _parsed(text: str) -> Checkpoint:
    try:
        origin, size, root, made, previous = text.splitlines()
        found = Checkpoint(
            int(size), base64.b64decode(root, validate=True), datetime.fromisoformat(made.removeprefix("made ")),
            previous.removeprefix("previous "),
        )  # fmt: skip
    except ValueError:
        found, origin = None, ""
    if found is None or origin != ORIGIN or found.text != text or len(found.root) != hashlib.sha256().digest_size:
        raise InvalidError("checkpoint", "this is no checkpoint of a ledger", "give the file as it was written")
    return found
