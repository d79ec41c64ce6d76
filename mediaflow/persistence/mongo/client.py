"""One client for each process and database: made when it is needed, never shared over a fork."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from mongoengine.errors import MongoEngineException
from mongoengine.queryset import QuerySet
from pymongo import IndexModel, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import InvalidOperation, PyMongoError, ServerSelectionTimeoutError
from pymongo.uri_parser import parse_uri

from mediaflow.domain.errors import ConfigurationError, Unavailable
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.persistence.derived import DERIVED, Derived
from mediaflow.persistence.forks import watch_forks
from mediaflow.persistence.mongo.documents import DOCUMENTS, Record
from mediaflow.persistence.mongo.errors import CODE, translation
from mediaflow.persistence.mongo.schemamark import SchemaMark
from mediaflow.persistence.rest import Rest

ClientClass = Callable[..., MongoClient[dict[str, Any]]]

_ALWAYS: Final[Mapping[str, Any]] = {
    # what was acknowledged is in the journals of a majority, and stays when a primary is lost
    "w": "majority",
    "journal": True,
    # `hello` answers with a time zone then
    "tz_aware": True,
}
_UNLESS_IN_URL: Final[Mapping[str, Any]] = {
    "appname": "mediaflow",
    # a database that is down is reported within 3 s; one that hangs within 10 s: it is asked whether it is there every
    # 5 s, has 2 s to answer, and then another is looked for (measured: with the driver's own, 15 s)
    "serverSelectionTimeoutMS": 3_000,
    "connectTimeoutMS": 2_000,
    "heartbeatFrequencyMS": 5_000,
    # one that answers the driver and not the question
    "socketTimeoutMS": 20_000,
}
REST_SECONDS: Final = 1.0
"""What a request asks after it was told that the database is away, and the requests behind it, are told so at once."""


class MongoConnection:
    """The database that a URL names. `where` is its host and name, without user and password."""

    def __init__(self, url: str, client_class: ClientClass) -> None:
        parts = urlsplit(url)
        self.where = f"{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._url = url
        self._name = _checked_name(url, self.where)
        given = {name.lower() for name, _ in parse_qsl(parts.query)}
        self._options = dict(_ALWAYS) | {k: v for k, v in _UNLESS_IN_URL.items() if k.lower() not in given}
        self._client_class = client_class
        self._client: MongoClient[dict[str, Any]] | None = None
        self._lock = threading.Lock()
        self._rest = Rest(REST_SECONDS)
        self._indexed = False
        self._mark = SchemaMark(self.where)
        self._closed = False
        watch_forks(self)

    @contextmanager
    def documents(self, document: type[Record]) -> Iterator[Any]:
        """All documents of a class as a MongoEngine QuerySet, for one operation.

        The class itself is bound to no connection, so that several databases can be open in one process.
        """
        with self.database() as database:
            yield QuerySet(document, database[document._meta["collection"]])

    @contextmanager
    def database(self) -> Iterator[Database[dict[str, Any]]]:
        """The driver's database, for one operation; its errors become ours."""
        if not self._rest.may_try():
            raise Unavailable(f"the database at {self.where} did not answer a moment ago", code=CODE)
        try:
            database = self._connected()
            self._mark.look(database)
            if not self._indexed:
                # not under the lock: threads must not queue at a server that is down. Doing it twice does no harm
                _make_indexes(database)
                self._indexed = True
            yield database
            self._rest.worked()
        except (PyMongoError, MongoEngineException) as error:
            if self._closed and isinstance(error, InvalidOperation):
                raise self._after_close() from error
            # not one question that took too long: nobody is there
            if isinstance(error, ServerSelectionTimeoutError):
                self._rest.failed()
            ours = translation(self.where, error)
            if ours is None:
                raise
            raise ours from error

    def schema_of(self, schema: int) -> int:
        """What a document is written with that should have this schema, during an operation: the mark at most."""
        return self._mark.version if schema == SCHEMA_VERSION else schema

    def raise_schema(self) -> None:
        """From now on that is the newest one."""
        with self.database() as database:
            self._mark.raise_it(database)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._drop()

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """The sockets are the parent's: closing our copies tells the server nothing."""
        self._drop()
        self._lock.release()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Database[dict[str, Any]]:
        with self._lock:
            if self._closed:
                raise self._after_close()
            if self._client is None:
                self._client = self._client_class(self._url, **self._options)
            return self._client[self._name]

    def _after_close(self) -> Unavailable:
        return Unavailable(f"the database at {self.where} was closed", code=CODE)


def _checked_name(url: str, where: str) -> str:
    """The name of the database; ConfigurationError when the URL has none or is wrong in another way."""
    name = unquote(urlsplit(url).path.removeprefix("/"))
    if not name:
        raise ConfigurationError(
            f"MEDIAFLOW_DATABASE_URL: the URL with {where} names no database; end it with one, such as /mediaflow"
        )
    if not url.startswith("mongodb+srv:"):  # those can be read with the help of a name server only
        try:
            parse_uri(url, validate=True, warn=False)
        except (PyMongoError, ValueError) as error:
            raise ConfigurationError(f"MEDIAFLOW_DATABASE_URL: {where} is no URL of a MongoDB: {error}") from error
    return name


def _make_indexes(database: Database[dict[str, Any]]) -> None:
    for document in DOCUMENTS.values():
        models = [IndexModel(spec["fields"]) for spec in document._meta["index_specs"]]
        collection = database[document._meta["collection"]]
        collection.create_indexes(models)
        for derived in DERIVED.get(collection.name, ()):
            _fill(collection, derived)


def _fill(collection: Collection[dict[str, Any]], derived: Derived) -> None:
    """Documents that are older than the field get it, unless somebody changes them meanwhile (the next start does)."""
    for found in collection.find({derived.field: {"$exists": False}}, [*derived.sources, "rev"]):
        expect = {"_id": found["_id"], "rev": found["rev"], derived.field: {"$exists": False}}
        made = derived.make(*(found[name] for name in derived.sources))
        collection.update_one(expect, {"$set": {derived.field: made}})
