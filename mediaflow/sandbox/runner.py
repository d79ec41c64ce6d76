"""Runs programs on untrusted files: in bubblewrap (no network, no other files or processes), or plainly when told so.

Measured: bubblewrap adds about 8 ms to a program's start, as root and as nobody, and works inside an outer bubblewrap
that has no process namespace of its own (that is how a step's child process runs).
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.bubblewrap import binds
from mediaflow.sandbox.budget import Budget
from mediaflow.sandbox.process import Completed, Limits
from mediaflow.sandbox.program import program_path
from mediaflow.sandbox.watchdog import STDERR_KEPT_BYTES, Watch, watched

SandboxMode = Literal["bwrap", "off"]

CLEAN_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
"""All that a program gets to know of ours: no secret can be in it."""

_SYSTEM: Final = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    "/etc/ld.so.cache", "/etc/alternatives",  # where libraries are; Debian's libblas and the like are alternatives
    "/etc/fonts", "/var/cache/fontconfig",  # text filters; without the cache every start would read every font
)  # fmt: skip
_CPU_GRACE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class SandboxedRunner:
    """The `ProcessRunner` of mediaflow. `stop` is asked about five times a second; a reason ends the program. So does a
    program that takes more than its `budget` (None: whoever started us looks after that).

    With `off` a program still has its own group, a clean environment, limits and watchdogs, and dies with us; it can
    read and write whatever we can, and what it starts in a session of its own outlives a kill.
    """

    sandbox: SandboxMode
    stop: Callable[[], str | None] | None = None
    budget: Budget | None = None

    def run(
        self,
        argv: Sequence[str],
        *,
        reads: Sequence[Path] = (),
        writes: Path | None = None,
        limits: Limits,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        """See `ProcessRunner.run`. Also raises TaskFailed `job.stopped` and `job.sandbox_failed`, and MediaRejected
        `media.too_costly`.
        """
        name = Path(argv[0]).name
        command = [program_path(argv[0]), *argv[1:]]
        confined = _CONFINERS[self.sandbox](command, reads, writes, limits)
        watch = Watch(name, limits, on_line, self.stop, budget=self.budget)
        ended = watched(confined, watch, env=CLEAN_ENVIRONMENT, cwd=Path("/") if writes is None else writes)
        stderr = readable_stderr(ended.stderr, [*reads, *([writes] if writes else [])])
        _raise_for_limits(name, ended.returncode)
        if self.sandbox == "bwrap" and ended.returncode == 1 and stderr.startswith("bwrap: "):
            raise TaskFailed(f"The sandbox could not be made: {stderr.strip()}", code="job.sandbox_failed")
        return Completed(ended.returncode, ended.stdout, stderr, ended.seconds)


def sandbox_works() -> str | None:
    """None when programs can be run in the sandbox on this machine; else what is wrong and what to do."""
    try:
        done = SandboxedRunner("bwrap").run(["true"], limits=Limits(wall_seconds=10))
    except TaskFailed as error:
        return f"{error.detail} {_WAY_OUT}"
    return None if done.returncode == 0 else f"A program in the sandbox ended with {done.returncode}. {_WAY_OUT}"


_WAY_OUT: Final = (
    "Install bubblewrap and allow user namespaces (Docker: --security-opt seccomp=unconfined; Ubuntu: an AppArmor "
    "profile for bwrap), or set MEDIAFLOW_SANDBOX=off if every upload is trusted."
)


def readable_stderr(data: bytes, paths: Sequence[Path]) -> str:
    """A program's stderr for people: directories of `paths` are taken out, names stay; no half line at the start."""
    text = data.decode(errors="replace")
    if len(data) >= STDERR_KEPT_BYTES and "\n" in text:
        text = text.split("\n", 1)[1]
    known = {path.absolute() for path in paths} | {path.resolve() for path in paths}
    directories = {f"{parent}/" for path in known for parent in path.parents if parent != Path("/")}
    for directory in sorted(directories, key=len, reverse=True):
        text = text.replace(directory, "")
    return text


def _raise_for_limits(name: str, returncode: int) -> None:
    # a shell's way of telling a signal, which bubblewrap follows: 128 + its number
    received = -returncode if returncode < 0 else returncode - 128
    if received == signal.SIGXFSZ:
        raise TaskFailed(f"{name} wrote a larger file than it may and was ended.", code="job.output_too_large")
    if received == signal.SIGXCPU:
        raise TaskFailed(f"{name} used more processor time than it may and was ended.", code="job.timeout")


def _limited(command: Sequence[str], limits: Limits) -> list[str]:
    """`prlimit` sets limits between fork and exec, which `preexec_fn` cannot do safely in a process with threads.

    No limit on address space: with one, ffmpeg was seen to hang at zero CPU for ever.
    """
    seconds = math.ceil(limits.wall_seconds * (os.cpu_count() or 1)) + _CPU_GRACE_SECONDS
    # soft before hard: the soft limit's own signal tells us why the program died
    options = ["--core=0", f"--cpu={seconds}:{seconds + _CPU_GRACE_SECONDS}"]
    if limits.file_bytes is not None:
        options.append(f"--fsize={limits.file_bytes}")
    return [program_path("prlimit"), *options, *command]


def _with_parent(command: Sequence[str]) -> list[str]:
    """The command so that the kernel kills it when we are killed and can't do it ourselves; no other confinement."""
    # the signal is set before exec and survives it; `preexec_fn` is not safe in a process with threads
    return [program_path("setpriv"), "--pdeathsig", "KILL", "--", *command]


def _plainly(command: Sequence[str], _reads: Sequence[Path], _writes: Path | None, limits: Limits) -> list[str]:
    return _with_parent(_limited(command, limits))


def _in_bubblewrap(command: Sequence[str], reads: Sequence[Path], writes: Path | None, limits: Limits) -> list[str]:
    argv = [
        program_path("bwrap"),
        "--unshare-all",  # no network, no other processes, no shared memory
        # killed with us, and everything inside with it; not so in the millisecond before it has set this up for itself,
        # then the program ends at its next write to a pipe that nobody reads, or at its limit of processor time
        "--die-with-parent",
        "--cap-drop", "ALL",
    ]  # fmt: skip
    if os.getsid(0) != os.getpid():
        # no terminal to type into; a step's child began a session of its own, whose programs stay in it, since the
        # kernel weighs sessions against one another
        argv.append("--new-session")
    for place in _SYSTEM:
        argv += ["--ro-bind-try", place, place]
    argv += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - a fresh one, inside
    if not command[0].startswith(("/usr/", "/bin/", "/sbin/")):
        argv += ["--ro-bind", str(Path(command[0]).resolve()), command[0]]
    argv += binds(reads, writes)
    argv += ["--chdir", str((writes or Path("/")).absolute()), "--", *_limited(command, limits)]
    return argv


_CONFINERS: Final = {"bwrap": _in_bubblewrap, "off": _plainly}
