"""Runs one encoding ffmpeg: progress, time limits, and whose fault it is when it fails."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mediaflow.plugin import (
    Completed,
    InsufficientStorage,
    Limits,
    MediaInfo,
    MediaRejected,
    NeedsWholeSource,
    TaskFailed,
    Workspace,
    WrittenTrack,
)
from mediaflow_ffmpeg.commands import EMPTY_BYTES, HERE, decodable_command, decode_command
from mediaflow_ffmpeg.jobs import INIT_NAME

STALL_SECONDS: Final = 120.0
"""No line of progress for so long: ffmpeg hangs."""
COPY_STALL_SECONDS: Final = 20.0
"""The same where nothing is decoded: a picture of a million units keeps it busy for an hour."""
FILE_BYTES: Final = 1 << 30
"""No segment and no picture is larger."""
_TOO_MANY_ERRORS: Final = 69
"""ffmpeg's exit code when `-max_error_rate` is exceeded."""
_LEAST_FREE_BYTES: Final = 4 * 1024 * 1024
_ADDRESS: Final = re.compile(r" @ 0x[0-9a-f]+|file:\S*/")
_QUICK: Final = Limits(wall_seconds=60)


@dataclass(slots=True)
class Progress:
    """Reads what `-progress pipe:1` writes: `out_time_us=...` of what is encoded, `progress=continue` or `end`."""

    expected_seconds: float
    report: Callable[[float], None]
    look: Callable[[], None] = lambda: None
    begin_seconds: float = 0.0
    seconds: float = 0.0
    ended: bool = field(default=False)

    def line(self, text: str) -> None:
        """One line of it; values may be `N/A` at first, and are before zero while the encoder's delay lasts."""
        key, _, value = text.strip().partition("=")
        if key == "out_time_us" and value.lstrip("-").isdigit():
            self.seconds = max(self.seconds, int(value) / 1e6 - self.begin_seconds)
            self.report(min(1.0, self.seconds / max(self.expected_seconds, 0.001)))
        elif key == "progress":
            self.ended = value == "end"
            self.look()


def encode(
    argv: Sequence[str],
    media: MediaInfo,
    stream_index: int,
    expected_seconds: float,
    workspace: Workspace,
    look: Callable[[], None] = lambda: None,
    *,
    into: Path = HERE,
    begin_seconds: float = 0.0,
    proof: str = "*/*.m4s",
    may_be_empty: bool = False,
    complain: Callable[[str], None] = lambda _line: None,
    stall_seconds: float = STALL_SECONDS,
) -> bool:
    """Run an encoding command that writes `into` a directory to its end, from `begin_seconds` of the presentation on;
    `look` is called five times a second, `complain` with each line that it said of errors. False when no file that is
    the `proof` came out, and it `may_be_empty`.

    NeedsWholeSource when that is not well with a `partial` source.
    MediaRejected (`media.undecodable`) when the source is at fault; TaskFailed or InsufficientStorage when it is not.
    That ffmpeg ended well proves nothing about its output (a full disk gives exit code 0): verify it afterwards.
    """
    progress = Progress(expected_seconds, workspace.progress, look, begin_seconds)
    # slow presets on a loaded machine manage a few frames a second; the watch on stalls is the quick one
    # (what lies before a part may have to be decoded, too)
    wall = 600 + 240 * expected_seconds + 10 * begin_seconds
    limits = Limits(wall, stall_seconds=stall_seconds, file_bytes=FILE_BYTES)
    completed = workspace.processes.run(
        argv, reads=[workspace.source], writes=workspace.directory, limits=limits, on_line=progress.line
    )
    for line in _lines(completed.stderr):
        complain(line)
    made = any(file.stat().st_size > EMPTY_BYTES for file in (workspace.directory / into).glob(proof))
    if completed.returncode == 0 and progress.ended and (made or may_be_empty):
        return made
    if workspace.partial:
        raise NeedsWholeSource(f"ffmpeg ended with {completed.returncode}: {last_line(completed.stderr)}")
    raise failure(completed, media, stream_index, workspace)


def failure(completed: Completed, media: MediaInfo, stream_index: int, workspace: Workspace) -> Exception:
    """Why nothing (good) came out: a full disk, the media, or something else, which another attempt may get round."""
    free = shutil.disk_usage(workspace.directory).free
    if free < _LEAST_FREE_BYTES or "No space left on device" in completed.stderr:
        return InsufficientStorage(f"The worker's disk is full ({free} bytes are free); make room and try again.")
    said = last_line(completed.stderr)
    if completed.returncode == _TOO_MANY_ERRORS:
        return undecodable("most of it can't be decoded", said)
    if not _decodes_at_all(media, stream_index, workspace):
        return undecodable("nothing in it can be decoded", said)
    return TaskFailed(f"ffmpeg ended with {completed.returncode}: {said}", code="job.ffmpeg_failed")


def undecodable(what: str, said: str = "") -> MediaRejected:
    """The error of media that can't be decoded, or not enough of it."""
    return MediaRejected(f"The file is damaged: {what}{f' ({said})' if said else ''}.", code="media.undecodable")


def _decodes_at_all(media: MediaInfo, stream_index: int, workspace: Workspace) -> bool:
    argv = decodable_command(media, workspace.source, stream_index)
    completed = workspace.processes.run(argv, reads=[workspace.source], limits=_QUICK)
    lines = completed.stdout.splitlines()
    return completed.returncode == 0 and any(not line.startswith(b"#") for line in lines)


def check_ends(track: WrittenTrack, workspace: Workspace) -> None:
    """Decode the first and the last segment of a track."""
    last = track.path(len(track.segments) - 1)
    check_decodes([track.directory / INIT_NAME, *dict.fromkeys([track.path(0), last])], workspace)


def check_decodes(files: Sequence[Path], workspace: Workspace) -> None:
    """Decode an init segment and some segments of ours, joined; TaskFailed says what ffmpeg says of them.

    Costs about 0.2 s: meant for the first and the last segment of the smallest rendition.
    """
    joined = workspace.directory / "check.mp4"
    try:
        with joined.open("wb") as target:
            for file in files:
                with file.open("rb") as source:
                    shutil.copyfileobj(source, target)
        completed = workspace.processes.run(decode_command(joined), reads=[joined], limits=_QUICK)
    finally:
        joined.unlink(missing_ok=True)
    if completed.returncode != 0 or completed.stderr.strip():
        said = last_line(completed.stderr)
        raise TaskFailed(f"{files[-1].parent.name} was written but does not decode: {said}", code="job.bad_output")


def first_line(stderr: str) -> str:
    """The first thing that it said, likewise: of an encoder that can't be opened, why."""
    lines = _lines(stderr)
    return lines[0][:300] if lines else "it said nothing"


def last_line(stderr: str) -> str:
    """The last thing that a program said, shortened: what it gave up on.

    Without the addresses that ffmpeg names its parts by (`[h264 @ 0x55d0c3]`), and without directories: the same
    mistake is the same sentence.
    """
    lines = _lines(stderr)
    return lines[-1][:300] if lines else "it said nothing"


def _lines(stderr: str) -> list[str]:
    lines = [_ADDRESS.sub("", line).strip() for line in stderr.splitlines()]
    # SVT-AV1 tells of itself, whatever it is told
    return [line for line in lines if line and not line.startswith(("Last message repeated", "Svt[info]"))]
