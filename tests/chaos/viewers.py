"""Viewers of a chaos run: they begin while a video is made, and what they saw once may never be another."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import m3u8
import requests

from tests.chaos.customers import Customers, Sent

LATER = (502, 503, 504)


@dataclass(slots=True)
class Early:
    """Somebody who began before all was made: the addresses of what they were promised, and what they got."""

    sent: Sent
    tracks: dict[str, list[str]]
    got: dict[str, str] = field(default_factory=dict)
    """SHA-256 by address."""


@dataclass
class Viewers:
    """Watch what customers sent while it is made. `faults` are what nobody may ever see, as sentences."""

    customers: Customers
    early: dict[str, Early] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch_on, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(30)

    def check(self, sent: Sent) -> list[str]:
        """What is wrong for who began early with an asset that is ready: all that was promised is there, as it was."""
        watched = self.early.get(sent.asset_id)
        if watched is None:
            return []
        try:
            for addresses in watched.tracks.values():
                for address in addresses:
                    self._fetch(watched, address, last=True)
        except requests.RequestException as error:
            return [f"{sent.asset_id}: who began early is not answered: {error!r}"]
        lost = [a for addresses in watched.tracks.values() for a in addresses if a not in watched.got]
        return [f"{sent.asset_id}: who began early lost {lost[0]} and {len(lost) - 1} more"] if lost else []

    def _watch_on(self) -> None:
        while not self._ended.is_set():
            for sent in self.customers.waiting()[:4]:
                try:
                    self._watch(sent)
                except (requests.RequestException, KeyError, ValueError):
                    continue  # the service is away
            time.sleep(0.1)

    def _watch(self, sent: Sent) -> None:
        """Begin when that is possible; then ask for one more segment of each track."""
        watched = self.early.get(sent.asset_id) or self._begun(sent)
        for addresses in () if watched is None else watched.tracks.values():
            for address in [each for each in addresses if watched and each not in watched.got][:1]:
                self._fetch(watched, address)

    def _begun(self, sent: Sent) -> Early | None:
        asset = self._asked("GET", sent, "")
        if asset is None or asset["state"] != "processing" or not asset["playable"]:
            return None
        played = self._asked("POST", sent, "/playback")
        if played is None or "/open." not in (played["hls_url"] or ""):
            return None
        master_url = played["hls_url"]
        master = m3u8.loads(requests.get(master_url, timeout=20).text)
        found = {}
        for uri in [*(each.uri for each in master.playlists), *(each.uri for each in master.media if each.uri)]:
            media_url = urljoin(master_url, uri)
            answer = requests.get(media_url, timeout=20)
            if answer.status_code != 200:
                return None
            media = m3u8.loads(answer.text)
            parts = [media.segment_map[0].uri, *(segment.uri for segment in media.segments)]
            found[uri] = [urljoin(media_url, part) for part in parts]
        if not found:
            return None
        watched = self.early[sent.asset_id] = Early(sent, found)
        return watched

    def _fetch(self, watched: Early | None, address: str, *, last: bool = False) -> None:
        if watched is None:
            return
        answer = requests.get(address, timeout=20)
        if answer.status_code == 200:
            digest = hashlib.sha256(answer.content).hexdigest()
            if watched.got.setdefault(address, digest) != digest:
                self.faults.append(f"{address} was watched, and has other bytes now")
        elif answer.status_code in LATER and not last:
            return
        elif last or answer.status_code != 404:  # 404: it failed or was deleted meanwhile
            self.faults.append(f"{address}: {answer.status_code} {answer.text[:200]}")

    def _asked(self, method: str, sent: Sent, path: str) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {self.customers.token}"}
        url = f"{self.customers.url}/api/v1/assets/{sent.asset_id}{path}"
        answer = requests.request(method, url, headers=headers, timeout=20)
        return answer.json() if answer.status_code == 200 else None
