"""Where two documents differ."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tools.differences import MISSING, Difference, differences

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def test_a_difference_says_where_and_what() -> None:
    one: dict[str, Any] = {"lines": [{"units": 5}, {"units": 7}], "saving": 3, "note": "", "only": None}
    other: dict[str, Any] = {"lines": [{"units": 6}], "saving": True, "note": "", "new": 1}
    assert list(differences(one, other)) == [
        Difference("lines[0].units", 5, 6),
        Difference("lines[1]", {"units": 7}, MISSING),
        Difference("saving", 3, True),
        Difference("only", None, MISSING),
        Difference("new", MISSING, 1),
    ]


@given(documents)
def test_a_document_does_not_differ_from_its_copy(document: Any) -> None:
    assert list(differences(document, deepcopy(document))) == []


@given(documents, documents)
def test_two_documents_differ_somewhere_unless_they_are_the_same(one: Any, other: Any) -> None:
    assert bool(list(differences(one, other))) == (repr(one) != repr(other) and not _same(one, other))


def _same(one: Any, other: Any) -> bool:
    """Equal, also where keys stand in another order; a whole number is no truth value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)
