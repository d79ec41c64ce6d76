"""Whole tracks of every codec, as Debian's ffmpeg writes them: read back, described, and refused when broken."""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from mediaflow.plugin import MEDIA_OFFSET_SECONDS, SegmentGrid, TaskFailed, read_init, read_segment, read_track
from mediaflow.testing.clips import run_ffmpeg

SOURCES = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=24:d=2", "-f", "lavfi", "-i", "sine=440:r=48000:d=2")
CODECS = {
    # directory -> (options, the codecs string, what else manifests tell)
    "h264": (["-c:v", "libx264", "-g", "24"], r"avc1\.6400[0-9a-f]{2}", {"width": 160, "height": 90}),
    "hevc": (
        ["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=error:keyint=24:scenecut=0:open-gop=0"],
        r"hvc1\.1\.6\.L\d+\.90",
        {"width": 160, "height": 90},
    ),
    "hevc-in-band": (
        ["-c:v", "libx265", "-tag:v", "hev1", "-x265-params", "log-level=error:keyint=24:scenecut=0:open-gop=0"],
        r"hev1\.1\.6\.L\d+\.90",
        {"width": 160, "height": 90},
    ),
    "av1": (["-c:v", "libsvtav1", "-preset", "12", "-g", "24"], r"av01\.0\.\d\dM\.08", {"width": 160, "height": 90}),
    "av1-10-bit": (
        ["-c:v", "libsvtav1", "-preset", "12", "-g", "24", "-pix_fmt", "yuv420p10le"],
        r"av01\.0\.\d\dM\.10",
        {"width": 160, "height": 90},
    ),
    "vp9": (
        ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "24"],
        r"vp09\.00\.\d\d\.08",
        {"width": 160, "height": 90},
    ),
    "aac": (["-c:a", "aac"], r"mp4a\.40\.2", {"channels": 1, "sample_rate_hz": 48000}),
    "mp3": (["-c:a", "libmp3lame", "-ac", "2"], r"mp4a\.6b", {"channels": 2, "sample_rate_hz": 48000}),
    "opus": (["-c:a", "libopus", "-ac", "2"], "Opus", {"channels": 2, "sample_rate_hz": 48000}),
    "ac3": (["-c:a", "ac3", "-ac", "6"], "ac-3", {"channels": 6, "sample_rate_hz": 48000}),
    "eac3": (["-c:a", "eac3", "-ac", "6"], "ec-3", {"channels": 6, "sample_rate_hz": 48000}),
    "flac": (["-c:a", "flac", "-ar", "96000"], "fLaC", {"channels": 1, "sample_rate_hz": 96000}),
}
GRID = SegmentGrid(Fraction(24), 24, 48)
VIDEO = [name for name, (options, _, _) in CODECS.items() if "-c:v" in options]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every codec in segments of one second, in a directory of its name: all from one ffmpeg."""
    directory = tmp_path_factory.mktemp("codecs")
    argv = [*SOURCES]
    for name, (options, _, _) in CODECS.items():
        (directory / name).mkdir()
        kind = options[0][-1]
        argv += ["-map", "0:v" if kind == "v" else "1:a", *(["-pix_fmt", "yuv420p"] if kind == "v" else []), *options]
        argv += ["-strict", "-2", "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"]
        argv += ["-hls_segment_type", "fmp4", "-hls_segment_filename", str(directory / name / "%05d.m4s")]
        argv += ["-hls_segment_options", "movflags=+frag_discont+frag_custom+dash+delay_moov+default_base_moof"]
        argv += ["-output_ts_offset", str(MEDIA_OFFSET_SECONDS), str(directory / name / "index.m3u8")]
    run_ffmpeg(argv)
    # ffmpeg ends FLAC with a segment that has no samples
    empty = directory / "flac" / "00002.m4s"
    with pytest.raises(TaskFailed, match=r"flac/00002\.m4s: there are 0 fragments"):
        read_track(empty.parent)
    empty.unlink()
    return directory


@pytest.mark.parametrize("name", CODECS)
def test_a_track_of_every_codec_is_read_and_described(encoded: Path, name: str) -> None:
    _, codecs, facts = CODECS[name]

    track = read_track(encoded / name)

    assert re.fullmatch(codecs, track.init.codecs)
    assert {field: getattr(track.init, field) for field in facts} == facts
    assert 1.9 < track.duration_seconds < 2.2
    described = track.describe(audio_group="sound", frame_rate=Fraction(24))
    assert (described.name, described.codecs, described.kind) == (name, track.init.codecs, track.init.kind)
    init, *segments = track.artifacts(described)
    assert (init.role, init.describes, init.path) == ("init", described, f"{name}/init.mp4")
    assert [(a.path, a.number) for a in segments] == [(f"{name}/{n:05d}.m4s", n) for n in range(len(track.segments))]
    assert all((encoded / a.path).stat().st_size == a.size_bytes for a in (init, *segments))


@pytest.mark.parametrize("name", VIDEO)
def test_video_of_every_codec_can_share_one_grid(encoded: Path, name: str) -> None:
    track = read_track(encoded / name)

    track.check_grid(GRID)
    with pytest.raises(TaskFailed, match=f"{name} has segments of"):
        track.check_grid(SegmentGrid(Fraction(24), 48, 48))


def _lose_one(track: Path) -> None:
    (track / "00000.m4s").unlink()


def _lose_all(track: Path) -> None:
    for file in track.glob("*.m4s"):
        file.unlink()


def _lose_the_init(track: Path) -> None:
    (track / "init.mp4").unlink()


def _repeat_one(track: Path) -> None:
    shutil.copy(track / "00000.m4s", track / "00001.m4s")


def _begin_within_a_group(track: Path) -> None:
    # the first sample's flags (8.8.3.1) say that it depends on others
    file = track / "00001.m4s"
    data = bytearray(file.read_bytes())
    run = data.index(b"trun")
    flags = int.from_bytes(data[run + 4 : run + 8])
    at = run + 12 + (4 if flags & 1 else 0)
    at += 0 if flags & 4 else sum(4 for flag in (0x100, 0x200) if flags & flag)
    data[at : at + 4] = struct.pack(">I", 0x10000)
    file.write_bytes(data)


def _another_track(track: Path) -> None:
    file = track / "00001.m4s"
    data = bytearray(file.read_bytes())
    at = data.index(b"tfhd") + 8
    data[at : at + 4] = struct.pack(">I", 7)
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_lose_one, "h264 has the segments"),
        (_lose_all, "h264 has the segments none"),
        (_lose_the_init, "h264/init.mp4 is missing"),
        (_repeat_one, "h264/00001.m4s begins at tick"),
        (_begin_within_a_group, "h264/00001.m4s does not begin with a key frame"),
        (_another_track, "h264/00001.m4s: it is of track 7, the init segment of track 1"),
    ],
)
def test_a_track_that_is_not_whole_is_refused(
    encoded: Path, tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    track = Path(shutil.copytree(encoded / "h264", tmp_path / "h264"))
    damage(track)

    with pytest.raises(TaskFailed, match=re.escape(sentence)) as caught:
        read_track(track)
    assert caught.value.code == "job.bad_output"


def refused(file: Path, read: Callable[[Path], object]) -> bool:
    """Whether the file is refused; any other exception passes."""
    try:
        read(file)
    except TaskFailed:
        return True
    return False


@pytest.mark.parametrize("name", ["hevc", "av1", "vp9", "aac", "opus", "eac3", "flac"])
def test_no_broken_byte_of_a_header_does_more_than_be_refused(encoded: Path, tmp_path: Path, name: str) -> None:
    whole = read_init(encoded / name / "init.mp4")
    for source, read in (("init.mp4", read_init), ("00000.m4s", lambda file: read_segment(file, whole))):
        data = (encoded / name / source).read_bytes()[:1200]
        file = tmp_path / source
        file.write_bytes(data)
        count = 0
        # in place: thousands of new files take long
        with file.open("r+b", buffering=0) as target:
            for at in range(0, len(data), 2):
                for value in (0, 0xFF):
                    os.pwrite(target.fileno(), bytes([value]), at)
                    count += refused(file, read)
                os.pwrite(target.fileno(), data[at : at + 1], at)
            assert count
            for length in range(len(data) - 1, -1, -50):
                target.truncate(length)
                assert refused(file, read)


def test_numbers_that_lie_cost_nothing(encoded: Path, tmp_path: Path) -> None:
    init, file = read_init(encoded / "h264" / "init.mp4"), tmp_path / "segment.m4s"

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    run = box(b"trun", struct.pack(">II", 0, 0xFFFFFFFF))
    traf = box(b"traf", box(b"tfhd", struct.pack(">II", 0x20000, 1)) + box(b"tfdt", bytes(8)) + run)
    file.write_bytes(box(b"moof", traf) + box(b"mdat", b"x"))
    with pytest.raises(TaskFailed, match="claims 4294967295 samples"):
        read_segment(file, init)
    file.write_bytes(box(b"free", b"") * 100_001)
    with pytest.raises(TaskFailed, match="more than 100000 boxes"):
        read_segment(file, init)
    with file.open("wb") as target:  # a hole: nothing of it is written or read
        target.write(struct.pack(">I4s", 2**31, b"moof"))
        target.truncate(2**31)
    with pytest.raises(TaskFailed, match="have more than 8388608 bytes"):
        read_segment(file, init)
