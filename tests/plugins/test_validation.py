"""The built-in validation: names before the upload, facts after it, and the profile for sound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from mediaflow.domain.errors import all_said
from mediaflow.domain.media import AudioStream, MediaInfo, VideoStream
from mediaflow.plugin import MediaContext, Problem, UploadDraft
from mediaflow_validation.plugin import (
    mediaflow_choose_profile,
    mediaflow_validate_media,
    mediaflow_validate_upload,
)

CONTEXT = MediaContext({"max_duration_seconds": 3600, "max_pixels": 1_000_000, "max_streams": 8})
VIDEO = VideoStream(0, "h264", 640, 360, Fraction(1), 0, Fraction(25), 50, 0.0, 2.0, "yuv420p", "progressive")
AUDIO = AudioStream(1, "aac", 48000, 2, 0.0, 2.0)
CLIP = MediaInfo("video", "mov", 1000, 2.0, 2.0, 0.0, 2, VIDEO, AUDIO)


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("holiday.mp4", "video/mp4"), ("HOLIDAY.MOV", None), ("no extension", None), ("odd.xyz", "application/x-odd"),
        ("a.ts", "text/vnd.trolltech.linguist"), ("a.mts", "model/vnd.mts"), ("song.mp3", "audio/mpeg"), (".mp4", None),
        ("-i.mp4", "video/mp4"), ("concat:a|b.mp4", None), ("frame%03d.mp4", None), ("имя файла 😀.mp4", None),
        ("../../tmp/pwned.mp4", None), ("blob", "video/webm;codecs=vp9"), ("blob", "application/mxf"), ("", None),
    ],
)  # fmt: skip
def test_names_of_media_and_unknown_names_are_accepted(filename: str, content_type: str | None) -> None:
    assert mediaflow_validate_upload(UploadDraft("ann", filename, 1, content_type)) == []


@pytest.mark.parametrize(
    ("filename", "content_type", "pointer", "words"),
    [
        ("video.mp4.html", "video/mp4", "/filename", "a web page"),
        ("setup.EXE", None, "/filename", "a program"),
        ("list.m3u8", None, "/filename", "playlist; upload the media that it names"),
        ("all.zip", "video/mp4", "/filename", "an archive"),
        ("photo.jpg", None, "/filename", "an image"),
        ("blob", "text/html; charset=utf-8", "/content_type", "'text/html'"),
        ("blob", "image/png", "/content_type", "be left out"),
        ("blob", "Application/PDF", "/content_type", "application/pdf"),
    ],
)
def test_what_is_obviously_no_media_is_refused_before_the_upload(
    filename: str, content_type: str | None, pointer: str, words: str
) -> None:
    [problem] = mediaflow_validate_upload(UploadDraft("ann", filename, 1, content_type))
    assert (problem.code, problem.pointer) == ("upload.unsupported_type", pointer)
    assert words in problem.detail


def test_an_ordinary_clip_has_no_problem() -> None:
    assert mediaflow_validate_media(CLIP, CONTEXT) == []


@pytest.mark.parametrize(
    ("media", "code", "words"),
    [
        (replace(CLIP, encrypted=True), "media.encrypted", "encrypted"),
        (replace(CLIP, video=None, audio=None), "media.unsupported", "neither"),
        (replace(CLIP, duration_seconds=3601.0), "media.too_large", "3601 s; at most 3600 s"),
        (replace(CLIP, stream_count=9), "media.too_large", "9 streams; at most 8"),
        (replace(CLIP, video=replace(VIDEO, width=4000)), "media.too_large", "4000 x 360"),
        (replace(CLIP, video=replace(VIDEO, height=1)), "media.unsupported", "640 x 1 pixels"),
        (replace(CLIP, video=replace(VIDEO, frame_rate=Fraction(1000))), "media.too_large", "1000 frames a second"),
        (
            replace(CLIP, video=replace(VIDEO, frame_count=72, duration_seconds=85_000.0)),
            "media.too_costly",
            "only 72 frames for 85000 s",
        ),
    ],
)
def test_what_cannot_become_a_stream_is_rejected_with_the_reason(media: MediaInfo, code: str, words: str) -> None:
    [problem] = mediaflow_validate_media(media, CONTEXT)
    assert problem.code == code
    assert words in problem.detail


def test_all_problems_are_told_at_once() -> None:
    media = replace(CLIP, encrypted=True, duration_seconds=9999.0, stream_count=99)
    assert [problem.code for problem in mediaflow_validate_media(media, CONTEXT)] == [
        "media.encrypted",
        "media.too_large",
        "media.too_large",
    ]


def test_sound_alone_gets_the_profile_for_sound_and_the_rest_the_operators_default() -> None:
    assert mediaflow_choose_profile(replace(CLIP, kind="audio", video=None)) == "audio-only"
    assert mediaflow_choose_profile(CLIP) is None


def test_an_asset_is_told_everything_that_is_wrong_with_it() -> None:
    problems = [Problem("media.too_large", "It is long."), Problem("x", "It is wide."), Problem("x", "It is wide.")]
    assert all_said(problems) == "It is long. It is wide."
