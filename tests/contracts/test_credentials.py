"""Sessions, API keys and users over every database."""

from __future__ import annotations

from mediaflow.domain.errors import Unauthenticated
from mediaflow.domain.records import Asset
from mediaflow.services.access.api_keys import ApiKeys
from mediaflow.services.access.outside import OutsideUsers
from mediaflow.services.access.principals import Principal
from mediaflow.services.access.sessions import MAX_SESSIONS, LoginCodes, Sessions
from mediaflow.services.access.users import LocalUsers
from mediaflow.services.ports import Database
from tests.services.records import an_asset

KEY = b"a key of the tests, 32 bytes and more"
ISSUER = OutsideUsers("https://issuer.example", "groups", frozenset({"staff"}))
ANN = Principal("ann", "user")
THEIR_ANN = Principal(ISSUER.id_of("ann"), "user", credential="jwks", person=ISSUER.id_of("ann"))


def test_sessions_are_told_from_login_codes_and_ended(database: Database) -> None:
    # given
    sessions = Sessions(database, KEY, ISSUER)
    LoginCodes(database).create("ann", "admin", 60)
    first, second = sessions.open(ANN, 60, agent="Firefox", address="192.0.2.7"), sessions.open(ANN, 60)
    sessions.open(ANN, -1)
    theirs = sessions.open(THEIR_ANN, 60)
    # then
    page = sessions.page(ANN, None, 1, 20)
    assert (page.total, {found.agent for found in page.items}) == (2, {"Firefox", None})
    assert sessions.page(THEIR_ANN, None, 1, 20).total == 1
    assert sessions.find(theirs) == THEIR_ANN
    # and when
    assert sessions.end_all(ANN, None, but=second) == 2  # one of them had ended by itself
    assert [sessions.find(secret) is None for secret in (first, second, theirs)] == [True, False, False]
    sessions.end(ANN, sessions.id_of(second))
    assert sessions.page(ANN, None, 1, 20).items == []
    assert database.login_codes.count({}) == 2  # the code, and the other ann's


def test_the_oldest_of_too_many_sessions_ends(database: Database) -> None:
    sessions = Sessions(database, KEY)
    code = LoginCodes(database).create("ann", "user", 60)
    other, oldest, second = (sessions.open(who, 60) for who in (Principal("bob", "user"), ANN, ANN))
    for number, secret in enumerate((oldest, second)):
        database.login_codes.change(sessions.id_of(secret), {}, {"created_at": float(number)})
    for _ in range(MAX_SESSIONS - 1):
        sessions.open(ANN, 60)
    assert [sessions.find(secret) is None for secret in (other, oldest, second)] == [False, True, False]
    assert LoginCodes(database).redeem(code) == ANN


def test_keys_end_with_their_issuer_and_all_together(database: Database) -> None:
    keys = ApiKeys(database, ISSUER)
    texts = [keys.create(maker, "CI")[1] for maker in (ANN, ANN, THEIR_ANN)]
    assert [keys.verify(text).user for text in texts] == ["ann", "ann", THEIR_ANN.user]
    assert [refused(ApiKeys(database), text) for text in texts] == [None, None, "auth.key_issuer"]
    assert keys.revoke_all(ANN, None) == 2
    assert [refused(keys, text) for text in texts] == ["auth.key_revoked", "auth.key_revoked", None]
    assert keys.revoke_all(Principal("root", "admin"), THEIR_ANN.user) == 1


def refused(keys: ApiKeys, text: str) -> str | None:
    """The code of the refusal, None when the key is good."""
    try:
        keys.verify(text)
    except Unauthenticated as error:
        return error.code
    return None


def test_a_user_is_known_by_what_is_theirs(database: Database) -> None:
    users = LocalUsers(database)
    assert [users.is_known(name) for name in ("Ann B", "Bob", "Eve")] == [False] * 3
    kept: Asset = an_asset(owner="Ann B", shared_with=["Bob"])
    database.assets.insert(kept)
    database.assets.insert(an_asset(owner=THEIR_ANN.user))
    ApiKeys(database).create(Principal("Eve", "user"), "CI")
    assert [users.is_known(name) for name in ("Ann B", "Bob", "Eve", "ann b")] == [True, True, True, False]
    assert users.odd_names() == ["Ann B", "Eve"]
    assert [users.resolve(name) for name in ("Ann B", "Bob", "Eve", "Zoe")] == ["Ann B", "Bob", "Eve", "zoe"]
