"""What a player of a chaos run knows of an asset from its playlists: each track's files, and when they begin."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import m3u8

from tests.chaos.customers import Sent

INIT = -1


@dataclass(frozen=True, slots=True)
class Promise:
    """A file of a track (number -1: the init segment), where it begins and how long it is by the playlist."""

    number: int
    url: str
    began_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def path(self) -> str:
        """Without the token: the same for all who watch."""
        return urlsplit(self.url).path.split("/", 3)[3]


@dataclass(frozen=True, slots=True)
class Track:
    """A media playlist. `size` is None for sound."""

    name: str
    size: tuple[int, int] | None
    init: Promise
    segments: tuple[Promise, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody's place before an asset. The addresses are good until `expires_at` (of the wall clock), or an act of the
    owner's. `asked_at` and `learned_at` are of the monotonic clock: when the addresses were asked for, and were there.
    """

    sent: Sent
    asked_at: float
    learned_at: float
    expires_at: float
    tracks: tuple[Track, ...]
    opened: bool

    def may_be_refused(self) -> bool:
        """True when the addresses need not be good any more."""
        if self.sent.deleted or self.sent.state in ("failed", "rejected") or time.time() > self.expires_at - 1:
            return True
        return any(bar.acked_at is None or bar.acked_at > self.asked_at for bar in self.sent.bars)

    def is_barred(self, asked_at: float) -> bool:
        """True when the owner had been told, before that request, that these addresses are good no more."""
        return any(
            bar.begun_at > self.learned_at and bar.acked_at is not None and bar.acked_at < asked_at
            for bar in self.sent.bars
        )


def taken(sent: Sent, asked_at: float, expires_at: float, master_url: str, text: Callable[[str], str]) -> Seat:
    """A seat, from the multivariant playlist at that address. `text` fetches a playlist."""
    master = m3u8.loads(text(master_url))
    variants = {each.uri: each.stream_info.resolution for each in master.playlists}
    sounds = dict.fromkeys(medium.uri for medium in master.media if medium.uri and medium.type == "AUDIO")
    tracks = [_track(urljoin(master_url, uri), size, text) for uri, size in (variants | sounds).items()]
    return Seat(sent, asked_at, time.monotonic(), expires_at, tuple(tracks), "/open." in master_url)


def _track(url: str, size: tuple[int, int] | None, text: Callable[[str], str]) -> Track:
    media, at, segments = m3u8.loads(text(url)), 0.0, []
    for number, segment in enumerate(media.segments):
        segments.append(Promise(number, urljoin(url, segment.uri), at, segment.duration))
        at += segment.duration
    init = Promise(INIT, urljoin(url, media.segment_map[0].uri))
    return Track(init.path.split("/")[-2], size, init, tuple(segments))
