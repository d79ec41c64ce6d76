"""Keys of an outside issuer: which are used, for what, how long, and when they are asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mediaflow.domain.errors import ConfigurationError, Unauthenticated, Unavailable
from mediaflow.persistence.http_keys import fetch_keys
from mediaflow.services.access.jwks import COOLDOWN_SECONDS, FRESH_SECONDS, STALE_SECONDS, KeySet, read_keys
from mediaflow.services.access.jwt_form import opened
from mediaflow.services.access.outside import OutsideUsers, outside_settings
from mediaflow.services.access.principals import Principal
from mediaflow.services.access.tokens import OutsideTokens
from mediaflow.settings import Settings
from tests.api.issuer import AUDIENCE, NAME, Issuer, ec_key, public_jwk, rsa_key, running_issuer

RSA, EC = rsa_key("one"), ec_key("one")
USERS = OutsideUsers(NAME, "role", frozenset({"admin"}))
ANN = "~issuer.example.3207597b9bf0~ann"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        running.publish(first=RSA, second=EC)
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outside(issuer: Issuer, clock: Clock) -> OutsideTokens:
    return OutsideTokens(KeySet(partial(fetch_keys, issuer.url), clock), USERS, AUDIENCE)


def verified(outside: OutsideTokens, token: str) -> Principal:
    return outside.read(opened(token))[0]


# --- tokens


@pytest.mark.parametrize(("kid", "key"), [("first", RSA), ("second", EC)])
def test_tokens_of_both_algorithms_are_taken(outside: OutsideTokens, issuer: Issuer, kid: str, key: Any) -> None:
    principal, ends = outside.read(opened(issuer.mint(key, kid, role="admin", exp=4_000_000_000)))
    assert (principal, principal.credential, ends) == (Principal(ANN, "admin", person=ANN), "jwks", 4_000_000_000.0)


STAFF = OutsideUsers(NAME, "https://media.example/groups", frozenset({"staff", "root"}))


@pytest.mark.parametrize(
    ("users", "claims", "role"),
    [
        # nobody is an admin whom no setting makes one
        (OutsideUsers(NAME), {"role": "admin"}, "user"),
        (OutsideUsers(NAME), {"role": ""}, "user"),
        (USERS, {"role": "admin"}, "admin"),
        *((USERS, {"role": value}, "user") for value in ("Admin", "admin ", "root", "", True, 1, {"admin": 1}, None)),
        (STAFF, {"role": "admin"}, "user"),
        (STAFF, {"https://media.example/groups": "staff"}, "admin"),
        (STAFF, {"https://media.example/groups": ["guests", "root"]}, "admin"),
        (STAFF, {"https://media.example/groups": ["guests", 5, ["staff"]]}, "user"),
    ],
)
def test_the_role_comes_of_the_claim_and_the_values_that_are_configured(
    issuer: Issuer, clock: Clock, users: OutsideUsers, claims: dict[str, Any], role: str
) -> None:
    outside = OutsideTokens(KeySet(partial(fetch_keys, issuer.url), clock), users, AUDIENCE)
    assert verified(outside, issuer.mint(RSA, "first", **claims)).role == role


def test_a_scope_limits_an_outside_token_like_any_other(outside: OutsideTokens, issuer: Issuer) -> None:
    principal = verified(outside, issuer.mint(RSA, "first", scope="openid assets:read profile"))
    assert principal.scopes == {"assets:read"}


# --- asking for keys


def test_many_tokens_cost_one_request(outside: OutsideTokens, issuer: Issuer) -> None:
    for _ in range(20):
        verified(outside, issuer.mint(RSA, "first"))
    assert len(issuer.asked) == 1


def test_requests_that_come_together_ask_once_and_all_get_in(outside: OutsideTokens, issuer: Issuer) -> None:
    token, barrier = issuer.mint(RSA, "first"), threading.Barrier(8)

    def come(_: int) -> str:
        barrier.wait()
        return verified(outside, token).user

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(come, range(8))) == [ANN] * 8
    assert len(issuer.asked) == 1


def test_a_new_key_is_found_and_an_old_one_forgotten(outside: OutsideTokens, issuer: Issuer, clock: Clock) -> None:
    # given
    old, new = issuer.mint(RSA, "first"), issuer.mint(rsa_key("two"), "third")
    verified(outside, old)

    # when
    issuer.publish(third=rsa_key("two"))
    clock.now += COOLDOWN_SECONDS

    # then
    assert verified(outside, new).user == ANN
    with pytest.raises(Unauthenticated):
        verified(outside, old)


def test_a_withdrawn_key_ends_without_any_unknown_one_coming(
    outside: OutsideTokens, issuer: Issuer, clock: Clock
) -> None:
    token = issuer.mint(RSA, "first")
    verified(outside, token)
    issuer.publish(second=EC)
    assert verified(outside, token).user == ANN
    clock.now += FRESH_SECONDS
    with pytest.raises(Unauthenticated):
        verified(outside, token)


def test_unknown_keys_make_us_ask_at_most_once_in_a_while(outside: OutsideTokens, issuer: Issuer, clock: Clock) -> None:
    for number in range(100):
        clock.now += COOLDOWN_SECONDS / 20
        with pytest.raises(Unauthenticated):
            verified(outside, issuer.mint(RSA, f"unknown-{number}"))
    assert len(issuer.asked) in (5, 6)


def test_keys_outlive_an_issuer_that_is_away_by_a_day(outside: OutsideTokens, issuer: Issuer, clock: Clock) -> None:
    # given
    token = issuer.mint(RSA, "first")
    verified(outside, token)

    # when the issuer talks nonsense
    issuer.jwks = []

    # then
    clock.now += STALE_SECONDS - 1
    assert verified(outside, token).user == ANN
    clock.now += 1
    with pytest.raises(Unavailable):
        verified(outside, token)

    # and it comes back
    issuer.publish(first=RSA)
    clock.now += COOLDOWN_SECONDS
    assert verified(outside, token).user == ANN


def test_without_any_keys_nobody_is_told_that_their_token_is_bad(clock: Clock) -> None:
    outside = OutsideTokens(KeySet(partial(fetch_keys, "http://127.0.0.1:1/"), clock), USERS, AUDIENCE)
    with pytest.raises(Unavailable) as caught:
        verified(outside, Issuer().mint(RSA, "first"))
    assert caught.value.code == "auth.issuer_away"


def test_the_places_that_a_token_names_are_never_asked(outside: OutsideTokens, issuer: Issuer) -> None:
    import jwt

    with running_issuer() as theirs:
        theirs.publish(first=rsa_key("theirs"))
        headers = {"kid": "first", "jku": theirs.url, "x5u": theirs.url, "jwk": public_jwk(rsa_key("theirs"))}
        claims = {"sub": "ann", "iss": NAME, "aud": AUDIENCE, "iat": 1, "exp": 4_000_000_000, "role": "admin"}
        token = jwt.encode(claims, rsa_key("theirs"), algorithm="RS256", headers=headers)
        with pytest.raises(Unauthenticated):
            verified(outside, token)
        assert theirs.asked == []


# --- which keys are used


def jwks(*entries: Any) -> bytes:
    return json.dumps({"keys": list(entries)}).encode()


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}, id="a secret"),
        pytest.param(public_jwk(RSA), id="without an id"),
        pytest.param(public_jwk(RSA, kid=""), id="with an empty id"),
        pytest.param(public_jwk(RSA, kid=5), id="with an id that is no text"),
        pytest.param(public_jwk(RSA, kid="a", use="enc"), id="for encryption"),
        pytest.param(public_jwk(RSA, kid="a", key_ops=["encrypt"]), id="for encrypting"),
        pytest.param(public_jwk(RSA, kid="a", key_ops=7), id="for nothing that is a list"),
        pytest.param(public_jwk(RSA, kid="a", alg="RS512"), id="for RS512"),
        pytest.param(public_jwk(RSA, kid="a", alg="HS256"), id="RSA for HS256"),
        pytest.param(public_jwk(RSA, kid="a", n="AQAB"), id="RSA of 17 bits"),
        pytest.param(public_jwk(rsa_key("weak", 1024), kid="a"), id="RSA of 1024 bits"),
        pytest.param(public_jwk(RSA, kid="a", e="AQ"), id="RSA with an exponent of 1"),
        pytest.param(public_jwk(RSA, kid="a", n=5), id="RSA with a modulus that is no text"),
        pytest.param({"kty": "RSA", "kid": "a"}, id="RSA without members"),
        pytest.param(public_jwk(ec_key("k1", ec.SECP256K1), kid="a", crv="secp256k1"), id="another curve of 256 bits"),
        pytest.param(public_jwk(ec_key("p384", ec.SECP384R1), kid="a"), id="P-384"),
        pytest.param(public_jwk(EC, kid="a", x="AAAA", y="AAAA"), id="a point outside of the curve"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "A" * 43}, id="Ed25519"),
        pytest.param("a", id="no object"),
        pytest.param(None, id="null"),
    ],
)
def test_keys_that_are_not_for_this_are_left_out(entry: Any) -> None:
    assert set(read_keys(jwks(entry, public_jwk(EC, kid="good")))) == {("good", "ES256")}
    with pytest.raises(ValueError):
        read_keys(jwks(entry))


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b"null", b'{"keys": 5}', b'{"keys": {}}', b"\xff", b"[" * 9999]
)
def test_what_is_no_jwks_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError):
        read_keys(document)


def test_a_private_key_that_an_issuer_publishes_is_not_kept() -> None:
    from jwt.algorithms import RSAAlgorithm

    private = json.loads(RSAAlgorithm.to_jwk(RSA)) | {"kid": "a"}
    private.pop("key_ops", None)
    (key,) = read_keys(jwks(private)).values()
    assert not hasattr(key.key, "private_numbers")


# --- settings


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"jwks_url": "https://i.example/k"}, "MEDIAFLOW_JWKS_ISSUER is not"),
        ({"jwks_issuer": "https://i.example"}, "MEDIAFLOW_JWKS_URL is not"),
        ({"jwks_audience": "media"}, "MEDIAFLOW_JWKS_URL is not"),
        ({"jwks_url": "https://i.example/k", "jwks_issuer": "mediaflow"}, "must differ"),
        ({"jwks_url": "https://i.example/k", "jwks_issuer": "i", "jwks_role_claim": "role"}, "go together"),
        ({"jwks_url": "https://i.example/k", "jwks_issuer": "i", "jwks_admin_values": "admin"}, "go together"),
        ({"jwks_url": "https://i.example/k", "jwks_issuer": "i", "jwks_users_file": "/nowhere"}, "can't be read"),
        *(
            ({"jwks_url": url, "jwks_issuer": "i"}, "must be an http\\(s\\) URL")
            for url in (
                *("file:///etc/passwd", "ftp://i.example/k", "i.example/k", "https://", "https://i.example:x/k"),
                *("https://a:b@i.example/k", "https://i.example/k#x", "https://[::1/k", "https://i.example/k\nx"),
                *("data:application/json,{}", "https://i.example:0/k", "https://i.example:99999/k"),
            )
        ),
    ],
)
def test_settings_that_make_no_sense_stop_the_start(changes: dict[str, str], sentence: str) -> None:
    settings: Any = changes
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        outside_settings(Settings(**settings))
    assert "\n" not in caught.value.detail


def test_without_an_outside_issuer_there_is_none() -> None:
    assert outside_settings(Settings()) is None


def test_the_audience_is_ours_when_no_other_is_set() -> None:
    settings = Settings(jwks_url="https://i.example/k", jwks_issuer="i", jwt_audience="here")
    found = outside_settings(settings)
    assert found is not None
    assert (found.url, found.audience, found.users.issuer) == ("https://i.example/k", "here", "i")
