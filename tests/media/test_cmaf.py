"""Reading ISO BMFF boxes: from what ffmpeg writes, and from what is broken."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mediaflow.plugin import InitSegment, MediaSegment, TaskFailed, read_init, read_segment
from mediaflow.testing.clips import make_clip, run_ffmpeg

FRAGMENTS = ("-f", "mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof")


def box(kind: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, flags: int, *numbers: int, version: int = 0) -> bytes:
    return box(kind, struct.pack(f">I{len(numbers)}I", version << 24 | flags, *numbers))


def fragment(run: bytes, header: bytes | None = None, start: int = 500) -> bytes:
    header = header or full(b"tfhd", 0x020000, 1)
    return box(b"moof", full(b"mfhd", 0, 1), box(b"traf", header, full(b"tfdt", 0, start), run))


INIT = InitSegment("video", 1000, "avc1.64001f", default_duration=40, default_flags=0x10000)
MEDIA = box(b"mdat", b"frames")
NON_SYNC, SYNC = 0x10000, 0x2000000


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """A clip's tracks as an init segment and one media segment each, cut out of fragmented files."""
    directory = tmp_path_factory.mktemp("boxes")
    clip = make_clip(directory / "clip.mp4", seconds=1.0)
    found = {}
    for kind in ("v", "a"):
        whole = directory / f"{kind}.mp4"
        run_ffmpeg(["-i", str(clip), "-map", f"0:{kind}", "-c", "copy", *FRAGMENTS, str(whole)])
        data = whole.read_bytes()
        at, end = data.index(b"moof") - 4, data.index(b"mfra") - 4
        init, segment = directory / f"{kind}-init.mp4", directory / f"{kind}-0.m4s"
        init.write_bytes(data[:at])
        segment.write_bytes(data[at:end])
        found[kind] = (init, segment)
    return found


def test_the_facts_of_a_video_track(split: dict[str, tuple[Path, Path]]) -> None:
    init = read_init(split["v"][0])
    segment = read_segment(split["v"][1], init)

    assert (init.kind, init.width, init.height) == ("video", 320, 180)
    assert init.codecs.startswith("avc1.")
    assert len(init.codecs) == len("avc1.64001f")
    assert (segment.sample_count, segment.starts_with_sync) == (25, True)
    assert segment.duration == init.timescale
    assert segment.size_bytes == split["v"][1].stat().st_size


def test_the_facts_of_an_audio_track(split: dict[str, tuple[Path, Path]]) -> None:
    init = read_init(split["a"][0])
    segment = read_segment(split["a"][1], init)

    assert (init.kind, init.codecs, init.channels, init.sample_rate_hz) == ("audio", "mp4a.40.2", 1, 48000)
    assert segment.starts_with_sync
    assert 1.0 <= segment.duration / init.timescale < 1.05


@pytest.mark.parametrize(
    ("moof", "expected"),
    [
        pytest.param(fragment(full(b"trun", 0, 3)), MediaSegment(500, 120, 3, False, 0), id="all from the movie"),
        pytest.param(
            fragment(full(b"trun", 0, 3), full(b"tfhd", 0x020028, 1, 20, SYNC)),
            MediaSegment(500, 60, 3, True, 0),
            id="defaults of the fragment",
        ),
        pytest.param(
            fragment(full(b"trun", 0x4, 2, SYNC)), MediaSegment(500, 80, 2, True, 0), id="flags of the first sample"
        ),
        pytest.param(
            fragment(full(b"trun", 0x501, 2, 99, 10, SYNC, 30, NON_SYNC)),
            MediaSegment(500, 40, 2, True, 0),
            id="duration and flags of each",
        ),
        pytest.param(
            fragment(full(b"trun", 0xF00, 1, 10, 77, NON_SYNC, 5)),
            MediaSegment(500, 10, 1, False, 0),
            id="every field of each",
        ),
    ],
)
def test_durations_and_flags_come_from_where_they_are_given(
    moof: bytes, expected: MediaSegment, tmp_path: Path
) -> None:
    file = tmp_path / "segment.m4s"
    file.write_bytes(moof + MEDIA)

    found = read_segment(file, INIT)

    assert (found.decode_time, found.duration, found.sample_count, found.starts_with_sync) == (
        expected.decode_time,
        expected.duration,
        expected.sample_count,
        expected.starts_with_sync,
    )


def test_fragments_of_one_segment_add_up(tmp_path: Path) -> None:
    file = tmp_path / "segment.m4s"
    run = full(b"trun", 0, 3)
    file.write_bytes(fragment(run) + MEDIA + fragment(run, start=620) + MEDIA)

    assert read_segment(file, INIT).duration == 240


GOOD = fragment(full(b"trun", 0, 3))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(GOOD, id="no media data"),
        pytest.param(MEDIA, id="no fragment"),
        pytest.param(GOOD + MEDIA[:-1], id="cut off in the data"),
        pytest.param(GOOD[:-3], id="cut off in the header"),
        pytest.param(GOOD + MEDIA + b"\0\0", id="cut off in a box header"),
        pytest.param(GOOD + MEDIA + GOOD + MEDIA, id="a gap between fragments"),
        pytest.param(fragment(full(b"trun", 0, 0)) + MEDIA, id="no samples"),
        pytest.param(fragment(full(b"trun", 0x100, 9, 1)) + MEDIA, id="fewer samples than said"),
        pytest.param(box(b"moof", full(b"mfhd", 0, 1)) + MEDIA, id="no track fragment"),
        pytest.param(b"\0\0\0\x04moof" + MEDIA, id="a box smaller than its header"),
    ],
)
def test_a_broken_segment_is_refused(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "segment.m4s"
    file.write_bytes(data)

    with pytest.raises(TaskFailed):
        read_segment(file, INIT)


def test_an_init_segment_with_media_in_it_is_refused(split: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    file = tmp_path / "init.mp4"
    file.write_bytes(split["v"][0].read_bytes() + MEDIA)

    with pytest.raises(TaskFailed, match=r"/init\.mp4: this is no init segment"):
        read_init(file)


def test_an_init_segment_of_two_tracks_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=0.2)
    whole = tmp_path / "whole.mp4"
    run_ffmpeg(["-i", str(clip), "-c", "copy", *FRAGMENTS, str(whole)])
    data = whole.read_bytes()
    init = tmp_path / "init.mp4"
    init.write_bytes(data[: data.index(b"moof") - 4])

    with pytest.raises(TaskFailed, match="2 tracks"):
        read_init(init)
