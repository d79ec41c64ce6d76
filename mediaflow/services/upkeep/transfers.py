"""Transfers with which nobody goes on: those that have expired, and those of which all is here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import MediaflowError
from mediaflow.services.ports import Below, Between
from mediaflow.services.uploads.transfers import Transfers

MOST: Final = 100
"""In one sweep."""
IDLE_SECONDS: Final = 10.0
"""So long a client may take to say that it was all, or to ask: then it is believed to be gone, and the file is here."""


@dataclass(frozen=True, slots=True)
class TransferSweep:
    """Removes the expired ones, and what is left of complete ones: of these the asset stays. Completes the others."""

    transfers: Transfers

    def sweep(self) -> None:
        """One at a time; one that can't be removed now is, the next time."""
        database, now = self.transfers.database, self.transfers.database.now()
        idle = {"state": "receiving", "updated_at": Between(now - 12 * IDLE_SECONDS, now - IDLE_SECONDS)}
        for transfer in database.transfers.find(idle, sort=("updated_at",), limit=MOST):
            if transfer.is_whole:
                with suppress(MediaflowError):
                    self.transfers.complete_idle(transfer)
        expired = {"expires_at": Below(now)}
        for transfer in database.transfers.find(expired, sort=("expires_at",), limit=MOST):
            with suppress(MediaflowError), self.transfers.holding.held(transfer.id) as held:
                self.transfers.removed(held)
