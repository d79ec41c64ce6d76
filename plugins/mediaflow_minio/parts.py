"""Multipart uploads.

minio-py keeps the calls for them private (`_create_multipart_upload`, ...): they may change with any version,
which is why setup.cfg pins it exactly.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from minio.datatypes import Part
from minio.error import S3Error

from mediaflow.plugin import InvalidInput, NotFound, PartReceipt, Unavailable
from mediaflow_minio.connection import Connection
from mediaflow_minio.errors import NO_UPLOAD, s3_errors
from mediaflow_minio.sending import send

MIN_PART_BYTES: Final = 5 * 1024 * 1024
MAX_PARTS: Final = 10_000
"""Both of https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html; MinIO and SeaweedFS keep to the first."""
_SECOND_LOOKS: Final = (0.05, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Parts:
    """The multipart uploads of one bucket. A handle is S3's upload id, a receipt the part's ETag."""

    connection: Connection

    def begin(self, key: str, name: str, size_bytes: int, part_bytes: int, content_type: str) -> str:
        """Begin an upload, after a look at whether S3 takes parts of that size."""
        if size_bytes < 1 or (size_bytes > part_bytes and part_bytes < MIN_PART_BYTES):
            raise _wrong(f"{size_bytes} bytes can't come in parts of {part_bytes}; S3 wants at least {MIN_PART_BYTES}.")
        if size_bytes > part_bytes * MAX_PARTS:
            raise _wrong(f"{size_bytes} bytes in parts of {part_bytes} are more than the {MAX_PARTS} parts of S3.")
        with s3_errors(key):
            client = self.connection.client()
            return client._create_multipart_upload(self.connection.bucket, name, {"Content-Type": content_type})

    def put(self, key: str, name: str, handle: str, index: int, blocks: Iterable[bytes], length: int) -> str:
        """Stream one part to the server and return its ETag."""
        if not 0 <= index < MAX_PARTS:
            raise _wrong(f"Part {index} can't be; S3 takes {MAX_PARTS} parts.")
        query = {"partNumber": str(index + 1), "uploadId": handle}
        try:
            response = send(self.connection, key, name, blocks, length=length, query=query)
        except Unavailable:
            # A server may refuse an unknown upload before the body came, and close: the refusal is lost in a reset.
            with s3_errors(key):
                self.connection.client()._list_parts(self.connection.bucket, name, handle, max_parts=1)
            raise
        return response.headers["ETag"].strip('"')

    def complete(self, key: str, name: str, handle: str, receipts: Sequence[str], size_bytes: int) -> None:
        """Put the parts together after a look at whether they are the whole. NotFound when the upload is not known.

        While somebody else completes the same upload, a server may have taken its parts away already and still know the
        upload (SeaweedFS 4.48): parts that are missing are looked for again before the upload is called wrong.
        """
        for wait_seconds in _SECOND_LOOKS:
            try:
                return self._complete(key, name, handle, receipts, size_bytes)
            except InvalidInput:
                time.sleep(wait_seconds)
        return self._complete(key, name, handle, receipts, size_bytes)

    def _complete(self, key: str, name: str, handle: str, receipts: Sequence[str], size_bytes: int) -> None:
        sizes = {(part.part_number, part.etag): part.size or 0 for part in self._received(key, name, handle)}
        parts = [Part(number, receipt) for number, receipt in enumerate(receipts, start=1)]
        missing = [part.part_number - 1 for part in parts if (part.part_number, part.etag) not in sizes]
        if missing:
            raise _wrong(f"Parts without these receipts: {missing[:10]}.")
        total = sum(sizes[part.part_number, part.etag] for part in parts)
        if total != size_bytes:
            raise _wrong(f"The parts make {total} bytes, not {size_bytes}.")
        with s3_errors(key):
            self.connection.client()._complete_multipart_upload(self.connection.bucket, name, handle, parts)

    def abort(self, name: str, handle: str) -> None:
        """Forget the upload; one that is not known is no error."""
        with s3_errors():
            try:
                self.connection.client()._abort_multipart_upload(self.connection.bucket, name, handle)
            except S3Error as error:
                if error.code != NO_UPLOAD:
                    raise

    def parts_of(self, key: str, name: str, handle: str) -> dict[int, int] | None:
        """The lengths of the parts that the server has."""
        try:
            return {part.part_number - 1: part.size or 0 for part in self._received(key, name, handle)}
        except NotFound:
            return None

    def receipts(self, key: str, name: str, handle: str) -> Sequence[PartReceipt]:
        """The parts that the server has, the oldest first. NotFound when it does not know the upload.

        Of a part that came twice SeaweedFS (4.48) lists both; which is older is known to the second.
        """
        received = sorted(self._received(key, name, handle), key=_modified)
        return [PartReceipt(part.part_number - 1, part.size or 0, part.etag.strip('"')) for part in received]

    def presign(self, key: str, name: str, handle: str, index: int, seconds: int) -> str:
        """A URL to PUT one part to."""
        query: dict[str, str | list[str] | tuple[str]] = {"partNumber": str(index + 1), "uploadId": handle}
        with s3_errors(key):
            return self.connection.client().get_presigned_url(
                "PUT", self.connection.bucket, name, timedelta(seconds=seconds), extra_query_params=query
            )

    def open(self, prefix: str) -> Iterator[tuple[str, str, float]]:
        """Name, upload id and beginning of the bucket's open uploads. S3 sorts them by name; SeaweedFS does not."""
        marker: str | None = None
        while True:
            with s3_errors():
                page = self.connection.client()._list_multipart_uploads(
                    self.connection.bucket, prefix=prefix, key_marker=marker
                )
            for upload in page.uploads:
                begun = upload.initiated_time
                yield upload.object_name, upload.upload_id or "", begun.timestamp() if begun else 0.0
            # each key of ours is received once, so that its name says enough of where to go on
            if not page.is_truncated or page.next_key_marker in (None, marker):
                return
            marker = page.next_key_marker

    def _received(self, key: str, name: str, handle: str) -> Iterator[Part]:
        marker: str | None = None
        while True:
            with s3_errors(key):
                page = self.connection.client()._list_parts(
                    self.connection.bucket, name, handle, part_number_marker=marker
                )
            yield from page.parts
            if not page.is_truncated:
                return
            marker = page.next_part_number_marker


def _modified(part: Part) -> float:
    return part.last_modified.timestamp() if part.last_modified else 0.0


def _wrong(detail: str) -> InvalidInput:
    return InvalidInput(detail, code="storage.wrong_parts")
