"""The depth of the queue, for whoever serves metrics without being a worker or a web process."""

from __future__ import annotations

from dataclasses import dataclass

from mediaflow.persistence import open_database
from mediaflow.runtime.places import database_url
from mediaflow.services.ports import Database
from mediaflow.services.upkeep.depth import Depth, depth
from mediaflow.settings import Settings


@dataclass(slots=True)
class DepthLook:
    """Asks the documents when it is called; they may come into being after it. `close` at the end."""

    settings: Settings
    _database: Database | None = None

    def __call__(self) -> Depth:
        """The depth now. Raises MediaflowError while there is no database that answers."""
        self._database = self._database or open_database(database_url(self.settings))
        return depth(self._database)

    def close(self) -> None:
        """Give the connections back."""
        if self._database is not None:
            self._database.close()
