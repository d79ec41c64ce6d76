"""What somebody gets of a presentation by its addresses: checked against the standards, jumped about in, counted."""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import m3u8
import requests

from mediaflow_ffmpeg.jobs import FRAME_SAMPLES
from tests.corpus import ROOT

MOST_REFUSALS: Final = 10


def hls_checker() -> Path | None:
    """A program that takes `--strict --quiet` and a multivariant playlist's address, and answers in JSON with `checks`
    (id, level, ok, where, detail): `MEDIAFLOW_CHECK_HLS`, or that beside the corpus, or None.
    """
    named = os.environ.get("MEDIAFLOW_CHECK_HLS")
    program = Path(named) if named else ROOT.parent / "shared" / "tools" / "check_hls.py"
    if named and not program.exists():
        raise FileNotFoundError(f"MEDIAFLOW_CHECK_HLS={named}: there is no such program")
    return program if program.exists() else None


def failures(program: Path, address: str) -> list[dict[str, str]]:
    """The checks that a presentation does not pass."""
    argv = [sys.executable, str(program), address, "--strict", "--quiet"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode in (0, 1), f"{done.stdout[-500:]}{done.stderr[-500:]}"
    found: list[dict[str, str]] = json.loads(done.stdout)["checks"]
    return found


@dataclass(frozen=True)
class Answer:
    """To a GET: the seconds are those to its end, the digest that of its body. `refusals` say how often it was asked
    again since it was answered with 503.
    """

    status: int
    seconds: float
    etag: str
    digest: str
    refusals: int


def get(address: str) -> Answer:
    refusals = 0
    while True:
        began = time.monotonic()
        answer = requests.get(address, timeout=60)
        if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE or refusals == MOST_REFUSALS:
            break
        refusals += 1
        time.sleep(float(answer.headers["Retry-After"]))
    digest = hashlib.sha256(answer.content).hexdigest()
    etag = answer.headers.get("ETag", "")
    return Answer(answer.status_code, time.monotonic() - began, etag, digest, refusals)


def jumped_about(address: str, seed: int, only: Iterable[str] | None = None) -> dict[str, Answer]:
    """Answers for the media playlists of a multivariant playlist (or `only` some of them) and for all that they name:
    segments in no order, as by seeking.
    """
    found = {uri: get(uri) for uri in only or media_playlists(address)}
    names = [name for uri in found for name in media_files(uri)]
    random.Random(seed).shuffle(names)
    return found | {name: get(name) for name in names}


def media_playlists(address: str) -> dict[str, float | None]:
    """The addresses of all media playlists with their frame rates; None for sound."""
    master = _playlist(address)
    video = {variant.absolute_uri: variant.stream_info.frame_rate for variant in master.playlists}
    return video | {media.absolute_uri: None for media in master.media if media.uri and media.type == "AUDIO"}


def _playlist(address: str) -> m3u8.M3U8:
    answer = requests.get(address, timeout=30)
    answer.raise_for_status()
    return m3u8.loads(answer.text, uri=address)


def media_files(address: str) -> list[str]:
    """The addresses of the init segment and the segments of a media playlist."""
    media = _playlist(address)
    return [part.absolute_uri for part in (*media.segment_map, *media.segments)]


def lengths(address: str) -> list[float]:
    """Seconds of each segment of a media playlist."""
    return [segment.duration or 0.0 for segment in _playlist(address).segments]


def frames(address: str, frame_rate: float | None) -> tuple[int, int]:
    """How many frames a media playlist's lengths promise, and how many decode; of sound those of 1024 samples, with the
    one that is the encoder's delay.
    """
    argv = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames,sample_rate"]
    done = subprocess.run([*argv, "-of", "json", address], capture_output=True, text=True, timeout=300, check=True)
    assert not done.stderr, done.stderr[-500:]
    (stream,) = json.loads(done.stdout)["streams"]
    seconds = sum(lengths(address))
    if frame_rate is None:
        promised = math.ceil(seconds * int(stream["sample_rate"]) / FRAME_SAMPLES - 0.01)
    else:
        promised = round(seconds * frame_rate)
    return promised, int(stream["nb_read_frames"])
