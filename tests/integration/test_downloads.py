"""Each rendition as a file to keep: the very pictures and sound of its segments, in any range of bytes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain import keys
from mediaflow.domain.errors import NotFound
from mediaflow.services.access.principals import Principal
from mediaflow.services.delivery.delivery import Place, StreamFile
from mediaflow.testing.clips import audio_only, flash_and_beep, languages, run_ffmpeg
from mediaflow.testing.measure import beep_times, flash_times, joined
from mediaflow.testing.service import OWNER, LocalService, service

PROFILE = """\
name: kept
description: Two sizes of short segments, to keep
segment_seconds: 2
frame_rate_max: 60
ladder:
  - {name: 180p, height: 180, video_bitrate_bps: 400000, audio_bitrate_bps: 96000}
  - {name: 90p, height: 90, video_bitrate_bps: 200000, audio_bitrate_bps: 96000}
steps:
  - step: video.h264
    params: {preset: ultrafast, crf: 30, keyframe_seconds: 1}
  - step: audio.aac
manifests: [hls]
downloads: [mp4]
"""


class Kept:
    """The downloads of an asset, as they are sent."""

    def __init__(self, s: LocalService, asset: str) -> None:
        self.service, self.asset = s, asset
        playback = s.runtime.delivery.playback(Principal(OWNER, "user"), asset)
        self.token = playback.token
        self.outputs = {output.name: output for output in playback.outputs if output.kind == "download"}

    def place(self, name: str) -> Place:
        return self.service.runtime.delivery.admit(self.token, self.asset, self.outputs[name].path)

    def file(self, name: str) -> StreamFile:
        return self.service.runtime.delivery.file(self.place(name))

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        file = self.file(name)
        length = file.size_bytes - offset if length is None else length
        return b"".join(self.service.runtime.delivery.read(file, offset=offset, length=length))

    def saved(self, name: str, directory: Path) -> Path:
        target = directory / name
        target.write_bytes(self.read(name))
        return target

    def segments(self, track: str, directory: Path) -> Path:
        """The same rendition, from its segments."""
        storage = self.service.runtime.storage
        prefix = keys.asset_prefix(self.asset)
        found = sorted(info.key for info in storage.list(prefix) if f"/{track}/" in info.key)
        init = next(key for key in found if "init" in key)
        parts = []
        for number, key in enumerate([init, *(key for key in found if key != init and key.endswith(".m4s"))]):
            part = directory / f"{track}-{number}"
            part.write_bytes(b"".join(storage.read(key)))
            parts.append(part)
        return joined(directory / f"{track}.joined.mp4", parts)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    directory = tmp_path_factory.mktemp("downloads")
    profiles = directory / "profiles"
    profiles.mkdir()
    (profiles / "kept.yaml").write_text(PROFILE)
    with service(directory / "house", plugins=[], MEDIAFLOW_PROFILES_DIR=str(profiles)) as s:
        yield s


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flash_and_beep(tmp_path_factory.mktemp("clip") / "flash.mp4", seconds=7)


@pytest.fixture(scope="module")
def film(house: LocalService, clip: Path) -> Kept:
    asset = house.upload(clip, profile="kept")
    assert house.drain(asset).state == "ready"
    return Kept(house, asset)


def hashes(file: Path, stream: str) -> list[str]:
    """One for each frame, of what is decoded."""
    told = run_ffmpeg(["-i", str(file), "-map", f"0:{stream}", "-f", "framemd5", "-"])
    return [line.rpartition(",")[2].strip() for line in told.splitlines() if not line.startswith("#")]


def test_each_size_can_be_kept(film: Kept) -> None:
    assert list(film.outputs) == ["180p.mp4", "90p.mp4"]
    file = film.file("180p.mp4")
    assert (file.content_type, file.attached, file.internal_path) == ("video/mp4", "180p.mp4", None)


@pytest.mark.parametrize("track", ["180p", "90p"])
def test_its_pictures_are_those_of_the_segments(film: Kept, track: str, tmp_path: Path) -> None:
    kept = film.saved(f"{track}.mp4", tmp_path)
    assert hashes(kept, "v") == hashes(film.segments(track, tmp_path), "v") != []


def test_picture_and_sound_begin_and_stay_together(film: Kept, clip: Path, tmp_path: Path) -> None:
    kept = film.saved("180p.mp4", tmp_path)
    flashes, beeps = flash_times(kept), beep_times(kept)
    assert len(flashes) == len(beeps) >= 3
    assert all(abs(flash - beep) <= 0.04 for flash, beep in zip(flashes, beeps, strict=True))
    assert all(abs(flash - there) <= 0.04 for flash, there in zip(flashes, flash_times(clip), strict=True))


def test_it_is_as_long_as_the_film(film: Kept, tmp_path: Path) -> None:
    facts = probed(film.saved("180p.mp4", tmp_path))
    assert [round(float(stream["duration"]), 1) for stream in facts["streams"]] == [7.0, 7.0]
    assert [float(stream["start_time"]) for stream in facts["streams"]] == [0.0, 0.0]


def test_any_range_is_that_part_of_the_whole(film: Kept) -> None:
    whole = film.read("90p.mp4")
    for offset in (0, 1, 1000, len(whole) // 2, len(whole) - 1):
        for length in (1, 7, 5000, 100_000):
            assert film.read("90p.mp4", offset, min(length, len(whole) - offset)) == whole[offset : offset + length]


def test_its_index_is_made_once_and_kept(film: Kept) -> None:
    key = film.place("180p.mp4").key
    before = film.read("180p.mp4")
    again = Kept(film.service, film.asset)
    again.service.runtime.delivery.composing.forget()
    assert again.service.runtime.storage.stat(f"{key}.head") is not None
    assert again.read("180p.mp4") == before


def test_what_it_is_made_of_is_not_sent(film: Kept) -> None:
    delivery, path = film.service.runtime.delivery, film.outputs["180p.mp4"].path
    with pytest.raises(NotFound):
        delivery.admit(film.token, film.asset, f"{path}.head")


def test_sound_alone_and_several_languages(house: LocalService, tmp_path: Path) -> None:
    podcast = house.upload(audio_only(tmp_path / "sound.m4a", seconds=5), profile="kept")
    both = house.upload(languages(tmp_path / "both.mkv", ["eng", "deu"], seconds=5), profile="kept")
    assert [house.drain(asset).state for asset in (podcast, both)] == ["ready", "ready"]

    sound = Kept(house, podcast)
    assert list(sound.outputs) == ["audio-96k.m4a"]
    facts = probed(sound.saved("audio-96k.m4a", tmp_path))
    assert [(s["codec_name"], round(float(s["duration"]), 1)) for s in facts["streams"]] == [("aac", 5.0)]

    kinds = [s["codec_type"] for s in probed(Kept(house, both).saved("180p.mp4", tmp_path))["streams"]]
    assert kinds == ["video", "audio", "audio"]


def probed(file: Path) -> dict[str, Any]:
    shown = ["-show_entries", "stream=codec_name,codec_type,duration,start_time", "-of", "json"]
    facts: dict[str, Any] = json.loads(subprocess.check_output(["ffprobe", "-v", "error", *shown, str(file)]))
    return facts
