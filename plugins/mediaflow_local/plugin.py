"""The built-in storage `local:PATH`: objects are files of this host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mediaflow.plugin import ConfigurationError, Storage, StorageScheme, hookimpl
from mediaflow_local.storage import LocalStorage

MEDIAFLOW_API = ">=1.0,<2"
"""The versions of the plugin API that this was made for."""


@hookimpl
def mediaflow_register_storages() -> Iterable[StorageScheme]:
    """Offer `local:`; workers on other hosts can't reach it."""
    return [StorageScheme("local", open_local, shared=False)]


def open_local(url: str, settings: Mapping[str, Any]) -> Storage:
    """The storage of `local:PATH`. A relative path counts from the directory that the process started in."""
    path = url.removeprefix("local:")
    if not path or "\0" in path:
        raise ConfigurationError(
            f"The storage URL {url!r} names no directory; write local:PATH, as in local:/var/lib/mediaflow/objects"
        )
    if path.startswith("//"):
        raise ConfigurationError(
            f"The storage URL {url!r} looks like a web address; write local:PATH, as in local:/var/lib/mediaflow"
        )
    # absolute now: the process may change its directory later
    return LocalStorage(Path(path).absolute(), settings.get("min_free_bytes", 0))
