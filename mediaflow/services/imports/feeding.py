"""Begins the jobs of what was imported, so many at a time: nobody's own uploads wait behind a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mediaflow.domain.states import WORK_ACTIVE
from mediaflow.services.ports import Between, Database, OneOf
from mediaflow.services.uploads.assembly import Assembly

PRIORITY: Final = -1
"""Of those jobs: whatever else there is goes before them."""


@dataclass(frozen=True, slots=True)
class Feeding:
    """Safe in any number of processes: together they may begin a few more than `most_open`."""

    database: Database
    assembly: Assembly
    most_open: int

    def feed(self) -> int:
        """Begin with the oldest as many as there is room for; how many those were."""
        waiting = {"waits_since": Between(), "state": "stored"}
        if not self.database.uploads.find(waiting, sort=("waits_since",), limit=1):
            return 0
        room = self.most_open - self.database.jobs.count({"kind": "process", "state": OneOf(WORK_ACTIVE)})
        if room <= 0:
            return 0
        begun = self.database.uploads.find(waiting, sort=("waits_since",), limit=room)
        for upload in begun:
            expect = {"state": "stored", "waits_since": upload.waits_since}
            # who dies after this leaves it to the reconciler
            if self.database.uploads.change(upload.id, expect, {"waits_since": None}) is not None:
                self.assembly.finish(upload.id)
        return len(begun)
