"""What is foretold before it is made: of which sources, by which tasks, and how long and large."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from mediaflow.plugin import MediaInfo, SegmentGrid
from mediaflow.plugin.wire import load
from mediaflow_ffmpeg.jobs import AudioJob, VideoJob
from mediaflow_ffmpeg.opening import foretold_sound, foretold_video
from tests.plugins.ffmpeg_media import MEDIA, audio_tasks, uncertain, video_tasks, with_audio, with_video

FIRST_OF_ALL = {"video-first": 0, "video-inits": 0, "video-low": 1, "video-0": 2}


def test_what_is_foretold_is_cut_at_its_end() -> None:
    assert load(VideoJob, video_tasks(MEDIA)["video-0"].params).frame_limit == 250
    assert load(AudioJob, audio_tasks(MEDIA)["audio"].params).exact_samples == 10 * 48000


@pytest.mark.parametrize(
    ("media", "video", "audio"),
    [
        (MEDIA, FIRST_OF_ALL, {"audio-first": 0, "audio": 1}),
        (with_video(width=320, height=240), {"video-first": 0, "video-0": 1}, {"audio-first": 0, "audio": 1}),
        (replace(MEDIA, audio=None), FIRST_OF_ALL, {}),
        (replace(MEDIA, video=None), {}, {"audio-first": 0, "audio": 1}),
        (replace(MEDIA, declared_duration_seconds=None), FIRST_OF_ALL, None),
        (replace(MEDIA, declared_duration_seconds=11.0), FIRST_OF_ALL, None),
        # nobody knows how much of these can be decoded
        (uncertain(MEDIA), {"video-0": 2}, {"audio": 2}),
        (replace(MEDIA, declared_duration_seconds=11.1), {"video-0": 2}, {"audio": 2}),
        (replace(MEDIA, declared_duration_seconds=8.9), {"video-0": 2}, {"audio": 2}),
        (replace(with_video(duration_seconds=4.0), duration_seconds=4.0, declared_duration_seconds=4.0),
         FIRST_OF_ALL, {"audio-first": 0, "audio": 1}),
        (replace(with_video(duration_seconds=0.8), duration_seconds=0.8, declared_duration_seconds=0.8),
         {"video-0": 2}, {"audio": 2}),
        (with_audio(duration_seconds=4.0), FIRST_OF_ALL, {"audio-first": 0, "audio": 1}),
    ],
    ids=["usual", "one rendition", "silent", "sound", "nothing declared", "a second more", "damaged", "declared more",
         "declared less", "one segment that takes long", "one segment", "sound of one segment"],
)  # fmt: skip
def test_what_people_watch_first_is_made_first_where_its_length_is_certain(
    media: MediaInfo, video: dict[str, int], audio: dict[str, int] | None
) -> None:
    assert {name: task.rank for name, task in video_tasks(media).items()} == video
    if audio is not None:
        assert {name: task.rank for name, task in audio_tasks(media, *["video.h264"] * bool(video)).items()} == audio


def test_the_opening_is_the_smallest_rendition_and_its_sound() -> None:
    video, audio = video_tasks(MEDIA), audio_tasks(MEDIA, "video.h264")

    assert {name: task.makes for name, task in {**video, **audio}.items()} == {
        "video-first": ("360p",),
        "video-inits": ("1080p", "720p", "480p"),
        "video-low": ("360p",),
        "video-0": ("1080p", "720p", "480p"),
        "audio-first": ("audio-192k", "audio-128k", "audio-96k"),
        "audio": ("audio-192k", "audio-128k", "audio-96k"),
    }
    # without its beginning a film is still one that is published when it is made
    assert {name for name, task in {**video, **audio}.items() if task.optional} == {
        "video-first",
        "video-inits",
        "audio-first",
    }
    first = load(VideoJob, video["video-first"].params)
    assert (first.expected_frames, first.total_frames, first.frame_limit, first.exact) == (100, 250, 100, False)
    low = load(VideoJob, video["video-low"].params)
    assert (low.expected_frames, low.total_frames, low.exact, low.renditions) == (250, None, True, first.renditions)
    assert video["video-first"].weight < video["video-low"].weight < video["video-0"].weight
    assert audio["audio-first"].weight == pytest.approx(0.4 * audio["audio"].weight, abs=0.01), "4 s of 10"
    assert load(AudioJob, audio["audio-first"].params).exact_samples == 480_000


@pytest.mark.parametrize("seconds", [0.04, 0.3, 0.8, 1.4, 1.9, 2.4, 4.0, 4.2])
def test_no_average_is_above_its_peak(seconds: float) -> None:
    frames = round(25 * seconds)
    for told in (
        foretold_video(SegmentGrid(Fraction(25), 100, frames), frames, 600_000, 1_200_000),
        foretold_sound(round(48_000 * seconds), 48_000, Fraction(4), 96_000),
    ):
        assert told.average_bps <= told.peak_bps


@pytest.mark.parametrize(
    ("frames", "runs"),
    [(250, ((2, 4.0), (1, 2.0))), (200, ((2, 4.0),)), (201, ((2, 4.0), (1, 0.04)))],
)
def test_the_frames_foretell_the_segments(frames: int, runs: tuple[tuple[int, float], ...]) -> None:
    told = foretold_video(SegmentGrid(Fraction(25), 100, frames), frames, 600_000, 1_200_000)

    assert told.runs == runs
    assert told.segment_count == sum(count for count, _ in runs)
    # what the encoder's buffer lets through in half a target duration (RFC 8216, 4.1), and in all of it
    assert told.peak_bps == 600_000 + 1_200_000 // 2 + 16_000
    assert told.average_bps == 600_000 + round(1_200_000 / (frames / 25)) + 16_000


@pytest.mark.parametrize(
    ("bitrate_bps", "segment_seconds", "measured_bps"),
    [
        (64_000, 1, 219_000),
        (96_000, 1, 231_000),
        (128_000, 1, 235_000),
        (192_000, 1, 254_000),
        (64_000, 2, 143_000),
        (96_000, 2, 165_000),
        (64_000, 4, 105_000),
        (96_000, 4, 131_500),
        (192_000, 4, 210_000),
    ],
)
def test_sound_that_begins_after_silence_is_no_larger_than_foretold(
    bitrate_bps: int, segment_seconds: int, measured_bps: int
) -> None:
    # a mono recording: seven seconds of silence, then music; its largest segment, with its boxes
    told = foretold_sound(10 * 48000, 48000, Fraction(segment_seconds), bitrate_bps)

    assert measured_bps < told.peak_bps
    assert bitrate_bps < told.average_bps < told.peak_bps


def test_a_short_last_segment_may_be_a_run_of_its_own() -> None:
    peaks = [foretold_sound(samples, 48000, Fraction(4), 96_000).peak_bps for samples in (192_000, 250_000, 300_000)]

    # 4 s; 4 s and 1.2 s, which is less than half a target duration (RFC 8216, 4.1); 4 s and 2.25 s
    assert peaks[0] == pytest.approx(peaks[1], rel=0.01)
    assert peaks[2] > 1.15 * peaks[1]
