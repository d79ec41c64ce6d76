"""What the ffmpeg steps plan, and which parameters they take."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from mediaflow.plugin import MediaInfo, StepSpec, origin_seconds
from mediaflow.plugin.wire import load
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.jobs import AudioJob, VideoJob
from mediaflow_ffmpeg.params import problems
from mediaflow_ffmpeg.plugin import mediaflow_register_steps
from mediaflow_ffmpeg.thumbnail import Thumbnail, picture_size, thumbnail_seconds
from mediaflow_ffmpeg.video import H264Video
from tests.plugins.ffmpeg_media import MEDIA, audio_tasks, uncertain, video_tasks, web, with_audio, with_video
from tests.source_facts import AUDIO

AUDIO_FILE = replace(MEDIA, video=None)
SILENT = replace(MEDIA, audio=None)
GERMAN = replace(AUDIO, index=2, language="deu", channels=1, duration_seconds=4.0)


def video_job(media: MediaInfo, **params: Any) -> VideoJob:
    return load(VideoJob, video_tasks(media, **params)["video-0"].params)


def audio_job(media: MediaInfo, *steps: str) -> AudioJob:
    return load(AudioJob, audio_tasks(media, *steps)["audio"].params)


def test_the_plugin_offers_its_steps() -> None:
    assert [step.name for step in mediaflow_register_steps()] == [
        "video.h264",
        "video.hevc",
        "video.av1",
        "audio.aac",
        "ready.video",
        "ready.audio",
        "image.thumbnail",
        "image.picture",
        "image.storyboard",
        "image.preview",
        "audio.waveform",
        "subtitles.text",
    ]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"preset": "vryfast"}, "preset: 'vryfast' is none of ultrafast, superfast"),
        ({"crf": 9}, "crf: 9 is not a number from 10 to 40"),
        ({"crf": True}, "crf: True is not a number from 10 to 40"),
        ({"crf": "20"}, "crf: '20' is not a number from 10 to 40"),
        ({"tune": "movie"}, "tune: 'movie' is none of film"),
        ({"keyframe_seconds": 0.1}, "keyframe_seconds: 0.1 is not a number from 0.5 to 10"),
        ({"keyframe_second": 2}, "keyframe_second: no parameter has this name; did you mean keyframe_seconds?"),
        ({"bitrate": 2}, "bitrate: no parameter has this name; there are encoder, preset, crf, tune, profile, "),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_the_way_out(params: dict[str, Any], sentence: str) -> None:
    (found,) = H264Video().check(params)

    assert found.startswith(sentence)


def test_a_step_without_parameters_says_so() -> None:
    assert list(problems({"bitrate": 1}, ())) == ["bitrate: this step takes no parameters; remove it"]


def test_a_loudness_is_one_that_people_listen_at() -> None:
    assert list(AacAudio().check({"loudness_lufs": -16})) == []
    assert list(AacAudio().check({"loudness_lufs": 16})) == ["loudness_lufs: 16 is not a number from -31 to -8"]


@pytest.mark.parametrize(
    ("rate", "keyframe_seconds", "gop"),
    [
        ("25", 2, 50),
        ("25", 4, 100),
        ("25", 10, 100),
        ("25", 1, 25),
        ("30000/1001", 2, 60),
        ("1237/100", 2, 25),  # 49 frames a segment: 25 and 24
        ("25", 1.5, 34),  # three in 100 frames
    ],
)
def test_a_segment_is_a_whole_number_of_gops(rate: str, keyframe_seconds: float, gop: int) -> None:
    job = video_job(with_video(frame_rate=Fraction(rate)), keyframe_seconds=keyframe_seconds)

    assert job.gop_frames == gop
    assert job.gop_frames <= job.grid.segment_frames


@pytest.mark.parametrize(
    ("media", "frames"),
    [
        (MEDIA, 250),
        (with_video(duration_seconds=7.0), 175),  # shorter than the audio
        (with_video(start_seconds=1.0, duration_seconds=9.0), 250),  # led in by its first frame
        (replace(with_video(start_seconds=1.0), audio=None), 250),  # alone: it sets the clock
        (with_video(duration_seconds=0.0), 1),
    ],
)
def test_the_frames_expected_are_those_of_the_video_stream(media: MediaInfo, frames: int) -> None:
    assert video_job(media).expected_frames == frames


def test_a_source_whose_clock_leaps_is_cut_off_soon_after_its_expected_end() -> None:
    assert video_job(uncertain(MEDIA)).frame_limit == 250 + 50
    assert audio_job(uncertain(MEDIA)).limit_seconds == 12.0


@pytest.mark.parametrize(
    ("video_start", "audio_start", "origin"),
    [
        (0.0, 0.0, 0.0),
        (1.5, 0.0, 0.0),
        (2.5, 2.0, 2.0),
        (0.0, -0.023, 0.0),
        (0.0004, 0.2, 0.0),
        (0.021, 0.0, 0.021),
        (0.06, 0.0, 0.0),
    ],
)
def test_the_presentation_begins_with_the_first_stream_that_is_used(
    video_start: float, audio_start: float, origin: float
) -> None:
    media = replace(with_video(start_seconds=video_start), audio=replace(AUDIO, start_seconds=audio_start))

    assert origin_seconds(media) == origin


def test_audio_with_video_has_the_bit_rates_that_the_renditions_play_with() -> None:
    job = audio_job(with_video(width=640, height=360), "video.h264")

    assert [rendition.name for rendition in job.renditions] == ["audio-96k"]


def test_audio_of_a_profile_without_video_has_every_bit_rate_and_its_own_clock() -> None:
    job = audio_job(with_audio(start_seconds=1.0))

    assert [rendition.name for rendition in job.renditions] == ["audio-192k", "audio-128k", "audio-96k"]
    assert (job.origin_seconds, job.expected_seconds, job.segment_seconds) == (1.0, 10.0, Fraction(4))


def test_each_language_is_a_task_of_its_own_in_the_groups_of_the_main_one() -> None:
    tasks = audio_tasks(replace(MEDIA, audio=replace(AUDIO, language="eng"), more_audio=(GERMAN,)), "video.h264")

    assert list(tasks) == ["audio-first", "audio", "audio-deu"]
    main, other = tasks["audio"], tasks["audio-deu"]

    assert (main.optional, main.rank, other.optional, other.rank) == (False, 1, True, 2)
    job, main_job = load(AudioJob, other.params), load(AudioJob, main.params)
    assert (job.stream_index, job.language) == (2, "deu")
    assert [rendition.name for rendition in job.renditions] == ["audio-deu-192k", "audio-deu-128k", "audio-deu-96k"]
    assert list(job.groups) == [rendition.name for rendition in main_job.renditions]
    assert (job.origin_seconds, job.segment_seconds) == (main_job.origin_seconds, main_job.segment_seconds)
    assert {rendition.channels for rendition in job.renditions} == {1}, "as its own stream has"
    assert (job.pad_seconds, main_job.pad_seconds) == (10.0, None), "as long as the film, though the stream is shorter"
    assert (job.exact_samples, main_job.exact_samples) == (None, 480_000)


def test_languages_without_video_are_as_long_as_the_main_one() -> None:
    media = replace(MEDIA, audio=replace(AUDIO, start_seconds=1.0, duration_seconds=5.0), more_audio=(GERMAN,))

    assert load(AudioJob, audio_tasks(media)["audio-deu"].params).expected_seconds == 5.0


def test_audio_is_cut_where_the_video_is() -> None:
    job = audio_job(with_video(frame_rate=Fraction(30000, 1001)), "video.h264")

    assert job.segment_seconds == Fraction(4004, 1000)


@pytest.mark.parametrize(
    ("step", "media"),
    [(H264Video(), AUDIO_FILE), (Thumbnail(), AUDIO_FILE), (AacAudio(), SILENT)],
    ids=["video of an audio file", "picture of an audio file", "sound of a silent file"],
)
def test_nothing_is_planned_for_a_stream_that_is_not_there(step: Any, media: MediaInfo) -> None:
    assert list(step.plan(media, StepSpec(step.name), web(StepSpec(step.name)))) == []


def test_slower_presets_weigh_more() -> None:
    def weight(preset: str) -> float:
        return video_tasks(MEDIA, preset=preset)["video-0"].weight

    assert weight("ultrafast") < weight("veryfast") < weight("medium") < weight("veryslow")


def test_a_thumbnail_may_fail_without_failing_the_job() -> None:
    (task,) = Thumbnail().plan(MEDIA, StepSpec("image.thumbnail"), web())

    assert (task.name, task.optional, task.load_units) == ("thumbnail", True, 1)


@pytest.mark.parametrize(
    ("duration", "at"), [(0.0, 0.0), (1.0, 0.2), (10.0, 2.0), (20.0, 3.0), (60.0, 6.0), (600.0, 30.0), (36000.0, 30.0)]
)
def test_a_thumbnail_is_taken_past_the_opening(duration: float, at: float) -> None:
    assert thumbnail_seconds(duration) == pytest.approx(at)


@pytest.mark.parametrize(
    ("display", "maximum", "size"),
    [
        ((1920, 1080), 1280, (1280, 720)),
        ((1080, 1920), 1280, (720, 1280)),
        ((320, 240), 1280, (320, 240)),
        ((321, 181), 1280, (320, 180)),
        ((5000, 10), 1280, (1280, 2)),
        ((1, 1), 1280, (2, 2)),
    ],
)
def test_a_thumbnail_is_even_and_never_larger_than_the_picture(
    display: tuple[int, int], maximum: int, size: tuple[int, int]
) -> None:
    assert picture_size(display, maximum) == size


@pytest.mark.parametrize(
    ("media", "wished", "at"),
    [
        (MEDIA, 0.0, 0.0),
        (MEDIA, 0.039, 0.0),
        (MEDIA, 0.04, 0.02),
        (MEDIA, 5.0, 4.98),
        (MEDIA, 5.039, 4.98),
        (MEDIA, 10.0, 9.94),  # the last frame
        (with_video(duration_seconds=0.0, frame_count=1), 3.0, 0.0),
        (with_video(start_seconds=1.5), 3.0, 2.96),  # the sound begins before
        (replace(with_video(start_seconds=1.5), audio=None), 3.0, 4.48),  # the video sets the clock
    ],
)
def test_a_wished_thumbnail_is_the_frame_that_a_viewer_sees(media: MediaInfo, wished: float, at: float) -> None:
    spec = StepSpec("image.thumbnail", {"at_seconds": wished})
    assert list(Thumbnail().check(spec.params)) == []

    (task,) = Thumbnail().plan(media, spec, web())

    assert task.params["at_seconds"] == pytest.approx(at)


def test_the_thumbnail_counts_from_where_the_video_begins() -> None:
    (task,) = Thumbnail().plan(with_video(start_seconds=1.5), StepSpec("image.thumbnail"), web())

    assert task.params["at_seconds"] == pytest.approx(3.5)
