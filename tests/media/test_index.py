"""Probing by the index of an MP4: the same facts as from all packets, or a reason to read them all."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import MediaRejected
from mediaflow.domain.media import MediaInfo
from mediaflow.media.boxes import BadBoxes
from mediaflow.media.indexed import ENDS, Index
from mediaflow.media.probe import probe
from mediaflow.media.sampletables import MOST_SAMPLES, read_tracks, read_tracks_ahead
from mediaflow.sandbox.process import Completed
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import run_ffmpeg
from tests.corpus import samples
from tests.growth import MOST, growth


@dataclass
class Watched:
    """Runs programs in the sandbox, and remembers their arguments."""

    seen: list[Sequence[str]] = field(default_factory=list)
    runner: SandboxedRunner = field(default_factory=lambda: SandboxedRunner("bwrap"))

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        self.seen.append(argv)
        return self.runner.run(argv, **options)

    @property
    def read_ends_only(self) -> bool:
        """True when ffprobe read both ends of the file, and never all of it."""
        packets = [argv for argv in self.seen if any("packet=" in argument for argument in argv)]
        return bool(packets) and all(ENDS in argv for argv in packets)


def probed(path: Path, *, index: bool) -> tuple[object, Watched]:
    """The facts, or the code of the refusal, by the index whenever it is relied on, or by all packets."""
    processes = Watched()
    try:
        return probe(
            path, processes, max_streams=32, max_pixels=75_000_000, least_bytes=0 if index else 1 << 60
        ), processes
    except MediaRejected as error:
        return (error.code, error.detail), processes


PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30000/1001:duration=6")
TONE = ("-f", "lavfi", "-i", "sine=sample_rate=44100:duration=5")
SMALL = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "45", "-bf", "3", "-c:a", "aac")


def test_the_index_gives_what_all_packets_give(tmp_path: Path) -> None:
    first, varying, cut = tmp_path / "a.mp4", tmp_path / "b.mov", tmp_path / "c.mp4"
    # B-frames, a rate of 29.97, sound that begins later, in two languages
    maps = ("-map", "0", "-map", "1", "-map", "1", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra")
    run_ffmpeg([*PICTURE, "-itsoffset", "0.7", *TONE, *maps, *SMALL, str(first)])
    # a varying rate, and the index first
    drop = ("-vf", "select='mod(n,7)*gt(mod(n,11),2)'", "-vsync", "vfr", "-movflags", "+faststart")
    run_ffmpeg([*PICTURE, *TONE, *SMALL, *drop, "-c:a", "alac", str(varying)])
    # cut without encoding: an edit list leaves the first packets out
    run_ffmpeg(["-ss", "2.1", "-i", str(first), "-t", "2.5", "-c", "copy", "-map", "0", str(cut)])
    for path in (first, varying, cut):
        quick, processes = probed(path, index=True)
        assert processes.read_ends_only, path.name
        assert quick == probed(path, index=False)[0], path.name


def test_an_incomplete_file_is_read_as_before(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    run_ffmpeg([*PICTURE, *SMALL, "-movflags", "+faststart", str(whole)])
    data = whole.read_bytes()
    for kept in (len(data) - 10, data.index(b"mdat") + 40):
        cut.write_bytes(data[:kept])
        quick, processes = probed(cut, index=True)
        assert not processes.read_ends_only
        assert quick == probed(cut, index=False)[0]


def test_small_files_are_read_whole(tmp_path: Path) -> None:
    path, processes = tmp_path / "a.mp4", Watched()
    run_ffmpeg([*PICTURE, *SMALL, str(path)])
    probe(path, processes, max_streams=32, max_pixels=75_000_000)
    assert not processes.read_ends_only


def rate_of(facts: object) -> float:
    """Of packets ffprobe tells microseconds, an index has ticks: what is measured of a few frames differs a little."""
    return float(facts.video.frame_rate) if isinstance(facts, MediaInfo) and facts.video is not None else 0.0


def without_rate(facts: object) -> object:
    if not isinstance(facts, MediaInfo) or facts.video is None:
        return facts
    return replace(facts, video=replace(facts.video, frame_rate=Fraction(1)))


@pytest.mark.slow
@pytest.mark.skipif(not samples(), reason="the corpus is not at hand")
def test_every_file_of_the_corpus_is_the_same_by_its_index() -> None:
    by_index = 0
    for sample in samples():
        if sample.path.suffix.lower() in (".mp4", ".mov", ".m4a", ".m4v", ".3gp"):
            quick, processes = probed(sample.path, index=True)
            slow = probed(sample.path, index=False)[0]
            assert rate_of(quick) == pytest.approx(rate_of(slow), rel=2e-6), sample.name
            assert without_rate(quick) == without_rate(slow), sample.name
            by_index += processes.read_ends_only
    assert by_index >= 30


# --- tables of strangers


def box(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def table(kind: str, *words: int, count: int | None = None, each: int = 1, version: int = 0) -> bytes:
    """A full box of entries of `each` words, with a true count unless another is told."""
    told = len(words) // each if count is None else count
    return box(kind, bytes((version, 0, 0, 0)), struct.pack(f">I{len(words)}i", told, *words))


def film(tmp_path: Path, **changed: bytes) -> Path:
    """A file of four samples, with other tables by name (b"" for none of it), or a box `beside` or `after` the rest."""
    return film_of(4, tmp_path / "film.mp4", **changed)


def film_of(samples: int, path: Path, *, after: bytes = b"", beside: bytes = b"", **changed: bytes) -> Path:
    """A file with one track of samples of 10 bytes, two a chunk."""
    chunks = samples // 2
    tables = {
        "stts": table("stts", samples, 40, each=2),
        "ctts": table("ctts", samples, 80, each=2),
        "stsz": box("stsz", bytes(4), struct.pack(">II", 0, samples), struct.pack(">I", 10) * samples),
        "stsc": table("stsc", 1, 2, 1, each=3),
        "stco": table("stco", *range(16, 16 + 20 * chunks, 20)),
    } | changed
    edit = tables.pop("elst", b"")
    tkhd = tables.pop("tkhd", box("tkhd", bytes(12), struct.pack(">I", 1), bytes(64)))
    mdhd, mvhd = (tables.pop(kind, box(kind, bytes(12), struct.pack(">I", 1000))) for kind in ("mdhd", "mvhd"))
    media = box("mdia", mdhd, box("minf", box("stbl", *tables.values())))
    trak = box("trak", tkhd, box("edts", edit), media)
    path.write_bytes(box("ftyp") + box("mdat", bytes(20 * chunks)) + box("moov", mvhd, trak, beside) + after)
    return path


def wide(*offsets: int) -> bytes:
    return box("co64", bytes(4), struct.pack(f">I{len(offsets)}Q", len(offsets), *offsets))


def test_samples_are_found_by_their_place(tmp_path: Path) -> None:
    track = read_tracks(film(tmp_path), {1}, ())[1]
    assert list(track.decoded) == [0, 40, 80, 120]
    assert list(track.shown) == [80, 120, 160, 200]
    assert [track.sample_at(position) for position in (15, 16, 17, 26, 36, 46, 56)] == [None, 0, None, 1, 2, 3, None]
    far = read_tracks(film(tmp_path, stco=wide(16, 36), ctts=table("ctts", 4, -40, each=2, version=1)), {1}, ())[1]
    assert (list(far.shown), far.sample_at(46)) == ([-40, 0, 40, 80], 3)
    later = film(tmp_path, elst=table("elst", 500, -1, 1 << 16, 120, 80, 1 << 16, each=3))
    assert (read_tracks(later, {1}, ())[1].begin, read_tracks(later, {1}, ())[1].end) == (80, 200)
    heard = film(tmp_path, ctts=b"", elst=table("elst", 100, 50, 1 << 16, each=3))
    assert read_tracks(heard, (), {1})[1].begin == 40  # what lasts until after the beginning is heard


BILLIONS = (1 << 32) - 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"stsz": box("stsz", bytes(4), struct.pack(">II", 1, BILLIONS))}, f"{BILLIONS} samples"),
        ({"stsz": box("stsz", bytes(4), struct.pack(">II", 0, BILLIONS))}, f"{BILLIONS} samples"),
        ({"stsz": box("stsz", bytes(4), struct.pack(">II", 0, MOST_SAMPLES))}, "is cut off"),
        ({"stsz": box("stsz", bytes(4), struct.pack(">6I", 0, 4, 10, 0, 10, 10))}, "a sample is empty"),
        ({"stsz": box("stsz", bytes(4))}, "too short"),
        ({"stts": table("stts", -1, 40, each=2)}, f"stts tells of {BILLIONS} samples"),
        ({"stts": table("stts", 4, -40, each=2)}, "before the one that it follows"),
        ({"stts": table("stts", 4, 40, each=2, count=1 << 29)}, "has 536870912 entries, and there are 4 samples"),
        ({"stts": table("stts", 4, 40, each=2, count=2)}, "is cut off"),
        ({"ctts": table("ctts", *[1, 0] * 5, each=2)}, "has 5 entries, and there are 4"),
        ({"stco": table("stco", 16, 36, 37, 38, 39)}, "has 5 entries, and there are 4"),
        ({"stts": table("stts", 4, 40, each=2) * 2}, "two tables stts"),
        ({"ctts": table("ctts", 3, 40, each=2)}, "ctts tells of 3 samples"),
        ({"ctts": table("ctts", 4, -(1 << 28), each=2, version=1)}, "long before or after"),
        ({"stsc": table("stsc", 1, 2, 2, each=3)}, "changes its codec"),
        ({"stsc": table("stsc", 1, 3, 1, each=3)}, "the chunks have 6 samples"),
        ({"stsc": table("stsc", 2, 2, 1, each=3)}, "stsc does not tell"),
        ({"stsc": table("stsc", 1, 2, 1, 1 << 30, 1, 1, each=3)}, "stsc does not tell"),
        ({"stsc": table("stsc")}, "stsc does not tell"),
        ({"stco": table("stco", 36, 16)}, "not in the order"),
        ({"stco": table("stco", 16, 16)}, "not in the order"),
        ({"stco": table("stco", 16, 100_000)}, "end at byte 100020"),
        ({"stco": wide(16, (1 << 64) - 1)}, "samples end at byte"),
        ({"stco": b""}, "not the tables"),
        ({"stco": wide(16, 36) + table("stco", 16, 36)}, "not the tables"),
        ({"elst": table("elst", 80, 0, 1 << 16, 80, 80, 1 << 16, each=3)}, "more than to cut off"),
        ({"elst": table("elst", 80, 0, 1 << 17, each=3)}, "more than to cut off"),
        ({"elst": table("elst", 80, 0, 1 << 16, each=3, count=BILLIONS)}, "edit list has"),
        *(({kind: box(kind)}, "too short") for kind in ("elst", "mvhd", "tkhd", "mdhd")),
        ({"beside": box("mvex")}, "fragments may follow"),
        ({"after": box("moof")}, "has fragments"),
        ({"after": box("moov")}, "has 2 indexes"),
        ({"after": b"\0\0\1\0free"}, "is cut off"),
    ],
)
def test_an_index_that_is_not_plain_is_not_relied_on(tmp_path: Path, changed: dict[str, bytes], words: str) -> None:
    with pytest.raises(BadBoxes, match=words):
        read_tracks(film(tmp_path, **changed), {1}, ())


STREAMS = [{"index": 0, "id": "0x1", "codec_type": "video", "codec_name": "h264"}]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["0,80,0,0.04,17,K_"], "not in the index"),
        (["0,80,0,0.04,N/A,K_"], "not in the index"),
        (["0,80,0,0.04,16,K_", "0,121,40,0.04,26,__"], "other times"),
        (["0,80,0,0.04,16,KD"], "keeps other packets"),
        (["0,80,0,0.04,16,K_"], "did not come to the last"),
        ([], "did not come to the last"),
    ],
)
def test_an_index_is_relied_on_only_when_both_ends_agree(tmp_path: Path, lines: list[str], words: str) -> None:
    index = Index.of(film(tmp_path), STREAMS)

    def read() -> None:
        for line in lines:
            index.add_line(line)
        index.log()

    with pytest.raises(BadBoxes, match=words):
        read()


def test_streams_that_the_index_has_not_or_that_are_grouped_are_read(tmp_path: Path) -> None:
    for changed, words in (
        ({"id": "0x7"}, "has not the tracks"),
        ({"codec_name": "pcm_s16le"}, "packets of pcm_s16le"),
    ):
        with pytest.raises(BadBoxes, match=words):
            Index.of(film(tmp_path), [STREAMS[0] | changed])


def test_the_index_is_read_ahead_where_it_names_its_tracks_itself(tmp_path: Path) -> None:
    made = tmp_path / "a.mp4"
    run_ffmpeg([*PICTURE, *TONE, *SMALL, str(made)])
    ahead = read_tracks_ahead(made)
    assert (ahead.video, ahead.audio) == (frozenset({1}), frozenset({2}))
    assert ahead.tracks == read_tracks(made, {1}, {2})
    with pytest.raises(BadBoxes, match="hdlr"):
        read_tracks_ahead(film(tmp_path))


def test_an_index_costs_as_much_as_it_is_long(tmp_path: Path) -> None:
    paths = {count: film_of(count, tmp_path / str(count)) for count in (20_000, 80_000)}
    assert growth(lambda count: read_tracks(paths[count], {1}, ()), 20_000) < MOST
