"""Programs that run beside a test."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def running(
    command: Sequence[str], log: Path, environ: dict[str, str], directory: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A program until the block ends; then SIGTERM, and SIGKILL when that does not help in 20 s. It writes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environ, cwd=directory)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
