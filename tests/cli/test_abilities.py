"""Profiles whose encoder is not on this machine: what a start and `mediaflow doctor` say of them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from mediaflow import registry
from mediaflow.embedded.abilities import abilities, check_profiles
from mediaflow.embedded.checks import check_worker
from mediaflow.plugin import ConfigurationError
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow_ffmpeg import trial
from mediaflow_ffmpeg.families import FAMILIES
from tests.cli.conftest import Run

PROFILE = """
name: {name}
description: By a card.
segment_seconds: 4
frame_rate_max: 60
ladder:
  - {{name: 720p, height: 720, video_bitrate_bps: 2500000, audio_bitrate_bps: 128000}}
steps:
  - step: {step}
    params: {{encoder: {encoder}}}
manifests: [hls]
"""


@pytest.fixture(scope="module")
def missing() -> str:
    """An encoder that this machine does not have."""
    names = [
        name
        for name, family in FAMILIES.items()
        if family.devices and trial.lacks(family, SandboxedRunner("bwrap")) is not None
    ]
    if not names:
        pytest.skip("this machine has every encoder")
    return names[0]


def profile(directory: Path, encoder: str, step: str = "video.h264", name: str = "by-card") -> dict[str, str]:
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.yaml").write_text(PROFILE.format(name=name, step=step, encoder=encoder))
    return {"MEDIAFLOW_PROFILES_DIR": str(directory)}


def test_a_profile_of_the_operator_whose_encoder_is_missing_stops_the_worker(missing: str, tmp_path: Path) -> None:
    environ = profile(tmp_path / "profiles", missing)
    settings, plugins = registry.load(environ | {"MEDIAFLOW_DATA_DIR": str(tmp_path / "data")})

    for check in (check_profiles, check_worker):
        with pytest.raises(ConfigurationError) as caught:
            check(settings, plugins)
        (said,) = caught.value.detail.splitlines()
        file = tmp_path / "profiles" / "by-card.yaml"
        assert said.startswith(f"the profile 'by-card' ({file}): the encoder {missing} does not work here (")
        assert said.endswith("or name another encoder")


def test_doctor_says_the_same_and_which_encoders_there_are(missing: str, run: Run, tmp_path: Path) -> None:
    done = run("doctor", "--json", **profile(tmp_path / "profiles", missing))

    (check,) = [check for check in json.loads(done.out)["checks"] if check["name"] == "encoders"]
    assert done.code == 1
    assert check["state"] == "failed"
    assert check["detail"].startswith("the profile 'by-card' (")
    assert "; usable here: libx265, libsvtav1" in check["detail"]


def test_encoders_that_are_there_are_no_obstacle(tmp_path: Path) -> None:
    environ = profile(tmp_path / "profiles", "libx265", "video.hevc")
    settings, plugins = registry.load(environ | {"MEDIAFLOW_DATA_DIR": str(tmp_path / "data")})

    check_profiles(settings, plugins)
    assert abilities(settings, plugins)[0] == "passed"


def test_a_directory_for_an_encoder_that_is_tried_is_gone_afterwards(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    trial.lacks(FAMILIES[missing], SandboxedRunner("bwrap"))
    assert trial.lacks(FAMILIES["libsvtav1"], SandboxedRunner("bwrap")) is None
    assert list(tmp_path.iterdir()) == []
