"""Files whose parts clients send to the storage themselves, by URLs that it signs; we look at what is there then.

The parts become chunks like any others when the upload is completed: with the lengths that they have to have, and with
the storage's own receipts, so that one that is sent anew after this is refused. The whole is hashed as others are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import Conflict, InvalidInput, Problem
from mediaflow.domain.ids import chunk_id
from mediaflow.domain.records import Chunk, Upload
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.plugin import PresignsParts, ReceivesParts
from mediaflow.services.ports import Database
from mediaflow.services.uploads.chunks import chunk_length

SECONDS: Final = 3600
"""So long a URL is good for: a part of 64 MiB takes as long at 150 kbit/s."""
MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class DirectPart:
    """Where to PUT the bytes of one part. `received`: it is there, with the right length."""

    index: int
    size_bytes: int
    url: str
    received: bool


@dataclass(frozen=True, slots=True)
class Direct:
    """Signs, and looks at what came."""

    database: Database
    parts: ReceivesParts

    def check(self) -> None:
        """InvalidInput where the storage can't do that."""
        self._storage()

    def signed(self, upload: Upload, first: int, count: int) -> Sequence[DirectPart]:
        """Where to send some of the parts. Conflict when the upload is no direct one, or takes no more."""
        if not upload.direct:
            raise Conflict(
                "This upload takes its chunks here; announce one with the mode `direct`.", code="upload.mode"
            )
        if upload.state not in UPLOAD_RECEIVING:
            raise Conflict(f"The upload is {upload.state}; it takes no more.", code="upload.not_receiving")
        storage, key, handle = self._storage(), upload.storage_key, upload.parts_handle
        there = self.there(upload)

        def part(index: int) -> DirectPart:
            length = chunk_length(upload, index)
            url = storage.presign_part(key, handle, index, seconds=SECONDS)
            return DirectPart(index, length, url, index in there)

        return [part(index) for index in range(first, min(upload.chunk_count, first + count))]

    def there(self, upload: Upload) -> dict[int, tuple[int, str]]:
        """Length and receipt of each part that is there. What has another length than it must have is not: a part that
        was sent short and then whole may be told of twice, with one time for both.
        """
        return {
            part.index: (part.size_bytes, part.receipt)
            for part in self._storage().receipts(upload.storage_key, upload.parts_handle)
            if part.index < upload.chunk_count and part.size_bytes == chunk_length(upload, part.index)
        }

    def collect(self, upload: Upload) -> None:
        """Record all that is there as chunks."""
        now = self.database.now()
        self.database.chunks.insert_all(
            [
                Chunk(
                    id=chunk_id(upload.id, index),
                    upload_id=upload.id,
                    index=index,
                    state="received",
                    token="",
                    lease_until=now,
                    length=length,
                    receipt=receipt,
                )
                for index, (length, receipt) in self.there(upload).items()
            ]
        )

    def _storage(self) -> PresignsParts:
        if not isinstance(self.parts, PresignsParts):
            problem = Problem("upload.mode", "direct uploads are not offered here; use chunked", "/mode")
            raise InvalidInput("The mode is not offered.", code="upload.mode", problems=(problem,))
        return self.parts
