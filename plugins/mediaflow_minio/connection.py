"""The client of one location: made at first use in each process, with a pool of connections and bounded waits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3
from minio import Minio
from minio.error import S3Error
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from mediaflow_minio.errors import s3_errors
from mediaflow_minio.location import Location

CONNECT_SECONDS: Final = 5.0
"""A server that is gone is noticed within this time: connecting is not tried twice, whoever called will do that."""
SILENCE_SECONDS: Final = 60.0
"""Longest wait for the next bytes of an answer, and for the server to take the next bytes of a body."""
ANSWER_SECONDS: Final = 5.0
"""Longest wait for the beginning of an answer to what only looks, removes, or begins an upload; it is asked twice. So a
request hears within 10 s of a store that accepts connections and is silent (measured before: 120 s).
"""
STORE_SECONDS: Final = 20.0
"""The same for a body that was sent whole: the server flushes it to disk. What it composes or copies takes longer."""
# One for each thread of a web process (32 by default) and its streams; more are opened when needed and not kept.
_POOL_CONNECTIONS: Final = 64
_OWNED: Final = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class _PatientBody:
    """urllib3 sends bodies under the time limit for connecting: 5 s are too short for a server that flushes to disk.
    And it waits for any answer as long as for that to a body.
    """

    sock: Any
    connect: Any
    timeout: Any
    _patience_seconds = SILENCE_SECONDS

    def request(self, method: str, url: str, body: Any = None, *others: Any, **named: Any) -> None:
        # PUT without a body copies an object, POST with one joins parts: that takes its time
        if method in ("GET", "HEAD", "DELETE") or (method == "POST" and not body):
            self._patience_seconds = ANSWER_SECONDS
        else:
            self._patience_seconds = STORE_SECONDS if method == "PUT" and body else SILENCE_SECONDS
        super().request(method, url, body, *others, **named)  # type: ignore[misc]  # of the connection

    def getresponse(self) -> Any:
        self.timeout = self._patience_seconds
        answer = super().getresponse()  # type: ignore[misc]
        if self.sock is not None:
            self.sock.settimeout(SILENCE_SECONDS)
        return answer

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(STORE_SECONDS)
        super().send(data)  # type: ignore[misc]  # of the connection that this is mixed into


class _PlainConnection(_PatientBody, HTTPConnection):
    pass


class _SecureConnection(_PatientBody, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


@dataclass(slots=True)
class Session:
    """The client of one process. `checked` is True when its bucket is known to exist."""

    pid: int
    http: urllib3.PoolManager
    client: Minio
    checked: bool = False


@dataclass(slots=True)
class Connection:
    """Hands out the client. A forked child makes its own: sharing sockets would mix up answers."""

    location: Location
    _session: Session | None = field(init=False, default=None, repr=False)

    @property
    def bucket(self) -> str:
        return self.location.bucket

    def client(self) -> Minio:
        """The client, after its bucket was looked for once."""
        return self.session().client

    def session(self) -> Session:
        """The session of this process. Threads that come first at once may each make one; the last one stays."""
        session = self._session
        if session is None or session.pid != os.getpid():
            session = self._session = _new_session(self.location)
        if not session.checked:
            if self.location.create_bucket:
                with s3_errors():
                    _make_bucket(session.client, self.location)
            session.checked = True
        return session


def _new_session(location: Location) -> Session:
    http = urllib3.PoolManager(
        num_pools=4,
        maxsize=_POOL_CONNECTIONS,
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS),
        # Every request of the client's may be repeated: it names what it makes, or (a begun upload) is swept when lost.
        # Bodies that we stream ourselves are sent without retries.
        retries=urllib3.Retry(
            total=3,
            connect=0,
            other=0,
            read=1,
            status=3,
            backoff_factor=0.2,
            status_forcelist=(500, 502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
        ),
    )
    pools: Mapping[str, Any] = {"http": _PlainPool, "https": _SecurePool}
    http.pool_classes_by_scheme = dict(pools)
    client = Minio(
        location.endpoint,
        access_key=location.access_key,
        secret_key=location.secret_key,
        secure=location.secure,
        region=location.region or None,
        http_client=http,
    )
    return Session(os.getpid(), http, client)


def _make_bucket(client: Minio, location: Location) -> None:
    if client.bucket_exists(location.bucket):
        return
    try:
        client.make_bucket(location.bucket, location.region or None)
    except S3Error as error:
        if error.code not in _OWNED:  # another process was faster
            raise
