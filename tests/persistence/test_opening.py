"""Which database a URL means, and the sentences for those that mean none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaflow.domain.errors import ConfigurationError
from mediaflow.persistence import open_database
from mediaflow.persistence.mongo import MongoDatabase
from mediaflow.persistence.sqlite import SqliteDatabase


@pytest.mark.parametrize("slashes", ["", "//"])
def test_an_absolute_path_is_a_file_of_sqlite(tmp_path: Path, slashes: str) -> None:
    database = open_database(f"sqlite:{slashes}{tmp_path}/a.sqlite3")
    database.ping()
    database.close()
    assert isinstance(database, SqliteDatabase)
    assert (tmp_path / "a.sqlite3").is_file()


def test_a_relative_path_means_the_directory_at_the_time_of_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:data/a.sqlite3")
    monkeypatch.chdir("/")
    database.ping()
    database.close()
    assert (tmp_path / "data" / "a.sqlite3").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://127.0.0.1:1/mediaflow",
        "mongodb://ann:p%40ss@a:1,b:2/mediaflow?replicaSet=rs",
        "mongodb+srv://h.example/db",
    ],
)
def test_opening_a_mongodb_connects_to_nothing(url: str) -> None:
    database = open_database(url)
    assert isinstance(database, MongoDatabase)
    database.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "write sqlite:PATH or mongodb://"),
        ("postgres://ann:secret@host/db", "postgres://host/db"),
        ("/var/lib/mediaflow.db", "write sqlite:PATH"),
        ("sqlite:", "names no file"),
        ("sqlite::memory:", "names no file"),
        ("sqlite://mediaflow.db", "names no file"),
        ("sqlite:/no/such/directory/m.sqlite3", "no directory /no/such/directory"),
        ("sqlite:/tmp", "/tmp is a directory"),
        ("mongodb://host:27017", "names no database"),
        ("mongodb://ann:secret@host:27017/", "names no database"),
        ("mongodb://ann:secret@host:port/db", "host:port/db"),
        ("mongodb://ann:secret@a:1,b:1/db?directConnection=true", "a:1,b:1/db"),
    ],
)
def test_any_other_url_is_refused_with_the_setting_the_value_and_the_way_out(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        open_database(url)
    assert error.value.detail.startswith("MEDIAFLOW_DATABASE_URL: ")
    assert says in error.value.detail
    assert "secret" not in error.value.detail
