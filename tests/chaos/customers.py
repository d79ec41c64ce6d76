"""Clients of a chaos run: they upload steadily, repeat what was not answered, and note what was acknowledged."""

from __future__ import annotations

import hashlib
import random
import secrets
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

TERMINAL: Final = ("ready", "failed", "rejected")
AGAIN: Final = (409, 429, 502, 503, 504, 507)
"""Statuses that say "come again": 409 only with a code that says so, 507 when somebody has made room."""
BUSY: Final = ("upload.chunk_busy", "request.idempotency_running")
ANNOUNCE_SECONDS: Final = 8.0
"""A client whose first request died does not wait for its key: it comes with a new one."""
PATIENCE_SECONDS: Final = 150.0
FILM_PROFILE: Final = "film"
FILM_SHARE: Final = 0.5
FILM_CHUNK_BYTES: Final = 256 * 1024
WATCHED: Final = 4
"""So many are asked for in turn: asking is not what the service is to be busy with."""


@dataclass(slots=True)
class Bar:
    """An act that ends all addresses that were given out, of the monotonic clock. `acked_at` is None until it was
    acknowledged.
    """

    begun_at: float
    acked_at: float | None = None


@dataclass(slots=True)
class Sent:
    """A file whose last byte was acknowledged. Times are of the monotonic clock. `film` is the number that it shows."""

    title: str
    asset_id: str
    sha256: str
    acknowledged_at: float
    film: int | None = None
    state: str = ""
    terminal_at: float = 0.0
    deleted: bool = False
    checked: bool = False
    bars: list[Bar] = field(default_factory=list)
    facts: tuple[Any, ...] = ()
    moved_at: float = 0.0
    """When anything was made of it last."""
    begun_again: int = 0
    """So many requests were sent that may have begun another generation."""


class GaveUp(Exception):
    """An answer did not come; the upload was not acknowledged."""


@dataclass
class Customers:
    """Uploads of several threads. `faults` are answers that nobody may ever give, as sentences."""

    url: str
    token: str
    clip: Path
    seed: int
    chunk_bytes: int
    backlog: int = 10
    deletes: float = 0.15
    films: Sequence[Path] = ()
    """Each is sent once, with a profile that makes its larger size on demand."""
    sent: dict[str, Sent] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    given_up: int = 0
    _halted: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)
    _films_sent: int = 0

    # --- life

    def start(self, count: int) -> None:
        bodies = [threading.Thread(target=self._upload_on, args=(n,), daemon=True) for n in range(count)]
        self._threads = [*bodies, threading.Thread(target=self._watch, daemon=True)]
        for thread in self._threads:
            thread.start()

    def halt(self) -> None:
        """Begin no further upload (what is on its way goes on)."""
        self._halted.set()

    def go_on(self) -> None:
        self._halted.clear()

    def end(self) -> None:
        self._halted.set()
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def waiting(self) -> list[Sent]:
        """What was acknowledged and is not terminal."""
        with self._lock:
            return [sent for sent in self.sent.values() if not sent.terminal_at]

    # --- requests

    def call(self, session: requests.Session, method: str, path: str, **options: Any) -> requests.Response:
        """One request; an answer that nobody may give is noted."""
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        answer = session.request(method, f"{self.url}{path}", headers=headers, timeout=20, **options)
        with self._lock:
            self.statuses[answer.status_code] += 1
        comes_again = answer.status_code in (429, 503)
        if answer.status_code == 500 or (comes_again and "Retry-After" not in answer.headers):
            self.faults.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def until_answered(
        self, session: requests.Session, method: str, path: str, seconds: float, **options: Any
    ) -> requests.Response:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                answer = self.call(session, method, path, **options)
            except requests.RequestException:
                time.sleep(0.2)
                continue
            if answer.status_code not in AGAIN:
                return answer
            if answer.status_code == 409 and answer.json().get("code") not in BUSY:
                return answer
            time.sleep(0.3)
        raise GaveUp(f"{method} {path}")

    # --- uploading

    def _upload_on(self, number: int) -> None:
        rng = random.Random(f"{self.seed}/{number}")
        session, last = requests.Session(), b""
        while not self._ended.is_set():
            if self._halted.is_set() or len(self.waiting()) >= self.backlog:
                time.sleep(0.05)
                continue
            film = self._film(rng)
            # now and then a file that is there already: its bytes are shared
            body = last if last and film is None and rng.random() < 0.1 else self._body(rng, film)
            last = body if film is None else last
            try:
                self._upload(session, body, film)
            except GaveUp:
                self.given_up += 1

    def _film(self, rng: random.Random) -> int | None:
        """The number of the next film, when it is to be one."""
        with self._lock:
            if self._films_sent >= len(self.films) or rng.random() > FILM_SHARE:
                return None
            self._films_sent += 1
            return self._films_sent - 1

    def _body(self, rng: random.Random, film: int | None) -> bytes:
        """A clip of which there is no other: noise in a box that players skip (ISO/IEC 14496-12, 8.1.2)."""
        noise = rng.randbytes(16)
        clip = (self.clip if film is None else self.films[film]).read_bytes()
        if film is None and rng.random() < 0.1:
            noise += bytes(self.chunk_bytes)  # of several chunks
        return clip + struct.pack(">I4s", 8 + len(noise), b"free") + noise

    def _upload(self, session: requests.Session, body: bytes, film: int | None) -> None:
        title = secrets.token_hex(8)
        document: dict[str, Any] = {
            "filename": "clip.mp4",
            "size_bytes": len(body),
            "chunk_size_bytes": self.chunk_bytes,
            "metadata": {"title": title},
        }
        if film is not None:
            document |= {"profile": FILM_PROFILE, "chunk_size_bytes": max(self.chunk_bytes, FILM_CHUNK_BYTES)}
        keyed = {"Idempotency-Key": title}
        answer = self.until_answered(session, "POST", "/api/v1/uploads", ANNOUNCE_SECONDS, json=document, headers=keyed)
        if answer.status_code != 201:
            self.faults.append(f"announced: {answer.status_code} {answer.text[:300]}")
            raise GaveUp(title)
        upload = answer.json()
        size, count = upload["chunk_size_bytes"], upload["chunk_count"]
        for index in range(count):
            path = f"/api/v1/uploads/{upload['upload_id']}/chunks/{index}"
            block = body[index * size : (index + 1) * size]
            answer = self.until_answered(session, "PUT", path, PATIENCE_SECONDS, data=block)
            if answer.status_code != 200:
                self.faults.append(f"chunk {index} of {upload}: {answer.status_code} {answer.text[:300]}")
                raise GaveUp(title)
        received = answer.json()["received_chunks"]
        if received != count:
            self.faults.append(f"{received} of {count} chunks of {upload['upload_id']} are received after the last")
        digest = hashlib.sha256(body).hexdigest()
        with self._lock:
            self.sent[upload["asset_id"]] = Sent(title, upload["asset_id"], digest, time.monotonic(), film)

    # --- watching

    def _watch(self) -> None:
        session, rng = requests.Session(), random.Random(f"{self.seed}/watch")
        while not self._ended.is_set():
            for sent in self.waiting()[:WATCHED]:
                try:
                    self._look(session, sent)
                    if sent.state == "ready" and rng.random() < self.deletes:
                        self._delete(session, sent)
                except requests.RequestException:
                    continue
            time.sleep(0.25)

    def _look(self, session: requests.Session, sent: Sent) -> None:
        deleted = sent.deleted
        answer = self.call(session, "GET", f"/api/v1/assets/{sent.asset_id}")
        if answer.status_code == 404 and (deleted or sent.deleted):
            if sent.deleted:
                sent.state, sent.terminal_at = "deleted", time.monotonic()
        elif answer.status_code == 404:
            self.faults.append(f"the asset {sent.asset_id} was acknowledged and is gone")
            sent.state, sent.terminal_at = "lost", time.monotonic()
        elif answer.status_code == 200:
            asset = answer.json()
            facts = asset["state"], asset["progress"], *(each["segments_ready"] for each in asset["renditions"])
            if facts != sent.facts:
                sent.facts, sent.moved_at = facts, time.monotonic()
            if asset["state"] in TERMINAL:
                sent.state, sent.terminal_at = asset["state"], time.monotonic()

    def _delete(self, session: requests.Session, sent: Sent) -> None:
        """Delete it. It is gone for viewers as soon as that is acknowledged."""
        sent.deleted = True
        bar = Bar(time.monotonic())
        sent.bars.append(bar)
        try:
            answer = self.until_answered(session, "DELETE", f"/api/v1/assets/{sent.asset_id}", ANNOUNCE_SECONDS)
            # 404: a repeat came after the purge
            if answer.status_code not in (204, 404):
                self.faults.append(f"deleting {sent.asset_id}: {answer.status_code} {answer.text[:300]}")
            bar.acked_at = time.monotonic()
            path = f"/api/v1/assets/{sent.asset_id}/playback"
            played = self.until_answered(session, "POST", path, ANNOUNCE_SECONDS)
        except GaveUp:
            return
        if played.status_code == 200:
            self.faults.append(f"the asset {sent.asset_id} was deleted and plays")
