"""Viewers of a chaos run: they begin as soon as a video is playable, at any place, and go on while it changes.

What they are sent is judged byte by byte (`judging.py`). That nobody answers is no fault, nor is a refusal that says
when to come again; a wrong answer is one.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import requests

from tests.chaos.customers import Customers, Sent
from tests.chaos.judging import Judge
from tests.chaos.seats import INIT, Promise, Seat, Track, taken

VIEWERS: Final = 5
HOT_SECONDS: Final = 30.0
HOT: Final = 2
"""So many films are watched for so long; the others have time to be forgotten."""
LATER: Final = (429, 502, 503, 504)
WAITED_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 60.0
LOOKED_AT: Final = 3
"""So many segments of each track are asked for when nothing goes wrong any more."""


class Away(Exception):
    """There was no answer, or one that says to come again."""


@dataclass
class Viewers:
    """Watch what customers sent while it is made, and later. `faults` are what nobody may ever get, as sentences."""

    customers: Customers
    judge: Judge
    seed: int = 0
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Answers by kind; how often somebody began, and early."""
    _watching: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)
    _early: dict[str, Seat] = field(default_factory=dict)

    def start(self) -> None:
        self._watching.set()
        self._threads = [threading.Thread(target=self._watch_on, args=(n,), daemon=True) for n in range(VIEWERS)]
        for thread in self._threads:
            thread.start()

    def halt(self) -> None:
        """Watch no further film."""
        self._watching.clear()

    def go_on(self) -> None:
        self._watching.set()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def early(self) -> int:
        """So many assets were watched before they were ready."""
        return len(self._early)

    # --- at the end

    def check(self, sent: Sent) -> list[str]:
        """What is wrong with an asset that is ready, when nothing goes wrong any more: whatever is promised is made for
        who asks for it, and who began early goes on.
        """
        rng, me = random.Random(sent.asset_id), requests.Session()
        early = self._early.get(sent.asset_id)
        try:
            now = self._patiently(partial(self._begun, me, sent))
            for seat in (now,) if early is None else (early, now):
                here = [seat]
                for track in seat.tracks:
                    some = rng.sample(track.segments, min(LOOKED_AT, len(track.segments)))
                    for promise in (track.init, *some):
                        act = self._as_promised if seat is now else self._goes_on
                        self._patiently(partial(act, me, here, track, promise))
        except Away as error:
            return [f"{sent.asset_id}: {error} in {PATIENCE_SECONDS:.0f} s"]
        return []

    def _as_promised(self, me: requests.Session, here: list[Seat], track: Track, promise: Promise) -> None:
        """Ask for a file, from a place taken anew when the one that is there is good no more."""
        if here[0].may_be_refused():
            here[0] = self._begun(me, here[0].sent) or here[0]
        (track,) = (each for each in here[0].tracks if each.name == track.name)
        promise = track.init if promise.number == INIT else track.segments[promise.number]
        self._fetch(me, here[0], track, promise)

    def _goes_on(self, me: requests.Session, here: list[Seat], track: Track, promise: Promise) -> None:
        """Ask for a file as long as the place is good."""
        if not here[0].may_be_refused():
            self._fetch(me, here[0], track, promise)

    def _patiently(self, act: Any) -> Any:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return act()
            except Away:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    # --- watching

    def _watch_on(self, number: int) -> None:
        rng, seats = random.Random(f"{self.seed}/viewer{number}"), list[Seat]()
        me = requests.Session()
        while not self._ended.is_set():
            if not self._watching.wait(0.5):
                continue
            # who was refused tries once more, now and then
            seats = [seat for seat in seats if not seat.may_be_refused() or rng.random() < 0.5]
            try:
                seat = rng.choice(seats) if seats and rng.random() < 0.3 else self._chosen(me, rng)
                if seat is not None:
                    seats = [*seats, seat][-3:]
                    self._film(me, rng, seat)
            except Away:
                pass
            time.sleep(rng.uniform(0.05, 0.5))

    def _chosen(self, me: requests.Session, rng: random.Random) -> Seat | None:
        """Somebody begins: with what is being made, or with what is watched in these minutes."""
        waiting = self.customers.waiting()[:4]
        ready = [sent for sent in list(self.customers.sent.values()) if sent.state == "ready" and not sent.deleted]
        films = [sent for sent in ready if sent.film is not None]
        hot = random.Random(int(time.monotonic() / HOT_SECONDS)).sample(films, min(HOT, len(films)))
        if waiting and (not hot or rng.random() < 0.5):
            return self._begun(me, rng.choice(waiting), wait=False)
        return self._begun(me, rng.choice(hot)) if hot else None

    def _film(self, me: requests.Session, rng: random.Random, seat: Seat) -> None:
        """Watch from somewhere on, perhaps seek, perhaps hang up."""
        video = [track for track in seat.tracks if track.size is not None]
        tracks = [rng.choice(video), *rng.sample([t for t in seat.tracks if t.size is None], 1)]
        for track in tracks:
            self._fetch(me, seat, track, track.init)
        place = rng.choice((0.0, 0.25, 0.5, 0.75, rng.random()))  # mostly where others begin, too
        for _ in range(rng.choice((1, 3, 6))):
            for track in tracks:
                number = int(place * len(track.segments)) % len(track.segments)
                hangs_up = rng.random() < 0.05
                self._fetch(me, seat, track, track.segments[number], rng, seconds=0.2 if hangs_up else 20.0)
            place = rng.random() if rng.random() < 0.15 else place + 1 / len(tracks[0].segments)
            time.sleep(rng.choice((0.0, 0.1, 0.5)))

    def _begun(self, me: requests.Session, sent: Sent, *, wait: bool = True) -> Seat | None:
        """A place before the asset, None when it does not play (yet); with `wait` that is to come again."""
        asked_at = time.monotonic()
        answer = self._answer(me, "POST", f"{self.customers.url}/api/v1/assets/{sent.asset_id}/playback", owner=True)
        if answer.status_code != 200 or not answer.json()["hls_url"]:
            if wait:
                raise Away(f"playback is answered with {answer.status_code}")
            return None
        played = answer.json()
        seat = taken(sent, asked_at, _unix(played["token"]), played["hls_url"], lambda url: self._text(me, url))
        with self._lock:
            self.counts["begun"] += 1
            self.counts["begun early"] += seat.opened
            if seat.opened:
                self._early[sent.asset_id] = seat
        return seat

    def _text(self, me: requests.Session, url: str) -> str:
        answer = self._answer(me, "GET", url)
        if answer.status_code != 200:
            raise Away(f"{url} is answered with {answer.status_code}")
        return answer.text

    def _answer(
        self, me: requests.Session, method: str, url: str, *, owner: bool = False, seconds: float = 20.0, **more: Any
    ) -> requests.Response:
        """Away for no answer, and for a refusal."""
        headers = more.pop("headers", {}) | ({"Authorization": f"Bearer {self.customers.token}"} if owner else {})
        try:
            answer = me.request(method, url, headers=headers, timeout=seconds, **more)
        except requests.RequestException as error:
            self._count("hung up" if seconds < 1 else "no answer")
            raise Away(f"{url}: {error!r}") from error
        if answer.status_code in LATER:
            self._count(f"{answer.status_code}")
            if answer.status_code in (429, 503) and "Retry-After" not in answer.headers:
                self.faults.append(f"{url}: {answer.status_code} without Retry-After")
            raise Away(f"{url} is answered with {answer.status_code} {answer.text[:200]}")
        return answer

    def _fetch(
        self,
        me: requests.Session,
        seat: Seat,
        track: Track,
        promise: Promise,
        rng: random.Random | None = None,
        seconds: float = 20.0,
    ) -> None:
        """Ask for a file and have the answer judged. Away for all that is no answer."""
        headers, first = {}, 0
        etag = self.judge.etag(promise) if rng is not None and rng.random() < 0.1 else None
        if etag is not None and rng is not None:
            first = rng.randrange(500)
            headers = {"Range": f"bytes={first}-{first + 999}", "If-Range": etag}
        asked_at = time.monotonic()
        answer = self._answer(me, "GET", promise.url, seconds=seconds, headers=headers)
        waited = time.monotonic() - asked_at > WAITED_SECONDS
        self._count(f"{answer.status_code}" + (" after waiting" if waited else ""))
        if answer.status_code in (200, 206):
            self._judge(seat, track, promise, answer, first, asked_at)
        elif answer.status_code != 404:
            self.faults.append(f"{promise.url}: {answer.status_code} {answer.text[:200]}")
        else:
            if not seat.may_be_refused() and self._plays(me, seat):
                self.faults.append(f"{promise.url} (expires at {seat.expires_at}) is gone at {time.time():.1f}")
            raise Away(f"{promise.url} is gone")

    def _judge(
        self, seat: Seat, track: Track, promise: Promise, answer: requests.Response, first: int, asked_at: float
    ) -> None:
        if int(answer.headers.get("Content-Length", -1)) != len(answer.content):
            self.faults.append(f"{promise.url}: {len(answer.content)} bytes, {answer.headers}")
        elif seat.is_barred(asked_at):
            self.faults.append(f"{promise.url}: {answer.status_code} after its owner had ended that")
        elif answer.status_code == 206:
            self.judge.part(promise, answer.headers["ETag"], first, answer.content)
        else:
            self.judge.take(seat, track, promise, answer.headers["ETag"], answer.content)

    def _plays(self, me: requests.Session, seat: Seat) -> bool:
        """Whether the asset is to be watched, by its own word; Away when it can't be asked."""
        url = f"{self.customers.url}/api/v1/assets/{seat.sent.asset_id}"
        asset = self._answer(me, "GET", url, owner=True)
        return (
            asset.status_code == 200 and asset.json()["state"] in ("processing", "ready") and not seat.may_be_refused()
        )

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1


def _unix(token: str) -> float:
    """When a stream token ends."""
    return float(int(token.partition("-")[0], 16))
