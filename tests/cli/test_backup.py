"""`mediaflow backup` while work goes on, and `mediaflow restore` somewhere else."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.embedded import backups
from mediaflow.services.access.keyfile import load_or_create_key
from tests.cli.conftest import Run, eventually
from tests.services.pipeline import ANN, Pipeline
from tests.services.world import make_world


def problems(pipeline: Pipeline, *, repair: bool = False) -> set[str]:
    check = pipeline.world.runtime.fsck(deep=True)
    check.grace_seconds = 0.0
    found = set()
    for each in check.findings():
        if not each.note:
            found.add(each.code)
            assert not repair or check.repair(each).done
    return found


def test_what_was_backed_up_goes_on_elsewhere(run: Run, tmp_path: Path) -> None:
    # given
    pipeline = Pipeline(make_world(tmp_path / "data"))
    runtime = pipeline.world.runtime
    ready, trashed, waiting = pipeline.ready(b"one"), pipeline.ready(b"two"), pipeline.stored(b"three")
    runtime.trash.delete(ANN, trashed)
    upload, arriving = pipeline.announced(bytes(4096), chunk_size_bytes=2048)
    runtime.ingest.receive("ann", upload, 0, [bytes(2048)], content_length=2048, digest=None)
    key = load_or_create_key(runtime.settings)
    # when
    backed = run("backup", tmp_path / "backup", "--objects", "--json", "--data-dir", tmp_path / "data")
    runtime.close()
    shutil.rmtree(tmp_path / "data")
    restored = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "elsewhere")
    # then
    assert (backed.code, restored.code) == (0, 0)
    assert "4 assets as of" in restored.out
    again = Pipeline(make_world(tmp_path / "elsewhere"))
    assert load_or_create_key(again.world.runtime.settings) == key
    assert problems(again, repair=True) == {"upload.lost_parts"}, "what was half received is sent again"
    again.work()
    assert problems(again) == set()
    assert [again.asset(each).state for each in (ready, waiting)] == ["ready", "ready"]
    assert again.world.runtime.trash.restore(ANN, trashed).state == "ready"
    assert again.world.runtime.database.assets.get(arriving) is None
    assert len(again.objects()) > json.loads(backed.out)["objects"]
    again.world.runtime.close()


def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(run: Run, tmp_path: Path) -> None:
    # given
    pipeline, stop = Pipeline(make_world(tmp_path / "data")), threading.Event()
    pipeline.ready()

    def go_on() -> None:
        number = 0
        while not stop.is_set():
            pipeline.ready(b"film %d" % (number := number + 1))

    writer = threading.Thread(target=go_on)
    writer.start()
    # when
    done = []
    try:
        for number in range(3):
            count = pipeline.world.runtime.database.assets.count({})
            assert eventually(lambda: pipeline.world.runtime.database.assets.count({}) > count)  # noqa: B023 - at once
            done.append(run("backup", tmp_path / f"b{number}", "--json", "--data-dir", tmp_path / "data"))
    finally:
        stop.set()
        writer.join()
    # then
    assert [each.code for each in done] == [0, 0, 0]
    facts = [json.loads(each.out) for each in done]
    assert facts[0]["assets"] < facts[-1]["assets"]
    for number, fact in enumerate(facts):
        assert run("restore", tmp_path / f"b{number}", "--data-dir", tmp_path / f"r{number}").code == 0
        world = make_world(tmp_path / f"r{number}", storage_url=f"local:{tmp_path / 'data' / 'objects'}")
        assert world.runtime.database.assets.count({}) == fact["assets"]
        for upload in world.runtime.database.uploads.find({"state": "assembling"}):
            world.runtime.database.uploads.change(upload.id, {}, {"lease_until": 0.0})
        # what was being assembled in that moment is an original by now, which those documents do not know
        assert problems(Pipeline(world), repair=True) <= {"upload.lost_parts"}
        assert problems(Pipeline(world)) == set()
        world.runtime.close()
    listed = [json.loads(line) for line in (tmp_path / "b2" / "objects.jsonl").read_text().splitlines()]
    for each in listed:
        assert (tmp_path / "data" / "objects" / each["key"]).stat().st_size == each["size_bytes"]
    pipeline.world.runtime.close()


def newer_documents(backup: Path) -> None:
    with closing(sqlite3.connect(backup / "documents.db")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def newer_facts(backup: Path) -> None:
    facts = json.loads((backup / "backup.json").read_text())
    (backup / "backup.json").write_text(json.dumps(facts | {"schema": SCHEMA_VERSION + 1, "version": "9.0"}))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (newer_documents, f"newer mediaflow (0.1.0, schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION})"),
        (newer_facts, f"newer mediaflow (9.0, schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION})"),
        (lambda backup: (backup / "backup.json").unlink(), "holds no backup"),
        (lambda backup: (backup / "documents.db").unlink(), "can't be read"),
    ],
)
def test_what_is_no_backup_of_ours_is_refused(
    run: Run, tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    pipeline = Pipeline(make_world(tmp_path / "data"))
    pipeline.world.runtime.database.ping()
    pipeline.world.runtime.close()
    assert run("backup", tmp_path / "backup", "--data-dir", tmp_path / "data").code == 0
    spoil(tmp_path / "backup")
    done = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "elsewhere")
    assert done.code == 1
    assert told in done.err
    assert not (tmp_path / "elsewhere").exists()


def with_facts(**facts: Any) -> Callable[[Path], None]:
    """Has `backup.json` say that instead."""

    def spoil(backup: Path) -> None:
        told = json.loads((backup / "backup.json").read_text())
        (backup / "backup.json").write_text(json.dumps(told | facts))

    return spoil


def with_list(text: str) -> Callable[[Path], None]:
    """Has the list of objects be that."""

    def spoil(backup: Path) -> None:
        (backup / "objects.jsonl").write_text(text)

    return spoil


def cut_object(backup: Path) -> None:
    path = next(path for path in (backup / "objects").rglob("*") if path.is_file())
    kept = path.read_bytes()[:-1]
    path.unlink()  # the file has another name in the storage
    path.write_bytes(kept)


DAMAGED: tuple[tuple[Callable[[Path], object], str], ...] = (
    (lambda backup: (backup / "documents.db").write_bytes(b""), "documents.db can't be read"),
    (with_facts(assets=7), "it holds 1 assets of 7"),
    (with_facts(schema="4"), "holds no backup"),
    (with_facts(at="today"), "holds no backup"),
    (with_facts(at=1e300), "holds no backup"),
    (with_facts(at=float("nan")), "holds no backup"),
    (lambda backup: (backup / "backup.json").write_text("[" * 100_000), "holds no backup"),
    (with_list("junk\n"), "line 1, is damaged"),
    (with_list('{"key": 5, "size_bytes": 1}\n'), "line 1, is damaged"),
    (with_list('{"key": "../../jwt.key", "size_bytes": 1}\n'), "line 1, is damaged"),
    (with_list('{"key": "a/lost", "size_bytes": 1}\n'), "objects/a/lost can't be used"),
    (lambda backup: (backup / "objects.jsonl").unlink(), "objects.jsonl can't be used"),
    (cut_object, "is damaged: it has not the"),
    (lambda backup: (backup / "jwt.key").write_bytes(b"\xff"), "jwt.key is damaged"),
)


def test_of_a_damaged_backup_nothing_is_restored(run: Run, tmp_path: Path) -> None:
    pipeline = Pipeline(make_world(tmp_path / "data"))
    pipeline.ready(b"one")
    load_or_create_key(pipeline.world.runtime.settings)
    pipeline.world.runtime.close()
    assert run("backup", tmp_path / "backup", "--objects", "--data-dir", tmp_path / "data").code == 0
    for number, (spoil, told) in enumerate(DAMAGED):
        spoiled = tmp_path / f"spoiled{number}"
        shutil.copytree(tmp_path / "backup", spoiled)
        spoil(spoiled)
        done = run("restore", spoiled, "--data-dir", tmp_path / "elsewhere")
        assert (done.code, told in done.err) == (1, True), (number, done.err)
        assert not (tmp_path / "elsewhere").exists(), number
    assert run("restore", tmp_path / "backup", "--data-dir", tmp_path / "elsewhere").code == 0


def test_nothing_is_written_over(run: Run, tmp_path: Path) -> None:
    # given
    world = make_world(tmp_path / "data")
    world.runtime.database.ping()
    world.runtime.close()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    # when
    over = run("backup", tmp_path / "full", "--data-dir", tmp_path / "data")
    fine = run("backup", tmp_path / "backup", "--data-dir", tmp_path / "data")
    back = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "data")
    mongo = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "new", MEDIAFLOW_DATABASE_URL="mongodb://h/m")
    # then
    assert (over.code, fine.code, back.code, mongo.code) == (1, 0, 1, 1)
    assert "is not empty" in over.err
    assert "is not empty" in back.err
    assert "mongorestore --uri=URL" in mongo.err


def test_of_two_backups_into_one_directory_one_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path / "data")
    world.runtime.database.ping()
    world.runtime.close()
    assert run("backup", tmp_path / "backup", "--data-dir", tmp_path / "data").code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "backup").iterdir()}
    # both have found it empty
    monkeypatch.setattr(backups, "_check_empty", lambda *_: None)
    second = run("backup", tmp_path / "backup", "--data-dir", tmp_path / "data")
    assert second.code == 1
    assert "objects.jsonl can't be used (File exists)" in second.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "backup").iterdir()} == before


def test_a_full_disk_is_told_and_leaves_no_backup(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    pipeline = Pipeline(make_world(tmp_path / "data"))
    pipeline.ready(bytes(3_000_000))
    pipeline.world.runtime.close()

    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", elsewhere)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    done = run("backup", tmp_path / "backup", "--objects", "--data-dir", tmp_path / "data")
    assert done.code == 1
    assert "can't be used (File too large)" in done.err
    back = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "elsewhere")
    assert "holds no backup" in back.err
