"""`mediaflow token`: how long a token lasts and what it opens."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from mediaflow.services.access.jwt_form import opened
from mediaflow.services.access.principals import SCOPES, Principal
from mediaflow.services.access.tokens import Tokens
from tests.cli.conftest import Run

KEY = "a key of the tests, 32 bytes and more"
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
