"""Fetches the keys of an outside issuer. Bounded in every way, since a request of a stranger may wait for it.

The standard library's client, and not `requests`: no redirects, no credentials out of a `.netrc`, and a connection that
can be cut off as a whole.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from mediaflow.domain.errors import Unavailable

MAX_BYTES: Final = 256 * 1024
"""A JWKS with a hundred keys and their certificates is smaller."""
STEP_SECONDS: Final = 3.0
"""To connect, for the TLS handshake, and between two reads."""
TOTAL_SECONDS: Final = 5.0
"""For request and answer together, however the answer trickles."""


def fetch_keys(url: str, *, total_seconds: float = TOTAL_SECONDS) -> bytes:
    """What lies at an http(s) URL; Unavailable when it does not answer with 200, or not within the bounds."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=STEP_SECONDS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()
        with _cut_after(connection.sock, total_seconds) as cut:
            connection.request("GET", target, headers={"Accept": "application/json", "User-Agent": "mediaflow"})
            with connection.getresponse() as answer:
                status, content = answer.status, answer.read(MAX_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"{url}: {error or type(error).__name__}", code="auth.issuer_away") from error
    finally:
        connection.close()
    if cut.is_set():
        raise Unavailable(f"{url}: no whole answer within {total_seconds:g} s", code="auth.issuer_away")
    if status != 200:
        raise Unavailable(f"{url}: answered {status}", code="auth.issuer_away")
    if len(content) > MAX_BYTES:
        raise Unavailable(f"{url}: the answer has more than {MAX_BYTES} bytes", code="auth.issuer_away")
    return content


@contextlib.contextmanager
def _cut_after(connected: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Shut the connection down when the block takes longer; a read that waits ends then. Sets the event it gives."""
    cut = threading.Event()

    def shut() -> None:
        cut.set()
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
