"""Whole encodes of small clips, judged from outside: by ffprobe, by an HLS library, by eye and ear (flash and beep)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import m3u8
import pytest

from mediaflow.plugin import Profile, StepSpec
from mediaflow.testing import clips, measure
from mediaflow.testing.steps import SMALL_LADDER
from mediaflow_ffmpeg.plugin import mediaflow_register_steps
from tests.corpus import Sample, samples
from tests.integration.encode_files import Encoded, builtin_profile, encode_to_directory

QUICK = {"preset": "ultrafast", "crf": 30}
SMALL = Profile(
    "small",
    "",
    2.0,
    60,
    SMALL_LADDER,
    (StepSpec("video.h264", QUICK), StepSpec("audio.aac"), StepSpec("image.thumbnail")),
    ("hls",),
)


def streams(file: Path) -> list[dict[str, Any]]:
    """What ffprobe reads from a file or playlist, with the packets counted."""
    argv = ["ffprobe", "-v", "error", "-show_streams", "-count_packets", "-of", "json", str(file)]
    found: list[dict[str, Any]] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["streams"]
    return found


def whole(encoded: Encoded, track: str) -> Path:
    """A track's init segment and segments as one file."""
    return measure.joined(encoded.directory / f"{track}.mp4", encoded.files_of(track))


def odd_sized(path: Path) -> Path:
    """161x91 pixels, which H.264 could not hold."""
    picture = ["-f", "lavfi", "-i", "testsrc2=size=161x91:rate=25:duration=1"]
    clips.run_ffmpeg([*picture, "-c:v", "libvpx", "-deadline", "realtime", str(path)])
    return path


CLIPS: dict[str, tuple[Callable[[Path], Path], tuple[int, int], str, int]] = {
    # name: (how it is made, size of the largest rendition, frame rate, frames)
    "plain": (lambda d: clips.make_clip(d / "c.mp4", seconds=3.0), (320, 180), "25", 75),
    "ntsc": (lambda d: clips.make_clip(d / "c.mp4", seconds=3.0, rate="30000/1001"), (320, 180), "30000/1001", 90),
    "120 fps": (lambda d: clips.make_clip(d / "c.mp4", seconds=1.0, rate="120"), (320, 180), "60", 60),
    "one frame": (lambda d: clips.silent(d / "c.mp4", seconds=0.04), (320, 180), "25", 1),
    "upright phone": (lambda d: clips.rotated(d / "c.mp4", degrees=90), (180, 320), "25", 25),
    "upside down": (lambda d: clips.rotated(d / "c.mp4", degrees=180), (320, 180), "25", 25),
    "wide pixels": (lambda d: clips.anamorphic(d / "c.mp4", sample_aspect="4/3"), (320, 134), "25", 25),
    "odd size": (lambda d: odd_sized(d / "c.webm"), (160, 90), "25", 25),
    "tiny": (lambda d: clips.silent(d / "c.mp4", seconds=0.4, width=16, height=16), (16, 16), "25", 10),
    "interlaced": (lambda d: clips.interlaced(d / "c.mkv"), (320, 180), "25", 25),
    "silent": (lambda d: clips.silent(d / "c.mp4", seconds=1.0), (320, 180), "25", 25),
}


OFTEN = ("plain", "ntsc", "one frame", "upright phone", "wide pixels", "odd size", "interlaced")


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in CLIPS]
)
def test_a_clip_keeps_its_size_rate_and_every_frame(name: str, tmp_path: Path) -> None:
    make, size, rate, frames = CLIPS[name]

    encoded = encode_to_directory(make(tmp_path), SMALL, tmp_path / "out")

    largest = encoded.presentation.video[0]
    (stream,) = streams(whole(encoded, largest.track.name))
    assert (stream["width"], stream["height"]) == size
    assert Fraction(stream["avg_frame_rate"]) == Fraction(rate) == largest.track.frame_rate or frames == 1
    assert int(stream["nb_read_packets"]) == frames
    assert stream["sample_aspect_ratio"] == "1:1"
    assert not any("rotation" in item for item in stream.get("side_data_list", []))
    assert (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")


@pytest.mark.parametrize("name", ["100%d %v", "ein Ordner;a#b"])
def test_a_directory_may_have_any_name(name: str, tmp_path: Path) -> None:
    odd = tmp_path / name
    odd.mkdir()
    encoded = encode_to_directory(clips.make_clip(odd / "c.mp4", seconds=1.0), SMALL, odd / "out")
    assert len(encoded.files_of(encoded.presentation.video[0].track.name)) == 2


def test_every_playlist_lists_what_is_there_and_opens_in_a_player(tmp_path: Path) -> None:
    encoded = encode_to_directory(clips.make_clip(tmp_path / "c.mp4", seconds=5.0), SMALL, tmp_path / "out")

    master = m3u8.load(str(encoded.master))
    assert [p.stream_info.resolution for p in master.playlists] == [(320, 180), (160, 90)]
    for playlist in [*master.playlists, *master.media]:
        media = m3u8.load(str(encoded.master.parent / playlist.uri))
        assert [round(s.duration) for s in media.segments] == [2, 2, 1]
        for segment in media.segments:
            assert (encoded.master.parent / segment.uri).is_file()
            assert (encoded.master.parent / segment.init_section.uri).is_file()
    kinds = [stream["codec_type"] for stream in streams(encoded.master)]
    assert sorted(set(kinds)) == ["audio", "video"]


def test_a_variable_rate_keeps_its_duration(tmp_path: Path) -> None:
    encoded = encode_to_directory(clips.variable_rate(tmp_path / "c.mp4"), SMALL, tmp_path / "out")

    assert encoded.presentation.duration_seconds == pytest.approx(4.0, abs=0.15)


def test_an_audio_file_becomes_an_audio_presentation(tmp_path: Path) -> None:
    source = clips.audio_only(tmp_path / "c.m4a", seconds=5.0, sample_rate_hz=44100)

    encoded = encode_to_directory(source, SMALL, tmp_path / "out")

    assert set(encoded.artifacts) == {"audio-first", "audio"}
    assert [r.track.name for r in encoded.presentation.audio] == ["audio-96k", "audio-64k"]
    (stream,) = streams(whole(encoded, "audio-64k"))
    assert (stream["codec_name"], stream["sample_rate"], stream["channels"]) == ("aac", "44100", 2)
    assert encoded.presentation.duration_seconds == pytest.approx(5.0, abs=0.06)


def test_surround_becomes_stereo(tmp_path: Path) -> None:
    encoded = encode_to_directory(clips.audio_only(tmp_path / "c.m4a", channels=6), SMALL, tmp_path / "out")

    assert {r.track.channels for r in encoded.presentation.audio} == {2}


@pytest.mark.parametrize(
    ("container", "late"),
    [
        pytest.param("mp4", {}, id="together"),
        pytest.param("mkv", {}, id="together, with priming before the video", marks=pytest.mark.slow),
        pytest.param("mp4", {"audio_late": 1.1}, id="audio late"),
        pytest.param("mkv", {"video_late": 1.5}, id="video late", marks=pytest.mark.slow),
        pytest.param("ts", {"video_late": 1.5}, id="video late, in a format whose clock may jump"),
    ],
)
def test_flash_and_beep_stay_together_from_the_first_segment_to_the_last(
    container: str, late: dict[str, Any], tmp_path: Path
) -> None:
    source = clips.flash_and_beep(tmp_path / f"c.{container}", seconds=7.0, **late)

    encoded = encode_to_directory(source, SMALL, tmp_path / "out")

    beeps = measure.beep_times(whole(encoded, "audio-64k"))
    for rendition in encoded.presentation.video:
        flashes = measure.flash_times(whole(encoded, rendition.track.name))
        # where one of the two begins late it may lack the first; the last ones are those of the same moment
        count = min(len(flashes), len(beeps))
        assert count >= 3
        assert beeps[-count:] == pytest.approx(flashes[-count:], abs=0.040)


def test_the_thumbnail_shows_the_picture_as_a_viewer_sees_it(tmp_path: Path) -> None:
    source = clips.rotated(tmp_path / "c.mp4", degrees=90, width=640, height=360)

    encoded = encode_to_directory(source, SMALL, tmp_path / "out")

    (artifact,) = encoded.artifacts["thumbnail"]
    (stream,) = streams(encoded.directory / "g1" / "thumbnail.1" / artifact.path)
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("mjpeg", 360, 640)
    assert (artifact.width, artifact.height) == (360, 640)


def test_nothing_of_the_source_s_metadata_reaches_the_output(tmp_path: Path) -> None:
    plain = clips.make_clip(tmp_path / "plain.mp4", seconds=1.0)
    source = tmp_path / "c.mp4"
    tags = ["-metadata", "title=SECRET", "-metadata", "location=+52.5+013.4/", "-metadata:s:v", "handler_name=SECRET"]
    clips.run_ffmpeg(["-i", str(plain), "-c", "copy", *tags, str(source)])

    encoded = encode_to_directory(source, SMALL, tmp_path / "out")

    for file in encoded.directory.rglob("*"):
        if file.is_file():
            assert b"SECRET" not in file.read_bytes()
            assert b"+52.5" not in file.read_bytes()


@pytest.mark.parametrize("name", ["web-h264", "mobile", "audio-only", "archive"])
def test_every_built_in_profile_makes_what_it_says(name: str, tmp_path: Path) -> None:
    profile = builtin_profile(name)
    steps = {step.name: step for step in mediaflow_register_steps()}
    assert [problem for spec in profile.steps for problem in steps[spec.step].check(spec.params)] == []
    quick = tuple(
        replace(step, params={**step.params, **QUICK}) if step.step == "video.h264" else step for step in profile.steps
    )
    source = clips.make_clip(tmp_path / "c.mp4", seconds=1.0, width=854, height=480)

    encoded = encode_to_directory(source, replace(profile, steps=quick), tmp_path / "out")

    expected = {
        # the clip has sound of 96 kbit/s, which more bits add nothing to
        "web-h264": (["480p", "360p"], ["audio-96k"]),
        "mobile": (["480p", "360p", "240p"], ["audio-96k", "audio-64k"]),
        "audio-only": ([], ["audio-192k", "audio-128k", "audio-64k"]),
        "archive": (["480p"], ["audio-128k"]),
    }
    video, audio = encoded.presentation.video, encoded.presentation.audio
    assert ([r.track.name for r in video], [r.track.name for r in audio]) == expected[name]


ACCEPTED = [sample for sample in samples() if sample.verdict == "accept"]


@pytest.mark.slow
@pytest.mark.timeout(1200)  # six minutes of 1080p among them
@pytest.mark.parametrize("sample", ACCEPTED, ids=lambda sample: sample.name)
def test_real_files_become_presentations(sample: Sample, tmp_path: Path) -> None:
    encoded = encode_to_directory(sample.path, builtin_profile("web-h264"), tmp_path / "out")

    if "has_video" in sample.expected:  # of hostile files that are accepted, the manifest does not tell
        assert bool(encoded.presentation.video) == bool(sample.expected["has_video"])
    limit = sample.expected.get("largest_rung_at_most")
    if limit:
        track = encoded.presentation.video[0].track
        assert (track.width or 0) <= limit[0]
        assert (track.height or 0) <= limit[1]
    assert streams(encoded.master)
