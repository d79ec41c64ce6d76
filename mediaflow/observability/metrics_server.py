"""`/metrics` on an address of its own, so that it is never open to those who may only use the service."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from mediaflow.observability.metrics import exposed_registry
from mediaflow.plugin import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log: Final = logging.getLogger("mediaflow.metrics")


class MetricsServer(NamedTuple):
    """A running server. `port` is the real one when 0 was asked for."""

    server: WSGIServer
    thread: threading.Thread
    port: int

    def close(self) -> None:
        """Stop answering and give the port back."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def metrics_app(own: CollectorRegistry, *more: Collector) -> WSGIApplication:
    """A WSGI application that answers `/metrics`, and 404 anywhere else."""
    exposition: WSGIApplication = make_wsgi_app(exposed_registry(own, *more))

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == "/metrics":
            return exposition(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"The metrics are at /metrics.\n"]

    return answer


def metrics_address(bind: str) -> tuple[str, int] | None:
    """Host and port of `MEDIAFLOW_METRICS_BIND`; None for `off`. Raises ConfigurationError for anything else."""
    if bind == "off":
        return None
    host, colon, port = bind.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ConfigurationError(f"MEDIAFLOW_METRICS_BIND is {bind!r}; it must be HOST:PORT, [IPV6]:PORT or off")
    return host.removeprefix("[").removesuffix("]"), int(port)


def serve_metrics(bind: str, own: CollectorRegistry, *more: Collector) -> MetricsServer | None:
    """Serve `/metrics` from a thread of its own; None for `off`. `own` is the registry of this process's metrics,
    `more` are collectors beside it.

    Raises ConfigurationError when the address can't be bound.
    """
    address = metrics_address(bind)
    if address is None:
        return None
    host, port = address
    kind = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, metrics_app(own, *more), server_class=kind, handler_class=_Handler)
    except OSError as error:
        raise ConfigurationError(
            f"the metrics can't be served at {bind}: {error.strerror}; change MEDIAFLOW_METRICS_BIND, or set it to off"
        ) from error
    # a short poll, so that an end in order does not wait
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="metrics", daemon=True)
    thread.start()
    return MetricsServer(server, thread, server.server_port)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10  # seconds that a silent connection may hold a thread

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)
