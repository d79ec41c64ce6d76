"""Owners of a chaos run: they change what is watched at this very moment."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from tests.chaos.customers import ANNOUNCE_SECONDS, FILM_PROFILE, Bar, Customers, GaveUp, Sent

EVERY_SECONDS: Final = 4.0
ACTS: Final = ("hide", "show", "again", "again", "trash")


@dataclass
class Owners:
    """Make films private and public, have them processed again, delete and restore them. `done` counts what was
    acknowledged.
    """

    customers: Customers
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    _acting: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _idle: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._act_on, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        self._acting.set()

    def halt(self) -> None:
        """Begin no further act; returns when none is on its way."""
        self._acting.clear()
        self._idle.wait(4 * ANNOUNCE_SECONDS)

    def end(self) -> None:
        self.halt()
        self._ended.set()
        if self._thread is not None:
            self._thread.join(10)

    def _act_on(self) -> None:
        rng, me = random.Random(f"{self.seed}/owner"), requests.Session()
        while not self._ended.is_set():
            self._idle.set()
            self._acting.wait(1)
            time.sleep(rng.uniform(0, 2 * EVERY_SECONDS) if self._acting.is_set() else 0.1)
            films = [s for s in list(self.customers.sent.values()) if s.film is not None and not s.deleted]
            self._idle.clear()
            if films and self._acting.is_set():
                what = rng.choice(ACTS)
                ready = [sent for sent in films if sent.state == "ready"]
                try:
                    self.done[what] += self._act(me, rng.choice(ready or films), what)
                except GaveUp:
                    self.done["unanswered"] += 1

    def _act(self, me: requests.Session, sent: Sent, what: str) -> bool:
        if what in ("hide", "show"):
            visibility = "private" if what == "hide" else "public"
            with_bar = self._barring(sent, self._asset(me, sent).get("visibility") != visibility)
            done = self._call(me, "PATCH", sent, "", json={"visibility": visibility}).status_code == 200
            if with_bar is not None and done:
                with_bar.acked_at = time.monotonic()
            return done
        return self._again(me, sent) if what == "again" else self._trash(me, sent)

    def _barring(self, sent: Sent, ends: bool) -> Bar | None:
        """Note, before it is begun, an act that ends what was given out."""
        if not ends:
            return None
        bar = Bar(time.monotonic())
        sent.bars.append(bar)
        return bar

    def _again(self, me: requests.Session, sent: Sent) -> bool:
        if sent.state != "ready":
            return False
        sent.begun_again += 1
        sent.state, sent.terminal_at, sent.checked = "", 0.0, False
        return self._call(me, "POST", sent, "/reprocess", json={"profile": FILM_PROFILE}).status_code == 202

    def _trash(self, me: requests.Session, sent: Sent) -> bool:
        """Delete it and take that back: what was given out before is good no more. It is gone when that comes late."""
        bar = self._barring(sent, ends=True)
        sent.begun_again += 1  # restored, it goes on with what was not ended
        was, sent.deleted = sent.deleted, True
        deleted = self._call(me, "DELETE", sent, "").status_code == 204
        if bar is not None and deleted:
            bar.acked_at = time.monotonic()
        if not deleted or self._call(me, "POST", sent, "/restore").status_code != 200:
            return False
        sent.state, sent.terminal_at, sent.checked = "", 0.0, False
        sent.deleted = was
        return True

    def _asset(self, me: requests.Session, sent: Sent) -> dict[str, Any]:
        document: dict[str, Any] = self._call(me, "GET", sent, "").json()
        return document

    def _call(self, me: requests.Session, method: str, sent: Sent, path: str, **more: Any) -> requests.Response:
        url = f"/api/v1/assets/{sent.asset_id}{path}"
        return self.customers.until_answered(me, method, url, ANNOUNCE_SECONDS, **more)
