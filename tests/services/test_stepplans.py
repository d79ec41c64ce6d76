"""Whatever goes wrong in a step's `plan` names the step and its plugin."""

from __future__ import annotations

from fractions import Fraction
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import pytest

from mediaflow.domain.errors import MediaRejected, TaskFailed, Unavailable
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.profile import Profile, StepSpec
from mediaflow.plugin import PlannedTask
from mediaflow.services.pipeline.stepplans import plans_of

MEDIA = MediaInfo("audio", "wav", 3, 1.0, 1.0, 0.0, 1)
SPEC = StepSpec("outside.vp9")
PROFILE = Profile("mine", "", 4.0, 60, (), (SPEC,), ())


def planned(answer: Any) -> list[tuple[str, PlannedTask]]:
    def plan(*_: Any) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    plugins: Any = SimpleNamespace(steps={SPEC.step: SimpleNamespace(plan=plan)}, entry_point_of_step=lambda _: "mine")
    return plans_of(plugins, SPEC, MEDIA, PROFILE)


def with_r(value: Any) -> list[PlannedTask]:
    return [PlannedTask("vp9-0", {"crf": 30, "r": value})]


def test_plain_json_is_planned() -> None:
    task = with_r({"a": [1, 2.5, None, True, ("b",)]})[0]
    assert planned(iter([task])) == [(SPEC.step, task)]


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        (
            with_r(Fraction(1)),
            "job.bad_plan",
            "planned 'vp9-0' with a parameter 'r' that is no JSON (Fraction); see to",
        ),
        (with_r({"a": [b"x"]}), "job.bad_plan", "a parameter 'r' that is no JSON (bytes)"),
        (with_r({1: 2}), "job.bad_plan", "a parameter 'r' that is no JSON (the key 1)"),
        (with_r([float("nan")]), "job.bad_plan", "a parameter 'r' that is no JSON (nan)"),
        (None, "job.bad_plan", "planned None; it must return PlannedTasks"),
        (["vp9-0"], "job.bad_plan", "planned 'vp9-0'; it must be a PlannedTask"),
        (SystemExit(1), "job.bad_plan", "failed to plan: WouldEndProcess: SystemExit(1)"),
        (
            [PlannedTask("a", weight=float("nan"))],
            "job.bad_plan",
            "planned 'a' with weight nan; it must be 0 to 1",
        ),
        ([PlannedTask("a", weight=float("inf"))], "job.bad_plan", "planned 'a' with weight inf"),
        ([PlannedTask("a", weight=-1.0)], "job.bad_plan", "planned 'a' with weight -1.0"),
        ([PlannedTask("a", load_units=10**9)], "job.bad_plan", "with load_units 1000000000; it must be 0 to 1024"),
        ([PlannedTask("a", load_units=-5)], "job.bad_plan", "with load_units -5"),
        ([PlannedTask("a", load_units=1.5)], "job.bad_plan", "with load_units 1.5"),  # type: ignore[arg-type]
        ([PlannedTask("a", needs="b")], "job.bad_plan", "with needs 'b'; it must be a tuple"),  # type: ignore[arg-type]
        ([PlannedTask(7)], "job.bad_plan", "planned a task whose name is 7"),  # type: ignore[arg-type]
        (with_r("x" * 1024 * 1024), "job.bad_plan", "bytes; at most 1048576 fit: put more into a file"),
        (with_r("\ud800"), "job.bad_plan", "with parameters that are no Unicode text"),
        (repeat(PlannedTask("a")), "job.bad_plan", "planned more than 10000 tasks"),
        (
            Unavailable("x\ud800\n" * 10_000, code="bad\ncode"),
            "storage.unavailable",
            "to plan: x\ufffd x\ufffd x",
        ),
        (KeyError("audio"), "job.bad_plan", "failed to plan: KeyError: 'audio'"),
        (Unavailable("No answer."), "storage.unavailable", "failed to plan: No answer."),
    ],
)
def test_a_bad_plan_names_the_step_and_its_plugin(answer: Any, code: str, sentence: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        planned(answer)
    assert caught.value.detail.startswith("The step 'outside.vp9' of the plugin 'mine' ")
    assert sentence in caught.value.detail
    assert len(caught.value.detail) < 1200
    assert caught.value.code == code


def test_a_step_may_reject_the_source() -> None:
    with pytest.raises(MediaRejected, match=r"^Too small\.$"):
        planned(MediaRejected("Too small."))
