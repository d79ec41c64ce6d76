"""Media facts and profiles for the tests of the ffmpeg plugin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mediaflow.plugin import MediaInfo, Profile, StepSpec
from tests.source_facts import AUDIO, LADDER, VIDEO

MEDIA = MediaInfo("video", "mov,mp4,m4a,3gp,3g2,mj2", 1_000_000, 10.0, 10.0, 0.0, 2, VIDEO, AUDIO)


def with_video(**changes: Any) -> MediaInfo:
    """The media with another video stream."""
    return replace(MEDIA, video=replace(VIDEO, **changes))


def with_audio(**changes: Any) -> MediaInfo:
    """The media with another audio stream."""
    return replace(MEDIA, audio=replace(AUDIO, **changes))


def web(*steps: StepSpec, **changes: Any) -> Profile:
    """A profile with the usual ladder."""
    return replace(Profile("web", "", 4.0, 60, LADDER, steps, ("hls",)), **changes)
