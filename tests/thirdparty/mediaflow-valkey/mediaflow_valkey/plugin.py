"""The hook: what mediaflow finds through the entry point of setup.cfg."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redis import Redis

from mediaflow.plugin import ConfigurationError, Storage, StorageScheme, hookimpl
from mediaflow_valkey.storage import ValkeyStorage

MEDIAFLOW_API = ">=1.0,<2"


@hookimpl
def mediaflow_register_storages() -> Iterable[StorageScheme]:
    """`valkey://host:port/number`."""
    return [StorageScheme("valkey", open_storage, shared=True)]


def open_storage(url: str, settings: Mapping[str, Any]) -> Storage:
    """The storage of a URL; nothing connects before the first call."""
    try:
        client = Redis.from_url(url.replace("valkey:", "redis:", 1), socket_timeout=30)
    except ValueError as error:
        raise ConfigurationError(f"{url!r} is no URL of a storage: {error}; write valkey://host:6379/1.") from error
    return ValkeyStorage(client, unfinished_seconds=2 * settings["upload_expiry_seconds"])
