"""What MongoDB alone has to promise; no server is needed here."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from functools import partial
from typing import Any

import mongomock
import pytest
from mongoengine.errors import OperationError
from mongomock.store import ServerStore
from pymongo import MongoClient, errors

from mediaflow.domain.credentials import LoginCode
from mediaflow.domain.errors import ConfigurationError, Unavailable
from mediaflow.persistence import open_database
from mediaflow.persistence.mongo import MongoDatabase
from mediaflow.persistence.mongo.errors import translation


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
