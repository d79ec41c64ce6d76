"""Rounds of faults against a busy service: `python -m tests.chaos.campaign --shape embedded`, bounded and seeded.

A round is two and a half minutes of faults and then peace, in which everything that was acknowledged must become
terminal. At the end comes a table, and one line of JSON. The exit code is 1 when anything was lost, doubled, corrupt or
broken.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from mediaflow.testing.clips import make_clip
from tests.chaos.checks import Verdict, check_all, work_left
from tests.chaos.customers import Customers
from tests.chaos.faults import PROCESSES, ZOMBIE_SECONDS, Faults
from tests.chaos.films import make_film
from tests.chaos.judging import Judge
from tests.chaos.owners import Owners
from tests.chaos.shapes import Shape, ShapeName, running_shape
from tests.chaos.viewers import Viewers

TERMINAL_SECONDS: Final = 120.0
"""After the last fault, something is made of what was acknowledged within this time, until it is terminal. How long all
of it takes, depends on the machine.
"""
BUSY_SECONDS: Final = 90.0
"""So long a round waits for uploads, and for somebody who watches one."""
LEFT_SECONDS: Final = 60.0
"""So long after the last viewer has gone all work has ended."""
ENVIRON: Final = {
    # nobody watches a film of 24 s any more 36 s after the last request, and hardly a piece fits
    "MEDIAFLOW_STREAM_BUCKET_SECONDS": "4",
    "MEDIAFLOW_RENDITION_BUDGET_BYTES": "50000",
    "MEDIAFLOW_DEMAND_PER_MINUTE": "0",
    "MEDIAFLOW_TRASH_SECONDS": "5",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign does. It ends with the round in which `kills` or `seconds` is reached."""

    shape: ShapeName
    seed: int
    seconds: float
    kills: int
    round_seconds: float = 60.0
    pause_seconds: float = 0.5
    uploaders: int = 2
    backlog: int = 8
    workers: int = 6
    films: int = 12
    processes_only: bool = False


@dataclass
class People:
    """All who use the service."""

    customers: Customers
    viewers: Viewers
    owners: Owners

    def start(self, uploaders: int) -> None:
        self.customers.start(uploaders)
        self.viewers.start()
        self.owners.start()

    def end(self) -> None:
        self.owners.end()
        self.customers.end()
        self.viewers.end()


@dataclass
class Account:
    """What a campaign saw."""

    plan: Plan
    rounds: int = 0
    seconds: float = 0.0
    acknowledged: int = 0
    poisoned: int = 0
    done: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    settled_seconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    duplicate: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    kills: int = 0
    given_up: int = 0
    watched: Counter[str] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicate or self.corrupt or self.broken)

    def add(self, verdict: Verdict) -> None:
        self.lost += verdict.lost
        self.duplicate += verdict.duplicate
        self.corrupt += verdict.corrupt
        self.broken += verdict.broken
        self.poisoned += verdict.poisoned

    def document(self) -> dict[str, Any]:
        """One line of JSON's content."""
        return {
            "shape": self.plan.shape,
            "seed": self.plan.seed,
            "rounds": self.rounds,
            "seconds": round(self.seconds),
            "kills": self.kills,
            "by_kind": dict(self.done),
            "points": len(self.points),
            "acknowledged": self.acknowledged,
            "given_up": self.given_up,
            "watched": dict(sorted(self.watched.items())),
            "owners": dict(sorted(self.owners.items())),
            "lost": len(self.lost),
            "duplicate": len(self.duplicate),
            "corrupt": len(self.corrupt),
            "broken": len(self.broken),
            "poisoned": self.poisoned,
            "settled_seconds_max": round(max(self.settled_seconds, default=0.0), 1),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }


def make_short_clip(path: Path) -> Path:
    """A few pictures and a tone: a second of work, and so long that it can be watched while it is made."""
    return make_clip(path, seconds=5, width=256, height=144, rate="5")


def make_films(directory: Path, count: int) -> list[Path]:
    """Films by number; those that are there already stay."""
    directory.mkdir(parents=True, exist_ok=True)
    films = [directory / f"film{number}.mp4" for number in range(count)]
    return [film if film.exists() else make_film(film, number) for number, film in enumerate(films)]


def run_campaign(plan: Plan, directory: Path, films: Path | None = None) -> Account:
    """Rounds until the plan's bounds are reached, or something is wrong. `films` is where they may be already."""
    account, began = Account(plan), time.monotonic()
    clip = make_short_clip(directory / "clip.mp4")
    known = make_films(films or directory / "films", plan.films)
    chunk_bytes = 5 * 1024**2 if plan.shape == "production" else 16 * 1024
    with running_shape(plan.shape, directory / "service", workers=plan.workers, environ=ENVIRON) as shape:
        customers = Customers(shape.url, shape.token, clip, plan.seed, chunk_bytes, plan.backlog, films=known)
        (directory / "got").mkdir()
        viewers = Viewers(customers, Judge(directory / "got"), plan.seed)
        people = People(customers, viewers, Owners(customers, plan.seed))
        faults = Faults(shape, plan.seed, zombies_at_once=max(1, plan.workers - 2))
        if plan.processes_only:
            faults.weights, faults.waits_seconds = PROCESSES, 3.0
        people.start(plan.uploaders)
        try:
            while account.clean and account.kills < plan.kills and account.seconds < plan.seconds:
                _round(account, shape, people, faults, directory)
                account.seconds = time.monotonic() - began
                _tell_round(account)
        except KeyboardInterrupt:
            print("interrupted: this round is not counted", flush=True)
        finally:
            people.end()
    account.broken += [f"left over: {words}" for words in shape.left_over()]
    return account


def _round(account: Account, shape: Shape, people: People, faults: Faults, directory: Path) -> None:
    plan, customers, viewers = account.plan, people.customers, people.viewers
    viewers.go_on()
    # in every second round nobody uploads: what is there is watched, changed, evicted and made again
    uploads = account.rounds % 2 == 0
    _become_busy(plan, customers, viewers, uploads=uploads)
    people.owners.go_on()
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < plan.round_seconds and faults.kills < plan.kills:
        faults.step(zombies=elapsed < plan.round_seconds - ZOMBIE_SECONDS[0] and not plan.processes_only)
        time.sleep(faults.rng.uniform(0.1, 2 * plan.pause_seconds - 0.1))
    customers.halt()
    people.owners.halt()
    faults.end()
    viewers.halt()  # what they ask for comes before what is waited for here
    account.settled_seconds.append(_settle(account, shape, customers))
    account.broken += customers.faults
    for sent in [] if uploads else customers.sent.values():
        sent.checked = False
    if account.clean:
        account.add(check_all(shape, customers, directory, viewers.check))
        account.broken += [*_work_left(shape), *(f"left over: {path}" for path in shape.files_left_over())]
    viewers.judge.look()
    account.corrupt += [*viewers.faults, *viewers.judge.faults]
    account.rounds += 1
    _count(account, people, faults)


def _count(account: Account, people: People, faults: Faults) -> None:
    customers, viewers = people.customers, people.viewers
    account.done, account.points, account.kills = faults.done.copy(), faults.points.copy(), faults.kills
    account.statuses, account.given_up = customers.statuses.copy(), customers.given_up
    account.acknowledged = len(customers.sent)
    judge = viewers.judge
    judged = {"judged": judge.judged, "decoded": judge.looked_at, "came as others": judge.evicted}
    account.watched = viewers.counts + Counter(judged | {"assets early": viewers.early})
    account.owners = people.owners.done.copy()


def _work_left(shape: Shape) -> list[str]:
    """The jobs that go on although nobody waits for anything."""
    session, until = requests.Session(), time.monotonic() + LEFT_SECONDS
    session.headers["Authorization"] = f"Bearer {shape.token}"
    while (left := work_left(session, shape.url)) and time.monotonic() < until:
        time.sleep(0.5)
    return left


def _become_busy(plan: Plan, customers: Customers, viewers: Viewers, *, uploads: bool) -> None:
    """Faults are to come to a service that has something to do."""
    if uploads:
        customers.go_on()
    deadline, before = time.monotonic() + BUSY_SECONDS, viewers.counts["begun"]
    while time.monotonic() < deadline:
        if len(customers.waiting()) >= plan.backlog * uploads and viewers.counts["begun"] > before:
            return
        time.sleep(0.1)


def _settle(account: Account, shape: Shape, customers: Customers) -> float:
    """Wait until everything that was acknowledged is terminal; the seconds that it took."""
    began = time.monotonic()
    while waiting := customers.waiting():
        shape.ensure()
        if time.monotonic() - max(began, *(sent.moved_at for sent in waiting)) > TERMINAL_SECONDS:
            still = f"for {TERMINAL_SECONDS:.0f} s nothing is made of it"
            account.lost += [f"{sent.asset_id} is {sent.facts}: {still}" for sent in waiting]
            break
        time.sleep(0.1)
    took = time.monotonic() - began
    shape.wait_ready()
    return took


# --- telling


def _tell_round(account: Account) -> None:
    now = account.document()
    print(
        f"round {now['rounds']}: {now['seconds']} s, {now['kills']} kills, {account.done['zombie']} zombies, "
        f"{now['acknowledged']} uploads, settled in {account.settled_seconds[-1]:.1f} s"
        + ("" if account.clean else " - WRONG"),
        flush=True,
    )


def _tell(account: Account) -> None:
    document = account.document()
    for name, value in document.items():
        if not isinstance(value, dict):
            print(f"  {name:20} {value}")
    for kind, count in sorted((account.done + account.watched + account.owners).items()):
        print(f"    {kind:18} {count}")
    for kind in ("lost", "duplicate", "corrupt", "broken"):
        for sentence in getattr(account, kind)[:20]:
            print(f"  {kind}: {sentence}")
    print(json.dumps(document), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=("embedded", "production", "both"), default="both")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--pause", type=float, default=0.5, help="Seconds between two faults, on average.")
    parser.add_argument("--round", type=float, default=150.0, help="Seconds of faults in a round.")
    parser.add_argument("--workers", type=int, default=6, help="All but two of them may stand still at once.")
    parser.add_argument("--backlog", type=int, default=8, help="So many uploads wait at once.")
    parser.add_argument("--films", type=Path, help="Directory of films, kept for other runs.")
    parser.add_argument("--processes", action="store_true", help="Nothing but processes is killed, at any moment.")
    parser.add_argument("--keep", type=Path, help="Directory for its files, which are kept.")
    given = parser.parse_args(arguments)
    shapes: tuple[ShapeName, ...] = ("embedded", "production") if given.shape == "both" else (given.shape,)
    share, clean = len(shapes), True
    for shape in shapes:
        print(f"{shape}, seed {given.seed}", flush=True)
        kills = -(-given.kills // share)
        plan = Plan(
            shape, given.seed, given.seconds / share, kills, given.round, given.pause,
            backlog=given.backlog, workers=given.workers, processes_only=given.processes,
        )  # fmt: skip
        directory = Path(tempfile.mkdtemp(prefix=f"chaos-{shape}-", dir=given.keep))
        account = run_campaign(plan, directory, given.films)
        _tell(account)
        clean = clean and account.clean
        if account.clean and given.keep is None:
            shutil.rmtree(directory)
        else:
            print(f"  its files are in {directory}", flush=True)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
