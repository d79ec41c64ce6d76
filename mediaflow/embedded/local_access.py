"""Access to the service of this machine: its key makes tokens, its data directory tells where it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from mediaflow import registry
from mediaflow.embedded.datadir import DataDirectory
from mediaflow.plugin import ConfigurationError
from mediaflow.services.access.keyfile import load_or_create_key
from mediaflow.services.access.names import ADMIN
from mediaflow.services.access.tokens import Tokens
from mediaflow.settings import Settings

ADMIN_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Service:
    """Where a mediaflow answers, and a token for it."""

    url: str
    token: str


def find_service(environ: Mapping[str, str], data_dir: Path | None, url: str | None, token: str | None) -> Service:
    """The service that is named, or the one that runs on the data directory; ConfigurationError with the way out."""
    if url and token:
        return Service(url, token)
    settings, _ = registry.load(with_data_dir(environ, data_dir))
    if not url:
        note = DataDirectory(settings.data_path).running()
        if note is None:
            raise ConfigurationError(
                f"no `mediaflow up` runs on the data directory {settings.data_path}; start one, or name another place "
                "with --data-dir, or a service with --url and --token"
            )
        url = str(note["url"])
    return Service(url, token or mint(settings, ADMIN, "admin", ADMIN_SECONDS))


def mint(
    settings: Settings,
    user: str,
    role: Literal["user", "admin"],
    seconds: int,
    scopes: Sequence[str] | None = None,
    *,
    older: bool = False,
) -> str:
    """A token that the service with these settings accepts. Raises ConfigurationError where no service ever was.

    `older`: the name is one that only versions before took, and is written as it is.
    """
    if not settings.jwt_key and not settings.data_path.is_dir():
        raise ConfigurationError(
            f"there is no key to sign with: no `mediaflow up` ran on the data directory {settings.data_path}; "
            "name the right one with --data-dir, or set MEDIAFLOW_JWT_KEY"
        )
    key = load_or_create_key(settings)
    return Tokens(key, settings.jwt_issuer, settings.jwt_audience).mint(user, role, seconds, scopes, older=older)


def with_data_dir(environ: Mapping[str, str], data_dir: Path | None) -> dict[str, str]:
    """The environment, with the data directory of the command line in it."""
    return {**environ, **({"MEDIAFLOW_DATA_DIR": os.fspath(data_dir)} if data_dir else {})}
