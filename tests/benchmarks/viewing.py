"""Viewers in the manner of hls.js: they choose among the sizes by what the last segments took, keep half a minute in
their buffer, and play in real time. What they get is counted, not decoded.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

import m3u8
import requests

from tests.integration.service import Service

BUFFER_SECONDS: Final = 30.0
FIRST_ESTIMATE_BPS: Final = 500_000.0
WORTH_UP: Final = 0.7
"""Of the estimate: so much may a larger size take than the one that plays."""
FIRST_BYTE_SECONDS: Final = 10.0
QUICK_SECONDS: Final = 0.1
"""Of waiting for the first byte that is not held against the network."""
STUCK_SECONDS: Final = 25.0


@dataclass(frozen=True)
class Size:
    """One of the multivariant playlist: its bit rate, and the addresses of its segments and of its sound's."""

    name: str
    bandwidth: int
    video: list[str]
    audio: list[str]
    segment_seconds: float


@dataclass
class Viewer:
    """Watches an asset from a share of it on, for so many seconds or to its end."""

    service: Service
    asset_id: str
    share: float
    watch_seconds: float
    first_seconds: float | None = None
    """Until it played."""
    played_seconds: float = 0.0
    stall_seconds: float = 0.0
    stalls: int = 0
    longest_stall: float = 0.0
    sizes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """What was asked for and not sent: its kind with the status, or `late` when no first byte came in time."""
    waits: list[float] = field(default_factory=list)
    """Seconds until the first byte of each segment of the picture."""
    error: str | None = None
    _estimate_bps: float = FIRST_ESTIMATE_BPS

    @property
    def is_stuck(self) -> bool:
        """True for who never played, stood still for long, or met an error."""
        return self.error is not None or self.first_seconds is None or self.longest_stall > STUCK_SECONDS

    def watch(self) -> None:
        """Until it is over; what ends it early is kept as the `error`."""
        try:
            self._watch(time.monotonic())
        except (requests.RequestException, AssertionError) as error:
            self.error = repr(error)[:200]

    def _watch(self, began: float) -> None:
        sizes = self.all_sizes()
        size, total = sizes[0], len(sizes[0].video)
        number = start = min(total - 1, int(self.share * total))
        seconds = size.segment_seconds
        played_from, held = 0.0, 0.0  # when the playhead was at the start; seconds of the presentation behind it
        while number < total and time.monotonic() - began < self.watch_seconds:
            size = self._chosen(sizes, size)
            while not self._load(size.video[number], "segment"):
                size = self._smaller(sizes, size, began)
            while size.audio and not self._load(size.audio[min(number, len(size.audio) - 1)], "sound"):
                size = self._smaller(sizes, size, began)
            now, number = time.monotonic(), number + 1
            self.sizes[size.name] += 1
            if self.first_seconds is None:
                self.first_seconds, played_from = now - began, now
            elif (late := now - played_from - held) > 0:
                self.stalls, self.stall_seconds = self.stalls + 1, self.stall_seconds + late
                self.longest_stall, played_from = max(self.longest_stall, late), played_from + late
            held = (number - start) * seconds
            time.sleep(max(0.0, played_from + held - BUFFER_SECONDS - time.monotonic()))
        if self.first_seconds is not None:
            self.played_seconds = min(held, time.monotonic() - played_from)

    def all_sizes(self) -> list[Size]:
        """What is offered, the smallest first."""
        address = self.service.playback(self.asset_id)["hls_url"]
        master = m3u8.loads(self._text(address, "multivariant"))
        sounds = {each.group_id: each.uri for each in master.media if each.type == "AUDIO" and each.uri}
        found = []
        for each in sorted(master.playlists, key=lambda playlist: playlist.stream_info.bandwidth):
            info = each.stream_info
            video, seconds = self._segments(urljoin(address, each.uri))
            audio = self._segments(urljoin(address, sounds[info.audio]))[0] if info.audio in sounds else []
            found.append(Size(f"{info.resolution[1]}p", info.bandwidth, video, audio, seconds))
        assert found, "there is nothing to choose from"
        return found

    def _segments(self, address: str) -> tuple[list[str], float]:
        playlist = m3u8.loads(self._text(address, "playlist"))
        return [urljoin(address, segment.uri) for segment in playlist.segments], playlist.segments[0].duration

    def _text(self, address: str, kind: str) -> str:
        while True:
            answer = requests.get(address, timeout=FIRST_BYTE_SECONDS)
            if answer.status_code == 200:
                return answer.text
            self._refusal(answer, kind)

    def _chosen(self, sizes: list[Size], size: Size) -> Size:
        """The largest size that the estimate carries."""
        more, same = WORTH_UP * self._estimate_bps, self._estimate_bps
        fits = [each for each in sizes if each.bandwidth <= (more if each.bandwidth > size.bandwidth else same)]
        return fits[-1] if fits else sizes[0]

    def _smaller(self, sizes: list[Size], size: Size, began: float) -> Size:
        """After a failure hls.js goes on with the next smaller size, and asks for the smallest again and again."""
        assert time.monotonic() - began < 2 * self.watch_seconds, "a segment never came"
        self._estimate_bps = min(self._estimate_bps / 2, size.bandwidth)
        return sizes[max(0, sizes.index(size) - 1)]

    def _load(self, address: str, kind: str) -> bool:
        """Load a segment; False when it was refused, or its first byte did not come in time."""
        asked = time.monotonic()
        try:
            with requests.get(address, timeout=FIRST_BYTE_SECONDS, stream=True) as answer:
                waited = time.monotonic() - asked
                if answer.status_code != 200:
                    self._refusal(answer, kind)
                    return False
                size = len(answer.content)
        except requests.Timeout:
            self.refused[f"{kind} late"] += 1
            return False
        if kind == "segment":
            self.waits.append(waited)
            took = time.monotonic() - asked - min(waited, QUICK_SECONDS)
            self._estimate_bps = 0.5 * self._estimate_bps + 0.5 * min(20e6, 8 * size / max(took, 0.001))
        return True

    def _refusal(self, answer: requests.Response, kind: str) -> None:
        self.refused[f"{kind} {answer.status_code}"] += 1
        assert answer.status_code == 503, f"{answer.status_code} {answer.text[:100]}"
        time.sleep(float(answer.headers["Retry-After"]))
