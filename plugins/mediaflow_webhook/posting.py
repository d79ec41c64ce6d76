"""One attempt: a POST to an address that was vetted, connected to by its number, within a hard time limit.

The standard library's client does it: it knows no proxy of the environment, follows nothing, takes a connection that
was made already, and refuses line feeds in headers. What it lacks is a limit for the whole, which is kept here.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from mediaflow.plugin import MediaflowError, Network, Reach, reach
from mediaflow_webhook.deliveries import Answer

LIMIT_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
MOST_ADDRESSES: Final = 4
MOST_ANSWER_BYTES: Final = 64 * 1024
KEPT_ANSWER_BYTES: Final = 500
_CONTROLS: Final = re.compile(r"[^\n\t\x20-\x7e\u00a0-\uffff]")
_DIGITS: Final = re.compile(r"[0-9]{1,9}")


@cache
def default_tls() -> ssl.SSLContext:
    """Certificates as this system trusts them. Reading them takes a while."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Poster:
    """Posts to hosts of the open internet, and of the networks that are `allowed`."""

    allowed: tuple[Network, ...] = ()
    tls: Callable[[], ssl.SSLContext] = default_tls
    find: Callable[[str, Iterable[Network]], Reach] = reach
    limit_seconds: float = LIMIT_SECONDS

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What came of it; whatever goes wrong is in the answer, in words."""
        began = time.monotonic()
        try:
            place = self.find(url, self.allowed)
        except MediaflowError as error:
            return Answer(None, error.detail)
        try:
            return self._exchange(place, url, headers, body, began + self.limit_seconds)
        except ssl.SSLCertVerificationError as error:
            return Answer(None, f"the certificate is not valid for {place.host}: {error.verify_message}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() - began >= self.limit_seconds:
                return Answer(None, f"no answer within {self.limit_seconds:g} s")
            return Answer(None, f"no answer: {str(error)[:200] or type(error).__name__}")

    def _exchange(self, place: Reach, url: str, headers: Mapping[str, str], body: bytes, until: float) -> Answer:
        connection = http.client.HTTPConnection(place.host, place.port)
        connection.default_port = {"https": 443}.get(place.scheme, 80)  # left out of the Host header
        raw = _connected(place, until)
        with contextlib.closing(raw), _cut_off(raw, until):
            connection.sock = self._secured(raw, place)
            with contextlib.closing(connection):
                connection.request("POST", _target(url), body, dict(headers))
                response = connection.getresponse()
                if time.monotonic() >= until:
                    raise TimeoutError  # what was cut off looks like the end of the headers
                return _judged(response, _beginning(response))

    def _secured(self, raw: socket.socket, place: Reach) -> socket.socket:
        if place.scheme != "https":
            return raw
        # its own descriptor, so that `raw` can still be cut off
        return self.tls().wrap_socket(raw.dup(), server_hostname=place.host)


def _connected(place: Reach, until: float) -> socket.socket:
    """A connection to the first of the vetted addresses that answers. No name is looked up here."""
    by = min(until, time.monotonic() + CONNECT_SECONDS)
    failed: OSError = TimeoutError("no address")
    for address in place.addresses[:MOST_ADDRESSES]:
        left = by - time.monotonic()
        if left <= 0:
            break
        try:
            connected = socket.create_connection((address, place.port), timeout=left)
        except OSError as error:
            failed = error
            continue
        connected.settimeout(max(0.001, until - time.monotonic()))
        return connected
    raise failed


@contextmanager
def _cut_off(connected: socket.socket, until: float) -> Iterator[None]:
    """Shut the connection down at that time, however slowly the other side still sends."""

    def cut() -> None:
        with contextlib.suppress(OSError):  # it is closed already
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, until - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _beginning(response: http.client.HTTPResponse) -> str:
    """The first bytes of the answer as text. More are read, so that a receiver can end what it says, but not many."""
    kept, left = b"", MOST_ANSWER_BYTES
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # the status has been said
        while left > 0 and (block := response.read1(min(left, 16 * 1024))):
            kept += block[: KEPT_ANSWER_BYTES - len(kept)]
            left -= len(block)
    return _CONTROLS.sub("\ufffd", kept.decode("utf-8", "replace"))


def _judged(response: http.client.HTTPResponse, text: str) -> Answer:
    status, error = response.status, None
    if 300 <= status < 400:
        error = f"it answered {status}, and redirects are not followed: give the address that it leads to"
    elif not 200 <= status < 300:
        error = f"it answered {status}"
    asked = response.headers.get("Retry-After", "")
    return Answer(status, error, text, float(asked) if _DIGITS.fullmatch(asked) else None)
