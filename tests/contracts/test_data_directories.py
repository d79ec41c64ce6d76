"""Data directories as each older schema left them, with their objects: they play, are brought up to date, and go on.

Four assets of ann's are in each: published, waiting for its job, to be assembled, and announced.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from mediaflow.app import create_app
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.persistence import open_database
from mediaflow.persistence.tables import TABLES
from mediaflow.services.integrity.migration import KINDS, Migration
from tests.api.site import Site
from tests.contracts.olderfiles import DOCUMENTS, copy_to_mongo
from tests.services.pipeline import Pipeline
from tests.services.world import make_world

OLDER = tuple(range(1, SCHEMA_VERSION))


@dataclass
class Left:
    """What an older version left, opened by this one. `url` is of the MongoDB that holds its documents, if one does."""

    pipeline: Pipeline
    schema: int
    url: str

    @property
    def migration(self) -> Migration:
        return Migration(self.pipeline.world.runtime.database)


@pytest.fixture(params=[(schema, backend) for schema in OLDER for backend in ("sqlite", "mongodb")], ids=str)
def left(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Left]:
    (schema, backend), url, more = request.param, "", dict[str, str]()
    with tarfile.open(DOCUMENTS / f"data-directory-{schema}.tar.gz") as archive:
        archive.extractall(tmp_path / "data", filter="data")
    if backend == "mongodb":
        url = f"mongodb://{request.getfixturevalue('nx_server')}/left_{schema}_{abs(hash(tmp_path))}"
        copy_to_mongo(tmp_path / "data" / "mediaflow.db", url)
        (tmp_path / "data" / "mediaflow.db").unlink()
        more["database_url"] = url
    world = make_world(tmp_path / "data", **more)
    yield Left(Pipeline(world), schema, url)
    world.runtime.close()


def played(left: Left) -> dict[str, bytes]:
    """What viewers get of the assets that can be played, by state."""
    runtime = left.pipeline.world.runtime
    client = create_app(runtime.settings, runtime).test_client(use_cookies=False)
    found = {}
    for item in Site(left.pipeline.world, client).as_user("ann").get("/assets?state=ready").get_json()["items"]:
        token, at = runtime.stream_tokens.mint(left.pipeline.asset(item["id"]))[0], f"{item['id']}/g1"
        for path in ("package.1/master.m3u8", "video-0.1/0.m4s"):
            answer = client.get(f"/stream/{token}/{at}/{path}")
            assert answer.status_code == 200, answer.text
            found[path] = answer.data
    return found


def test_they_play_are_brought_up_to_date_once_and_go_on(left: Left) -> None:
    runtime = left.pipeline.world.runtime
    parts = {"package.1/master.m3u8": b"x", "video-0.1/0.m4s": b"x"}
    assert played(left) == parts
    waiting = left.migration.waiting()
    assert {kind: waiting[kind] for kind in ("uploads", "assets", "jobs")} == {"uploads": 4, "assets": 4, "jobs": 2}
    assert {asset.schema for asset in runtime.database.assets.find({})} == {left.schema}

    assert {brought.kind: brought.documents for brought in left.migration.run()} == waiting
    assert (left.migration.waiting(), list(left.migration.run())) == ({}, [])
    if left.url:
        with MongoClient[dict[str, Any]](left.url) as client:
            for table in (table for table in TABLES if waiting.get(table.name)):
                names = {field.name for field in fields(table.record)} - {"id"} | {"_id"}
                for document in client.get_default_database()[table.name].find():
                    # what is known no more stays
                    assert names - document.keys() == set(), table.name

    assert played(left) == parts
    fsck = runtime.fsck(deep=True)
    fsck.grace_seconds = 0
    assert [finding for finding in fsck.findings() if not finding.note] == []
    left.pipeline.work()
    assert runtime.database.assets.count({"state": "ready"}) == 2


def test_documents_are_brought_up_to_date_beside_others_who_change_them(left: Left) -> None:
    database = left.pipeline.world.runtime.database
    other = open_database(left.url or f"sqlite:{left.pipeline.world.runtime.settings.data_path / 'mediaflow.db'}")
    before = {asset.id: asset.rev for asset in database.assets.find({})}
    read = database.assets.find

    def find(*conditions: Any, **options: Any) -> list[Any]:
        page = read(*conditions, **options)
        for asset in page:
            other.assets.change(asset.id, {}, {"title": f"Of {asset.id}"})
        return page

    database.assets.find = find  # type: ignore[method-assign]
    # killed after its first page
    next(brought for brought in left.migration.run() if brought.kind == "assets")
    database.assets.find = read  # type: ignore[method-assign]
    assert {asset.id: (asset.title, asset.schema, asset.rev) for asset in database.assets.find({})} == {
        asset_id: (f"Of {asset_id}", SCHEMA_VERSION, rev + 2) for asset_id, rev in before.items()
    }
    assert {"tasks", "jobs"} <= left.migration.waiting().keys()
    assert list(left.migration.run())
    assert left.migration.waiting() == {}
    other.close()


def test_all_kinds_of_documents_are_brought_up_to_date() -> None:
    assert set(KINDS) == {table.name for table in TABLES}
