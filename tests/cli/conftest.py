"""Commands run in this process as the console script runs them; small servers and processes around them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mediaflow.cli import main


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("token", "--user", "ann", MEDIAFLOW_PORT="x")`: in a fresh directory, with no settings but those given."""
    for name in [name for name in os.environ if name.startswith("MEDIAFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def command(*argv: str | Path, **environ: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            capfd.readouterr()
            code = main([os.fspath(word) for word in argv])
            out, err = capfd.readouterr()
            return Done(code, out, err)

    return command


def is_gone(pid: int) -> bool:
    """True when there is no such process, or only its entry that nobody has read yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """True as soon as it holds, False when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
