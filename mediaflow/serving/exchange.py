"""One request from its head to the end of its answer, as a generator that stops wherever it would have to wait."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from mediaflow.serving.connection import Connection
from mediaflow.serving.pauses import Pause
from mediaflow.serving.refusals import refusal
from mediaflow.serving.wire import INTERIM, PACE

Ended = Callable[[], bool]


class _Reader:
    """A body whose malformed framing is an OSError, as whatever else keeps a body from arriving.

    Nobody above knows gunicorn's own exceptions, and took them for a fault of ours (500).
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    @property
    def is_read(self) -> bool:
        """True when all of the body was taken from the connection."""
        length = getattr(self._reader, "length", None)
        return length == 0 if length is not None else self._reader.parser is None

    def read(self, size: int) -> bytes:
        try:
            return bytes(self._reader.read(size))
        except ParseException as error:
            # the number at which gunicorn closes the connection without a traceback
            raise OSError(errno.ECONNRESET, f"the body is malformed ({error})") from error


class Answer(wsgi.Response):  # type: ignore[misc]
    """gunicorn's response, which closes the connection behind a body of which a part may still come."""

    def __init__(self, req: Any, sock: Any, cfg: Any, may_go_on: Ended) -> None:
        super().__init__(req, sock, cfg)
        self._may_go_on = may_go_on

    def default_headers(self) -> list[str]:
        if not self._may_go_on():
            self.force_close()
        headers: list[str] = super().default_headers()
        return headers


def exchange(worker: Any, request: Any, conn: Connection, *, whole: bool) -> Iterator[Pause | None]:
    """Call the application and write its answer; yields a Pause, or None while the client has to read first.

    `whole`: the body is there. Afterwards the connection may be used again unless `request.must_close`.
    """
    began = time.monotonic()
    answer, environ = _begun(worker, request, conn, whole=whole)
    try:
        body = worker.wsgi(environ, answer.start_response)
        try:
            yield from _written(worker, answer, body, conn)
        finally:
            if hasattr(body, "close"):
                body.close()
        if answer.status is not None:
            answer.close()
    except (OSError, GeneratorExit):
        raise  # the client is gone
    except Exception:
        if not answer.headers_sent:
            raise
        worker.log.exception("Error handling request")
        answer.force_close()
    finally:
        worker.log.access(answer, request, environ, timedelta(seconds=time.monotonic() - began))
    if conn.wire.is_full:
        yield None
    if answer.should_close() or not conn.parser.finish_body():
        request.force_close()


def _begun(worker: Any, request: Any, conn: Connection, *, whole: bool) -> tuple[Answer, dict[str, Any]]:
    """An answer of which nothing is known, and the environment of its request."""
    reader = request.body.reader = _Reader(request.body.reader)
    if whole:
        request._expected_100_continue = False  # the main loop has said it
    answer, environ = wsgi.create(
        request,
        conn.wire,
        conn.client,
        conn.server,
        worker.cfg,
        response_class=Answer,
        response_args=(lambda: worker.alive and (whole or reader.is_read),),
    )
    environ["wsgi.multithread"] = True
    if request.version >= (1, 1):
        environ[INTERIM] = conn.wire.say
    if not whole:
        environ[PACE] = conn.wire.pace  # for who reads the body
    return answer, environ


def _written(worker: Any, answer: Any, body: Any, conn: Connection) -> Iterator[Pause | None]:
    for part in body:
        if not isinstance(part, Pause):
            answer.write(part)
        elif worker.alive:
            if answer.status is not None:
                answer.write(b"")  # the head goes first
            yield part
        else:
            answer.force_close()
            if answer.status is None:
                conn.wire.sendall(refusal(503)[0])
            return
        while conn.wire.is_full:
            yield None
