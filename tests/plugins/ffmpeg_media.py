"""Media facts and profiles for the tests of the ffmpeg plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mediaflow.plugin import MediaInfo, PlannedTask, Profile, StepSpec
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.video import Av1Video, H264Video, HevcVideo
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


def uncertain(media: MediaInfo) -> MediaInfo:
    """The same media, of which nobody can tell beforehand how long they are: all of it is one task."""
    return replace(media, warnings=("The file ends early.",))


def video_tasks(media: MediaInfo, *, on_demand: Sequence[str] = (), **params: Any) -> dict[str, PlannedTask]:
    """What `video.h264` plans for the media, by name."""
    spec = StepSpec("video.h264", params)
    ladder = tuple(replace(rung, when="on_demand" if rung.name in on_demand else "eager") for rung in LADDER)
    return {task.name: task for task in H264Video().plan(media, spec, web(spec, ladder=ladder))}


def beside_tasks(codec: str, media: MediaInfo, **params: Any) -> dict[str, PlannedTask]:
    """What `video.hevc` or `video.av1` plans beside `video.h264`, by name."""
    step = {"hevc": HevcVideo, "av1": Av1Video}[codec]()
    spec = StepSpec(step.name, params)
    return {task.name: task for task in step.plan(media, spec, web(StepSpec("video.h264"), spec))}


def audio_tasks(media: MediaInfo, *steps: str) -> dict[str, PlannedTask]:
    """What `audio.aac` plans for the media in a profile with these steps, by name."""
    spec = StepSpec("audio.aac")
    found = AacAudio().plan(media, spec, web(spec, *(StepSpec(step) for step in steps)))
    return {task.name: task for task in found}
