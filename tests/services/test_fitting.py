"""What steps plan is fitted together: needs found, and names that two want refused with both and the way out."""

from __future__ import annotations

import pytest

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.profile import Profile, StepSpec
from mediaflow.plugin import PlannedTask
from mediaflow.services.pipeline.fitting import Planned, fitted

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
