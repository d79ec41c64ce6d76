"""Addresses to bind: free ports, ports that are taken, and the URL that people type."""

from __future__ import annotations

import errno
import socket
from typing import Final

from mediaflow.plugin import ConfigurationError

LOOPBACK: Final = "127.0.0.1"
EVERY_ADDRESS: Final = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


def free_port(host: str = LOOPBACK) -> int:
    """A port that nobody uses at this moment. Whoever binds it keeps it; until then another program could."""
    with _bound(host, 0) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_taken(host: str, port: int) -> bool:
    """True when another program listens there."""
    try:
        _bound(host, port).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        raise
    return False


def chosen_port(host: str, port: int) -> int:
    """The port to serve at: a free one for 0, else this one; ConfigurationError when it can't be bound."""
    try:
        if port == 0:
            return free_port(host)
        if not is_taken(host, port):
            return port
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on {host}:{port} ({error.strerror}); choose another address with --host and --port "
            "(MEDIAFLOW_HOST, MEDIAFLOW_PORT)"
        ) from error
    raise ConfigurationError(
        f"port {port} of {host} is taken by another program; choose another one with --port or MEDIAFLOW_PORT "
        "(0 takes a free one)"
    )


def base_url(host: str, port: int) -> str:
    """The URL of a server on this machine that is bound to that address."""
    if host in EVERY_ADDRESS:
        host = LOOPBACK
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host or LOOPBACK, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # as the servers do: a connection of an earlier start that is in TIME_WAIT is no obstacle
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    return listener
