"""Changes against looks, and the account of both: what an answer may say that began after a change was acknowledged.

Each asset has one writer, so that its states have an order. A look that begins when state `a` is acknowledged and ends
when the change to state `b` has begun may show any state from `a` to `b`, and none before `a`.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mediaflow.domain.ids import new_id


class Door(Protocol):
    """One web process, as one thread uses it."""

    def call(
        self, method: str, path: str, user: str | None = None, document: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        """One request; its status, and its body when that is JSON."""
        ...


@dataclass(frozen=True)
class State:
    """What is so of an asset. `epoch` grows with each change of who may watch."""

    title: str
    visibility: str
    deleted: bool
    shared: bool
    epoch: int = 0

    def shown(self) -> tuple[str, str]:
        return self.title, self.visibility


@dataclass
class Subject:
    """An asset with all its states. `acknowledged` and `begun` are indexes of them."""

    id: str
    states: list[State]
    acknowledged: int = 0
    begun: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, state: State) -> None:
        with self.lock:
            self.states.append(state)
            self.begun += 1

    def acknowledge(self) -> None:
        with self.lock:
            self.acknowledged = self.begun


@dataclass(frozen=True)
class Ticket:
    """A stream path, with the states in which it may have been made."""

    path: str
    first: int
    last: int


@dataclass
class Ledger:
    """What was seen. Every entry of `wrong` is an answer that may not be."""

    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, *, right: bool, overlapped: bool, story: Callable[[], str]) -> None:
        with self.lock:
            self.seen[kind] += 1
            self.seen["overlapping"] += overlapped
            if not right:
                self.wrong.append(story())


@dataclass
class Viewer:
    """Looks at assets in every way, and judges each answer."""

    ledger: Ledger
    tickets: dict[str, Ticket] = field(default_factory=dict)

    def look(self, door: Door, subject: Subject, kind: str) -> None:
        """One look of that kind: `owner`, `friend`, `stranger` or `stream`."""
        ticket = self.tickets.get(subject.id)
        if kind == "stream" and ticket is None:
            kind = "owner_plays"
        first = subject.acknowledged
        status, body = self._ask(door, subject, kind, ticket)
        last = subject.begun
        states = subject.states[first : last + 1]
        if kind == "stream":
            assert ticket is not None
            right = _stream_may_be(status, subject.states, ticket, first, last)
        else:
            right = any(_is_answer(kind, state, status, body) for state in states)
        if kind == "owner_plays" and status == 200 and body["hls_url"]:
            path = body["hls_url"][body["hls_url"].index("/stream/") :]
            self.tickets[subject.id] = Ticket(path, first, last)
        self.ledger.note(
            kind,
            right=right,
            overlapped=last > first,
            story=lambda: f"{kind} got {status} {body!r:.300} when only {states} were so ({ticket})",
        )

    def _ask(self, door: Door, subject: Subject, kind: str, ticket: Ticket | None) -> tuple[int, Any]:
        path = f"/api/v1/assets/{subject.id}"
        match kind:
            case "owner":
                return door.call("GET", path, "ann")
            case "friend":
                return door.call("GET", path, "bob")
            case "stranger":
                return door.call("POST", f"{path}/playback")
            case "owner_plays":
                return door.call("POST", f"{path}/playback", "ann")
            case _:
                assert ticket is not None
                return door.call("GET", ticket.path)


KINDS = ("owner", "owner", "friend", "stranger", "owner_plays", "stream", "stream")


def _is_answer(kind: str, state: State, status: int, body: Any) -> bool:
    allowed = {
        "owner": True,
        "owner_plays": True,
        "friend": state.shared or state.visibility != "private",
        "stranger": state.visibility != "private",
    }[kind]
    if state.deleted or not allowed:
        return status == 404
    if kind in ("stranger", "owner_plays"):
        return status == 200
    return status == 200 and (body["title"], body["visibility"]) == state.shown()


def _stream_may_be(status: int, states: Sequence[State], ticket: Ticket, first: int, last: int) -> bool:
    """Allowed when one of the states in which the ticket was made has the epoch of one that may be so now."""
    made = {state.epoch for state in states[ticket.first : ticket.last + 1] if not state.deleted}
    now = states[first : last + 1]
    may_play = any(state.epoch in made and not state.deleted for state in now)
    may_be_refused = len(made) > 1 or any(state.epoch not in made or state.deleted for state in now)
    return may_play if status == 200 else status == 404 and may_be_refused


@dataclass
class Writer:
    """Changes one asset, through one process after the other, and looks at once through the other one."""

    subject: Subject
    viewer: Viewer
    chance: random.Random

    def change(self, door: Door, other: Door) -> None:
        """One change, acknowledged, and two looks that begin afterwards."""
        old = self.subject.states[-1]
        new, act = self._choice(old)
        self.subject.begin(new)
        act(door)
        self.subject.acknowledge()
        for kind in ("stream", self.chance.choice(KINDS)):
            self.viewer.look(other, self.subject, kind)

    def _choice(self, old: State) -> tuple[State, Callable[[Door], None]]:
        path = f"/api/v1/assets/{self.subject.id}"
        if old.deleted:
            return replace(old, deleted=False, epoch=old.epoch + 1), _call("POST", f"{path}/restore", 200)
        kind = self.chance.choice(("visibility", "visibility", "title", "share", "delete", "revoke"))
        if kind == "delete":
            return replace(old, deleted=True, epoch=old.epoch + 1), _call("DELETE", path, 204)
        if kind == "share":
            # one viewer more ends nobody's token
            new = replace(old, shared=not old.shared, epoch=old.epoch + old.shared)
            return new, _call("PUT", f"{path}/shares", 200, {"users": ["bob"] if new.shared else []})
        if kind == "revoke":
            return replace(old, epoch=old.epoch + 1), _call("POST", f"{path}/revoke-playback", 204)
        if kind == "title":
            title = f"Title {new_id()}"
            return replace(old, title=title), _call("PATCH", path, 200, {"title": title})
        visibility = "public" if old.visibility == "private" else "private"
        new = replace(old, visibility=visibility, epoch=old.epoch + 1)
        return new, _call("PATCH", path, 200, {"visibility": visibility})


def _call(method: str, path: str, expected: int, document: dict[str, Any] | None = None) -> Callable[[Door], None]:
    def act(door: Door) -> None:
        status, body = door.call(method, path, "ann", document)
        assert status == expected, (method, path, status, body)

    return act


def race(
    subjects: Sequence[Subject],
    doors: Callable[[], Sequence[Door]],
    *,
    changes: int,
    readers: int,
    seed: int,
) -> Ledger:
    """`changes` changes by one writer for each subject, while `readers` threads look at all of them."""
    ledger, done, troubles = Ledger(), threading.Event(), []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            troubles.append(error)
            done.set()

    def write(number: int) -> None:
        chance, mine = random.Random(seed + number), doors()
        writer = Writer(subjects[number], Viewer(ledger), chance)
        writer.viewer.look(mine[0], writer.subject, "owner_plays")
        for turn in range(changes // len(subjects)):
            if done.is_set():
                return
            writer.change(mine[turn % 2], mine[(turn + 1) % 2])

    def read(number: int) -> None:
        chance, mine, viewer = random.Random(seed - 1 - number), doors(), Viewer(ledger)
        while not done.is_set():
            viewer.look(chance.choice(mine), chance.choice(subjects), chance.choice(KINDS))

    def thread(work: Callable[[int], None], number: int) -> threading.Thread:
        started = threading.Thread(target=guarded, args=(lambda: work(number),), daemon=True)
        started.start()
        return started

    looking = [thread(read, number) for number in range(readers)]
    writing = [thread(write, number) for number in range(len(subjects))]
    for each in writing:
        each.join()
    done.set()
    for each in looking:
        each.join()
    if troubles:
        raise troubles[0]
    return ledger
