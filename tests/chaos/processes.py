"""The processes of a service, by what they do: read from /proc, so that each can be killed by its number."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENDED: Final = "ZX"


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the table. `words` is its command line."""

    pid: int
    parent: int
    state: str
    words: str


def all_processes() -> dict[int, Process]:
    """Every process that runs now, by its number."""
    found = (_process(file) for file in Path("/proc").glob("[0-9]*"))
    return {process.pid: process for process in found if process is not None}


def _process(directory: Path) -> Process | None:
    try:
        stat = (directory / "stat").read_text(errors="replace")
        words = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None  # it has ended meanwhile
    pid, state, parent = re.fullmatch(r"(\d+) \(.*\) (\S) (\d+) .*", stat.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    return Process(int(pid), int(parent), state, words)


def family(roots: Iterable[int]) -> list[Process]:
    """These processes and all that they started, those that live."""
    every = all_processes()
    kin = {root for root in roots if root in every}
    while more := {p.pid for p in every.values() if p.parent in kin} - kin:
        kin |= more
    return [every[pid] for pid in sorted(kin) if every[pid].state not in ENDED]


def ancestors(pids: Iterable[int]) -> set[int]:
    """Who started these processes, who started those, and so on."""
    every, found = all_processes(), set()
    for pid in pids:
        while pid in every and (pid := every[pid].parent) not in found:
            found.add(pid)
    return found


def younger_than(seconds: float) -> set[int]:
    """The processes that began within this time (proc(5): field 22 of `stat`, in ticks since the machine's start)."""
    now, ticks = time.clock_gettime(time.CLOCK_BOOTTIME), os.sysconf("SC_CLK_TCK")
    found = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            began = int(file.read_text(errors="replace").rpartition(")")[2].split()[19]) / ticks
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if now - began < seconds:
            found.add(int(file.parent.name))
    return found


_WEB: Final = re.compile(r"mediaflow serve|/gunicorn ")
_WORKER: Final = re.compile(r"mediaflow worker|/dramatiq ")
_QUEUE: Final = re.compile(r"(valkey|redis)-server")


def roles(roots: Iterable[int]) -> dict[str, list[int]]:
    """What can be killed, by role: web, web_master, worker, worker_master, queue, ffmpeg, step, master (of all)."""
    kin = {process.pid: process for process in family(roots)}
    parents = {process.parent for process in kin.values()}
    found: dict[str, list[int]] = {}
    for process in kin.values():
        if process.state != "T":  # what is stopped is left to whoever stopped it
            found.setdefault(_role(process, kin, parents), []).append(process.pid)
    return found


def _role(process: Process, kin: dict[int, Process], parents: set[int]) -> str:
    words = process.words
    above = kin[process.parent].words if process.parent in kin else ""
    for pattern, name in ((_WEB, "web"), (_WORKER, "worker")):
        if pattern.search(words):
            return name if pattern.search(above) else f"{name}_master"
    if _QUEUE.search(words):
        return "queue"
    if "/ffmpeg " in words or "/ffprobe " in words:
        return "ffmpeg" if "bwrap" not in words.split(" ", 1)[0] else "sandbox"
    if "stepchild" in words:
        return "step" if "stepchild" in above else "step_master"
    if "bwrap" in words:
        return "sandbox"
    return "master" if "mediaflow up" in words or "supervisord" in words else "other"


def kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal; False when the process has ended already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
