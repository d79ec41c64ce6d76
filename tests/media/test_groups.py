"""Where real files can be cut, and what keeps others from it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from mediaflow.domain.media import PictureGroups
from mediaflow.media.copyable import copyable
from mediaflow.media.groups import place_of
from mediaflow.media.sampletables import read_tracks_ahead
from mediaflow.testing.clips import run_ffmpeg

SECONDS = 3
REGULAR = ("-g", "25", "-keyint_min", "25", "-sc_threshold", "0")
_IN_BAND = ("-bsf:v", "dump_extra=freq=keyframe")


def clip(path: Path, *options: str, picture: str = "testsrc2=size=64x36:rate=25") -> Path:
    graph = ["-f", "lavfi", "-i", f"{picture}:duration={SECONDS}"]
    run_ffmpeg([*graph, "-c:v", "libx264", "-pix_fmt", "yuv420p", *options, str(path)])
    return path


def picture_groups(path: Path) -> PictureGroups | None:
    """Of the one track."""
    return next(iter(copyable(path).pictures.values()), None)


def first_bytes(path: Path, sample: int) -> int:
    (track,) = read_tracks_ahead(path).tracks.values()
    return place_of(track, sample)[0]


@pytest.mark.parametrize(
    "options", [("-bf", "0"), ("-bf", "3"), ("-preset", "ultrafast"), _IN_BAND, ("-movflags", "faststart")]
)
def test_groups_that_are_all_alike_are_found(tmp_path: Path, options: Sequence[str]) -> None:
    found = picture_groups(clip(tmp_path / "clip.mp4", *REGULAR, *options))

    assert found is not None
    assert (found.begins, found.frame_count, found.frame_rate) == ((0, 25, 50), 75, Fraction(25))
    assert all(size > 0 for size in found.sizes)
    assert sum(found.sizes) <= (tmp_path / "clip.mp4").stat().st_size


def test_the_last_group_may_be_shorter(tmp_path: Path) -> None:
    found = picture_groups(clip(tmp_path / "clip.mov", "-g", "40", "-keyint_min", "40", "-sc_threshold", "0"))

    assert found is not None
    assert (found.begins, found.frame_count) == ((0, 40), 75)


@pytest.mark.parametrize(
    ("options", "begins"),
    [
        (("-force_key_frames", "0,1,1.4,2"), (0, 25, 50)),
        (("-force_key_frames", "0,0.2,0.8,2.2"), (0, 20, 55)),
        (("-g", "1"), (0, 13, 26, 39, 52, 65)),
        # an open group's key frame is none to MP4: then all is one group
        ((*REGULAR, "-x264-params", "open-gop=1:bframes=3:b-adapt=0:keyint=25:min-keyint=25"), (0,)),
    ],
)
def test_groups_are_as_long_as_they_are_but_none_is_too_short(
    tmp_path: Path, options: Sequence[str], begins: tuple[int, ...]
) -> None:
    found = picture_groups(clip(tmp_path / "clip.mp4", *options))

    assert found is not None
    assert found.begins == begins


def no_idr(path: Path) -> None:
    """The second key frame is no IDR picture any more."""
    data, at = bytearray(path.read_bytes()), first_bytes(path, 25)
    assert data[at + 4] & 0x1F == 5
    data[at + 4] = data[at + 4] & 0xE0 | 1
    path.write_bytes(data)


def other_parameters(path: Path) -> None:
    """Those before the second key frame are not those of the whole."""
    data, at = bytearray(path.read_bytes()), first_bytes(path, 25)
    assert data[at + 4] & 0x1F == 7
    data[at + 4 + 3] ^= 1  # the level
    path.write_bytes(data)


def mirrored(path: Path) -> None:
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 40
    assert data[at : at + 4] == struct.pack(">I", 0x10000)
    path.write_bytes(data[:at] + struct.pack(">i", -0x10000) + data[at + 4 :])


def unchanged(_path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ((*REGULAR, *_IN_BAND), other_parameters),
        (REGULAR, mirrored),
        ((*REGULAR, "-pix_fmt", "yuv420p10le"), unchanged),
        # fields, whatever the container says
        ((*REGULAR, "-flags", "+ilme+ildct", "-x264-params", "tff=1", "-field_order", "progressive"), unchanged),
        ((*REGULAR, "-pix_fmt", "yuv444p"), unchanged),
        ((*REGULAR, "-vf", "setpts='PTS+if(gt(N,40),3/25/TB,0)'", "-fps_mode", "vfr"), unchanged),
        ((*REGULAR, "-movflags", "frag_keyframe+empty_moov"), unchanged),
    ],
)
def test_what_can_not_be_cut_anywhere_is_none(
    tmp_path: Path, options: Sequence[str], change: Callable[[Path], None]
) -> None:
    path = clip(tmp_path / "clip.mp4", *options)
    change(path)

    assert picture_groups(path) is None


def test_it_is_cut_at_idr_pictures_only(tmp_path: Path) -> None:
    no_idr(path := clip(tmp_path / "clip.mp4", *REGULAR))

    found = picture_groups(path)

    assert found is not None
    assert found.begins == (0, 50)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "txt"])
def test_other_files_have_none(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    path.write_bytes(b"no box") if suffix == "txt" else clip(path, *REGULAR)

    assert picture_groups(path) is None
