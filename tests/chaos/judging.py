"""Each byte that viewers of a chaos run were sent, looked at: whole, of this asset, this track and this moment."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.media.boxes import BadBoxes, one, top_level, u32
from mediaflow.media.cmaf import InitSegment, MediaSegment, read_init, read_segment
from tests.chaos.films import HEARD_HZ, HEIGHT, RATE, WIDTH, heard, seen, wrong_tones
from tests.chaos.seats import INIT, Promise, Seat, Track

OFFSET_SECONDS: Final = 1
"""Times inside segments run so far ahead of the playlists'."""
OFF_SECONDS: Final = 0.03
"""A playlist tells milliseconds, and sound is cut at whole frames of 21 ms."""


@dataclass(frozen=True, slots=True)
class Got:
    """A file as somebody got it, kept at `file`."""

    film: int | None
    asset_id: str
    track: Track
    promise: Promise
    file: Path


@dataclass
class Judge:
    """`faults` are what nobody may be sent, as sentences. What pictures show and sound tells is judged by `look`."""

    directory: Path
    faults: list[str] = field(default_factory=list)
    judged: int = 0
    evicted: int = 0
    """So many segments came again as others, under another ETag."""
    looked_at: int = 0
    _known: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """SHA-256 by path and ETag."""
    _bodies: dict[tuple[str, str], Path] = field(default_factory=dict)
    _inits: dict[str, InitSegment] = field(default_factory=dict)
    _new: list[Got] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, seat: Seat, track: Track, promise: Promise, etag: str, body: bytes) -> bool:
        """Look at a whole answer of 200; True when it is well formed and as it was before."""
        digest = hashlib.sha256(body).hexdigest()
        with self._lock:
            self.judged += 1
            versions = self._known[promise.path]
            if (before := versions.setdefault(etag, digest)) != digest:
                return self._wrong(promise, f"has the ETag {etag} as before, and other bytes ({before} {digest})")
            if (promise.path, etag) in self._bodies:
                return True
            if len(versions) > 1:
                self.evicted += 1
                if promise.number == INIT or track.size != (WIDTH, HEIGHT):
                    return self._wrong(promise, f"is never evicted, and another one than before: {versions}")
            file = self.directory / f"{hashlib.sha256((promise.path + etag).encode()).hexdigest()}.mp4"
            file.write_bytes(body)
            self._bodies[promise.path, etag] = file
            got = Got(seat.sent.film, seat.sent.asset_id, track, promise, file)
            if (wrong := self._misfit(got)) is not None:
                return self._wrong(promise, wrong)
            self._new.append(got)
        return True

    def part(self, promise: Promise, etag: str, first: int, body: bytes) -> None:
        """Look at a range that was sent (206)."""
        with self._lock:
            file = self._bodies.get((promise.path, etag))
            if file is None or file.read_bytes()[first : first + len(body)] != body:
                self._wrong(promise, f"was sent in part from byte {first}, not of what has the ETag {etag}")

    def etag(self, promise: Promise) -> str | None:
        """One that the file had for somebody."""
        with self._lock:
            return next((etag for path, etag in self._bodies if path == promise.path), None)

    def _wrong(self, promise: Promise, how: str) -> bool:
        self.faults.append(f"{promise.path} {how}")
        return False

    # --- what a file says of itself

    def _misfit(self, got: Got) -> str | None:
        """What is wrong with a file by its boxes."""
        try:
            if got.promise.number == INIT:
                self._inits[got.promise.path] = init = read_init(got.file)
                size = (init.width, init.height) if init.kind == "video" else None
                return None if size == got.track.size else f"is of {size}, the playlist says {got.track.size}"
            init = self._inits[got.track.init.path]
            segment, sequence = read_segment(got.file, init), _sequence(got.file)
        except (TaskFailed, BadBoxes) as error:
            return f"is no segment: {error}"
        began = float(Fraction(segment.decode_time, init.timescale)) - OFFSET_SECONDS
        length = segment.duration / init.timescale
        if abs(began - got.promise.began_seconds) > OFF_SECONDS or abs(length - got.promise.seconds) > OFF_SECONDS:
            where = f"{got.promise.began_seconds:.3f} s for {got.promise.seconds:.3f} s"
            return f"is at {began:.3f} s for {length:.3f} s, the playlist says at {where}"
        if sequence != got.promise.number + 1:
            return f"has the sequence number {sequence}"
        return None

    # --- what is in it

    def look(self) -> None:
        """Decode all that came since the last look: a track at a time, one version of each segment at a time."""
        with self._lock:
            new, self._new = self._new, []
        tracks: dict[tuple[str, int], list[Got]] = defaultdict(list)
        versions: dict[str, int] = defaultdict(int)
        for got in sorted(new, key=lambda each: each.promise.number):
            if got.promise.number != INIT:
                versions[got.promise.path] += 1
                tracks[got.track.init.path, versions[got.promise.path]].append(got)
        for (init, _), every in tracks.items():
            self._look_at(init, every)
        self.looked_at += len(new)

    def _look_at(self, init_path: str, every: list[Got]) -> None:
        init = self._inits[init_path]
        begins = next(file.read_bytes() for (path, _), file in self._bodies.items() if path == init_path)
        whole = begins + b"".join(got.file.read_bytes() for got in every)
        segments = [read_segment(got.file, init) for got in every]
        wrong = _pictures(every, segments, whole) if init.kind == "video" else _sound(every, segments, init, whole)
        self.faults += [f"{init_path}: {sentence}" for sentence in wrong]


def _sequence(file: Path) -> int:
    """The sequence number of a segment's first fragment (ISO/IEC 14496-12, 8.8.5)."""
    moof = next(body for kind, body in top_level(file, keep=(b"moof",)) if kind == b"moof")
    return u32(one(memoryview(moof), b"mfhd"), 4)


def _pictures(every: list[Got], segments: list[MediaSegment], whole: bytes) -> list[str]:
    pictures, said = seen(whole)
    wrong = [f"it does not decode: {said[:300]}"] if said else []
    if len(pictures) != (count := sum(segment.sample_count for segment in segments)):
        return [*wrong, f"{len(pictures)} pictures are seen of {count}"]
    at = 0
    for got, segment in zip(every, segments, strict=True):
        shown = pictures[at : at + segment.sample_count]
        at += segment.sample_count
        first = round(got.promise.began_seconds * RATE)
        told = [(got.film, (first + n) // RATE) for n in range(segment.sample_count)]
        if got.film is not None and shown != told:
            wrong.append(f"segment {got.promise.number} shows {sorted(set(map(str, shown)))}, not {told[0]}")
    return wrong


def _sound(every: list[Got], segments: list[MediaSegment], init: InitSegment, whole: bytes) -> list[str]:
    samples, said = heard(whole)
    wrong, at = [f"it does not decode: {said[:300]}"] if said else [], 0
    for got, segment in zip(every, segments, strict=True):
        length = segment.duration * HEARD_HZ // init.timescale
        part, at = samples[at : at + length], at + length
        if got.film is not None:
            tones = wrong_tones(part, got.film, got.promise.began_seconds)
            wrong += [f"segment {got.promise.number}: {tone}" for tone in tones]
    return wrong
