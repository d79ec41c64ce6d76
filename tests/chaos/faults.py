"""What is done to a service: a seeded plan, carried out against whatever runs at the moment."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import redis

from tests.chaos.faultpoints import POINTS, Action, Visit, arm, disarm, fired
from tests.chaos.processes import all_processes, ancestors, kill, younger_than
from tests.chaos.shapes import Shape

ZOMBIE_SECONDS: Final = (33.0, 45.0)
"""A stopped process goes on after its lease (30 s) is over: before another has its task (it is looked for every 10 s),
or while that is at work."""
ARMED_SECONDS: Final = 15.0
"""A point that no process came to within this time is taken back."""
WEIGHTS: Final = {
    "point": 44,
    "worker": 6,
    "web": 4,
    "ffmpeg": 16,
    "step": 16,
    "step_master": 6,
    "sandbox": 8,
    "worker_master": 2,
    "web_master": 1,
    "master": 0.4,
    "queue_kill": 2,
    "queue_flush": 2,
    "queue_stop": 1.5,
}
PROCESSES: Final = {"ffmpeg": 30, "step": 20, "step_master": 8, "worker": 20, "web": 18, "sandbox": 4}
"""For runs in which nothing but processes is killed, at any moment."""
ROLES: Final = ("worker", "web", "ffmpeg", "step", "step_master", "sandbox", "worker_master", "web_master", "master")
STARTS_SLOWLY: Final = ("worker", "web", "worker_master", "web_master", "master")
YOUNG_SECONDS: Final = 10.0
"""These are mostly spared while they begin: on a slow machine nothing would ever be up and killed at its work."""
ZOMBIE_POINTS: Final = (
    "task.claimed",
    "step.made",
    "step.before_keep",
    "step.kept",
    "task.before_done",
    "package.written",
    "publish.before_cas",
    "publish.after_cas",
    "assembly.joined",
    "assembly.hashed",
    "blob.linked",
)
"""Where a process holds something when it stops."""
ARMED_AT_ONCE: Final = 8
WEB_SHARE: Final = 0.15
TRIES: Final = 8


@dataclass
class Faults:
    """Does the plan's next fault at each `step`. `done` counts, by kind, what has really happened."""

    shape: Shape
    seed: int
    zombies_at_once: int = 4
    weights: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)
    waits_seconds: float = 0.0
    """So long one waits for a process of the kind that is to be killed."""
    done: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    _armed: dict[str, float] = field(default_factory=dict)
    _stops: set[str] = field(default_factory=set)
    _stopped: dict[int, float] = field(default_factory=dict)
    _seen: set[Visit] = field(default_factory=set)
    _queue_goes_on: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    @property
    def kills(self) -> int:
        """Processes that were killed."""
        return sum(count for kind, count in self.done.items() if kind not in ("zombie", "queue_flush", "queue_stop"))

    # --- one fault

    def step(self, *, zombies: bool) -> None:
        """The next fault; with `zombies`, a process may be stopped past its lease."""
        self.look_after()
        if zombies and len(self._stopped) + len(self._stops) < self.zombies_at_once and self.rng.random() < 0.5:
            if self.rng.random() < 0.5:
                self._stop_worker()
            elif self._arm(name := self.rng.choice(ZOMBIE_POINTS), "stop"):
                self._stops.add(name)
            return
        # what can't be done at this moment (no ffmpeg runs) gives way to something else
        for _ in range(TRIES):
            kind = self.rng.choices(list(self.weights), list(self.weights.values()))[0]
            if kind == "point":
                acted = self._arm(self._point(), "kill")
            else:
                acted = self._kill(kind) if kind in ROLES else self._disturb_queue(kind)
            if acted:
                return

    def _point(self) -> str:
        """Mostly one of the workers': an upload comes past all of the web's."""
        role = "web" if self.rng.random() < WEB_SHARE else "worker"
        return self.rng.choice([name for name, point in POINTS.items() if point.role == role])

    def _arm(self, name: str, action: Action) -> bool:
        if name in self._armed or (action == "kill" and len(self._armed) >= ARMED_AT_ONCE):
            return False
        arm(self.shape.points, name, action)
        self._armed[name] = time.monotonic()
        return True

    def _stop_worker(self) -> None:
        """Stop a worker that runs a step, wherever it is."""
        every = all_processes()
        at_work = {every[pid].parent for pid in self.shape.roles().get("step_master", []) if pid in every}
        running = {every[pid].parent for pid in self.shape.roles().get("step", []) if pid in every}
        busy = [pid for pid in at_work if any(every[p].parent == pid for p in running if p in every)]
        if busy and kill(pid := self.rng.choice(sorted(busy)), signal.SIGSTOP):
            self._stopped[pid] = self._goes_on_at()

    def _goes_on_at(self) -> float:
        return time.monotonic() + self.rng.uniform(*ZOMBIE_SECONDS)

    def _kill(self, role: str) -> bool:
        # nor who started what stands still: it would take it along, and there would be no zombie
        spared = self._stopped.keys() | ancestors(self._stopped)
        if role in STARTS_SLOWLY and self.rng.random() < 0.8:
            spared |= younger_than(YOUNG_SECONDS)
        until = time.monotonic() + self.waits_seconds
        while not (found := [pid for pid in self.shape.roles().get(role, []) if pid not in spared]):
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        if not kill(self.rng.choice(found)):
            return False
        self.done[role] += 1
        return True

    def _disturb_queue(self, kind: str) -> bool:
        found = self.shape.roles().get("queue", [])
        if not found or self._queue_goes_on:
            return False
        if kind == "queue_flush":
            acted = self._flush()
        else:
            acted = kill(found[0], signal.SIGSTOP if kind == "queue_stop" else signal.SIGKILL)
        if acted and kind == "queue_stop":
            self._queue_goes_on = (found[0], time.monotonic() + self.rng.uniform(2, 8))
        self.done[kind] += acted
        return acted

    def _flush(self) -> bool:
        url = self.shape.redis_url()
        if url is None:
            return False
        try:
            with redis.Redis.from_url(url, socket_timeout=2) as client:
                client.flushall()
        except redis.RedisError:
            return False  # it is just being started again
        return True

    # --- what goes on by itself

    def look_after(self) -> None:
        """Start what ended, note which points were come to, let go on what was stopped for long enough."""
        self.shape.ensure()
        now = time.monotonic()
        for visit in fired(self.shape.points):
            if visit not in self._seen:
                self._seen.add(visit)
                self._forget(visit.name)
                self.points[visit.name] += 1
                if visit.action == "stop":
                    self._stopped[visit.pid] = self._goes_on_at()
                else:
                    self.done["point"] += 1
        for name, since in list(self._armed.items()):
            if now - since > ARMED_SECONDS and disarm(self.shape.points, name):
                self._forget(name)
        for pid, until in list(self._stopped.items()):
            if now >= until:
                del self._stopped[pid]
                self.done["zombie"] += kill(pid, signal.SIGCONT)
        if self._queue_goes_on and now >= self._queue_goes_on[1]:
            kill(self._queue_goes_on[0], signal.SIGCONT)
            self._queue_goes_on = None

    def _forget(self, name: str) -> None:
        self._armed.pop(name, None)
        self._stops.discard(name)

    def end(self) -> None:
        """No further fault: points are taken back, what was stopped goes on when its time has come."""
        for name in list(self._armed):
            if disarm(self.shape.points, name):
                self._forget(name)
        while self._stopped or self._queue_goes_on or self._armed:
            self.look_after()
            time.sleep(0.1)
