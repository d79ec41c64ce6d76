"""Pausing all work: nothing new is claimed by any worker until it is resumed, whoever starts again meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from mediaflow.domain.queue import QUEUE_ID, QueueState
from mediaflow.services.ports import Database


@dataclass(frozen=True, slots=True)
class Pausing:
    """The switch. Its document is missing until it is first used."""

    database: Database

    def is_paused(self) -> bool:
        """Whether nothing may be claimed: one look by id, at each claim."""
        found = self.database.queue.peek(QUEUE_ID, ("paused",))
        return found is not None and bool(found["paused"])

    def state(self) -> QueueState | None:
        """Who paused or resumed it last, when and why; None when nobody ever did."""
        return self.database.queue.get(QUEUE_ID)

    def switch(self, *, paused: bool, by: str, reason: str | None = None) -> QueueState:
        """Pause or resume. Repeating changes nothing, except that another reason to pause takes the place of the
        first.
        """
        while True:
            now, before = self.database.now(), self.state()
            if before is not None and before.paused == paused and (not paused or before.reason == reason):
                return before
            made = QueueState(id=QUEUE_ID, paused=paused, reason=reason, changed_at=now, changed_by=by)
            if before is None:
                if self.database.queue.insert(made):
                    return made
                continue
            changes = {"paused": paused, "reason": reason, "changed_at": now, "changed_by": by}
            changed = self.database.queue.change(QUEUE_ID, {"rev": before.rev}, changes)
            if changed is not None:
                return changed
