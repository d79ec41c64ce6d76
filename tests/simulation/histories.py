"""A history: a seed in, what came of it out. Run again, it is the same to the last step."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mediaflow.services.integrity.collector import Collector
from mediaflow.services.integrity.stalerecords import CLAIM_SECONDS
from tests.simulation import invariants
from tests.simulation.actors import ACTORS, Fleet
from tests.simulation.determined import determined
from tests.simulation.scheduler import START
from tests.simulation.telling import LAST, told
from tests.simulation.viewers import ask_for_what_is_promised, audience
from tests.simulation.world import Node, World, make_world

FAULTS_SECONDS: Final = (20.0, 60.0, 120.0)
"""So long things go wrong."""
PATIENCE_SECONDS: Final = 900.0
"""So long after the last fault all that was accepted must have come to its end: leases, five attempts, their waits."""
LOOK_SECONDS: Final = 20.0
LATER_SECONDS: Final = (500.0, 500.0, 90_000.0, 1000.0)
"""When all sleep, sweeps find what is due: trash, files of old generations, records of uploads."""
GARBAGE_SECONDS: Final = 86400.0
"""What nothing named for so long is removed, in two passes that are so far from each other."""
STORIES: Final = 3
"""So many are told when more histories broke."""


@dataclass(frozen=True)
class Outcome:
    """What a history came to. `broken` is None when every invariant held."""

    seed: str
    broken: str | None
    turns: int
    seconds: float
    digest: str
    story: str


def run(seed: str, *, steps: int | None = 0) -> Outcome:
    """Live the history of that seed. Its story has so many steps (None: all), and some when an invariant broke.

    The digest, which costs as much as a few steps, comes with a story.
    """
    world = make_world(seed, invariants.watching)
    scheduler = world.scheduler
    with determined(world.rng), scheduler.ended():
        fleet = Fleet(world)
        for begin in (*ACTORS, audience):
            begin(world, fleet)
        scheduler.run(START + world.rng.choice(FAULTS_SECONDS) * (3 if world.parts else 1))
        world.faults.cease()
        world.calm = True
        _settle(world)
        ask_for_what_is_promised(world, fleet)
        _settle(world)
        if world.broken is None:
            _clean_up(world)
    story = told(world, steps if steps != 0 else LAST) if world.broken or steps != 0 else ""
    return Outcome(seed, world.broken, scheduler.turns, scheduler.now - START, _digest(world) if story else "", story)


def _settle(world: World) -> None:
    """Wait for all work to end, with no more faults."""
    until = world.scheduler.now + PATIENCE_SECONDS
    while world.broken is None and (waits := invariants.unfinished(world)) is not None:
        if world.scheduler.now > until:
            world.breaks("all that was accepted ends", waits)
            return
        world.scheduler.run(world.scheduler.now + LOOK_SECONDS)


def _clean_up(world: World) -> None:
    """Sweep as days pass, and look at what is left."""
    for actor in list(world.scheduler.actors.values()):
        actor.process.kill()
    world.scheduler.run(world.scheduler.now + 1000.0)
    node = Node(world, world.process("last"))
    for seconds in LATER_SECONDS:
        world.scheduler.now += seconds
        node.reconciler.sweep()
        node.execution.work()
    _look(world, invariants.AT_THE_END)
    for _ in range(2):
        world.scheduler.now += max(GARBAGE_SECONDS, CLAIM_SECONDS) + 100.0
        for _ in Collector(world.database, world.storage, GARBAGE_SECONDS).passing():
            pass
    _look(world, invariants.WITHOUT_GARBAGE)


def _look(world: World, checks: Sequence[invariants.AtTheEnd]) -> None:
    for check in checks:
        if world.broken is None and (wrong := check(world)) is not None:
            world.breaks(check.__name__, wrong)


def _digest(world: World) -> str:
    """Of every step, in order: two runs of one seed have the same."""
    digest = hashlib.sha256()
    for at, actor, what, detail, _, _ in world.trace.entries:
        digest.update(f"{at!r} {actor.name if actor else ''} {what} {detail}\n".encode())
    return digest.hexdigest()[:16]


def main(arguments: list[str]) -> int:
    """`python -m tests.simulation.histories SEED [all]`: live it again and tell its last steps, or all of them."""
    outcome = run(arguments[0], steps=None if arguments[1:] == ["all"] else LAST)
    sys.stdout.write(outcome.story + "\n")
    sys.stdout.write(f"seed {outcome.seed}: {outcome.broken or 'every invariant held'}\n")
    return 1 if outcome.broken else 0


def report(broken: Sequence[Outcome]) -> str:
    """What a failing test says: every seed in a line, then the stories of the first ones."""
    stories = [
        f"\nseed {each.seed}: {each.broken}\n{each.story}\n"
        f"live it again: .venv/bin/python -m tests.simulation.histories {each.seed}\n"
        for each in broken[:STORIES]
    ]
    return "\n" + "".join([*map(line, broken), *stories])


def line(outcome: Outcome) -> str:
    """What broke, in a line."""
    return f"{outcome.seed}: {outcome.broken}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
