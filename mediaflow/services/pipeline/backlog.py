"""How much planned work an owner may have waiting, in seconds of one core. 0 is no limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import LimitReached, MediaRejected
from mediaflow.services.ports import Database, OneOf

RETRY_SECONDS: Final = 60
"""When work is done nobody knows: often enough for a program that waits."""
WAY_OUT: Final = "The operator raises the limit with MEDIAFLOW_QUOTA_CORE_SECONDS."


@dataclass(frozen=True, slots=True)
class Backlog:
    """The expected cost of what is planned and not done, an owner."""

    database: Database
    most_core_seconds: int

    def waiting(self, owner: str) -> float:
        """Core seconds of all tasks of the owner's that have not ended."""
        return self.database.tasks.total("weight", {"owner": owner, "state": OneOf(("pending", "running"))})

    def check(self, owner: str) -> None:
        """LimitReached while the owner has as much waiting as may be: nothing new is begun."""
        if not self.most_core_seconds or (waiting := self.waiting(owner)) < self.most_core_seconds:
            return
        raise LimitReached(
            f"You have {waiting:.0f} core seconds of work waiting, of at most {self.most_core_seconds}; wait until some"
            f" is done, or cancel some. {WAY_OUT}",
            code="limit.core_seconds",
            retry_after_seconds=RETRY_SECONDS,
            used=round(waiting),
            limit=self.most_core_seconds,
        )

    def check_plan(self, core_seconds: float) -> None:
        """MediaRejected `media.too_costly` when one source alone is planned to cost more than may wait."""
        if self.most_core_seconds and core_seconds > self.most_core_seconds:
            raise MediaRejected(
                f"The file would take {core_seconds:.0f} core seconds, of at most {self.most_core_seconds}; cut it into"
                f" parts, or choose a smaller profile. {WAY_OUT}",
                code="media.too_costly",
            )
