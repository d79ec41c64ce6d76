"""Profiles: read from YAML or JSON; whatever is wrong is named with its line and the way out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from mediaflow.plugin import (
    Artifact,
    ConfigurationError,
    Manifest,
    MediaInfo,
    PlannedTask,
    Presentation,
    Profile,
    Rung,
    StepSpec,
    StepTask,
    Workspace,
)
from mediaflow.registry.profile_files import OPERATOR, load_profiles
from mediaflow.registry.profiles import check_profile, parse_profile
from mediaflow.settings import Settings

GOOD = """\
name: web-h264
description: For any browser.
segment_seconds: 4
frame_rate_max: 60
ladder:
  - {name: 1080p, height: 1080, video_bitrate_bps: 5000000, audio_bitrate_bps: 192000}
  - {name: 720p, height: 720, video_bitrate_bps: 2500000, audio_bitrate_bps: 128000}
steps:
  - step: video.h264
    params: {preset: veryfast, crf: 20}
  - step: audio.aac
manifests: [hls]
"""


class SomeStep:
    """A step whose parameters are `crf` and `preset`."""

    def __init__(self, name: str, said: Sequence[str] = ()) -> None:
        self.name = name
        self._said = said

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return [] if set(params) <= {"crf", "preset"} and not self._said else self._said

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        return []

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        return []


class BrokenStep(SomeStep):
    """A step whose check raises."""

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        raise KeyError("crf")


class SomeManifest:
    """A manifest format."""

    name = "hls"

    def render(self, presentation: Presentation) -> Sequence[Manifest]:
        return []


STEPS = {name: SomeStep(name) for name in ("video.h264", "audio.aac")}
MANIFESTS = {"hls": SomeManifest()}


def _said(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse_profile(text, "profiles/web.yaml")
    assert [problem.detail for problem in caught.value.problems] == caught.value.detail.splitlines()
    return caught.value.detail.splitlines()


def test_a_good_profile_is_read() -> None:
    profile = parse_profile(GOOD, "profiles/web.yaml")

    assert profile == Profile(
        name="web-h264",
        description="For any browser.",
        segment_seconds=4.0,
        frame_rate_max=60,
        ladder=(Rung("1080p", 1080, 5_000_000, 192_000), Rung("720p", 720, 2_500_000, 128_000)),
        steps=(StepSpec("video.h264", {"preset": "veryfast", "crf": 20}), StepSpec("audio.aac")),
        manifests=("hls",),
        source="profiles/web.yaml",
    )
    assert check_profile(profile, STEPS, MANIFESTS) == []


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_is_read_too(indent: int | str | None) -> None:
    text = json.dumps(yaml.safe_load(GOOD), indent=indent)

    assert parse_profile(text, "web.json").ladder == parse_profile(GOOD, "web.yaml").ladder


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("segment_seconds: 4", "segment_seconds: 11", "3: segment_seconds: 11 is too large; the most is 10"),
        ("segment_seconds: 4", "segment_seconds: 0.5", "3: segment_seconds: 0.5 is too small; the least is 1"),
        ("segment_seconds: 4", "segment_seconds: .nan", "3: segment_seconds: '.nan' is neither"),
        ("segment_seconds: 4", "segment_seconds: '4'", "3: segment_seconds: must be a number, not '4'"),
        (
            "segment_seconds: 4",
            "segment_secs: 4",
            "3: segment_secs: this key is unknown; did you mean 'segment_seconds'?",
        ),
        ("segment_seconds: 4\n", "", "1: missing: segment_seconds"),
        ("frame_rate_max: 60", "frame_rate_max: 121", "4: frame_rate_max: 121 is too large"),
        ("frame_rate_max: 60", "frame_rate_max: true", "4: frame_rate_max: must be a whole number, not True"),
        ("height: 720", "height: 721", "7: ladder[1].height: 721 must be even"),
        ("height: 720", "height: 8", "7: ladder[1].height: 8 is too small; the least is 16"),
        ("height: 720", "height: 4322", "7: ladder[1].height: 4322 is too large; the most is 4320"),
        ("height: 720", "height: 1080", "7: ladder[1].height: two rungs have the height 1080"),
        ("name: 720p", "name: 1080p", "7: ladder[1].name: two rungs are called '1080p'"),
        ("name: 720p", "name: 720", "7: ladder[1].name: must be text (in quotes, if it looks like a number), not 720"),
        ("name: 720p", "name: ../x", "7: ladder[1].name: '../x' is no name; use a-z, 0-9 and -"),
        ("2500000", "15000", "7: ladder[1].video_bitrate_bps: 15000 is too small; the least is 16000"),
        ("2500000", "250000000", "7: ladder[1].video_bitrate_bps: 250000000 is too large"),
        ("step: audio.aac", "stp: audio.aac", "11: steps[1].stp: this key is unknown; did you mean 'step'?"),
        ("manifests: [hls]", "manifests: [hls, hls]", "12: manifests[1]: 'hls' is here twice"),
        ("manifests: [hls]", "manifests: hls", "12: manifests: must be a list, not 'hls'"),
        (
            "manifests: [hls]",
            "manifests: [hls]\nname: x",
            "13: name: this key is here twice; the first one is in line 1",
        ),
        ("manifests: [hls]", "manifests: [*x]", "12: the alias *x is not allowed here; write the value out"),
        ("[hls]", "[hls", "this is not valid YAML"),
        ("crf: 20", "crf: !!python/name:os.system x", "10: steps[0].params.crf: "),
        ("crf: 20", "crf: 2026-13-45", "10: steps[0].params.crf: '2026-13-45' is neither"),
        ("crf: 20", f"crf: {'1' * 5000}", "10: steps[0].params.crf: "),
        ("crf: 20", "1: 20", "10: steps[0].params: '1' can't be a key; keys are text"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, said: str) -> None:
    assert old in GOOD

    lines = _said(GOOD.replace(old, new, 1))

    assert any(line.startswith("profiles/web.yaml:") and said in line for line in lines), lines


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = (
        GOOD.replace("60", "0")
        .replace("height: 720", "height: 2")
        .replace("[hls]", "7")
        .replace("crf: 20", "crf: .inf")
    )

    assert {line.split(": ")[1] for line in _said(text)} == {
        "steps[0].params.crf",
        "manifests",
        "frame_rate_max",
        "ladder[1].height",
    }


def test_a_video_step_needs_a_ladder() -> None:
    head, rest = GOOD.split("ladder:\n")

    (line,) = _said(head + "steps:" + rest.split("steps:")[1])

    assert line == "profiles/web.yaml:6: steps[0].step: 'video.h264' needs a ladder; add at least one rung to `ladder`"


def test_other_steps_need_none() -> None:
    head, _ = GOOD.split("ladder:\n")

    profile = parse_profile(head + "steps: [{step: example.checksum}]\nmanifests: []\n", "x.yaml")

    assert profile.ladder == ()


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "profiles/web.yaml:2: the alias *a is not allowed here; write the value out"),
        ("[" * 5000, "profiles/web.yaml:1: values are nested more than 20 deep"),
        ("- " * 5000, "values are nested more than 20 deep"),
        ("#" * 300_000, "the file has more than 256 KiB"),
        ("", "profiles/web.yaml: must be a mapping, not nothing"),
        ("- a", "profiles/web.yaml:1: must be a mapping, not a list"),
        ("a: 1\n---\nb: 2\n", "profiles/web.yaml:2: this is not valid YAML"),
        ("a: \x00", "this is not valid YAML"),
    ],
    ids=["bomb", "deep", "deep-block", "long", "empty", "list", "two-documents", "nul"],
)
def test_what_is_no_profile_at_all_is_refused_soon(text: str, said: str) -> None:
    started = time.monotonic()

    assert said in _said(text)[0]

    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "video.h264",
            "video.h265",
            "profiles/web.yaml:9: steps[0].step: no step is called 'video.h265'; did you mean 'video.h264'?",
        ),
        (
            "[hls]",
            "[hsl]",
            "profiles/web.yaml:12: manifests[0]: no manifest format is called 'hsl'; did you mean 'hls'?",
        ),
    ],
)
def test_names_that_nobody_offers_are_refused_with_a_suggestion(old: str, new: str, said: str) -> None:
    profile = parse_profile(GOOD.replace(old, new), "profiles/web.yaml")

    assert check_profile(profile, STEPS, MANIFESTS) == [said]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            SomeStep("video.h264", ["crf: 99 is too large; the most is 51"]),
            "profiles/web.yaml:10: steps[0].params.crf: 99 is too large; the most is 51",
        ),
        (
            SomeStep("video.h264", ["tune: is missing"]),
            "profiles/web.yaml:10: steps[0].params.tune: is missing",
        ),
        (
            SomeStep("video.h264", ["these do not fit together"]),
            "profiles/web.yaml:10: steps[0].params: these do not fit together",
        ),
        (
            BrokenStep("video.h264"),
            "profiles/web.yaml:10: steps[0].params: the check of step 'video.h264' failed: KeyError: 'crf'",
        ),
    ],
)
def test_what_a_step_says_of_its_parameters_gets_their_line(step: SomeStep, said: str) -> None:
    profile = parse_profile(GOOD, "profiles/web.yaml")

    assert check_profile(profile, {**STEPS, "video.h264": step}, MANIFESTS) == [said]


def test_the_operators_profiles_add_and_override(tmp_path: Path) -> None:
    # given
    offered, own = tmp_path / "offered.yaml", tmp_path / "own"
    offered.write_text(GOOD)
    own.mkdir()
    (own / "web.yml").write_text(GOOD.replace("For any browser.", "Ours."))
    (own / "more.json").write_text(json.dumps(yaml.safe_load(GOOD.replace("web-h264", "more"))))
    (own / "notes.txt").write_text("not a profile")

    # when
    profiles = load_profiles([("profiles", offered)], Settings(profiles_dir=str(own)), STEPS, MANIFESTS)

    # then
    assert {name: (owner, p.description) for name, (owner, p) in profiles.items()} == {
        "more": (OPERATOR, "For any browser."),
        "web-h264": (OPERATOR, "Ours."),
    }


def test_wrong_files_are_all_named_with_their_lines(tmp_path: Path) -> None:
    # given
    (tmp_path / "a.yaml").write_text(GOOD.replace("60", "600"))
    (tmp_path / "b.yaml").write_text(GOOD.replace("video.h264", "video.h265"))
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\xff")

    # when
    with pytest.raises(ConfigurationError) as caught:
        load_profiles([], Settings(profiles_dir=str(tmp_path)), STEPS, MANIFESTS)

    # then
    said = caught.value.detail
    assert f"{tmp_path / 'a.yaml'}:4: frame_rate_max: 600 is too large" in said
    assert f"{tmp_path / 'b.yaml'}:9: steps[0].step: no step is called 'video.h265'" in said
    assert f"{tmp_path / 'c.yaml'}: can't be read" in said


def test_two_files_of_one_name_are_both_named(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)

    with pytest.raises(ConfigurationError, match=r"'web-h264' is offered twice.*a\.yaml.*b\.yaml"):
        load_profiles([], Settings(profiles_dir=str(tmp_path)), STEPS, MANIFESTS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"profiles_dir": "/nowhere/at/all"}, "MEDIAFLOW_PROFILES_DIR is '/nowhere/at/all', which is not a directory"),
        ({"default_profile": "web-h265"}, "MEDIAFLOW_DEFAULT_PROFILE is 'web-h265', but no profile is called so"),
    ],
)
def test_a_directory_or_default_that_is_not_there_is_named(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    offered = tmp_path / "offered.yaml"
    offered.write_text(GOOD)

    with pytest.raises(ConfigurationError) as caught:
        load_profiles([("profiles", offered)], Settings(**settings), STEPS, MANIFESTS)

    assert said in caught.value.detail
