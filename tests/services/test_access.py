"""Who may be whom: keys, tokens, codes, sessions and stream tokens."""

from __future__ import annotations

import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from mediaflow.domain.errors import ConfigurationError, InvalidInput, Unauthenticated
from mediaflow.services.access.keyfile import derived_key, load_or_create_key
from mediaflow.services.access.outside import OutsideUsers
from mediaflow.services.access.principals import SCOPES, Principal
from mediaflow.services.access.sessions import LoginCodes, Sessions
from mediaflow.services.access.tokens import Tokens
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.ports import Database
from mediaflow.settings import Settings
from tests.services.records import a_published_asset

KEY = b"a key of the tests, 32 bytes and more"
BUCKET = 3600


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(KEY, "mediaflow", "mediaflow")


# --- the installation's key


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"))
    first = load_or_create_key(settings)
    assert len(first) >= 32
    assert load_or_create_key(settings) == first
    file = tmp_path / "data" / "keys" / "jwt.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["jwt.key"]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    settings, barrier = Settings(data_dir=str(tmp_path)), threading.Barrier(8)

    def start(_: int) -> bytes:
        barrier.wait()
        return load_or_create_key(settings)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1


def test_a_configured_key_wins_over_the_data_directory(tmp_path: Path) -> None:
    assert load_or_create_key(Settings(data_dir=str(tmp_path), jwt_key=KEY.decode())) == KEY
    assert not list(tmp_path.iterdir())


def test_a_short_key_stops_the_start_and_names_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"MEDIAFLOW_JWT_KEY: the key has 31 bytes.*at least 32.*openssl"):
        load_or_create_key(Settings(jwt_key="x" * 31))


def test_a_truncated_key_file_stops_the_start_and_is_named(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "jwt.key"
    file.parent.mkdir()
    file.write_text("short\n")
    with pytest.raises(ConfigurationError, match=r"jwt\.key: the key has 5 bytes"):
        load_or_create_key(Settings(data_dir=str(tmp_path)))


def test_keys_for_different_purposes_differ() -> None:
    assert len({KEY, derived_key(KEY, "a"), derived_key(KEY, "b")}) == 3


# --- API tokens


@pytest.mark.parametrize("role", ["user", "admin"])
def test_a_minted_token_says_who_it_is(tokens: Tokens, role: Any) -> None:
    assert tokens.verify(tokens.mint("ann", role, 60)) == Principal("ann", role)


def test_a_token_without_a_role_is_a_users(tokens: Tokens) -> None:
    assert tokens.verify(forged(role=None)) == Principal("ann", "user")


def forged(key: bytes | None = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    """A token as an attacker or another service could make it; a claim that is None is left out."""
    now = int(time.time())
    usual = {"sub": "ann", "role": "user", "iss": "mediaflow", "aud": "mediaflow", "iat": now, "exp": now + 86_400}
    return jwt.encode({k: v for k, v in (usual | claims).items() if v is not None}, key or "", algorithm=algorithm)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(forged(key=b"another key, as long as it has to be"), id="another key"),
        pytest.param(forged(key=None, algorithm="none"), id="no signature"),
        pytest.param(forged(key=KEY * 2, algorithm="HS512"), id="another algorithm"),
        pytest.param(forged(iss="elsewhere"), id="another issuer"),
        pytest.param(forged(aud="elsewhere"), id="another audience"),
        pytest.param(forged(role="root"), id="a role that there is not"),
        pytest.param(forged(role=["admin"]), id="a role that is no text"),
        pytest.param(forged(sub=""), id="nobody"),
        pytest.param(forged(sub="a" * 201), id="a name without end"),
        pytest.param(forged(sub="ann\nadmin"), id="a name with a line feed"),
        pytest.param(forged(iat=int(time.time()) + 3600), id="issued in the future"),
        pytest.param(forged(iat="now"), id="issued at no time"),
        pytest.param(forged(exp=None), id="without an end"),
        pytest.param(forged(exp=10**400), id="an end that no float holds"),
        pytest.param(forged(iat=None), id="without a beginning"),
        pytest.param(forged(sub=None), id="without a subject"),
        pytest.param(forged(iss=None), id="without an issuer"),
        pytest.param(forged(aud=None), id="without an audience"),
        pytest.param("", id="nothing"),
        pytest.param("a.b.c", id="no token"),
        pytest.param("\N{SNOWMAN}.\N{SNOWMAN}.\N{SNOWMAN}", id="no ASCII"),
    ],
)
def test_a_token_that_can_not_be_trusted_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        tokens.verify(token)
    assert caught.value.code == "auth.bad_token"


def test_an_expired_token_says_so(tokens: Tokens) -> None:
    with pytest.raises(Unauthenticated) as caught:
        tokens.verify(tokens.mint("ann", "user", -1))
    assert caught.value.code == "auth.token_expired"


@pytest.mark.parametrize("user", ["", "a\nb", "x" * 201])
def test_no_token_is_minted_for_a_name_that_would_be_refused(tokens: Tokens, user: str) -> None:
    with pytest.raises(InvalidInput):
        tokens.mint(user, "user", 60)


# --- one-time codes


def test_a_login_code_works_once(database: Database) -> None:
    codes = LoginCodes(database)
    code = codes.create("ann", "admin", 60)
    assert codes.redeem(code) == Principal("ann", "admin")
    with pytest.raises(Unauthenticated):
        codes.redeem(code)


def test_of_several_who_redeem_a_code_at_once_one_gets_in(database: Database) -> None:
    codes, barrier = LoginCodes(database), threading.Barrier(6)
    code = codes.create("ann", "user", 60)

    def redeem(_: int) -> bool:
        barrier.wait()
        try:
            codes.redeem(code)
        except Unauthenticated:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(redeem, range(6))) == 1


@pytest.mark.parametrize("code", ["", "unknown", "\ud800"])
def test_an_unknown_code_is_refused(database: Database, code: str) -> None:
    with pytest.raises(Unauthenticated):
        LoginCodes(database).redeem(code)


def test_an_expired_code_is_refused(database: Database) -> None:
    code = LoginCodes(database).create("ann", "user", -1)
    with pytest.raises(Unauthenticated):
        LoginCodes(database).redeem(code)


def test_the_code_itself_is_kept_nowhere(database: Database) -> None:
    code = LoginCodes(database).create("ann", "user", 60)
    assert code not in repr(database.login_codes.find({}))


# --- sessions


def test_a_session_lasts_until_it_is_closed(database: Database) -> None:
    sessions = Sessions(database, KEY)
    secret = sessions.open(Principal("ann", "user"), 60)
    assert sessions.find(secret) == Principal("ann", "user")
    sessions.close(secret)
    sessions.close(secret)
    assert sessions.find(secret) is None


def test_a_session_ends_by_itself(database: Database) -> None:
    assert Sessions(database, KEY).find(Sessions(database, KEY).open(Principal("ann", "user"), -1)) is None


def test_a_session_opens_what_its_credential_opened(database: Database) -> None:
    sessions = Sessions(database, KEY)
    for scopes in (frozenset[str](), frozenset({"assets:read"}), frozenset(SCOPES)):
        found = sessions.find(sessions.open(Principal("ann", "user", scopes, "jwt"), 60))
        assert found is not None
        assert (found.scopes, found.credential) == (scopes, "session")


def test_a_new_key_ends_every_session(database: Database) -> None:
    secret = Sessions(database, KEY).open(Principal("ann", "user"), 60)
    assert Sessions(database, KEY[::-1]).find(secret) is None
    assert Sessions(database, KEY).find(secret) is not None


@pytest.mark.parametrize("role", ["user", "admin"])
def test_sessions_of_an_outside_issuer_end_when_it_is_no_longer_trusted(database: Database, role: Any) -> None:
    trusted = OutsideUsers("https://issuer.example", "groups", frozenset({"staff"}))
    person = trusted.id_of("ann")
    sessions = Sessions(database, KEY, trusted)
    theirs = sessions.open(Principal(person, role, credential="jwks", person=person, admin_by=("groups=staff",)), 60)
    ours = sessions.open(Principal("ann", role, credential="jwt"), 60)
    found = sessions.find(theirs)
    assert (found and (found.user, found.person, found.role)) == (person, person, role)
    nobodys_admins = OutsideUsers("https://issuer.example")
    assert (Sessions(database, KEY, nobodys_admins).find(theirs) is None) == (role == "admin")
    for settings in (None, OutsideUsers("https://other.example", "groups", frozenset({"staff"}))):
        assert Sessions(database, KEY, settings).find(theirs) is None
        assert Sessions(database, KEY, settings).find(ours) is not None


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "a" * 100_000])
def test_there_is_no_session_of_nonsense(database: Database, secret: str) -> None:
    Sessions(database, KEY).open(Principal("ann", "user"), 60)
    assert Sessions(database, KEY).find(secret) is None
    Sessions(database, KEY).close(secret)


def test_codes_and_sessions_are_no_substitutes_for_one_another(database: Database) -> None:
    codes, sessions = LoginCodes(database), Sessions(database, KEY)
    secret = sessions.open(Principal("ann", "user"), 60)
    assert sessions.find(codes.create("ann", "user", 60)) is None
    with pytest.raises(Unauthenticated):
        codes.redeem(secret)
    with pytest.raises(Unauthenticated):
        codes.redeem(f"session:{secret}x")


# --- stream tokens


def stream_tokens(now: float) -> StreamTokens:
    return StreamTokens(KEY, BUCKET, clock=lambda: now)


def test_all_viewers_of_a_bucket_get_the_same_token() -> None:
    asset = a_published_asset()
    assert stream_tokens(10 * BUCKET).mint(asset) == stream_tokens(11 * BUCKET - 1).mint(asset)
    assert stream_tokens(10 * BUCKET).mint(asset) != stream_tokens(11 * BUCKET).mint(asset)


@pytest.mark.parametrize("duration", [None, 1.0, 3600.0, 3601.0, 86_400.0])
@pytest.mark.parametrize("offset", [0, 1, BUCKET - 1])
def test_a_token_outlives_the_video_by_a_bucket(duration: float | None, offset: int) -> None:
    asset, now = a_published_asset(duration_seconds=duration), float(10 * BUCKET + offset)
    token, expires_at = stream_tokens(now).mint(asset)
    assert expires_at >= now + (duration or 0) + BUCKET
    assert stream_tokens(expires_at - 1).check(token, asset)
    assert not stream_tokens(expires_at).check(token, asset)


def test_a_token_opens_nothing_else() -> None:
    asset = a_published_asset()
    token, _ = stream_tokens(0).mint(asset)
    assert stream_tokens(0).check(token, asset)
    assert not stream_tokens(0).check(token, a_published_asset())
    assert not stream_tokens(0).check(token, replace(asset, acl_epoch=asset.acl_epoch + 1))
    assert not StreamTokens(b"another key, 32 bytes and some more", BUCKET, lambda: 0).check(token, asset)


def test_the_end_of_a_token_can_not_be_moved() -> None:
    asset = a_published_asset()
    token, expires_at = stream_tokens(0).mint(asset)
    longer = f"{int(expires_at) + BUCKET:x}-{token.partition('-')[2]}"
    assert not stream_tokens(0).check(longer, asset)


@pytest.mark.parametrize("spoil", ["0{}", "00000{}", "+{}", " {}", "{}\n", "{}=", "_{}", "{} "])
def test_a_token_is_written_in_one_way(spoil: str) -> None:
    asset = a_published_asset()
    token, _ = stream_tokens(0).mint(asset)
    assert stream_tokens(0).check(token, asset)
    assert not stream_tokens(0).check(spoil.format(token), asset)


@pytest.mark.parametrize("token", ["", "-", "zz-", "0-", "ffff-" + "a" * 43, "ffff-" + "a" * 4000, "\N{SNOWMAN}"])
def test_what_is_no_stream_token_opens_nothing(token: str) -> None:
    assert not stream_tokens(0).check(token, a_published_asset())


def test_an_api_token_is_no_stream_token(tokens: Tokens) -> None:
    assert not stream_tokens(0).check(tokens.mint("ann", "admin", 60), a_published_asset())
