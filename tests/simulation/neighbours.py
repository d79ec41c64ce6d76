"""Workers of one machine: they see each other die, and give back what the dead held."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from mediaflow.domain.errors import MediaflowError
from tests.simulation.scheduler import Process
from tests.simulation.world import Node, World

STRIKES: Final = 4


def watch(node: Node) -> None:
    """A worker's look at those beside it, each second; all look at the same moment, which is the hardest."""
    while True:
        with suppress(MediaflowError):
            node.orphans.give_back()
        node.process.sleep(1.0 - node.database.now() % 1.0)


def _strike(world: World) -> None:
    """A few times somebody kills a worker in the middle of a task."""
    strikes = 0
    while strikes < STRIKES and not world.calm:
        world.scheduler.pause(world.rng.choice((0.2, 0.5, 2.0)))
        holders = [task.worker for task in world.database.records("tasks") if task.state == "running"]
        living = [process for process in map(world.processes.get, holders) if process is not None and not process.dead]
        if living:
            world.rng.choice(living).kill()
            strikes += 1


def accidents(world: World, _fleet: object) -> None:
    """Where workers see each other."""
    outside = Process("outside", world.scheduler)
    if world.neighbours:
        world.scheduler.spawn("accident", outside, lambda: _strike(world))
