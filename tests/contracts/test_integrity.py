"""`fsck` and `gc` over a MongoDB wire server and an S3 server find and mend what they do over SQLite and files."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaflow.domain import keys
from mediaflow.domain.ids import new_id
from mediaflow.services.integrity.collector import Collector
from tests.contracts.s3server import ACCESS_KEY, SECRET_KEY, S3Server
from tests.services import test_fsck as broken
from tests.services.pipeline import Pipeline
from tests.services.world import make_world

CHUNK_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes."""
BREAKS = (
    broken.lose_asset_of_queued,
    broken.stray_chunk,
    broken.lose_upload,
    broken.lose_document_of_job,
    broken.half_delete,
    broken.lose_published,
    broken.lose_captions,
    broken.orphan_job,
    broken.lose_task,
    broken.run_unheld,
    broken.orphan_key,
    broken.odd_session,
    broken.turn_back,
)


@pytest.fixture
def pipeline(tmp_path: Path, nx_server: str, s3_server: S3Server) -> Iterator[Pipeline]:
    made = make_world(
        tmp_path,
        database_url=f"mongodb://{nx_server}/fsck_{uuid.uuid4().hex}",
        storage_url=s3_server.url(f"fsck-{uuid.uuid4().hex}"),
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
    )
    yield Pipeline(made)
    made.runtime.close()


def test_what_is_broken_is_found_and_repaired(pipeline: Pipeline) -> None:
    # given
    each = broken.Broken(pipeline)
    for number, break_it in enumerate(BREAKS):
        each.content = b"film %d" % number
        break_it(each)
    expected = set().union(*(codes for break_it, codes in broken.BREAKS if break_it in BREAKS))
    # when
    check = broken.checked(pipeline)
    outcomes = {found.code: check.repair(found) for found in check.findings() if not found.note}
    # then
    assert outcomes.keys() == expected
    assert [outcome.detail for outcome in outcomes.values() if not outcome.done] == []
    pipeline.world.runtime.reconciler.sweep()
    pipeline.work()
    assert broken.problems(pipeline, deep=True) == []


def test_chunks_and_parts_that_are_lost_are_sent_again(pipeline: Pipeline) -> None:
    # given
    runtime, data = pipeline.world.runtime, bytes(CHUNK_BYTES)
    upload_id, asset_id = pipeline.announced(data + b"end", chunk_size_bytes=CHUNK_BYTES)
    runtime.ingest.receive("ann", upload_id, 0, [data], content_length=CHUNK_BYTES, digest=None)
    assert broken.problems(pipeline) == []
    upload = runtime.database.uploads.get(upload_id)
    assert upload is not None
    # when
    runtime.ingest.parts.abort_parts(upload.storage_key, upload.parts_handle)
    # then
    check = broken.checked(pipeline)
    (found,) = check.findings()
    assert (found.code, check.repair(found).done) == ("upload.lost_parts", True)
    assert runtime.database.assets.get(asset_id) is None
    assert broken.problems(pipeline) == []


def test_garbage_goes_in_two_passes(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    asset_id, runtime, gone = pipeline.ready(), pipeline.world.runtime, new_id()
    kept = pipeline.objects()
    for key in (f"{keys.asset_prefix(asset_id)}g1/video-0.9/0.m4s", keys.upload_key(gone)):
        pipeline.put(key)
    handle = runtime.ingest.parts.begin_parts(keys.upload_key(gone), size_bytes=9, part_bytes=9, content_type="x/y")
    # a server's times can't be set: so nothing needs to be old, and the waiting is over when it begins
    collector = Collector(runtime.database, runtime.storage, -3600.0)
    # when
    found = [done.place.place for done in collector.passing() if done is not None and done.what == "found"]
    removed = {done.place.place for done in collector.passing() if done is not None and done.what == "removed"}
    # then
    assert removed == set(found) == {f"{keys.asset_prefix(asset_id)}g1/video-0.9/", keys.upload_key(gone), handle}
    assert pipeline.objects() == kept
    assert list(runtime.fsck().findings()) == []
