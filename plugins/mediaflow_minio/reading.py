"""Reads: a range of one object in blocks, and listings in the order of keys."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from minio import Minio
from minio.error import S3Error
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from mediaflow.plugin import Unavailable
from mediaflow_minio.connection import Connection
from mediaflow_minio.errors import BAD_RANGE, s3_errors

READ_BYTES: Final = 128 * 1024
"""Less than a storage may give at once: the web server keeps a block for each client that reads slowly."""
_RESUMPTIONS: Final = 3
# What one answer of ListObjectsV2 holds at most.
_PAGE: Final = 1000


class ObjectBlocks(Iterator[bytes]):
    """The bytes of an object from `offset` (all, or `length` of them). NotFound from the constructor.

    A connection that breaks off in the middle is taken up again at the byte where it stopped, of the same version. The
    connection goes back to the pool at the end, and is cut by `close` or when this is dropped.
    """

    def __init__(self, connection: Connection, key: str, name: str, offset: int, length: int | None) -> None:
        self._connection, self._key, self._name = connection, key, name
        self._position, self._resumptions = offset, 0
        self._response: BaseHTTPResponse | None = None
        with s3_errors(key):
            try:
                self._response = self._get(offset, length or 0, {})
            except S3Error as error:
                if error.code != BAD_RANGE:  # the range begins at the end or beyond: there is nothing to read
                    raise
        self._end = offset
        if self._response is not None:
            self._end += int(self._response.headers["Content-Length"])
            self._version = {"If-Match": self._response.headers["ETag"]}

    def _get(self, offset: int, length: int, headers: dict[str, Any]) -> BaseHTTPResponse:
        client, bucket = self._connection.client(), self._connection.bucket
        return client.get_object(bucket, self._name, offset=offset, length=length, request_headers=headers)

    def __next__(self) -> bytes:
        while self._response is not None and self._position < self._end:
            try:
                block: bytes = self._response.read(READ_BYTES)
            except HTTPError as error:
                self._resume(error)
                continue
            if block:
                self._position += len(block)
                return block
            self._resume(EOFError("the answer ended early"))
        self._release()
        raise StopIteration

    def _resume(self, error: Exception) -> None:
        self.close()
        self._resumptions += 1
        if self._resumptions > _RESUMPTIONS:
            raise Unavailable("The object store broke off while an object was read.") from error
        with s3_errors(self._key):
            self._response = self._get(self._position, self._end - self._position, self._version)

    def _release(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.release_conn()

    def close(self) -> None:
        """Cut the connection, as what is left of the body was not read; calling it again does no harm."""
        response, self._response = self._response, None
        if response is not None:
            response.close()
            response.release_conn()

    def __del__(self) -> None:
        self.close()


def objects(client: Minio, bucket: str, prefix: str) -> Iterator[Any]:
    """Every object below `prefix` in the order of keys, whatever order the server has.

    S3 lists in the order of bytes, but SeaweedFS (4.48) walks its directories, where `a/b` comes before `a-b`. One page
    is sorted here; of more, one level is listed and sorted, and each directory in it the same way.
    """
    page = list(islice(client.list_objects(bucket, prefix=prefix, recursive=True), _PAGE + 1))
    if len(page) > _PAGE:
        yield from _level(client, bucket, prefix)
    else:
        yield from sorted(page, key=_name)


def _level(client: Minio, bucket: str, prefix: str) -> Iterator[Any]:
    for entry in sorted(client.list_objects(bucket, prefix=prefix), key=_name):
        if entry.is_dir:
            yield from objects(client, bucket, _name(entry))
        else:
            yield entry


def _name(entry: Any) -> str:
    name: str = entry.object_name
    return name
