"""The step `extras.sound`: the sound of a file as `sound.m4a`, for viewers to keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mediaflow.plugin import (
    ALLOCATION_BYTES,
    Artifact,
    Limits,
    MediaInfo,
    PlannedTask,
    Profile,
    StepSpec,
    StepTask,
    TaskFailed,
    Workspace,
    safe_input_options,
)

LEAST, MOST, USUAL = 32_000, 320_000, 160_000
"""Bits a second of AAC."""
FILE = "sound.m4a"


class Sound:
    """`params: {bitrate_bps: 160000}` for what must be encoded; AAC is copied as it is."""

    name = "extras.sound"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        for name, value in params.items():
            if name != "bitrate_bps":
                yield f"{name}: this parameter is unknown; there is 'bitrate_bps'"
            elif type(value) is not int or not LEAST <= value <= MOST:
                yield f"bitrate_bps: {value!r} is not a whole number from {LEAST} to {MOST}"

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        """Nothing for silent media. A video without its download is still a video."""
        if media.audio is None:
            return []
        copied = media.audio.codec == "aac"
        params = {"index": media.audio.index, "bitrate_bps": 0 if copied else spec.params.get("bitrate_bps", USUAL)}
        weight = max(0.1, 0.02 * media.duration_seconds)
        return [PlannedTask("extras-sound", params, weight=weight, optional=True, makes=(FILE,))]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        """One ffmpeg; then a look at what it wrote, for it also ends well on a full disk."""
        bitrate_bps, target = task.params["bitrate_bps"], workspace.directory / FILE
        codec = ["-c:a", "aac", "-ac", "2", "-b:a", str(bitrate_bps)] if bitrate_bps else ["-c:a", "copy"]
        encode = [
            *("ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", "-max_alloc", str(ALLOCATION_BYTES)),
            *safe_input_options(task.media.container),
            *("-i", f"file:{workspace.source}", "-map", f"0:{task.params['index']}", *codec),
            *("-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", FILE),
        ]
        limits = Limits(wall_seconds=120 + task.media.duration_seconds)
        done = workspace.processes.run(encode, reads=[workspace.source], writes=workspace.directory, limits=limits)
        seconds = self._seconds(workspace) if done.returncode == 0 else 0.0
        wanted = task.media.audio.duration_seconds if task.media.audio else 0.0
        if seconds < 0.9 * wanted - 0.1:
            said = done.stderr.strip()[-300:] or "it said nothing"
            raise TaskFailed(f"{seconds:.1f} s of {wanted:.1f} s of sound came out: {said}", code="job.bad_output")
        workspace.progress(1.0)
        return [Artifact(FILE, "download", "audio/mp4", target.stat().st_size, title="The sound alone")]

    def _seconds(self, workspace: Workspace) -> float:
        """How long the file really is, by its packets."""
        probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", FILE]
        done = workspace.processes.run(probe, writes=workspace.directory, limits=Limits(wall_seconds=60))
        return float(done.stdout) if done.returncode == 0 and done.stdout.strip() else 0.0
