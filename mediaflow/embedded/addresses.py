"""Addresses to bind: free ports, ports that are taken, and the URL that people type."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from typing import Final

from mediaflow.plugin import ConfigurationError

LOOPBACK: Final = "127.0.0.1"
EVERY_ADDRESS: Final = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


def free_port(host: str = LOOPBACK) -> int:
    """A port that nobody uses at this moment. Whoever binds it keeps it; until then another program could."""
    with ExitStack() as for_a_moment:
        return reserved_port(host, for_a_moment)


def reserved_port(host: str, held: ExitStack) -> int:
    """A free port that is ours until `held` is closed, for a server that we start meanwhile.

    The socket is bound and does not listen. So Linux gives the port to no connection that goes out and to no program
    that asks for any free one (2 of 9 starts on a busy machine lost theirs), but a server that binds it by its number
    with SO_REUSEADDR, as servers do, gets it, as often as it starts.
    """
    reserved = held.enter_context(_bound(host, 0))
    port: int = reserved.getsockname()[1]
    return port


def is_taken(host: str, port: int) -> bool:
    """True when another program listens there."""
    try:
        with _bound(host, port) as found:
            found.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        raise
    return False


def chosen_port(host: str, port: int, held: ExitStack) -> int:
    """The port to serve at: a free one for 0, which is kept (see `reserved_port`), else this one.

    ConfigurationError when it can't be bound.
    """
    try:
        if port == 0:
            return reserved_port(host, held)
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
    except BaseException:
        listener.close()
        raise
    return listener
