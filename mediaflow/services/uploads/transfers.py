"""Files that arrive in a row, from clients that append: protocols of resumable uploads are dialects of this machine.

What has come is in the chunks of an upload as soon as one is full, and in small pieces before. A file whose length
nobody said yet, and a part of one, are pieces alone. In the end all is the same upload as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from mediaflow.domain.errors import Busy, Conflict, Forbidden, InvalidInput, LimitReached, NotFound, TooLarge
from mediaflow.domain.ids import new_id
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.domain.transfers import Kind, Transfer, TransferState
from mediaflow.plugin import Storage, UploadDraft
from mediaflow.services.ports import Database
from mediaflow.services.uploads.acceptance import NewUpload
from mediaflow.services.uploads.appending import Appending, Verifier
from mediaflow.services.uploads.holding import Holding
from mediaflow.services.uploads.ingest import Ingest
from mediaflow.services.uploads.placing import placed, sized
from mediaflow.services.uploads.quotas import RETRY_SECONDS
from mediaflow.services.uploads.refusing import refuse

CHUNK_BYTES: Final = 1 << 20
"""A wish: what a connection that breaks may lose in memory, and small enough to be gathered there."""


@dataclass(frozen=True, slots=True)
class Transfers:
    """Makes them, appends to them, ends them. Every method is safe on several hosts at once."""

    database: Database
    storage: Storage
    ingest: Ingest
    holding: Holding

    @property
    def appending(self) -> Appending:
        """What takes the bytes."""
        return Appending(self.database, self.storage, self.ingest, self.holding)

    # --- begin and end

    def create(
        self,
        owner: str,
        said: dict[str, Any],
        metadata: str,
        *,
        length: int | None,
        kind: Kind = "whole",
        opened: bool = False,
        strict: bool = False,
    ) -> Transfer:
        """Begin one; `said` is a NewUpload without its size, `metadata` the same as the client wrote it. An `opened`
        one ends with `append(last=True)`; `strict`: what the client says of its file is judged now, and not in the end.
        """
        self._check_open(owner)
        transfer = replace(self._new(owner, said, metadata, length, kind), open=opened)
        if length is not None and kind == "partial":
            self.ingest.acceptance.check_size(_file(transfer, max(1, length)))
            self.ingest.acceptance.check_room(length)
        elif length is not None:
            if strict and length:
                self._judge(transfer, length)
            transfer = self._announced(transfer, length)
        self.database.transfers.insert(transfer)
        if length == 0:
            with self.holding.held(transfer.id) as held:
                transfer = self._finished(held)
        return transfer

    def place(self, owner: str, said: dict[str, Any]) -> Transfer:
        """Begin an open one whose upload (with the same id) and asset are there at once, though its length is not
        known.
        """
        self._check_open(owner)
        new = self._new(owner, said, "", None, "whole")
        transfer = replace(new, id=new.upload_id, open=True, placed=True)
        placed(self.ingest, owner, _file(transfer, 0), transfer.upload_id, transfer.asset_id)
        self.database.transfers.insert(transfer)
        return transfer

    def concatenate(self, owner: str, said: dict[str, Any], metadata: str, sources: list[str]) -> Transfer:
        """One file of several partial ones, in this order, which stay what they are."""
        found = [self.owned(owner, source) for source in sources]
        for each in found:
            if each.kind != "partial" or each.state != "complete":
                raise InvalidInput(f"The upload {each.id} is no partial one that is complete.", code="upload.concat")
        self._check_open(owner)
        length = sum(each.length or 0 for each in found)
        transfer = replace(self._new(owner, said, metadata, length, "final"), sources=sources)
        shared = [{**piece, "shared": True} for each in found for piece in each.pieces]
        transfer = self._announced(transfer, length)
        if transfer.state == "complete":
            self.database.transfers.insert(transfer)
            return transfer
        transfer = replace(transfer, pieces=shared)
        self.database.transfers.insert(transfer)
        with self.holding.held(transfer.id) as held:
            return self._finished(self.appending.poured(held))

    def end(self, owner: str, transfer_id: str) -> None:
        """Give one up: nothing of it is left, unless it is complete: then its asset stays."""
        self.owned(owner, transfer_id)
        with self.holding.held(transfer_id) as held:
            self.removed(held)

    def removed(self, held: Transfer) -> None:
        """Remove the record last: who dies before is repeated."""
        if held.announced and held.state == "receiving" and (upload := self.database.uploads.get(held.upload_id)):
            self.ingest.end(upload, "aborted")
        self.appending.pieces.drop(held.pieces)
        self.database.transfers.remove(held.id, {"token": held.token})

    # --- append

    def owned(self, owner: str, transfer_id: str) -> Transfer:
        """NotFound when there is none, or it is another's."""
        transfer = self.database.transfers.get(transfer_id)
        if transfer is None or transfer.owner != owner:
            raise NotFound("There is no such upload.", code="upload.not_found")
        return transfer

    def status(self, owner: str, transfer_id: str) -> Transfer:
        """How far one is. Who appends to it lets go of it: a client asks when it believes its connection dead. One of
        which all is here is completed, unless its client has to say so.
        """
        transfer = self.owned(owner, transfer_id)
        if transfer.token is None and not transfer.is_whole:
            return transfer
        with self.holding.held(transfer_id) as held:
            return self._finished(held)

    def complete_idle(self, transfer: Transfer) -> None:
        """Complete one of which all has come, though whoever should have done or said it died before."""
        with self.holding.held(transfer.id) as held:
            if held.is_whole:
                self._finished(self._closed(held))

    def append(
        self,
        owner: str,
        transfer_id: str,
        offset: int,
        blocks: Iterable[bytes],
        *,
        announced: int | None = None,
        length: int | None = None,
        verifier: Verifier | None = None,
        last: bool = False,
        told: Callable[[int], None] = lambda _: None,
    ) -> Transfer:
        """Append a body of perhaps `announced` bytes; `length` is what the client says of the whole now, and with
        `last` that this is all. What arrived before a body breaks off stays, unless it can't be verified then; each
        time when some of it is kept, the offset is `told`.
        """
        if self.owned(owner, transfer_id).kind == "final":
            raise Forbidden("A file that is put together of others takes no bytes.", code="upload.concat")
        with self.holding.held(transfer_id) as held:
            if offset != held.offset:
                raise Conflict(
                    f"The upload has {held.offset} bytes; go on from there, not from {offset}.", code="upload.offset"
                )
            before, held = held.state, self._with_length(held, length)
            if held.state != before:  # all is known by its digest: what comes with this is not looked at
                return held
            most = self._most(held)
            if announced is not None and announced > most:
                raise TooLarge(f"{announced} bytes are more than the {most} that are missing.", code="upload.too_large")
            arriving = _at_most(self.holding.watched(held, blocks), most)
            if held.state == "complete":
                for _ in arriving:  # there is room for none
                    pass
                return held
            if verifier is None:
                held = self.appending.take(held, arriving, told)
            else:
                held = self.appending.take_verified(held, arriving, verifier, announced)
            return self._finished(self._closed(held) if last else held)

    def _closed(self, held: Transfer) -> Transfer:
        """With the length that it has, for its client says that this is all."""
        held = self._with_length(held, held.offset)
        return self.holding.changed(held, open=False) if held.open else held

    def _finished(self, held: Transfer) -> Transfer:
        """Completed, if all is there."""
        if held.open or not held.is_whole:
            return held
        if held.kind != "partial":
            held = self.appending.poured(held)
            if held.offset > held.poured:  # its last chunk is claimed by a dead one; the client asks again
                raise Busy("The last bytes are being stored; ask for the offset again.", retry_after_seconds=2)
            self._completed(held)
        return self.holding.changed(held, state="complete")

    def _completed(self, held: Transfer) -> None:
        upload = self.database.uploads.get(held.upload_id)
        if upload is None or upload.state not in UPLOAD_RECEIVING:
            return
        try:
            self._judge(held, held.length or 0)
        except InvalidInput as error:
            refuse(self.ingest, upload, error)
        else:
            self.ingest.complete(held.owner, held.upload_id)

    def _judge(self, transfer: Transfer, length: int) -> None:
        new = _file(transfer, length)
        draft = UploadDraft(transfer.owner, new.filename, length, new.content_type, new.sha256, new.profile)
        self.ingest.acceptance.judge(draft)

    # --- what it is made of

    def _new(self, owner: str, said: dict[str, Any], metadata: str, length: int | None, kind: Kind) -> Transfer:
        now = self.database.now()
        expires = now + self.ingest.settings.upload_expiry_seconds
        return Transfer(
            id=new_id(),
            upload_id=new_id(),
            asset_id=new_id(),
            owner=owner,
            kind=kind,
            state="receiving",
            length=length,
            said=said,
            metadata=metadata,
            created_at=now,
            updated_at=now,
            expires_at=expires,
        )

    def _announced(self, transfer: Transfer, length: int) -> Transfer:
        """With its upload and asset; of nothing at all there is none."""
        if length == 0:
            return replace(transfer, length=0)
        new = _file(transfer, length)
        self.ingest.acceptance.check_size(new)
        self.ingest.acceptance.check_room(length)
        if transfer.placed:
            upload = sized(self.ingest, transfer.upload_id, new)
        else:
            upload = self.ingest.admit(transfer.owner, new, transfer.upload_id, transfer.asset_id)
        # of bytes that its owner has here, none need to come
        state: TransferState = "complete" if upload.shared else "receiving"
        return replace(transfer, length=length, announced=True, state=state)

    def _with_length(self, held: Transfer, length: int | None) -> Transfer:
        if length is None or length == held.length:
            return held
        if held.length is not None or length < held.offset:
            raise InvalidInput(f"The length can't become {length} bytes any more.", code="upload.length")
        if held.kind == "partial":
            return self.holding.changed(held, length=length)
        told = self._announced(held, length)
        if told.state == "complete":
            changed = self.holding.changed(held, length=length, announced=True, state="complete", pieces=[])
            self.appending.pieces.drop(held.pieces)
            return changed
        return self.appending.poured(self.holding.changed(held, length=length, announced=told.announced))

    def _most(self, held: Transfer) -> int:
        """The bytes that may still come."""
        whole = self.ingest.settings.max_upload_bytes if held.length is None else held.length
        return whole - held.offset

    def _check_open(self, owner: str) -> None:
        most = self.ingest.settings.quota_open_uploads
        where = {"owner": owner, "state": "receiving"}
        if most and (count := self.database.transfers.count(where)) >= most:
            raise LimitReached(
                f"You have {count} uploads that are not complete, of at most {most}; complete or end some first.",
                code="limit.open_uploads",
                retry_after_seconds=RETRY_SECONDS,
                used=count,
                limit=most,
                asked=1,
            )


def _file(transfer: Transfer, size_bytes: int) -> NewUpload:
    said = {**transfer.said, "tags": tuple(transfer.said.get("tags", ()))}
    return NewUpload(**said, size_bytes=size_bytes, chunk_size_bytes=CHUNK_BYTES, auto_complete=False)


def _at_most(blocks: Iterable[bytes], most: int) -> Iterator[bytes]:
    for block in blocks:
        if len(block) > most:
            yield block[:most]
            raise TooLarge("More bytes came than are missing.", code="upload.too_large")
        most -= len(block)
        yield block
