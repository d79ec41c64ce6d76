"""What steps plan is fitted together: needs found, and names that two want refused with both and the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.profile import Profile, StepSpec
from mediaflow.plugin import Artifact, PlannedTask, Track
from mediaflow.services.pipeline.fitting import Planned, check_made, fitted

H264, AV1, CUT = "video.h264", "outside.av1", "outside.cut"
PROFILE = Profile("both", "", 4.0, 60, (), (StepSpec(H264), StepSpec(AV1), StepSpec(CUT)), ())


def task(name: str, *needs: str, makes: tuple[str, ...] = ()) -> PlannedTask:
    return PlannedTask(name, needs=needs, makes=makes)


def test_a_need_is_a_task_or_all_tasks_of_a_step() -> None:
    planned = [
        (H264, task("video-0", makes=("720p",))),
        (H264, task("video-1", makes=("720p",))),
        (CUT, task("cut-a", H264)),
        (CUT, task("cut-b", "video-1", CUT)),
        (CUT, task("cut-c", AV1)),
    ]

    found = {made.name: made.needs for _, made in fitted(planned, PROFILE)}

    assert found["cut-a"] == ("video-0", "video-1")
    assert found["cut-b"] == ("video-1", "cut-a", "cut-c")
    # AV1 is in the profile, and plans nothing for this file
    assert found["cut-c"] == ()


@pytest.mark.parametrize(
    ("planned", "sentence"),
    [
        (
            [(H264, task("video-0", makes=("720p", "480p"))), (AV1, task("av1-0", makes=("720p",)))],
            "Profile 'both': the steps 'video.h264' and 'outside.av1' both make '720p'; take one of them out",
        ),
        (
            [(H264, task("video-0")), (AV1, task("video-0"))],
            "the steps 'video.h264' and 'outside.av1' both plan a task called 'video-0'; take one of them out",
        ),
        ([(CUT, task("cut")), (CUT, task("cut"))], "the step 'outside.cut' plans two tasks called 'cut'; list it once"),
        ([(CUT, task("package"))], "the step 'outside.cut' plans a task called 'package'; names are"),
        ([(CUT, task("Über/cut"))], "the step 'outside.cut' plans a task called 'Über/cut'; names are"),
        (
            [(H264, task("video-0")), (CUT, task("cut", "video-9"))],
            "the task 'cut' of the step 'outside.cut' needs 'video-9', which no step of the profile plans for this"
            " file; did you mean 'video-0'?",
        ),
        ([(CUT, task("cut", "audio.aac"))], "the task 'cut' of the step 'outside.cut' needs 'audio.aac'"),
        (
            [(CUT, task("a", "b")), (CUT, task("b", "c")), (CUT, task("c", "a"))],
            "its tasks wait for one another: ",
        ),
        ([(CUT, task("a", "a"))], "its tasks wait for one another: 'a' needs 'a'"),
    ],
)
def test_what_does_not_fit_is_refused(planned: list[Planned], sentence: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        fitted(planned, PROFILE)
    assert sentence in caught.value.detail
    assert caught.value.code == "job.bad_plan"


TRACK = Track("720p", "video", "avc1.64001f", 12800, width=1280, height=720)
INIT = Artifact("720p/init.mp4", "init", "video/mp4", 800, track="720p", describes=TRACK)
SEGMENT = Artifact("720p/00000.m4s", "segment", "video/mp4", 1000, track="720p", number=0, duration_seconds=4.0)
SECOND = replace(SEGMENT, path="720p/00001.m4s", number=1)
IMAGE = Artifact("thumbnail.jpg", "thumbnail", "image/jpeg", 100)


def test_two_spans_of_one_step_make_one_track() -> None:
    check_made([(H264, "video-0", [INIT, SEGMENT]), (H264, "video-1", [INIT, SECOND]), (CUT, "cut", [IMAGE])])


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        # what was published once: an init segment of H.264 with segments of AV1
        (
            [(H264, "video-0", [INIT, SEGMENT]), (AV1, "av1-0", [SECOND])],
            "the steps 'video.h264' and 'outside.av1' both made '720p'",
        ),
        (
            [(CUT, "cut", [IMAGE]), (AV1, "av1-0", [IMAGE])],
            "the steps 'outside.cut' and 'outside.av1' both made 'thumbnail.jpg'",
        ),
        (
            [
                (H264, "video-0", [INIT, SEGMENT]),
                (H264, "video-1", [replace(INIT, describes=replace(TRACK, codecs="avc1.640028")), SECOND]),
            ],
            "the tasks 'video-0' and 'video-1' of the step 'video.h264' made different inits of '720p'",
        ),
    ],
)
def test_what_was_made_twice_is_not_published(made: list[tuple[str, str, list[Artifact]]], sentence: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        check_made(made)
    assert sentence in caught.value.detail
    assert caught.value.code == "job.name_taken"
