"""One GET of somebody's file: to addresses that were vetted and by their numbers, redirects too (SSRF).

The standard library's client does it: it knows no proxy of the environment, follows nothing by itself, and takes a
connection that was made already.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import urljoin, urlsplit

from mediaflow.domain.errors import InvalidInput, Unavailable
from mediaflow.domain.reach import Network, Reach, reach

CONNECT_SECONDS: Final = 10.0
STALL_SECONDS: Final = 30.0
"""So long a server may be silent."""
HEAD_SECONDS: Final = 20.0
"""So long all may take that comes before the file, however steadily it trickles."""
MOST_REDIRECTS: Final = 5
MOST_ADDRESSES: Final = 4
BLOCK_BYTES: Final = 256 * 1024
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_LATER: Final = (408, 425, 429, 500, 502, 503, 504)
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,6}", re.ASCII)


class Refused(InvalidInput):
    """Asking again will not help."""


class Later(Unavailable):
    """Asking again may help; the server may have said when."""

    def __init__(self, detail: str, *, code: str, retry_after_seconds: int = 0) -> None:
        super().__init__(detail, code=code)
        self.retry_after_seconds = retry_after_seconds


@cache
def default_tls() -> ssl.SSLContext:
    """Certificates as this system trusts them."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Found:
    """What a server gives: bytes from `offset` on, of a file of so many bytes (None: it does not say)."""

    offset: int
    size_bytes: int | None
    validator: str | None
    blocks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Gets from hosts of the open internet, and of the networks that are `allowed`."""

    allowed: tuple[Network, ...] = ()
    tls: Callable[[], ssl.SSLContext] = default_tls
    find: Callable[[str, Iterable[Network]], Reach] = reach
    head_seconds: float = HEAD_SECONDS

    @contextmanager
    def fetched(self, url: str, offset: int, validator: str | None) -> Iterator[Found]:
        """The file from that byte on, if the server can do that and it still is the one of the `validator`; else from
        its beginning. Refused or Later, with words.
        """
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "mediaflow"}
        if offset and validator:
            headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
        with contextlib.ExitStack() as opened:
            for _ in range(MOST_REDIRECTS + 1):
                response = opened.enter_context(self._asked(url, headers))
                if response.status not in _REDIRECTS:
                    yield _found(response)
                    return
                where = response.headers.get("Location")
                if not where:
                    raise Refused(f"It answered {response.status} without saying where to go.", code="import.refused")
                url = urljoin(url, where).partition("#")[0]
        raise Refused(f"It leads on and on: more than {MOST_REDIRECTS} redirects.", code="import.refused")

    @contextmanager
    def _asked(self, url: str, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
        try:
            place = self.find(url, self.allowed)
        except InvalidInput as error:
            raise Refused(f"The address can't be asked: {error.detail}.", code="url.refused") from error
        except Unavailable as error:
            raise Later(f"Right now {error.detail}.", code="import.unreachable") from error
        connection = http.client.HTTPConnection(place.host, place.port, timeout=STALL_SECONDS)
        connection.default_port = {"https": 443}.get(place.scheme, 80)  # left out of the Host header
        with contextlib.closing(connection):
            try:
                raw = _connected(place)
                # TLS has its own descriptor, so that `raw` can still be cut off
                with contextlib.closing(raw), _cut_off(raw, self.head_seconds) as is_cut:
                    connection.sock = self._secured(raw, place)
                    connection.request("GET", _target(url), headers=headers)
                    response = connection.getresponse()
                    if is_cut.is_set():  # what was cut off looks like the end of the head
                        raise TimeoutError("it took too long to say what it has")
            except ssl.SSLCertVerificationError as error:
                said = f"The certificate is not valid for {place.host}: {error.verify_message}."
                raise Refused(said, code="import.refused") from error
            except (OSError, http.client.HTTPException) as error:
                raise Later(f"No answer from {place.host}: {_words(error)}.", code="import.unreachable") from error
            yield response

    def _secured(self, raw: socket.socket, place: Reach) -> socket.socket:
        own = raw.dup()
        own.settimeout(STALL_SECONDS)
        return self.tls().wrap_socket(own, server_hostname=place.host) if place.scheme == "https" else own


def _connected(place: Reach) -> socket.socket:
    """A connection to the first of the vetted addresses that answers. No name is looked up here."""
    failed: OSError = TimeoutError("no address")
    for address in place.addresses[:MOST_ADDRESSES]:
        try:
            return socket.create_connection((address, place.port), timeout=CONNECT_SECONDS)
        except OSError as error:
            failed = error
    raise failed


@contextmanager
def _cut_off(connected: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Shut the connection down if this takes longer, however slowly the other side sends; it then is set."""
    is_cut = threading.Event()

    def cut() -> None:
        is_cut.set()
        with contextlib.suppress(OSError):  # it is closed already
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_cut
    finally:
        timer.cancel()


def _found(response: http.client.HTTPResponse) -> Found:
    status = response.status
    if status in _LATER:
        after = response.headers.get("Retry-After", "")
        wait = int(after) if _SECONDS.fullmatch(after) else 0
        raise Later(f"It answered {status}.", code="import.unreachable", retry_after_seconds=wait)
    if status not in (200, 206):
        raise Refused(f"It answered {status}.", code="import.refused")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused("It sends the file compressed, though it was asked not to.", code="import.refused")
    offset, size = 0, response.length
    if status == 206:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None:
            raise Refused("It sends a part of the file without saying which one.", code="import.refused")
        offset, size = int(match[1]), None if match[3] == "*" else int(match[3])
    validator = response.headers.get("ETag")
    return Found(offset, size, validator if validator and not validator.startswith("W/") else None, _blocks(response))


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            block = response.read1(BLOCK_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Later(f"The connection broke: {_words(error)}.", code="import.broken") from error
        if not block:
            # `read1` takes a connection that ends early for the end of the file
            if response.length:
                raise Later(f"The connection ended {response.length} bytes early.", code="import.broken")
            return
        yield block


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _words(error: Exception) -> str:
    return str(error)[:200].rstrip(".") or type(error).__name__
