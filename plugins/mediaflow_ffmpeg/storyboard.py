"""`image.storyboard`: small pictures of the whole video, which a seek bar shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    Completed,
    Limits,
    MediaInfo,
    PlannedTask,
    Profile,
    StepSpec,
    StepTask,
    TaskFailed,
    VideoStream,
    Workspace,
    from_json,
    origin_seconds,
    to_json,
)
from mediaflow_ffmpeg.commands import HERE
from mediaflow_ffmpeg.encoding import failure
from mediaflow_ffmpeg.images import rendition_tiles_command, sheet_command, tiles_command
from mediaflow_ffmpeg.params import Number, problems
from mediaflow_ffmpeg.renditions import Joined, joined_segments, smallest_rendition, soonest_rendition
from mediaflow_ffmpeg.thumbnail import is_jpeg, picture_size

VTT_NAME: Final = "storyboard.vtt"
COLUMNS: Final = 10
SHEET_TILES: Final = 100
MOST_TILES: Final = 200
"""Two sheets of about 400 KB: a seek bar is a few hundred pixels wide, and one of two hours has a tile for 36 s."""
DEFAULT_INTERVAL_SECONDS: Final = 2
"""As far apart as the key frames of the renditions are, if nobody says otherwise: nothing else is decoded."""
DEFAULT_MAX_SIDE: Final = 160
_LEAST_SECONDS: Final = 0.5
"""What is left of the end, and shorter than this, has no tile of its own."""
_CHEAP_BYTES: Final = 64 * 1024 * 1024
_KEY_FRAME_SECONDS: Final = 0.002
"""Of one core: a key frame of the smallest rendition, cut to a tile."""
_DECODE_SECONDS_PER_PIXEL: Final = 3e-9

PARAMS: Final = (
    Number("interval_seconds", 1, 3600, whole=True),
    Number("max_side", 32, 320, whole=True),
)


@dataclass(frozen=True, slots=True)
class Board:
    """`count` tiles of the presentation, `every_seconds` apart, of `width` x `height` pixels. The last one stands for
    all up to `end_seconds`. They are taken from the `track` of some tasks where it is named, else from the source.
    """

    every_seconds: int
    count: int
    end_seconds: float
    width: int
    height: int
    track: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


class Storyboard:
    """JPEG sheets of tiles whose longer side has `max_side` pixels (160), one for every `interval_seconds` (2; longer
    ones where there would be over 200), and a WebVTT file that says which is shown when. Optional, as every picture.

    Each tile shows what the video shows in its interval. Where the profile has `video.h264`, a rendition of it is
    looked at and not the source (its smallest, or one that is copied and there sooner): it has the right colours,
    pixels and times, and key frames at short distances.
    """

    name = "image.storyboard"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, PARAMS)

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        video = media.video
        if video is None:
            return []
        soon = _is_cheap_to_look_at(video, interval_seconds(media, video, spec.params))
        track, needs = (soonest_rendition if soon else smallest_rendition)(media, profile)
        board = planned_board(media, video, spec.params, track)
        if track is None:
            weight = 0.5 + video.frame_count * video.width * video.height * _DECODE_SECONDS_PER_PIXEL
        else:
            weight = 0.3 + board.count * _KEY_FRAME_SECONDS
        makes = (VTT_NAME, *(sheet_name(number) for number in range(len(sheets_of(board)))))
        params = to_json(board)
        return [PlannedTask("storyboard", params, needs=needs, weight=round(weight, 3), optional=True, makes=makes)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        board, video = from_json(Board, task.params), task.media.video
        if video is None:
            raise TaskFailed("A storyboard was planned for media without video.", code="job.bad_task")
        joined = joined_segments(workspace, board.track, board.every_seconds, board.count) if board.track else None
        found = _tiles(board, task.media, video, workspace, joined)
        workspace.progress(0.8)
        made = [_sheet(number, board, found, workspace) for number in range(len(sheets_of(board)))]
        text = webvtt(board)
        (workspace.directory / VTT_NAME).write_text(text)
        workspace.progress(1.0)
        return [Artifact(VTT_NAME, "storyboard", "text/vtt", len(text.encode())), *made]


def planned_board(media: MediaInfo, video: VideoStream, params: Mapping[str, Any], track: str | None) -> Board:
    """The board of a video: as many tiles as it has intervals, which are longer where there would be too many."""
    seconds, every = _seconds(media, video), interval_seconds(media, video, params)
    count = max(1, math.ceil((seconds - _LEAST_SECONDS) / every))
    end = max(seconds, media.duration_seconds - origin_seconds(media), 0.1)
    size = picture_size(video.display_size, params.get("max_side", DEFAULT_MAX_SIDE))
    return Board(every, count, round(end, 3), *size, track)


def interval_seconds(media: MediaInfo, video: VideoStream, params: Mapping[str, Any]) -> int:
    """How far apart the tiles are."""
    wished = int(params.get("interval_seconds", DEFAULT_INTERVAL_SECONDS))
    return max(wished, math.ceil(_seconds(media, video) / MOST_TILES))


def _seconds(media: MediaInfo, video: VideoStream) -> float:
    return video.start_seconds - origin_seconds(media) + video.duration_seconds


def _is_cheap_to_look_at(video: VideoStream, every_seconds: int) -> bool:
    """Whether the source's own pictures, copied, are no detour to the tiles: each has a key frame, and few bytes are
    read. It saves a short film the wait for the sizes that are encoded; of a long one that is a small part.
    """
    groups = video.groups
    if groups is None or sum(groups.sizes) > _CHEAP_BYTES:
        return False
    longest = max(end - begin for begin, end in pairwise((*groups.begins, groups.frame_count)))
    return longest <= every_seconds * groups.frame_rate


def _tiles(
    board: Board, media: MediaInfo, video: VideoStream, workspace: Workspace, joined: Joined | None
) -> list[bytes]:
    """The pixels of every tile: by key frames, and by all frames where these leave out some. What is still missing then
    (the source is damaged there) shows what was before. MediaRejected or TaskFailed when there is nothing at all.
    """
    found: dict[int, bytes] = {}
    completed = Completed(0, b"", "", 0.0)
    # two fields may be a key frame and one that refers to it: half of the lines would be missing
    for key_frames in (True, False) if joined or not video.interlaced else (False,):
        completed = _look(board, media, video, workspace, joined, key_frames=key_frames)
        found |= _read(board, workspace.directory)
        if len(found) == board.count:
            break
    if not found:
        raise failure(completed, media, video.index, workspace)
    last = found[min(found)]
    return [last := found.get(number, last) for number in range(board.count)]


def _look(
    board: Board,
    media: MediaInfo,
    video: VideoStream,
    workspace: Workspace,
    joined: Joined | None,
    *,
    key_frames: bool,
) -> Completed:
    if joined is None:
        origin = origin_seconds(media)
        argv = tiles_command(
            media, video, workspace.source, board.size, origin, board.every_seconds, board.count, key_frames=key_frames
        )
        source = workspace.source
    else:
        source = joined.some if key_frames else joined.all_of_it()
        argv = rendition_tiles_command(source, board.size, board.every_seconds, board.count, key_frames=key_frames)
    limits = Limits(wall_seconds=120 + 4 * board.end_seconds, file_bytes=64 * 1024 * 1024)
    return workspace.processes.run(argv, reads=[source], writes=workspace.directory, limits=limits)


def _read(board: Board, directory: Path) -> dict[int, bytes]:
    found = {number: directory / f"{number}.raw" for number in range(board.count)}
    wanted = board.width * board.height * 3 // 2
    return {n: file.read_bytes() for n, file in found.items() if file.is_file() and file.stat().st_size == wanted}


def _sheet(number: int, board: Board, tiles: Sequence[bytes], workspace: Workspace) -> Artifact:
    mine = sheets_of(board)[number]
    columns, rows = shape_of(len(mine))
    raw, name = workspace.directory / "sheet.raw", sheet_name(number)
    raw.write_bytes(b"".join(tiles[place] for place in mine))
    argv = sheet_command(raw, HERE / name, board.size, columns, rows)
    completed = workspace.processes.run(argv, reads=[raw], writes=workspace.directory, limits=Limits(wall_seconds=120))
    file = workspace.directory / name
    if completed.returncode != 0 or not file.is_file() or not is_jpeg(file.read_bytes()):
        raise TaskFailed(f"No sheet of {len(mine)} tiles came out: {completed.stderr[-200:]}", code="job.bad_output")
    width, height = columns * board.width, rows * board.height
    return Artifact(name, "image", "image/jpeg", file.stat().st_size, width=width, height=height)


def sheets_of(board: Board) -> list[range]:
    """The tiles of each sheet."""
    starts = range(0, board.count, SHEET_TILES)
    return [range(start, min(start + SHEET_TILES, board.count)) for start in starts]


def sheet_name(number: int) -> str:
    """The file of a sheet, beside the WebVTT file."""
    return f"storyboard-{number}.jpg"


def shape_of(tiles: int) -> tuple[int, int]:
    """Columns and rows of a sheet."""
    return min(tiles, COLUMNS), math.ceil(tiles / COLUMNS)


def webvtt(board: Board) -> str:
    """Which tile is shown when: a cue for each, with a URI relative to this file and a spatial fragment of it (Media
    Fragments URI 1.0, 4.2.2). What players expect of a thumbnail track.
    """
    cues = ["WEBVTT"]
    for number, tiles in enumerate(sheets_of(board)):
        for place, tile in enumerate(tiles):
            last = tile == board.count - 1
            begin, end = tile * board.every_seconds, board.end_seconds if last else (tile + 1) * board.every_seconds
            left, top = place % COLUMNS * board.width, place // COLUMNS * board.height
            fragment = f"xywh={left},{top},{board.width},{board.height}"
            cues.append(f"{_clock(begin)} --> {_clock(end)}\n{sheet_name(number)}#{fragment}")
    return "\n\n".join(cues) + "\n"


def _clock(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{milliseconds:03d}"
