"""A large file plays before it is hashed, and is ready only afterwards; one that is not what was declared ends all."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import pytest

from mediaflow.domain import keys
from mediaflow.domain.errors import Conflict
from mediaflow.domain.records import Asset
from mediaflow.domain.states import Stage
from mediaflow.services.integrity.arrivals import unnamed_arrivals
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.upkeep.generations import Generations
from mediaflow.services.uploads.blobs import blob_id
from tests.services.pipeline import ANN, Pipeline
from tests.services.world import World

FILM: Final = b"a long film"
SHA256: Final = hashlib.sha256(FILM).hexdigest()
OTHER: Final = hashlib.sha256(b"another").hexdigest()
UNTIL_OPEN: Final[tuple[Stage, ...]] = ("probe", "validate", "plan", "step", "open")


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world, hashed_first_bytes=len(FILM))


def broken(pipeline: Pipeline) -> list[str]:
    """What a check of all invariants finds."""
    check = pipeline.world.runtime.fsck()
    check.pause = lambda _seconds: None
    return [f"{each.code} {each.detail}" for each in check.findings() if not each.note]


def is_settled(pipeline: Pipeline, asset: Asset) -> bool:
    blob = pipeline.world.runtime.database.blobs.get(blob_id(asset.owner, asset.sha256 or ""))
    is_listed = blob is not None and blob.key == asset.original_key and asset.id in blob.assets
    return is_listed and b"".join(pipeline.world.runtime.storage.read(asset.original_key or "")) == FILM


def playing(pipeline: Pipeline, **fields: Any) -> Asset:
    """An asset that is watched while its original is not hashed yet."""
    asset_id = pipeline.stored(FILM, **fields)
    pipeline.work(*UNTIL_OPEN)
    asset = pipeline.asset(asset_id)
    assert (asset.playable, asset.sha256, asset.original_key) == (True, None, keys.upload_key(asset.upload_id))
    return asset


def test_a_large_file_plays_before_it_is_hashed_and_is_ready_afterwards(pipeline: Pipeline) -> None:
    asset = playing(pipeline, sha256=SHA256)
    database, storage = pipeline.world.runtime.database, pipeline.world.runtime.storage
    assert broken(pipeline) == []
    assert unnamed_arrivals(database, list(storage.list("uploads/"))) == []
    pipeline.work("package", "settle", "publish")  # nothing of it passes the digest
    assert pipeline.asset(asset.id).state == "processing"
    pipeline.work("digest")
    assert (pipeline.asset(asset.id).sha256, pipeline.asset(asset.id).state) == (SHA256, "processing")
    pipeline.work()
    asset = pipeline.asset(asset.id)
    upload = database.uploads.get(asset.upload_id)
    assert (asset.state, upload and upload.sha256) == ("ready", SHA256)
    assert is_settled(pipeline, asset)
    assert (pipeline.objects("uploads/"), broken(pipeline)) == ([], [])


def test_whoever_comes_is_looked_at_while_large_files_are_hashed(pipeline: Pipeline) -> None:
    database = pipeline.world.runtime.database
    claims = Claims(database, LoadGate(2), "a worker")
    for _ in range(2):
        playing(pipeline)
    hashing = [claims.best("digest") for _ in range(2)]
    pipeline.stored(FILM[1:])
    looked = claims.best("probe")
    assert [task is not None and task.stage for task in (*hashing, looked)] == ["digest", "digest", "probe"]


def test_small_files_are_hashed_before_their_job(pipeline: Pipeline) -> None:
    asset = pipeline.asset(pipeline.stored(FILM[1:]))
    assert asset.sha256 == hashlib.sha256(FILM[1:]).hexdigest()
    pipeline.work()
    assert not {task.name for task in pipeline.world.runtime.jobs.tasks(asset.job_id or "")} & {"digest", "settle"}


def test_the_second_of_the_same_bytes_shares_them_in_the_end(pipeline: Pipeline) -> None:
    first, second = playing(pipeline), playing(pipeline)
    pipeline.work()
    assert all(is_settled(pipeline, pipeline.asset(each.id)) for each in (first, second))
    assert (len(pipeline.objects("originals/")), pipeline.objects("uploads/")) == (1, [])


def test_a_file_that_is_not_what_was_declared_ends_what_plays(pipeline: Pipeline) -> None:
    seen = playing(pipeline, sha256=OTHER)
    pipeline.work("digest")
    asset, job = pipeline.asset(seen.id), pipeline.job(seen.id)
    upload = pipeline.world.runtime.database.uploads.get(asset.upload_id)
    assert (asset.state, asset.playable, asset.shown, asset.original_key) == ("failed", False, None, None)
    assert (upload and upload.state, job.state) == ("failed", "cancelled")
    told = {(told or {}).get("code") for told in (asset.error, upload and upload.error, job.error)}
    assert told == {"upload.checksum_mismatch"}
    pipeline.work()
    assert pipeline.asset(asset.id).state == "failed"
    with pytest.raises(Conflict, match="no original"):
        pipeline.world.runtime.reprocess.retry(ANN, job.id)
    runtime = pipeline.world.runtime
    runtime.database.assets.change(asset.id, {}, {"sweep_at": 0.0})
    Generations(runtime.database, runtime.storage).sweep()
    assert (pipeline.objects("uploads/"), pipeline.objects(keys.asset_prefix(asset.id)), broken(pipeline)) == (
        [],
        [],
        [],
    )


def test_who_died_after_refusing_a_file_is_followed(pipeline: Pipeline) -> None:
    seen = playing(pipeline, sha256=OTHER)
    error = {"code": "upload.checksum_mismatch", "detail": "It is another one."}
    pipeline.world.runtime.database.uploads.change(seen.upload_id, {}, {"state": "failed", "error": error})
    pipeline.work("digest")
    asset = pipeline.asset(seen.id)
    assert (asset.state, asset.playable, asset.original_key, asset.error) == ("failed", False, None, error)


@pytest.mark.parametrize("moved", [False, True])
def test_a_job_that_ended_between_digest_and_settling_is_followed(pipeline: Pipeline, *, moved: bool) -> None:
    seen = playing(pipeline)
    pipeline.work("digest", "package")
    database, storage = pipeline.world.runtime.database, pipeline.world.runtime.storage
    if moved:  # and died before it told where
        key = pipeline.world.runtime.assembly.blobs.link(seen.owner, SHA256, seen.id, len(FILM))
        storage.put(key, [FILM], size_bytes=len(FILM), content_type="x/y")
        storage.delete(keys.upload_key(seen.upload_id))
    pipeline.world.runtime.reprocess.cancel(ANN, pipeline.job(seen.id).id)
    assert broken(pipeline) == []
    pipeline.world.runtime.reprocess.retry(ANN, pipeline.job(seen.id).id)
    pipeline.work("probe")
    assert pipeline.job(seen.id).media is None  # nothing is read before
    pipeline.work("settle")
    assert is_settled(pipeline, pipeline.asset(seen.id))
    pipeline.work()
    assert (pipeline.asset(seen.id).state, pipeline.objects("uploads/"), broken(pipeline)) == ("ready", [], [])
    assert database.blobs.count({}) == 1


def test_what_is_deleted_while_it_is_hashed_can_be_restored_and_purged(pipeline: Pipeline) -> None:
    runtime = pipeline.world.runtime
    kept, hashed, gone = playing(pipeline), playing(pipeline), playing(pipeline)
    pipeline.world.runtime.trash.delete(ANN, kept.id)
    assert not pipeline.asset(kept.id).playable
    runtime.trash.restore(ANN, kept.id)
    pipeline.work("digest")  # of the others; the restored one begins anew
    for asset in (hashed, gone):
        runtime.trash.delete(ANN, asset.id, purge=True)
    runtime.reconciler.sweep()
    assert runtime.database.assets.count({}) == 1
    pipeline.work()
    assert is_settled(pipeline, pipeline.asset(kept.id))
    assert (pipeline.objects("uploads/"), len(pipeline.objects("originals/")), broken(pipeline)) == ([], 1, [])


def test_what_is_ready_and_was_never_hashed_is_found(pipeline: Pipeline) -> None:
    asset = playing(pipeline)
    pipeline.work()
    runtime = pipeline.world.runtime
    runtime.database.assets.change(asset.id, {}, {"original_key": keys.upload_key(asset.upload_id)})
    assert any("never hashed" in each for each in broken(pipeline))


def test_an_original_that_was_lost_before_it_was_hashed_is_found(pipeline: Pipeline) -> None:
    asset = playing(pipeline)
    pipeline.world.runtime.storage.delete(keys.upload_key(asset.upload_id))
    assert any(each.startswith("asset.lost_original") for each in broken(pipeline))
