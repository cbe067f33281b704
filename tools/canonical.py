"""One byte form for every document whose digest matters.

The form follows RFC 8785 (JSON Canonicalization Scheme) with two restrictions
that make it exact on every machine: numbers are integers, and text is NFC.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence

_HOLDS = "str, int, bool, None, list, tuple or a mapping with text keys"


class NotCanonicalError(ValueError):
    """A value that has no canonical form: a float, an odd type, or broken text."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where or 'the document'}: {what}; a canonical document holds {_HOLDS}")
        self.where = where


def canonical_json(document: object) -> bytes:
    """The canonical UTF-8 bytes of `document`.

    Raises NotCanonicalError for floats, NaN, lone surrogates and foreign types.
    """
    return json.dumps(_normalised(document, ""), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def digest(document: object) -> str:
    """SHA-256 of the canonical bytes, as 64 lowercase hex characters."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def _normalised(value: object, where: str) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        keyed: dict[str, object] = {}
        for key, inner in value.items():
            if not isinstance(key, str):
                raise NotCanonicalError(where, f"the key {key!r} is not text")
            keyed[_text(key, where)] = _normalised(inner, f"{where}.{key}")
        if len(keyed) != len(value):
            raise NotCanonicalError(where, "two keys have the same NFC form")
        return dict(sorted(keyed.items(), key=_in_utf16))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_normalised(inner, f"{where}[{index}]") for index, inner in enumerate(value)]
    raise NotCanonicalError(where, f"{type(value).__name__} {value!r}")


def _in_utf16(item: tuple[str, object]) -> bytes:
    """RFC 8785, sec. 3.2.3: keys are ordered by their UTF-16 code units, not by their code points."""
    return item[0].encode("utf-16-be")


def _text(value: str, where: str) -> str:
    text = unicodedata.normalize("NFC", value)
    try:
        text.encode()
    except UnicodeEncodeError as broken:
        raise NotCanonicalError(where, f"text with a lone surrogate at position {broken.start}") from broken
    return text
