"""Each promise of documents and storage, broken by hand: it is found, repaired, and the next check is clean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mediaflow.domain import keys
from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.ids import chunk_id, job_id, new_id, task_id
from mediaflow.domain.publication import ARTIFACTS, Files
from mediaflow.domain.records import Asset, Blob, Chunk
from mediaflow.domain.requestrecords import Answer
from mediaflow.services.integrity.findings import Finding
from mediaflow.services.integrity.fsck import Fsck
from tests.services.pipeline import ANN, Pipeline
from tests.services.records import a_job, a_segment, a_task, an_asset
from tests.services.world import World


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


def checked(pipeline: Pipeline, *, deep: bool = False, between: Callable[[], object] = lambda: None) -> Fsck:
    """A check that does not wait; `between` happens before the second look."""
    check = pipeline.world.runtime.fsck(deep=deep)
    check.pause = lambda _seconds: (between(), None)[1]
    return check


def problems(pipeline: Pipeline, *, deep: bool = False) -> list[Finding]:
    return [found for found in checked(pipeline, deep=deep).findings() if not found.note]


def codes(found: list[Finding]) -> set[str]:
    return {each.code for each in found}


@dataclass
class Broken:
    """Ways to break what a pipeline made."""

    pipeline: Pipeline
    content: bytes = b"a film"

    def __post_init__(self) -> None:
        self.db = self.pipeline.world.runtime.database
        self.storage = self.pipeline.world.runtime.storage

    def delete(self, prefix: str, ending: str = "") -> None:
        found = [key for key in self.pipeline.objects(prefix) if key.endswith(ending)]
        assert found
        for key in found:
            self.storage.delete(key)

    def ready(self, **changes: Any) -> Asset:
        """A published asset, whose document is changed."""
        asset_id = self.pipeline.ready(self.content)
        changed = self.db.assets.change(asset_id, {}, changes) if changes else self.pipeline.asset(asset_id)
        assert changed is not None
        return changed

    def on_demand(self) -> Asset:
        """A published asset with a rendition of four segments on demand, of which two are made."""
        asset = self.ready()
        assert asset.published is not None
        awaited = Files(keys.tracks_path(1), {}, awaited={"180p": 4})
        published = replace(asset.published, files=(*asset.published.files, awaited))
        self.db.assets.change(asset.id, {}, {"published": published})
        for number in (1, 3):
            path = f"g1/high_180p_{number}_1.1/180p/{number}.m4s"
            self.pipeline.put(keys.asset_prefix(asset.id) + path)
            self.db.segments.insert(a_segment(asset, path, number))
        return self.pipeline.asset(asset.id)

    def begun(self) -> Asset:
        """An asset whose job is running."""
        asset_id = self.pipeline.stored(self.content)
        self.pipeline.work("probe", "validate", "plan")
        return self.pipeline.asset(asset_id)

    def receiving(self) -> str:
        """An upload of two chunks of which one has come."""
        upload_id, _ = self.pipeline.announced(bytes(4096), chunk_size_bytes=2048)
        body = bytes(2048)
        self.pipeline.world.runtime.ingest.receive("ann", upload_id, 0, [body], content_length=2048, digest=None)
        return upload_id

    def task(self, asset: Asset, name: str) -> str:
        return task_id(asset.job_id or "", name)


def lose_asset_of_queued(b: Broken) -> None:
    b.db.assets.remove(b.db.assets.get(b.pipeline.stored(b.content)).id)  # type: ignore[union-attr]


def lose_asset_of_receiving(b: Broken) -> None:
    upload = b.db.uploads.get(b.receiving())
    assert upload is not None
    b.db.assets.remove(upload.asset_id)


def change_shape(b: Broken) -> None:
    b.db.uploads.change(b.receiving(), {}, {"chunk_count": 9})


def change_chunk(b: Broken) -> None:
    b.db.chunks.change(chunk_id(b.receiving(), 0), {}, {"length": 1})


def lose_parts(b: Broken) -> None:
    upload = b.db.uploads.get(b.receiving())
    assert upload is not None
    b.pipeline.world.runtime.ingest.parts.abort_parts(upload.storage_key, upload.parts_handle)


def invent_chunk(b: Broken) -> None:
    """As if its bytes had never become durable."""
    upload_id = b.receiving()
    told = {"upload_id": upload_id, "index": 1, "state": "received", "token": "t", "lease_until": 0.0}
    b.db.chunks.insert(Chunk(id=chunk_id(upload_id, 1), sha256="0" * 64, length=2048, **told))  # type: ignore[arg-type]


def assemble_too_early(b: Broken) -> None:
    b.db.uploads.change(b.receiving(), {}, {"state": "assembling"})


def lose_assembled(b: Broken) -> None:
    b.pipeline.sent()
    for upload in b.db.uploads.find({"state": "assembling"}):
        b.pipeline.world.runtime.ingest.parts.abort_parts(upload.storage_key, upload.parts_handle)


def forget_reason(b: Broken) -> None:
    b.ready(state="failed", playable=False)


def stray_chunk(b: Broken) -> None:
    upload_id = new_id()
    told = {"upload_id": upload_id, "index": 0, "state": "writing", "token": "t", "lease_until": 0.0}
    b.db.chunks.insert(Chunk(id=chunk_id(upload_id, 0), **told))  # type: ignore[arg-type]


def lose_upload(b: Broken) -> None:
    b.db.assets.insert(an_asset(state="created"))


def lose_document_of_job(b: Broken) -> None:
    b.db.jobs.remove(b.ready().job_id or "")


def lose_job_at_work(b: Broken) -> None:
    asset = b.begun()
    for task in b.db.tasks.find({"job_id": asset.job_id}):
        b.db.tasks.remove(task.id)
    b.db.jobs.remove(asset.job_id or "")


def end_job_alone(b: Broken) -> None:
    asset = b.begun()
    now = b.db.now()
    told = {"code": "x", "detail": "y"}
    b.db.jobs.change(asset.job_id or "", {}, {"state": "failed", "error": told, "finished_at": now})
    for task in b.db.tasks.find({"job_id": asset.job_id}):
        b.db.tasks.change(task.id, {}, {"state": "cancelled"})
    b.db.assets.change(asset.id, {}, {"updated_at": now - 1000})


def half_delete(b: Broken) -> None:
    b.ready()
    blob = b.db.blobs.find({})[0]
    b.db.blobs.insert(replace(blob, id=new_id(), state="deleting", key=blob.key + "0", assets=[]))


def dead_user(b: Broken) -> None:
    asset = b.ready()
    blob = b.db.blobs.find({})[0]
    b.db.blobs.change(blob.id, {}, {"assets": [asset.id, new_id()]})


def unused_blob(b: Broken) -> None:
    told = {"owner": "ann", "sha256": "a" * 64, "size_bytes": 1, "created_at": 1.0, "state": "live"}
    b.db.blobs.insert(Blob(id=new_id(), key=keys.shared_original_key("ann", "a" * 64, new_id()), **told))  # type: ignore[arg-type]


def unlist(b: Broken) -> None:
    b.ready()
    b.db.blobs.remove(b.db.blobs.find({})[0].id)


def list_another(b: Broken) -> None:
    b.ready()
    b.db.blobs.change(b.db.blobs.find({})[0].id, {}, {"assets": [new_id()]})


def lose_original_of_playing(b: Broken) -> None:
    b.ready()
    b.delete("originals/")


def lose_original_at_work(b: Broken) -> None:
    b.begun()
    b.delete("originals/")
    b.pipeline.put("uploads/other")  # the storage is not empty


def damage_original(b: Broken) -> None:
    key = b.ready().original_key or ""
    b.storage.put(key, [b"A FILM"], size_bytes=6, content_type="video/mp4")


def lose_published(b: Broken) -> None:
    b.delete(keys.asset_prefix(b.ready().id), "master.m3u8")


def cut_published(b: Broken) -> None:
    key = next(
        key for key in b.pipeline.objects(keys.asset_prefix(b.ready().id)) if key.endswith("package.1/master.m3u8")
    )
    b.storage.put(key, [b"xx"], size_bytes=2, content_type="text/plain")


def lose_listed(b: Broken) -> None:
    """A segment, which only the list of its attempt tells."""
    asset = b.ready()
    listed = b'[{"path": "0.m4s", "size_bytes": 1}, {"path": "1.m4s", "size_bytes": 1}]'
    key = f"{keys.asset_prefix(asset.id)}g1/video-0.1/{ARTIFACTS}"
    b.storage.put(key, [listed], size_bytes=len(listed), content_type="application/json")


def lose_all(b: Broken) -> None:
    b.delete(keys.asset_prefix(b.ready().id))
    b.delete("originals/")
    b.pipeline.put("uploads/other")


def lose_captions(b: Broken) -> None:
    entry = {"language": "en", "label": "English", "default": False, "path": "captions/en.1.vtt", "size_bytes": 9}
    b.ready(captions=[entry])


def orphan_job(b: Broken) -> None:
    asset = an_asset()
    b.db.jobs.insert(a_job(asset, id=job_id(asset.id, 1)))


def leave_tasks(b: Broken) -> None:
    asset = b.ready()
    b.db.tasks.change(b.task(asset, "video-0"), {}, {"state": "pending"})


def unpublish(b: Broken) -> None:
    b.ready(generation=0, published=None, playable=False, state="failed", error={"code": "x", "detail": "y"})


def lose_task(b: Broken) -> None:
    b.db.tasks.remove(b.task(b.begun(), "video-0"))


def stray_task(b: Broken) -> None:
    b.db.tasks.insert(a_task(a_job(an_asset()), "video-0"))


def run_unheld(b: Broken) -> None:
    b.db.tasks.change(b.task(b.begun(), "video-0"), {}, {"state": "running", "attempt": 1})


def run_uncounted(b: Broken) -> None:
    changes = {"state": "running", "worker": "w", "lease_until": b.db.now() - 1, "started_at": 1.0}
    b.db.tasks.change(b.task(b.begun(), "video-0"), {}, changes)


def orphan_key(b: Broken) -> None:
    told = {"owner": "ann", "name": "k", "role": "user", "secret_hash": "x", "created_at": 1.0, "made_by": new_id()}
    b.db.api_keys.insert(ApiKey(id=new_id(), **told))  # type: ignore[arg-type]


def odd_key(b: Broken) -> None:
    told = {"owner": "ann", "name": "k", "role": "root", "secret_hash": "x", "created_at": 1.0}
    b.db.api_keys.insert(ApiKey(id=new_id(), **told))  # type: ignore[arg-type]


def odd_session(b: Broken) -> None:
    told = {"user": "ann", "role": "user", "created_at": 9.0, "expires_at": 1.0}
    b.db.login_codes.insert(LoginCode(id=new_id(), **told))  # type: ignore[arg-type]


def endless_answer(b: Broken) -> None:
    told = {"user": "ann", "fingerprint": "f", "created_at": 1.0, "expires_at": b.db.now() + 1e6}
    b.db.answers.insert(Answer(id=new_id(), **told))  # type: ignore[arg-type]


def trash_by_half(b: Broken) -> None:
    b.ready(purge_at=1e12)


def turn_back(b: Broken) -> None:
    b.ready(next_generation=0)


def play_nothing(b: Broken) -> None:
    b.ready(published=None)


def other_generation(b: Broken) -> None:
    b.ready(generation=2, next_generation=2)


def lose_made_on_demand(b: Broken) -> None:
    b.delete(keys.asset_prefix(b.on_demand().id) + "g1/high_180p_3_1.1/")


def cut_made_on_demand(b: Broken) -> None:
    key = keys.asset_prefix(b.on_demand().id) + "g1/high_180p_3_1.1/180p/3.m4s"
    b.storage.put(key, [b"xx"], size_bytes=2, content_type="video/mp4")


BREAKS: tuple[tuple[Callable[[Broken], None], set[str]], ...] = (
    (lose_asset_of_queued, {"upload.no_asset", "job.no_asset", "blob.dead_asset"}),
    (lose_asset_of_receiving, {"upload.no_asset"}),
    (change_shape, {"upload.bad_shape"}),
    (change_chunk, {"upload.bad_chunk"}),
    (lose_parts, {"upload.lost_parts"}),
    (invent_chunk, {"upload.lost_chunks"}),
    (assemble_too_early, {"upload.incomplete"}),
    (lose_assembled, {"upload.lost_parts"}),
    (forget_reason, {"asset.no_reason"}),
    (stray_chunk, {"chunk.no_upload"}),
    (lose_upload, {"asset.no_upload"}),
    (lose_document_of_job, {"asset.no_job", "task.no_job"}),
    (lose_job_at_work, {"asset.no_job"}),
    (end_job_alone, {"asset.stuck"}),
    (half_delete, {"blob.half_deleted"}),
    (dead_user, {"blob.dead_asset"}),
    (unused_blob, {"blob.unused"}),
    (unlist, {"asset.not_in_blob"}),
    (list_another, {"asset.not_in_blob", "blob.dead_asset"}),
    (lose_original_of_playing, {"blob.lost_object"}),
    (lose_original_at_work, {"blob.lost_object"}),
    (damage_original, {"blob.damaged_object"}),
    (lose_published, {"asset.lost_files"}),
    (cut_published, {"asset.lost_files"}),
    (lose_listed, {"asset.lost_files"}),
    (lose_all, {"asset.lost_files"}),
    (lose_made_on_demand, {"asset.lost_segments"}),
    (cut_made_on_demand, {"asset.lost_segments"}),
    (lose_captions, {"asset.lost_captions"}),
    (orphan_job, {"job.no_asset"}),
    (leave_tasks, {"job.unfinished_tasks"}),
    (unpublish, {"job.not_published"}),
    (lose_task, {"job.lost_task"}),
    (stray_task, {"task.no_job"}),
    (run_unheld, {"task.no_lease"}),
    (run_uncounted, {"task.no_attempt"}),
    (orphan_key, {"api_key.no_maker"}),
    (odd_key, {"api_key.odd"}),
    (odd_session, {"session.odd"}),
    (endless_answer, {"answer.unfinished"}),
    (trash_by_half, {"asset.trash_dates"}),
    (turn_back, {"asset.generations"}),
    (play_nothing, {"asset.nothing_published"}),
    (other_generation, {"asset.wrong_generation"}),
)


@pytest.mark.parametrize(("break_it", "expected"), BREAKS, ids=[each.__name__ for each, _ in BREAKS])
def test_what_is_broken_is_found_and_repaired(
    pipeline: Pipeline, break_it: Callable[[Broken], None], expected: set[str]
) -> None:
    # given
    break_it(Broken(pipeline))
    # when
    check = checked(pipeline, deep=True)
    slower = [each for each in check.findings() if not each.note]
    outcomes = {each.code: check.repair(each) for each in check.findings() if not each.note}
    # then
    assert outcomes.keys() == expected
    assert {code: outcome.detail for code, outcome in outcomes.items() if not outcome.done} == {}
    # whoever saw the same and comes later finds it in order, or that it is being processed
    late = {each.remedy or "" for each in slower if not check.repair(each).done}
    assert all("processed" in remedy for remedy in late), late
    pipeline.world.runtime.reconciler.sweep()
    pipeline.work()
    assert problems(pipeline, deep=break_it is not damage_original) == []


def test_a_library_in_every_state_is_clean(pipeline: Pipeline) -> None:
    # given
    broken, runtime = Broken(pipeline), pipeline.world.runtime
    pipeline.ready(b"one")
    pipeline.ready(b"one", owner="bob")
    runtime.trash.delete(ANN, pipeline.ready(b"two"))
    broken.begun()
    asset = Broken(pipeline, b"watched").on_demand()
    wanted = {"name": "high_180p_0_1", "stage": "step", "wanted_until": 1.0}
    piece = a_job(asset, kind="demand", plan={"task": wanted})
    runtime.database.jobs.insert(piece)
    runtime.jobs.advance(piece.id)
    broken.receiving()
    pipeline.announced(b"nothing of it came")
    aborted, _ = pipeline.announced(b"aborted")
    runtime.ingest.abort("ann", aborted)
    pipeline.sent(b"wrong", sha256="0" * 64)
    pipeline.assemble()
    pipeline.sent(b"not assembled")
    runtime.jobs.halt(pipeline.stored(b"cancelled"), {"code": "job.cancelled", "detail": "x"})
    again = pipeline.ready(b"again")
    runtime.reprocess.asset(ANN, again)
    # when, then
    assert list(checked(pipeline, deep=True).findings()) == []
    pipeline.work()
    assert list(checked(pipeline, deep=True).findings()) == []


def test_what_moves_is_no_finding(pipeline: Pipeline) -> None:
    # given
    broken = Broken(pipeline)
    asset = broken.ready(next_generation=0)

    def moves_on() -> None:
        broken.db.assets.change(asset.id, {}, {"next_generation": 1})

    # when, then
    assert list(checked(pipeline, between=moves_on).findings()) == []


def test_a_change_after_the_look_is_left_alone(pipeline: Pipeline) -> None:
    # given
    broken = Broken(pipeline)
    asset = broken.ready(next_generation=0)
    check = checked(pipeline)
    (found,) = check.findings()
    # when, then
    broken.db.assets.change(asset.id, {}, {"title": "changed"})
    assert not check.repair(found).done
    broken.db.assets.change(asset.id, {}, {"next_generation": 7})
    assert check.repair(found).done
    assert pipeline.asset(asset.id).next_generation == 7


def test_nothing_is_given_up_while_the_storage_is_another_one(pipeline: Pipeline) -> None:
    # given
    broken = Broken(pipeline)
    asset = broken.ready()
    broken.delete("")
    # when
    check = checked(pipeline)
    outcomes = [check.repair(found) for found in check.findings()]
    # then
    assert len(outcomes) == 2
    assert not any(outcome.done for outcome in outcomes)
    assert pipeline.asset(asset.id) == asset


def test_what_nothing_names_is_a_note_until_it_is_old(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    asset, runtime = Broken(pipeline).ready(), pipeline.world.runtime
    stray = new_id()
    places = {
        f"{keys.asset_prefix(asset.id)}g1/video-0.7/0.m4s": "asset.garbage",
        f"{keys.asset_prefix(stray)}g1/video-0.1/0.m4s": "asset.orphans",
        keys.shared_original_key("ann", "b" * 64, stray): "original.orphan",
        keys.upload_key(stray): "upload.orphan",
    }
    for key in places:
        pipeline.put(key)
    runtime.ingest.parts.begin_parts(keys.upload_key(stray), size_bytes=9, part_bytes=9, content_type="x/y")
    told: Any = {"upload_id": stray, "index": 0, "state": "writing", "token": "t"}
    runtime.database.chunks.insert(Chunk(id=chunk_id(stray, 0), lease_until=runtime.database.now() - 86400, **told))
    expected = {*places.values(), "upload.orphan_parts", "chunk.no_upload"}
    # when, then
    assert {(found.code, found.note) for found in checked(pipeline).findings()} == {(code, True) for code in expected}
    for examiner in ("assets", "blobs", "arrivals", "uploads"):
        monkeypatch.setattr(f"mediaflow.services.integrity.{examiner}.OLD_SECONDS", -10.0)
    assert codes(problems(pipeline)) == expected


@pytest.mark.parametrize("state", ["dead user", "no user", "being deleted"])
def test_an_original_that_an_asset_names_is_never_deleted_by_a_repair(pipeline: Pipeline, state: str) -> None:
    # given
    broken = Broken(pipeline)
    asset = broken.ready()
    users = [new_id()] if state == "dead user" else []
    blob = broken.db.blobs.find({})[0]
    broken.db.blobs.change(blob.id, {}, {"assets": users, "state": "deleting" if state == "being deleted" else "live"})
    # when
    check = checked(pipeline)
    (found,) = [each for each in check.findings() if each.code.startswith("blob.")]
    # then
    assert not check.repair(found).done
    assert pipeline.world.runtime.storage.stat(asset.original_key or "") is not None
    repaired = {each.code for each in check.findings() if check.repair(each).done}
    assert "asset.not_in_blob" in repaired
    assert problems(pipeline) == []
