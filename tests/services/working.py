"""The real pipeline in this process: a file in, what viewers get out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import pytest

from mediaflow.domain.records import Asset
from mediaflow.domain.states import STAGES, Stage
from mediaflow.services.delivery.awaiting import NotMade
from mediaflow.services.uploads.acceptance import NewUpload
from mediaflow.testing import measure
from mediaflow.testing.clips import make_clip
from tests.services.world import World, make_world

TINY_PROFILE = """
name: tiny
description: Quick to make.
segment_seconds: 2
frame_rate_max: 60
ladder:
  - {name: 90p, height: 90, video_bitrate_bps: 150000, audio_bitrate_bps: 64000}
steps:
  - step: video.h264
    params: {preset: ultrafast, crf: 30}
  - step: audio.aac
  - step: image.thumbnail
  - step: subtitles.text
manifests: [hls]
"""


WATCHED_PROFILE = """
name: watched
description: Its larger size is made where it is watched.
segment_seconds: 1
frame_rate_max: 60
ladder:
  - {name: 180p, height: 180, video_bitrate_bps: 300000, audio_bitrate_bps: 64000, when: on_demand}
  - {name: 90p, height: 90, video_bitrate_bps: 150000, audio_bitrate_bps: 64000}
steps:
  - step: video.h264
    params: {preset: ultrafast, crf: 30}
  - step: audio.aac
manifests: [hls]
"""
LARGE, SMALL = "180p", "90p"
"""The sizes of the profile `watched`."""
SECONDS: Final = 7
"""Of `watched_clip`: with that profile, as many segments."""


@contextmanager
def working_world(directory: Path, **environ: str) -> Iterator[World]:
    """A world whose profile is small and quick."""
    profiles = directory / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    (profiles / "tiny.yaml").write_text(TINY_PROFILE)
    (profiles / "watched.yaml").write_text(WATCHED_PROFILE)
    world = make_world(directory / "data", profiles_dir=str(profiles), default_profile="tiny", **environ)
    yield world
    world.runtime.close()


@pytest.fixture
def small_world(tmp_path: Path) -> Iterator[World]:
    """A working world of its own for each test."""
    with working_world(tmp_path) as world:
        yield world


@pytest.fixture(scope="session")
def watched_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip as large as the larger size of the profile `watched`."""
    return make_clip(tmp_path_factory.mktemp("watched") / "clip.mp4", seconds=SECONDS, width=320, height=180)


def ingest(world: World, source: Path, owner: str = "ann", **fields: Any) -> str:
    """Upload a file as its owner does; the new asset's id. Nothing of it is worked on yet."""
    runtime, data = world.runtime, source.read_bytes()
    upload, _ = runtime.ingest.announce(owner, NewUpload(filename=source.name, size_bytes=len(data), **fields))
    for index in range(upload.chunk_count):
        part = data[index * upload.chunk_size_bytes :][: upload.chunk_size_bytes]
        runtime.ingest.receive(owner, upload.id, index, [part], content_length=len(part), digest=None)
    for upload_id in world.wakeups.uploads:
        runtime.assembly.finish(upload_id)
    world.wakeups.uploads.clear()
    return upload.asset_id


def work(world: World, *stages: Stage) -> None:
    """Do what is to be done, in all stages or only in these, until nothing is left."""
    deadline = time.monotonic() + 60
    wanted = stages or STAGES
    while any(world.runtime.execution.work(stage) for stage in wanted) or _is_waiting(world, wanted):
        assert time.monotonic() < deadline, "the work does not end"


def _is_waiting(world: World, stages: tuple[Stage, ...]) -> bool:
    """True (after a moment) when a task that failed waits for its next attempt."""
    tasks = world.runtime.database.tasks.find({"state": "pending", "ready": True})
    waits = any(task.stage in stages for task in tasks)
    time.sleep(0.1 if waits else 0)
    return waits


def asset_of(world: World, asset_id: str) -> Asset:
    asset = world.runtime.database.assets.get(asset_id)
    assert asset is not None
    return asset


def published_file(world: World, asset: Asset, path: str) -> bytes:
    """A published file's bytes, as a viewer gets them: through the door that delivery keeps."""
    runtime = world.runtime
    token, _ = runtime.stream_tokens.mint(asset)
    file = runtime.delivery.open(token, asset.id, path)
    return b"".join(runtime.delivery.read(file, offset=0, length=file.size_bytes))


def ready(world: World, source: Path) -> Asset:
    """A new asset of the profile `watched`, of which all that is eager is made."""
    asset_id = ingest(world, source, profile="watched")
    work(world)
    asset = asset_of(world, asset_id)
    assert asset.state == "ready", asset.error
    return asset


def ask(world: World, asset: Asset, path: str) -> bool:
    """Ask for a segment that is not there, as the web does."""
    with pytest.raises(NotMade) as not_made:
        published_file(world, asset, path)
    return world.runtime.demand.want(not_made.value.wanted)


def track(world: World, asset: Asset, name: str, directory: Path) -> Path:
    """A published rendition as one file that players open."""
    assert asset.published is not None
    (master,) = [output.path for output in asset.published.of_kind("manifest")]
    lines = published_file(world, asset, urljoin(master, f"{name}.m3u8")).decode().splitlines()
    places = [line.split('"')[1] for line in lines if "EXT-X-MAP" in line]
    places += [line for line in lines if line and not line.startswith("#")]
    files = []
    for number, place in enumerate(places):
        files.append(directory / f"{name}-{number}")
        files[-1].write_bytes(published_file(world, asset, urljoin(master, place)))
    return measure.joined(directory / f"{name}.mp4", files)
