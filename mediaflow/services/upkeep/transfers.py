"""Transfers that have expired: nobody goes on with them any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import MediaflowError
from mediaflow.services.ports import Below
from mediaflow.services.uploads.transfers import Transfers

MOST: Final = 100
"""In one sweep."""


@dataclass(frozen=True, slots=True)
class TransferSweep:
    """Removes them, and what is left of complete ones: of these the asset stays."""

    transfers: Transfers

    def sweep(self) -> None:
        """One at a time; one that can't be removed now is, the next time."""
        database = self.transfers.database
        expired = {"expires_at": Below(database.now())}
        for transfer in database.transfers.find(expired, sort=("expires_at",), limit=MOST):
            try:
                with self.transfers.holding.held(transfer.id) as held:
                    self.transfers.removed(held)
            except MediaflowError:
                continue
