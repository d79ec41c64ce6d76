"""An asset's plan over HTTP: what it is made into, what is there of it, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediaflow.domain.ids import job_id, segment_id
from mediaflow.domain.ladder import plan_encode, rung_choices
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.records import Asset, Job
from mediaflow.plugin.wire import dump
from mediaflow.services.delivery.wanted import Wanted
from mediaflow.services.pipeline.fitting import fitted
from mediaflow.services.pipeline.foreseen import foreseen, kept
from mediaflow.services.pipeline.parts import recipes_of
from mediaflow.services.pipeline.stepplans import plans_of
from tests.api.site import Api, Site, is_problem
from tests.services.records import CREATED, a_job, an_asset
from tests.source_facts import AUDIO, VIDEO

SECONDS = 240
MEDIA = MediaInfo(
    "video",
    "mov,mp4",
    10_000_000,
    float(SECONDS),
    float(SECONDS),
    0.0,
    2,
    replace(VIDEO, width=1280, height=720, frame_count=SECONDS * 25, duration_seconds=float(SECONDS)),
    replace(AUDIO, duration_seconds=float(SECONDS)),
)


@pytest.fixture
def planned(site: Site) -> Asset:
    """An asset of ann's that is planned: its smallest size and sound in any case, the rest on demand."""
    return plan(site, "web-h264-on-demand")


def plan(site: Site, profile_name: str) -> Asset:
    runtime = site.world.runtime
    asset = an_asset(state="processing", next_generation=1)
    job = a_job(asset, id=job_id(asset.id, 1), media=dump(MEDIA), profile=profile_name)
    profile = runtime.plugins.profiles[profile_name]
    tasks = fitted([t for spec in profile.steps for t in plans_of(runtime.plugins, spec, MEDIA, profile)], profile)
    document = kept(plan_encode(MEDIA, profile), rung_choices(MEDIA, profile), foreseen(tasks))
    job = replace(job, plan=document, recipes=[dump(each) for each in recipes_of(tasks)])
    runtime.database.assets.insert(replace(asset, job_id=job.id))
    runtime.database.jobs.insert(job)
    runtime.jobs.add_steps(job, tasks)
    return asset


def plan_of(api: Api, asset: Asset) -> dict[str, Any]:
    answer = api.get(f"/assets/{asset.id}/plan")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.get_json()
    return document


def make(site: Site, asset: Asset, track: str, numbers: range, size_bytes: int, *, eager: bool) -> None:
    for number in numbers:
        record = MadeSegment(
            id=segment_id(asset.id, 1, track, number),
            asset_id=asset.id,
            generation=1,
            track=track,
            number=number,
            path=f"g1/x.1/{track}/{number}.m4s",
            content_type="video/mp4",
            size_bytes=size_bytes,
            duration_seconds=4.0,
            created_at=CREATED,
            eager=eager,
        )
        assert site.world.runtime.database.segments.insert(record)


def test_a_plan_tells_what_is_made_when_and_why(ann: Api, planned: Asset) -> None:
    document = plan_of(ann, planned)
    assert (document["profile"], document["generation"]) == ("web-h264-on-demand", 1)
    assert document["source"] | {"container": ""} == {
        "container": "",
        "size_bytes": 10_000_000,
        "duration_seconds": float(SECONDS),
        "width": 1280,
        "height": 720,
        "frame_rate": 25.0,
        "video_codec": "h264",
        "audio_codec": "aac",
        "channels": 2,
        "sample_rate_hz": 48000,
    }
    assert document["grid"] == {
        "frame_rate": 25.0,
        "segment_frames": 100,
        "segment_seconds": 4.0,
        "segments": 60,
        "frames": 6000,
    }
    assert document["left_out"] == [{"rung": "1080p", "why": "The picture is 1280x720: 720p has all of it."}]
    pictures = [each for each in document["renditions"] if each["kind"] == "video"]
    assert [(r["name"], r["width"], r["when"], r["segments"], r["segments_made"]) for r in pictures] == [
        ("720p", 1280, "on_demand", 60, 0),
        ("480p", 854, "on_demand", 60, 0),
        ("360p", 640, "eager", 60, 0),
    ]
    assert pictures[0]["why"] == "The picture's own size; made where somebody watches it."
    assert (pictures[0]["expected_bytes"], pictures[0]["measured"]) == (4_500_000 * SECONDS // 8, False)
    sounds = {each["name"]: each["why"] for each in document["renditions"] if each["kind"] == "audio"}
    assert sounds["audio-128k"] == "The sound of 720p, 480p; made in any case."
    assert document["made_on_demand"] == {"segments": 0, "size_bytes": 0}
    assert document["watched_at"] is None


def test_a_plan_tells_of_every_task_and_its_parts(site: Site, ann: Api, planned: Asset) -> None:
    tasks = {task["name"]: task for task in plan_of(ann, planned)["tasks"]}
    low = tasks["video-low"]
    assert (low["makes"], low["when"], low["in_parts"], low["segments"]) == (["360p"], "eager", True, 60)
    assert sum(part["count"] for part in low["parts"]) == 60
    assert low["states"] == {"waiting": len(low["parts"]), "running": 0, "made": 0, "failed": 0}
    assert low["expected_bytes"] == 1_080_000 * SECONDS // 8
    assert low["core_seconds"] > 0
    (demanded,) = (task for task in tasks.values() if task["when"] == "on_demand")
    assert (demanded["makes"], demanded["parts"]) == (["720p", "480p"], [])
    assert sum(demanded["states"].values()) == 0, "its init segments are no part of it"
    assert demanded["expected_bytes"] == (4_500_000 + 1_800_000) * SECONDS // 8
    first = tasks["video-first"]
    assert (first["in_parts"], first["expected_bytes"]) == (False, None)
    assert tasks["thumbnail"]["why"] == "It makes no segments."

    # when: the first part of it is made, and the next one runs
    database, job = site.world.runtime.database, job_id(planned.id, 1)
    parts = [task for task in database.tasks.find({"job_id": job}, sort=("turn",)) if task.whole == "video-low"]
    for task, state in zip(parts, ("done", "running"), strict=False):
        database.tasks.change(task.id, {}, {"state": state})
    document = plan_of(ann, planned)
    low = next(task for task in document["tasks"] if task["name"] == "video-low")
    assert (low["states"]["made"], low["states"]["running"]) == (1, 1)
    made = next(part["count"] for part in low["parts"] if part["state"] == "made")
    assert next(r for r in document["renditions"] if r["name"] == "360p")["segments_made"] == made > 0


def test_what_was_watched_is_there_and_says_what_the_rest_takes(site: Site, ann: Api, planned: Asset) -> None:
    # given: three segments and an init segment of a size on demand, and one that a player waits for
    runtime = site.world.runtime
    make(site, planned, "720p", range(-1, 3), 1000, eager=False)
    make(site, planned, "360p", range(1), 100, eager=True)
    runtime.database.assets.change(planned.id, {}, {"watched_at": CREATED})
    assert runtime.demand.want(Wanted(planned.id, 1, "480p", 7))

    document = plan_of(ann, planned)
    found = {each["name"]: each for each in document["renditions"]}
    assert [found["720p"][name] for name in ("segments_made", "made_bytes", "expected_bytes", "measured")] == [
        3,
        3000,
        60_000,
        True,
    ]
    assert (found["360p"]["segments_made"], found["360p"]["expected_bytes"]) == (1, 6000)
    assert document["made_on_demand"] == {"segments": 3, "size_bytes": 3000}
    assert document["watched_at"] == "2023-11-14T22:13:20.000Z"
    (demanded,) = (task for task in document["tasks"] if task["when"] == "on_demand")
    assert [(part["first"], part["state"]) for part in demanded["parts"]] == [(7, "waiting")]


def test_a_plan_is_its_owners(site: Site, ann: Api, bob: Api, admin: Api, stranger: Api, planned: Asset) -> None:
    path = f"/assets/{planned.id}/plan"
    assert admin.get(path).status_code == 200
    is_problem(bob.get(path), 404, "asset.not_found")
    is_problem(stranger.get(path), 401)
    site.world.runtime.database.assets.change(planned.id, {}, {"shared_with": ["bob"]})
    is_problem(bob.get(path), 403, "asset.not_yours")
    site.world.runtime.database.assets.change(planned.id, {}, {"deleted_at": CREATED})
    is_problem(ann.get(path), 404, "asset.not_found")


def test_before_it_is_planned_there_is_no_plan(ann: Api, planned: Asset, site: Site) -> None:
    is_problem(ann.get(f"/assets/{ann.announce()['asset_id']}/plan"), 409, "asset.not_planned")
    # while it is processed again, what is published is what there is
    site.world.runtime.database.assets.change(planned.id, {}, {"next_generation": 2, "generation": 1})
    again = a_job(planned, id=job_id(planned.id, 2), generation=2)
    site.world.runtime.database.jobs.insert(again)
    assert plan_of(ann, planned)["generation"] == 1


def test_what_an_older_version_planned_lacks_what_it_did_not_keep(site: Site, ann: Api, planned: Asset) -> None:
    jobs = site.world.runtime.database.jobs
    job = jobs.get(job_id(planned.id, 1))
    assert isinstance(job, Job)
    older = {name: value for name, value in (job.plan or {}).items() if name not in ("rungs", "tasks")}
    jobs.change(job.id, {}, {"plan": older})
    document = plan_of(ann, planned)
    assert (document["left_out"], document["tasks"]) == (None, None)
    assert next((r["name"], r["why"], r["segments_made"]) for r in document["renditions"]) == ("720p", None, None)
