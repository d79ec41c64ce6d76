"""What a task finds out is told to those after it, also to what is made on demand: a plugin of somebody else's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import TaskFailed
from mediaflow.plugin import Artifact
from mediaflow.plugin.wire import dump
from mediaflow.services.access.principals import Principal
from mediaflow.services.pipeline import findings
from mediaflow.testing.clips import make_clip
from tests.services.working import asset_of, ingest, work, working_world

PLUGIN = """
import json
from mediaflow.plugin import Artifact, PlannedTask, hookimpl

class Finding:
    name = "find.out"
    def check(self, params): return []
    def plan(self, media, spec, profile):
        return [PlannedTask("find-look", rank=1, optional=True), PlannedTask("find-use", needs=("find-look",))]
    def run(self, task, workspace):
        role, told = ("findings", {"answer": 42}) if task.name == "find-look" else ("file", dict(task.findings))
        file = workspace.directory / f"{task.name}.json"
        file.write_text(json.dumps(told))
        return [Artifact(file.name, role, "application/json", file.stat().st_size)]

@hookimpl
def mediaflow_register_steps():
    return [Finding()]
"""
PROFILE = """
name: find
description: One task finds out what another wants to know.
segment_seconds: 1
frame_rate_max: 60
ladder:
  - {name: 90p, height: 90, video_bitrate_bps: 150000, audio_bitrate_bps: 64000}
steps:
  - step: find.out
  - step: video.h264
    params: {preset: ultrafast, crf: 30}
manifests: [hls]
"""


@pytest.fixture
def finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "modules" / "finding-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: finding\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mediaflow]\nfinding = finding_plugin\n")
    (info.parent / "finding_plugin.py").write_text(PLUGIN)
    (tmp_path / "world" / "profiles").mkdir(parents=True)
    (tmp_path / "world" / "profiles" / "find.yaml").write_text(PROFILE)
    monkeypatch.syspath_prepend(str(info.parent))


@pytest.mark.usefixtures("finding")
def test_findings_are_told_to_later_tasks_and_are_no_output(tmp_path: Path) -> None:
    with working_world(tmp_path / "world") as world:
        asset_id = ingest(world, make_clip(tmp_path / "clip.mp4", seconds=2), profile="find")
        work(world)

        asset = asset_of(world, asset_id)
        assert asset.published is not None, asset.error
        assert [output.name for output in asset.published.of_kind("file")] == ["find-use.json"]
        prefix, (path,) = f"assets/{asset_id}/", [output.path for output in asset.published.of_kind("file")]
        told = json.loads(b"".join(world.runtime.storage.read(prefix + path)))
        assert told == {"find-look": {"answer": 42}}
        plan = world.runtime.plans.of(Principal(asset.owner, "user"), asset_id)
        shown = {task.name: task.findings for task in plan.outlook.tasks or ()}
        assert shown["find-look"] == {"answer": 42}
        assert shown["find-use"] is None


def artifact(directory: Path, written: bytes) -> Mapping[str, Any]:
    (directory / "found.json").write_bytes(written)
    document: Mapping[str, Any] = dump(Artifact("found.json", "findings", "application/json", len(written)))
    return document


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"{", "are no JSON"),
        (b"[1]", "must be a JSON object"),
        (b'{"crf": NaN}', "are no JSON (NaN is no number of JSON)"),
        (b'{"name": "\\ud800"}', "are no JSON"),
        (b"\xff", "are no JSON"),
        (b'{"a": ' + b"[" * 2000 + b"]" * 2000 + b"}", "are no JSON"),
        (json.dumps({"text": "x" * 5000}).encode(), "bytes; at most 4096 fit"),
    ],
)
def test_what_is_no_small_object_fails_the_task_in_a_sentence(tmp_path: Path, written: bytes, said: str) -> None:
    with pytest.raises(TaskFailed, match=r"The findings in found\.json") as raised:
        findings.taken_from([artifact(tmp_path, written)], tmp_path)
    assert said in str(raised.value)
    assert raised.value.code == "job.step_broken"
