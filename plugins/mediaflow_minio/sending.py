"""Bodies that are streamed to the server block by block.

minio-py reads a whole part into memory before it sends it (7.2.20, `put_object`, `_upload_part`). Here a presigned PUT
(its payload is unsigned, so nothing need be known in advance) goes out through the same connections, from an iterator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.response import BaseHTTPResponse

from mediaflow.plugin import exact_blocks
from mediaflow_minio.connection import Connection
from mediaflow_minio.errors import broken_off, of_response, s3_errors

_OK: Final = 200
# The signature is looked at when the request starts, so this need not cover a slow body; it covers clocks that differ.
_VALID: Final = timedelta(minutes=15)


class _Body:
    """The blocks for urllib3, which would turn an OSError of theirs into one of the connection: it is kept here."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.started = False
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._blocks:
                self.started = True
                yield block
        except Exception as error:
            self.started, self.error = True, error
            raise


def send(
    connection: Connection,
    key: str,
    name: str,
    blocks: Iterable[bytes],
    *,
    length: int,
    content_type: str = "",
    query: Mapping[str, str] | None = None,
) -> BaseHTTPResponse:
    """PUT exactly `length` bytes to the object `name` (of the key `key`) and return the answer, which is a success.

    When `blocks` raises, the connection is cut before the last byte, the server drops what it got, and the error passes
    through. Raises Unavailable when the server does.
    """
    exact = exact_blocks(blocks, length)
    if length == 0:
        # the head alone completes such a request: the body is looked at before it goes out
        exact = iter(list(exact))
    body = _Body(exact)
    headers = {"Content-Length": str(length)} | ({"Content-Type": content_type} if content_type else {})
    try:
        response = _put(connection, key, name, body, headers, query)
    except HTTPError as error:
        if body.error is not None:
            raise body.error from None
        raise broken_off(error) from error
    if response.status != _OK:
        raise of_response(response, key)
    return response


def _put(
    connection: Connection,
    key: str,
    name: str,
    body: _Body,
    headers: Mapping[str, str],
    query: Mapping[str, str] | None,
) -> BaseHTTPResponse:
    session = connection.session()
    with s3_errors(key):
        url = session.client.get_presigned_url(
            "PUT", connection.bucket, name, _VALID, extra_query_params=dict(query) if query else None
        )
    # A connection that was kept may have been closed by the server just now: while nothing was taken from the body,
    # another one is tried. Later a repeat is impossible, since the body can't be had twice.
    try:
        return session.http.urlopen("PUT", url, body=body, headers=headers, retries=False)
    except ProtocolError:
        if body.started:
            raise
        return session.http.urlopen("PUT", url, body=body, headers=headers, retries=False)
