"""What `s3:http(s)://host:port/bucket?prefix=..&region=..` and the settings say, checked before anything connects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from mediaflow.plugin import ConfigurationError, InvalidInput, SettingSpec, checked_key

SETTINGS: Final = (
    SettingSpec("s3_access_key", str, "", "Access key of the S3 storage."),
    SettingSpec("s3_secret_key", str, "", "Secret key of the S3 storage.", secret=True),
    SettingSpec("s3_region", str, "", "Region of the S3 storage; empty asks the server."),
    SettingSpec("s3_create_bucket", bool, True, "Make the bucket of the S3 storage when it does not exist."),
)
_EXAMPLE: Final = "write s3:https://host:port/bucket, as in s3:http://127.0.0.1:9000/mediaflow"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET: Final = re.compile(r"(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket of a server, and how to get in. `prefix` is empty or ends with `/`; an empty `region` is asked for."""

    endpoint: str
    secure: bool
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    prefix: str = ""
    region: str = ""
    create_bucket: bool = True


def location_of(url: str, settings: Mapping[str, Any]) -> Location:
    """The location that a storage URL means. Raises ConfigurationError with what is wrong and the way out."""
    parts = _split(url)
    query = _query(parts.query)
    for name in ("s3_access_key", "s3_secret_key"):
        if not settings[name]:
            raise ConfigurationError(
                f"MEDIAFLOW_{name.upper()} is not set; the storage {parts.hostname} needs both keys of its account"
            )
    return Location(
        endpoint=parts.netloc,
        secure=parts.scheme == "https",
        bucket=_bucket(parts.path),
        access_key=settings["s3_access_key"],
        secret_key=settings["s3_secret_key"],
        prefix=_prefix(query.get("prefix", "")),
        region=query.get("region", settings["s3_region"]),
        create_bucket=settings["s3_create_bucket"],
    )


def _split(url: str) -> SplitResult:
    # no message shows the URL: somebody may have put a password into it
    try:
        parts = urlsplit(url.removeprefix("s3:"))
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"The storage URL is wrong ({error}); {_EXAMPLE}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigurationError(f"The storage URL names no http or https server; {_EXAMPLE}")
    if "@" in parts.netloc:
        raise ConfigurationError(
            "The storage URL holds a user name or password; put them into MEDIAFLOW_S3_ACCESS_KEY and "
            "MEDIAFLOW_S3_SECRET_KEY"
        )
    if parts.fragment:
        raise ConfigurationError(f"The storage URL has a fragment (#...), which means nothing here; {_EXAMPLE}")
    return parts


def _query(text: str) -> dict[str, str]:
    query = dict(parse_qsl(text, keep_blank_values=True))
    unknown = _listed(sorted(set(query) - {"prefix", "region"}))
    if unknown:
        raise ConfigurationError(f"The storage URL has the parameters {unknown}, but there are only prefix and region")
    return query


def _bucket(path: str) -> str:
    bucket, _, rest = path.strip("/").partition("/")
    if not bucket:
        raise ConfigurationError(f"The storage URL names no bucket; {_EXAMPLE}")
    if rest:
        raise ConfigurationError(
            f"The storage URL has more than a bucket in its path; for a place inside it write /{bucket}?prefix={rest}"
        )
    if not _BUCKET.fullmatch(bucket):
        raise ConfigurationError(
            f"{bucket!r} is no name of an S3 bucket: use 3 to 63 lower-case letters, digits, dots and hyphens"
        )
    return bucket


def _prefix(text: str) -> str:
    prefix = text.strip("/")
    if not prefix:
        return ""
    try:
        return checked_key(prefix) + "/"
    except InvalidInput:
        raise ConfigurationError(
            f"The prefix {prefix!r} of the storage URL is wrong: use letters, digits and ._%=@+- with / between them"
        ) from None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
