"""Counts in words."""

from __future__ import annotations

import pytest

from tools.counted import counted


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 days"),
        (1, "1 day"),
        (2, "2 days"),
        (1_234, "1,234 days"),
        (-1, "-1 days"),
        (1.0, "1.0 day"),
        (1.5, "1.5 days"),
    ],
)
def test_one_of_something_is_said_as_one(number: float, words: str) -> None:
    assert counted(number, "day") == words


def test_what_has_no_plain_plural_brings_its_own() -> None:
    assert (counted(1, "process", "processes"), counted(2, "process", "processes")) == ("1 process", "2 processes")
