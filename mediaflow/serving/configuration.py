"""The web server: gunicorn's settings as one function, for `gunicorn.conf.py` and for `mediaflow serve`.

Nothing here may import prometheus_client before `share_metrics` has run: it decides at import whether processes share.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import gunicorn.app.base  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from mediaflow import registry
from mediaflow.domain.errors import MediaflowError
from mediaflow.observability.logging import configure_logging
from mediaflow.serving import hooks
from mediaflow.serving.crowd import GUESTS
from mediaflow.serving.limits import limits_of
from mediaflow.serving.worker import limited_worker
from mediaflow.settings import Settings

APPLICATION: Final = "mediaflow.app:from_environment()"
BOOT_FAILED: Final = 3
"""The exit code at which gunicorn stops; a worker that ends with another one is started again, for ever."""
KEEPALIVE_SECONDS: Final = 15
"""Longer than a player's pause between two segments."""
GRACE_SECONDS: Final = 20
HEARTBEAT_SECONDS: Final = 60
"""A worker whose main loop (not a request: those may take as long as they move) is silent for so long is replaced."""


def gunicorn_settings(settings: Settings) -> dict[str, Any]:
    """Everything that gunicorn is told, hooks among it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": [f"{host}:{settings.port}"],
        "workers": settings.web_processes,
        "worker_class": limited_worker(limits_of(settings)),
        "threads": settings.web_threads,
        "worker_connections": settings.web_connections + 2 * GUESTS,
        "timeout": HEARTBEAT_SECONDS,
        "graceful_timeout": GRACE_SECONDS,
        "keepalive": KEEPALIVE_SECONDS,
        # by default it believes whoever connects from this host; whom we believe says MEDIAFLOW_TRUSTED_PROXIES
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        # its default path is shared by all instances of a user
        "control_socket_disable": True,
        # requests are logged by the application, without what is secret in their paths
        "accesslog": None,
        "errorlog": "-",
        "loglevel": settings.log_level,
        "logger_class": _logger_of(settings),
        "proc_name": "mediaflow",
        "on_starting": hooks.on_starting,
        "when_ready": hooks.when_ready,
        "post_fork": hooks.post_fork,
        "worker_exit": hooks.worker_exit,
        "child_exit": hooks.child_exit,
        "on_exit": hooks.on_exit,
    }


def _logger_of(settings: Settings) -> type[Logger]:
    """Gunicorn's logger, whose first line comes before any hook of ours and has our form too."""

    class OurLogger(Logger):  # type: ignore[misc]
        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            configure_logging(settings)

    return OurLogger


def run(settings: Settings) -> int:
    """Serve until SIGTERM; the exit code is 0 then, and 1 when it could not start."""
    first = os.getpid()
    try:
        _Server(gunicorn_settings(settings)).run()
    except SystemExit as stop:
        if os.getpid() != first:
            raise  # a worker: its own code tells the first process whether to start another
        return 1 if stop.code else 0
    return 0


class _Server(gunicorn.app.base.BaseApplication):  # type: ignore[misc]
    """gunicorn without a command line: the settings are ours, its own environment variable is not looked at."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in {**self._options, "wsgi_app": APPLICATION}.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from gunicorn.util import import_app  # type: ignore[import-untyped]

        return import_app(APPLICATION)


def settings_or_exit() -> Settings:
    """The environment's settings; one sentence and exit code 1 when they are wrong."""
    try:
        return registry.load(os.environ)[0]
    except MediaflowError as error:
        sys.exit(f"mediaflow: {error.detail}")
