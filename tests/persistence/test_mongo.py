"""What MongoDB alone has to promise; no server is needed here."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from functools import partial
from types import SimpleNamespace
from typing import Any

import mongomock
import pytest
from mongoengine.errors import OperationError
from mongomock.store import ServerStore
from pymongo import MongoClient, errors

from mediaflow.domain.credentials import LoginCode
from mediaflow.domain.errors import ConfigurationError, Unavailable
from mediaflow.domain.older import WRITTEN_BESIDE, changes_since
from mediaflow.domain.publication import Publication
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.persistence import open_database
from mediaflow.persistence.mongo import MongoDatabase, schemamark
from mediaflow.persistence.mongo.errors import translation
from mediaflow.persistence.mongo.schemamark import LOOK_SECONDS
from tests.services.records import an_asset


@pytest.fixture
def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
    return port


def code(record_id: str = "c") -> LoginCode:
    return LoginCode(id=record_id, user="ann", role="user", created_at=1.0, expires_at=2.0)


class TestADatabaseThatIsDown:
    def test_it_is_unavailable_within_six_seconds(self, closed_port: int) -> None:
        database = open_database(f"mongodb://127.0.0.1:{closed_port}/mediaflow")
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=f"127.0.0.1:{closed_port}"):
            database.ping()
        assert time.monotonic() - begun < 6
        database.close()

    @pytest.mark.parametrize("operation", ["insert", "get", "change", "find", "count", "remove"])
    def test_no_operation_lets_an_error_of_the_driver_out(self, closed_port: int, operation: str) -> None:
        url = f"mongodb://ann:secret@127.0.0.1:{closed_port}/mediaflow?serverSelectionTimeoutMS=50"
        database = open_database(url)
        arguments: dict[str, tuple[Any, ...]] = {
            "insert": (code(),),
            "find": ({},),
            "count": ({},),
            "change": ("c", {}, {}),
        }
        with pytest.raises(Unavailable) as error:
            getattr(database.login_codes, operation)(*arguments.get(operation, ("c",)))
        assert "secret" not in error.value.detail
        assert error.value.code == "database.unavailable"
        database.close()


@pytest.mark.parametrize("options", ["", "?w=0&journal=false"])
def test_writes_wait_for_the_journals_of_a_majority_whatever_the_url_says(closed_port: int, options: str) -> None:
    made: list[MongoClient[dict[str, Any]]] = []

    def remembered(url: str, **given: Any) -> MongoClient[dict[str, Any]]:
        made.append(MongoClient(url, **given | {"serverSelectionTimeoutMS": 50}))
        return made[-1]

    database = MongoDatabase(f"mongodb://127.0.0.1:{closed_port}/mediaflow{options}", mongo_client_class=remembered)
    with pytest.raises(Unavailable):
        database.ping()
    database.close()
    assert [client.write_concern.document for client in made] == [{"w": "majority", "j": True}]


class TestOtherVersions:
    @pytest.fixture
    def store(self) -> Any:
        return partial(mongomock.MongoClient, _store=ServerStore())  # type: ignore[no-untyped-call]

    def test_a_field_of_a_newer_version_is_passed_over_and_kept(self, store: Any) -> None:
        # given
        database = MongoDatabase("mongodb://mock/test", mongo_client_class=store)
        database.login_codes.insert(code())
        documents = store("mongodb://mock/test")["test"]["login_codes"]
        documents.update_one({"_id": "c"}, {"$set": {"added_later": {"x": 1}}})
        # when
        changed = database.login_codes.change("c", {"used_at": None}, {"used_at": 5})
        # then
        assert changed is not None
        assert changed.used_at == 5.0
        assert documents.find_one({"_id": "c"})["added_later"] == {"x": 1}
        database.close()

    def test_a_document_that_is_older_than_a_field_has_its_default(self, store: Any) -> None:
        database = MongoDatabase("mongodb://mock/test", mongo_client_class=store)
        documents = store("mongodb://mock/test")["test"]["login_codes"]
        documents.insert_one({"_id": "c", "user": "ann", "role": "user", "created_at": 1.0, "expires_at": 2.0})
        assert database.login_codes.get("c") == code()
        assert database.login_codes.find({"used_at": None}) == [code()]
        database.close()


class TestTheMark:
    """What says which schema documents are written with."""

    @pytest.fixture
    def store(self) -> Any:
        return partial(mongomock.MongoClient, _store=ServerStore())  # type: ignore[no-untyped-call]

    @pytest.fixture
    def documents(self, store: Any) -> Any:
        return store("mongodb://mock/test")["test"]

    def test_a_database_of_a_newer_version_is_left_alone(self, store: Any, documents: Any) -> None:
        documents["meta"].insert_one({"_id": "schema", "version": 999, "told": 999})
        database = MongoDatabase("mongodb://mock/test", mongo_client_class=store)
        said = f"mock/test was written by a newer mediaflow .schema 999, this one knows {SCHEMA_VERSION}.: install that"
        with pytest.raises(ConfigurationError, match=said):
            database.ping()
        database.close()
        assert documents.list_collection_names() == ["meta"]

    def test_who_runs_when_a_newer_version_comes_is_refused_soon(
        self, store: Any, documents: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = MongoDatabase("mongodb://mock/test", mongo_client_class=store)
        database.ping()
        assert documents["meta"].find_one() == {"_id": "schema", "version": SCHEMA_VERSION, "told": SCHEMA_VERSION}
        documents["meta"].update_one({"_id": "schema"}, {"$set": {"version": 999}})
        monkeypatch.setattr(schemamark, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + LOOK_SECONDS))
        with pytest.raises(Unavailable, match="newer mediaflow") as refused:
            database.login_codes.insert(code())
        assert refused.value.code == "database.newer"
        assert documents["login_codes"].count_documents({}) == 0
        database.close()

    def test_documents_are_written_for_older_versions_until_the_mark_is_raised(
        self, store: Any, documents: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        documents["login_codes"].insert_one({"_id": "old", "created_at": 0.5, "schema": WRITTEN_BESIDE})
        database, other = (MongoDatabase("mongodb://mock/test", mongo_client_class=store) for _ in range(2))
        asset = an_asset(published=Publication(1, (), (), 1.0))
        for opened in (database, other):
            opened.ping()
        database.assets.insert(asset)
        database.assets.change(asset.id, {}, {"published": Publication(2, (), (), 1.0)})
        assert documents["assets"].find_one()["schema"] == WRITTEN_BESIDE
        # told once, whoever opens it
        (told,) = caplog.messages
        assert f"mock/test is of schema {WRITTEN_BESIDE}, and versions of mediaflow that know no newer one may" in told
        assert changes_since(WRITTEN_BESIDE) in told
        database.raise_schema()
        database.assets.change(asset.id, {}, {"published": Publication(3, (), (), 1.0)})
        database.login_codes.insert(code("new"))
        assert documents["assets"].find_one()["schema"] == SCHEMA_VERSION
        assert documents["login_codes"].find_one({"_id": "new"})["schema"] == SCHEMA_VERSION
        database.close()
        other.close()


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (errors.OperationFailure("no", code=18), ConfigurationError),
        (errors.OperationFailure("not authorized on db", code=13), ConfigurationError),
        (errors.ConfigurationError("no such host"), ConfigurationError),
        (errors.AutoReconnect("connection reset"), Unavailable),
        (errors.NotPrimaryError("not primary"), Unavailable),
        (errors.WTimeoutError("waiting for replication timed out", code=64), Unavailable),
        (errors.OperationFailure("shutdown", code=11600), Unavailable),
        (errors.OperationFailure("unknown operator", code=2), type(None)),
        (errors.DocumentTooLarge("16 MB"), type(None)),
    ],
)
def test_errors_of_the_driver_become_ours_or_stay_as_they_are(error: Exception, ours: type[Any]) -> None:
    assert type(translation("host/db", error)) is ours
    assert type(translation("host/db", wrapped(error))) is ours


def wrapped(error: Exception) -> Exception:
    """The error as MongoEngine raises it."""
    try:
        try:
            raise error
        except errors.OperationFailure:
            raise OperationError("Update failed")  # noqa: B904
    except Exception as outer:
        return outer
