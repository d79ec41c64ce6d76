"""Who appends to a transfer: one request at a time, on whichever host, and a new one gets the better of a dead one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.errors import Busy, NotFound
from mediaflow.domain.ids import new_id
from mediaflow.domain.transfers import HELD_SECONDS, Transfer
from mediaflow.services.ports import Database

PATIENCE_SECONDS: Final = 2.0
"""So long a holder has to let go: who reads of a living connection looks up within a second."""
POLL_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 1


class Let(Busy):
    """Another request wants the transfer, or has it."""

    default_code = "upload.locked"


@dataclass(frozen=True, slots=True)
class Holding:
    """Hands transfers out. What a holder writes is bound to its token: who lost it changes nothing any more."""

    database: Database
    elapsed: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    @contextmanager
    def held(self, transfer_id: str) -> Iterator[Transfer]:
        """The transfer, for whoever is the only one to change it until the block ends. NotFound when it is gone."""
        token = new_id()
        held = self._taken(transfer_id, token)
        try:
            yield held
        finally:
            self.database.transfers.change(transfer_id, {"token": token}, {"token": None, "held_until": 0.0})

    def settled(self, transfer_id: str) -> Transfer:
        """The transfer as it stands when nobody appends to it: who does is asked to let go."""
        with self.held(transfer_id) as transfer:
            return transfer

    def changed(self, held: Transfer, **changes: Any) -> Transfer:
        """The transfer with changes; Let when it is held by somebody else now."""
        now = self.database.now()
        renewed = {"held_until": now + HELD_SECONDS, "updated_at": now, **changes}
        changed = self.database.transfers.change(held.id, {"token": held.token}, renewed)
        if changed is None:
            raise self._lost()
        return changed

    def watched(self, held: Transfer, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks as they arrive; Let as soon as somebody else wants the transfer."""
        looked = self.elapsed()
        for block in blocks:
            yield block
            if self.elapsed() - looked >= LOOK_SECONDS:
                if self.changed(held).wanted is not None:
                    raise self._lost()
                looked = self.elapsed()

    def _taken(self, transfer_id: str, token: str) -> Transfer:
        until = self.elapsed() + PATIENCE_SECONDS
        while True:
            seen, now = self.database.transfers.get(transfer_id), self.database.now()
            if seen is None:
                raise NotFound("There is no such upload.", code="upload.not_found")
            if seen.token is None or seen.held_until < now or self.elapsed() >= until:
                mine = {"token": token, "held_until": now + HELD_SECONDS, "wanted": None}
                taken = self.database.transfers.change(transfer_id, {"token": seen.token}, mine)
                if taken is not None:
                    return taken
            elif seen.wanted is None:
                self.database.transfers.change(transfer_id, {"token": seen.token}, {"wanted": token})
            self.pause(POLL_SECONDS)

    def _lost(self) -> Let:
        return Let(
            "Another request goes on with this upload; ask for its offset, then go on from there.",
            retry_after_seconds=_RETRY_SECONDS,
        )
