"""Looks at every invariant over documents and storage, beside a working service.

What is found at a first look may merely have moved in that moment: so it is looked at again, read anew, after a grace,
and is a finding only when the same is still wrong. Documents come in pages and objects in the order of their keys: what
is held is what is suspected just now.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from mediaflow.plugin import MediaflowError, Storage
from mediaflow.services.integrity.access import AnswerExaminer, KeyExaminer, SessionExaminer
from mediaflow.services.integrity.arrivals import ArrivalExaminer
from mediaflow.services.integrity.assetmending import AssetMending
from mediaflow.services.integrity.assets import AssetExaminer
from mediaflow.services.integrity.assetstates import AssetStates
from mediaflow.services.integrity.blobs import BlobExaminer
from mediaflow.services.integrity.findings import Examiner, Finding
from mediaflow.services.integrity.uploads import ChunkExaminer, UploadExaminer
from mediaflow.services.integrity.work import JobExaminer, TaskExaminer
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.ports import Database
from mediaflow.services.uploads.blobs import Blobs
from mediaflow.services.uploads.ingest import Ingest

GRACE_SECONDS: Final = 3.0
MOST_SUSPECTS: Final = 5_000
"""So many are held at a time."""
_EMPTY: Final = "the storage is empty, and there were originals: is it the right one, and is it mounted?"
Told = Callable[[str, int], None]


@dataclass(slots=True)
class Outcome:
    """What a repair came to: `done`, or why not."""

    done: bool
    detail: str


@dataclass(slots=True)
class Fsck:
    """One check of everything. `told` hears the kind and how many of it were looked at, again and again."""

    database: Database
    storage: Storage
    examiners: Sequence[Examiner]
    grace_seconds: float = GRACE_SECONDS
    pause: Callable[[float], None] = time.sleep
    told: Told = lambda _kind, _count: None
    looked_at: Counter[str] = field(default_factory=Counter)

    def findings(self) -> Iterator[Finding]:
        """What is wrong, one thing after another, as it is found."""
        for examiner in self.examiners:
            suspects: list[Finding] = []
            for suspect in examiner.suspects(self._counting(examiner.kind)):
                suspects.append(suspect)
                if len(suspects) >= MOST_SUSPECTS:
                    yield from self._confirmed(examiner, suspects)
                    suspects = []
            yield from self._confirmed(examiner, suspects)

    def repair(self, finding: Finding) -> Outcome:
        """Do what the finding's remedy says, if the subject is still as it was.

        Done, too, when the invariant holds meanwhile: another repair was quicker, or it went by itself.
        """
        if finding.mend is None:
            return Outcome(False, "nothing can be done about it here")
        if finding.is_loss and self._is_another_storage():
            return Outcome(False, _EMPTY)
        try:
            if finding.mend():
                return Outcome(True, finding.remedy or "")
            why = "it changed in the meantime; look again"
        except MediaflowError as error:
            why = f"it did not work: {error.detail}"
        if finding.again is not None and all(now.note or now.code != finding.code for now in finding.again()):
            return Outcome(True, "it changed in the meantime, and is in order")
        return Outcome(False, why)

    def _is_another_storage(self) -> bool:
        """What is missing in a storage that is not the one, or not mounted, is not lost."""
        return bool(self.database.blobs.find({}, limit=1)) and next(iter(self.storage.list("")), None) is None

    def _counting(self, kind: str) -> Callable[[int], None]:
        def count(more: int) -> None:
            self.looked_at[kind] += more
            self.told(kind, self.looked_at[kind])

        return count

    def _confirmed(self, examiner: Examiner, suspects: list[Finding]) -> Iterator[Finding]:
        if suspects:
            self.pause(self.grace_seconds)
        wrong: dict[str, set[str]] = {}
        for suspect in suspects:
            wrong.setdefault(suspect.subject, set()).add(suspect.code)
        for subject, codes in wrong.items():
            again = partial(examiner.again, subject)
            yield from (replace(found, again=again) for found in again() if found.code in codes)


def examiners_of(
    database: Database, files: OriginalFiles, ingest: Ingest, jobs: Jobs, *, deep: bool = False
) -> tuple[Examiner, ...]:
    """Everybody who looks after something."""
    storage, mending = files.storage, AssetMending(database, files, jobs)
    blobs = Blobs(database, storage)
    return (
        UploadExaminer(database, storage, ingest),
        ChunkExaminer(database),
        AssetExaminer(database, storage, AssetStates(database, storage, mending), mending),
        BlobExaminer(database, storage, blobs, mending, deep),
        JobExaminer(database, jobs),
        TaskExaminer(database, jobs),
        KeyExaminer(database),
        SessionExaminer(database),
        AnswerExaminer(database),
        ArrivalExaminer(database, storage),
    )
