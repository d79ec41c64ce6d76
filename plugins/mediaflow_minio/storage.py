"""The storage `s3:`: each object is an object of one bucket, under the storage's prefix."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from minio.commonconfig import ComposeSource, CopySource
from minio.error import S3Error

from mediaflow.plugin import (
    InvalidInput,
    NotFound,
    ObjectInfo,
    PartReceipt,
    Reception,
    Unavailable,
    checked_key,
    exact_blocks,
)
from mediaflow_minio import reading
from mediaflow_minio.connection import Connection
from mediaflow_minio.errors import NO_OBJECT, no_object, no_parts, s3_errors
from mediaflow_minio.location import Location
from mediaflow_minio.parts import MAX_PARTS, MIN_PART_BYTES, Parts
from mediaflow_minio.reading import ObjectBlocks
from mediaflow_minio.sending import send

_MIB: Final = 1024 * 1024
_LONGEST_PRESIGN_SECONDS: Final = 7 * 24 * 3600  # Signature Version 4, X-Amz-Expires


@dataclass(slots=True)
class S3Storage:
    """Objects in one bucket of any S3 server. Nothing connects before the first use.

    Objects larger than `part_bytes` are put as several parts, those larger than `copy_bytes` copied in pieces of that
    size, so that no request takes long and one that fails loses little.
    """

    location: Location
    part_bytes: int = 64 * _MIB
    copy_bytes: int = 512 * _MIB
    _connection: Connection = field(init=False)
    _others: Connection = field(init=False)
    """For files of others: their bucket is not made by us."""
    _parts: Parts = field(init=False)

    def __post_init__(self) -> None:
        self._connection = Connection(self.location)
        self._others = Connection(replace(self.location, create_bucket=False))
        self._parts = Parts(self._connection)

    # --- Storage

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:
        name = self._name(key)
        if size_bytes > self.part_bytes:
            return self._put_parts(key, blocks, size_bytes, content_type)
        answer = send(self._connection, key, name, blocks, length=size_bytes, content_type=content_type)
        date = answer.headers.get("Date")
        return ObjectInfo(key, size_bytes, parsedate_to_datetime(date).timestamp() if date else time.time())

    def _put_parts(self, key: str, blocks: Iterable[bytes], size_bytes: int, content_type: str) -> ObjectInfo:
        part_bytes = max(self.part_bytes, -(-size_bytes // MAX_PARTS))
        handle = self.begin_parts(key, size_bytes=size_bytes, part_bytes=part_bytes, content_type=content_type)
        body = _Pieces(exact_blocks(blocks, size_bytes))
        receipts: list[str] = []
        try:
            for offset in range(0, size_bytes, part_bytes):
                length = min(part_bytes, size_bytes - offset)
                piece = body.take(length)
                receipts.append(self.put_part(key, handle, len(receipts), piece, offset=offset, length=length))
            return self.complete_parts(key, handle, receipts, size_bytes=size_bytes)
        except BaseException:
            self.abort_parts(key, handle)
            raise

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._read(self._connection, key, self._name(key), offset, length)

    def _read(self, connection: Connection, key: str, name: str, offset: int, length: int | None) -> Iterator[bytes]:
        if offset < 0 or (length is not None and length < 0):
            raise InvalidInput(f"{length} bytes at {offset} can't be read.", code="storage.bad_range")
        if length == 0:  # no range of HTTP says that
            if self._stat(connection, key, name) is None:
                raise no_object(key)
            return iter(())
        return ObjectBlocks(connection, key, name, offset, length)

    def stat(self, key: str) -> ObjectInfo | None:
        return self._stat(self._connection, key, self._name(key))

    def _stat(self, connection: Connection, key: str, name: str) -> ObjectInfo | None:
        with s3_errors(key):
            try:
                found = connection.client().stat_object(connection.bucket, name)
            except S3Error as error:
                if error.code == NO_OBJECT:
                    return None
                raise
        modified = found.last_modified
        return ObjectInfo(key, found.size or 0, modified.timestamp() if modified else 0.0)

    def delete(self, key: str) -> None:
        with s3_errors(key):
            self._connection.client().remove_object(self._connection.bucket, self._name(key))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        start = self.location.prefix
        with s3_errors():
            client = self._connection.client()
            for entry in reading.objects(client, self._connection.bucket, start + prefix):
                key = entry.object_name.removeprefix(start)
                if _is_key(key):
                    yield ObjectInfo(key, entry.size, entry.last_modified.timestamp())

    # --- ReceivesParts

    @property
    def min_part_bytes(self) -> int:
        return MIN_PART_BYTES

    def begin_parts(self, key: str, *, size_bytes: int, part_bytes: int, content_type: str) -> str:
        return self._parts.begin(key, self._name(key), size_bytes, part_bytes, content_type)

    def put_part(self, key: str, handle: str, index: int, blocks: Iterable[bytes], *, offset: int, length: int) -> str:  # noqa: ARG002
        return self._parts.put(key, self._name(key), handle, index, blocks, length)

    def complete_parts(self, key: str, handle: str, receipts: Sequence[str], *, size_bytes: int) -> ObjectInfo:
        try:
            self._parts.complete(key, self._name(key), handle, receipts, size_bytes)
            known = True
        except NotFound:  # completed before, or aborted: the object tells
            known = False
        found = self.stat(key)
        if found is not None and found.size_bytes == size_bytes:
            return found
        if known:
            raise Unavailable("The object store took the parts, but does not show the object.")
        raise no_parts(key)

    def abort_parts(self, key: str, handle: str) -> None:
        self._parts.abort(self._name(key), handle)

    # --- KnowsParts

    def parts_of(self, key: str, handle: str) -> Mapping[int, int] | None:
        return self._parts.parts_of(key, self._name(key), handle)

    def receptions(self) -> Iterator[Reception]:
        start = self.location.prefix
        for name, handle, begun_at in self._parts.open(start):
            if name.startswith(start) and _is_key(key := name.removeprefix(start)):
                # what the parts take is known by a request for each only
                yield Reception(handle, key, begun_at, 0)

    def discard(self, reception: Reception) -> None:
        if reception.key is not None:
            self.abort_parts(reception.key, reception.handle)

    # --- CopiesObjects

    def move(self, source: str, target: str) -> ObjectInfo:
        found = self.stat(source)
        if found is not None and source != target:
            self._copy(source, target, found.size_bytes)
            self.delete(source)
        moved = self.stat(target)
        if moved is None:
            raise no_object(source)
        return moved

    def _copy(self, source: str, target: str, size_bytes: int) -> None:
        client, bucket = self._connection.client(), self._connection.bucket
        name, to = self._name(source), self._name(target)
        with s3_errors(source):
            if size_bytes <= self.copy_bytes:
                client.copy_object(bucket, to, CopySource(bucket, name))
                return
            # a copy in pieces loses the content type, so it is given again
            content_type = client.stat_object(bucket, name).content_type or "application/octet-stream"
            pieces = [
                ComposeSource(bucket, name, offset=offset, length=min(self.copy_bytes, size_bytes - offset))
                for offset in range(0, size_bytes, self.copy_bytes)
            ]
            client.compose_object(bucket, to, pieces, metadata={"Content-Type": content_type})

    # --- PresignsParts

    def presign_part(self, key: str, handle: str, index: int, *, seconds: int) -> str:
        return self._parts.presign(key, self._name(key), handle, index, seconds)

    def receipts(self, key: str, handle: str) -> Sequence[PartReceipt]:
        return self._parts.receipts(key, self._name(key), handle)

    # --- OffersFiles

    def files(self, prefix: str = "") -> Iterator[ObjectInfo]:
        start = self.location.prefix
        with s3_errors():
            for entry in reading.objects(self._others.client(), self._others.bucket, start + prefix):
                if not entry.object_name.endswith("/"):  # a marker of a directory
                    name = entry.object_name.removeprefix(start)
                    yield ObjectInfo(name, entry.size, entry.last_modified.timestamp())

    def file(self, name: str) -> ObjectInfo | None:
        return self._stat(self._others, name, self.location.prefix + name)

    def read_file(self, name: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._read(self._others, name, self.location.prefix + name, offset, length)

    # --- PresignsUrls

    def presign(self, key: str, *, seconds: int) -> str:
        if not 1 <= seconds <= _LONGEST_PRESIGN_SECONDS:
            raise InvalidInput(
                f"A URL can be valid for 1 to {_LONGEST_PRESIGN_SECONDS} seconds, not for {seconds}.",
                code="storage.bad_presign",
            )
        with s3_errors(key):
            return self._connection.client().presigned_get_object(
                self._connection.bucket, self._name(key), timedelta(seconds=seconds)
            )

    def _name(self, key: str) -> str:
        return self.location.prefix + checked_key(key)


def _is_key(name: str) -> bool:
    """False for what others keep in the bucket, markers of directories among it."""
    try:
        checked_key(name)
    except InvalidInput:
        return False
    return True


class _Pieces:
    """Cuts a body into consecutive pieces without holding more than one block."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._left = blocks, b""

    def take(self, length: int) -> Iterator[bytes]:
        """The next `length` bytes; fewer when the body ends before."""
        while length > 0:
            block = self._left or next(self._blocks, b"")
            if not block:
                return
            piece, self._left = block[:length], block[length:]
            length -= len(piece)
            yield piece
