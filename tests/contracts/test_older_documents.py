"""Assets that were written before a field was there, or in another shape, are listed, found and played like others."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from mediaflow.domain.publication import FileType, Output
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.persistence import open_database
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.listing import AssetQuery, Listing
from mediaflow.services.ports import Database
from tests.services.records import CREATED, an_asset
from tests.services.world import editing_of

ANN = Principal("ann", "user")


def found(database: Database, **query: Any) -> list[str]:
    return [asset.title for asset in Listing(database).assets(ANN, AssetQuery(**query)).items]


def make_older(path: Path) -> None:
    """The file as the version before wrote it: no words, nothing beside the table, other indexes."""
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for table in ("assets_lists", "assets_brief", "jobs_brief"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE assets DROP COLUMN search")
        connection.execute("CREATE INDEX assets_state ON assets (state)")
        connection.execute("CREATE INDEX assets_owner_deleted_at_created_at ON assets (owner, deleted_at, created_at)")
        connection.commit()


class TestSqlite:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "documents.sqlite3"
        database = open_database(f"sqlite:{path}")
        for number in range(50):
            database.assets.insert(an_asset(title=f"Été {number}", tags=["sea"], created_at=CREATED + number))
        database.close()
        return path

    def test_an_older_file_is_brought_up_to_date(self, path: Path) -> None:
        make_older(path)
        database = open_database(f"sqlite:{path}")
        assert found(database, q="ete 17") == ["Été 17"]
        assert found(database, tag="sea", page_size=2) == ["Été 49", "Été 48"]
        assert Listing(database).totals(ANN).states["created"] == 50
        # and goes on as a new one
        asset = Listing(database).assets(ANN, AssetQuery(q="17")).items[0]
        editing_of(database).change(ANN, asset.id, {"title": "Winter"})
        assert (found(database, q="winter"), found(database, q="17")) == (["Winter"], [])
        assert database.assets.remove(asset.id)
        assert (found(database, q="winter"), found(database, tag="sea", page=49, page_size=1)) == ([], ["Été 0"])
        database.close()
        with closing(sqlite3.connect(path)) as connection:
            old = "SELECT count(*) FROM sqlite_schema WHERE tbl_name = 'assets' AND name = 'assets_state'"
            assert connection.execute(old).fetchone() == (0,)

    def test_an_up_to_date_file_is_not_written_when_it_is_opened(self, path: Path) -> None:
        before = path.read_bytes()
        database = open_database(f"sqlite:{path}")
        database.ping()
        database.close()
        assert path.read_bytes() == before

    @pytest.mark.parametrize("broken", ["TRIGGER assets_deleted", "TABLE assets_brief", "TABLE assets_lists"])
    def test_what_is_missing_beside_the_table_is_made_anew(self, path: Path, broken: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"DROP {broken}")
            connection.commit()
        database = open_database(f"sqlite:{path}")
        assert found(database, q="17", tag="sea") == ["Été 17"]
        assert found(database, page_size=1) == ["Été 49"]
        database.close()

    def test_vacuum_changes_nothing(self, path: Path) -> None:
        # given holes among the rows, which VACUUM may close
        database = open_database(f"sqlite:{path}")
        for asset in database.assets.find({}, sort=("created_at",), limit=20):
            database.assets.remove(asset.id)
        database.close()
        # when
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM")
        # then
        database = open_database(f"sqlite:{path}")
        for number in range(20, 50):
            assert found(database, q=f"ete {number}") == [f"Été {number}"]
        assert len(found(database, tag="sea", page_size=100)) == 30
        database.close()

    def test_the_search_index_is_sound_after_many_changes(self, path: Path) -> None:
        database = open_database(f"sqlite:{path}")
        for number, asset in enumerate(database.assets.find({})):
            if number % 3:
                editing_of(database).change(
                    ANN, asset.id, {"title": f"New {number}", "tags": [f"t{number}"] * (number % 2)}
                )
            else:
                database.assets.remove(asset.id)
        assert len(found(database, q="new", page_size=100)) == 33
        database.close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("INSERT INTO assets_lists(assets_lists) VALUES ('integrity-check')")
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_older_documents_of_mongodb_are_found_by_their_words(nx_server: str) -> None:
    url = f"mongodb://{nx_server}/older_documents"
    database = open_database(url)
    for number in range(12):
        database.assets.insert(an_asset(title=f"Été {number}"))
    database.close()
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    assets = client.get_default_database()["assets"]
    for document in list(assets.find()):
        del document["search"]
        assets.replace_one({"_id": document["_id"]}, document)
    assert assets.count_documents({"search": {"$exists": True}}) == 0
    database = open_database(url)
    assert found(database, q="ete 7") == ["Été 7"]
    assert {asset.rev for asset in database.assets.find({})} == {1}
    database.close()
    client.close()


# --- what schema 1 said of what is published

DOCUMENTS = Path(__file__).parents[1] / "data" / "documents"
Age = Callable[[str, dict[str, Any]], None]
"""Gives the asset of that id what it publishes, as schema 1 kept it."""
HLS, VTT = "application/vnd.apple.mpegurl", "text/vtt; charset=utf-8"


def document(name: str) -> dict[str, Any]:
    """A document as mediaflow of schema 1 really wrote it."""
    found: dict[str, Any] = json.loads((DOCUMENTS / name).read_text())
    return found


@pytest.fixture(params=["sqlite", "mongodb"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Database, Age]]:
    if request.param == "sqlite":
        path = tmp_path / "documents.sqlite3"
        database = open_database(f"sqlite:{path}")

        def age(asset_id: str, published: dict[str, Any]) -> None:
            with closing(sqlite3.connect(path)) as connection:
                values = (json.dumps(published), asset_id)
                connection.execute("UPDATE assets SET published = ?, schema = 1 WHERE id = ?", values)
                connection.commit()

        yield database, age
    else:
        url = f"mongodb://{request.getfixturevalue('nx_server')}/older_publications"
        database, client = open_database(url), MongoClient[dict[str, Any]](url)
        assets = client.get_default_database()["assets"]

        def age(asset_id: str, published: dict[str, Any]) -> None:
            assets.update_one({"_id": asset_id}, {"$set": {"published": published, "schema": 1}})

        yield database, age
        client.close()
    database.close()


@pytest.mark.parametrize(
    ("name", "outputs", "files"),
    [
        (
            "published-schema-1.json",
            [
                Output("hls", "manifest", "g1/captions.0742ef1950b974ac/master.m3u8", HLS),
                Output("thumbnail.jpg", "image", "g1/thumbnail.1/thumbnail.jpg", "image/jpeg"),
                Output("en", "captions", "g1/captions.0742ef1950b974ac/en.vtt", VTT, 92, "English"),
            ],
            {
                "g1/captions.0742ef1950b974ac/90p.m3u8": FileType("manifest", HLS),
                "g1/captions.0742ef1950b974ac/en.vtt": FileType("captions", VTT),
                "g1/thumbnail.1/thumbnail.jpg": FileType("image", "image/jpeg"),
                "g1/video-0.1/90p/00000.m4s": FileType("media", "video/mp4"),
                "g1/audio.1/audio-64k/00000.m4s": FileType("media", "audio/mp4"),
                "g1/audio.1/audio-64k/init.mp4": FileType("media", "audio/mp4"),
                # a step's page, as it was sent then: to be kept
                "g1/video-0.1/page.html": FileType("file", "application/octet-stream"),
                # who began before the captions came
                "g1/package.1/master.m3u8": FileType("manifest", HLS),
                "g1/video-0.2/90p/00000.m4s": None,
                "g1/video-0.1/artifacts.json": None,
                "g2/video-0.1/90p/00000.m4s": None,
            },
        ),
        (
            "published-schema-1-oldest.json",
            [
                Output("hls", "manifest", "g2/publish.1/master.m3u8", HLS),
                Output("dash", "manifest", "g2/publish.1/manifest.mpd", "application/dash+xml"),
                Output("thumbnail.jpg", "image", "g2/thumbnail.1/thumbnail.jpg", "image/jpeg"),
                Output("storyboard.vtt", "storyboard", "g2/storyboard.1/storyboard.vtt", VTT),
            ],
            {
                "g2/publish.1/1080p.m3u8": FileType("manifest", HLS),
                "g2/video-0.1/1080p/00000.m4s": FileType("media", "video/mp4"),
                "g2/audio.1/a/00000.m4s": FileType("media", "audio/mp4"),
                # the generation before, until it is swept
                "g1/audio.1/a/00000.m4s": FileType("media", "audio/mp4"),
                "g1/publish.1/master.m3u8": FileType("manifest", HLS),
                "g3/publish.1/master.m3u8": None,
                "g01/publish.1/master.m3u8": None,
                "g2/video-0.1/artifacts.json": None,
            },
        ),
    ],
)
def test_what_schema_1_published_is_published(
    older: tuple[Database, Age], name: str, outputs: list[Output], files: dict[str, FileType | None]
) -> None:
    database, age = older
    asset = an_asset(generation=2)
    database.assets.insert(asset)
    age(asset.id, document(name))

    found = database.assets.get(asset.id)
    assert found is not None
    assert (found.schema, database.assets.peek(asset.id, ("published",))) == (1, {"published": found.published})
    assert found.published is not None
    assert list(found.published.outputs) == outputs
    assert {path: found.published.file(path, 1e10) for path in files} == files

    # a change of something else leaves it as it is, one of this writes it anew
    other = database.assets.change(asset.id, {}, {"title": "Winter"})
    assert other is not None
    assert (other.schema, other.published) == (1, found.published)
    anew = database.assets.change(asset.id, {}, {"published": found.published})
    assert anew is not None
    assert (anew.schema, anew.published) == (SCHEMA_VERSION, found.published)
