"""A database that the first version wrote (schema 1), with users of an outside issuer among local ones of their names.

`first-version.json` tells what is in it: the ids of assets by who made them, API keys, and sessions' cookies.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from mediaflow.app import create_app
from mediaflow.domain.older import CHANGES
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.embedded.checks import run_checks
from mediaflow.services.access.outside import outside_id
from mediaflow.services.access.principals import Role
from mediaflow.services.access.users import LocalUsers
from mediaflow.services.integrity.migration import Migration
from tests.api.issuer import AUDIENCE, Issuer, rsa_key, running_issuer
from tests.api.site import Api, Site, is_problem
from tests.contracts.olderfiles import DOCUMENTS, copy_to_mongo, unpack
from tests.services.world import make_world

FACTS: Final[dict[str, Any]] = json.loads((DOCUMENTS / "first-version.json").read_text())
ASSETS, KEYS, ISSUER = FACTS["assets"], FACTS["keys"], FACTS["issuer"]
House = Callable[..., Site]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        running.publish(first=rsa_key("one"))
        yield running


@pytest.fixture
def trusted(issuer: Issuer) -> dict[str, str]:
    return {"jwks_url": issuer.url, "jwks_issuer": ISSUER, "jwks_audience": AUDIENCE}


@pytest.fixture(params=["sqlite", "mongodb"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Starts this version over the documents of the first one, as often as it is asked to."""
    file, worlds, more = tmp_path / "data" / "mediaflow.db", list[Any](), dict[str, str]()
    file.parent.mkdir()
    unpack("first-version", file)
    if request.param == "mongodb":
        url = f"mongodb://{request.getfixturevalue('nx_server')}/first_version_{abs(hash(tmp_path))}"
        copy_to_mongo(file, url)
        file.unlink()
        more["database_url"] = url

    def start(**settings: str) -> Site:
        worlds.append(make_world(tmp_path / "data", jwt_key=FACTS["jwt_key"], **more, **settings))
        runtime = worlds[-1].runtime
        return Site(worlds[-1], create_app(runtime.settings, runtime).test_client(use_cookies=False))

    yield start
    for world in worlds:
        world.runtime.close()


def outsider(site: Site, issuer: Issuer, subject: str) -> Api:
    return Api(site.client, issuer.mint(rsa_key("one"), "first", sub=subject, iss=ISSUER))


def older(site: Site, name: str, role: Role = "user") -> Api:
    return Api(site.client, site.world.runtime.tokens.mint(name, role, 60, older=True))


def doctors(site: Site) -> tuple[str, str]:
    """What `mediaflow doctor` says of the users."""
    runtime = site.world.runtime
    checks = {check.name: check for check in run_checks(runtime.settings, runtime.plugins)}
    return checks["users"].state, checks["users"].detail


def titles(api: Api) -> list[str]:
    answer = api.get("/assets?sort=title")
    assert answer.status_code == 200, answer.text
    return [asset["title"] for asset in answer.get_json()["items"]]


def test_bare_names_stay_local_ones(house: House) -> None:
    site = house()
    # nobody can tell any more which of the two made which
    assert titles(site.as_user("admin")) == ["Of local admin", "Of outside admin"]
    assert titles(site.as_user("ann")) == ["Of local ann", "Of outside ann"]
    for name in KEYS:
        assert Api(site.client, KEYS[name]).get("/assets").status_code == 200, name
    shares = site.as_user("ann").get(f"/assets/{ASSETS['local ann']}/shares").get_json()
    assert shares == {"users": ["Bob", "carol"]}


def test_who_starts_it_is_told_once_what_happens_to_the_file(tmp_path: Path) -> None:
    """Seen: a database was brought up to date, one way, and nobody was told."""
    file = tmp_path / "mediaflow.db"
    unpack("first-version", file)
    # a command that looks into the documents, as `up` does before it starts anything
    command = [sys.executable, "-m", "mediaflow", "token", "--json", "--data-dir", str(tmp_path), "--user", "Ann B"]
    first, second = (
        subprocess.run([*command, "--older-name"], capture_output=True, text=True, check=True) for _ in range(2)
    )
    json.loads(first.stdout)  # which is nothing else
    (told,) = first.stderr.splitlines()
    assert f"{file} is brought from schema 1 to {SCHEMA_VERSION}, which older versions of mediaflow can't open" in told
    assert "everybody must sign in again, API keys without an end get one" in told
    assert f"a copy of {tmp_path} that was made before" in told
    assert second.stderr == ""
    # who raises the schema says what that means
    assert CHANGES.keys() == set(range(2, SCHEMA_VERSION + 1))


def test_names_that_are_none_today_are_told_and_go_on(house: House) -> None:
    site = house()
    assert LocalUsers(site.world.runtime.database).odd_names() == ["Ann B", "admin "]
    assert titles(older(site, "Ann B")) == ["Of Ann B"]
    assert titles(older(site, "admin ")) == ["Of admin space"]
    assert Api(site.client, KEYS["Ann B"]).get(f"/assets/{ASSETS['Ann B']}").get_json()["owner"] == "Ann B"
    assert older(site, "Bob").get(f"/assets/{ASSETS['local ann']}").status_code == 200
    is_problem(older(site, "admin  ").get("/assets"), 401)
    state, detail = doctors(site)
    assert state == "warning"
    assert "2 names of older versions can't be given to anybody today: 'Ann B', 'admin '" in detail
    assert "API keys" not in detail


def test_an_outside_admin_has_nothing_of_the_local_ones(house: House, trusted: dict[str, str], issuer: Issuer) -> None:
    site = house(**trusted)
    stranger = outsider(site, issuer, "admin")
    assert titles(stranger) == []
    for who in ("local admin", "outside admin"):
        is_problem(stranger.get(f"/assets/{ASSETS[who]}"), 404)
    assert titles(site.as_user("admin")) == ["Of local admin", "Of outside admin"]
    # keys and sessions that don't tell whose they are end where somebody else could have made them
    for name in KEYS:
        is_problem(Api(site.client, KEYS[name]).get("/assets"), 401, "auth.key_issuer")
    assert "3 API keys don't tell whose issuer" in doctors(site)[1]
    # they were made on a day that is over: as if it were not
    codes = site.world.runtime.database.login_codes
    for record in (sessions := codes.find({"user": "ann"})):
        codes.change(record.id, {}, {"expires_at": site.world.runtime.database.now() + 1000})
    assert len(sessions) == len(FACTS["sessions"]) == 2
    for secret in FACTS["sessions"].values():
        answer = site.client.get("/api/v1/session", headers={"Cookie": f"mediaflow_session={secret}"})
        is_problem(answer, 401)
    assert site.as_user("ann").get("/sessions").get_json()["items"] == []


def test_what_can_not_tell_its_issuer_can_not_after_a_migration_either(
    house: House, trusted: dict[str, str], issuer: Issuer
) -> None:
    migration = Migration(house(**trusted).world.runtime.database)
    assert "assets" in {brought.kind for brought in migration.run()}
    assert migration.waiting() == {}
    assert migration.kept() == len(KEYS) + len(FACTS["sessions"])
    test_an_outside_admin_has_nothing_of_the_local_ones(house, trusted, issuer)


def test_the_operator_gives_a_name_back(house: House, trusted: dict[str, str], issuer: Issuer, tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps({ISSUER: {"ann": "ann"}}))
    site = house(**trusted, jwks_users_file=str(names))
    assert titles(outsider(site, issuer, "ann")) == ["Of local ann", "Of outside ann"]
    assert titles(outsider(site, issuer, "admin")) == []
    mine = outsider(site, issuer, "admin").announce()["asset_id"]
    assert outsider(site, issuer, "admin").get(f"/assets/{mine}").get_json()["owner"] == outside_id(ISSUER, "admin")
