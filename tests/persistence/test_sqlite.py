"""What SQLite alone has to promise: durability, forks, threads that end, files of other versions."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.credentials import LoginCode
from mediaflow.domain.errors import ConfigurationError, Unavailable
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import SCHEMA_VERSION, Task
from mediaflow.persistence.sqlite import SqliteDatabase, connections, repository
from mediaflow.services.ports import Below, Between, Contains, HasPrefixes, Increment, OneOf
from tests.services.records import an_asset

FORK = multiprocessing.get_context("fork")


def task(**given: Any) -> Task:
    values: dict[str, Any] = {"job_id": "j", "asset_id": "a", "owner": "o", "generation": 1, "name": "n"}
    values |= {"stage": "step", "state": "pending", "created_at": 1.0, "updated_at": 1.0}
    return Task(**{"id": new_id()} | values | given)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "documents.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase(path)
    yield opened
    opened.close()


def asked(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


class TestPrivacy:
    def modes(self, path: Path) -> dict[str, int]:
        return {each.name.removeprefix(path.name): each.stat().st_mode & 0o777 for each in path.parent.iterdir()}

    def test_nobody_else_reads_the_file_its_log_and_its_shared_memory(self, path: Path) -> None:
        before = os.umask(0)
        try:
            database = SqliteDatabase(path)
            database.ping()
            assert self.modes(path) == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
        finally:
            os.umask(before)
        database.close()

    def test_a_file_that_everybody_could_read_is_closed_to_them(self, path: Path) -> None:
        older = SqliteDatabase(path)
        older.ping()
        for each in path.parent.iterdir():
            each.chmod(0o644)
        database = SqliteDatabase(path)
        database.ping()
        assert set(self.modes(path).values()) == {0o600}
        older.close()
        database.close()


class TestDurability:
    def test_the_log_is_flushed_at_each_commit(self, database: SqliteDatabase) -> None:
        with database._connections.reading() as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL

    def test_a_killed_writer_loses_nothing_that_was_acknowledged(self, path: Path) -> None:
        # given a process that writes and tells each id after its write returned
        ours, theirs = FORK.Pipe()
        writer = FORK.Process(target=write_for_ever, args=(path, theirs))
        writer.start()
        theirs.close()
        told = [ours.recv() for _ in range(200)]
        # when it is killed in the middle
        writer.kill()
        writer.join()
        told += rest_of(ours)
        # then
        database = SqliteDatabase(path)
        kept = {found.id: found.attempt for found in database.tasks.find({})}
        database.close()
        assert {record_id: kept.get(record_id) for record_id in told} == dict.fromkeys(told, 1)
        assert asked(path, "PRAGMA integrity_check") == [("ok",)]


def rest_of(pipe: Connection) -> list[str]:
    rest: list[str] = []
    with pipe:
        try:
            while True:
                rest.append(pipe.recv())
        except EOFError:
            return rest


def write_for_ever(path: Path, pipe: Connection) -> None:
    database = SqliteDatabase(path)
    while True:
        kept = task()
        assert database.tasks.insert(kept)
        assert database.tasks.change(kept.id, {"attempt": 0}, {"attempt": Increment()})
        pipe.send(kept.id)


class TestForks:
    def test_no_connection_is_open_in_the_child(self, database: SqliteDatabase, path: Path) -> None:
        database.ping()
        assert open_files(path) > 0
        assert in_child(lambda: open_files(path)) == 0

    def test_a_child_goes_on_while_the_parent_closes(self, database: SqliteDatabase, path: Path) -> None:
        """With an inherited connection the child would hold no lock, and the parent would delete the child's log."""
        # given
        database.tasks.insert(task())
        begun, go_on = FORK.Event(), FORK.Event()

        def child() -> int:
            database.tasks.insert(task())
            begun.set()
            assert go_on.wait(30)
            for _ in range(20):
                database.tasks.insert(task())
            return database.tasks.count({})

        # when the parent, which has used the database before, lets go of it and another process looks in
        results = FORK.SimpleQueue()
        process = FORK.Process(target=lambda: results.put(child()))
        process.start()
        assert begun.wait(30)
        database.close()
        assert asked(path, "SELECT count(*) FROM tasks") == [(2,)]
        go_on.set()
        process.join(30)
        # then
        assert results.get() == 22
        assert asked(path, "SELECT count(*) FROM tasks") == [(22,)]
        assert asked(path, "PRAGMA integrity_check") == [("ok",)]

    def test_threads_go_on_while_their_process_forks(self, database: SqliteDatabase) -> None:
        # given four threads that write all the time
        counted = task()
        database.tasks.insert(counted)
        stop = threading.Event()
        done: list[int] = []

        def count() -> None:
            number = 0
            while not stop.is_set():
                assert database.tasks.change(counted.id, {}, {"failures": Increment()})
                number += 1
            done.append(number)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        # when
        children = [
            in_child(lambda: database.tasks.change(counted.id, {}, {"load_units": Increment()})) for _ in range(8)
        ]
        stop.set()
        for thread in threads:
            thread.join()
        # then
        found = database.tasks.get(counted.id)
        assert found is not None
        assert all(children)
        assert (found.failures, found.load_units) == (sum(done), 9)

    def test_many_processes_may_make_the_same_file_at_once(self, path: Path) -> None:
        barrier = FORK.Barrier(6)

        def begin() -> None:
            barrier.wait()
            database = SqliteDatabase(path)
            database.tasks.insert(task())
            database.close()

        processes = [FORK.Process(target=begin) for _ in range(6)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(30)
        assert [process.exitcode for process in processes] == [0] * 6
        assert asked(path, "SELECT count(*) FROM tasks") == [(6,)]


def in_child(work: Callable[[], Any]) -> Any:
    results = FORK.SimpleQueue()
    process = FORK.Process(target=lambda: results.put(work()))
    process.start()
    process.join(30)
    process.kill()  # only one that hangs is still there
    assert process.exitcode == 0
    return results.get()


def open_files(path: Path) -> int:
    """How many descriptors of this process lead to the database, its log or its index."""
    links = Path("/proc/self/fd").iterdir()
    return sum(str(link.readlink()).startswith(str(path)) for link in links if link.is_symlink())


class TestThreads:
    def test_a_thread_that_ends_leaves_no_connection(self, database: SqliteDatabase, path: Path) -> None:
        database.ping()
        before = open_files(path)
        for _ in range(20):
            thread = threading.Thread(target=database.ping)
            thread.start()
            thread.join()
        # SQLite sets one descriptor aside for the next connection: closing it would drop the process's locks
        assert open_files(path) <= before + 1

    def test_close_closes_the_connections_of_other_threads(self, database: SqliteDatabase, path: Path) -> None:
        # given a thread that has used the database and lives on
        used, stop = threading.Event(), threading.Event()

        def use() -> None:
            database.ping()
            used.set()
            stop.wait(30)

        thread = threading.Thread(target=use)
        thread.start()
        used.wait(30)
        # when
        database.close()
        # then
        assert open_files(path) == 0
        assert not path.with_name(f"{path.name}-wal").exists()
        stop.set()
        thread.join()

    def test_close_waits_for_running_operations(self, database: SqliteDatabase) -> None:
        outcomes: list[str] = []

        def work() -> None:
            try:
                while True:
                    database.tasks.insert(task())
            except Unavailable as error:
                outcomes.append(error.detail)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        database.close()
        for thread in threads:
            thread.join()
        assert len(outcomes) == 4
        assert all("closed" in outcome for outcome in outcomes)


class TestFiles:
    def test_the_file_tells_the_version_of_its_schema(self, database: SqliteDatabase, path: Path) -> None:
        database.ping()
        assert asked(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]

    def test_a_file_of_a_newer_version_is_left_alone(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 999")
        database = SqliteDatabase(path)
        with pytest.raises(ConfigurationError, match="newer mediaflow"):
            database.ping()
        database.close()
        assert asked(path, "SELECT count(*) FROM sqlite_schema") == [(0,)]

    def test_a_field_that_was_added_with_a_default_is_added_to_an_older_file(self, path: Path) -> None:
        # given a file that was made before some fields and an index were there
        first = SqliteDatabase(path)
        kept = task(priority=7)
        first.tasks.insert(kept)
        first.login_codes.insert(LoginCode(id="c", user="u", role="r", created_at=1.0, expires_at=2.0))
        first.close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP INDEX tasks_state_lease_until")
            for column in ("needs", "weight", "optional", "finished_at", "params"):
                connection.execute(f"ALTER TABLE tasks DROP COLUMN {column}")
            connection.commit()
        # when
        second = SqliteDatabase(path)
        found = second.tasks.get(kept.id)
        inserted = second.tasks.insert(task(needs=["x"]))
        second.close()
        # then
        assert found == kept
        assert inserted
        assert asked(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'tasks_state_lease_until'") == [(1,)]

    def test_a_file_that_is_no_database_is_named(self, path: Path) -> None:
        path.write_bytes(b"this is no database at all" * 100)
        database = SqliteDatabase(path)
        with pytest.raises(ConfigurationError, match=str(path)):
            database.ping()
        database.close()

    def test_a_directory_that_has_vanished_is_unavailable(self, tmp_path: Path) -> None:
        directory = tmp_path / "gone"
        directory.mkdir()
        database = SqliteDatabase(directory / "m.sqlite3")
        directory.rmdir()
        with pytest.raises(Unavailable, match="can't be opened"):
            database.ping()
        database.close()

    def test_a_lock_that_is_held_too_long_is_unavailable(
        self, database: SqliteDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "BUSY_SECONDS", 0.1)
        database.ping()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="lock"):
                database.tasks.insert(task())
            assert database.tasks.count({}) == 0  # readers don't wait
            other.execute("ROLLBACK")
        assert database.tasks.insert(task()) is True


def test_many_writers_wait_together_for_one_that_stands_still(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: a process was stopped in the midst of a write, and others waited for it one after the other."""
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.5)
    with closing(SqliteDatabase(path)) as database, closing(sqlite3.connect(path, isolation_level=None)) as other:
        database.ping()
        other.execute("BEGIN IMMEDIATE")
        ends: list[float] = []

        def write() -> None:
            began = time.monotonic()
            with pytest.raises(Unavailable):
                database.tasks.insert(task())
            ends.append(time.monotonic() - began)

        threads = [threading.Thread(target=write) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        other.execute("ROLLBACK")
        assert max(ends) < 3 * 0.5, ends
        assert len(ends) == 6
        assert database.tasks.insert(task())


@pytest.mark.parametrize(
    ("table", "where", "sort", "index"),
    [
        (
            "tasks",
            {"state": "pending", "ready": True, "lane": "short", "stage": "step", "not_before": Below(1)},
            ("-priority",),
            "tasks_state_ready_lane",
        ),
        (
            "tasks",
            {"state": "pending", "ready": True, "lane": "short", "priority": 0, "owner": "ann"},
            ("turn",),
            "tasks_state_ready_lane",
        ),
        ("tasks", {"job_id": "j"}, ("id",), "tasks_job_id"),
        ("tasks", {"state": "running", "lease_until": Below(1)}, (), "tasks_state_lease_until"),
        ("chunks", {"upload_id": "u"}, ("index",), "chunks_upload_id_index"),
        ("uploads", {"state": "receiving", "expires_at": Below(1)}, (), "uploads_state_expires_at"),
        ("uploads", {"state": "assembling", "lease_until": Below(1)}, (), "uploads_state_lease_until"),
        ("uploads", {"asset_id": "a"}, (), "uploads_asset_id"),
        ("assets", {"owner": "o", "sha256": "s"}, (), "assets_owner_sha256"),
        ("assets", {"owner": "o", "sha256": "s", "deleted_at": None}, (), "assets_owner_sha256"),
        ("assets", {"purge_at": Below(1), "deleted_at": Between()}, ("purge_at",), "assets_purge_at"),
        ("assets", {"sweep_at": Below(1)}, ("sweep_at",), "assets_sweep_at"),
        ("assets", {"state": "stored"}, (), "assets_brief_state"),
        ("jobs", {"asset_id": "a"}, (), "jobs_brief_asset_id"),
        ("jobs", {"state": "pending"}, (), "jobs_brief_state"),
    ],
)
def test_the_queries_of_the_services_use_their_index(
    database: SqliteDatabase, table: str, where: dict[str, Any], sort: tuple[str, ...], index: str
) -> None:
    plan = plan_of(database, lambda: getattr(database, table).find(where, sort=sort))
    assert index in plan
    assert "TEMP B-TREE" not in plan or sort == ("id",)


def plan_of(database: SqliteDatabase, operation: Callable[[], Any]) -> str:
    """How SQLite goes about the operation's statement."""
    statements: list[str] = []
    database.ping()
    with database._connections.reading() as connection:
        connection.set_trace_callback(statements.append)
    operation()
    with database._connections.reading() as connection:
        connection.set_trace_callback(None)
        asked = [each for each in statements if not each.startswith("--")]  # FTS5's own are comments
        return " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {asked[-1]}"))


OWNERS, ALL = {"owner": "o", "deleted_at": None}, {"deleted_at": None}


@pytest.mark.parametrize("sort", ["created_at", "updated_at", "title", "size_bytes", "state"])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize(
    "more", [{}, {"state": "ready"}, {"visibility": "public"}, {"state": "ready", "created_at": Between(1, 2)}]
)
@pytest.mark.parametrize(("where", "scope"), [(OWNERS, "owner_deleted_at"), (ALL, "deleted_at")])
def test_a_page_of_a_listing_walks_along_its_order_in_an_index(
    database: SqliteDatabase, where: dict[str, Any], scope: str, more: dict[str, Any], sign: str, sort: str
) -> None:
    order = (f"{sign}{sort}", f"{sign}upload_id")
    plan = plan_of(database, lambda: database.assets.find(where | more, sort=order, skip=40, limit=20))
    inner = plan.partition("LIST SUBQUERY")[2]
    begun = f"assets_brief_{scope}_{sort}" if sort != "state" or "state" not in more else f"assets_brief_{scope}_"
    assert f"USING INDEX {begun}" in inner or f"USING COVERING INDEX {begun}" in inner
    assert inner.count("TEMP B-TREE") <= 1  # the twenty rows, once they are found
    assert "SCAN assets" not in plan


@pytest.mark.parametrize(
    "where",
    [
        OWNERS,
        ALL,
        OWNERS | {"state": "ready"},
        ALL | {"state": "ready", "visibility": "public"},
        OWNERS | {"created_at": Between(1, 2), "state": "ready"},
        {"owner": "o"},
    ],
)
def test_counting_and_adding_up_stay_in_an_index(database: SqliteDatabase, where: dict[str, Any]) -> None:
    assert "USING COVERING INDEX assets_brief_" in plan_of(database, lambda: database.assets.count(where))
    if len(where) < 3:
        plan = plan_of(database, lambda: database.assets.total("size_bytes", where))
        assert "USING COVERING INDEX assets_brief_" in plan


def test_what_owners_received_is_added_up_within_its_index(database: SqliteDatabase) -> None:
    where = {"owner": OneOf(("ann", "bob")), "lane": "short", "started_at": Between(1, None)}
    plan = plan_of(database, lambda: database.tasks.sums("seconds", "owner", where))
    assert "COVERING INDEX tasks_owner_lane_started_at_seconds (owner=? AND lane=? AND started_at>?)" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    "where",
    [
        {"search": HasPrefixes(("a",))},
        OWNERS | {"tags": Contains("a")},
        {"shared_with": Contains("ann"), "deleted_at": None},
        OWNERS | {"tags": Contains("a"), "search": HasPrefixes(("a", "b")), "created_at": Between(1)},
        {"tags": Contains("a"), "sha256": "x", "filename": "y"},
    ],
)
def test_lists_are_looked_into_by_their_index(database: SqliteDatabase, where: dict[str, Any]) -> None:
    for operation in (
        lambda: database.assets.find(where, sort=("-created_at",), limit=5),
        lambda: database.assets.find(where),
        lambda: database.assets.count(where),
    ):
        plan = plan_of(database, operation)
        assert "SCAN l VIRTUAL TABLE INDEX" in plan
        assert "SEARCH b USING INTEGER PRIMARY KEY" in plan
        assert "json_each" not in plan


def test_many_hits_of_a_search_are_not_sorted(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    database.assets.insert(an_asset(title="Whale"))
    where, order = {"search": HasPrefixes(("whale",)), "deleted_at": None}, ("title", "upload_id")
    few = plan_of(database, lambda: database.assets.find(where, sort=order, limit=5))
    monkeypatch.setattr(repository, "FREQUENT", 1)
    many = plan_of(database, lambda: database.assets.find(where, sort=order, limit=5))
    assert "SCAN l VIRTUAL TABLE INDEX" in few
    assert "INDEX assets_brief_deleted_at_title_" in many
