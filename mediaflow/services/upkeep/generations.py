"""Removes the files of generations that nobody can be watching any more, and those that were never published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.records import Asset
from mediaflow.domain.states import LEASE_SECONDS
from mediaflow.plugin import Storage
from mediaflow.services.pipeline.segments import Segments
from mediaflow.services.pipeline.tenure import LEFTOVERS_SECONDS
from mediaflow.services.ports import Below, Between, Database, OneOf
from mediaflow.services.uploads.originals import disown

_log = structlog.get_logger(__name__)
MOST: Final = 20
AGAIN_SECONDS: Final = 300.0
"""A sweep of an asset that was interrupted, or came too early, is repeated after this time."""


@dataclass(frozen=True, slots=True)
class Generations:
    """Sweeps assets whose `sweep_at` has come."""

    database: Database
    storage: Storage

    def sweep(self) -> None:
        """Sweep some that are due."""
        now = self.database.now()
        for asset in self.database.assets.find({"sweep_at": Below(now)}, sort=("sweep_at",), limit=MOST):
            try:
                self._sweep(asset, now)
            except MediaflowError as error:
                _log.warning("old files stay for now", asset_id=asset.id, code=error.code, detail=error.detail)

    def _sweep(self, asset: Asset, now: float) -> None:
        expect = {"sweep_at": asset.sweep_at, "purging": False}
        taken = self.database.assets.change(asset.id, expect, {"sweep_at": now + AGAIN_SECONDS})
        if taken is None:
            return
        is_over = self._is_over(taken, now)
        for key in [info.key for info in self.storage.list(keys.asset_prefix(asset.id))]:
            path = key.removeprefix(keys.asset_prefix(asset.id))
            if _is_left_over(taken, path) or _opened_once(taken, path, now):
                self.storage.delete(key)
        Segments(self.database, self.storage).forget(asset.id, _newest(taken) + 1, taken.generation)
        self._refused(taken)
        if is_over:
            # what changed it meanwhile may have left something, too: then it is swept again
            self.database.assets.change(asset.id, {"rev": taken.rev}, {"sweep_at": None})

    def _is_over(self, asset: Asset, now: float) -> bool:
        """True when nothing more can come of what is swept.

        Who ends a job or an upload may stand still in the midst of it. Tasks of an ended job are claimed until they are
        cancelled, and write for as long as after any other end; an upload that fails its asset fails only after it.
        """
        given_up = {"asset_id": asset.id, "generation": Below(_newest(asset) + 1)}
        for job in self.database.jobs.find(given_up):
            if job.generation != asset.generation and self._is_written_to(job.id, now):
                return False
        if asset.state not in ("failed", "rejected") or asset.generation > 0:
            return True
        upload = self.database.uploads.peek(asset.upload_id, ("state",))
        return upload is None or upload["state"] != "assembling"

    def _is_written_to(self, job_id: str, now: float) -> bool:
        """True while a child of the job's tasks may be alive, or one may begin."""
        signs = (
            {"state": OneOf(("pending", "running"))},
            {"updated_at": Between(now - LEFTOVERS_SECONDS, None)},
            # the last of these are renewed in the moment of the end
            {"lease_until": Between(now - LEFTOVERS_SECONDS + LEASE_SECONDS, None)},
        )
        return any(self.database.tasks.count({"job_id": job_id, **sign}) for sign in signs)

    def _refused(self, asset: Asset) -> None:
        """Remove a file that turned out not to be the declared one while its job ran (`uploads/originals.py`)."""
        if asset.state not in ("failed", "rejected") or asset.generation > 0:
            return
        upload = self.database.uploads.peek(asset.upload_id, ("state",))
        if upload is not None and upload["state"] == "failed":
            disown(self.database, asset)
            self.storage.delete(keys.upload_key(asset.upload_id))


def _opened_once(asset: Asset, path: str, now: float) -> bool:
    """True for playlists of who began before all was made, when nobody of these can be watching any more."""
    published = asset.published
    if published is None or not path.startswith(keys.opening_path(published.generation)):
        return False
    return not any(files.holds(path) and (files.until or 0.0) > now for files in published.earlier)


def _newest(asset: Asset) -> int:
    """The newest generation of which nothing is made any more."""
    return asset.next_generation - (asset.state == "processing")


def _is_left_over(asset: Asset, path: str) -> bool:
    """True for a file of a generation that is neither published nor being made, and that nothing published needs."""
    generation = keys.generation_of(path)
    if generation is None or generation == asset.generation or generation > _newest(asset):
        return False
    return asset.published is None or not asset.published.uses(path)
