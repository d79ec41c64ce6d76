"""Runs programs on untrusted files: in bubblewrap (no network, no other files or processes), or plainly when told so.

Inside is an unprivileged user without capabilities, behind a filter of system calls. Started by an ordinary user that
is he himself, in a user namespace that allows no other; started by root it is a real user that nobody else is, since
root of a user namespace still is the machine's root for files of root (seen: /proc/sys could be written to).
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.budget import Budget, grouped
from mediaflow.sandbox.cgroups import MemoryGroup
from mediaflow.sandbox.confinement import (
    DEFAULT,
    PROCESSES,
    Confinement,
    SandboxMode,
    binds,
    directories,
    isolation,
    machine,
    privileges_to_change_user,
    sealed,
)
from mediaflow.sandbox.ownership import give
from mediaflow.sandbox.process import Completed, Limits
from mediaflow.sandbox.program import Running, program_path, readable
from mediaflow.sandbox.seccomp import program_filter
from mediaflow.sandbox.users import SandboxUser, borrowed_user
from mediaflow.sandbox.watchdog import STDERR_KEPT_BYTES, Ended, Watch, watched

CLEAN_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
"""All that a program gets to know of ours: no secret can be in it."""

SYSTEM: Final = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    "/etc/ld.so.cache", "/etc/alternatives",  # where libraries are; Debian's libblas and the like are alternatives
    "/etc/fonts", "/var/cache/fontconfig",  # text filters; without the cache every start would read every font
)  # fmt: skip
_CPU_GRACE_SECONDS: Final = 5
_FROM_OUTSIDE: Final = (signal.SIGKILL, signal.SIGTERM)
"""No media make a program end so: a system that runs out of memory does, or a person. It tells nothing of the file."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a program sees: `reads` read only, `writes` writable. It starts in the directory `start`."""

    reads: Sequence[Path]
    writes: Path | None
    start: Path


@dataclass(frozen=True, slots=True)
class SandboxedRunner:
    """The `ProcessRunner` of mediaflow. `stop` is asked about five times a second; a reason ends the program. So does a
    program that takes more than its `budget` (None: whoever started us looks after that).

    With `off` a program still has its own group, a clean environment, limits and watchdogs, and dies with us; it can
    read and write whatever we can, and what it starts in a session of its own outlives a kill.

    `user` is who a program is when root starts it: its task's; else a user that is borrowed for each program, who is
    lent the directory that it writes to. `nice` is how far programs give way to others (nice(2)); while one runs it is
    in `running`. They are in `group`; one with a budget is in a group of its own.
    """

    sandbox: SandboxMode
    stop: Callable[[], str | None] | None = None
    budget: Budget | None = None
    confinement: Confinement = DEFAULT
    user: SandboxUser | None = None
    nice: int = 0
    running: Running | None = None
    group: MemoryGroup | None = None

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
        return self.run_among(argv, Files(reads, writes, writes or Path("/")), limits, on_line)

    def run_among(
        self, argv: Sequence[str], files: Files, limits: Limits, on_line: Callable[[str], None] | None = None
    ) -> Completed:
        """As `run`, with more to say about the files."""
        name = Path(argv[0]).name
        command = [program_path(argv[0]), *argv[1:]]
        with grouped(name, self.budget) as own:
            watch = Watch(
                *(name, limits, on_line, self.stop),
                budget=self.budget,
                nice=self.nice,
                running=self.running,
                group=own or self.group,
            )
            if self.sandbox == "off":
                ended = watched(_plainly(command, limits), watch, env=CLEAN_ENVIRONMENT, cwd=files.start)
            else:
                ended = self._confined(command, files, watch)
        stderr = readable_stderr(ended.stderr, [*files.reads, *([files.writes] if files.writes else [])])
        _raise_for_signals(name, ended.returncode)
        if self.sandbox == "bwrap" and ended.returncode == 1 and stderr.startswith("bwrap: "):
            raise TaskFailed(f"The sandbox could not be made: {stderr.strip()}", code="job.sandbox_failed")
        return Completed(ended.returncode, ended.stdout, stderr, ended.seconds)

    def _confined(self, command: Sequence[str], files: Files, watch: Watch) -> Ended:
        with self._lent(files.writes) as user, readable(program_filter()) as rules:
            argv = [program_path("bwrap"), *isolation(user is None), "--seccomp", str(rules.fileno())]
            handles = [rules.fileno()]
            if user is not None:
                handles.append(user.lock)
                argv += privileges_to_change_user(user)
            argv += _view(command[0], self.confinement)
            argv += [*binds(files.reads, files.writes), *sealed(), "--chdir", str(files.start.absolute()), "--"]
            argv += [] if user is None else _as_user(user, self.confinement)
            argv += _limited(command, watch.limits, [f"--nproc={PROCESSES}"])
            return watched(argv, watch, env=CLEAN_ENVIRONMENT, cwd=Path("/"), files=handles)

    @contextmanager
    def _lent(self, writes: Path | None) -> Iterator[SandboxUser | None]:
        """Who the program is (None: we ourselves); the directory is his meanwhile."""
        if os.geteuid() != 0 or self.user is not None:
            yield self.user
            return
        with borrowed_user(self.confinement.first_user) as user:
            if writes is None:
                yield user
                return
            give(writes, user.number)
            try:
                yield user
            finally:
                give(writes, os.geteuid())


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


def _raise_for_signals(name: str, returncode: int) -> None:
    # a shell's way of telling a signal, which bubblewrap follows: 128 + its number
    received = -returncode if returncode < 0 else returncode - 128
    if received == signal.SIGXFSZ:
        raise TaskFailed(f"{name} wrote a larger file than it may and was ended.", code="job.output_too_large")
    if received == signal.SIGXCPU:
        raise TaskFailed(f"{name} used more processor time than it may and was ended.", code="job.timeout")
    if received in _FROM_OUTSIDE:
        raise TaskFailed(f"{name} was killed from outside, as for want of memory.", code="job.killed")


def _limited(command: Sequence[str], limits: Limits, more: Sequence[str] = ()) -> list[str]:
    """`prlimit` sets limits between fork and exec, which `preexec_fn` cannot do safely in a process with threads.

    No limit on address space: with one, ffmpeg was seen to hang at zero CPU for ever.
    """
    seconds = math.ceil(limits.wall_seconds * (os.cpu_count() or 1)) + _CPU_GRACE_SECONDS
    # soft before hard: the soft limit's own signal tells us why the program died
    options = ["--core=0", f"--cpu={seconds}:{seconds + _CPU_GRACE_SECONDS}", *more]
    if limits.file_bytes is not None:
        options.append(f"--fsize={limits.file_bytes}")
    return [program_path("prlimit"), *options, *command]


def _plainly(command: Sequence[str], limits: Limits) -> list[str]:
    """The command so that the kernel kills it when we are killed and can't do it ourselves; no other confinement."""
    # the signal is set before exec and survives it; `preexec_fn` is not safe in a process with threads
    return [program_path("setpriv"), "--pdeathsig", "KILL", "--", *_limited(command, limits)]


def _as_user(user: SandboxUser, confinement: Confinement) -> list[str]:
    groups = [str(group) for group in confinement.device_groups()]
    return [
        program_path("setpriv"),
        *("--reuid", str(user.number), "--regid", str(user.number)),
        *(("--groups", ",".join(groups)) if groups else ("--clear-groups",)),
        *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"),
    ]


def _view(program: str, confinement: Confinement) -> list[str]:
    """What a program sees beside its files."""
    argv = directories(["/etc", "/var", "/var/cache"])
    argv += [text for place in SYSTEM for text in ("--ro-bind-try", place, place)]
    argv += machine(confinement)
    if not program.startswith(("/usr/", "/bin/", "/sbin/")):
        argv += binds([Path(program)], None)
    return argv
