"""Purging: everything of a due asset goes, whatever interrupts it, and nothing of anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.errors import Unavailable
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Chunk
from mediaflow.domain.requestrecords import Answer, AuditEntry
from mediaflow.services.assets.purge import MOST, Purge
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.upkeep.cleanup import DAY_SECONDS, KEY_DAYS, Cleanup
from mediaflow.services.uploads.blobs import Blobs
from tests.services.pipeline import ANN, Pipeline
from tests.services.turns import Stepped
from tests.services.world import World


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


def purger(pipeline: Pipeline, before: Callable[[], None] = lambda: None) -> Purge:
    """The purging of this world; `before` is called before each of its steps."""
    runtime = pipeline.world.runtime
    database: Any = Stepped(runtime.database, before)
    storage: Any = Stepped(runtime.storage, before)
    relay = replace(runtime.relay, database=database)
    jobs = Jobs(database, relay, runtime.wakeups, runtime.metrics)
    ingest = replace(runtime.ingest, database=database, storage=storage, parts=storage, outbox=relay)
    return Purge(database, OriginalFiles(database, storage), storage, relay, ingest, jobs, Blobs(database, storage))


def dump(pipeline: Pipeline) -> dict[str, Any]:
    """All documents and objects that there are."""
    database = pipeline.world.runtime.database
    repositories = ("assets", "uploads", "chunks", "jobs", "tasks", "blobs")
    documents: dict[str, Any] = {name: getattr(database, name).find({}) for name in repositories}
    root = pipeline.world.runtime.settings.data_path / "objects"
    return documents | {"files": sorted(str(path) for path in root.rglob("*") if path.is_file())}


def nothing_left(pipeline: Pipeline) -> bool:
    return not any(dump(pipeline).values())


def due(pipeline: Pipeline, asset_id: str) -> None:
    """Delete it, and let all time pass that must: retention, leases, another sweeper's turn."""
    pipeline.world.runtime.trash.delete(ANN, asset_id, purge=True)
    database = pipeline.world.runtime.database
    database.assets.change(asset_id, {}, {"purge_at": 1.0})
    for task in database.tasks.find({"asset_id": asset_id}):
        database.tasks.change(task.id, {}, {"lease_until": 0.0})


# --- what goes


def test_nothing_is_left_of_a_purged_asset(pipeline: Pipeline) -> None:
    asset_id = pipeline.ready()
    due(pipeline, asset_id)
    pipeline.world.runtime.reconciler.sweep()
    assert nothing_left(pipeline)


def test_what_is_not_due_stays(pipeline: Pipeline) -> None:
    deleted, kept = pipeline.ready(b"one"), pipeline.ready(b"two")
    pipeline.world.runtime.trash.delete(ANN, deleted)
    before = dump(pipeline)
    pipeline.world.runtime.reconciler.sweep()
    assert dump(pipeline) == before
    assert pipeline.asset(kept).state == "ready"


def test_others_with_the_same_bytes_keep_them(pipeline: Pipeline) -> None:
    purged, kept, others = pipeline.ready(), pipeline.ready(), pipeline.ready(owner="bob")
    due(pipeline, purged)
    pipeline.world.runtime.reconciler.sweep()
    for asset_id in (kept, others):
        asset = pipeline.asset(asset_id)
        assert b"".join(pipeline.world.runtime.storage.read(asset.original_key or "")) == b"a film"
        assert pipeline.objects(f"assets/{asset_id}/") != []
    assert pipeline.objects(f"assets/{purged}/") == []


@pytest.mark.parametrize("state", ["failed", "rejected", "stored"])
def test_what_was_never_published_goes_too(pipeline: Pipeline, state: str) -> None:
    asset_id = pipeline.stored()
    pipeline.work("probe", "validate", "plan", "step")
    pipeline.world.runtime.jobs.end(pipeline.job(asset_id), "failed", {"code": "media.x", "detail": "Odd."})
    pipeline.world.runtime.database.assets.change(asset_id, {}, {"state": state})
    due(pipeline, asset_id)
    pipeline.world.runtime.reconciler.sweep()
    assert nothing_left(pipeline)


def test_a_failed_upload_goes_with_its_asset(pipeline: Pipeline) -> None:
    asset_id = pipeline.sent(sha256="0" * 64)
    pipeline.assemble()
    assert pipeline.asset(asset_id).state == "failed"
    due(pipeline, asset_id)
    pipeline.world.runtime.reconciler.sweep()
    assert nothing_left(pipeline)


# --- when it waits


def test_while_a_worker_may_still_write_nothing_goes(pipeline: Pipeline) -> None:
    asset_id = pipeline.stored()
    claimed = pipeline.hands().claims.best("probe")
    assert claimed is not None
    database = pipeline.world.runtime.database
    pipeline.world.runtime.trash.delete(ANN, asset_id, purge=True)
    pipeline.world.runtime.reconciler.sweep()
    assert not pipeline.asset(asset_id).purging
    database.tasks.change(claimed.id, {}, {"lease_until": database.now() - 1})
    pipeline.world.runtime.reconciler.sweep()
    assert nothing_left(pipeline)


def test_a_file_that_is_being_assembled_is_assembled_first(pipeline: Pipeline) -> None:
    asset_id = pipeline.sent()
    pipeline.world.runtime.trash.delete(ANN, asset_id, purge=True)
    pipeline.world.runtime.reconciler.sweep()
    assert not pipeline.asset(asset_id).purging
    pipeline.assemble()
    pipeline.world.runtime.reconciler.sweep()
    assert nothing_left(pipeline)


def test_one_sweep_looks_at_a_limited_number(pipeline: Pipeline) -> None:
    database, template = pipeline.world.runtime.database, pipeline.asset(pipeline.ready())
    for _ in range(MOST + 5):
        database.assets.insert(replace(template, id=new_id(), original_key=None, deleted_at=1.0, purge_at=2.0))
    pipeline.world.runtime.reconciler.sweep()
    assert 5 <= database.assets.count({"deleted_at": 1.0}) <= MOST
    for _ in range(20):
        pipeline.world.runtime.reconciler.sweep()
    assert [asset.id for asset in database.assets.find({})] == [template.id]


def test_one_purge_that_fails_does_not_stop_the_others(pipeline: Pipeline) -> None:
    first, second = pipeline.ready(b"one"), pipeline.ready(b"two")
    due(pipeline, first)
    due(pipeline, second)
    pipeline.world.runtime.database.assets.change(second, {}, {"purge_at": 2.0})
    failed: list[str] = []

    def away(key: str) -> None:
        if key.startswith(f"assets/{first}/") and not failed:
            failed.append(key)
            raise Unavailable("The storage is away.")
        pipeline.world.runtime.storage.delete(key)

    storage: Any = Stepped(pipeline.world.runtime.storage, lambda: None)
    storage.delete = away
    replace(purger(pipeline), files=OriginalFiles(pipeline.world.runtime.database, storage)).sweep()
    assert pipeline.asset(first).purging
    assert pipeline.world.runtime.database.assets.get(second) is None


# --- crashes


class Killed(BaseException):
    """As sudden as a power cut: nothing catches it."""


def killed_before(number: int) -> Callable[[], None]:
    """Something to call before each step that dies before this one (from 0)."""
    steps = iter(range(10_000))

    def before() -> None:
        if next(steps) == number:
            raise Killed

    return before


def test_a_purge_killed_before_any_of_its_steps_is_completed_and_harms_nobody(pipeline: Pipeline) -> None:
    sharing = pipeline.ready(b"shared")
    for number in range(10_000):
        alone, shared = pipeline.stored(b"alone"), pipeline.stored(b"shared")
        for asset_id in (alone, shared):
            pipeline.put(f"assets/{asset_id}/g1/video-0.1/0.m4s")
            due(pipeline, asset_id)
        try:
            purger(pipeline, killed_before(number)).sweep()
        except Killed:
            finished = False
        else:
            finished = True
        for asset_id in (alone, shared):  # the time of the killed one's turn passes
            pipeline.world.runtime.database.assets.change(asset_id, {}, {"purge_at": 1.0})
        purger(pipeline).sweep()
        left = dump(pipeline)
        assert [asset.id for asset in left["assets"]] == [sharing]
        assert {record.asset_id for record in [*left["jobs"], *left["tasks"], *left["uploads"]]} == {sharing}
        assert [blob.assets for blob in left["blobs"]] == [[sharing]]
        asset = pipeline.asset(sharing)
        assert {path.partition("/objects/")[2].split("/")[0] for path in left["files"]} == {"assets", "originals"}
        assert len(pipeline.objects("originals/")) == 1
        assert b"".join(pipeline.world.runtime.storage.read(asset.original_key or "")) == b"shared"
        if finished:
            assert number > 20
            return


def test_two_purges_of_the_same_asset_do_no_harm(pipeline: Pipeline) -> None:
    asset_id = pipeline.ready()
    due(pipeline, asset_id)
    seen = pipeline.asset(asset_id)
    assert purger(pipeline).purge(seen)
    assert not purger(pipeline).purge(seen)
    assert nothing_left(pipeline)


# --- what expires


def test_records_that_nobody_needs_go(pipeline: Pipeline) -> None:
    runtime = pipeline.world.runtime
    database, now = runtime.database, runtime.database.now()
    days = runtime.settings.audit_days * DAY_SECONDS
    for expiry, name in ((now - 1, "old"), (now + 60, "new")):
        database.login_codes.insert(LoginCode(id=name, user="ann", role="user", created_at=1.0, expires_at=expiry))
        database.answers.insert(Answer(id=name, user="ann", fingerprint="f", created_at=1.0, expires_at=expiry))
        audited = AuditEntry(
            id=name, at=expiry - days, user="ann", role="user", action="a", status=200, request_id="r" * 8
        )
        database.audit.insert(audited)
    runtime.reconciler.sweep()
    for repository in (database.login_codes, database.answers, database.audit):
        assert [record.id for record in repository.find({})] == ["new"]


def test_api_keys_go_a_month_after_they_ended(pipeline: Pipeline) -> None:
    """Seen: rows of ended and revoked keys stayed for ever."""
    runtime = pipeline.world.runtime
    keys, now = runtime.database.api_keys, runtime.database.now()
    long_ago, lately = now - KEY_DAYS * DAY_SECONDS - 1, now - KEY_DAYS * DAY_SECONDS + 60
    older = runtime.settings.api_key_max_seconds  # what had no end has one by this
    table: tuple[tuple[str, float, dict[str, Any]], ...] = (
        ("revoked", 1.0, {"revoked_at": long_ago, "expires_at": now + 60}),
        ("expired", 1.0, {"expires_at": long_ago}),
        ("endless", long_ago - older, {}),
        ("revoked lately", 1.0, {"revoked_at": lately, "expires_at": now + 60}),
        ("expired lately", 1.0, {"expires_at": lately}),
        ("endless, ended lately", lately - older, {}),
        ("living", 1.0, {"expires_at": now + 60}),
    )
    for name, created_at, ends in table:
        key = ApiKey(id=name, owner="ann", name=name, role="user", secret_hash="h", created_at=created_at, **ends)
        keys.insert(key)
    runtime.reconciler.sweep()
    assert {key.name for key in keys.find({})} == {
        "revoked lately",
        "expired lately",
        "endless, ended lately",
        "living",
    }


@pytest.mark.parametrize("end", ["aborted", "expired"])
def test_of_a_given_up_upload_what_came_late_goes_a_day_later(pipeline: Pipeline, end: str) -> None:
    database = pipeline.world.runtime.database
    upload_id, _ = pipeline.announced(b"a" * 10)
    upload = database.uploads.get(upload_id)
    assert upload is not None
    pipeline.world.runtime.ingest.end(upload, end)
    late = Chunk(id=new_id(), upload_id=upload_id, index=0, state="writing", token="t", lease_until=0.0)
    database.chunks.insert(late)
    cleanup = Cleanup(
        *(database, pipeline.world.runtime.ingest.parts, pipeline.world.runtime.relay),
        audit_days=1,
        event_days=1,
        key_seconds=DAY_SECONDS,
    )
    cleanup.sweep()
    assert database.chunks.count({}) == 1
    yesterday = database.now() - DAY_SECONDS - 1
    database.uploads.change(upload_id, {}, {"expires_at": yesterday, "updated_at": yesterday})
    cleanup.sweep()
    assert nothing_left(pipeline)


def test_a_sweeper_whose_dependency_is_away_does_not_stop_the_next(pipeline: Pipeline) -> None:
    class Away:
        def sweep(self) -> None:
            raise Unavailable("Nobody there.")

    asset_id = pipeline.ready()
    due(pipeline, asset_id)
    reconciler = pipeline.world.runtime.reconciler
    replace(reconciler, sweepers=(Away(), *reconciler.sweepers)).sweep()
    assert nothing_left(pipeline)
