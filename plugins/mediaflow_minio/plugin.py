"""The built-in storage `s3:http(s)://host:port/bucket`: any S3 server, through the minio client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mediaflow.plugin import SettingSpec, Storage, StorageScheme, hookimpl
from mediaflow_minio.location import SETTINGS, location_of

MEDIAFLOW_API = ">=1.0,<2"
"""The versions of the plugin API that this was made for."""


@hookimpl
def mediaflow_register_settings() -> Iterable[SettingSpec]:
    """Where the credentials come from: never from the URL, which is shown to people."""
    return SETTINGS


@hookimpl
def mediaflow_register_storages() -> Iterable[StorageScheme]:
    """Offer `s3:`, which workers on any host can reach."""
    return [StorageScheme("s3", open_s3, shared=True)]


def open_s3(url: str, settings: Mapping[str, Any]) -> Storage:
    """The storage of `s3:http(s)://host:port/bucket?prefix=..&region=..`. Connects at its first use."""
    # here: the client and what it needs are a third of a process's imports, and most processes have no use for them
    from mediaflow_minio.storage import S3Storage

    return S3Storage(location_of(url, settings))
