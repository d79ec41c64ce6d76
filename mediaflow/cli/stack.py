"""What `mediaflow up` starts: the programs, their environment and their addresses, worked out before anything runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediaflow.cli.addresses import LOOPBACK, base_url, chosen_port, free_port, is_taken
from mediaflow.cli.datadir import DataDirectory
from mediaflow.cli.embedded import configure_redis
from mediaflow.cli.output import complain
from mediaflow.cli.supervision import Program
from mediaflow.observability.metrics_server import metrics_address
from mediaflow.plugin import ConfigurationError
from mediaflow.runtime import worker_units
from mediaflow.settings import Settings

# What needs something stops before it: first web, workers and metrics together, then the queue.
RANK_QUEUE, RANK_SERVICE = 10, 20
METRICS_OFF: Final = "off"


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything of one start. `url` is what clients use, `local_url` what answers on this machine."""

    url: str
    local_url: str
    metrics_url: str | None
    programs: tuple[Program, ...]
    environment: Mapping[str, str]


def compose(settings: Settings, directory: DataDirectory, environ: Mapping[str, str]) -> Stack:
    """Choose ports and write configuration. Raises ConfigurationError with the way out when a port is taken."""
    port = chosen_port(settings.host, settings.port)
    metrics = _metrics_address(settings)
    own = {
        "MEDIAFLOW_DATA_DIR": os.fspath(directory.path),
        "MEDIAFLOW_HOST": settings.host,
        "MEDIAFLOW_PORT": str(port),
        "MEDIAFLOW_METRICS_BIND": _joined(*metrics) if metrics else METRICS_OFF,
        # each worker is a program with one process; together they have this machine's cores
        "MEDIAFLOW_WORKER_LOAD": str(worker_units(settings)),
        "MEDIAFLOW_LOG_FORMAT": _log_format(settings),
        "PROMETHEUS_MULTIPROC_DIR": os.fspath(directory.metrics),
    }
    here = Path.cwd()  # where relative paths in settings are meant
    programs = [
        Program("web", _ours("mediaflow", "serve"), RANK_SERVICE, here),
        *(
            Program(f"worker-{number}", _ours("mediaflow", "worker", "--processes", "1"), RANK_SERVICE, here)
            for number in range(1, settings.worker_processes + 1)
        ),
    ]
    if metrics:
        programs.append(Program("metrics", _ours("mediaflow.cli.metrics_server"), RANK_SERVICE, here))
    if not settings.redis_url:
        redis = configure_redis(directory.run)
        own["MEDIAFLOW_REDIS_URL"] = redis.url
        programs.insert(0, Program("queue", redis.program, RANK_QUEUE, directory.run))
    local_url = base_url(settings.host, port)
    return Stack(
        url=settings.public_url.rstrip("/") or local_url,
        local_url=local_url,
        metrics_url=f"{base_url(*metrics)}/metrics" if metrics else None,
        programs=tuple(programs),
        environment={**environ, **own},
    )


def _ours(module: str, *arguments: str) -> tuple[str, ...]:
    # -P: the current directory is where the user's files are, not where Python should look for modules
    return (sys.executable, "-P", "-m", module, *arguments)


def _metrics_address(settings: Settings) -> tuple[str, int] | None:
    """The configured address; another port only when the usual one is taken and nobody asked for it."""
    address = metrics_address(settings.metrics_bind)
    if address is None:
        return None
    host, port = address
    if port and is_taken(host, port):
        if "metrics_bind" in settings.from_environment:
            raise ConfigurationError(
                f"MEDIAFLOW_METRICS_BIND is {settings.metrics_bind}, where another program listens; "
                f"choose another port (0 takes a free one, as in {LOOPBACK}:0), or off"
            )
        complain(f"port {port} is taken by another program, so the metrics are at a free one")
        port = 0
    return host, port or free_port(host)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _log_format(settings: Settings) -> str:
    """`auto` means our own stderr: what the children see is a pipe."""
    if settings.log_format != "auto":
        return settings.log_format
    return "console" if sys.stderr.isatty() else "json"
