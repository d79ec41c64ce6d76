"""Whole command lines against `tests/data/argv/`, an argument a line. `UPDATE_GOLDEN=1` writes them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from mediaflow.media.decoders import CODEC_WHITELIST
from mediaflow.plugin import MediaInfo, Span, StepSpec
from mediaflow.plugin.wire import load
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.commands import audio_command, decodable_command, decode_command, thumbnail_command, video_command
from mediaflow_ffmpeg.jobs import AudioJob, VideoJob
from mediaflow_ffmpeg.thumbnail import Thumbnail
from mediaflow_ffmpeg.video import H264Video
from tests.plugins.ffmpeg_media import MEDIA, web, with_audio, with_video
from tests.source_facts import AUDIO, VIDEO

GOLDEN = Path(__file__).parents[1] / "data" / "argv"
SOURCE, OUT = Path("/source/original"), Path("/out")
HDR = {
    "pixel_format": "yuv420p10le",
    "color_transfer": "smpte2084",
    "color_primaries": "bt2020",
    "color_space": "bt2020nc",
    "color_range": "tv",
}


def video_job(media: MediaInfo, **params: object) -> VideoJob:
    spec = StepSpec("video.h264", params)
    return load(VideoJob, H264Video().plan(media, spec, web(spec))[0].params)


def video(media: MediaInfo, span: Span | None = None, **params: object) -> list[str]:
    job = video_job(media, **params)
    return video_command(replace(job, span=span or job.span), media, SOURCE, OUT)


def audio_job(media: MediaInfo, *steps: StepSpec) -> AudioJob:
    spec = StepSpec("audio.aac")
    return load(AudioJob, AacAudio().plan(media, spec, web(spec, *steps))[0].params)


def audio(media: MediaInfo, *steps: StepSpec) -> list[str]:
    return audio_command(audio_job(media, *steps), media, SOURCE, OUT)


def thumbnail(media: MediaInfo) -> list[str]:
    spec = StepSpec("image.thumbnail")
    params = Thumbnail().plan(media, spec, web(spec))[0].params
    size = (params["width"], params["height"])
    return thumbnail_command(media, SOURCE, OUT / "thumbnail.jpg", size, params["at_seconds"])


WITH_VIDEO = StepSpec("video.h264")
MULTILINGUAL = replace(MEDIA, more_audio=(replace(AUDIO, index=2, language="deu", duration_seconds=4.0),))


def another_language() -> AudioJob:
    spec = StepSpec("audio.aac")
    return load(AudioJob, AacAudio().plan(MULTILINGUAL, spec, web(spec, WITH_VIDEO))[1].params)


CASES: dict[str, Callable[[], list[str]]] = {
    "video-1080p25": lambda: video(MEDIA),
    "video-portrait-2997-silent": lambda: video(
        replace(with_video(rotation_degrees=90, frame_rate=Fraction(30000, 1001)), audio=None)
    ),
    "video-one-rendition": lambda: video(with_video(width=320, height=240)),
    "video-slow-film": lambda: video(MEDIA, preset="slow", crf=17.5, tune="film", profile="main", keyframe_seconds=4),
    "video-interlaced": lambda: video(with_video(field_order="tt")),
    "video-anamorphic-pal": lambda: video(
        with_video(width=720, height=576, sample_aspect_ratio=Fraction(64, 45), color_space="bt470bg")
    ),
    "video-hdr": lambda: video(with_video(**HDR)),
    "video-wide-gamut": lambda: video(with_video(**(HDR | {"color_transfer": "bt2020-10"}))),
    "video-rgb": lambda: video(with_video(pixel_format="gbrp", color_space="gbr")),
    "video-middle-span": lambda: video(MEDIA, span=Span(1, 2, 3)),
    "video-begins-late": lambda: video(replace(with_video(start_seconds=2.5), audio=replace(AUDIO, start_seconds=2.0))),
    "audio-three-rates": lambda: audio(MEDIA, WITH_VIDEO),
    "audio-only-mono-441": lambda: audio(replace(with_audio(channels=1, sample_rate_hz=44100), video=None)),
    "audio-surround": lambda: audio(with_audio(channels=6, sample_rate_hz=96000), WITH_VIDEO),
    "audio-another-language": lambda: audio_command(another_language(), MULTILINGUAL, SOURCE, OUT),
    "audio-by-count": lambda: audio_command(audio_job(MEDIA), MEDIA, SOURCE, OUT, by_count=True),
    "thumbnail": lambda: thumbnail(MEDIA),
    "thumbnail-first-frame": lambda: thumbnail_command(MEDIA, SOURCE, OUT / "thumbnail.jpg", (1280, 720), None),
    "thumbnail-hdr-portrait": lambda: thumbnail(with_video(rotation_degrees=270, **HDR)),
    "decode-own-file": lambda: decode_command(OUT / "check.mp4"),
    "decode-first-video-frame": lambda: decodable_command(MEDIA, SOURCE, VIDEO.index),
    "decode-first-audio-frame": lambda: decodable_command(MEDIA, SOURCE, AUDIO.index),
}


@pytest.mark.parametrize("name", CASES)
def test_the_command_line_is_the_recorded_one(name: str) -> None:
    # the list of codecs is long and has tests of its own
    argv = ["<codecs>" if argument == CODEC_WHITELIST else argument for argument in CASES[name]()]
    text = "\n".join(argv) + "\n"
    file = GOLDEN / f"{name}.txt"

    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)

    assert text == file.read_text()


def test_every_recorded_command_line_belongs_to_a_case() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_source_is_opened_as_a_local_file_of_a_known_format_only(name: str) -> None:
    argv = CASES[name]()

    before_input = argv[: argv.index("-i")]
    assert argv[argv.index("-i") + 1].startswith("file:/")
    for option in ("-protocol_whitelist", "-format_whitelist", "-codec_whitelist", "-max_pixels"):
        assert option in before_input
