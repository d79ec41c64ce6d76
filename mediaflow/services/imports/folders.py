"""Looks through a folder, or a prefix of a storage, and takes what is new there.

What was taken is known by owner, place and name, with size and time (`domain.imports.SourceFile`): a look that was
broken off is begun anew and finds the beginning done, a second look finds nothing to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mediaflow.domain.errors import (
    InsufficientStorage,
    InvalidInput,
    LimitReached,
    MediaflowError,
    MediaRejected,
    NotFound,
    TooLarge,
    Unavailable,
)
from mediaflow.domain.ids import derived_id, new_id
from mediaflow.domain.imports import Import, SourceFile
from mediaflow.domain.telling import error_document
from mediaflow.media.sniff import HEAD_BYTES, sniff_bytes
from mediaflow.plugin import ObjectInfo, OffersFiles
from mediaflow.services.imports.films import Film, films
from mediaflow.services.imports.importer import Stopped
from mediaflow.services.imports.taking import Taking
from mediaflow.services.originals.localfiles import HERE, path_of, walk
from mediaflow.services.originals.places import OriginalFiles, is_same
from mediaflow.services.ports import Database
from mediaflow.services.uploads.quotas import Allowance

SAID_SECONDS: Final = 2.0
"""So often it is written down how far a look is."""
LOOKS_SECONDS: Final = 5.0
"""A folder that is followed is looked at so long after the last time, or later: looking takes a twentieth of a core."""
SHARE: Final = 20.0
AGAIN_SECONDS: Final = 30.0
MOST_ATTEMPTS: Final = 5
MOST_NOTES: Final = 200
COUNTS: Final = ("found", "taken", "unchanged", "skipped", "failed")


@dataclass(slots=True)
class Report:
    """What a look found: files by what became of them, and a few words on those that need some."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*COUNTS, "growing", "bytes"), 0))
    notes: list[dict[str, str]] = field(default_factory=list)

    def note(self, name: str, kind: str, detail: str) -> None:
        """Keep it, if it is among the first."""
        if len(self.notes) < MOST_NOTES:
            self.notes.append({"name": name, "kind": kind, "detail": detail})
        else:
            self.counts["notes_left_out"] = self.counts.get("notes_left_out", 0) + 1


@dataclass(frozen=True, slots=True)
class Folders:
    """What a worker does of it."""

    database: Database
    files: OriginalFiles
    taking: Taking
    elapsed: Callable[[], float] = time.monotonic

    def attempt(self, claimed: Import) -> None:
        """Look through it once, and say what came of it. Stopped when it is to stop, or is somebody else's now."""
        began, report = self.elapsed(), Report()
        try:
            self._look(claimed, report)
        except Stopped:
            self._changed(claimed, report, state="waiting")
            raise
        except Unavailable as error:
            self._later(claimed, report, error)
        except LimitReached as error:  # room comes with a purge, whose time nobody knows
            self._later(claimed, report, error, is_final=True)
        except NotFound as error:  # another worker may see it; what is followed may come back
            self._later(claimed, report, error, is_final=claimed.attempts + 1 >= MOST_ATTEMPTS)
        except MediaflowError as error:
            self._changed(claimed, report, state="failed", error=error_document(error))
        else:
            again = {"state": "done", "not_before": 0.0}
            if claimed.options.get("watch"):
                wait = max(LOOKS_SECONDS, SHARE * (self.elapsed() - began))
                again = {"state": "waiting", "not_before": self.database.now() + wait}
            self._changed(claimed, report, **again, attempts=0, error=None)

    def _later(self, claimed: Import, report: Report, error: MediaflowError, *, is_final: bool = False) -> None:
        said = {"error": error_document(error), "attempts": claimed.attempts + 1}
        if is_final and not claimed.options.get("watch"):
            self._changed(claimed, report, state="failed", **said)
            return
        wait = AGAIN_SECONDS if claimed.options.get("watch") or not isinstance(error, NotFound) else LOOKS_SECONDS
        self._changed(claimed, report, state="waiting", not_before=self.database.now() + wait, **said)

    def _changed(self, claimed: Import, report: Report, **changes: Any) -> None:
        expect = {"token": claimed.token, "state": "running"}
        said = {"updated_at": self.database.now(), "counts": report.counts, "notes": report.notes}
        if self.database.imports.change(claimed.id, expect, said | changes) is None:
            raise Stopped

    # --- one look

    def _look(self, claimed: Import, report: Report) -> None:
        source = self.files.source(source_of(claimed.url))
        told, allowance = self.elapsed(), Allowance(self.taking.quotas, claimed.owner)
        for film in films(_found(claimed, source, report)):
            self.taking.check()
            report.counts["found"] += 1
            report.counts[self._outcome(claimed, source, film, report, allowance)] += 1
            if self.elapsed() - told > SAID_SECONDS:
                self._changed(claimed, report)
                told = self.elapsed()

    def _outcome(self, claimed: Import, source: OffersFiles, film: Film, report: Report, allowance: Allowance) -> str:
        """Which of `COUNTS` the file is to count among."""
        name, found = film.file.key, film.file
        shown = f"{HERE}{name}" if source_of(claimed.url) == HERE else name
        file = self.database.source_files.get(file_id(claimed, name))
        if file is not None and file.state == "taken" and is_same(found, file):
            return "taken" if file.import_id == claimed.id else "unchanged"
        try:
            if claimed.options.get("watch") and not (file is not None and is_same(found, file)):
                if not self._is_known(file, source, film):
                    self._seen(claimed, file, film)
                    return "growing"
                return "unchanged"
            sniff_bytes(b"".join(source.read_file(name, length=HEAD_BYTES)) if found.size_bytes else b"")
            if file is not None and file.state == "taken" and self._is_known(file, source, film):
                return "unchanged"
            if not claimed.options.get("dry_run"):
                self._take(claimed, source, film, file, allowance, lambda detail: report.note(shown, "warning", detail))
            else:
                report.note(shown, "would_take", f"{found.size_bytes} bytes")
        except MediaRejected as error:
            report.note(shown, "skipped", error.detail)
            return "skipped"
        except (InvalidInput, NotFound, TooLarge, InsufficientStorage) as error:
            report.note(shown, "failed", error.detail)
            return "failed"
        report.counts["bytes"] += found.size_bytes
        return "taken"

    def _take(
        self,
        claimed: Import,
        source: OffersFiles,
        film: Film,
        file: SourceFile | None,
        allowance: Allowance,
        note: Callable[[str], None],
    ) -> None:
        taking = self._placed(claimed, film, file, "taking")
        sha256 = self.taking.take(claimed, source, taking, film, allowance, note)
        changes = {"state": "taken", "sha256": sha256, "updated_at": self.database.now()}
        self.database.source_files.change(taking.id, {"state": "taking", "asset_id": taking.asset_id}, changes)

    def _seen(self, claimed: Import, file: SourceFile | None, film: Film) -> None:
        """Remember its size, to see whether it grows; what was taken stays that until it does not."""
        if file is None or file.state != "taken" or not is_same(film.file, file):
            self._placed(claimed, film, file, "seen")

    def _placed(self, claimed: Import, film: Film, file: SourceFile | None, state: Any) -> SourceFile:
        """The record of a file that is taken now, or may be soon. Who died over it left the ids of its asset."""
        found, now = film.file, self.database.now()
        is_linked = bool(claimed.options.get("link"))
        if file is not None and file.state == "taking" and is_same(found, file) and file.linked == is_linked:
            return file
        made = SourceFile(
            id=file_id(claimed, found.key),
            owner=claimed.owner,
            source=source_of(claimed.url),
            name=found.key,
            size_bytes=found.size_bytes,
            modified_at=found.modified_at,
            state=state,
            import_id=claimed.id,
            upload_id=new_id(),
            asset_id=new_id(),
            linked=is_linked,
            created_at=now,
            updated_at=now,
        )
        if file is None:
            self.database.source_files.insert(made)
            return made
        names = ("size_bytes", "modified_at", "state", "import_id", "upload_id", "asset_id", "linked", "updated_at")
        changes = {name: getattr(made, name) for name in names} | {"sha256": None, "gone_at": None}
        if self.database.source_files.change(file.id, {"rev": file.rev}, changes) is None:
            raise Unavailable("Another import takes the same files.", code="import.busy")
        return replace(made, rev=file.rev + 1)

    def _is_known(self, file: SourceFile | None, source: OffersFiles, film: Film) -> bool:
        """Whether the bytes are those that were taken, though size or time are others; then it is written down."""
        if file is None or file.state != "taken" or file.size_bytes != film.file.size_bytes:
            return False
        asset = self.database.assets.peek(file.asset_id, ("sha256",)) or {}
        known = file.sha256 or asset.get("sha256")
        if known is None or self.taking.digest(source, film.file) != known:
            return False
        changes = {"modified_at": film.file.modified_at, "sha256": known, "updated_at": self.database.now()}
        return self.database.source_files.change(file.id, {"rev": file.rev}, changes) is not None


def file_id(claimed: Import, name: str) -> str:
    """The id of the record of a file."""
    return derived_id("source", claimed.owner, source_of(claimed.url), name)


def source_of(url: str) -> str:
    """What names in an import are below: this machine, or a storage."""
    return HERE if url.startswith(HERE) else url


def _found(claimed: Import, source: OffersFiles, report: Report) -> Iterator[ObjectInfo]:
    recursive = bool(claimed.options.get("recursive"))

    def skipped(name: str, why: str) -> None:
        report.counts["found"] += 1
        report.counts["skipped"] += 1
        report.note(HERE + name, "skipped", f"It {why}.")

    if claimed.url.startswith(HERE):
        yield from walk(path_of(claimed.url.removeprefix(HERE)), recursive=recursive, skipped=skipped)
        return
    for each in source.files():
        if recursive or "/" not in each.key:
            yield each
