"""What `mediaflow up` starts: the programs, their environment and their addresses, worked out before anything runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mediaflow.embedded.addresses import base_url, chosen_port
from mediaflow.embedded.datadir import DataDirectory
from mediaflow.embedded.redis_server import configure_redis
from mediaflow.embedded.supervision import Program
from mediaflow.runtime import worker_units
from mediaflow.settings import Settings

# What needs something stops before it: first web and workers together, then the queue.
RANK_QUEUE, RANK_SERVICE = 10, 20


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything of one start. `url` is what clients use, `local_url` what answers on this machine."""

    url: str
    local_url: str
    programs: tuple[Program, ...]
    environment: Mapping[str, str]


def compose(settings: Settings, directory: DataDirectory, environ: Mapping[str, str], held: ExitStack) -> Stack:
    """Choose ports, which are kept until `held` is closed, and write configuration.

    Raises ConfigurationError with the way out when a port is taken.
    """
    port = chosen_port(settings.host, settings.port, held)
    own = {
        "MEDIAFLOW_DATA_DIR": os.fspath(directory.path),
        "MEDIAFLOW_HOST": settings.host,
        "MEDIAFLOW_PORT": str(port),
        # served by us, for all of them: they only write into the directory below
        "MEDIAFLOW_METRICS_BIND": "off",
        # each worker is a program with one process; together they have this machine's cores
        "MEDIAFLOW_WORKER_LOAD": str(worker_units(settings)),
        "MEDIAFLOW_LOG_FORMAT": _log_format(settings),
        "PROMETHEUS_MULTIPROC_DIR": os.fspath(directory.metrics),
    }
    here = Path.cwd()  # where relative paths in settings are meant
    programs = [
        Program("web", _ours("serve"), RANK_SERVICE, here),
        *(
            Program(f"worker-{number}", _ours("worker", "--processes", "1"), RANK_SERVICE, here)
            for number in range(1, settings.worker_processes + 1)
        ),
    ]
    if not settings.redis_url:
        redis = configure_redis(directory.run, held)
        own["MEDIAFLOW_REDIS_URL"] = redis.url
        programs.insert(0, Program("queue", redis.program, RANK_QUEUE, directory.run))
    local_url = base_url(settings.host, port)
    return Stack(
        url=settings.public_url.rstrip("/") or local_url,
        local_url=local_url,
        programs=tuple(programs),
        environment={**environ, **own},
    )


def _ours(*arguments: str) -> tuple[str, ...]:
    # -P: the current directory is where the user's files are, not where Python should look for modules
    return (sys.executable, "-P", "-m", "mediaflow", *arguments)


def _log_format(settings: Settings) -> str:
    """`auto` means our own stderr: what the children see is a pipe."""
    if settings.log_format != "auto":
        return settings.log_format
    return "console" if sys.stderr.isatty() else "json"
