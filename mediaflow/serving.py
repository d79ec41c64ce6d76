"""The web server: gunicorn's settings as one function, for `gunicorn.conf.py` and for `mediaflow serve`.

Nothing here may import prometheus_client before `share_metrics` has run: it decides at import whether processes share.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import gunicorn.app.base  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from mediaflow import registry
from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.ids import new_id
from mediaflow.observability.logging import configure_logging
from mediaflow.settings import Settings

APPLICATION: Final = "mediaflow.app:from_environment()"
SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
CLOSE: Final = "mediaflow.close"
"""Where an application keeps the function that gives everything back (`app.extensions`)."""

BOOT_FAILED: Final = 3
"""The exit code at which gunicorn stops; a worker that ends with another one is started again, for ever."""
STALL_SECONDS: Final = 30
"""A connection on which nothing moves for so long, while a thread waits for it, is given up."""
KEEPALIVE_SECONDS: Final = 15
"""Longer than a player's pause between two segments."""
GRACE_SECONDS: Final = 20
HEARTBEAT_SECONDS: Final = 60
"""A worker whose main loop (not a request: those may take as long as they move) is silent for so long is replaced."""
CONNECTIONS: Final = 1000
REFUSAL_SECONDS: Final = 0.5
REFUSAL_BYTES: Final = 256 * 1024
REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("request.malformed", "The request is not well-formed HTTP."),
    403: ("request.forbidden", "The request is not allowed here."),
    414: ("request.uri_too_long", "The request's first line is too long."),
    417: ("request.expectation", "What the Expect header asks for is not offered."),
    431: ("request.headers_too_large", "The request has too many headers, or one that is too large."),
    500: ("internal.error", "Something went wrong on our side; the request id finds it in the logs."),
    501: ("request.transfer_coding", "The Transfer-Encoding is not known here."),
}
"""Codes and sentences of what gunicorn refuses before the application is asked."""


def gunicorn_settings(settings: Settings) -> dict[str, Any]:
    """Everything that gunicorn is told, hooks among it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": [f"{host}:{settings.port}"],
        "workers": settings.web_processes,
        # threads, because a slow body or a slow viewer holds one for as long as it lasts
        "worker_class": "mediaflow.serving.StallGuardedWorker",
        "threads": settings.web_threads,
        "worker_connections": max(CONNECTIONS, 2 * settings.web_threads),
        "timeout": HEARTBEAT_SECONDS,
        "graceful_timeout": GRACE_SECONDS,
        "keepalive": KEEPALIVE_SECONDS,
        # by default it believes whoever connects from this host; whom we believe says MEDIAFLOW_TRUSTED_PROXIES
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        # its default path is shared by all instances of a user
        "control_socket_disable": True,
        # requests are logged by the application, without what is secret in their paths
        "accesslog": None,
        "errorlog": "-",
        "loglevel": settings.log_level,
        "proc_name": "mediaflow",
        "on_starting": _on_starting,
        "when_ready": _when_ready,
        "worker_exit": _worker_exit,
        "child_exit": _child_exit,
        "on_exit": _on_exit,
    }


def run(settings: Settings) -> int:
    """Serve until SIGTERM; the exit code is 0 then, and 1 when it could not start."""
    try:
        _Server(gunicorn_settings(settings)).run()
    except SystemExit as stop:
        return 1 if stop.code else 0
    return 0


class StallGuardedWorker(ThreadWorker):  # type: ignore[misc]
    """gthread, whose connections may not stall.

    Two silent bodies held both threads of a worker for over 20 s in spite of `timeout` (measured).
    """

    def init_process(self) -> None:
        self.log.error_log.addFilter(_without_stalls)
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        # the kernel's own limits: gthread takes Python's time-out off before each request, and Python's would limit the
        # whole of a large `sendall`, however steadily it moves
        limit = struct.pack("ll", STALL_SECONDS, 0)
        try:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                conn.sock.setsockopt(socket.SOL_SOCKET, option, limit)
        except OSError:
            # the client has gone already, which the request's thread will find out
            self.log.debug("connection ended before its request")
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        req.body.reader = _ClientsReader(req.body.reader)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        super().handle_error(req, _ProblemWriter(client, self.log), addr, exc)


class _ProblemWriter:
    """The socket of a request that gunicorn itself refuses: its page of HTML becomes a problem document (RFC 9457).

    gunicorn decides the status and writes the whole answer at once, so that the status can be read from it.
    """

    def __init__(self, client: Any, log: Any) -> None:
        self._client, self._log = client, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, answer: bytes) -> None:
        status = int(answer.split(b" ", 2)[1])
        request_id = new_id()
        self._log.info("request %s was refused with %d before it was read", request_id, status)
        self._client.settimeout(REFUSAL_SECONDS)
        self._client.sendall(_refusal(status, request_id))
        self._drain()

    def _drain(self) -> None:
        """Read on for a moment: a connection that is closed on unread bytes is reset, and the answer lost with it."""
        until, left = time.monotonic() + REFUSAL_SECONDS, REFUSAL_BYTES
        with contextlib.suppress(OSError):  # the client has gone, or waits
            self._client.shutdown(socket.SHUT_WR)
            while left > 0 and time.monotonic() < until and (block := self._client.recv(65536)):
                left -= len(block)


def _refusal(status: int, request_id: str) -> bytes:
    code, detail = REFUSALS.get(status, ("request.malformed", "The request can't be read."))
    document = {
        "type": f"urn:mediaflow:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [],
        "request_id": request_id,
    }
    body = json.dumps(document).encode()
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {request_id}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


class _ClientsReader:
    """A body whose malformed framing is an OSError, as whatever else keeps a body from arriving.

    Nobody above knows gunicorn's own exceptions, and took them for a fault of ours (500).
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def read(self, size: int) -> bytes:
        try:
            return bytes(self._reader.read(size))
        except ParseException as error:
            # the number at which gunicorn closes the connection without a traceback
            raise OSError(errno.ECONNRESET, f"the body is malformed ({error})") from error


class _Server(gunicorn.app.base.BaseApplication):  # type: ignore[misc]
    """gunicorn without a command line: the settings are ours, its own environment variable is not looked at."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in {**self._options, "wsgi_app": APPLICATION}.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from gunicorn.util import import_app  # type: ignore[import-untyped]

        return import_app(APPLICATION)


def _without_stalls(record: logging.LogRecord) -> bool:
    """No traceback for a connection that stalled: it is the client's doing and can happen a thousand times."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


# --- hooks of gunicorn, in the order in which they are called


def _on_starting(server: Any) -> None:
    settings, plugins = registry.load(os.environ)
    configure_logging(settings, plugins.setting_specs)
    server.mediaflow_metrics = _share_metrics(settings)


def _share_metrics(settings: Settings) -> str | None:
    """A directory in which our processes share their metrics; None when that is somebody else's business.

    Where the variable is set already, whoever set it (`mediaflow up`) collects from more programs than this one.
    """
    if SHARED_METRICS in os.environ or settings.metrics_bind == "off":
        return None
    os.environ[SHARED_METRICS] = tempfile.mkdtemp(prefix="mediaflow-metrics-")
    return os.environ[SHARED_METRICS]


def _when_ready(server: Any) -> None:
    if server.mediaflow_metrics is None:
        return
    from mediaflow.observability.metrics_server import serve_metrics
    from mediaflow.runtime import make_metrics

    settings, plugins = registry.load(os.environ)
    try:
        serve_metrics(settings.metrics_bind, make_metrics(plugins).registry)
    except MediaflowError as error:
        server.log.error("%s", error.detail)  # noqa: TRY400 - the sentence says it all
        server.halt(reason="metrics", exit_status=1)


def _worker_exit(_server: Any, worker: Any) -> None:
    extensions = getattr(getattr(worker, "wsgi", None), "extensions", {})
    if CLOSE in extensions:
        extensions[CLOSE]()


def _child_exit(server: Any, worker: Any) -> None:
    if getattr(server, "mediaflow_metrics", None):
        from mediaflow.observability.metrics import mark_process_dead

        mark_process_dead(worker.pid)


def _on_exit(server: Any) -> None:
    if directory := getattr(server, "mediaflow_metrics", None):
        shutil.rmtree(directory, ignore_errors=True)


def settings_or_exit() -> Settings:
    """The environment's settings; one sentence and exit code 1 when they are wrong."""
    try:
        return registry.load(os.environ)[0]
    except MediaflowError as error:
        sys.exit(f"mediaflow: {error.detail}")
