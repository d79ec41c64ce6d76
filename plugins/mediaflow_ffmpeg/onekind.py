"""Sound whose rate or channels change midway, decoded into a file of one kind before it is encoded.

ffmpeg makes its filters anew at such a change (broadcasts have it at advertisements, joined files at their seams), and
the new ones count from the beginning again: all that has passed comes out once more, as silence. A command without
filters that count has no such trouble; what it writes keeps its times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mediaflow.plugin import Limits, MediaInfo, NeedsWholeSource, Workspace
from mediaflow_ffmpeg.commands import one_kind_command
from mediaflow_ffmpeg.encoding import STALL_SECONDS, Progress, failure
from mediaflow_ffmpeg.jobs import AudioJob

_FILE: Final = Path("one-kind.mkv")
_BYTES_PER_SECOND: Final = 2 * 4 * 48_000
_SLACK_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class OneKind:
    """The same job, for a source that is decoded; to be used once, in that workspace."""

    job: AudioJob
    media: MediaInfo
    workspace: Workspace


def of_one_kind(job: AudioJob, media: MediaInfo, stream_index: int, workspace: Workspace) -> OneKind:
    """Decode the job's sound, from the beginning of the presentation on. Errors are those of `encode`."""
    argv = one_kind_command(job, media, workspace.source, stream_index, _FILE)
    wall = 600 + job.expected_seconds
    most = round((job.expected_seconds + _SLACK_SECONDS) * _BYTES_PER_SECOND * 1.1)
    progress = Progress(job.expected_seconds, lambda _fraction: None)
    completed = workspace.processes.run(
        argv,
        reads=[workspace.source],
        writes=workspace.directory,
        limits=Limits(wall, stall_seconds=STALL_SECONDS, file_bytes=most),
        on_line=progress.line,
    )
    if completed.returncode != 0 or not progress.ended:
        if workspace.partial:
            raise NeedsWholeSource("The sound can't be decoded from the beginning.")
        raise failure(completed, media, stream_index, workspace)
    audio = next(stream for stream in media.audio_streams if stream.index == stream_index)
    decoded = replace(audio, index=0, channels=job.renditions[0].channels)
    return OneKind(
        replace(job, origin_seconds=0.0, sought=False, stream_index=None if job.stream_index is None else 0),
        replace(media, container="matroska,webm", video=None, audio=decoded, more_audio=()),
        replace(workspace, source=workspace.directory / _FILE),
    )
