"""Looks after linked originals: that one is gone is told beside its asset, and that it is back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog

from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.events import Event
from mediaflow.domain.imports import SourceFile
from mediaflow.services.originals.localfiles import HERE
from mediaflow.services.originals.places import OriginalFiles, is_same
from mediaflow.services.ports import After, Database, Outbox

_log = structlog.get_logger(__name__)
MOST: Final = 200
"""Files of this machine in one sweep."""
MOST_FAR: Final = 20
"""Files of other storages, which may take money for each question."""


@dataclass(slots=True)
class LinkWatch:
    """Goes round all of them, some in each sweep; every process on its own, for some see what others don't."""

    database: Database
    files: OriginalFiles
    outbox: Outbox
    _last: str = field(default="")

    def sweep(self) -> None:
        """Look at the next ones. What can't be asked now is neither there nor gone."""
        where = {"linked": True, "state": "taken", **({"id": After(self._last)} if self._last else {})}
        files = self.database.source_files.find(where, sort=("id",), limit=MOST)
        far = 0
        for file in files:
            if file.source != HERE and (far := far + 1) > MOST_FAR:
                return
            self._last = file.id
            try:
                self.look(file)
            except MediaflowError as error:
                _log.info("a linked original can't be looked at", source=file.source, detail=error.detail)
        if len(files) < MOST:
            self._last = ""

    def look(self, file: SourceFile) -> None:
        """Tell of the file if it has gone, or come back, since it was looked at last."""
        asset = self.database.assets.get(file.asset_id)
        if asset is None:  # it was purged: nobody's original any more
            self.database.source_files.change(file.id, {"rev": file.rev}, {"linked": False, "gone_at": None})
            return
        found = self.files.source(file.source).file(file.name)
        is_there = found is not None and is_same(found, file)
        if is_there == (file.gone_at is None):
            return
        now = self.database.now()
        gone_at = None if is_there else now
        if not asset.purging:
            # the asset first: who dies in between tells it once more
            state = "linked" if is_there else "gone"
            told = Event("original.changed", now, asset.owner, asset.id, data={"state": state})
            changes = {"original_gone_at": gone_at, "updated_at": now}
            if self.outbox.change(self.database.assets, asset.id, {"rev": asset.rev}, changes, told) is None:
                return  # it is changed just now: next time
        self.database.source_files.change(file.id, {"rev": file.rev}, {"gone_at": gone_at})
