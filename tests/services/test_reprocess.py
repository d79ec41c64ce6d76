"""Processing again, cancelling, repeating: what plays meanwhile, and what every end leads to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from mediaflow.domain.errors import Conflict, Forbidden, InvalidInput, LeaseLost, MediaRejected, NotFound, TaskFailed
from mediaflow.domain.ids import job_id
from mediaflow.domain.publication import Files, FileType, Output
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import STAGES, WORK_ENDED
from mediaflow.plugin import ObjectInfo
from mediaflow.services.assets.reprocess import Reprocess
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.rendering import longest_watch_seconds
from mediaflow_local.storage import LocalStorage
from tests.services.pipeline import ADMIN, ANN, BOB, Pipeline
from tests.services.records import a_job, a_published_asset
from tests.services.world import World


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


@pytest.fixture
def reprocess(world: World) -> Reprocess:
    return world.runtime.reprocess


def job_of(pipeline: Pipeline, asset_id: str, generation: int) -> Job:
    job = pipeline.world.runtime.database.jobs.get(job_id(asset_id, generation))
    assert job is not None
    return job


def rejecting(_task: Task, _lease: Lease) -> dict[str, Any]:
    raise MediaRejected("This is no film.", code="media.unsupported")


# --- a new generation


def test_the_old_generation_plays_until_the_new_one_is_published(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.ready(profile="web-h264")
    before = pipeline.asset(asset_id)
    began = reprocess.asset(ANN, asset_id, "mobile")
    assert (began.state, began.playable, began.generation, began.published) == ("processing", True, 1, before.published)
    pipeline.work("probe", "validate", "plan", "step", "package")
    meanwhile = pipeline.asset(asset_id)
    assert (meanwhile.profile, meanwhile.published) == ("web-h264", before.published)
    assert 0 < pipeline.world.runtime.library.progress(meanwhile).fraction < 1
    pipeline.work("publish")
    after = pipeline.asset(asset_id)
    assert (after.state, after.generation, after.profile, after.error) == ("ready", 2, "mobile", None)
    assert after.published is not None
    assert after.published.outputs[0].path.startswith("g2/")


def test_without_a_profile_it_is_the_one_of_the_last_time(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.ready(profile="mobile")
    reprocess.asset(ANN, asset_id)
    assert pipeline.job(asset_id).profile == "mobile"


def test_when_it_fails_the_old_generation_stays_and_the_error_is_told(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.ready(profile="web-h264")
    before = pipeline.asset(asset_id)
    reprocess.asset(ANN, asset_id, "mobile")
    pipeline.work(step=rejecting)
    after = pipeline.asset(asset_id)
    assert (after.state, after.playable, after.generation, after.profile) == ("ready", True, 1, "web-h264")
    assert after.published == before.published
    assert after.error == {"code": "media.unsupported", "detail": "This is no film."}
    reprocess.asset(ANN, asset_id)
    pipeline.work()
    assert (pipeline.asset(asset_id).error, pipeline.asset(asset_id).generation) == (None, 3)


def test_what_was_rejected_can_be_tried_with_another_profile(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.stored()
    pipeline.work(plan=rejecting)
    assert pipeline.asset(asset_id).state == "rejected"
    reprocess.asset(ANN, asset_id, "audio-only")
    pipeline.work()
    assert (pipeline.asset(asset_id).state, pipeline.asset(asset_id).profile) == ("ready", "audio-only")


def test_of_many_who_ask_at_once_one_begins(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id, barrier = pipeline.ready(), threading.Barrier(8)

    def ask(number: int) -> str:
        barrier.wait()
        try:
            reprocess.asset(ANN, asset_id, ("mobile", "web-h264")[number % 2])
        except Conflict as error:
            return error.code
        return "began"

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(ask, range(8)))
    assert answers == ["asset.processing"] * 7 + ["began"]
    assert pipeline.world.runtime.database.jobs.count({"asset_id": asset_id}) == 2
    pipeline.work()
    assert pipeline.asset(asset_id).generation == 2


def _being_sent(pipeline: Pipeline) -> str:
    return pipeline.announced(b"a film")[1]


def _failed_upload(pipeline: Pipeline) -> str:
    return pipeline.stored(sha256="0" * 64)


def _deleted(pipeline: Pipeline) -> str:
    asset_id = pipeline.ready()
    pipeline.world.runtime.trash.delete(ANN, asset_id)
    return asset_id


def _others(pipeline: Pipeline) -> str:
    return pipeline.ready(owner="bob")


def _shared(pipeline: Pipeline) -> str:
    asset_id = _others(pipeline)
    pipeline.world.runtime.database.assets.change(asset_id, {}, {"shared_with": ["ann"]})
    return asset_id


@pytest.mark.parametrize(
    ("make", "profile", "error", "code"),
    [
        (_being_sent, None, Conflict, "asset.not_stored"),
        (_failed_upload, None, Conflict, "asset.not_stored"),
        (Pipeline.stored, None, Conflict, "asset.processing"),
        (Pipeline.ready, "nothing", InvalidInput, "asset.unknown_profile"),
        (_deleted, None, NotFound, "asset.not_found"),
        (_others, None, NotFound, "asset.not_found"),
        (_shared, None, Forbidden, "asset.not_yours"),
    ],
)
def test_what_can_not_be_processed_again_says_why(
    pipeline: Pipeline,
    reprocess: Reprocess,
    make: Callable[[Pipeline], str],
    profile: str | None,
    error: type[Exception],
    code: str,
) -> None:
    asset_id = make(pipeline)
    before = pipeline.asset(asset_id)
    with pytest.raises(error) as caught:
        reprocess.asset(ANN, asset_id, profile)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert pipeline.asset(asset_id) == before


def test_an_unknown_profile_is_told_with_those_that_there_are(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.ready()
    with pytest.raises(InvalidInput) as caught:
        reprocess.asset(ANN, asset_id, "mobil")
    problem = caught.value.problems[0]
    assert problem.pointer == "/profile"
    assert "'mobil'" in problem.detail
    assert "audio-only, mobile, ready-made, web-h264" in problem.detail


# --- cancelling


@pytest.mark.parametrize("done", range(5))
def test_a_cancelled_job_publishes_nothing(pipeline: Pipeline, reprocess: Reprocess, done: int) -> None:
    asset_id = pipeline.stored()
    pipeline.work(*STAGES[:done]) if done else None
    job = pipeline.job(asset_id)
    for _ in range(2):
        assert reprocess.cancel(ANN, job.id).state == "cancelled"
    pipeline.work()
    asset = pipeline.asset(asset_id)
    assert (asset.state, asset.generation, asset.playable) == ("failed", 0, False)
    assert asset.error is not None
    assert asset.error["code"] == "job.cancelled"
    assert all(task.state in ("done", "cancelled") for task in pipeline.world.runtime.jobs.tasks(job.id))


@pytest.mark.parametrize("stage", STAGES[: STAGES.index("publish")])
def test_a_cancel_while_a_stage_runs_wins(pipeline: Pipeline, reprocess: Reprocess, stage: str) -> None:
    pipeline.hashed_first_bytes = 0
    asset_id = pipeline.stored()
    job, real = pipeline.job(asset_id), pipeline.hands().handlers[stage]  # type: ignore[index]

    def cancelled_meanwhile(task: Task, lease: Lease) -> dict[str, Any]:
        reprocess.cancel(ANN, job.id)
        return real(task, lease)

    pipeline.work(**{stage: cancelled_meanwhile})
    assert (pipeline.asset(asset_id).state, pipeline.asset(asset_id).generation) == ("failed", 0)
    assert job_of(pipeline, asset_id, 1).state == "cancelled"


def test_a_cancel_that_comes_after_publishing_is_too_late(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.stored()
    job, real = pipeline.job(asset_id), pipeline.hands().handlers["publish"]
    codes: list[str] = []

    def cancelled_afterwards(task: Task, lease: Lease) -> dict[str, Any]:
        result = real(task, lease)
        with pytest.raises(Conflict) as caught:
            reprocess.cancel(ANN, job.id)
        codes.append(caught.value.code)
        return result

    pipeline.work(publish=cancelled_afterwards)
    assert codes == ["job.ended"]
    assert (pipeline.asset(asset_id).state, job_of(pipeline, asset_id, 1).state) == ("ready", "done")


def test_cancelling_a_new_generation_leaves_the_old_one(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.ready()
    reprocess.asset(ANN, asset_id)
    pipeline.work("probe", "validate", "plan")
    reprocess.cancel(ADMIN, pipeline.job(asset_id).id)
    pipeline.work()
    asset = pipeline.asset(asset_id)
    assert (asset.state, asset.playable, asset.generation) == ("ready", True, 1)


def test_the_worker_of_a_cancelled_task_is_told_to_stop(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.stored()
    job, reasons = pipeline.job(asset_id), []

    def long(_task: Task, lease: Lease) -> dict[str, Any]:
        reprocess.cancel(ANN, job.id)
        for _ in range(45):  # nothing is told of its progress: it is looked for all the same
            if (reason := lease.reason()) is not None:
                reasons.append(reason)
                raise LeaseLost(reason)
            threading.Event().wait(0.1)
        return {}

    pipeline.work(probe=long)
    assert reasons == ["the task is not this worker's any more"]


@pytest.mark.parametrize("end", ["done", "failed"])
def test_an_ended_job_can_not_be_cancelled(pipeline: Pipeline, reprocess: Reprocess, end: str) -> None:
    asset_id = pipeline.ready() if end == "done" else pipeline.stored()
    if end == "failed":
        pipeline.work(plan=rejecting)
    with pytest.raises(Conflict) as caught:
        reprocess.cancel(ANN, pipeline.job(asset_id).id)
    assert caught.value.code == "job.ended"
    assert job_of(pipeline, asset_id, 1).state == end


# --- repeating


def test_a_failed_job_is_repeated_with_its_profile(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.ready(profile="web-h264")
    reprocess.asset(ANN, asset_id, "mobile")
    pipeline.work(plan=rejecting)
    job = reprocess.retry(ANN, pipeline.job(asset_id).id)
    assert (job.generation, job.profile) == (3, "mobile")
    pipeline.work()
    assert (pipeline.asset(asset_id).generation, pipeline.asset(asset_id).profile) == (3, "mobile")


def test_a_cancelled_job_is_repeated(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.stored()
    job = pipeline.job(asset_id)
    reprocess.cancel(ANN, job.id)
    reprocess.retry(ANN, job.id)
    with pytest.raises(Conflict) as caught:
        reprocess.retry(ANN, job.id)
    assert caught.value.code == "asset.processing"
    pipeline.work()
    assert (pipeline.asset(asset_id).state, pipeline.asset(asset_id).error) == ("ready", None)


@pytest.mark.parametrize("state", ["pending", "running", "done"])
def test_other_jobs_are_not_repeated(pipeline: Pipeline, reprocess: Reprocess, state: str) -> None:
    asset_id = pipeline.ready() if state == "done" else pipeline.stored()
    job = pipeline.job(asset_id)
    pipeline.world.runtime.database.jobs.change(job.id, {}, {"state": state})
    with pytest.raises(Conflict) as caught:
        reprocess.retry(ANN, job.id)
    assert caught.value.code == "job.retry"


def test_others_jobs_are_not_there(pipeline: Pipeline, reprocess: Reprocess) -> None:
    job = pipeline.job(pipeline.stored())
    for act in (reprocess.cancel, reprocess.retry):
        with pytest.raises(NotFound) as caught:
            act(BOB, job.id)
        assert caught.value.code == "job.not_found"


# --- what crashes leave


def test_a_job_whose_maker_died_before_it_took_its_asset_goes_on(pipeline: Pipeline) -> None:
    asset_id = pipeline.ready()
    database = pipeline.world.runtime.database
    made = Job(
        id=job_id(asset_id, 2),
        asset_id=asset_id,
        owner="ann",
        generation=2,
        profile="mobile",
        state="pending",
        created_at=1.0,
        updated_at=1.0,
    )
    database.jobs.insert(made)
    pipeline.world.runtime.reconciler.sweep()
    assert pipeline.asset(asset_id).state == "processing"
    pipeline.work()
    assert (pipeline.asset(asset_id).generation, pipeline.asset(asset_id).profile) == (2, "mobile")


def test_a_publish_that_died_after_publishing_is_done(pipeline: Pipeline) -> None:
    asset_id = pipeline.stored()
    real = pipeline.hands().handlers["publish"]

    def died(task: Task, lease: Lease) -> dict[str, Any]:
        real(task, lease)
        raise TaskFailed("killed")

    pipeline.work(publish=died)
    published = pipeline.asset(asset_id).published
    database = pipeline.world.runtime.database
    for task in database.tasks.find({"name": "publish"}):
        database.tasks.change(task.id, {}, {"not_before": 0.0})
    pipeline.work()
    assert (pipeline.asset(asset_id).published, pipeline.job(asset_id).state) == (published, "done")


def test_an_asset_that_an_ended_job_holds_is_freed(pipeline: Pipeline) -> None:
    asset_id = pipeline.stored()
    database = pipeline.world.runtime.database
    database.jobs.change(pipeline.job(asset_id).id, {}, {"state": "cancelled", "error": {"code": "x", "detail": "X."}})
    database.assets.change(asset_id, {}, {"updated_at": 1.0})
    pipeline.world.runtime.reconciler.sweep()
    assert (pipeline.asset(asset_id).state, pipeline.asset(asset_id).error) == ("failed", {"code": "x", "detail": "X."})


# --- old files


def generations(pipeline: Pipeline, asset_id: str) -> set[str]:
    return {key.split("/")[2] for key in pipeline.objects(f"assets/{asset_id}/")}


def swept(pipeline: Pipeline, asset_id: str) -> set[str]:
    """The generations that have files once the time for sweeping has come, and tasks that ended did so long ago."""
    runtime = pipeline.world.runtime
    for job in runtime.database.jobs.find({"asset_id": asset_id}):
        for task in runtime.jobs.tasks(job.id):
            if task.state in WORK_ENDED:
                runtime.database.tasks.change(task.id, {}, {"updated_at": 1.0, "lease_until": 0.0})
    runtime.database.assets.change(asset_id, {}, {"sweep_at": 1.0})
    runtime.reconciler.sweep()
    return generations(pipeline, asset_id)


def test_old_files_go_when_nobody_can_be_watching_them(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.ready()
    reprocess.asset(ANN, asset_id)
    pipeline.work()
    asset, now = pipeline.asset(asset_id), pipeline.world.runtime.database.now()
    assert asset.sweep_at is not None
    assert asset.sweep_at - now > 2 * pipeline.world.runtime.settings.stream_bucket_seconds
    pipeline.world.runtime.reconciler.sweep()
    assert generations(pipeline, asset_id) == {"g1", "g2"}
    assert swept(pipeline, asset_id) == {"g2"}
    assert pipeline.asset(asset_id).sweep_at is None


@pytest.mark.parametrize("duration", [0.0, 5.0, 3600.0, 3601.0, 90_000.0])
def test_they_stay_as_long_as_any_token_lives(duration: float) -> None:
    tokens = StreamTokens(b"k" * 32, 3600, clock=lambda: 7200.0)
    _, expires_at = tokens.mint(a_published_asset(duration_seconds=duration))
    assert longest_watch_seconds(3600, duration) >= expires_at - 7200.0


@pytest.mark.parametrize(("generation", "is_left"), [(1, True), (2, False)])
def test_what_a_piece_for_a_viewer_leaves_of_an_earlier_generation_is_swept(
    pipeline: Pipeline, reprocess: Reprocess, generation: int, is_left: bool
) -> None:
    asset_id, runtime = pipeline.ready(), pipeline.world.runtime
    reprocess.asset(ANN, asset_id)
    pipeline.work()
    assert swept(pipeline, asset_id) == {"g2"}
    piece = a_job(pipeline.asset(asset_id), kind="demand", generation=generation)
    runtime.database.jobs.insert(piece)
    runtime.jobs.end(piece, "done", None)
    assert (pipeline.asset(asset_id).sweep_at is not None) == is_left


def test_what_a_job_leaves_while_its_asset_is_swept_is_swept_later(
    pipeline: Pipeline, reprocess: Reprocess, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset_id = pipeline.ready()
    reprocess.asset(ANN, asset_id)
    pipeline.work("probe", "validate", "plan", "step")

    def ends_meanwhile(storage: LocalStorage, prefix: str) -> list[ObjectInfo]:
        monkeypatch.undo()
        found = list(storage.list(prefix))
        reprocess.cancel(ANN, pipeline.job(asset_id).id)
        return found

    monkeypatch.setattr(LocalStorage, "list", ends_meanwhile)
    assert swept(pipeline, asset_id) == {"g1", "g2"}
    assert pipeline.asset(asset_id).sweep_at is not None
    assert swept(pipeline, asset_id) == {"g1"}


def test_files_of_a_generation_in_the_making_stay_and_those_of_a_failed_one_go(
    pipeline: Pipeline, reprocess: Reprocess
) -> None:
    asset_id = pipeline.ready()
    reprocess.asset(ANN, asset_id)
    pipeline.work("probe", "validate", "plan", "step")
    assert swept(pipeline, asset_id) == {"g1", "g2"}
    reprocess.cancel(ANN, pipeline.job(asset_id).id)
    assert pipeline.asset(asset_id).sweep_at is not None
    assert swept(pipeline, asset_id) == {"g1"}


def test_what_the_published_generation_refers_to_stays(pipeline: Pipeline, reprocess: Reprocess) -> None:
    asset_id = pipeline.ready()
    pipeline.put(f"assets/{asset_id}/g1/poster.1/poster.jpg")
    pipeline.put(f"assets/{asset_id}/captions/en.vtt")
    reprocess.asset(ANN, asset_id)
    pipeline.work()
    published = pipeline.asset(asset_id).published
    assert published is not None
    poster = Output("poster.jpg", "image", "g1/poster.1/poster.jpg", "image/jpeg", 1)
    files = Files("g1/poster.1/", {"poster.jpg": FileType("image", "image/jpeg")})
    changed = replace(published, outputs=(*published.outputs, poster), files=(*published.files, files))
    pipeline.world.runtime.database.assets.change(asset_id, {}, {"published": changed})
    swept(pipeline, asset_id)
    left = {key.removeprefix(f"assets/{asset_id}/") for key in pipeline.objects(f"assets/{asset_id}/")}
    assert {path for path in left if not path.startswith("g2/")} == {"g1/poster.1/poster.jpg", "captions/en.vtt"}


# --- pictures


def a_poster_job(pipeline: Pipeline, asset: Asset) -> Job:
    database, now = pipeline.world.runtime.database, 1.0
    job = Job(
        id="ab" * 16,
        asset_id=asset.id,
        owner=asset.owner,
        generation=asset.generation,
        profile=None,
        state="running",
        created_at=now,
        updated_at=now,
        kind="poster",
    )
    assert database.jobs.insert(job)
    task = Task(
        id="cd" * 16,
        job_id=job.id,
        asset_id=asset.id,
        owner=asset.owner,
        generation=asset.generation,
        name="poster",
        stage="poster",
        state="pending",
        created_at=now,
        updated_at=now,
    )
    assert database.tasks.insert(task)
    return job


@pytest.mark.parametrize(("handler", "state"), [(None, "done"), (rejecting, "failed")])
def test_a_picture_is_its_own_job_and_leaves_the_assets_state_alone(
    pipeline: Pipeline, handler: Callable[[Task, Lease], dict[str, Any]] | None, state: str
) -> None:
    asset = pipeline.asset(pipeline.ready())
    job = a_poster_job(pipeline, asset)
    pipeline.world.runtime.jobs.advance(job.id)
    pipeline.work("poster", poster=handler or (lambda _task, _lease: {}))
    ended = pipeline.world.runtime.database.jobs.get(job.id)
    assert ended is not None
    assert ended.state == state
    assert pipeline.asset(asset.id) == asset


def test_a_delete_ends_a_picture_too(pipeline: Pipeline) -> None:
    asset = pipeline.asset(pipeline.ready())
    job = a_poster_job(pipeline, asset)
    pipeline.world.runtime.trash.delete(ANN, asset.id)
    ended = pipeline.world.runtime.database.jobs.get(job.id)
    assert ended is not None
    assert ended.state == "cancelled"
