"""The gate: what ffmpeg wrote is read back, and nothing that is not as planned gets through."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from mediaflow.plugin import (
    AudioRendition,
    Limits,
    MediaRejected,
    SegmentGrid,
    Span,
    TaskFailed,
    VideoRendition,
    Workspace,
)
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import make_clip
from mediaflow.testing.steps import probed
from mediaflow_ffmpeg.commands import audio_command, video_command
from mediaflow_ffmpeg.encoding import check_decodes
from mediaflow_ffmpeg.jobs import AudioJob, Encoder, VideoJob
from mediaflow_ffmpeg.verify import check_grid, check_length, check_spacing, read_tracks

GRID = SegmentGrid(Fraction(25), 25, 75)
RENDITIONS = (VideoRendition("180p", 320, 180, 400_000, None), VideoRendition("90p", 160, 90, 150_000, None))
NAMES = ["180p", "90p"]
PROCESSES = SandboxedRunner("bwrap")


def encoded(directory: Path, source: Path, span: Span) -> Path:
    """A span of the source in two renditions with segments of one second, as ffmpeg leaves it."""
    directory.mkdir()
    job = VideoJob(RENDITIONS, GRID, span, Encoder("ultrafast"), 0.0, 75)
    argv = video_command(job, probed(source, PROCESSES), source, directory)
    done = PROCESSES.run(argv, reads=[source], writes=directory, limits=Limits(60), on_line=lambda _: None)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("source") / "clip.mp4", seconds=3.0)


@pytest.fixture(scope="module")
def whole(source: Path) -> Path:
    return encoded(source.parent / "whole", source, Span(0, 0, None))


@pytest.fixture
def written(whole: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(whole, tmp_path / "written"))


def test_good_output_passes_and_is_described(written: Path) -> None:
    tracks = read_tracks(written, NAMES, 0)
    check_grid(tracks, GRID)
    check_length(tracks[0].duration_seconds, 3.0)

    assert [len(track.segments) for track in tracks] == [3, 3]
    assert [float(tracks[0].start_seconds(n)) for n in range(3)] == [0.0, 1.0, 2.0]
    assert tracks[0].duration_seconds == 3
    assert sorted(file.name for file in (written / "180p").iterdir()) == [
        "00000.m4s", "00001.m4s", "00002.m4s", "init.mp4",
    ]  # fmt: skip


def remove_middle(directory: Path) -> None:
    (directory / "180p" / "00001.m4s").unlink()


def remove_last(directory: Path) -> None:
    (directory / "180p" / "00002.m4s").unlink()


def remove_all(directory: Path) -> None:
    for file in (directory / "90p").glob("*.m4s"):
        file.unlink()


def empty_one(directory: Path) -> None:
    (directory / "90p" / "00002.m4s").write_bytes(b"")


def cut_one(directory: Path) -> None:
    file = directory / "180p" / "00001.m4s"
    file.write_bytes(file.read_bytes()[:-1])


def swap_two(directory: Path) -> None:
    first, second = directory / "180p" / "00000.m4s", directory / "180p" / "00001.m4s"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def repeat_one(directory: Path) -> None:
    shutil.copy(directory / "180p" / "00001.m4s", directory / "180p" / "00002.m4s")


def remove_init(directory: Path) -> None:
    for file in (directory / "180p").glob("init*.mp4"):
        file.unlink()
    (directory / "180p" / "index.m3u8").unlink()


@pytest.mark.parametrize(
    "damage",
    [remove_middle, remove_last, remove_all, empty_one, cut_one, swap_two, repeat_one, remove_init],
)
def test_output_that_is_not_whole_is_refused(written: Path, damage: Callable[[Path], None]) -> None:
    damage(written)

    with pytest.raises(TaskFailed):
        read_tracks(written, NAMES, 0)


def test_messages_name_the_file_without_its_place(written: Path) -> None:
    repeat_one(written)

    with pytest.raises(TaskFailed, match=r"180p/00002\.m4s begins at tick") as caught:
        read_tracks(written, NAMES, 0)
    assert str(written) not in caught.value.detail
    assert caught.value.code == "job.bad_output"


def test_segments_off_the_grid_are_refused(written: Path) -> None:
    tracks = read_tracks(written, NAMES, 0)

    with pytest.raises(TaskFailed, match="segments of"):
        check_grid(tracks, replace(GRID, segment_frames=50))
    with pytest.raises(TaskFailed, match="off the segments' grid"):
        check_grid([replace(tracks[0], first=1)], GRID)


@pytest.mark.parametrize(("expected", "accepted"), [(2.0, True), (3.0, True), (3.9, True), (4.1, False), (60.0, False)])
def test_output_much_shorter_than_the_source_is_the_media_s_fault(
    written: Path, expected: float, accepted: bool
) -> None:
    track = read_tracks(written, NAMES, 0)[0]

    if accepted:
        check_length(track.duration_seconds, expected)
    else:
        with pytest.raises(MediaRejected, match=r"only 3\.0 s of"):
            check_length(track.duration_seconds, expected)


def test_segments_that_do_not_decode_are_refused(written: Path) -> None:
    (track, _) = read_tracks(written, NAMES, 0)
    workspace = Workspace(written, written, lambda _: None, PROCESSES, {})
    files = [track.directory / "init.mp4", track.path(0)]
    check_decodes(files, workspace)
    data = bytearray(track.path(0).read_bytes())
    at = data.index(b"mdat") + 4
    data[at:] = bytes((i * 31) & 0xFF for i in range(len(data) - at))
    track.path(0).write_bytes(data)

    with pytest.raises(TaskFailed, match="180p was written but does not decode"):
        check_decodes(files, workspace)
    assert not (written / "check.mp4").exists()


def test_spans_encoded_apart_fit_together(source: Path, whole: Path, tmp_path: Path) -> None:
    """What a later span writes continues the first one's times, under the same init segment, byte for byte."""
    first = read_tracks(encoded(tmp_path / "a", source, Span(0, 0, 1)), NAMES, 0)
    second = read_tracks(encoded(tmp_path / "b", source, Span(1, 1, None)), NAMES, 1)

    check_grid(first, GRID)
    check_grid(second, GRID)
    for before, after in zip(first, second, strict=True):
        assert [len(before.segments), len(after.segments)] == [1, 2]
        assert after.segments[0].decode_time == before.segments[0].decode_time + before.segments[0].duration
        assert (before.directory / "init.mp4").read_bytes() == (after.directory / "init.mp4").read_bytes()


def test_audio_segments_begin_where_the_video_s_do(source: Path, tmp_path: Path) -> None:
    directory = tmp_path / "audio"
    directory.mkdir()
    renditions = (AudioRendition("audio-96k", 96_000, 1, 48000), AudioRendition("audio-64k", 64_000, 1, 48000))
    job = AudioJob(renditions, Fraction(1), 0.0, 3.0, None)
    argv = audio_command(job, probed(source, PROCESSES), source, directory)
    PROCESSES.run(argv, reads=[source], writes=directory, limits=Limits(60), on_line=lambda _: None)

    tracks = read_tracks(directory, [rendition.name for rendition in renditions], 0)
    check_spacing(tracks, Fraction(1), 2 * 1024 / 48000)
    with pytest.raises(TaskFailed, match="off its place"):
        check_spacing(tracks, Fraction(3, 2), 2 * 1024 / 48000)
