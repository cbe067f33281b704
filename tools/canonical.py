"""One byte form for every document whose digest matters.

The form follows RFC 8785 (JSON Canonicalization Scheme) with two restrictions
that make it exact on every machine: numbers are integers, and text is NFC.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

_SCALARS: frozenset[type] = frozenset((str, int, bool, type(None)))
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
    return _plain_json(document) or _written(_normalised(document, "")).encode()


def _written(document: object) -> str:
    return json.dumps(_normalised(document, ""), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _plain_json(document: object) -> bytes | None:
    """The canonical bytes of a document that holds nothing to normalise; None where somebody has to look closer.

    ASCII keys have the same order by code points and by UTF-16 code units, and every
    part of a text in NFC is in NFC. Snapshots have millions of values, so this counts.
    """
    if not _is_plain(document):
        return None
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True)
    if not unicodedata.is_normalized("NFC", text):
        return None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None  # a lone surrogate; the closer look says where


def _is_plain(document: object) -> bool:
    """Whether a document holds plain dicts with ASCII keys, lists, tuples, text, integers, truth values and None only."""
    left: list[object] = [document]
    known: set[tuple[object, ...]] = set()
    while left:
        value = left.pop()
        if type(value) in _SCALARS:
            continue
        inner: Iterable[object]
        if type(value) is dict:
            keys = tuple(value)
            if keys not in known:
                if not all(type(key) is str and key.isascii() for key in keys):
                    return False
                known.add(keys)
            inner = value.values()
        elif type(value) is list or type(value) is tuple:
            inner = value
        else:
            return False
        left += [each for each in inner if type(each) not in _SCALARS]
    return True


def digest_of_parts(parts: Mapping[str, bytes]) -> str:
    """The digest of a document whose parts are in canonical form already; their names are plain ASCII."""
    body = b",".join(b'"%s":%s' % (name.encode("ascii"), parts[name]) for name in sorted(parts))
    return hashlib.sha256(b"{%s}" % body).hexdigest()


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
