"""Processes that see each other die, as those of one machine do. Their names say who and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mediaflow.sandbox.identity import Identity
from tests.simulation.scheduler import Process


@dataclass(frozen=True, slots=True)
class Seen(Identity):
    """Who a simulated process is. It sees the death of those in its place; who stands still is not dead."""

    processes: Mapping[str, Process]

    def sees_the_end_of(self, name: str | None) -> bool:
        process = self.processes.get(name or "")
        return process is not None and process.dead and place_of(process.name) == self.place


def seen(name: str, processes: Mapping[str, Process]) -> Seen | None:
    """Who the process of that name is; None when the name does not say."""
    known = Identity.parsed(name)
    return None if known is None else Seen(known.host, known.pid, known.start, known.place, processes)


def place_of(name: str) -> str | None:
    """Where the process of that name is; None when the name does not say."""
    known = Identity.parsed(name)
    return None if known is None else known.place
