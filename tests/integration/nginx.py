"""A real nginx with our deploy/nginx.conf; only its ports, paths and user are the tests'."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.api.server import free_port
from tests.programs import ROOT, running

CONFIGURATION: Final = ROOT / "deploy" / "nginx.conf"
TEMPORARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx_program() -> str | None:
    """Where nginx is; Debian keeps it out of users' PATH."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")


@dataclass(frozen=True)
class Nginx:
    """A running nginx. `logs` holds error.log and access.log."""

    port: int
    logs: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def adjusted(directory: Path, port: int, upstream_port: int, objects: Path) -> str:
    """The configuration with what an operator adjusts, adjusted."""
    text = CONFIGURATION.read_text()
    changes = {
        "user mediaflow;": f"user {getpass.getuser()};",
        "/run/nginx.pid": str(directory / "nginx.pid"),
        "/var/log/nginx/": f"{directory}/",
        "server 127.0.0.1:8080;": f"server 127.0.0.1:{upstream_port};",
        "listen 80;": f"listen 127.0.0.1:{port};",
        "/var/lib/mediaflow/objects/": f"{objects}/",
        "http {": "http {" + "".join(f"\n{name}_temp_path {directory}/{name};" for name in TEMPORARY),
    }
    for before, after in changes.items():
        assert before in text, f"{before} is no longer in {CONFIGURATION}"
        text = text.replace(before, after)
    return text


@contextmanager
def running_nginx(directory: Path, upstream_port: int, objects: Path) -> Iterator[Nginx]:
    """nginx before a service, ready, until the block ends."""
    program, port = nginx_program(), free_port()
    assert program is not None
    configuration = directory / "nginx.conf"
    configuration.write_text(adjusted(directory, port, upstream_port, objects))
    command = [program, "-p", str(directory), "-c", str(configuration), "-e", str(directory / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with running([*command, "-g", "daemon off;"], directory / "nginx.log", {}):
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (directory / "error.log").read_text()
                time.sleep(0.02)
        yield Nginx(port, directory)
