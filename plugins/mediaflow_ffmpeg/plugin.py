"""The hooks of this plugin."""

from __future__ import annotations

from collections.abc import Iterable

from mediaflow.plugin import Step, hookimpl
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.picture import Picture
from mediaflow_ffmpeg.preview import Preview
from mediaflow_ffmpeg.ready import CopiedAudio, CopiedVideo
from mediaflow_ffmpeg.storyboard import Storyboard
from mediaflow_ffmpeg.subtitles import TextSubtitles
from mediaflow_ffmpeg.thumbnail import Thumbnail
from mediaflow_ffmpeg.video import Av1Video, H264Video, HevcVideo
from mediaflow_ffmpeg.waveform import Waveform

MEDIAFLOW_API = ">=1.0,<2"
"""The versions of the plugin API that this was made for."""


@hookimpl(trylast=True)
def mediaflow_register_steps() -> Iterable[Step]:
    """Three that make video, one for sound, two that take both as they are, five for pictures, and one for text."""
    video: list[Step] = [H264Video(), HevcVideo(), Av1Video()]
    return [
        *video,
        AacAudio(),
        CopiedVideo(),
        CopiedAudio(),
        Thumbnail(),
        Picture(),
        Storyboard(),
        Preview(),
        Waveform(),
        TextSubtitles(),
    ]
