"""`mediaflow token`: how long a token lasts and what it opens."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mediaflow.persistence import open_database
from mediaflow.services.access.jwt_form import opened
from mediaflow.services.access.principals import SCOPES, Principal
from mediaflow.services.access.tokens import Tokens
from tests.cli.conftest import Run
from tests.services.records import a_published_asset

KEY = "a key of the tests, 32 bytes and more"
AWAY = "mongodb://127.0.0.1:1/mediaflow?serverSelectionTimeoutMS=100"
TOKENS = Tokens(KEY.encode(), "mediaflow", "mediaflow")


def test_a_token_can_be_limited(run: Run) -> None:
    scopes = ("--scope", "uploads:write", "--scope", "assets:read")
    done = run("token", "--user", "ann", *scopes, "--json", MEDIAFLOW_JWT_KEY=KEY)
    document = json.loads(done.out)
    assert document["scopes"] == ["assets:read", "uploads:write"]
    assert TOKENS.verify(document["token"]) == Principal("ann", "user", frozenset(document["scopes"]))


def test_a_token_that_is_not_limited_opens_everything(run: Run) -> None:
    done = run("token", "--user", "ann", MEDIAFLOW_JWT_KEY=KEY)
    assert TOKENS.verify(done.out.strip()).scopes == set(SCOPES)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ([], 86_400),
        (["--expires", "45s"], 45),
        (["--expires", "90m"], 5400),
        (["--expires", "12h"], 43_200),
        (["--expires", "30d"], 30 * 86_400),
        (["--hours", "0.5"], 1800),
    ],
)
def test_a_token_ends_when_it_is_wanted_to(run: Run, options: list[str], seconds: int) -> None:
    done = run("token", "--user", "ann", *options, MEDIAFLOW_JWT_KEY=KEY)
    claims = opened(done.out.strip()).claims
    assert claims["exp"] - claims["iat"] == pytest.approx(seconds, abs=1)


def test_a_token_ends_at_a_time_of_day(run: Run) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    done = run("token", "--user", "ann", "--expires", end.isoformat(), MEDIAFLOW_JWT_KEY=KEY)
    assert opened(done.out.strip()).claims["exp"] == pytest.approx(end.timestamp(), abs=1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--scope", "everything"], "'everything' is not one of"),
        (["--expires", "soon"], "neither a span"),
        (["--expires", "2050-01-01T00:00:00"], "neither a span"),
        (["--expires", "0s"], "is not within the next"),
        (["--expires", "99999d"], "is not within the next"),
        (["--expires", "2020-01-01T00:00:00Z"], "is not within the next"),
        (["--expires", "1h", "--hours", "1"], "say the same"),
        (["--hours", "nan"], "is no number"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(run: Run, options: list[str], sentence: str) -> None:
    done = run("token", "--user", "ann", *options, MEDIAFLOW_JWT_KEY=KEY)
    assert done.code == 2
    assert sentence in done.err
    assert done.out == ""


def test_a_name_that_is_written_otherwise_is_told(run: Run) -> None:
    done = run("token", "--user", "Ann", MEDIAFLOW_JWT_KEY=KEY)
    assert "'Ann' is written 'ann'" in done.err
    assert "--older-name" in done.err
    assert run("token", "--user", "ann", MEDIAFLOW_JWT_KEY=KEY).err == ""


def test_a_name_that_a_service_would_refuse_is_refused_where_the_token_is_made(run: Run, tmp_path: Path) -> None:
    """Seen: a token for a look-alike name was made, and refused by the service without a word."""
    sara = "\u0441\u0430\u0440\u0430"  # Cyrillic, which people may read as `capa`
    here = {"MEDIAFLOW_JWT_KEY": KEY, "MEDIAFLOW_DATA_DIR": str(tmp_path)}
    # nobody can tell where there are no documents
    for options in (["--user", sara], ["--user", "Nobody B", "--older-name"]):
        assert run("token", *options, **here).code == 0

    database = open_database(f"sqlite:{tmp_path}/mediaflow.db")
    for owner in ("capa", "Ann B"):
        database.assets.insert(a_published_asset(owner=owner))
    database.close()
    for options, sentence in (
        (["--user", sara], "it looks like 'capa', who is somebody else"),
        (["--user", "ann b"], "it must have no spaces"),
        (["--user", "Nobody B", "--older-name"], "it must have no spaces"),
        (["--user", "Nobody", "--older-name"], "nothing here belongs to 'Nobody'"),
    ):
        done = run("token", *options, **here)
        assert (done.code, done.out) == (1, "")
        assert sentence in done.err
    assert run("token", "--user", "Ann B", "--older-name", **here).code == 0
    away = run("token", "--user", sara, **here, MEDIAFLOW_DATABASE_URL=AWAY)
    assert TOKENS.verify(away.out.strip()).user == sara
    assert "can't be told: " in away.err
