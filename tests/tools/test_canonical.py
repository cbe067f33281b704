from __future__ import annotations

import json
import unicodedata
from enum import IntEnum, StrEnum
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.canonical import NotCanonicalError, canonical_json, digest

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
KEYS = TEXT.map(lambda text: unicodedata.normalize("NFC", text))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


class Size(IntEnum):
    SMALL = 1


class Colour(StrEnum):
    RED = "red"


@given(document=st.dictionaries(KEYS, DOCUMENTS, max_size=6))
def test_the_order_of_keys_does_not_change_the_digest(document):
    backwards = dict(reversed(document.items()))
    assert canonical_json(document) == canonical_json(backwards)
    assert digest(document) == digest(backwards)


@given(document=DOCUMENTS)
def test_the_canonical_bytes_are_json_and_their_own_canonical_form(document):
    written = canonical_json(document)
    assert canonical_json(json.loads(written)) == written


def test_known_bytes_and_digest():
    document = {"b": [1, True, None], "a": "Zürich"}
    assert canonical_json(document) == '{"a":"Zürich","b":[1,true,null]}'.encode()
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_keys_are_ordered_by_their_utf_16_units():
    # RFC 8785, sec. 3.2.3. U+1F600 is D83D DE00 in UTF-16 and so comes before U+FF01, though its code point is higher.
    document = dict.fromkeys(["\u20ac", "\r", "\uff01", "1", "\U0001f600", "\u0080", "\u00f6"], 0)
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\uff01"]
    assert list(json.loads(canonical_json(document))) == ordered


def test_two_ways_of_writing_an_accent_are_one_text():
    assert canonical_json({"cafe\u0301": "e\u0301"}) == canonical_json({"caf\u00e9": "\u00e9"})


def test_one_and_true_are_different_documents():
    assert canonical_json([1]) != canonical_json([True])


def test_tuples_mappings_and_enums_are_written_as_what_they_stand_for():
    document = MappingProxyType({"size": Size.SMALL, "colour": Colour.RED, "pair": (1, 2)})
    assert canonical_json(document) == b'{"colour":"red","pair":[1,2],"size":1}'


@pytest.mark.parametrize("value", [1.0, float("nan"), float("inf"), b"bytes", bytearray(b"x"), {1}, object()])
def test_floats_and_foreign_types_are_refused_with_their_place(value):
    with pytest.raises(NotCanonicalError, match=r"\.lines\[1\]\.units") as refused:
        canonical_json({"lines": [{}, {"units": value}]})
    assert refused.value.where == ".lines[1].units"


def test_a_foreign_document_as_a_whole_is_refused():
    with pytest.raises(NotCanonicalError, match="the document: float"):
        canonical_json(0.5)


def test_keys_must_be_text():
    with pytest.raises(NotCanonicalError, match="the key 1 is not text"):
        canonical_json({1: "one"})


def test_two_keys_that_become_one_are_refused():
    with pytest.raises(NotCanonicalError, match="same NFC form"):
        canonical_json({"e\u0301": 1, "\u00e9": 2})


def test_broken_text_is_refused_with_its_position():
    with pytest.raises(NotCanonicalError, match="surrogate at position 2"):
        canonical_json({"name": "ab\ud800"})


class Word(str):
    """Text that is not plain, and so is looked at closely."""

    __slots__ = ()


@given(document=DOCUMENTS, mark=TEXT)
def test_a_closer_look_finds_the_same_bytes(document, mark):
    assert canonical_json([document, mark]) == canonical_json([document, Word(mark)])
