"""A step reads what the steps made that it needs: through the real pipeline, in the real sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from mediaflow.domain import keys
from mediaflow.plugin import Artifact, ObjectInfo, Storage, TaskFailed, TaskFiles, Track
from mediaflow.plugin.wire import dump
from mediaflow.services.pipeline.inputs import Inputs
from mediaflow.testing.clips import make_clip
from mediaflow_local.storage import LocalStorage
from tests.services.records import a_job, a_task, an_asset
from tests.services.working import asset_of, ingest, work, working_world

PLUGIN = """
import json
from mediaflow.plugin import Artifact, PlannedTask, hookimpl

class Listing:
    name = "chain.listing"
    def check(self, params): return []
    def plan(self, media, spec, profile): return [PlannedTask("chain-listing", needs=("video.h264",))]
    def run(self, task, workspace):
        (files,) = workspace.inputs.values()
        found = {a.path: len(files.path(a).read_bytes()) == a.size_bytes for a in files.artifacts}
        first = files.path(files.artifacts[0])
        try:
            first.write_bytes(b"mine now")
        except OSError:
            found["read only"] = True
        file = workspace.directory / "listing.json"
        file.write_text(json.dumps([sorted(workspace.inputs), found]))
        return [Artifact(file.name, "file", "application/json", file.stat().st_size)]

class Copy:
    name = "chain.copy"
    def check(self, params): return []
    def plan(self, media, spec, profile): return [PlannedTask("chain-copy", needs=("chain-listing",))]
    def run(self, task, workspace):
        files = workspace.inputs["chain-listing"]
        data = files.path(files.artifacts[0]).read_bytes()
        (workspace.directory / "copy.json").write_bytes(data)
        return [Artifact("copy.json", "file", "application/json", len(data))]

@hookimpl
def mediaflow_register_steps():
    return [Copy(), Listing()]
"""
PROFILE = """
name: chain
description: One step reads what another made.
segment_seconds: 1
frame_rate_max: 60
ladder:
  - {name: 90p, height: 90, video_bitrate_bps: 150000, audio_bitrate_bps: 64000}
steps:
  - step: chain.copy
  - step: chain.listing
  - step: video.h264
    params: {preset: ultrafast, crf: 30}
manifests: [hls]
"""


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "modules" / "chain-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chain\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mediaflow]\nchain = chain_plugin\n")
    (info.parent / "chain_plugin.py").write_text(PLUGIN)
    (tmp_path / "world" / "profiles").mkdir(parents=True)
    (tmp_path / "world" / "profiles" / "chain.yaml").write_text(PROFILE)
    monkeypatch.syspath_prepend(str(info.parent))


@pytest.mark.usefixtures("chain")
def test_a_chain_of_steps_hands_its_files_on(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", seconds=2.0)
    with working_world(tmp_path / "world") as world:
        asset_id = ingest(world, source, profile="chain")
        work(world)
        asset = asset_of(world, asset_id)
        assert asset.state == "ready", asset.error
        prefix = keys.asset_prefix(asset_id)
        made = {info.key.rpartition("/")[2]: info.key for info in world.runtime.storage.list(prefix)}
        listed, copied = (b"".join(world.runtime.storage.read(made[name])) for name in ("listing.json", "copy.json"))
        left = list((tmp_path / "world" / "data").rglob("*.inputs"))

    names, found = json.loads(listed)
    assert names == ["video-0"]
    assert found == dict.fromkeys(("90p/init.mp4", "90p/00000.m4s", "90p/00001.m4s", "read only"), True)
    assert copied == listed
    assert left == []


class Remote:
    """A storage of another machine: objects, and no files."""

    def __init__(self, storage: LocalStorage) -> None:
        self._storage = storage

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:
        return self._storage.put(key, blocks, size_bytes=size_bytes, content_type=content_type)

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._storage.read(key, offset=offset, length=length)

    def stat(self, key: str) -> ObjectInfo | None:
        return self._storage.stat(key)

    def delete(self, key: str) -> None:
        self._storage.delete(key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self._storage.list(prefix)


def test_a_track_is_joined_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    tracks = {name: Track(name, "video", "av01.0.04M.08", 12800) for name in ("a", "b")}
    artifacts = [
        *(Artifact(f"{n}.m4s", "segment", "video/mp4", 2, track="a", number=n) for n in (10, 9, 8)),
        Artifact("x.m4s", "segment", "video/mp4", 2, track="b", number=0),
        *(Artifact(f"{name}.mp4", "init", "video/mp4", 2, describes=track) for name, track in tracks.items()),
    ]
    for artifact in artifacts:
        (tmp_path / artifact.path).write_text(f"<{artifact.path}>")
    files = TaskFiles(tmp_path, tuple(artifacts))

    assert files.joined("a", tmp_path / "whole").read_text() == "<a.mp4><8.m4s><9.m4s><10.m4s>"
    with pytest.raises(TaskFailed, match="There is no track 'c' to join; the task made: a, b"):
        files.joined("c", tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("kind", [LocalStorage, lambda directory: Remote(LocalStorage(directory))])
def test_files_are_there_wherever_the_storage_is_and_gone_afterwards(
    kind: Callable[[Path], Storage], tmp_path: Path
) -> None:
    storage, asset = kind(tmp_path / "storage"), an_asset()
    task = a_task(a_job(asset), "cut", result={"path": "g1/cut.2"})
    artifact = Artifact("part/a.bin", "file", "text/plain", 5)
    for path, data in (("artifacts.json", json.dumps([dump(artifact)]).encode()), ("part/a.bin", b"bytes")):
        key = f"{keys.asset_prefix(asset.id)}g1/cut.2/{path}"
        storage.put(key, [data], size_bytes=len(data), content_type="text/plain")

    with Inputs(storage).laid_out(asset, [task], tmp_path / "task.inputs") as inputs:
        assert (Path(inputs["cut"]["directory"]) / "part" / "a.bin").read_bytes() == b"bytes"
        assert inputs["cut"]["artifacts"] == [dump(artifact)]
    assert not (tmp_path / "task.inputs").exists()
    storage.put(key, [b"less"], size_bytes=4, content_type="text/plain")
    with (
        pytest.raises(TaskFailed, match=r"a\.bin is not in the storage as it was made"),
        Inputs(storage).laid_out(asset, [task], tmp_path / "task.inputs"),
    ):
        pass
    assert not (tmp_path / "task.inputs").exists()
