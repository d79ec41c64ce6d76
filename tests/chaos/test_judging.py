"""Those who judge what viewers are sent let nothing pass that is cut, foreign, or of another moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mediaflow.testing.clips import run_ffmpeg
from tests.chaos.customers import Bar, Sent
from tests.chaos.films import HEIGHT, WIDTH, heard, make_film, wrong_tones
from tests.chaos.judging import Judge
from tests.chaos.seats import INIT, Promise, Seat, Track

SECONDS = 3
FILES = ("init.mp4", "00000.m4s", "00001.m4s", "00002.m4s")
MOVFLAGS = "movflags=+frag_discont+frag_custom+dash+delay_moov+default_base_moof"


def made(directory: Path, number: int, scale: str = "iw") -> list[bytes]:
    """The init segment and the segments of a film's picture; the film lies beside them."""
    directory.mkdir()
    film = make_film(directory / "film.mp4", number, SECONDS)
    picture = [
        "-map",
        "0:v",
        "-vf",
        f"scale={scale}:-2",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "25",
        "-bf",
        "0",
    ]
    hls = [
        *("-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"),
        *("-hls_segment_options", MOVFLAGS, "-output_ts_offset", "1", "-hls_fmp4_init_filename", "init.mp4"),
        *("-hls_segment_filename", str(directory / "%05d.m4s")),
    ]
    run_ffmpeg(["-i", str(film), *picture, *hls, str(directory / "index.m3u8")])
    return [(directory / name).read_bytes() for name in FILES]


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> list[list[bytes]]:
    directory = tmp_path_factory.mktemp("films")
    return [made(directory / "5", 5), made(directory / "6", 6), made(directory / "5s", 5, "256")]


def seat() -> Seat:
    url = "http://127.0.0.1/stream/token/asset/g1/tracks/288p/"
    init = Promise(INIT, f"{url}init.mp4")
    segments = tuple(Promise(number, f"{url}{number:05d}.m4s", number, 1.0) for number in range(SECONDS))
    sent = Sent("title", "asset", "", 0.0, film=5)
    return Seat(sent, 10.0, 11.0, 4e9, (Track("288p", (WIDTH, HEIGHT), init, segments),), opened=True)


def judged(directory: Path, init: bytes, segments: list[tuple[int, str, bytes]]) -> list[str]:
    """The faults of such answers: number of the address, ETag, body."""
    judge, (track,) = Judge(directory), seat().tracks
    judge.take(seat(), track, track.init, "i", init)
    for number, etag, body in segments:
        judge.take(seat(), track, track.segments[number], etag, body)
    judge.look()
    return judge.faults


def test_what_is_right_passes_whole_and_in_any_order(bodies: list[list[bytes]], tmp_path: Path) -> None:
    init, *segments = bodies[0]
    assert judged(tmp_path, init, [(2, "c", segments[2]), (0, "a", segments[0]), (2, "c", segments[2])]) == []
    # evicted, and made again by another encoder
    assert judged(tmp_path, init, [(1, "b", segments[1]), (1, "b2", segments[1])]) == []


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        ("is no segment", lambda b: [(1, "b", b[0][2][:-1])]),
        ("is no segment", lambda b: [(1, "b", b"")]),
        ("is no segment", lambda b: [(1, "b", b[0][0])]),
        ("is at 2.000 s", lambda b: [(1, "b", b[0][3])]),
        ("shows ['(6, 1)'], not (5, 1)", lambda b: [(1, "b", b[1][2])]),
        ("and other bytes", lambda b: [(1, "b", b[0][2]), (1, "b", b[1][2])]),
        ("does not decode", lambda b: [(1, "b", b[2][2])]),
    ],
)
def test_what_is_cut_or_foreign_or_of_another_moment_is_found(
    said: str,
    answers: Callable[[list[list[bytes]]], list[tuple[int, str, bytes]]],
    bodies: list[list[bytes]],
    tmp_path: Path,
) -> None:
    faults = judged(tmp_path, bodies[0][0], answers(bodies))
    assert any(said in fault for fault in faults), faults


def test_an_init_segment_of_another_size_and_a_wrong_part_are_found(bodies: list[list[bytes]], tmp_path: Path) -> None:
    (fault,) = judged(tmp_path, bodies[2][0], [])
    assert "the playlist says (512, 288)" in fault
    judge, (track,) = Judge(tmp_path), seat().tracks
    judge.take(seat(), track, track.init, "i", bodies[0][0])
    judge.take(seat(), track, track.segments[0], "a", bodies[0][1])
    judge.part(track.segments[0], "a", 100, bodies[0][1][100:300])
    assert not judge.faults
    judge.part(track.segments[0], "a", 101, bodies[0][1][100:300])
    assert len(judge.faults) == 1


def test_a_film_sounds_as_itself_alone(tmp_path: Path) -> None:
    samples, said = heard(make_film(tmp_path / "film.mp4", 5, SECONDS).read_bytes())
    assert not said
    assert wrong_tones(samples, 5, 0.0) == []
    assert len(wrong_tones(samples, 6, 0.0)) == SECONDS
    assert len(wrong_tones(samples, 5, 1.0)) == SECONDS


def test_addresses_are_good_until_the_owner_was_told_that_they_are_not() -> None:
    here = seat()
    assert not here.may_be_refused()
    assert not here.is_barred(asked_at=99.0)
    here.sent.bars.append(Bar(begun_at=20.0))  # on its way
    assert here.may_be_refused()
    assert not here.is_barred(asked_at=99.0)
    here.sent.bars[0].acked_at = 30.0
    assert here.may_be_refused()
    assert not here.is_barred(asked_at=29.0)
    assert here.is_barred(asked_at=31.0)
    later = replace(here, asked_at=40.0, learned_at=41.0)  # who began after it
    assert not later.may_be_refused()
    assert not later.is_barred(asked_at=50.0)
