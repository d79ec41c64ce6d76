"""Downloads, put together while they are sent: a header that is made once, and behind it stored segments."""

from __future__ import annotations

import json
import struct
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import structlog

from mediaflow.domain.downloads import Download
from mediaflow.domain.errors import NotFound, Unavailable
from mediaflow.media.progressive import Read, Samples, TrackSamples, header, samples_of
from mediaflow.plugin import Storage
from mediaflow.plugin.wire import load

_log = structlog.get_logger(__name__)
HEADER: Final = ".head"
"""Beside what a download is put together of lies the beginning of the file, once somebody has fetched it."""
_KEPT: Final = 16
"""Downloads whose pieces are remembered: of two hours they take about a megabyte."""
_BROKEN: Final = (ValueError, LookupError, TypeError, AttributeError, struct.error, ExceptionGroup)
"""What reading a list or boxes ends with that are not as they were written."""
_MOST_WAITING: Final = 4
_AT_ONCE: Final = 8
"""Segments whose heads are read at the same time: a storage elsewhere takes milliseconds for each."""


class BeingMade(Unavailable):
    """More people want downloads that nobody has fetched before than threads may wait for them."""

    default_code = "download.being_made"
    retry_after_seconds = 3


@dataclass(frozen=True, slots=True)
class Pieces:
    """The objects whose bytes a download is, one behind the other; `ends` are the bytes up to each one's end."""

    objects: Sequence[str]
    ends: Sequence[int]

    @property
    def size_bytes(self) -> int:
        return self.ends[-1]

    def of_range(self, offset: int, length: int) -> Iterator[tuple[str, int, int]]:
        """Key, offset and length of what a range of the download is."""
        number, end = bisect_right(self.ends, offset), offset + length
        while offset < end:
            begin = self.ends[number - 1] if number else 0
            part = min(end, self.ends[number]) - offset
            yield self.objects[number], offset - begin, part
            offset, number = offset + part, number + 1


@dataclass(frozen=True, slots=True)
class Composing:
    """Of a download nothing is stored twice but its index, so that it costs as much to make as reading the heads of its
    segments: for two hours, some thousand small reads, once.
    """

    storage: Storage
    _known: OrderedDict[str, Pieces] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _making: threading.Lock = field(default_factory=threading.Lock)
    _waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_MOST_WAITING))

    def size_bytes(self, key: str, prefix: str) -> int:
        """Of the download whose description lies at that key, of the asset with that prefix. NotFound when something of
        it is gone.
        """
        return self._pieces(key, prefix).size_bytes

    def read(self, key: str, prefix: str, *, offset: int, length: int) -> Iterator[bytes]:
        """Part of it, in blocks of at most 1 MiB."""
        for part, begin, count in self._pieces(key, prefix).of_range(offset, length):
            yield from self.storage.read(part, offset=begin, length=count)

    def forget(self) -> None:
        """Of all of them, what is remembered in this process."""
        with self._lock:
            self._known.clear()

    def _pieces(self, key: str, prefix: str) -> Pieces:
        if (known := self._remembered(key)) is not None:
            return known
        with self._turn():
            if (known := self._remembered(key)) is not None:
                return known
            try:
                pieces = self._composed(key, prefix)
            except _BROKEN as error:
                _log.warning("a download can't be put together", key=key, detail=str(error))
                raise NotFound("Its segments are not as they were made.", code="asset.no_stream") from error
        with self._lock:
            self._known[key] = pieces
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return pieces

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One is made at a time: who asks for the same one meanwhile finds it made. Few wait, for each keeps a thread
        from all others.
        """
        if not self._waiting.acquire(blocking=False):
            raise BeingMade("Downloads are being put together just now; ask again in a few seconds.")
        try:
            with self._making:
                yield
        finally:
            self._waiting.release()

    def _remembered(self, key: str) -> Pieces | None:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _composed(self, key: str, prefix: str) -> Pieces:
        download = load(Download, json.loads(b"".join(self.storage.read(key))))
        found = self.storage.stat(key + HEADER)
        if found is None:
            data = self._header(download, prefix)
            self.storage.put(key + HEADER, [data], size_bytes=len(data), content_type="application/octet-stream")
        size = found.size_bytes if found is not None else len(data)
        segments = [download.tracks[track].segments[number] for track, number in download.order]
        objects = [key + HEADER, *(prefix + segment.path for segment in segments)]
        return Pieces(objects, list(accumulate([size, *(segment.size_bytes for segment in segments)])))

    def _header(self, download: Download, prefix: str) -> bytes:
        inits = [b"".join(self.storage.read(prefix + track.init)) for track in download.tracks]

        def look(place: tuple[int, int]) -> list[Samples]:
            track, number = place
            segment = download.tracks[track].segments[number]
            return samples_of(segment.size_bytes, self._reader(prefix + segment.path), inits[track])

        order = list(download.order)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            looked = list(pool.map(look, order))
        placed, at = [list[tuple[int, Sequence[Samples]]]() for _ in inits], 0
        for (track, number), samples in zip(order, looked, strict=True):
            placed[track].append((at, samples))
            at += download.tracks[track].segments[number].size_bytes
        tracks = [TrackSamples(init, segments) for init, segments in zip(inits, placed, strict=True)]
        return header(tracks, download.media_bytes, download.offset_seconds)

    def _reader(self, key: str) -> Read:
        def read(offset: int, length: int) -> bytes:
            return b"".join(self.storage.read(key, offset=offset, length=length))

        return read
