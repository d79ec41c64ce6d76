"""How a worker ended, as its parent saw it: left in a file for whoever gives back what it held."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Final

from mediaflow.sandbox.identity import Identity

KEPT_BYTES: Final = 4000
_FRAME: Final = re.compile(r'File "(?:[^"]*/)?([^"/]+)", line (\d+) in (\S+)')


def note(root: Path, worker: Identity, code: int, said: str) -> Path:
    """Keep the exit code of a process (negative for a signal) and what Python's faulthandler said in it."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = _file(root, worker)
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps({"code": code, "said": said[:KEPT_BYTES]}))
    return unfinished.replace(file)


def last_words(root: Path, worker: Identity) -> str:
    """How the process ended, as a part of a sentence without directories; empty when nobody has told."""
    try:
        told = json.loads(_file(root, worker).read_text())
    except (OSError, ValueError):
        return "ended"
    fault, frame = told["said"].split("\n", 1)[0], _FRAME.search(told["said"])
    where = f" at {frame[1]}:{frame[2]} in {frame[3]}" if frame else ""
    return exit_phrase(told["code"]) + (f", saying {fault!r}{where}" if fault else "")


def exit_phrase(code: int) -> str:
    """How a process ended by its exit code, which is negative for a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"was killed by signal {-code}"


def _file(root: Path, worker: Identity) -> Path:
    return root / f"ended-{worker.pid}-{worker.start}"
