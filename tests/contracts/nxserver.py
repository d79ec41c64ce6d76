"""A MongoDB wire server for tests: nx-27017 over TCP, for several processes; no real MongoDB and no oracle of one."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def running_nx_server(directory: Path) -> Iterator[str]:
    """`host:port` of a server with its data in `directory`, until the block ends."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    options = [f"--data-dir={directory}", f"--log-file={directory / 'log'}", f"--pid-file={directory / 'pid'}"]
    with (directory / "output").open("w") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("nx-27017"), "--port", str(port), *options],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_listens(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
