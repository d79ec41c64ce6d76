"""Whole command lines against `tests/data/argv/`, an argument a line. `UPDATE_GOLDEN=1` writes them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mediaflow.media.decoders import CODEC_WHITELIST
from mediaflow.plugin import MediaInfo, Part, Span, StepSpec
from mediaflow.plugin.wire import load
from mediaflow_ffmpeg.commands import (
    audio_command,
    decodable_command,
    decode_command,
    init_command,
    thumbnail_command,
    video_command,
)
from mediaflow_ffmpeg.copying import copy_command
from mediaflow_ffmpeg.images import (
    preview_command,
    rendition_tiles_command,
    sheet_command,
    tiles_command,
    waveform_command,
)
from mediaflow_ffmpeg.jobs import AudioJob, VideoJob
from mediaflow_ffmpeg.sound import part_of as sound_part_of
from mediaflow_ffmpeg.subtitlecommands import subtitles_command
from mediaflow_ffmpeg.tasks import part_of
from mediaflow_ffmpeg.thumbnail import Thumbnail
from tests.plugins.ffmpeg_media import (
    MEDIA,
    audio_tasks,
    beside_tasks,
    uncertain,
    video_tasks,
    web,
    with_audio,
    with_video,
)
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


def video_job(media: MediaInfo, name: str = "video-0", **params: Any) -> VideoJob:
    return load(VideoJob, video_tasks(media, **params)[name].params)


def video(media: MediaInfo, span: Span | None = None, **params: Any) -> list[str]:
    job = video_job(uncertain(media), **params)
    return video_command(replace(job, span=span or job.span), media, SOURCE, OUT)


def foretold_video(name: str, media: MediaInfo, **changes: Any) -> list[str]:
    return video_command(replace(video_job(media, name), **changes), media, SOURCE, OUT)


def uneven_job() -> VideoJob:
    """Segments begin where groups of the source's pictures do."""
    job = video_job(LONG, "video-0")
    return replace(job, grid=replace(job.grid, segment_frames=230, begins=(0, 40, 250, 370, 600, 650, 800)))


def beside_job(codec: str, name: str, media: MediaInfo = MEDIA, **params: Any) -> VideoJob:
    return load(VideoJob, beside_tasks(codec, media, **params)[name].params)


def beside(codec: str) -> list[str]:
    return video_command(beside_job(codec, f"{codec}-0"), MEDIA, SOURCE, OUT)


def inits_beside(codec: str) -> list[str]:
    """As the step makes them, by one thread."""
    few = replace(beside_job(codec, f"{codec}-inits"), span=Span(0, 0, 1), expected_frames=4, exact=True)
    return init_command(few, VIDEO, Path())


def audio_job(media: MediaInfo, *steps: str, name: str = "audio") -> AudioJob:
    return load(AudioJob, audio_tasks(media, *steps)[name].params)


def audio(media: MediaInfo, *steps: str) -> list[str]:
    return audio_command(audio_job(uncertain(media), *steps), media, SOURCE, OUT)


def foretold_audio(name: str, media: MediaInfo, **changes: Any) -> list[str]:
    return audio_command(replace(audio_job(media, WITH_VIDEO, name=name), **changes), media, SOURCE, OUT)


def thumbnail(media: MediaInfo) -> list[str]:
    spec = StepSpec("image.thumbnail")
    params = Thumbnail().plan(media, spec, web(spec))[0].params
    size = (params["width"], params["height"])
    looks = bool(params["later_seconds"])
    return thumbnail_command(media, SOURCE, OUT / "thumbnail.jpg", size, params["at_seconds"], looks=looks)


def tiles(media: MediaInfo, *, key_frames: bool) -> list[str]:
    assert media.video is not None
    return tiles_command(media, media.video, SOURCE, (160, 90), 0.02, 36, 200, key_frames=key_frames)


WITH_VIDEO = "video.h264"
LONG = replace(
    with_video(duration_seconds=60.0, start_seconds=0.08),
    audio=replace(AUDIO, duration_seconds=60.0, start_seconds=0.06),
    duration_seconds=60.0,
    declared_duration_seconds=60.0,
)
MULTILINGUAL = replace(MEDIA, more_audio=(replace(AUDIO, index=2, language="deu", duration_seconds=4.0),))


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
    "video-nvenc": lambda: video(MEDIA, encoder="h264_nvenc"),
    "video-qsv": lambda: video(MEDIA, encoder="h264_qsv", preset="slow", crf=25),
    "video-vaapi": lambda: video(MEDIA, encoder="h264_vaapi", profile="main"),
    "video-x265": lambda: beside("hevc"),
    "video-x265-inits": lambda: inits_beside("hevc"),
    "video-svt": lambda: beside("av1"),
    "video-svt-inits": lambda: inits_beside("av1"),
    "part-video-svt-awaited": lambda: video_command(
        part_of(beside_job("av1", "av1-0", LONG), Part(("720p-av1",), 9, 2), awaited=True).runs[0], LONG, SOURCE, OUT
    ),
    "audio-three-rates": lambda: audio(MEDIA, WITH_VIDEO),
    "audio-only-mono-441": lambda: audio(replace(with_audio(channels=1, sample_rate_hz=44100), video=None)),
    "audio-surround": lambda: audio(with_audio(channels=6, sample_rate_hz=96000), WITH_VIDEO),
    # the same beside a foretold one: players stop where the sound ends
    "audio-another-language": lambda: foretold_audio("audio-deu", MULTILINGUAL),
    "audio-by-count": lambda: audio_command(replace(audio_job(uncertain(MEDIA)), by_count=True), MEDIA, SOURCE, OUT),
    "foretold-video-first": lambda: foretold_video("video-first", MEDIA),
    "foretold-video-low": lambda: foretold_video("video-low", MEDIA),
    "foretold-video-low-padded": lambda: foretold_video("video-low", MEDIA, padded=True),
    "foretold-video-rest": lambda: foretold_video("video-0", MEDIA),
    "foretold-video-inits": lambda: init_command(
        replace(video_job(MEDIA, "video-inits"), expected_frames=4, exact=True), VIDEO, Path()
    ),
    "foretold-video-one-rendition": lambda: foretold_video("video-0", with_video(width=320, height=240)),
    "foretold-audio-first": lambda: foretold_audio("audio-first", MEDIA),
    "foretold-audio": lambda: foretold_audio("audio", MEDIA),
    "foretold-audio-padded": lambda: foretold_audio("audio", MEDIA, padded=True),
    "part-video": lambda: video_command(part_of(video_job(LONG, "video-0"), Part(("720p",), 9, 2)), LONG, SOURCE, OUT),
    "copy-part": lambda: copy_command(
        replace(part_of(video_job(LONG, "video-0"), Part(("720p",), 9, 2)), copied=True), LONG, SOURCE, OUT
    ),
    "copy": lambda: copy_command(
        replace(part_of(video_job(LONG, "video-0"), Part(("720p",), 0, 2)), copied=True), LONG, SOURCE, OUT
    ),
    "uneven-copy-part": lambda: copy_command(
        replace(part_of(uneven_job(), Part(("720p",), 2, 3)), copied=True), LONG, SOURCE, OUT
    ),
    "uneven-part": lambda: video_command(part_of(uneven_job(), Part(("720p", "480p"), 2, 3)), LONG, SOURCE, OUT),
    "uneven-one-segment": lambda: video_command(part_of(uneven_job(), Part(("720p",), 0, 1)), LONG, SOURCE, OUT),
    "part-audio": lambda: audio_command(
        sound_part_of(audio_job(LONG, WITH_VIDEO), Part(("audio-128k",), 9, 2)), LONG, SOURCE, OUT
    ),
    "part-audio-not-sought": lambda: foretold_audio("audio", LONG, first=9, count=2, sought=False),
    "thumbnail": lambda: thumbnail(MEDIA),
    "thumbnail-first-frame": lambda: thumbnail_command(MEDIA, SOURCE, OUT / "thumbnail.jpg", (1280, 720), None),
    "thumbnail-hdr-portrait": lambda: thumbnail(with_video(rotation_degrees=270, **HDR)),
    "tiles-key-frames": lambda: tiles(MEDIA, key_frames=True),
    "tiles-all-frames": lambda: tiles(with_video(**HDR), key_frames=False),
    "tiles-rendition": lambda: rendition_tiles_command(OUT / "some.mp4", (160, 90), 2, 5, key_frames=True),
    "tiles-sheet": lambda: sheet_command(OUT / "sheet.raw", Path("storyboard-0.jpg"), (160, 90), 10, 7),
    "waveform": lambda: waveform_command(MEDIA, AUDIO.index, SOURCE, Path("waveform.png"), (1280, 720), 8000),
    "preview": lambda: preview_command(
        [(OUT / "0.mp4", 0.75), (OUT / "3.mp4", 0.75)], Path("preview.mp4"), (320, 180), Fraction(30000, 1001), 2
    ),
    "subtitles": lambda: subtitles_command(MEDIA, SOURCE, {2: Path("2.ass"), 4: Path("4.ass")}, 0.5, 1_000_000),
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


@pytest.mark.parametrize("name", ["foretold-video-inits", "video-x265-inits", "video-svt-inits"])
def test_init_segments_are_made_without_the_source(name: str) -> None:
    argv = CASES[name]()
    assert [argv[place + 1] for place, option in enumerate(argv) if option == "-i"] == [
        "color=black:size=1920x1080:rate=25"
    ]


# of black, and of pixels of ours
WITHOUT_SOURCE = {"tiles-sheet", *(name for name in CASES if name.endswith("-inits"))}


@pytest.mark.parametrize("name", sorted(CASES.keys() - WITHOUT_SOURCE))
def test_a_source_is_opened_as_a_local_file_of_a_known_format_only(name: str) -> None:
    argv = CASES[name]()

    before_input = argv[: argv.index("-i")]
    assert argv[argv.index("-i") + 1].startswith("file:/")
    for option in ("-protocol_whitelist", "-format_whitelist", "-codec_whitelist", "-max_pixels"):
        assert option in before_input
