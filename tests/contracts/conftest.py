"""The databases that the repository contract runs on; each test gets an empty one."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import mongomock
import pytest
from mongomock.store import ServerStore
from pymongo import MongoClient

from mediaflow.persistence import open_database
from mediaflow.persistence.mongo import MongoDatabase
from mediaflow.services.ports import Database
from tests.contracts.nxserver import running_nx_server
from tests.contracts.s3server import S3Server, running_s3_server
from tests.simulation.ports import MemoryDatabase


@dataclass(frozen=True)
class Backend:
    """One database: `open` gives another handle to the same documents, `stored` what it really holds of a table."""

    name: str
    open: Callable[[], Database]
    stored: Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def nx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a MongoDB wire server of our own."""
    with running_nx_server(tmp_path_factory.mktemp("nx")) as address:
        yield address


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server of our own."""
    with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


REAL_SERVER = os.environ.get("MONGODB_URI", "")
"""A MongoDB to run the contract on as well; each test makes and drops a database of its own there."""


@pytest.fixture(params=["sqlite", "memory", "mongomock", "nx-27017", *(["mongodb"] if REAL_SERVER else [])])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    match request.param:
        case "sqlite":
            path = tmp_path / "documents.sqlite3"
            yield Backend("sqlite", lambda: open_database(f"sqlite:{path}"), partial(_rows, path))
        case "memory":
            yield _simulated()
        case "mongomock":
            yield _in_memory()
        case "nx-27017":
            yield _over_tcp("nx-27017", f"mongodb://{request.getfixturevalue('nx_server')}/test_{uuid.uuid4().hex}")
        case "mongodb":
            yield from _real_server(REAL_SERVER)


@pytest.fixture
def database(backend: Backend) -> Iterator[Database]:
    opened = backend.open()
    yield opened
    opened.close()


def _simulated() -> Backend:
    """What tests/simulation runs the services over: another handle is another view of the same documents."""
    kept = MemoryDatabase()

    def stored(table: str) -> list[dict[str, Any]]:
        return [{field.name: getattr(record, field.name) for field in fields(record)} for record in kept.records(table)]

    return Backend("memory", kept.opened_again, stored)


def _in_memory() -> Backend:
    store: Any = ServerStore()  # type: ignore[no-untyped-call]
    client: Any = partial(mongomock.MongoClient, _store=store)
    url = "mongodb://mock/test"
    return Backend(
        "mongomock",
        lambda: MongoDatabase(url, mongo_client_class=client),
        lambda table: list(client(url)["test"][table].find()),
    )


def _over_tcp(name: str, url: str) -> Backend:
    return Backend(name, lambda: open_database(url), partial(_documents, url))


def _real_server(uri: str) -> Iterator[Backend]:
    """A database of its own on the server, dropped afterwards; the name that the URI may have is not used."""
    base, question, query = uri.partition("?")
    scheme, _, rest = base.partition("://")
    name = f"mediaflow_test_{uuid.uuid4().hex}"
    url = f"{scheme}://{rest.partition('/')[0]}/{name}{question}{query}"
    yield _over_tcp("mongodb", url)
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    client.drop_database(name)
    client.close()


def _documents(url: str, table: str) -> list[dict[str, Any]]:
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    try:
        return list(client.get_default_database()[table].find())
    finally:
        client.close()


def _rows(path: Path, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
