"""A plugin of someone else: a distribution of its own, really installed, found by its entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1] / "thirdparty" / "mediaflow-example" / "tests"
PLUGIN = "mediaflow_example/plugin.py"
STEP = "mediaflow_example/checksum.py"
PROFILE = "mediaflow_example/profiles/example.yaml"

LISTING = """
import dataclasses, json
from mediaflow.domain.errors import ConfigurationError
from mediaflow.registry import load
try:
    settings, plugins = load({})
except ConfigurationError as error:
    print(json.dumps({"refused": error.detail}))
else:
    print(json.dumps([dataclasses.asdict(info) for info in plugins.listing()]))
"""
RUN = """
import hashlib, json, pathlib, sys
from mediaflow.plugin import MediaInfo, StepTask, UploadDraft, Workspace
from mediaflow.registry import load
directory = pathlib.Path(sys.argv[1])
source = directory / "source.bin"
source.write_bytes(b"x" * 3_000_000)
settings, plugins = load({})
media = MediaInfo("audio", "bin", 3_000_000, 1.0, 1.0, 0.0, 1)
profile = plugins.profiles["example"]
step, spec = plugins.steps["example.checksum"], profile.steps[0]
(task,) = step.plan(media, spec, profile)
progress = []
workspace = Workspace(directory, source, progress.append, None, settings.plugins)
(artifact,) = step.run(StepTask(task.name, task.params, media), workspace)
refused = plugins.validate_upload(UploadDraft("ann", "ForBidden.mp4", 3, "video/mp4"))
print(json.dumps({
    "role": artifact.role,
    "made": json.loads((directory / artifact.path).read_text()),
    "expected": hashlib.sha256(source.read_bytes()).hexdigest(),
    "size_matches": artifact.size_bytes == (directory / artifact.path).stat().st_size,
    "progress": progress[-1],
    "codes": [problem.code for problem in refused],
    "wrong": list(step.check({"algorithm": "md5", "salt": 1})),
}))
"""


def _python(site: Path, code: str, *arguments: str) -> Any:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAFLOW_")}
    environ["PYTHONPATH"] = str(site)
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environ, cwd=site, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_installed_distribution_is_listed_with_what_it_offers(thirdparty_site: Path) -> None:
    listing = _python(thirdparty_site, LISTING)

    assert "refused" not in listing, listing
    (example,) = [info for info in listing if info["name"] == "example"]
    assert example == {
        "name": "example",
        "distribution": "mediaflow-example",
        "version": "1.2.0",
        "api": ">=1.0,<2",
        "hooks": [
            "mediaflow_register_profiles",
            "mediaflow_register_settings",
            "mediaflow_register_steps",
            "mediaflow_validate_upload",
        ],
        "steps": ["example.checksum"],
        "manifests": [],
        "storages": [],
        "profiles": ["example"],
        "settings": ["example_word"],
        "metrics": [],
        "periodics": [],
    }


def test_its_step_and_its_validation_work_through_the_registry(thirdparty_site: Path, tmp_path: Path) -> None:
    said = _python(thirdparty_site, RUN, str(tmp_path))

    assert said["made"] == {"sha256": said["expected"], "size_bytes": 3_000_000}
    assert (said["role"], said["size_matches"], said["progress"]) == ("file", True, 1.0)
    assert "upload.example_forbidden" in said["codes"]
    assert [sentence.split(":")[0] for sentence in said["wrong"]] == ["salt", "algorithm"]


def test_its_own_tests_pass_with_the_shipped_contract(thirdparty_site: Path) -> None:
    # what else is installed for pytest here is loaded by none of its tests, and takes longer than they do
    environ = {**os.environ, "PYTHONPATH": str(thirdparty_site), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(TESTS), "--confcutdir", str(TESTS)]
    command = [sys.executable, "-m", "pytest", *options, str(TESTS)]
    done = subprocess.run(command, cwd=thirdparty_site, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def _misspell(site: Path) -> None:
    _edit(site / PLUGIN, "def mediaflow_validate_upload(", "def mediaflow_validate_uplaod(")


def _break_import(site: Path) -> None:
    _edit(site / PLUGIN, "from importlib.resources import", "from importlib.resorces import")


def _wrong_parameter(site: Path) -> None:
    _edit(site / PLUGIN, "(upload: UploadDraft, context:", "(upload: UploadDraft, contxt:")


def _take_a_step(site: Path) -> None:
    _edit(site / STEP, '"example.checksum"', '"video.h264"')


def _take_a_plugins_name(site: Path) -> None:
    (information,) = site.glob("mediaflow_example-*.dist-info")
    _edit(information / "entry_points.txt", "example = mediaflow_example.plugin", "local = mediaflow_example.plugin")


def _take_a_setting(site: Path) -> None:
    _edit(site / PLUGIN, 'SettingSpec("example_word"', 'SettingSpec("host"')


def _break_the_profile(site: Path) -> None:
    _edit(site / PROFILE, "example.checksum", "example.chcksum")


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_misspell, ["unknown hook 'mediaflow_validate_uplaod'; did you mean 'mediaflow_validate_upload'?"]),
        pytest.param(
            _break_import,
            ["can't be imported: ModuleNotFoundError", "MEDIAFLOW_PLUGINS_DISABLED=example"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            _wrong_parameter,
            ["mediaflow_validate_upload takes 'contxt'", "did you mean 'context'?"],
            marks=pytest.mark.slow,
        ),
        (_take_a_step, ["the step 'video.h264' is offered twice", "the plugin 'ffmpeg' of mediaflow 0.1.0"]),
        pytest.param(
            _take_a_plugins_name,
            ["two plugins are called 'local'", "mediaflow_local.plugin of mediaflow 0.1.0"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            _take_a_setting, ["MEDIAFLOW_HOST is a setting of both mediaflow and example"], marks=pytest.mark.slow
        ),
        (_break_the_profile, ["example.yaml:11: steps[2].step: no step is called 'example.chcksum'"]),
    ],
)
def test_a_broken_distribution_stops_the_start_with_one_sentence(
    edit: Callable[[Path], None], said: list[str], edited_site: Callable[[Callable[[Path], None]], Path]
) -> None:
    refused = _python(edited_site(edit), LISTING)["refused"]

    assert _names_the_distribution(refused)
    assert "\n" not in refused
    for part in said:
        assert part in refused


def _names_the_distribution(sentence: str) -> bool:
    """True when the sentence says whose plugin it is (a profile's place is inside of the package)."""
    return "mediaflow-example 1.2.0" in sentence or "mediaflow_example/profiles" in sentence
