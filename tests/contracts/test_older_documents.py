"""Assets that were written before a field was there are listed and found like the others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from mediaflow.persistence import open_database
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.editing import Editing
from mediaflow.services.assets.listing import AssetQuery, Listing
from mediaflow.services.ports import Database
from tests.services.records import CREATED, an_asset
from tests.services.world import Heard

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
        Editing(database, Heard()).change(ANN, asset.id, {"title": "Winter"})
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
                Editing(database, Heard()).change(
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
