"""The released documents: each is exactly what it was when it was released, and is found by its name or its digest."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.library import UnknownPolicyError, read_policy, released, releases
from policies.schema import Policy

DIGESTS = {
    "2026-01": "706c284291d85105a0c22655f456ed2e90b339f10e4e77235ece60dfe121ff18",
    "2026-04": "c8a6240c6873a032f067b4e7696b78a5d3073f8aadb573c1d89209c1ccb56831",
    "2026-11": "93346da6459aefe5d04adeed42fb81fc718117396872c51d00f7d68a4fe1d6b8",
    "2026-12": "b98f3237b950517212d4969019660079d1862003eee0a0b2940893656ccb5268",
    "2027-01": "36332a04021015460860adec1d457c6aa23cc678399aba16abf89b2360d1bdcd",
    "2027-02": "3055221b9d8b769d435441d4babc9003a65db28b3f20f6f95c5d2c09f85fce36",
}
"""Recorded in plans and in the ledger: a document with another digest is another release, and gets another name."""


def text_of(release: str) -> str:
    return (files("policies.releases") / f"{release}.toml").read_text(encoding="utf-8")


def test_a_released_document_is_never_edited() -> None:
    assert {policy.release: policy.digest for policy in releases()} == DIGESTS


def test_releases_come_oldest_first_and_one_document_each() -> None:
    names = [policy.release for policy in releases()]
    assert names == sorted(names) == sorted(set(names))
    assert len({policy.digest for policy in releases()}) == len(names)


@pytest.mark.parametrize("release", DIGESTS)
def test_a_file_is_named_after_the_release_in_it(release: str) -> None:
    assert read_policy(text_of(release)) == released(release)


@pytest.mark.parametrize("release", DIGESTS)
def test_a_released_document_leaves_nothing_to_defaults(release: str) -> None:
    """So that the same file means the same under every later schema."""
    assert tomllib.loads(text_of(release)) == released(release).model_dump(mode="json")


@pytest.mark.parametrize("release", DIGESTS)
def test_a_policy_survives_storage_with_its_digest(release: str) -> None:
    policy = released(release)
    again = Policy.model_validate_json(json.dumps(policy.model_dump(mode="json")))
    assert (again, again.digest) == (policy, DIGESTS[release])


@pytest.mark.parametrize(("release", "digest"), DIGESTS.items())
def test_a_release_is_found_by_its_name_or_its_digest(release: str, digest: str) -> None:
    for name in (release, digest, digest[:12], digest[:40]):
        assert released(name).digest == digest


@pytest.mark.parametrize(("release", "digest"), DIGESTS.items())
def test_fewer_than_twelve_characters_of_a_digest_name_nothing(release: str, digest: str) -> None:
    for name in (digest[:11], digest[:1], ""):
        with pytest.raises(UnknownPolicyError):
            released(name)


@pytest.mark.parametrize(
    "name",
    ["2026-02", "2026", "2026-01 ", "standard", "standard 2026-01", "0" * 64, "0" * 12, f"{DIGESTS['2026-01']}0"],
)
def test_an_unknown_name_is_refused_with_the_names_that_there_are(name: str) -> None:
    with pytest.raises(UnknownPolicyError) as refused:
        released(name)
    assert refused.value.wanted == name
    assert str(refused.value) == (
        f"no released policy is called {name!r}; released are 2026-01 (706c284291d8), 2026-04 (c8a6240c6873),"
        " 2026-11 (93346da6459a), 2026-12 (b98f3237b950), 2027-01 (36332a040210), 2027-02 (3055221b9d8b)"
    )


def test_a_digest_is_written_in_lower_case() -> None:
    with pytest.raises(UnknownPolicyError):
        released(DIGESTS["2026-04"][:12].upper())


@given(st.text(max_size=70))
def test_no_text_but_a_name_or_a_digest_finds_a_release(text: str) -> None:
    names = {name for release, digest in DIGESTS.items() for name in (release, *(digest[:n] for n in range(12, 65)))}
    if text in names:
        assert released(text)
    else:
        with pytest.raises(UnknownPolicyError):
            released(text)


def test_a_text_that_is_no_document_is_refused() -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        read_policy("name = ")
    with pytest.raises(ValidationError, match="Field required"):
        read_policy('name = "standard"')


def test_a_document_with_a_number_out_of_bounds_is_no_policy() -> None:
    text = text_of("2026-01").replace("line_units_max = 5_000", "line_units_max = 0")
    with pytest.raises(ValidationError, match="line_units_max"):
        read_policy(text)


@given(days=st.integers(0, 90).filter(lambda days: days != 14))
def test_an_edit_of_a_released_document_has_another_digest(days: int) -> None:
    text = text_of("2026-01").replace("[cool_down]\ndays = 14", f"[cool_down]\ndays = {days}")
    edited = read_policy(text)
    assert edited.cool_down.days == days
    assert edited.digest not in DIGESTS.values()


def test_comments_and_layout_are_no_part_of_a_document() -> None:
    lines = [line for line in text_of("2026-01").splitlines() if not line.startswith("#")]
    assert read_policy("\n\n".join(lines).replace(" = ", "=")).digest == DIGESTS["2026-01"]
