"""Tokens of a directory: good ones tell who somebody is, and whatever is wrong with one, it tells nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.auth.jwts import (
    FRESH_SECONDS,
    GOOD_SECONDS,
    REFRESH_SECONDS_MIN,
    TOKEN_CHARACTERS_MAX,
    JwtVerifier,
    KeySet,
    keys_at,
)
from app.errors import NotSignedInError, UnavailableError
from app.outbound import Outbound
from tests.app.auth import signing
from tests.app.auth.signing import AUDIENCE, ISSUER, SigningKey, forged, signed_as_written, signing_key

NOW = datetime.now(UTC)
KEY = signing_key()
claims_of = partial(signing.claims_of, at=NOW)
ALGORITHMS = ("RS256", "ES256", "EdDSA")


def published(*keys: SigningKey) -> bytes:
    return json.dumps({"keys": [key.jwk for key in keys]}).encode()


class Publisher:
    """A directory's page of keys, and a clock."""

    def __init__(self, *keys: SigningKey) -> None:
        self.page = published(*keys)
        self.reads = 0
        self.now = 1_000.0
        self.down = False

    def read(self) -> bytes:
        self.reads += 1
        if self.down:
            raise OSError("nobody answers")
        return self.page

    def keys(self) -> KeySet:
        return KeySet(self.read, lambda: self.now)


def verifier(*keys: SigningKey, **changes: Any) -> JwtVerifier:
    """What checks tokens that these keys sign."""
    given: dict[str, Any] = {
        "issuer": ISSUER, "audience": AUDIENCE, "keys": Publisher(*keys or (KEY,)).keys(), "algorithms": ALGORITHMS,
        "token_type": "at+jwt", "leeway_seconds": 10,
    }  # fmt: skip
    return JwtVerifier(**given | changes)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_tells_who_somebody_is(algorithm: str) -> None:
    key = signing_key(f"key-{algorithm}", algorithm)
    assert verifier(key).claims(key.sign(claims_of("ada")), NOW)["sub"] == "ada"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_a_type_is_compared_as_media_types_are(typ: str) -> None:
    assert verifier().claims(KEY.sign(claims_of("ada"), typ=typ), NOW)


def test_of_several_audiences_one_has_to_be_ours() -> None:
    assert verifier().claims(KEY.sign(claims_of("ada", aud=["other", AUDIENCE])), NOW)


def at(seconds: float) -> int:
    return int(NOW.timestamp() + seconds)


ES_KEY, STRANGER = signing_key("key-ES256", "ES256"), signing_key("stranger")
HEADER = {"alg": "RS256", "kid": KEY.kid, "typ": "at+jwt"}
GOOD = KEY.sign(claims_of("ada"))
BAD: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: forged(HEADER | {"alg": "none"}, claims_of("ada")),
    "no algorithm, in capitals": lambda: forged(HEADER | {"alg": "NONE"}, claims_of("ada")),
    "no signature": lambda: GOOD.rpartition(".")[0] + ".",
    "no signature part": lambda: GOOD.rpartition(".")[0],
    "the public key as a shared secret": lambda: forged(HEADER | {"alg": "HS256"}, claims_of("ada"), KEY.pem),
    "the public key as JWK as a shared secret": lambda: forged(
        HEADER | {"alg": "HS256"}, claims_of("ada"), json.dumps(KEY.jwk).encode()
    ),
    "a shared secret under the right algorithm": lambda: forged(HEADER, claims_of("ada"), KEY.pem),
    "an algorithm that is not admitted": lambda: forged(HEADER | {"alg": "RS512"}, claims_of("ada"), b"x"),
    "another algorithm than the key's": lambda: ES_KEY.sign(claims_of("ada"), kid=KEY.kid),
    "a key of somebody else under a known id": lambda: STRANGER.sign(claims_of("ada"), kid=KEY.kid),
    "a key of somebody else": lambda: STRANGER.sign(claims_of("ada")),
    "no key id": lambda: KEY.sign(claims_of("ada"), kid=None),
    "a key id that is a path": lambda: KEY.sign(claims_of("ada"), kid="../../etc/passwd"),
    "a key id that is a statement": lambda: KEY.sign(claims_of("ada"), kid="' or 1=1 --"),
    "a key id that is no text": lambda: signed_as_written(
        KEY, json.dumps(HEADER | {"kid": ["key-1"]}), json.dumps(claims_of("ada"))
    ),
    "a key that it brings along": lambda: STRANGER.sign(claims_of("ada"), kid=KEY.kid, jwk=STRANGER.jwk),
    "an address of keys": lambda: KEY.sign(claims_of("ada"), jku="https://elsewhere.example/keys"),
    "an address of a certificate": lambda: KEY.sign(claims_of("ada"), x5u="https://elsewhere.example/cert"),
    "a certificate": lambda: KEY.sign(claims_of("ada"), x5c=["MIIB"]),
    "a critical extension": lambda: KEY.sign(claims_of("ada"), crit=["exp"]),
    "an unknown critical extension": lambda: KEY.sign(claims_of("ada"), crit=["x-y"], **{"x-y": True}),
    "an empty list of critical extensions": lambda: KEY.sign(claims_of("ada"), crit=[]),
    "a body that is not encoded": lambda: signed_as_written(
        KEY, json.dumps(HEADER | {"b64": False, "crit": ["b64"]}), json.dumps(claims_of("ada"))
    ),
    "no type": lambda: KEY.sign(claims_of("ada"), typ=None),
    "the type of an identity token": lambda: KEY.sign(claims_of("ada"), typ="JWT"),
    "another issuer": lambda: KEY.sign(claims_of("ada", iss="https://login.example.evil")),
    "an issuer with a slash more": lambda: KEY.sign(claims_of("ada", iss=ISSUER + "/")),
    "no issuer": lambda: KEY.sign(claims_of("ada", iss=None)),
    "another audience": lambda: KEY.sign(claims_of("ada", aud="other")),
    "an audience that begins like ours": lambda: KEY.sign(claims_of("ada", aud=AUDIENCE + "-test")),
    "no audience": lambda: KEY.sign(claims_of("ada", aud=None)),
    "an empty audience": lambda: KEY.sign(claims_of("ada", aud=[])),
    "no subject": lambda: KEY.sign({name: value for name, value in claims_of("ada").items() if name != "sub"}),
    "an empty subject": lambda: KEY.sign(claims_of("")),
    "a subject that is no text": lambda: signed_as_written(
        KEY, json.dumps(HEADER), json.dumps(claims_of("ada") | {"sub": ["ada"]})
    ),
    "expired": lambda: KEY.sign(claims_of("ada", exp=at(-11))),
    "no end": lambda: KEY.sign(claims_of("ada", exp=None)),
    "an end that is text": lambda: KEY.sign(claims_of("ada") | {"exp": str(at(300))}),
    "an end that is true": lambda: KEY.sign(claims_of("ada") | {"exp": True}),
    "an infinite end": lambda: signed_as_written(
        KEY, json.dumps(HEADER), json.dumps(claims_of("ada") | {"exp": float("inf")})
    ),
    "not good yet": lambda: KEY.sign(claims_of("ada", nbf=at(60))),
    "no beginning": lambda: KEY.sign(claims_of("ada", nbf=None)),
    "issued in the future": lambda: KEY.sign(claims_of("ada", iat=at(60))),
    "a subject twice": lambda: signed_as_written(
        KEY, json.dumps(HEADER), json.dumps(claims_of("ada"))[:-1] + ', "sub": "adam"}'
    ),
    "a header twice": lambda: signed_as_written(
        KEY, json.dumps(HEADER)[:-1] + ', "typ": "at+jwt"}', json.dumps(claims_of("ada"))
    ),
    "a claim twice within another": lambda: signed_as_written(
        KEY, json.dumps(HEADER), json.dumps(claims_of("ada"))[:-1] + ', "more": {"a": 1, "a": 2}}'
    ),
    "claims that are a list": lambda: signed_as_written(KEY, json.dumps(HEADER), json.dumps([claims_of("ada")])),
    "a header that is a list": lambda: signed_as_written(KEY, json.dumps([HEADER]), json.dumps(claims_of("ada"))),
    "claims of another token": lambda: ".".join((GOOD.split(".")[0], KEY.sign(claims_of("adam")).split(".")[1], GOOD.split(".")[2])),
    "another last character": lambda: GOOD[:-2] + ("A" if GOOD[-2] != "A" else "B") + GOOD[-1],
    "a part more": lambda: GOOD + ".x",
    "no token": lambda: "..",
    "not encoded": lambda: "ä.ö.ü",
    "too long": lambda: KEY.sign(claims_of("ada", more="x" * TOKEN_CHARACTERS_MAX)),
    "deep": lambda: signed_as_written(KEY, json.dumps(HEADER), "[" * 1_500 + "]" * 1_500),
}  # fmt: skip


@pytest.mark.parametrize("wrong", BAD)
def test_whatever_is_wrong_with_a_token_it_is_refused_in_the_same_words(wrong: str) -> None:
    with pytest.raises(NotSignedInError) as refused:
        verifier(KEY, ES_KEY).claims(BAD[wrong](), NOW)
    assert str(refused.value) == "the token is not valid (any more). sign in with a current token"


def test_a_token_without_anything_wrong_would_have_been_accepted() -> None:
    assert verifier(KEY, ES_KEY).claims(GOOD, NOW)["sub"] == "ada"
    assert verifier(KEY, ES_KEY).claims(signed_as_written(KEY, json.dumps(HEADER), json.dumps(claims_of("ada"))), NOW)


@pytest.mark.parametrize(("seconds", "good"), [(-9, True), (-11, False)])
def test_clocks_may_differ_by_the_leeway_and_no_more(seconds: int, good: bool) -> None:
    token = KEY.sign(claims_of("ada", exp=at(seconds)))
    if good:
        assert verifier().claims(token, NOW)
        return
    with pytest.raises(NotSignedInError):
        verifier().claims(token, NOW)


def test_the_time_that_counts_is_the_one_that_is_given() -> None:
    with pytest.raises(NotSignedInError):
        verifier().claims(GOOD, NOW + timedelta(minutes=6))
    with pytest.raises(NotSignedInError):
        verifier().claims(GOOD, NOW - timedelta(minutes=6))


def test_keys_that_encrypt_or_are_shared_verify_nothing() -> None:
    for change in ({"use": "enc"}, {"kty": "oct"}, {"kid": 7}):
        publisher = Publisher()
        publisher.page = json.dumps({"keys": [KEY.jwk | change]}).encode()
        with pytest.raises(NotSignedInError):
            verifier(keys=publisher.keys()).claims(GOOD, NOW)


def test_a_short_key_verifies_nothing() -> None:
    short = SigningKey("short", "RS256", rsa.generate_private_key(65_537, 1_024))
    with pytest.warns(match="below the minimum"):
        token = short.sign(claims_of("ada"))
    with pytest.raises(NotSignedInError):
        verifier(short).claims(token, NOW)


def test_a_new_key_is_found_at_its_first_use_and_an_old_one_that_is_gone_is_not_good_any_more() -> None:
    publisher, fresh = Publisher(KEY), signing_key("key-2")
    checking = verifier(keys=publisher.keys())
    assert checking.claims(GOOD, NOW)
    publisher.page, publisher.now = published(fresh), publisher.now + REFRESH_SECONDS_MIN
    assert checking.claims(fresh.sign(claims_of("ada")), NOW)
    with pytest.raises(NotSignedInError):
        checking.claims(GOOD, NOW)


def test_unknown_key_ids_have_the_keys_read_once_a_minute_however_many_come() -> None:
    publisher = Publisher(KEY)
    checking = verifier(keys=publisher.keys())
    for _ in range(20):
        with pytest.raises(NotSignedInError):
            checking.claims(STRANGER.sign(claims_of("ada")), NOW)
    assert publisher.reads == 1
    publisher.now += REFRESH_SECONDS_MIN
    for _ in range(20):
        with pytest.raises(NotSignedInError):
            checking.claims(STRANGER.sign(claims_of("ada")), NOW)
    assert publisher.reads == 2
    assert checking.claims(GOOD, NOW)


def test_keys_that_cannot_be_read_are_kept_for_a_day_and_then_nobody_is_let_in() -> None:
    publisher = Publisher(KEY)
    checking = verifier(keys=publisher.keys())
    assert checking.claims(GOOD, NOW)
    publisher.down, publisher.now = True, publisher.now + FRESH_SECONDS + 1
    assert checking.claims(GOOD, NOW)
    assert publisher.reads == 2
    publisher.now += GOOD_SECONDS
    with pytest.raises(UnavailableError):
        checking.claims(GOOD, NOW)
    publisher.down, publisher.now = False, publisher.now + REFRESH_SECONDS_MIN
    assert checking.claims(GOOD, NOW)


@pytest.mark.parametrize("page", [b"", b"[]", b"{}", b'{"keys": 5}', b"<html>"])
def test_a_page_that_holds_no_keys_is_no_page_of_keys(page: bytes) -> None:
    publisher = Publisher()
    publisher.page = page
    with pytest.raises(UnavailableError):
        verifier(keys=publisher.keys()).claims(GOOD, NOW)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(published(KEY))
    return path


def test_keys_may_stand_in_a_file(keys_file: Path) -> None:
    assert verifier(keys=keys_at(str(keys_file), Outbound())).claims(GOOD, NOW)


def test_a_missing_file_lets_nobody_in(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        verifier(keys=keys_at(str(tmp_path / "none.json"), Outbound())).claims(GOOD, NOW)
