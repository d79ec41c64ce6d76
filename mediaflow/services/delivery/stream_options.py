"""How the stream leaves the house, as the operator set it: for which pages, and who sends the bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import ConfigurationError
from mediaflow.plugin import HasLocalFiles, PresignsUrls, Storage
from mediaflow.settings import Settings

ANY_ORIGIN: Final = "*"
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_ACCEL_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+/")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """`origins` are those whose pages may read streams, as browsers write them; `*` alone means any.

    With `redirect`, segments and images are fetched from the storage by presigned URLs; with `accel_prefix` (it begins
    and ends with `/`), nginx sends files from its internal location of that prefix.
    """

    origins: frozenset[str] = frozenset({ANY_ORIGIN})
    redirect: PresignsUrls | None = None
    accel_prefix: str = ""


def stream_options(settings: Settings, storage: Storage) -> StreamOptions:
    """The options; ConfigurationError for what can't work with this storage."""
    scheme = (settings.storage_url or "local:").partition(":")[0]
    redirect: PresignsUrls | None = None
    if settings.stream_redirect:
        if not isinstance(storage, PresignsUrls):
            raise ConfigurationError(
                f"MEDIAFLOW_STREAM_REDIRECT is on, but the storage `{scheme}:` can't make presigned URLs; "
                "switch it off, or set MEDIAFLOW_STORAGE_URL to a storage that can (s3:https://host/bucket)"
            )
        redirect = storage
    prefix = settings.stream_accel_prefix
    if prefix:
        prefix = _checked_prefix(prefix)
        if not isinstance(storage, HasLocalFiles):
            raise ConfigurationError(
                f"MEDIAFLOW_STREAM_ACCEL_PREFIX is set, but nginx can't read the storage `{scheme}:`; "
                "leave it empty, or use a `local:` storage on the host where nginx runs"
            )
        if redirect is not None:
            raise ConfigurationError(
                "MEDIAFLOW_STREAM_REDIRECT and MEDIAFLOW_STREAM_ACCEL_PREFIX are both set, but only one of storage and "
                "nginx can send a file; leave one of them out"
            )
    return StreamOptions(parse_origins("MEDIAFLOW_STREAM_ORIGINS", settings.stream_origins), redirect, prefix)


def parse_origins(variable: str, text: str) -> frozenset[str]:
    """A comma-separated list of origins, in the form in which browsers send them; `*` stands alone."""
    origins = frozenset(_origin(variable, part.strip()) for part in text.split(",") if part.strip())
    if ANY_ORIGIN in origins and len(origins) > 1:
        raise ConfigurationError(f"{variable}: `*` means any origin, so it stands alone; leave out it or the others")
    return origins


def _origin(variable: str, text: str) -> str:
    """RFC 6454 section 6.2: scheme, host and a port that is not the scheme's own, in lower case."""
    if text == ANY_ORIGIN:
        return text
    match = _ORIGIN.fullmatch(text.lower())
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        raise ConfigurationError(
            f"{variable}: {text[:200]!r} is no origin; write scheme, host and perhaps a port, "
            "as in https://player.example or http://localhost:3000, with commas between several"
        )
    port = "" if match["port"] in (None, _DEFAULT_PORTS.get(match["scheme"])) else f":{int(match['port'])}"
    return f"{match['scheme']}://{match['host']}{port}"


def _checked_prefix(prefix: str) -> str:
    whole = prefix if prefix.endswith("/") else f"{prefix}/"
    if not _ACCEL_PREFIX.fullmatch(whole):
        raise ConfigurationError(
            f"MEDIAFLOW_STREAM_ACCEL_PREFIX: {prefix[:200]!r} is no path of an nginx location; "
            "write it as in deploy/nginx.conf, /internal-objects/"
        )
    return whole
