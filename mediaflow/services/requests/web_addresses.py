"""Addresses that operators and clients give: the public URL and the `Host` of a request."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from mediaflow.domain.errors import ConfigurationError

_NAME: Final = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]{2,45}\])"
_HOST: Final = re.compile(rf"{_NAME}(?::([0-9]{{1,5}}))?")
LAST_PORT: Final = 65535
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")


def is_plain_host(host: str) -> bool:
    """True for `host` and `host:port` as they stand in a URL: a name, an IPv4 address, or an IPv6 one in brackets."""
    match = _HOST.fullmatch(host)
    return match is not None and (match[1] is None or 0 < int(match[1]) <= LAST_PORT)


def checked_public_url(url: str) -> str:
    """The URL without a slash at its end, empty for none; ConfigurationError when links can't be made of it."""
    if not url:
        return ""
    if not _is_base(url):
        raise ConfigurationError(
            f"MEDIAFLOW_PUBLIC_URL: {url!r} is no base for links; write http(s)://host[:port][/path], "
            "such as https://media.example"
        )
    return url.rstrip("/")


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        return False
    return (
        url == f"{parts.scheme}://{parts.netloc}{parts.path}"
        and parts.scheme in ("http", "https")
        and is_plain_host(parts.netloc)
        and port_is_fine
        and _PATH.fullmatch(parts.path) is not None
    )
