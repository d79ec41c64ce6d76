"""Fetches what was asked for, a few files at a time in each worker; what breaks off goes on where it was."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from mediaflow.domain.errors import Busy, MediaflowError, Unavailable
from mediaflow.domain.ids import new_id
from mediaflow.domain.imports import Import
from mediaflow.domain.transfers import Transfer
from mediaflow.services.imports.fetching import Fetcher, Found, Later, Refused
from mediaflow.services.ports import Below, Database
from mediaflow.services.uploads.refusing import refuse
from mediaflow.services.uploads.transfers import Transfers

_log = structlog.get_logger(__name__)
AT_ONCE: Final = 3
"""In a worker process: they wait for networks most of the time."""
LEASE_SECONDS: Final = 30.0
RENEW_SECONDS: Final = 5.0
MOST_ATTEMPTS: Final = 8
"""Without a byte more in between."""
LONGEST_WAIT_SECONDS: Final = 300.0
_LOOKED_AT: Final = 50


class Stopped(Exception):
    """The worker stops, or the import has been taken over."""


@dataclass(frozen=True, slots=True)
class Importer:
    """What one worker does of it. `look` is called again and again, by one thread."""

    database: Database
    transfers: Transfers
    fetcher: Fetcher
    is_stopped: Callable[[], bool]
    folders: Callable[[Import], None] = lambda _import: None
    feed: Callable[[], object] = lambda: None
    _running: dict[str, tuple[threading.Thread, Import]] = field(default_factory=dict)

    def look(self) -> None:
        """Begin what is due, if there is room here: first of those owners of whom least is fetched here."""
        for done in [key for key, (thread, _) in self._running.items() if not thread.is_alive()]:
            del self._running[done]
        self._hold()
        self.feed()
        if len(self._running) >= AT_ONCE:
            return
        now = self.database.now()
        due = self.database.imports.find(
            {"state": "waiting", "not_before": Below(now)}, sort=("not_before",), limit=_LOOKED_AT
        )
        left = self.database.imports.find({"state": "running", "lease_until": Below(now)}, limit=_LOOKED_AT)
        left = [each for each in left if each.id not in self._running]
        while len(self._running) < AT_ONCE and (each := self._next([*left, *due])):
            (left if each in left else due).remove(each)
            mine = {"state": "running", "token": new_id(), "lease_until": now + LEASE_SECONDS, "updated_at": now}
            claimed = self.database.imports.change(each.id, {"state": each.state, "token": each.token}, mine)
            if claimed is not None:
                thread = threading.Thread(target=self._run, args=(claimed,), name=f"import {each.id}", daemon=True)
                self._running[each.id] = thread, claimed
                thread.start()

    def _hold(self) -> None:
        """Say that what runs here still does: a server may take its time before it sends a byte."""
        now = self.database.now()
        for _, running in self._running.values():
            mine = {
                "token": running.token,
                "state": "running",
                "lease_until": Below(now + LEASE_SECONDS - RENEW_SECONDS),
            }
            self.database.imports.change(running.id, mine, {"lease_until": now + LEASE_SECONDS})

    def _next(self, due: list[Import]) -> Import | None:
        """Of the owner of whom least is fetched here; nobody, who may have named servers that are slow, has all."""
        owners = Counter(running.owner for _, running in self._running.values())
        found = min(due, key=lambda each: owners[each.owner], default=None)
        return found if found is not None and owners[found.owner] < AT_ONCE - 1 else None

    def wait(self, seconds: float) -> None:
        """Wait for what runs here to end, at most so long each."""
        for thread, _ in self._running.values():
            thread.join(seconds)

    def _run(self, claimed: Import) -> None:
        try:
            (self.folders if claimed.kind == "folder" else self.attempt)(claimed)
        except Stopped:
            pass
        except Exception:  # noqa: BLE001 - whatever it is, its lease ends and it is tried again
            _log.exception("import failed", import_id=claimed.id)

    def attempt(self, claimed: Import) -> None:
        """Fetch what is missing, and say what came of it."""
        before = self.database.transfers.get(claimed.id)
        if before is None or self._is_over(claimed, before):
            return
        try:
            self._fetch(claimed, before)
        except Stopped:
            self._changed(claimed, state="waiting")
        except (Unavailable, Busy) as error:  # of theirs or of ours
            self._later(claimed, before.offset, error)
        except MediaflowError as error:
            self._failed(claimed, error)
        else:
            self._changed(claimed, state="done")

    def _is_over(self, claimed: Import, transfer: Transfer) -> bool:
        """Whether nothing is left to do: it was ended, or is complete, or takes too long."""
        upload = self.database.uploads.get(claimed.upload_id)
        if transfer.state == "complete" or upload is None or upload.state not in ("initialized", "receiving"):
            self._changed(claimed, state="done")
            return True
        if self.database.now() >= claimed.until:
            self._failed(claimed, Refused("The file did not come in time.", code="import.too_slow"))
            return True
        return False

    def _fetch(self, claimed: Import, transfer: Transfer) -> None:
        with self.fetcher.fetched(claimed.url, transfer.offset, claimed.validator) as found:
            if transfer.offset and claimed.validator != found.validator:
                raise Refused("The file has changed while it was fetched; import it again.", code="import.changed")
            self._changed(claimed, validator=found.validator)
            blocks = self._watched(claimed, _behind(found, transfer.offset))
            if found.size_bytes == 0:
                raise Refused("The file is empty.", code="import.empty")
            length = found.size_bytes
            done = self.transfers.append(claimed.owner, transfer.id, transfer.offset, blocks, length=length, last=True)
        if not done.length:
            raise Refused("The file is empty.", code="import.empty")

    def _watched(self, claimed: Import, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The blocks, as long as this process may go on."""
        renewed, came = self.database.now(), 0
        least = self.transfers.ingest.settings.least_bytes_per_second * RENEW_SECONDS
        for block in blocks:
            yield block
            came += len(block)
            if self.is_stopped():
                raise Stopped
            if (now := self.database.now()) - renewed >= RENEW_SECONDS:
                if now >= claimed.until:
                    raise Refused("The file did not come in time.", code="import.too_slow")
                if came < least:
                    raise Later(f"It sends too slowly ({came} bytes in {now - renewed:.0f} s).", code="import.too_slow")
                self._changed(claimed)
                renewed, came = now, 0

    def _later(self, claimed: Import, offset: int, error: Unavailable | Busy) -> None:
        now, transfer = self.database.now(), self.database.transfers.get(claimed.id)
        came = transfer is not None and transfer.offset > offset
        attempts = 1 if came else claimed.attempts + 1
        if attempts >= MOST_ATTEMPTS:
            self._failed(claimed, error)
            return
        wait = min(LONGEST_WAIT_SECONDS, max(2.0**attempts, error.retry_after_seconds or 0))
        _log.info("import waits", import_id=claimed.id, seconds=wait, reason=error.detail)
        self._changed(claimed, state="waiting", attempts=attempts, not_before=now + wait)

    def _failed(self, claimed: Import, error: MediaflowError) -> None:
        upload = self.database.uploads.get(claimed.upload_id)
        if upload is not None:
            refuse(self.transfers.ingest, upload, error)
        with self.transfers.holding.held(claimed.id) as held:
            self.transfers.removed(held)
        self._changed(claimed, state="failed")

    def _changed(self, claimed: Import, **changes: object) -> None:
        """Stopped when it is somebody else's by now."""
        expect = {"token": claimed.token, "state": "running"}
        if self.database.imports.change(claimed.id, expect, {"updated_at": self.database.now(), **changes}) is None:
            raise Stopped


def _behind(found: Found, offset: int) -> Iterator[bytes]:
    """The bytes from there on, of a server that began before it."""
    skip = offset - found.offset
    if skip < 0:
        raise Refused("It sends another part of the file than was asked for.", code="import.refused")
    for block in found.blocks:
        if skip >= len(block):
            skip -= len(block)
            continue
        yield block[skip:]
        skip = 0
